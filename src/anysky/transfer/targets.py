"""Files that content is saved in: under a temporary name until all of it is there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from anysky.errors import CloudError, InvalidRequestError

from .sources import reason_of

__all__ = ["Target", "check_free", "find_target"]

_MODE = 0o666  # less what the umask takes away
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_UNABLE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_VECTORS = 64


def find_target(destination: Path, name: str) -> Path:
    """Return the file to make for an object.

    Args:
        destination: The file, or a directory for a file named as the last part of `name`.
        name: The object's name.

    Raises:
        InvalidRequestError: That is no name that a file can have.
    """
    if "\0" in str(destination):
        raise InvalidRequestError(f"cannot write {str(destination)!r}: no file has such a name")
    return destination / _last_part(name) if destination.is_dir() else destination


def check_free(path: Path, *, overwrite: bool) -> None:
    """See that nothing is in the way of a new file.

    Raises:
        InvalidRequestError: A file is, and may not be replaced.
    """
    if not overwrite and os.path.lexists(path):
        raise _exists(path)


class Target:
    """A file that is being made; its methods block.

    Args:
        path: Its name at the end.
        part: Its name until then; None for a new one beside it.
    """

    def __init__(self, path: Path, part: Path | None = None) -> None:
        self.path = path
        self.part = part or path.with_name(f".anysky.{secrets.token_hex(8)}.part")
        self._fd = -1
        self._users = 0
        self._free = threading.Condition()

    def create(self, size: int | None = None) -> None:
        """Make the temporary file, which may not be there, and reserve the space for it.

        Raises:
            InvalidRequestError: It cannot be made, or there is not so much space.
        """
        with self.errors():
            self._fd = os.open(self.part, _FLAGS | os.O_CREAT | os.O_EXCL, _MODE)
            if size:
                self._reserve(size)

    def reopen(self, size: int) -> bool:
        """Open the temporary file of an earlier try; False if it is not there, or not that.

        Raises:
            InvalidRequestError: It cannot be opened.
        """
        with self.errors():
            try:
                self._fd = os.open(self.part, _FLAGS)
            except FileNotFoundError:
                return False
            status = os.fstat(self._fd)
            owner = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
            is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if is_plain and (status.st_uid, status.st_size) == (owner, size):
                return True
            self.discard()
            return False

    def status(self) -> os.stat_result:
        """Return the status of the open file."""
        with self.errors(), self._used() as fd:
            return os.fstat(fd)

    def write(self, pieces: Sequence[bytes], offset: int) -> None:
        """Write pieces one after the other from an offset on; several threads may do so.

        Raises:
            InvalidRequestError: They cannot be written: the disk is full, for example.
        """
        with self.errors():
            left = [memoryview(piece) for piece in pieces]
            with self._used() as fd:
                while left:
                    written = self._write_some(fd, left[:_VECTORS], offset)
                    offset += written
                    left = _after(left, written)

    def read(self, size: int) -> Iterator[bytes]:
        """Yield all that was written, in pieces of a size."""
        with self.errors(), self._used() as fd:
            os.lseek(fd, 0, os.SEEK_SET)
            while piece := os.read(fd, size):
                yield piece

    def sync(self) -> None:
        """Let all that was written reach the disk."""
        with self.errors(), self._used() as fd:
            getattr(os, "fdatasync", os.fsync)(fd)

    def publish(self, *, overwrite: bool) -> None:
        """Give the complete file its name; without `overwrite` only if nobody took it meanwhile.

        Raises:
            InvalidRequestError: Somebody did, or it cannot be renamed.
        """
        self.sync()
        self.close()
        with self.errors():
            if overwrite:
                self.part.replace(self.path)
            else:
                self._publish_new()
            _sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file, as soon as no thread uses it any more; may be called twice."""
        with self._free:
            fd, self._fd = self._fd, -1
            self._free.wait_for(lambda: not self._users)
        if fd >= 0:
            os.close(fd)

    def discard(self) -> None:
        """Close and remove the temporary file."""
        self.close()
        with contextlib.suppress(OSError, ValueError):
            self.part.unlink()

    @contextlib.contextmanager
    def errors(self) -> Generator[None]:
        """Turn errors of the system into ours."""
        try:
            yield
        except (OSError, ValueError) as error:
            if isinstance(error, CloudError):
                raise
            why = f"cannot write {self.path}: {reason_of(error)}"
            raise InvalidRequestError(why) from error

    def _reserve(self, size: int) -> None:
        """Reserve space, where the system can, so that a full disk is known at once."""
        try:
            os.posix_fallocate(self._fd, 0, size)
        except AttributeError:
            os.truncate(self._fd, size)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            os.truncate(self._fd, size)

    @contextlib.contextmanager
    def _used(self) -> Generator[int]:
        """Keep the file from being closed: its number could be another file's by then."""
        with self._free:
            if self._fd < 0:
                raise ValueError("it has been closed")
            self._users += 1
            fd = self._fd
        try:
            yield fd
        finally:
            with self._free:
                self._users -= 1
                self._free.notify_all()

    def _write_some(self, fd: int, pieces: list[memoryview], offset: int) -> int:
        if hasattr(os, "pwritev"):
            return os.pwritev(fd, pieces, offset)
        with self._free:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, pieces[0])

    def _publish_new(self) -> None:
        try:
            os.link(self.part, self.path)
        except FileExistsError:
            raise _exists(self.path) from None
        except OSError:  # a file system without hard links
            self.part.rename(self.path)
        else:
            self.part.unlink()


def _after(pieces: list[memoryview], written: int) -> list[memoryview]:
    """Return what is left of pieces when so many bytes of them have been written."""
    for place, piece in enumerate(pieces):
        if written < len(piece):
            return [piece[written:], *pieces[place + 1 :]]
        written -= len(piece)
    return []


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


def _sync_folder(folder: Path) -> None:
    """Let the new name reach the disk, where the system can."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
