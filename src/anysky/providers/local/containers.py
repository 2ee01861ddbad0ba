"""Containers: directories, each with what anysky keeps for itself in ``.anysky``."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from anysky.errors import (
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidAccountError,
    InvalidContainerNameError,
)

from .failures import ABSENT
from .folders import (
    chain,
    check_system,
    enter,
    folds_case,
    make_chain,
    names_in,
    open_top,
    remove_files,
)
from .names import HIDDEN, is_container_name, sort_key

__all__ = ["Root", "Vessel", "locked"]

_LOCK = "lock"
_UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class Vessel:
    """An open container.

    Attributes:
        name: Its name.
        fd: The directory.
        root: The directory it is in.
        folds: Whether its file system ignores the case of names.
    """

    name: str
    fd: int
    root: int
    folds: bool

    def is_linked(self) -> bool:
        """Whether it is still there under its name."""
        try:
            there = os.stat(self.name, dir_fd=self.root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        here = os.fstat(self.fd)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


@dataclass(frozen=True, slots=True)
class Root:
    """The directory that the user gave.

    Attributes:
        path: Where it is.
    """

    path: str

    @contextmanager
    def open(self) -> Generator[int]:
        """Open the directory.

        Raises:
            InvalidAccountError: There is none.
        """
        check_system()
        with ExitStack() as stack:
            try:
                fd = stack.enter_context(open_top(self.path))
            except OSError as error:
                if error.errno in ABSENT:
                    raise InvalidAccountError(f"there is no directory {self.path!r}") from error
                raise
            yield fd

    @contextmanager
    def vessel(self, name: str) -> Generator[Vessel]:
        """Open a container.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        with self.open() as root:
            fd = _enter(root, name)
            try:
                yield Vessel(name, fd, root, folds_case(fd))
            finally:
                os.close(fd)

    def names(self) -> list[str]:
        """Return the names of the containers, in order."""
        with self.open() as root, os.scandir(root) as entries:
            names = [
                one.name
                for one in entries
                if one.is_dir(follow_symlinks=False) and one.name != HIDDEN
            ]
        return sorted(names, key=sort_key)

    def create(self, name: str, *, fsync: bool) -> None:
        """Make a container.

        Raises:
            ContainerAlreadyExistsError: The name is taken.
            InvalidContainerNameError: No directory can have it.
        """
        if not is_container_name(name):
            raise InvalidContainerNameError(
                f"no directory can be a container called {name[:300]!r}"
            )
        with self.open() as root:
            try:
                os.mkdir(name, dir_fd=root)
            except FileExistsError:
                raise ContainerAlreadyExistsError(
                    f"there is a container or file {name!r} already"
                ) from None
            if fsync:
                os.fsync(root)

    def delete(self, name: str) -> None:
        """Delete a container that has no objects, with directories that are empty.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
            ContainerIsNotEmptyError: There is something in it.
        """
        with self.vessel(name) as vessel, locked(vessel):
            for names in _empty_folders(vessel):
                with chain(vessel.fd, names[:-1]) as folder:
                    os.rmdir(names[-1], dir_fd=folder)
            _remove_own(vessel.fd)
            try:
                os.rmdir(name, dir_fd=vessel.root)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                raise _not_empty(name) from None  # it got a file just now


@contextmanager
def locked(*vessels: Vessel) -> Generator[None]:
    """Keep other writers, threads and processes, out of containers.

    Raises:
        ContainerDoesNotExistError: One has been deleted.
    """
    with ExitStack() as stack:
        inodes = {(s.st_dev, s.st_ino): v for v in vessels for s in (os.fstat(v.fd),)}
        for _, vessel in sorted(inodes.items(), key=lambda item: item[0]):
            stack.callback(_unlock, _lock(vessel))
        yield


def _unlock(lock: int) -> None:
    fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough: a forked child may have it, too
    os.close(lock)


def _lock(vessel: Vessel) -> int:
    while True:
        if not vessel.is_linked():
            raise _missing(vessel.name)
        with make_chain(vessel.fd, (HIDDEN,)) as (folder, _):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(_LOCK, flags, 0o666, dir_fd=folder)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_same(fd, folder) and vessel.is_linked():
                    return fd
            except BaseException:
                os.close(fd)
                raise
        _unlock(fd)  # whoever had it before has deleted the container, or tried


def _is_same(lock: int, folder: int) -> bool:
    try:
        there = os.stat(_LOCK, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(lock)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _enter(root: int, name: str) -> int:
    if not is_container_name(name):
        raise _missing(name)
    try:
        return enter(root, name)
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        raise _missing(name) from error


def _missing(name: str) -> ContainerDoesNotExistError:
    return ContainerDoesNotExistError(f"there is no container {name[:300]!r}")


def _not_empty(name: str) -> ContainerIsNotEmptyError:
    return ContainerIsNotEmptyError(f"there are objects or other files in the container {name!r}")


def _empty_folders(vessel: Vessel) -> list[list[str]]:
    """Return all directories below a container, the innermost first; there may be no files."""
    found: list[list[str]] = []
    waiting: list[list[str]] = [[]]
    while waiting:
        names = waiting.pop()
        with chain(vessel.fd, names) as folder, os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    raise _not_empty(vessel.name)
                if names or entry.name != HIDDEN:
                    waiting.append([*names, entry.name])
        if names:
            found.append(names)
    return sorted(found, key=len, reverse=True)


def _remove_own(container: int) -> None:
    """Remove what anysky keeps for itself, the lock last."""
    with suppress(FileNotFoundError), chain(container, (HIDDEN,)) as own:
        _remove_uploads(own)
        for name in sorted(names_in(own), key=lambda one: one == _LOCK):
            _remove(own, name)
        os.rmdir(HIDDEN, dir_fd=container)


def _remove_uploads(own: int) -> None:
    with suppress(FileNotFoundError), chain(own, (_UPLOADS,)) as uploads:
        for name in names_in(uploads):
            _remove(uploads, name)


def _remove(folder: int, name: str) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    _clear(folder, (name,))
    os.rmdir(name, dir_fd=folder)


def _clear(folder: int, names: Sequence[str]) -> None:
    with chain(folder, names) as fd:
        remove_files(fd)
