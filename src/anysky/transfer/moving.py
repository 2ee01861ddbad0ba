"""Give an object another name, also where the provider cannot."""

from __future__ import annotations

from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidRequestError
from anysky.model.storage import Container, Object

__all__ = ["move_object"]


async def move_object(
    backend: StorageBackend, source: Object, container: Container, name: str
) -> Object:
    """Move an object in one step where the provider can, else copy it and delete the source.

    Raises:
        InvalidRequestError: It is there already.
        PartialFailureError: It was copied, and the source is still there.
    """
    if (source.container.name, source.name) == (container.name, name):
        raise InvalidRequestError(f"the object {name!r} is there already")
    if backend.supports("move_object"):
        return await backend.move_object(source, container, name)
    async with backend.ledger("move_object") as ledger:
        what = f"object {name} in container {container.name}"
        copy = backend.copy_object(source, container, name)
        moved = await ledger.step(what, copy)
        await backend.delete_object(source)
    return moved
