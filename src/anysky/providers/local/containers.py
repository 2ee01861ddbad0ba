"""Containers: directories, each with what anysky keeps for itself in ``.anysky``."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

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
)
from .names import HIDDEN, is_container_name, sort_key

__all__ = ["Root", "Vessel", "locked", "while_there"]

T = TypeVar("T")

_LOCK = "lock"
_TRIES = 100


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

    def containers(self) -> dict[str, os.stat_result]:
        """Return the containers by their names, in order, with what the system knows of them."""
        with self.open() as root:
            found = {name: _folder(root, name) for name in names_in(root) if name != HIDDEN}
        return {
            name: status
            for name in sorted(found, key=sort_key)
            if (status := found[name]) is not None
        }

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
        with self.vessel(name) as vessel:
            while_there(vessel, partial(_delete, vessel))


def _delete(vessel: Vessel) -> None:
    with make_chain(vessel.root, (HIDDEN,)) as (aside, _):
        with locked(vessel):
            _check_empty(vessel)
            _set_aside(vessel, aside)
        _clean(aside)
    with suppress(OSError):  # what is left in it is removed next time
        os.rmdir(HIDDEN, dir_fd=vessel.root)


def _set_aside(vessel: Vessel, aside: int) -> None:
    """Take a container away, so that writers see at once that it is gone."""
    token = secrets.token_hex(16)
    os.rename(vessel.name, token, src_dir_fd=vessel.root, dst_dir_fd=aside)
    try:
        _check_empty(vessel)  # another program may have made a file before it was taken away
    except BaseException:
        os.rename(token, vessel.name, src_dir_fd=aside, dst_dir_fd=vessel.root)
        raise


def _folder(root: int, name: str) -> os.stat_result | None:
    try:
        status = os.stat(name, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:  # deleted meanwhile
        return None
    return status if stat.S_ISDIR(status.st_mode) else None


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
    import fcntl  # which Windows has not: there `check_system` says so first

    fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough: a forked child may have it, too
    os.close(lock)


def while_there(vessel: Vessel, work: Callable[[], T]) -> T:
    """Do what needs the hidden directories, again if they are deleted with the container meanwhile.

    Raises:
        ContainerDoesNotExistError: The container has been deleted.
    """
    for _ in range(_TRIES):
        try:
            return work()
        except FileNotFoundError:
            if not vessel.is_linked():
                raise _missing(vessel.name) from None
    return work()


def _lock(vessel: Vessel) -> int:
    lock: int | None = None
    while lock is None:
        if not vessel.is_linked():
            raise _missing(vessel.name)
        lock = while_there(vessel, partial(_try_lock, vessel))
    return lock


def _try_lock(vessel: Vessel) -> int | None:
    """Wait for the lock; None if whoever had it before has deleted the container, or tried."""
    import fcntl

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
    _unlock(fd)
    return None


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


def _check_empty(vessel: Vessel) -> None:
    if not all(is_folder for _, is_folder in _below(vessel.fd, skip=HIDDEN)):
        raise _not_empty(vessel.name)


def _below(top: int, *, skip: str = "") -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield everything below a directory, and whether it is a directory: before what is in it.

    Args:
        top: The directory.
        skip: Name of what is passed over in it.
    """
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        names = waiting.pop()
        with chain(top, names) as folder, os.scandir(folder) as entries:
            found = [(one.name, one.is_dir(follow_symlinks=False)) for one in entries]
        for name, is_folder in found:
            if names or name != skip:
                yield (*names, name), is_folder
                if is_folder:
                    waiting.append((*names, name))


def _clean(aside: int) -> None:
    """Remove containers that were taken away, those of killed processes too.

    Whatever else turns up in one stays.
    """
    for token in names_in(aside):
        with suppress(OSError), chain(aside, (token,)) as container:
            with suppress(FileNotFoundError), chain(container, (HIDDEN,)) as own:
                _remove_all(own)
            folders = [names for names, is_folder in _below(container) if is_folder]
            for names in reversed(folders):
                _remove_folder(container, names)
            os.rmdir(token, dir_fd=aside)


def _remove_all(own: int) -> None:
    for names, is_folder in reversed(list(_below(own))):
        with suppress(FileNotFoundError):  # its writer has cleaned up
            if is_folder:
                _remove_folder(own, names)
            else:
                with chain(own, names[:-1]) as folder:
                    os.unlink(names[-1], dir_fd=folder)


def _remove_folder(top: int, names: tuple[str, ...]) -> None:
    with chain(top, names[:-1]) as folder:
        os.rmdir(names[-1], dir_fd=folder)
