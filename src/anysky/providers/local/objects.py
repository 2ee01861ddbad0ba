"""Objects: find, read, replace, delete, rename them, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from mimetypes import guess_type
from typing import Any

from anysky.errors import (
    ConflictError,
    ObjectDoesNotExistError,
    OutcomeUnknownError,
    PreconditionFailedError,
)
from anysky.model.storage import Condition, Container, Object

from .containers import Root, Vessel, locked
from .facts import Facts, Known, drop_facts, read_facts, write_facts
from .failures import ABSENT, UNNAMEABLE
from .folders import chain, folder_names, leaf, look, make_chain, open_file, prune
from .names import parts_of

__all__ = [
    "FoundObject",
    "Opened",
    "change",
    "check_condition",
    "delete",
    "find",
    "known",
    "locate",
    "make_object",
    "move",
    "place",
    "type_of",
]

_DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object's file, open to read.

    Attributes:
        file: The file.
        known: What is known of it.
        names: Names of the directories that it is in, and its own.
    """

    file: int
    known: Known
    names: tuple[str, ...]


@contextmanager
def find(vessel: Vessel, name: str) -> Generator[FoundObject]:
    """Open an object's file.

    Raises:
        ObjectDoesNotExistError: There is none.
    """
    file, names, what = _open(vessel, name)
    try:
        yield FoundObject(file, what, names)
    finally:
        os.close(file)


def _open(vessel: Vessel, name: str) -> tuple[int, tuple[str, ...], Known]:
    while True:
        names, _ = locate(vessel, name)
        file = -1
        try:
            with chain(vessel.fd, names[:-1]) as folder:
                file = open_file(folder, names[-1])
            return file, names, read_facts(vessel.fd, file)
        except BaseException as error:
            if file >= 0:
                os.close(file)
            if not (isinstance(error, OSError) and error.errno in ABSENT):
                raise  # else it was replaced, renamed or deleted a moment ago


def locate(vessel: Vessel, name: str) -> tuple[tuple[str, ...], os.stat_result]:
    """Return where an object's file is, and what the system knows of it.

    Raises:
        ObjectDoesNotExistError: There is none.
    """
    *parents, last = parts_of(name)
    try:
        folders = folder_names(vessel.fd, parents, folds=vessel.folds)
        with chain(vessel.fd, folders) as folder:
            names, is_there = leaf(folder, last, folds=vessel.folds)
            with chain(folder, names[:-1]) as inner:
                status = look(inner, names[-1]) if is_there else None
    except OSError as error:
        if error.errno in ABSENT or error.errno in UNNAMEABLE:
            raise _missing(vessel, name) from None
        raise
    if status is None:
        raise _missing(vessel, name)
    return (*folders, *names), status


class Opened:
    """An object's file that stays open; its methods block.

    Args:
        root: Where the container is.
        container: Name of the container.
        name: The object's name.

    Attributes:
        file: The file.
        known: What was known of it when it was opened.
    """

    file: int
    known: Known

    def __init__(self, root: Root, container: str, name: str) -> None:
        self._root = root
        self._container = container
        self._name = name
        self._stack = ExitStack()

    def open(self) -> None:
        """Open it.

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        with self._root.vessel(self._container) as vessel:
            self.file, _, self.known = _open(vessel, self._name)
            self._stack.callback(os.close, self.file)

    def close(self) -> None:
        """Close it."""
        self._stack.close()

    def check_unchanged(self) -> None:
        """See that the content is what it was.

        Raises:
            ConflictError: Another program has changed it in place.
        """
        now, before = os.fstat(self.file), self.known.status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise ConflictError("another program has changed the file while it was read")


def known(vessel: Vessel, name: str) -> Known | None:
    """Return what is known of an object; None if there is none."""
    try:
        with find(vessel, name) as found:
            return found.known
    except ObjectDoesNotExistError:
        return None


def make_object(container: Container, name: str, what: Known) -> Object:
    """Make the model of an object."""
    status, facts = what.status, what.facts
    checksums = dict(facts.checksums) if facts else {}
    extra: dict[str, Any] = {
        "last_modified": datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC),
        "content_type": facts.content_type if facts else type_of(name),
        "etag": what.etag,
    }
    if checksums:
        extra["checksums"] = checksums
    if facts and facts.acl:
        extra["acl"] = facts.acl
    meta_data = dict(facts.meta_data) if facts else {}
    return Object(name, status.st_size, checksums.get("md5"), extra, meta_data, container)


def type_of(name: str) -> str:
    """Guess the type of an object from its name."""
    return guess_type(name)[0] or _DEFAULT_TYPE


def check_condition(condition: Condition | None, what: Known | None) -> None:
    """See that an object is what a condition asks for.

    Raises:
        PreconditionFailedError: It is not.
    """
    if condition is None:
        return
    etag = None if what is None else what.etag
    wanted, unwanted = condition.if_match, condition.if_none_match
    if wanted is not None and etag != wanted and not (wanted == "*" and etag):
        raise PreconditionFailedError(f"the object's etag is {etag}, not {wanted!r}")
    if unwanted is not None and etag is not None and unwanted in ("*", etag):
        raise PreconditionFailedError(f"there is an object with the etag {etag}")


def place(
    vessel: Vessel,
    name: str,
    rename: Callable[[int, str], None],
    *,
    condition: Condition | None = None,
    fsync: bool,
    others: tuple[Vessel, ...] = (),
) -> None:
    """Give a complete file the name of an object, in place of one that has it.

    Args:
        vessel: Where to put it.
        name: The object's name.
        rename: Renames the file: called with a directory and the name in it.
        condition: What must be so.
        fsync: Whether the name must be on disk.
        others: Further containers to lock.

    Raises:
        PreconditionFailedError: It is not as the condition asks.
        ContainerDoesNotExistError: The container has been deleted.
        OutcomeUnknownError: It is done, but may not be on disk.
    """
    *parents, last = parts_of(name)
    with ExitStack() as stack:
        with locked(vessel, *others):
            before = _status(vessel, name)
            if condition is not None:
                check_condition(condition, known(vessel, name))
            folders = folder_names(vessel.fd, parents, folds=vessel.folds)
            try:
                folder, made = stack.enter_context(make_chain(vessel.fd, folders))
                names, _ = leaf(folder, last, folds=vessel.folds)
                folder, more = stack.enter_context(make_chain(folder, names[:-1]))
                rename(folder, names[-1])
            except BaseException:
                prune(vessel.fd, folders)
                raise
            if before is not None:
                _forget(vessel, before)
        if fsync:
            _sync(folder, *more, *made)


def _sync(*folders: int) -> None:
    """Bring names to the disk.

    Raises:
        OutcomeUnknownError: It cannot be; they hold as long as the system runs.
    """
    try:
        for folder in folders:
            os.fsync(folder)
    except OSError as error:
        raise OutcomeUnknownError(
            f"the file has its name, but that may not be on disk: {error.strerror}"
        ) from error


def _status(vessel: Vessel, name: str) -> os.stat_result | None:
    try:
        return locate(vessel, name)[1]
    except ObjectDoesNotExistError:
        return None


def _forget(vessel: Vessel, status: os.stat_result) -> None:
    if status.st_nlink == 1:  # else the file has another name, and goes on
        drop_facts(vessel.fd, status)


def delete(vessel: Vessel, name: str) -> None:
    """Delete an object, and directories that are empty then.

    Raises:
        ObjectDoesNotExistError: There is none.
    """
    with locked(vessel):
        names, status = locate(vessel, name)
        try:
            with chain(vessel.fd, names[:-1]) as folder:
                os.unlink(names[-1], dir_fd=folder)
        except OSError as error:
            if error.errno in ABSENT:  # another program was faster
                raise _missing(vessel, name) from None
            raise
        _forget(vessel, status)
        prune(vessel.fd, names[:-1])


def move(source: Vessel, old: str, target: Vessel, new: str, *, fsync: bool) -> Known:
    """Give an object another name or container, in one step.

    Raises:
        ObjectDoesNotExistError: There is none.
        OSError: EXDEV if the containers are on two file systems.
    """
    with find(source, old) as found:  # else nothing is locked and made for it
        moved = found.known

    def rename(folder: int, name: str) -> None:
        nonlocal moved
        with find(source, old) as found:
            moved = found.known
            if found.known.facts is not None and source.name != target.name:
                write_facts(target.fd, found.file, found.known.facts)
            with chain(source.fd, found.names[:-1]) as before:
                os.rename(found.names[-1], name, src_dir_fd=before, dst_dir_fd=folder)
            if source.name != target.name:
                drop_facts(source.fd, found.known.status)
            prune(source.fd, found.names[:-1])

    place(target, new, rename, fsync=fsync, others=(source,))
    return moved


def change(vessel: Vessel, name: str, given: Mapping[str, Any]) -> Known:
    """Change what is written down of an object.

    Args:
        vessel: The container.
        name: The object's name.
        given: Fields of `Facts` that shall be different.

    Raises:
        ObjectDoesNotExistError: There is none.
    """
    with locked(vessel), find(vessel, name) as found:
        what = found.known
        facts = what.facts or Facts(what.etag, type_of(name))
        return write_facts(vessel.fd, found.file, replace(facts, **given))


def _missing(vessel: Vessel, name: str) -> ObjectDoesNotExistError:
    return ObjectDoesNotExistError(
        f"there is no object {name[:300]!r} in the container {vessel.name!r}"
    )
