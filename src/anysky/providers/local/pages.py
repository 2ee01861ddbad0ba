"""Make pages of what was found in directories."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

from anysky.model.storage import Container, Object, Prefix
from anysky.paging import Page

from .containers import Vessel
from .facts import Known, read_facts
from .failures import ABSENT
from .folders import chain, look, open_file
from .listing import Child
from .objects import make_object

__all__ = ["page_of", "page_of_objects"]

_SIZE = 1000
_GONE = ABSENT | {errno.ELOOP}


def page_of_objects(
    vessel: Vessel, container: Container, found: Iterator[Child], id: str
) -> Page[Object]:
    """Make a page of objects.

    Args:
        vessel: The container.
        container: The same, as a model.
        found: Their files.
        id: Id of the list.
    """
    page = page_of(vessel, container, found, id)
    return Page([one for one in page.items if isinstance(one, Object)], page.cursor)


def page_of(
    vessel: Vessel, container: Container, found: Iterator[Child], id: str
) -> Page[Object | Prefix]:
    """Make a page of objects and beginnings of names; see `page_of_objects`."""
    items: list[Object | Prefix] = []
    with _Reader(vessel) as reader:
        for child in found:
            if len(items) == _SIZE:
                return Page(items, f"{id}:{items[-1].name}")
            if child.is_folder:
                items.append(Prefix(child.name, container))
            elif (known := reader.read(child)) is not None:
                items.append(make_object(container, child.name, known))
    return Page(items)


class _Reader:
    """Reads what is known of one file after the other; mostly they are in the same directory."""

    def __init__(self, vessel: Vessel) -> None:
        self._vessel = vessel
        self._stack = ExitStack()
        self._names: tuple[str, ...] | None = None
        self._folder = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, child: Child) -> Known | None:
        """Return what is known of a file; None if it is gone, or no file any more."""
        *names, name = child.path
        try:
            self._enter(tuple(names))
            return self._read(name)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise

    def _enter(self, names: tuple[str, ...]) -> None:
        if names == self._names:
            return
        self._names = None
        self._stack.close()
        self._folder = self._stack.enter_context(chain(self._vessel.fd, names))
        self._names = names

    def _read(self, name: str) -> Known | None:
        try:
            file = open_file(self._folder, name)
        except PermissionError:  # it is there, and may be deleted, but nothing more is known
            status = look(self._folder, name)
            return None if status is None else Known(status, None)
        try:
            return read_facts(self._vessel.fd, file)
        finally:
            os.close(file)
