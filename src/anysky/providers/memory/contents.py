"""Contents of objects on their way to and from the memory cloud."""

from __future__ import annotations

from anysky.errors import InvalidRequestError
from anysky.runtime.base import Runtime
from anysky.transfer.sources import PartReader
from anysky.transport.base import Body

__all__ = ["Content", "content_of"]

_LARGEST = 5 * 1024**3


class Content:
    """An object's bytes, read piece by piece."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes."""
        piece, self._content = self._content[:size], self._content[size:]
        return bytes(piece)

    async def close(self) -> None:
        """Drop what was not read."""
        self._content = memoryview(b"")


async def content_of(body: Body, runtime: Runtime) -> bytes:
    """Return all bytes of a body.

    Raises:
        InvalidRequestError: They are too many, or more or less than the body had promised.
    """
    reader = PartReader(body, _LARGEST, runtime)
    try:
        pieces = await reader.read()
    finally:
        await reader.close()
    if not reader.is_last:
        raise InvalidRequestError(f"an object has {_LARGEST} bytes at the most")
    return b"".join(pieces)
