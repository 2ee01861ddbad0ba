"""Make one side what the other is: list both, copy what differs, delete what is too much."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ContainerDoesNotExistError,
    DeadlineExceededError,
    InvalidAccountError,
    InvalidRequestError,
    JournalError,
    QuotaExceededError,
    UnsupportedOperationError,
)
from anysky.runtime.base import Runtime

from .copying import copy_entry
from .entries import Differ, Entry, NameFilter, Unsorted, key_of, merged
from .options import TransferOptions
from .reports import Action, TransferReport
from .sides import CloudSide, LocalSide, Side

__all__ = [
    "SyncOptions",
    "check_share",
    "check_sides",
    "copy_differing",
    "copy_entries",
    "delete_extra",
    "synchronise",
]

_Pairs = AsyncIterator[tuple[Entry | None, Entry | None]]

# Where one of these came, the others would fail in the same way.
_HOPELESS = (
    AuthenticationError,
    ContainerDoesNotExistError,
    DeadlineExceededError,
    InvalidAccountError,
    JournalError,
    QuotaExceededError,
    UnsupportedOperationError,
)
_DELETED_AT_ONCE = 100
_FEW = 10  # of so few objects any share may be deleted


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How two sides are made the same.

    Attributes:
        delete: Whether what is not in the source is deleted from the target.
        max_delete: Objects that may be deleted at the most, or a share of the target's as
            ``"30%"``, which does not count for fewer than ten; None for as many as there are.
        dry_run: Whether nothing is done but told.
        filter: Which names are looked at; others are neither copied nor deleted.
        compare: What tells objects of the same size apart: ``"mtime"``, ``"checksum"`` or
            ``"size"`` for nothing.
        concurrency: Objects that are under way at once.
        transfer: How content is moved.
        progress: Called with the report so far whenever an object is done.
    """

    delete: bool = False
    max_delete: int | str | None = None
    dry_run: bool = False
    filter: NameFilter = field(default_factory=NameFilter)
    compare: str = "mtime"
    concurrency: int = 16
    transfer: TransferOptions = field(default_factory=TransferOptions)
    progress: Callable[[TransferReport], None] | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise InvalidRequestError(f"concurrency is 1 or more, not {self.concurrency}")
        _share(self.max_delete, 0)


def check_sides(source: Side, target: Side) -> None:
    """Refuse sides that are both local, or one of which is in the other.

    Raises:
        InvalidRequestError: They are.
    """
    if isinstance(source, LocalSide) and isinstance(target, LocalSide):
        raise InvalidRequestError("one side must be a container: both are local directories")
    if isinstance(source, CloudSide) and isinstance(target, CloudSide) and source.holds(target):
        inside = source.prefix.startswith(target.prefix) or target.prefix.startswith(source.prefix)
        if source.container.name == target.container.name and inside:
            raise InvalidRequestError("the source and the target are in one another")


async def synchronise(
    source: Side, target: Side, options: SyncOptions, runtime: Runtime
) -> TransferReport:
    """Make the target what the source is.

    What fails is told in the report, and the others go on. Nothing is deleted if something could
    not be copied.

    Raises:
        InvalidRequestError: More would be deleted than is allowed; nothing was changed.
        CloudError: A side could not be listed.
    """
    check_sides(source, target)
    if options.delete and options.max_delete is not None:
        await _check_deletions(source, target, options)
    report, extra, _ = await copy_differing(source, target, options, runtime)
    if options.delete:
        await delete_extra(target, extra, report, options, runtime)
    return report


async def copy_differing(
    source: Side, target: Side, options: SyncOptions, runtime: Runtime
) -> tuple[TransferReport, list[Entry], int]:
    """Copy what differs and delete nothing.

    Returns:
        The report, what is only in the target, and how many objects the target had.
    """
    run = _Run(source, target, options, runtime)
    try:
        await run.through(_pairs(source, target, options.filter))
    except Unsorted:
        run.restart()
        await run.through(await _sorted_pairs(source, target, options.filter))
    return run.report, run.extra, run.there


async def copy_entries(
    source: Side, target: Side, entries: Sequence[Entry], options: SyncOptions, runtime: Runtime
) -> TransferReport:
    """Copy some entries of the source, whatever the target has."""
    run = _Run(source, target, options, runtime)
    await run.through(merged(_each(entries), _each(())))
    return run.report


async def delete_extra(
    target: Side,
    extra: Sequence[Entry],
    report: TransferReport,
    options: SyncOptions,
    runtime: Runtime,
) -> None:
    """Delete what is only in the target, unless something failed; the report tells."""
    if options.dry_run:
        report.actions += [Action("delete", one.name, 0, "not in the source") for one in extra]
        return
    if report.failed:
        report.not_tried += len(extra)
        return
    lock = runtime.lock()

    async def delete_some(entries: Sequence[Entry]) -> None:
        errors = await target.delete(entries)
        async with lock:
            for entry, error in zip(entries, errors, strict=True):
                if error is None:
                    report.deleted += 1
                else:
                    report.fail(entry.name, error)
            if options.progress is not None:
                options.progress(report)

    bulk = target.backend.bulk if isinstance(target, CloudSide) else 0
    size = max(bulk, _DELETED_AT_ONCE)
    jobs = [delete_some(extra[start : start + size]) for start in range(0, len(extra), size)]
    await runtime.gather(jobs, options.concurrency)


def check_share(given: int | str | None, extra: int, there: int) -> None:
    """See that no more would be deleted than is allowed.

    Raises:
        InvalidRequestError: More would be.
    """
    allowed = _share(given, there)
    if allowed is not None and extra > allowed:
        raise InvalidRequestError(
            f"{extra} of the target's {there} objects would be deleted, and {allowed} may be: "
            "raise max_delete if that is right"
        )


async def _check_deletions(source: Side, target: Side, options: SyncOptions) -> None:
    """Count what would be deleted before anything is done."""
    try:
        extra, there = await _count(_pairs(source, target, options.filter))
    except Unsorted:
        extra, there = await _count(await _sorted_pairs(source, target, options.filter))
    check_share(options.max_delete, extra, there)


async def _count(pairs: _Pairs) -> tuple[int, int]:
    extra = there = 0
    async for one, other in pairs:
        there += other is not None
        extra += one is None
    return extra, there


def _share(given: int | str | None, there: int) -> int | None:
    """Return how many may be deleted, or None for any number."""
    if given is None:
        return None
    text = str(given)
    number = text.removesuffix("%")
    if not number.isdecimal():
        raise InvalidRequestError(f"max_delete is a number or a share as 30%, not {given!r}")
    if not text.endswith("%"):
        return int(number)
    return None if there < _FEW else there * int(number) // 100


async def _pairs(source: Side, target: Side, chosen: NameFilter) -> _Pairs:
    async for one, other in merged(source.entries(), target.entries()):
        if chosen.takes(_name(one, other)):
            yield one, other


async def _sorted_pairs(source: Side, target: Side, chosen: NameFilter) -> _Pairs:
    """List both sides as a whole and sort them here."""
    lists: list[list[Entry]] = []
    for side in (source, target):
        found = {entry.name: entry async for entry in side.entries()}
        lists.append(sorted(found.values(), key=lambda entry: key_of(entry.name)))

    async def pairs() -> _Pairs:
        async for one, other in merged(_each(lists[0]), _each(lists[1])):
            if chosen.takes(_name(one, other)):
                yield one, other

    return pairs()


async def _each(entries: Sequence[Entry]) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


def _name(one: Entry | None, other: Entry | None) -> str:
    found = one or other
    return found.name if found else ""


class _Run:
    """One synchronisation under way."""

    def __init__(self, source: Side, target: Side, options: SyncOptions, runtime: Runtime) -> None:
        self.report = TransferReport()
        self.extra: list[Entry] = []
        self.there = 0
        self._source = source
        self._target = target
        self._options = options
        self._runtime = runtime
        self._differ = Differ(options.compare, source.digest, target.digest)
        self._listing = runtime.lock()
        self._lock = runtime.lock()  # of the report
        self._hopeless = False

    def restart(self) -> None:
        """Forget what was counted by a list in no order; what was copied will be found there."""
        self.extra.clear()
        self.there = 0
        self.report.unchanged = -self.report.copied
        self.report.actions.clear()

    async def through(self, pairs: _Pairs) -> None:
        """Copy what differs, several at once."""
        count = 1 if self._options.dry_run else self._options.concurrency
        await self._runtime.gather([self._work(pairs) for _ in range(count)], count)

    async def _work(self, pairs: _Pairs) -> None:
        while True:
            async with self._listing:
                pair = await anext(pairs, None)
                if pair is None:
                    return
                one, other = pair
                self.there += other is not None
                if one is None and other is not None:
                    self.extra.append(other)
                elif one is not None and isinstance(self._target, LocalSide):
                    self._target.claim(one.name)
            if one is not None:
                await self._pair(one, other)

    async def _pair(self, one: Entry, other: Entry | None) -> None:
        if self._hopeless:
            self.report.not_tried += other is None or other.size != one.size
            return
        try:
            reason = await self._differ.reason(one, other)
            if reason:
                await self._copy(one, reason)
        except CloudError as error:
            async with self._lock:
                self.report.fail(one.name, error)
                self._hopeless = self._hopeless or isinstance(error, _HOPELESS)
                self._tell()
            return
        if not reason:
            async with self._lock:
                self.report.unchanged += 1

    async def _copy(self, entry: Entry, reason: str) -> None:
        if self._options.dry_run:
            self.report.actions.append(Action("copy", entry.name, entry.size, reason))
            return
        await copy_entry(self._source, self._target, entry, self._options.transfer)
        async with self._lock:
            self.report.copied += 1
            self.report.bytes += entry.size
            self._tell()

    def _tell(self) -> None:
        if self._options.progress is not None:
            self._options.progress(self.report)
