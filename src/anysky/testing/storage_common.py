"""What the cases of storage share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from anysky.errors import NotFoundError
from anysky.model.storage import PartLimits
from anysky.transport.base import Body

from .trial import Trial, finished

__all__ = [
    "CONTAINERS",
    "OBJECTS",
    "body_of",
    "bytes_of",
    "content_of",
    "new_container",
    "new_object",
    "operation",
    "smallest_part",
]

_TINY = 1000

CONTAINERS = ("create_container", "list_containers", "get_container", "delete_container")
OBJECTS = (
    "create_container",
    "delete_container",
    "upload_object",
    "get_object",
    "list_container_objects",
    "open_object",
    "delete_object",
)


class _Emptied:
    """A container that is deleted with all that a case has left in it: uploads, versions, objects.

    Args:
        trial: The run of the case.
        container: The container.
    """

    def __init__(self, trial: Trial, container: Any) -> None:
        self._driver = trial.driver
        self._container = container

    def __repr__(self) -> str:
        return f"{self._container!r} with all that is in it"

    async def delete(self) -> bool:
        """Delete everything in it, then the container."""
        await self._remove_all("list_multipart_uploads", self._driver.abort_multipart_upload)
        await self._remove_all("list_object_versions", self._driver.delete_object)
        await self._remove_all("list_container_objects", self._driver.delete_object)
        return bool(await finished(self._container.delete()))

    async def _remove_all(self, operation: str, remove: Callable[[Any], Any]) -> None:
        if not self._driver.supports(operation):
            return
        for thing in await finished(getattr(self._driver, operation)(self._container)):
            try:
                await finished(remove(thing))
            except NotFoundError:
                continue  # it went with another one


async def new_container(trial: Trial, *, is_emptied: bool = False) -> Any:
    """Make a container, which is deleted when the case is over.

    Args:
        trial: The run of the case.
        is_emptied: Whether it is emptied before, with versions and unfinished uploads.
    """
    made = trial.driver.create_container(trial.name("container"))
    if not is_emptied:
        return await trial.keep(made)
    container = await trial.do(made)
    await trial.keep(_Emptied(trial, container))
    return container


async def new_object(
    trial: Trial, container: Any, name: str, content: bytes, extra: Any = None, **more: Any
) -> Any:
    """Store an object, which is deleted when the case is over."""
    return await trial.keep(container.upload_object_via_stream(content, name, extra=extra, **more))


async def content_of(trial: Trial, obj: Any) -> bytes:
    """Return an object's content."""
    return b"".join(await trial.do(obj.as_stream()))


def bytes_of(size: int) -> bytes:
    """Return bytes of which no two neighbouring thousands are alike."""
    numbers = (f"{number:07}".encode() for number in range(size // 7 + 1))
    return b"".join(numbers)[:size]


def body_of(content: bytes) -> Body:
    """Return bytes as the body of a request."""
    return Body(partial(iter, (content,)), len(content), replayable=True)


def operation(trial: Trial, name: str) -> Callable[..., Any]:
    """Return a function that calls an operation of the driver's backend."""
    return partial(trial.driver.call, getattr(trial.driver._backend_class, name))


def smallest_part(limits: PartLimits) -> int:
    """Return the bytes of a part that is as small as may be, and no tiny one."""
    smallest = max(limits.smallest, _TINY)
    return -(-smallest // limits.multiple) * limits.multiple
