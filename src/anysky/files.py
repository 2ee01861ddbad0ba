"""Local files, bytes and iterators as sources of objects; local files as their targets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from .errors import CloudError, InvalidRequestError, ObjectHashMismatchError
from .model.storage import Object
from .runtime.base import Runtime
from .transport.base import Body, ByteStream

__all__ = ["CheckedBody", "check_chunk_size", "download_object", "file_body", "stream_body"]

_PIECE = 256 * 1024
# What is written at once: a hop to a thread costs more than writing one piece.
_BATCH = 2 * 1024 * 1024
# Hashing more than this at once would hold up an event loop for longer than a hop to a thread.
_LARGE = 1024 * 1024
_MD5_DIGITS = 32


class CheckedBody:
    """Watches over a source while it is uploaded.

    What it gives must be bytes, and end up at the provider as they are. What fails in it is an
    `InvalidRequestError`, which is not mistaken for a broken connection.

    Args:
        source: The content.
        runtime: Hashes large pieces.
        is_hashed: Whether the MD5 is compared with what the provider stored.

    Attributes:
        body: What to upload in place of the source.
    """

    def __init__(self, source: Body, runtime: Runtime, *, is_hashed: bool = True) -> None:
        self._source = source
        self._runtime = runtime
        self._is_hashed = is_hashed
        self._digest = hashlib.md5(usedforsecurity=False)
        self.body = Body(self._open, source.length, source.replayable)

    async def upload_object(self, job: Coroutine[Any, Any, Object]) -> Object:
        """Run what uploads `body`.

        Raises:
            ObjectHashMismatchError: The provider has other bytes.
        """
        stored = await job
        if self._is_hashed:
            self._verify(stored)
        return stored

    def _verify(self, stored: Object) -> None:
        """Compare with the provider's digest, where that is an MD5 of the content."""
        theirs = (stored.hash or "").lower()
        if len(theirs) == _MD5_DIGITS and theirs != self._digest.hexdigest():
            raise ObjectHashMismatchError(
                f"{stored.name}: sent MD5 {self._digest.hexdigest()}, the provider has {theirs}"
            )

    def _open(self) -> Iterator[bytes] | AsyncIterator[bytes]:
        self._digest = hashlib.md5(usedforsecurity=False)
        try:
            pieces = self._source.open()
        except Exception as error:
            raise _unreadable(error) from error
        return self._async(pieces) if isinstance(pieces, AsyncIterator) else self._plain(pieces)

    def _plain(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            if (close := getattr(pieces, "close", None)) is not None:
                stack.callback(close)
            try:
                for piece in pieces:
                    _check_type(piece)
                    if self._is_hashed:
                        self._digest.update(piece)
                    if piece:
                        yield piece
            except Exception as error:
                raise _unreadable(error) from error

    async def _async(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with contextlib.AsyncExitStack() as stack:
            if (close := getattr(pieces, "aclose", None)) is not None:
                stack.push_async_callback(close)
            try:
                async for piece in pieces:
                    _check_type(piece)
                    if self._is_hashed:
                        await self._hash(piece)
                    if piece:
                        yield piece
            except Exception as error:
                raise _unreadable(error) from error

    async def _hash(self, piece: bytes) -> None:
        if len(piece) > _LARGE:
            await self._runtime.in_thread(partial(self._digest.update, piece))
        else:
            self._digest.update(piece)


def _check_type(piece: object) -> None:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise InvalidRequestError(f"the content must come in bytes, not in {type(piece).__name__}")


def _unreadable(error: Exception) -> InvalidRequestError:
    if isinstance(error, InvalidRequestError):
        return error
    return InvalidRequestError(f"the content cannot be read: {str(error) or type(error).__name__}")


def file_body(path: str | os.PathLike[str]) -> Body:
    """Make a body of a file, which is read while it is sent.

    Raises:
        InvalidRequestError: The file cannot be read.
    """
    try:
        place = Path(path).expanduser()
        with place.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidRequestError(f"cannot read {os.fspath(path)!r}: {_reason(error)}") from error
    return Body(partial(_read_path, place), size, replayable=True)


def _read_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _read_file(file)


def _read_file(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def stream_body(source: Any, kind: Any) -> Body:
    """Make a body of bytes, a file object, or an iterable of bytes.

    Bytes and files that can be rewound have a length and can be sent twice.

    Args:
        source: The content.
        kind: What is iterable in this API besides plain iterables.

    Raises:
        InvalidRequestError: It is none of these.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        view = _view(cast("bytes", source))
        return Body(partial(_slices, view), len(view), replayable=True)
    if hasattr(source, "read"):
        return _file_object_body(source)
    if hasattr(source, "__iter__") and not isinstance(source, str):
        return Body(source.__iter__)
    if hasattr(source, "__aiter__") and isinstance(source, kind):
        return Body(cast("Any", source).__aiter__)
    raise InvalidRequestError(
        f"cannot upload from a {type(source).__name__}: give bytes, a file or an iterator"
    )


def _view(content: bytes) -> memoryview:
    try:
        return memoryview(content).cast("B")
    except TypeError as error:
        raise InvalidRequestError(f"cannot upload from this memoryview: {error}") from error


def _slices(view: memoryview) -> Iterator[bytes]:
    for start in range(0, len(view), _PIECE):
        yield cast("bytes", view[start : start + _PIECE])


def _file_object_body(file: Any) -> Body:
    try:
        start = file.tell()
        length = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (AttributeError, OSError, ValueError, TypeError):
        return Body(partial(_read_file, file))  # a pipe, a socket, an answer of an HTTP library
    return Body(partial(_reread, file, start), max(length, 0), replayable=True)


def _reread(file: Any, start: int) -> Iterator[bytes]:
    file.seek(start)
    yield from _read_file(file)


def check_chunk_size(size: int | None) -> int:
    """Return how many bytes a piece of a stream has at the most.

    Raises:
        InvalidRequestError: There is no such piece.
    """
    if size is None:
        return _PIECE
    if size < 1:
        raise InvalidRequestError(f"a piece cannot have {size} bytes")
    return size


async def download_object(
    open_stream: Callable[[], Coroutine[Any, Any, ByteStream]],
    expected: int | None,
    destination: Path,
    name: str,
    runtime: Runtime,
    *,
    overwrite: bool,
    delete_on_failure: bool,
) -> None:
    """Save a stream under a temporary name, check its size, then give it its name.

    Args:
        open_stream: Opens the stream.
        expected: Bytes that must come, or None.
        destination: File to make, or a directory for a file named as the last part of `name`.
        name: The object's name.
        runtime: Runs what blocks.
        overwrite: Whether a file that is there already is replaced.
        delete_on_failure: Whether what came before a failure is removed.

    Raises:
        InvalidRequestError: The file exists, or cannot be written.
        ObjectHashMismatchError: More or fewer bytes came.
    """
    if "\0" in str(destination):
        raise InvalidRequestError(f"cannot write {str(destination)!r}: no file has such a name")
    if destination.is_dir():
        destination = destination / _last_part(name)
    if not overwrite and os.path.lexists(destination):
        raise _exists(destination)
    part = destination.with_name(f".anysky.{secrets.token_hex(8)}.part")
    try:
        file = await runtime.in_thread(partial(_create, part))
        with file:
            await _fill(open_stream, expected, file, runtime)
        await runtime.in_thread(partial(_publish, part, destination, overwrite))
    except (OSError, ValueError) as error:
        if isinstance(error, CloudError):
            raise
        raise InvalidRequestError(f"cannot write {destination}: {_reason(error)}") from error
    finally:
        if delete_on_failure:
            with contextlib.suppress(OSError, ValueError):
                part.unlink()


def _last_part(name: str) -> str:
    """Return a file name for an object; names that lead elsewhere are refused, not changed."""
    last = name.rpartition("/")[2]
    separators = {os.sep, os.altsep} - {None}
    if last in ("", ".", "..") or "\0" in last or any(one in last for one in separators if one):
        raise InvalidRequestError(
            f"the object {name[:200]!r} gives no name for a file: pass one as destination_path"
        )
    return last


def _exists(destination: Path) -> InvalidRequestError:
    return InvalidRequestError(f"{destination} exists; pass overwrite_existing=True")


def _create(part: Path) -> Any:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(part, flags, 0o666), "wb")


async def _fill(
    open_stream: Callable[[], Coroutine[Any, Any, ByteStream]],
    expected: int | None,
    file: Any,
    runtime: Runtime,
) -> None:
    stream = await open_stream()
    batch: list[bytes] = []
    size = written = 0
    try:
        while piece := await stream.read(_PIECE):
            batch.append(piece)
            size += len(piece)
            if size - written >= _BATCH:
                await runtime.in_thread(partial(file.writelines, batch))
                batch, written = [], size
    finally:
        await stream.close()
    if expected is not None and size != expected:
        raise ObjectHashMismatchError(f"{size} bytes came in place of {expected}")
    await runtime.in_thread(partial(_finish, file, batch))


def _finish(file: Any, batch: list[bytes]) -> None:
    file.writelines(batch)
    file.flush()
    os.fsync(file.fileno())


def _publish(part: Path, destination: Path, overwrite: bool) -> None:
    """Give a complete file its name; without `overwrite` only if nobody took it meanwhile."""
    if overwrite:
        part.replace(destination)
        return
    try:
        os.link(part, destination)
    except FileExistsError:
        raise _exists(destination) from None
    except OSError:  # a file system without hard links
        part.rename(destination)
    else:
        part.unlink()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
