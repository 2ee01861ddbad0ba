"""End multipart uploads that nobody goes on with: their parts are paid for and seen by nobody."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidRequestError, NotFoundError
from anysky.model.storage import Container, MultipartUpload
from anysky.paging import PageGuard

__all__ = ["all_uploads", "cleanup_uploads"]


async def cleanup_uploads(
    backend: StorageBackend,
    container: Container,
    older_than: timedelta | float,
    prefix: str | None = None,
) -> list[MultipartUpload]:
    """End the multipart uploads to a container that were begun long ago, and delete their parts.

    One whose beginning the provider does not tell is left alone, unless `older_than` is 0.

    Args:
        backend: The provider.
        container: The container.
        older_than: Age from which on an upload is ended, seconds or a `timedelta`.
        prefix: Beginning of the objects' names.

    Returns:
        Those that were ended.

    Raises:
        InvalidRequestError: The age is negative.
        CloudError: One could not be ended; a note says how many had been.
    """
    age = older_than if isinstance(older_than, timedelta) else timedelta(seconds=older_than)
    if age < timedelta():
        raise InvalidRequestError(f"older_than is 0 or more, not {older_than}")
    latest = datetime.fromtimestamp(backend.runtime.time(), UTC) - age
    ended: list[MultipartUpload] = []
    for upload in await all_uploads(backend, container, prefix):
        if age and (upload.initiated is None or upload.initiated > latest):
            continue
        try:
            with suppress(NotFoundError):  # it has come to an end by itself
                await backend.abort_multipart_upload(upload)
                ended.append(upload)
        except Exception as error:
            error.add_note(f"{len(ended)} multipart uploads had been ended before")
            raise
    return ended


async def all_uploads(
    backend: StorageBackend, container: Container, prefix: str | None
) -> list[MultipartUpload]:
    """Return all uploads to a container that were begun and not ended, from all pages."""
    guard = PageGuard(backend.connection.limits)
    found: list[MultipartUpload] = []
    cursor: str | None = None
    while True:
        page = await backend.list_multipart_uploads(container, prefix, cursor)
        guard.check(page)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
