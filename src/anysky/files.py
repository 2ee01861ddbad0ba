"""Local files as sources and targets of objects."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from .errors import CloudError, InvalidRequestError, ObjectHashMismatchError
from .model.storage import Object
from .runtime.base import Runtime
from .transport.base import Body, ByteStream

__all__ = ["HashedBody", "file_body", "save", "stream_body"]

_PIECE = 256 * 1024


class HashedBody:
    """Counts the MD5 of what a body sends, to be compared with what the provider stored."""

    def __init__(self, body: Body) -> None:
        self._source = body
        self._digest = hashlib.md5(usedforsecurity=False)
        self.body = Body(self._open, body.length, body.replayable)

    def verify(self, stored: Object) -> None:
        """Compare with the provider's digest, where that is an MD5 of the content.

        Raises:
            ObjectHashMismatchError: The provider has other bytes.
        """
        theirs = (stored.hash or "").lower()
        if len(theirs) == 32 and theirs != self._digest.hexdigest():  # noqa: PLR2004 - hex digits of an MD5
            raise ObjectHashMismatchError(
                f"{stored.name}: sent MD5 {self._digest.hexdigest()}, the provider has {theirs}"
            )

    def _open(self) -> Iterator[bytes] | AsyncIterator[bytes]:
        self._digest = hashlib.md5(usedforsecurity=False)
        pieces = self._source.open()
        return (
            self._count_async(pieces) if isinstance(pieces, AsyncIterator) else self._count(pieces)
        )

    def _count(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._digest.update(piece)
            yield piece

    async def _count_async(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._digest.update(piece)
            yield piece


def file_body(path: str | os.PathLike[str]) -> Body:
    """Make a body of a file, which is read while it is sent.

    Raises:
        InvalidRequestError: The file cannot be read.
    """
    place = Path(path).expanduser()
    try:
        with place.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InvalidRequestError(f"cannot read {place}: {error.strerror}") from error
    return Body(lambda: _read_file(place), size, replayable=True)


def _read_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def stream_body(source: Any) -> Body:
    """Make a body of bytes, a file object, or an iterator of bytes, plain or async."""
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(cast("bytes", source))
        return Body(lambda: iter((content,)), len(content), replayable=True)
    if hasattr(source, "read"):
        return Body(lambda: iter(lambda: source.read(_PIECE), b""))
    if hasattr(source, "__aiter__"):
        return Body(source.__aiter__)
    if hasattr(source, "__iter__"):
        return Body(source.__iter__)
    raise InvalidRequestError(
        f"cannot upload from a {type(source).__name__}: give bytes, a file or an iterator"
    )


async def save(
    open_stream: Callable[[], Any],
    expected: int | None,
    destination: Path,
    runtime: Runtime,
    *,
    overwrite: bool,
    delete_on_failure: bool,
) -> None:
    """Save a stream under a temporary name, check its size, then give it its name.

    Args:
        open_stream: Coroutine function that opens the stream.
        expected: Bytes that must come, or None.
        destination: File to make.
        runtime: Runs what blocks.
        overwrite: Whether a file that is there already is replaced.
        delete_on_failure: Whether what came before a failure is removed.

    Raises:
        InvalidRequestError: The file exists, or cannot be written.
        ObjectHashMismatchError: More or fewer bytes came.
    """
    if not overwrite and destination.exists():
        raise InvalidRequestError(f"{destination} exists; pass overwrite_existing=True")
    partial = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.part")
    try:
        await _write(open_stream, expected, partial, destination, runtime)
    except OSError as error:
        if isinstance(error, CloudError):
            raise
        raise InvalidRequestError(f"cannot write {destination}: {error.strerror}") from error
    finally:
        if delete_on_failure:
            with contextlib.suppress(OSError):
                partial.unlink()


async def _write(
    open_stream: Callable[[], Any],
    expected: int | None,
    partial: Path,
    destination: Path,
    runtime: Runtime,
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(partial, flags, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        stream: ByteStream = await open_stream()
        try:
            size = await _pump(stream, file, runtime)
        finally:
            await stream.close()
        if expected is not None and size != expected:
            raise ObjectHashMismatchError(f"{size} bytes came in place of {expected}")
        file.flush()
        await runtime.in_thread(lambda: os.fsync(descriptor))
    partial.replace(destination)


async def _pump(stream: ByteStream, file: Any, runtime: Runtime) -> int:
    size = 0
    while piece := await stream.read(_PIECE):
        await runtime.in_thread(partial(file.write, piece))
        size += len(piece)
    return size
