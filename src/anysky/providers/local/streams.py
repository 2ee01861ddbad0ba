"""The content of an object, read piece by piece."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
)
from anysky.model.storage import Condition
from anysky.runtime.base import Runtime

from .containers import Root
from .drafts import DIGESTS, Digests, verify
from .failures import cloud_error
from .objects import Opened, check_condition
from .threads import finished

__all__ = ["FileStream", "check_in_time"]

_BATCH = 2 * 1024 * 1024


def check_in_time() -> None:
    """See that the call has time left.

    Raises:
        DeadlineExceededError: It has none.
    """
    left = deadlines.remaining()
    if left is not None and left <= 0:
        raise DeadlineExceededError("the call ran out of time")


class FileStream:
    """An object's content, or a range of it, as it was when the stream was opened.

    Args:
        root: Where the container is.
        container: Name of the container.
        name: The object's name.
        runtime: Runs what blocks.
    """

    def __init__(self, root: Root, container: str, name: str, runtime: Runtime) -> None:
        self._source = Opened(root, container, name)
        self._runtime = runtime
        self._buffer = memoryview(b"")
        self._digests = Digests(())
        self._expected: dict[str, str] = {}

    def open(self, start: int | None, end: int | None, condition: Condition | None) -> None:
        """Open the file; it blocks.

        Raises:
            ObjectDoesNotExistError: There is none.
            InvalidRequestError: The range begins beyond the end.
            PreconditionFailedError: It is not what the condition asks for.
        """
        self._source.open()
        known = self._source.known
        check_condition(condition, known)
        size = known.status.st_size
        if start is not None and start >= max(size, 1):
            raise InvalidRequestError(f"the object has {size} bytes: none from {start} on")
        self._position = start or 0
        self._end = size if end is None else min(end, size)
        if (self._position, self._end) == (0, size) and known.facts is not None:
            self._expect(known.facts.checksums)

    def _expect(self, checksums: Mapping[str, str]) -> None:
        """Let the content be compared with the quickest digest that is known."""
        name = next((one for one in DIGESTS if one in checksums), None)
        if name is not None:
            self._digests = Digests((name,))
            self._expected = {name: checksums[name]}

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes; see `ByteStream.read`.

        Raises:
            ConnectionFailedError: The file has become shorter.
            ConflictError: It was changed in place while it was read.
            ObjectHashMismatchError: It has not the content that was stored.
        """
        check_in_time()
        if not self._buffer:
            self._buffer = memoryview(await self._next(size))
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return bytes(piece)

    async def close(self) -> None:
        """Close the file."""
        await finished(self._runtime, self._source.close)

    async def _next(self, size: int) -> bytes:
        """Read what `size` bytes are taken from: more where each read costs a hop to a thread."""
        count = size if self._runtime.is_blocking else max(size, _BATCH)
        try:
            return await finished(self._runtime, partial(self._read, count))
        except OSError as error:
            if isinstance(error, CloudError):
                raise
            raise cloud_error(error) from error

    def _read(self, count: int) -> bytes:
        count = min(count, self._end - self._position)
        if count <= 0:
            self._check()
            return b""
        piece = os.pread(self._source.file, count, self._position)
        if not piece:
            raise ConnectionFailedError(
                f"the file became {self._end - self._position} bytes shorter while it was read"
            )
        self._position += len(piece)
        self._digests.update(memoryview(piece))
        return piece

    def _check(self) -> None:
        self._source.check_unchanged()
        verify(self._digests.values(), self._expected)
