"""Content that is read on where a broken line has left it."""

from __future__ import annotations

from anysky.backend.storage import StorageBackend
from anysky.errors import ConnectionFailedError, InvalidRequestError, PreconditionFailedError
from anysky.model.storage import Condition, Object, ObjectVersion
from anysky.transport.base import ByteStream

__all__ = ["PIECE", "ContentStream", "check_chunk_size", "open_object"]

PIECE = 256 * 1024
"""Bytes of a piece of a stream, unless the caller asks for others."""

_TRIES = 5
_ENOUGH = 1024 * 1024  # bytes after which a broken line counts as the first one again
_FIRST_WAIT = 0.05


def check_chunk_size(size: int | None) -> int:
    """Return how many bytes a piece of a stream has at the most.

    Raises:
        InvalidRequestError: There is no such piece.
    """
    if size is None:
        return PIECE
    if size < 1:
        raise InvalidRequestError(f"a piece cannot have {size} bytes")
    return size


async def open_object(
    backend: StorageBackend,
    obj: Object,
    start: int | None,
    end: int | None,
    condition: Condition | None = None,
) -> ContentStream:
    """Open an object's content, or a range of it, as `StorageBackend.open_object` does.

    Where the line breaks, the stream goes on with the rest, if the object is known to be the same.
    """
    stream = await _open(backend, obj, start, end, condition)
    return ContentStream(backend, obj, start or 0, end, condition, stream)


async def _open(
    backend: StorageBackend,
    obj: Object,
    start: int | None,
    end: int | None,
    condition: Condition | None,
) -> ByteStream:
    if condition is None:
        return await backend.open_object(obj, start, end)
    return await backend.open_object(obj, start, end, condition)


class ContentStream:
    """Content of an object; see `open_object`.

    Args:
        backend: The provider.
        obj: The object.
        start: The first byte.
        end: The byte before which to stop; None for the object's end.
        condition: On what reading it depends.
        stream: What was opened.

    Attributes:
        is_resumed: Whether it comes from several answers, so that the provider's stream has not
            compared it with the digest of the whole.
    """

    def __init__(
        self,
        backend: StorageBackend,
        obj: Object,
        start: int,
        end: int | None,
        condition: Condition | None,
        stream: ByteStream,
    ) -> None:
        self._backend = backend
        self._obj = obj
        self._position = start
        self._end = end
        self._condition = condition
        self._stream = stream
        self._broken_at = start
        self._tries = 0
        self.is_resumed = False

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes, at least one unless the end is reached.

        Raises:
            ConnectionFailedError: The line broke, and broke again.
            PreconditionFailedError: It broke, and the object has changed since.
        """
        while True:
            try:
                piece = await self._stream.read(size)
            except ConnectionFailedError as error:
                await self._go_on(error)
                continue
            self._position += len(piece)
            return piece

    async def close(self) -> None:
        """Close the stream."""
        await self._stream.close()

    async def _go_on(self, error: ConnectionFailedError) -> None:
        """Open what is left, or raise the error if that cannot be done."""
        condition = self._same()
        if self._position - self._broken_at >= _ENOUGH:
            self._tries = 0
        self._tries += 1
        if condition is None or self._tries > _TRIES or self._position >= self._total:
            raise error
        self._broken_at = self._position
        runtime = self._backend.runtime
        await self._stream.close()
        await runtime.sleep(_FIRST_WAIT * 2.0 ** (self._tries - 1))
        try:
            self._stream = await _open(
                self._backend, self._obj, self._position, self._end, condition
            )
        except PreconditionFailedError as changed:
            changed.message = f"the object {self._obj.name!r} has changed while it was read"
            raise
        self.is_resumed = True

    @property
    def _total(self) -> int:
        """The byte before which there must be something left to read."""
        return self._obj.size if self._end is None else min(self._end, self._obj.size)

    def _same(self) -> Condition | None:
        """Return what makes sure that the rest is of the same object; None if nothing does."""
        if self._condition is not None and self._condition.if_match is not None:
            return Condition(self._condition.if_match)
        etag = self._obj.extra.get("etag")
        if isinstance(etag, str) and etag:
            return Condition(etag)
        return Condition() if isinstance(self._obj, ObjectVersion) else None
