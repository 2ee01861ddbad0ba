"""Content on its way to and from S3: parts of what is uploaded, checked streams of what is read."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Protocol

from anysky.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
)
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, ByteStream, Response

__all__ = [
    "EmptyStream",
    "ExactStream",
    "check_range",
    "crc32_of",
    "expected_length",
    "md5_of",
    "range_header",
]

_PARTIAL = 206


def range_header(start: int, end: int | None) -> str:
    """Return the value of the header field Range for bytes from `start` up to but without `end`."""
    return f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"


def expected_length(response: Response, start: int | None, end: int | None) -> int | None:
    """Return how many bytes a stream must have, from the header fields of its answer.

    Args:
        response: The answer of GetObject.
        start: First byte that was asked for; None for the whole object.
        end: Byte before which to stop; None for the object's end.

    Raises:
        MalformedResponseError: The answer is not the range that was asked for.
    """
    length = response.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else None
    if start is None:
        if response.status == _PARTIAL:
            raise MalformedResponseError("a part of the object came in place of the whole")
        return announced
    count = _range_length(response, start, end)
    if announced is not None and announced != count:
        raise MalformedResponseError(
            f"the answer announces {announced} bytes for a range of {count}"
        )
    return count


def _range_length(response: Response, start: int, end: int | None) -> int:
    given = response.headers.get("content-range", "")
    unit, _, rest = given.partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    if (
        response.status != _PARTIAL
        or unit != "bytes"
        or not (first.isdecimal() and last.isdecimal())
    ):
        raise MalformedResponseError("the provider did not answer with the range asked for")
    wanted = end
    if total.isdecimal():
        wanted = int(total) if end is None else min(end, int(total))
    if int(first) != start or (wanted is not None and int(last) + 1 != wanted):
        raise MalformedResponseError(
            f"the provider answered with the range {given[:80]!r}, not with {start} to {end}"
        )
    return int(last) - start + 1


class ExactStream:
    """A stream that fails at its end unless it had what was promised.

    Args:
        inner: The stream.
        expected: How many bytes it has; None if nobody knows.
        digest: The digest of all of it in hex; None if nobody knows.
        algorithm: What digest it is: ``"md5"``, ``"sha256"`` or ``"crc32"``.
    """

    __slots__ = ("_algorithm", "_digest", "_inner", "_left", "_seen")

    def __init__(
        self,
        inner: ByteStream,
        expected: int | None,
        digest: str | None = None,
        algorithm: str = "md5",
    ) -> None:
        self._inner = inner
        self._left = expected
        self._digest = digest
        self._algorithm = algorithm
        self._seen = _running_digest(algorithm)

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes; see `ByteStream.read`.

        Raises:
            ConnectionFailedError: The content ended early.
            MalformedResponseError: More came than was promised.
            ObjectHashMismatchError: All came, and other bytes than were promised.
        """
        try:
            piece = await self._inner.read(size)
        except OutcomeUnknownError as error:
            failed = ConnectionFailedError(error.message)
            raise failed from error
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise MalformedResponseError("more bytes came than the answer had promised")
            if not piece and self._left:
                raise ConnectionFailedError(f"the content ended {self._left} bytes early")
        if self._digest is not None:
            self._check(piece, self._digest)
        return piece

    def _check(self, piece: bytes, promised: str) -> None:
        self._seen.update(piece)
        if piece:
            return
        found = self._seen.hexdigest()
        if found != promised:
            raise ObjectHashMismatchError(
                f"the content has the {self._algorithm.upper()} {found} and should have {promised}"
            )

    async def close(self) -> None:
        """Close the inner stream."""
        await self._inner.close()


class _RunningDigest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _CRC32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _running_digest(algorithm: str) -> _RunningDigest:
    if algorithm == "crc32":
        return _CRC32()
    return hashlib.new(algorithm, usedforsecurity=False)


async def crc32_of(body: Body, runtime: Runtime) -> str:
    """Return the CRC32 of a body, which can be sent twice, in hex."""
    digest = _CRC32()
    pieces = body.open()
    if isinstance(pieces, AsyncIterator):
        async for piece in pieces:
            digest.update(piece)
    else:
        await runtime.in_thread(partial(_consume, pieces, digest))
    return digest.hexdigest()


def _consume(pieces: Iterator[bytes], digest: _RunningDigest) -> None:
    for piece in pieces:
        digest.update(piece)


class EmptyStream:
    """The content of a range without bytes, for which nothing is asked."""

    async def read(self, size: int) -> bytes:  # noqa: ARG002 - there is nothing to read
        """Return nothing: the end is reached."""
        return b""

    async def close(self) -> None:
        """Do nothing."""


def md5_of(content: bytes) -> bytes:
    """Return the MD5 of bytes, as services compare it; it guards against accidents only."""
    return hashlib.md5(content, usedforsecurity=False).digest()


def check_range(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return a range with None for the whole object.

    Raises:
        InvalidRequestError: It begins before the first byte or ends before it begins.
    """
    if start is None and end is None:
        return None, None
    first = start or 0
    if first < 0 or (end is not None and end < first):
        raise InvalidRequestError(
            f"there is no range from {first} to {end}: it must begin at 0 or later and may not "
            "end before it begins"
        )
    return (None, None) if first == 0 and end is None else (first, end)
