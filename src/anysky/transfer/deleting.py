"""Delete many objects, with as few requests as the provider allows."""

from __future__ import annotations

from collections.abc import Sequence

from anysky.backend.storage import StorageBackend
from anysky.errors import CloudError
from anysky.model.storage import Object

__all__ = ["batches", "delete_batch"]


def batches(backend: StorageBackend, objects: Sequence[Object]) -> list[list[Object]]:
    """Divide objects into batches of one container each that one request can delete."""
    size = max(backend.bulk, 1)
    found: list[list[Object]] = []
    latest: dict[str, list[Object]] = {}
    for obj in objects:
        batch = latest.get(obj.container.name)
        if batch is None or len(batch) == size:
            batch = latest[obj.container.name] = []
            found.append(batch)
        batch.append(obj)
    return found


async def delete_batch(backend: StorageBackend, batch: Sequence[Object]) -> list[CloudError | None]:
    """Delete the objects of a batch.

    Returns:
        For each in order why it is still there; None if it is gone.

    Raises:
        CloudError: None of them could be tried, or the only one failed.
    """
    if len(batch) > 1:
        return await backend.delete_objects(batch)
    await backend.delete_object(batch[0])
    return [None]
