"""Give an object another name, also where the provider cannot."""

from __future__ import annotations

from anysky import deadlines
from anysky.backend.storage import StorageBackend
from anysky.errors import CloudError, InvalidRequestError, NotFoundError
from anysky.ledger import unnoted
from anysky.model.storage import Container, Object

__all__ = ["move_object"]

_SECONDS = 30.0


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
        try:
            await backend.delete_object(source)
        except CloudError as error:
            is_there = await _is_there(backend, source)
            if is_there is None:
                # The copy may be all that there is: nobody may take it back.
                ledger.forget(moved)
                error.add_note(f"{what} was made; whether the source is still there is not known")
            if is_there is not False:
                raise
    return moved


async def _is_there(backend: StorageBackend, obj: Object) -> bool | None:
    """Return whether an object exists; None if that cannot be told."""
    try:
        with deadlines.grace(_SECONDS), unnoted():
            await backend.get_object(obj.container.name, obj.name)
    except NotFoundError:
        return False
    except CloudError:
        return None
    return True
