"""Files that are written under a hidden name until they are complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Protocol

from anysky.errors import ConflictError, InvalidRequestError, ObjectHashMismatchError
from anysky.model.storage import Condition

from .containers import Root, Vessel, while_there
from .facts import TEMPORARY, Facts, Known, write_facts
from .folders import chain, make_chain
from .objects import place

__all__ = ["BATCH", "DIGESTS", "Digests", "Draft", "Sink", "copy_bytes", "verify", "wanted_digests"]

BATCH = 2 * 1024 * 1024
DIGESTS = ("sha256", "md5", "crc32")
_COPIED = 64 * 1024 * 1024
_OLD = 24 * 3600  # seconds after which nobody is writing a file any more


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class _CRC32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _digest(name: str) -> _Digest:
    return _CRC32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)


def wanted_digests(checksums: Mapping[str, str], md5: str | None = None) -> dict[str, str]:
    """Return what digests must be, as far as they can be checked here."""
    wanted = {name: value.lower() for name, value in checksums.items() if name in DIGESTS}
    return wanted if md5 is None else {**wanted, "md5": md5.lower()}


def verify(found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Compare digests with those that were told beforehand.

    Raises:
        ObjectHashMismatchError: One is another.
    """
    for name, value in wanted.items():
        if found[name] != value:
            raise ObjectHashMismatchError(
                f"the {name} of what arrived is {found[name]}, not {value}"
            )


class Digests:
    """Digests of content that comes piece by piece.

    Args:
        names: Which.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._digests = {name: _digest(name) for name in names}

    def update(self, piece: memoryview) -> None:
        """Add a piece."""
        for digest in self._digests.values():
            digest.update(piece)

    def read_some(self, file: int, start: int, end: int) -> int:
        """Add some of the bytes of a file; return where they end."""
        stop = min(end, start + _COPIED)
        while start < stop:
            piece = os.pread(file, min(BATCH, stop - start), start)
            if not piece:
                raise ConflictError("the file became shorter while it was read")
            self.update(memoryview(piece))
            start += len(piece)
        return start

    def values(self) -> dict[str, str]:
        """Return the digests in hex."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


class Sink:
    """Writes pieces into a file, one after the other, and digests them.

    Args:
        file: The file.
        offset: Where to begin.
        digests: Names of digests to compute.

    Attributes:
        size: Bytes written.
    """

    def __init__(self, file: int, offset: int, digests: Iterable[str]) -> None:
        self.size = 0
        self._file = file
        self._offset = offset
        self._digests = Digests(digests)

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        view = memoryview(piece).cast("B")
        self._digests.update(view)
        while view:
            count = os.pwrite(self._file, view, self._offset + self.size)
            self.size += count
            view = view[count:]

    def write_all(self, pieces: Iterable[bytes]) -> None:
        """Write several pieces."""
        for piece in pieces:
            self.write(piece)

    def write_some(self, pieces: Iterator[bytes]) -> bool:
        """Write pieces until it was enough for once; return whether there may be more."""
        end = self.size + BATCH
        while self.size < end:
            piece = next(pieces, None)
            if piece is None:
                return False
            self.write(piece)
        return True

    def check_length(self, length: int | None) -> None:
        """See that as much came as was promised.

        Raises:
            InvalidRequestError: It is not so.
        """
        if length is not None and length != self.size:
            raise InvalidRequestError(
                f"the content has {self.size} bytes in place of {length}: did it change meanwhile?"
            )

    def checksums(self) -> dict[str, str]:
        """Return the digests of what was written, in hex."""
        return self._digests.values()


class Draft:
    """A file that will be an object.

    Its methods block. `close` removes it unless it was published.

    Args:
        root: Where the container is.
        container: Name of the container.
        digests: Names of the digests to compute.
    """

    sink: Sink
    vessel: Vessel

    def __init__(self, root: Root, container: str, digests: Iterable[str]) -> None:
        self._root = root
        self._container = container
        self._digests = tuple(digests)
        self._stack = ExitStack()
        self._name = secrets.token_hex(16)

    @property
    def file(self) -> int:
        """The file."""
        return self._file

    def begin(self) -> None:
        """Make the file.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        self.vessel = self._stack.enter_context(self._root.vessel(self._container))
        while_there(self.vessel, self._create)
        self.sink = Sink(self._file, 0, self._digests)

    def _create(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with make_chain(self.vessel.fd, TEMPORARY) as (folder, _):
            self._file = os.open(self._name, flags, 0o666, dir_fd=folder)
            self._stack.callback(os.close, self._file)
            self._stack.callback(self._discard)
            self._sweep(folder)

    def publish(
        self, name: str, facts: Facts, condition: Condition | None, *, fsync: bool
    ) -> Known:
        """Make the file an object, in place of one of the same name.

        Raises:
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        known = write_facts(self.vessel.fd, self._file, facts)
        if fsync:
            os.fsync(self._file)

        def rename(folder: int, name: str) -> None:
            with chain(self.vessel.fd, TEMPORARY) as drafts:
                os.rename(self._name, name, src_dir_fd=drafts, dst_dir_fd=folder)
            self._name = ""

        place(self.vessel, name, rename, condition=condition, fsync=fsync)
        return known

    def close(self) -> None:
        """Close the file, and remove it unless it has become an object."""
        self._stack.close()

    def _discard(self) -> None:
        if self._name:
            with suppress(OSError), chain(self.vessel.fd, TEMPORARY) as folder:
                os.unlink(self._name, dir_fd=folder)

    def _sweep(self, folder: int) -> None:
        """Remove what processes have left that were killed."""
        now = os.fstat(self._file).st_mtime
        for name in os.listdir(folder):
            with suppress(OSError):
                if now - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > _OLD:
                    os.unlink(name, dir_fd=folder)


def copy_bytes(source: int, start: int, end: int, target: int, offset: int) -> int:
    """Copy some of the bytes of a file into another, without their coming here if possible.

    Returns:
        How many were copied, at least one.

    Raises:
        ConflictError: The source has become shorter.
    """
    count = min(end - start, _COPIED)
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # some file systems cannot, or not from one to the other
            done = os.copy_file_range(source, target, count, start, offset)
            if done:
                return done
    piece = os.pread(source, min(count, BATCH), start)
    if not piece:
        raise ConflictError("the file became shorter while it was copied")
    return os.pwrite(target, piece, offset)
