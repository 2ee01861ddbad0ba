"""List objects in the order of their names, directory by directory."""

from __future__ import annotations

import errno
import os
import secrets
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from .containers import Vessel
from .failures import ABSENT
from .folders import chain, folder_names
from .names import CONTINUED, HIDDEN, is_plain, sort_key, unescaped

__all__ = ["Child", "Entry", "Scans", "level", "scan", "walk"]

_MOST_SCANS = 4
_SMALLEST, _LARGEST = 500, 300_000  # entries of a directory that is kept

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory.

    Attributes:
        key: What it is sorted by: the part of a name; a directory's ends with a slash.
        part: The part of a name that it stands for.
        is_folder: Whether it is a directory.
        path: Its name, and those of directories before it where the part is too long for one.
    """

    key: bytes
    part: str
    is_folder: bool
    path: Path


@dataclass(frozen=True, slots=True)
class Child:
    """A file or directory below a container.

    Attributes:
        name: Its object's name; a directory's ends with a slash.
        is_folder: Whether it is a directory.
        path: Names of the directories, from the container's, and its own.
    """

    name: str
    is_folder: bool
    path: Path


Scan = Callable[[Vessel, Path], list[Entry]]


class Scans:
    """Directories as lists found them, so that a list of many pages reads each only once.

    Several threads may use it.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Path], list[Entry]] = OrderedDict()

    def begin(self, cursor: str | None) -> tuple[str, str]:
        """Return the id of a list and where its page begins, from the cursor of a page."""
        if cursor is None:
            return secrets.token_hex(8), ""
        id, _, rest = cursor.partition(":")
        return id, rest

    def of(self, id: str) -> Scan:
        """Return what reads directories for the list with an id."""

        def scan_once(vessel: Vessel, names: Path) -> list[Entry]:
            entries = self._kept.get((id, names))
            if entries is None:
                entries = scan(vessel, names)
                if _SMALLEST < len(entries) <= _LARGEST:
                    self._keep((id, names), entries)
            return entries

        return scan_once

    def _keep(self, key: tuple[str, Path], entries: list[Entry]) -> None:
        self._kept[key] = entries
        while len(self._kept) > _MOST_SCANS:
            try:
                self._kept.popitem(last=False)
            except KeyError:  # another thread was faster
                return


def scan(vessel: Vessel, names: Path) -> list[Entry]:
    """Return what is in a directory, in order; nothing if it is not there."""
    return sorted(_entries(vessel.fd, names, ()), key=_key)


def walk(vessel: Vessel, prefix: str = "", after: str = "", scan: Scan = scan) -> Iterator[Child]:
    """Yield the files of objects in the order of their names.

    Args:
        vessel: The container.
        prefix: How the names begin.
        after: The name after which to begin.
        scan: Reads a directory.
    """
    waiting = [_first_level(vessel, prefix, after, scan)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child.is_folder:
            if _may_follow(child.name, after):
                waiting.append(_level(vessel, child.path, child.name, "", after, scan))
        elif child.name != after:
            yield child


def level(
    vessel: Vessel, prefix: str, delimiter: str, after: str = "", scan: Scan = scan
) -> Iterator[Child]:
    """Yield what begins with a prefix, up to the next delimiter, in the order of names.

    Args:
        vessel: The container.
        prefix: How the names begin.
        delimiter: Where names are cut.
        after: The name after which to begin; one that was cut ends with the delimiter.
        scan: Reads a directory.

    Returns:
        Files; and as directories the beginnings of names.
    """
    if delimiter != "/":
        yield from _cut(walk(vessel, prefix, after, scan), prefix, delimiter, after)
        return
    for child in _first_level(vessel, prefix, after, scan):
        if child.name != after and (not child.is_folder or _has_objects(vessel, child)):
            yield child


def _cut(found: Iterator[Child], prefix: str, delimiter: str, after: str) -> Iterator[Child]:
    cut = after.endswith(delimiter) and after.find(delimiter, len(prefix)) >= 0
    passed = after if cut else None
    for child in found:
        if passed is not None and child.name.startswith(passed):
            continue
        end = child.name.find(delimiter, len(prefix))
        if end < 0:
            yield child
        else:
            passed = child.name[: end + len(delimiter)]
            yield Child(passed, True, ())


def _has_objects(vessel: Vessel, child: Child) -> bool:
    return any(True for _ in walk(vessel, child.name))


def _first_level(vessel: Vessel, prefix: str, after: str, scan: Scan) -> Iterator[Child]:
    """Yield what is in the directory in which all names with a prefix are, and has it."""
    start, slash, rest = prefix.rpartition("/")
    try:
        parts = start.split("/") if slash else ()
        names = folder_names(vessel.fd, parts, folds=vessel.folds)
        sort_key(rest)
    except UnicodeEncodeError:  # no name has such characters
        return iter(())
    return _level(vessel, tuple(names), start + slash, rest, after, scan)


def _level(
    vessel: Vessel, names: Path, start: str, wanted: str, after: str, scan: Scan
) -> Iterator[Child]:
    """Yield what is in a directory, from the name on that is asked for or holds it.

    Args:
        vessel: The container.
        names: The directories that it is in, and its own name.
        start: What all names begin with.
        wanted: How the names go on.
        after: The name.
        scan: Reads a directory.
    """
    lowest = beginning = sort_key(wanted)
    if after.startswith(start):
        part, slash, _ = after[len(start) :].partition("/")
        lowest = max(beginning, sort_key(part + slash))
    entries = scan(vessel, names)
    for entry in islice(entries, bisect_left(entries, lowest, key=_key), None):
        if not entry.key.startswith(beginning):
            return
        name = f"{start}{entry.part}/" if entry.is_folder else start + entry.part
        yield Child(name, entry.is_folder, names + entry.path)


def _key(entry: Entry) -> bytes:
    return entry.key


def _may_follow(folder: str, after: str) -> bool:
    """Whether names that begin with a directory's may come after a name."""
    return after.startswith(folder) or sort_key(folder) > sort_key(after)


def _entries(container: int, names: Path, pieces: Path) -> Iterator[Entry]:
    """Yield what is in a directory.

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
        yield Entry(sort_key(f"{part}/" if is_folder else part), part, is_folder, path)


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
