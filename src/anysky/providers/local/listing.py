"""List objects in the order of their names, directory by directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .containers import Vessel
from .failures import ABSENT
from .folders import chain, folder_names
from .names import CONTINUED, HIDDEN, is_plain, sort_key, unescaped

__all__ = ["Child", "cursor_of", "level", "walk"]

_PREFIX, _OBJECT = "pf"


@dataclass(frozen=True, slots=True)
class Child:
    """A file or directory in a directory.

    Attributes:
        name: Its object's name; a directory's ends with a slash.
        is_folder: Whether it is a directory.
        path: Names of the directories, from the container's, and its own.
    """

    name: str
    is_folder: bool
    path: tuple[str, ...]


def walk(vessel: Vessel, prefix: str = "", after: str = "") -> Iterator[Child]:
    """Yield the files of objects in the order of their names.

    Args:
        vessel: The container.
        prefix: How the names begin.
        after: The name after which to begin.
    """
    first = sort_key(after)
    waiting = [iter(_first_level(vessel, prefix))]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif not child.is_folder:
            if child.name.startswith(prefix) and sort_key(child.name) > first:
                yield child
        elif _may_hold(child.name, prefix, after):
            waiting.append(iter(_children(vessel, child.path, child.name)))


def level(
    vessel: Vessel, prefix: str, delimiter: str, cursor: str = ""
) -> Iterator[tuple[str, bool]]:
    """Yield the names that begin with a prefix, up to the next delimiter, in their order.

    Args:
        vessel: The container.
        prefix: How the names begin.
        delimiter: Where names are cut.
        cursor: What `cursor_of` made of the last one that is known; empty for none.

    Returns:
        Each name, and whether it is the beginning of others.
    """
    last = cursor[1:]
    if delimiter == "/":
        yield from _level_of_folder(vessel, prefix, last)
        return
    passed = last if cursor.startswith(_PREFIX) else None
    for child in walk(vessel, prefix, last):
        if passed is not None and child.name.startswith(passed):
            continue
        end = child.name.find(delimiter, len(prefix))
        if end < 0:
            yield child.name, False
        else:
            passed = child.name[: end + len(delimiter)]
            yield passed, True


def cursor_of(name: str, is_prefix: bool) -> str:
    """Return where a list goes on after a name."""
    return (_PREFIX if is_prefix else _OBJECT) + name


def _level_of_folder(vessel: Vessel, prefix: str, last: str) -> Iterator[tuple[str, bool]]:
    first = sort_key(last)
    for child in _first_level(vessel, prefix):
        is_wanted = child.name.startswith(prefix) and sort_key(child.name) > first
        if is_wanted and (not child.is_folder or any(True for _ in walk(vessel, child.name))):
            yield child.name, child.is_folder


def _children(vessel: Vessel, names: Sequence[str], start: str) -> list[Child]:
    """Return what is in a directory in the order of names; nothing if it is not there.

    Args:
        vessel: The container.
        names: The directories that it is in, and its own name.
        start: What all names begin with.
    """
    found = [
        Child(f"{start}{part}/" if is_folder else start + part, is_folder, (*names, *path))
        for path, part, is_folder in _entries(vessel.fd, names, ())
    ]
    found.sort(key=lambda child: sort_key(child.name))
    return found


def _first_level(vessel: Vessel, prefix: str) -> list[Child]:
    start, _, _ = prefix.rpartition("/")
    if "/" not in prefix:
        return _children(vessel, (), "")
    try:
        names = folder_names(vessel.fd, start.split("/"), folds=vessel.folds)
    except UnicodeEncodeError:  # no name has such characters
        return []
    return _children(vessel, names, f"{start}/")


def _may_hold(folder: str, prefix: str, after: str) -> bool:
    """Whether names that begin with a directory's may have a prefix and come after a name."""
    if not (folder.startswith(prefix) or prefix.startswith(folder)):
        return False
    return after.startswith(folder) or sort_key(folder) > sort_key(after)


def _entries(
    container: int, names: Sequence[str], pieces: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield path, part of the name and kind of what is in a directory.

    A part that is too long for a file's name goes on in directories of its own.
    """
    listed = _scan(container, (*names, *pieces))
    files = {name for name, is_folder in listed if not is_folder}
    for name, is_folder in listed:
        path = (*pieces, name)
        if name.startswith(CONTINUED):
            if is_folder:
                yield from _entries(container, names, path)
            continue
        part = unescaped(path, is_folder=is_folder)
        if part is None or name.casefold() == HIDDEN:
            continue
        if name != part and not is_folder and part in files and is_plain(part):
            continue  # another program has made a file of this name since
        yield path, part, is_folder


def _scan(container: int, names: Sequence[str]) -> list[tuple[str, bool]]:
    try:
        with chain(container, names) as folder, os.scandir(folder) as entries:
            return [
                (entry.name, is_folder)
                for entry in entries
                if (is_folder := entry.is_dir(follow_symlinks=False))
                or entry.is_file(follow_symlinks=False)
            ]
    except OSError as error:
        if error.errno in ABSENT or error.errno == errno.ELOOP:  # deleted or replaced meanwhile
            return []
        raise
