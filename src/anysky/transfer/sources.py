"""Where content comes from: files, bytes, file objects and iterators, whole or part by part."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from anysky.errors import InvalidRequestError
from anysky.interruption import check
from anysky.runtime.base import Runtime
from anysky.transport.base import Body

from .digests import checksum

__all__ = [
    "FileMark",
    "PartReader",
    "Source",
    "digest_of",
    "file_source",
    "memory_body",
    "reason_of",
    "stream_source",
]

_PIECE = 1024 * 1024
# Bytes in memory go out in smaller pieces: time limits hold for one write.
_SLICE = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileMark:
    """What tells a file from one that has changed, or taken its place.

    Attributes:
        path: Absolute path.
        size: Bytes.
        mtime_ns: When its content was changed last, in nanoseconds.
        inode: Its number on its device.
        device: The number of the device.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FileMark:
        """Make the mark of a file from its status."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)

    def compare(self, status: os.stat_result) -> None:
        """See that a file is the same.

        Raises:
            InvalidRequestError: It is not.
        """
        if FileMark.of(self.path, status) != self:
            raise InvalidRequestError(
                f"{self.path} has changed while it was read; nothing of it was stored"
            )


def _unchanging() -> None:
    """Stand for the check of what cannot change."""


@dataclass(frozen=True, slots=True)
class Source:
    """Content to upload.

    Attributes:
        body: All of it.
        slice: Returns a body of so many bytes from an offset on, which may be read several times
            and beside others; None for content that comes only once and in order.
        check: Raises `InvalidRequestError` if the content is not what it was any more.
        mark: The file that it is in, if it is in one: such an upload can be resumed.
    """

    body: Body
    slice: Callable[[int, int], Body] | None = None
    check: Callable[[], None] = _unchanging
    mark: FileMark | None = None


def file_source(path: str | os.PathLike[str]) -> Source:
    """Make a source of a file, which is read while it is sent.

    Raises:
        InvalidRequestError: The file cannot be read.
    """
    try:
        place = Path(path).expanduser()
        with place.open("rb") as file:
            mark = FileMark.of(os.path.abspath(place), os.fstat(file.fileno()))  # noqa: PTH100 - links stay
            seekable = file.seekable()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidRequestError(f"cannot read {os.fspath(path)!r}: {reason_of(error)}") from error
    if not seekable:
        return Source(Body(partial(_checked, partial(_read_path, mark.path))))
    return Source(
        Body(partial(_read_part, mark, 0, mark.size), mark.size, replayable=True),
        lambda start, size: Body(partial(_read_part, mark, start, size), size, replayable=True),
        partial(_compare, mark),
        mark,
    )


def stream_source(source: Any, kind: Any) -> Source:
    """Make a source of bytes, a file object, or an iterable of bytes.

    Bytes and files that can be rewound have a length and can be sent twice.

    Args:
        source: The content.
        kind: What is iterable in this API besides plain iterables.

    Raises:
        InvalidRequestError: It is none of these.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        view = _view(cast("bytes", source))
        return Source(memory_body([view]), lambda start, size: memory_body([view[start:][:size]]))
    if hasattr(source, "read"):
        return Source(_file_object_body(source))
    if hasattr(source, "__iter__") and not isinstance(source, str):
        return Source(Body(partial(_checked, source.__iter__)))
    if hasattr(source, "__aiter__") and isinstance(source, kind):
        return Source(Body(partial(_checked_later, cast("Any", source).__aiter__)))
    raise InvalidRequestError(
        f"cannot upload from a {type(source).__name__}: give bytes, a file or an iterator"
    )


def memory_body(pieces: list[memoryview]) -> Body:
    """Make a body of bytes that are in memory, without copying them."""
    return Body(partial(_slices, pieces), sum(map(len, pieces)), replayable=True)


def digest_of(body: Body, name: str) -> str:
    """Read a body, whose pieces come from a plain iterator, and return a digest of it in hex."""
    seen = checksum(name)
    for piece in cast("Iterator[bytes]", body.open()):
        check()
        seen.update(piece)
    return seen.hexdigest()


def reason_of(error: Exception) -> str:
    """Return what an error of the system says, without its number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class PartReader:
    """Cuts content that comes only once into parts, which are held in memory.

    Args:
        body: The content; it is opened once.
        size: Bytes of a part.
        runtime: Reads what blocks.
    """

    def __init__(self, body: Body, size: int, runtime: Runtime) -> None:
        self._pieces = body.open()
        self._length = body.length
        self._size = size
        self._runtime = runtime
        self._kept: list[memoryview] = []
        self._count = 0
        self._read = 0
        self._ended = False

    @property
    def is_last(self) -> bool:
        """Whether the part that was read last is the last one."""
        return self._ended and not self._count

    async def read(self) -> list[memoryview]:
        """Return the pieces of the next part; only the last part is shorter than the others.

        Raises:
            InvalidRequestError: All of the content has not the length that was promised.
        """
        pieces = self._pieces
        if isinstance(pieces, AsyncIterator):
            while self._wants_more:
                self._keep(await anext(pieces, None))
        else:
            await self._runtime.in_thread(partial(self._fill, pieces))
        part = self._take()
        if self.is_last and self._length not in (None, self._read):
            raise InvalidRequestError(
                f"the content has {self._read} bytes in place of {self._length}: "
                "did it change meanwhile?"
            )
        return part

    async def close(self) -> None:
        """Close the source, which may be a file."""
        is_async = isinstance(self._pieces, AsyncIterator)
        close = getattr(self._pieces, "aclose" if is_async else "close", None)
        if close is None:
            return
        if is_async:
            await close()
        else:
            await self._runtime.in_thread(close)

    @property
    def _wants_more(self) -> bool:
        # One byte more than a part tells whether the part is the last one.
        return self._count <= self._size and not self._ended

    def _fill(self, pieces: Iterator[bytes]) -> None:
        while self._wants_more:
            check()
            self._keep(next(pieces, None))

    def _keep(self, piece: bytes | None) -> None:
        if piece is None:
            self._ended = True
        else:
            self._kept.append(memoryview(piece).cast("B"))
            self._count += len(piece)

    def _take(self) -> list[memoryview]:
        part: list[memoryview] = []
        wanted = self._size
        while self._kept and wanted:
            piece = self._kept[0]
            part.append(piece[:wanted])
            if len(piece) > wanted:
                self._kept[0] = piece[wanted:]
            else:
                del self._kept[0]
            wanted -= len(part[-1])
        self._count -= self._size - wanted
        self._read += self._size - wanted
        return part


def _compare(mark: FileMark) -> None:
    try:
        mark.compare(os.stat(mark.path))  # noqa: PTH116 - the path is a text
    except OSError as error:
        raise InvalidRequestError(f"cannot read {mark.path}: {reason_of(error)}") from error


def _read_part(mark: FileMark, start: int, size: int) -> Iterator[bytes]:
    """Yield a part of a file; its last piece only if the file is what it was."""
    try:
        with open(mark.path, "rb", buffering=0) as file:  # noqa: PTH123 - the path is a text
            mark.compare(os.fstat(file.fileno()))
            file.seek(start)
            left = size
            while left:
                check()
                piece = file.read(min(left, _PIECE))
                left -= len(piece)
                if not left or not piece:
                    mark.compare(os.fstat(file.fileno()))
                    _compare(mark)
                if not piece:
                    raise InvalidRequestError(f"{mark.path} ends {left} bytes early")
                yield piece
    except OSError as error:
        raise InvalidRequestError(f"cannot read {mark.path}: {reason_of(error)}") from error


def _read_path(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:  # noqa: PTH123 - the path is a text
        yield from _read_file(file)


def _read_file(file: Any) -> Iterator[bytes]:
    while piece := file.read(_SLICE):
        yield piece


def _view(content: bytes) -> memoryview:
    try:
        return memoryview(content).cast("B")
    except TypeError as error:
        raise InvalidRequestError(f"cannot upload from this memoryview: {error}") from error


def _slices(pieces: list[memoryview]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _SLICE):
            check()
            yield cast("bytes", piece[start : start + _SLICE])


def _file_object_body(file: Any) -> Body:
    try:
        start = file.tell()
        length = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (AttributeError, OSError, ValueError, TypeError):
        # A pipe, a socket, an answer of an HTTP library.
        return Body(partial(_checked, partial(_read_file, file)))
    read = partial(_checked, partial(_reread, file, start))
    return Body(read, max(length, 0), replayable=True)


def _reread(file: Any, start: int) -> Iterator[bytes]:
    file.seek(start)
    yield from _read_file(file)


def _checked(start: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Pass on the pieces of a user's own source; what fails in it is not a broken line."""
    with contextlib.ExitStack() as stack:
        try:
            pieces = start()
            if (close := getattr(pieces, "close", None)) is not None:
                stack.callback(close)
            for piece in pieces:
                check()
                if _is_bytes(piece):
                    yield piece
        except Exception as error:
            raise _unreadable(error) from error


async def _checked_later(start: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            pieces = start()
            if (close := getattr(pieces, "aclose", None)) is not None:
                stack.push_async_callback(close)
            async for piece in pieces:
                if _is_bytes(piece):
                    yield piece
        except Exception as error:
            raise _unreadable(error) from error


def _is_bytes(piece: object) -> bool:
    """Whether a piece has any bytes in it.

    Raises:
        InvalidRequestError: It is something else.
    """
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise InvalidRequestError(f"the content must come in bytes, not in {type(piece).__name__}")
    return len(cast("bytes", piece)) > 0


def _unreadable(error: Exception) -> InvalidRequestError:
    if isinstance(error, InvalidRequestError):
        return error
    return InvalidRequestError(f"the content cannot be read: {str(error) or type(error).__name__}")
