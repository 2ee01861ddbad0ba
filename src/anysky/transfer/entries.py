"""What stands on the two sides of a copy, and how they differ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal

from anysky.errors import InvalidRequestError

__all__ = ["Compare", "Differ", "Entry", "NameFilter", "Unsorted", "key_of", "merged"]

Compare = Literal["always", "checksum", "mtime", "size"]
Digest = Callable[["Entry", str], Coroutine[Any, Any, str]]
_WAYS = ("always", "checksum", "mtime", "size")


class Unsorted(Exception):  # noqa: N818 - it is no failure: the list is sorted here then
    """A list does not come in the order of its names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object or file.

    Attributes:
        name: Its name below its side's beginning, with ``/`` between the parts.
        size: Bytes.
        modified: When it was changed last; None if nobody knows.
        checksums: Digests of the content in hex that are known without reading it.
        item: What the side made it of.
    """

    name: str
    size: int
    modified: datetime | None
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])
    item: Any = None


@dataclass(frozen=True, slots=True)
class NameFilter:
    """Which names are looked at.

    Attributes:
        include: Patterns of which a name must match one; all names if there is none.
        exclude: Patterns of which it may match none.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def takes(self, name: str) -> bool:
        """Whether a name is looked at."""
        wanted = not self.include or any(fnmatchcase(name, one) for one in self.include)
        return wanted and not any(fnmatchcase(name, one) for one in self.exclude)


class Differ:
    """Tells whether an object must be copied.

    Args:
        way: What is compared.
        of_source: Returns a digest of an entry of the source by its name, or an empty text.
        of_target: The same for the target.
    """

    def __init__(self, way: str, of_source: Digest, of_target: Digest) -> None:
        if way not in _WAYS:
            raise InvalidRequestError(f"compare is one of {', '.join(_WAYS)}, not {way!r}")
        self._way = way
        self._of_source = of_source
        self._of_target = of_target

    async def reason(self, source: Entry, target: Entry | None) -> str:
        """Return why the source must be copied; an empty text if it need not."""
        if target is None:
            return "new"
        if source.size != target.size:
            return "size"
        if self._way == "always":
            return "always"
        if self._way == "mtime" and _is_newer(source, target):
            return "mtime"
        if self._way == "checksum" and not await self._same_content(source, target):
            return "checksum"
        return ""

    async def _same_content(self, source: Entry, target: Entry) -> bool:
        """Compare a digest that both have; without one they count as different."""
        for name in dict.fromkeys((*source.checksums, *target.checksums, "md5")):
            ours = await self._of_source(source, name)
            theirs = await self._of_target(target, name)
            if ours and theirs:
                return ours.lower() == theirs.lower()
        return False


def _is_newer(source: Entry, target: Entry) -> bool:
    if source.modified is None or target.modified is None:
        return True
    return int(source.modified.timestamp()) > int(target.modified.timestamp())


def key_of(name: str) -> bytes:
    """Return what names are ordered by: their UTF-8 bytes, as most services do."""
    return name.encode("utf-8", "surrogatepass")


async def merged(
    source: AsyncIterator[Entry], target: AsyncIterator[Entry]
) -> AsyncIterator[tuple[Entry | None, Entry | None]]:
    """Yield pairs of the same name from two lists in the order of their names.

    Raises:
        Unsorted: One of them is in another order.
    """
    left, right = _Sorted(source), _Sorted(target)
    one, other = await left.next(), await right.next()
    while one is not None or other is not None:
        if other is None or (one is not None and key_of(one.name) < key_of(other.name)):
            yield one, None
            one = await left.next()
        elif one is None or key_of(other.name) < key_of(one.name):
            yield None, other
            other = await right.next()
        else:
            yield one, other
            one, other = await left.next(), await right.next()


class _Sorted:
    """A list that is seen to be in order."""

    def __init__(self, entries: AsyncIterator[Entry]) -> None:
        self._entries = entries
        self._last: bytes | None = None

    async def next(self) -> Entry | None:
        entry = await anext(self._entries, None)
        if entry is not None:
            key = key_of(entry.name)
            if self._last is not None and key <= self._last:
                raise Unsorted(entry.name)
            self._last = key
        return entry
