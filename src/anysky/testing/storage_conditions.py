"""Cases of storage: what is done on a condition only."""

from __future__ import annotations

from typing import Any

from anysky.errors import CloudError, NotFoundError, PreconditionFailedError
from anysky.model.storage import Condition, ObjectSpec

from .case import case
from .storage_common import OBJECTS, body_of, content_of, new_container, new_object, operation
from .trial import Trial, check, equal

__all__: list[str] = []


@case(*OBJECTS)
async def objects_are_made_once(trial: Trial) -> None:
    """With ``if_none_match="*"`` an object is stored only where there is none."""
    if "put-if-none-match" not in trial.setup.conditions:
        return
    container = await new_container(trial)
    made = await new_object(trial, container, "name", b"first", if_none_match="*")

    await trial.fails(
        PreconditionFailedError,
        lambda: container.upload_object_via_stream(b"second", "name", if_none_match="*"),
    )
    equal(await content_of(trial, made), b"first", "content of the object")
    await trial.drop(made)
    again = await new_object(trial, container, "name", b"third", if_none_match="*")
    equal(await content_of(trial, again), b"third", "content of an object that is made anew")


@case(*OBJECTS)
async def objects_are_replaced_if_they_match(trial: Trial) -> None:
    """With ``if_match`` only the object that is meant is replaced."""
    if "put-if-match" not in trial.setup.conditions:
        return
    container = await new_container(trial)
    await new_object(trial, container, "name", b"first")
    first = await _etag(trial, container, "name")

    def store(content: bytes, name: str = "name") -> Any:
        return container.upload_object_via_stream(content, name, if_match=first)

    second = await trial.do(store(b"second"))
    await trial.fails(PreconditionFailedError, lambda: store(b"third"))
    equal(await content_of(trial, second), b"second", "content of the object")
    error = await trial.fails(CloudError, lambda: store(b"x", "missing"))
    refused = isinstance(error, PreconditionFailedError | NotFoundError)
    check(refused, f"what is not there does not match; {error!r} came")
    equal([one.name for one in await trial.do(container.list_objects())], ["name"], "names")


@case(*OBJECTS)
async def objects_are_read_if_they_match(trial: Trial) -> None:
    """With ``if_match`` and ``if_none_match`` only the object that is meant is read."""
    container = await new_container(trial)
    obj = await new_object(trial, container, "name", b"content")
    await new_object(trial, container, "other", b"of another")
    own, other = [await _etag(trial, container, name) for name in ("name", "other")]
    read, part = _readers(trial, obj)

    if "get-if-match" in trial.setup.conditions:
        equal(b"".join(await trial.do(read(if_match=own))), b"content", "what matches")
        equal(b"".join(await trial.do(part(if_match=own))), b"ont", "a part of what matches")
        await trial.fails(PreconditionFailedError, lambda: read(if_match=other))
        await trial.fails(PreconditionFailedError, lambda: part(if_match=other))
    if "get-if-none-match" in trial.setup.conditions:
        equal(b"".join(await trial.do(read(if_none_match=other))), b"content", "what differs")
        await trial.fails(PreconditionFailedError, lambda: read(if_none_match=own))


@case(*OBJECTS, "begin_multipart_upload", "complete_multipart_upload", "abort_multipart_upload")
async def uploads_in_parts_are_completed_once(trial: Trial) -> None:
    """An upload in parts is completed on the same condition, and can be ended if it fails."""
    if "put-if-none-match" not in trial.setup.conditions:
        return
    container = await new_container(trial, is_emptied=True)
    spec = ObjectSpec("name", condition=Condition(if_none_match="*"))
    upload = await trial.do(operation(trial, "begin_multipart_upload")(container, spec))
    part = await trial.do(
        operation(trial, "upload_part")(upload, 1, 0, body_of(b"parts"), is_last=True, checksums={})
    )
    there = await trial.do(container.upload_object_via_stream(b"whole", "name"))

    complete = operation(trial, "complete_multipart_upload")
    await trial.fails(PreconditionFailedError, lambda: complete(upload, [part], spec))

    equal(await content_of(trial, there), b"whole", "content of the object")


def _readers(trial: Trial, obj: Any) -> tuple[Any, Any]:
    """Return functions that read an object, and a part of it."""

    def read(**condition: str) -> Any:
        return trial.driver.download_object_as_stream(obj, **condition)

    def part(**condition: str) -> Any:
        return trial.driver.download_object_range_as_stream(obj, 1, 4, **condition)

    return read, part


async def _etag(trial: Trial, container: Any, name: str) -> str:
    got = await trial.do(container.get_object(name))
    etag = got.extra.get("etag")
    check(isinstance(etag, str) and etag, f"extra of {got!r} should have an etag, not {etag!r}")
    return str(etag)
