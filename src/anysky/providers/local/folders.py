"""Walk directories without ever leaving them.

Each step opens one name relative to the directory before it and follows no symbolic link, so that
nothing that another program puts in the way in the meantime leads anywhere else. What is a
directory or file here is a file descriptor, never a path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

from anysky.errors import UnsupportedOperationError

from .failures import ABSENT, UNNAMEABLE
from .names import HIDDEN, escaped, is_plain

__all__ = [
    "chain",
    "check_system",
    "enter",
    "folder_names",
    "folds_case",
    "is_there",
    "leaf",
    "look",
    "make_chain",
    "names_in",
    "open_file",
    "open_top",
    "prune",
    "remove_files",
]

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def check_system() -> None:
    """Refuse a system that cannot open files relative to directories.

    Raises:
        UnsupportedOperationError: It is such a system, for example Windows.
    """
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
        raise UnsupportedOperationError("local files need a system with openat, as POSIX has it")


@contextmanager
def open_top(path: str) -> Generator[int]:
    """Open a directory by the path that the user gave, the only one that is followed."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def enter(folder: int, name: str) -> int:
    """Open a directory in a directory.

    Raises:
        OSError: There is none; ELOOP for a symbolic link.
    """
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except NotADirectoryError:  # what Linux says of links, too
        raise _refusal(folder, name) from None


def open_file(folder: int, name: str) -> int:
    """Open a regular file in a directory, to read it.

    Raises:
        FileNotFoundError: There is none, or something else has its name.
        OSError: It cannot be opened; ELOOP for a symbolic link.
    """
    found = look(folder, name)
    if found is None or not stat.S_ISREG(found.st_mode):  # opening a device may do something
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    fd = os.open(name, _FILE, dir_fd=folder)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def look(folder: int, name: str) -> os.stat_result | None:
    """Return what has a name in a directory; None if nothing has it, or nothing can.

    Raises:
        OSError: It cannot be told; ELOOP for a symbolic link.
    """
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in ABSENT or error.errno in UNNAMEABLE:
            return None
        raise
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return found


def is_there(folder: int, name: str) -> bool:
    """Whether anything has a name in a directory."""
    try:
        return look(folder, name) is not None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return True
        raise


def folds_case(container: int) -> bool:
    """Whether a container's file system takes ``a`` for ``A``; False as long as nobody knows."""
    with suppress(OSError):
        ours = os.stat(HIDDEN, dir_fd=container, follow_symlinks=False)
        other = os.stat(HIDDEN.upper(), dir_fd=container, follow_symlinks=False)
        return (ours.st_dev, ours.st_ino) == (other.st_dev, other.st_ino)
    return False


@contextmanager
def chain(top: int, names: Sequence[str]) -> Generator[int]:
    """Open a directory by the names of those that it is in, and its own.

    Raises:
        OSError: It is not there; ELOOP if a symbolic link is on the way.
    """
    fd = os.dup(top)
    try:
        for name in names:
            below = enter(fd, name)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextmanager
def make_chain(top: int, names: Sequence[str]) -> Generator[tuple[int, list[int]]]:
    """Open a directory, and make what is missing of the way to it.

    A file that has the name of a directory is moved to its other name.

    Returns:
        The directory, and those in which something was made; they are closed at the end.
    """
    changed: list[int] = []
    fd = os.dup(top)
    try:
        for name in names:
            if _make_folder(fd, name):
                changed.append(os.dup(fd))
            below = enter(fd, name)
            os.close(fd)
            fd = below
        yield fd, changed
    finally:
        for one in (fd, *changed):
            os.close(one)


def _make_folder(folder: int, name: str) -> bool:
    found = look(folder, name)
    if found is not None and stat.S_ISDIR(found.st_mode):
        return False
    if found is not None and stat.S_ISREG(found.st_mode) and is_plain(name):
        _move_aside(folder, name)
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return True


def _move_aside(folder: int, part: str) -> None:
    names = escaped(part)
    with make_chain(folder, names[:-1]) as (last, _):
        if is_there(last, names[-1]):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), names[-1])
        os.rename(part, names[-1], src_dir_fd=folder, dst_dir_fd=last)


def folder_names(top: int, parts: Sequence[str], *, folds: bool) -> list[str]:
    """Return the names of the directories, one in the other, for parts that others follow.

    Args:
        top: Where the first is.
        parts: Parts of an object's name.
        folds: Whether the file system ignores case, so that it must be looked at.
    """
    names: list[str] = []
    for part in parts:
        if not is_plain(part) or (folds and _is_other_folder(top, names, part)):
            names += escaped(part, is_folder=True)
        else:
            names.append(part)
    return names


def _is_other_folder(top: int, names: Sequence[str], part: str) -> bool:
    """Whether a part must have its other name, since its own is that of something else."""
    try:
        with chain(top, names) as folder:
            is_other = is_there(folder, part) and part not in names_in(folder)
            return is_other or is_there(folder, escaped(part, is_folder=True)[0])
    except OSError as error:
        if error.errno in ABSENT:
            return False
        raise


def leaf(folder: int, part: str, *, folds: bool) -> tuple[list[str], bool]:
    """Return the names that the last part of an object's name has, or would have, in a directory.

    Returns:
        The names of directories, one in the other, and of the file; and whether it is there.
    """
    other = escaped(part)
    if not is_plain(part) or (folds and _is_file(folder, other)):
        return other, _is_file(folder, other)
    taken = _taken_by(folder, part, folds=folds)
    if taken == _ITSELF:
        return [part], True
    if not folds and _is_file(folder, other):
        return other, True
    return other if taken == _ANOTHER else [part], False


_NOTHING, _ITSELF, _ANOTHER = range(3)


def _taken_by(folder: int, name: str, *, folds: bool) -> int:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in UNNAMEABLE:
            return _ANOTHER
        if error.errno in ABSENT:
            return _NOTHING
        raise
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    is_itself = stat.S_ISREG(found.st_mode) and not (folds and name not in names_in(folder))
    return _ITSELF if is_itself else _ANOTHER


def _is_file(folder: int, names: Sequence[str]) -> bool:
    try:
        with chain(folder, names[:-1]) as last:
            found = look(last, names[-1])
    except OSError as error:
        if error.errno in ABSENT or error.errno in UNNAMEABLE:
            return False
        raise
    return found is not None and stat.S_ISREG(found.st_mode)


def prune(top: int, names: Sequence[str]) -> None:
    """Remove directories that are empty, from the innermost outwards."""
    for count in range(len(names), 0, -1):
        try:
            with chain(top, names[: count - 1]) as folder:
                os.rmdir(names[count - 1], dir_fd=folder)
        except OSError:  # it is not empty, or somebody else was faster
            return


def names_in(folder: int) -> list[str]:
    """Return the names of what is in a directory."""
    return os.listdir(folder)


def remove_files(folder: int) -> None:
    """Remove the files of a directory."""
    for name in names_in(folder):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _refusal(folder: int, name: str) -> OSError:
    with suppress(OSError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
