"""Synchronise with the workers of a Dask cluster: the work is cut into shards that may be repeated.

The folders of both sides become shards, each listed, compared and copied by one worker. Objects
that stand beside folders, or in no folder at all, are compared here and copied in batches. A shard
whose worker dies is run again by another: what was copied is found and left alone. What is only in
the target is deleted here, at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from anysky.errors import CloudError, InvalidRequestError, ProviderUnavailableError
from anysky.model.storage import Container, Object, Prefix
from anysky.run import run
from anysky.runtime.base import Runtime
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.storage import StorageDriver, get_driver

from .entries import Differ, Entry, Unsorted, merged
from .reports import TransferReport
from .sides import CloudSide, Side, entry_of
from .syncing import (
    SyncOptions,
    check_share,
    check_sides,
    copy_differing,
    copy_entries,
    delete_extra,
)

__all__ = ["Scheduler", "synchronise_sharded"]

_SHARDS_PER_THREAD = 4
_DEPTH = 8  # folders below one another that are opened to find enough shards
_BATCH = 500
_RETRIES = 3
_PLAIN = (str, bool, int, float, type(None))


class Scheduler(Protocol):
    """What is used of a ``dask.distributed.Client``."""

    def submit(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function on a worker; return a future."""
        ...

    def nthreads(self) -> Any:
        """Return how many threads each worker has."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class _Origin:
    """How a worker makes a side again; it may hold credentials and is never shown."""

    provider: str
    settings: dict[str, Any]
    container: str
    prefix: str


@dataclass(frozen=True, slots=True)
class _Shard:
    """A folder of both sides or, with `names`, some objects of the source.

    Attributes:
        source: The source; its prefix is where the names begin.
        target: The target likewise.
        folder: What all names begin with, after the prefixes.
        names: Names and sizes of objects that are to be copied; None for all that differ.
    """

    source: _Origin
    target: _Origin
    folder: str
    names: tuple[tuple[str, int], ...] | None
    options: SyncOptions


@dataclass(slots=True)
class _Outcome:
    """What became of a shard: its report, and what is only in the target."""

    report: TransferReport
    extra: list[str]
    there: int


async def synchronise_sharded(
    source: Side, target: Side, options: SyncOptions, runtime: Runtime, scheduler: Scheduler
) -> TransferReport:
    """Make the target what the source is, on a cluster; see `anysky.transfer.blocking.sync`.

    Raises:
        InvalidRequestError: A side is local, or cannot be made again on another machine; or more
            would be deleted than is allowed.
        CloudError: A side could not be listed.
    """
    check_sides(source, target)
    if not isinstance(source, CloudSide) or not isinstance(target, CloudSide):
        raise InvalidRequestError("a cluster reaches no local files: both sides must be containers")
    if getattr(scheduler, "asynchronous", False):
        raise InvalidRequestError("the client must not be asynchronous: it is used from a thread")
    run = _Sharded(source, target, options, runtime, scheduler)
    return await run.run()


class _Sharded:
    """One synchronisation on a cluster."""

    def __init__(
        self,
        source: CloudSide,
        target: CloudSide,
        options: SyncOptions,
        runtime: Runtime,
        scheduler: Scheduler,
    ) -> None:
        self._source = source
        self._target = target
        self._options = options
        self._runtime = runtime
        self._scheduler = scheduler
        self._origins = _origin(source), _origin(target)
        quiet = replace(options.transfer, progress=None)
        self._on_worker = replace(options, delete=False, progress=None, transfer=quiet)
        self._differ = Differ(options.compare, source.digest, target.digest)
        self._futures: dict[Any, _Shard] = {}
        self._total = _Outcome(TransferReport(), [], 0)

    async def run(self) -> TransferReport:
        """Cut the work into shards, have them done, delete what is too much."""
        wanted = _SHARDS_PER_THREAD * await self._runtime.in_thread(self._threads)
        folders = [""]
        for _ in range(_DEPTH):
            deeper = [found for folder in folders for found in await self._open(folder)]
            folders = deeper
            if not folders or len(folders) >= wanted:
                break
        for folder in folders:
            await self._send(folder, None)
        await self._runtime.in_thread(self._collect)
        return await self._finish()

    def _threads(self) -> int:
        threads: dict[str, int] = self._scheduler.nthreads()
        return max(1, sum(threads.values()))

    async def _open(self, folder: str) -> list[str]:
        """Compare what stands in a folder itself; return the folders in it."""
        found: set[str] = set()
        batch: list[tuple[str, int]] = []
        sides = (self._level(self._source, folder, found), self._level(self._target, folder, found))
        try:
            async for one, other in merged(*sides):
                batch += await self._wanted(one, other)
                if len(batch) == _BATCH:
                    await self._send(folder, tuple(batch))
                    batch.clear()
        except Unsorted as error:
            raise InvalidRequestError(
                f"objects come in no order here ({error}): synchronise without a cluster"
            ) from None
        if batch:
            await self._send(folder, tuple(batch))
        return sorted(found)

    async def _level(self, side: CloudSide, folder: str, found: set[str]) -> AsyncIterator[Entry]:
        start, cursor = side.prefix + folder, None
        while True:
            page = await side.call(
                side.backend.list_directory(side.container, start or None, "/", cursor)
            )
            for item in page.items:
                if isinstance(item, Prefix):
                    found.add(item.name.removeprefix(side.prefix))
                elif item.name != side.prefix:
                    yield entry_of(item, side.prefix)
            cursor = page.cursor
            if cursor is None:
                return

    async def _wanted(self, one: Entry | None, other: Entry | None) -> list[tuple[str, int]]:
        """Return what of a pair must be copied, and count the rest."""
        known = one or other
        if known is None or not self._options.filter.takes(known.name):
            return []
        self._total.there += other is not None
        if one is None:
            self._total.extra.append(known.name)
            return []
        if await self._differ.reason(one, other):
            return [(one.name, one.size)]
        self._total.report.unchanged += 1
        return []

    async def _send(self, folder: str, names: tuple[tuple[str, int], ...] | None) -> None:
        shard = _Shard(*self._origins, folder, names, self._on_worker)
        submit = partial(self._scheduler.submit, _run_shard, shard, retries=_RETRIES, pure=False)
        future = await self._runtime.in_thread(submit)
        self._futures[future] = shard

    def _collect(self) -> None:
        """Wait for the shards, and add up what became of them."""
        from distributed import as_completed

        try:
            shards = list(self._futures)
            done = as_completed(shards, with_results=True, raise_errors=False)
            for future, result in done:
                self._add(self._futures[future], result)
        except BaseException:
            for future in self._futures:
                future.cancel()
            raise

    def _add(self, shard: _Shard, result: _Outcome | tuple[Any, ...]) -> None:
        """Add what became of a shard: an outcome, or kind, error and traceback."""
        total = self._total
        if isinstance(result, _Outcome):
            total.report.add(result.report)
            total.extra += result.extra
            total.there += result.there
        elif isinstance(result[1], CloudError):
            total.report.fail(shard.folder or "/", result[1])
        else:
            failed = ProviderUnavailableError(f"the workers of the cluster failed: {result[1]}")
            total.report.fail(shard.folder or "/", failed)
        if self._options.progress is not None:
            self._options.progress(total.report)

    async def _finish(self) -> TransferReport:
        total, options = self._total, self._options
        if not options.delete:
            return total.report
        check_share(options.max_delete, len(total.extra), total.there)
        target = self._target
        extra = [_entry(target, name, 0) for name in sorted(total.extra)]
        await delete_extra(target, extra, total.report, options, self._runtime)
        return total.report


def _origin(side: CloudSide) -> _Origin:
    """Return how a worker makes a side again.

    Raises:
        InvalidRequestError: A setting of the account cannot travel.
    """
    account = side.backend.account
    given = {one.name: getattr(account, one.name) for one in account.settings()}
    settings = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in given.items()
        if value is not None
    }
    for name, value in settings.items():
        if not isinstance(value, _PLAIN):
            raise InvalidRequestError(f"the setting {name!r} cannot be sent to another machine")
    return _Origin(side.provider, settings, side.container.name, side.prefix)


def _entry(side: CloudSide, name: str, size: int) -> Entry:
    return entry_of(Object(side.prefix + name, size, None, {}, {}, side.container), side.prefix)


def _run_shard(shard: _Shard) -> _Outcome:
    """Do a shard's work; this runs on a worker."""
    with _driver(shard.source) as source, _driver(shard.target) as target:
        sides = (
            _side(source, shard.source, shard.folder),
            _side(target, shard.target, shard.folder),
        )
        return run(_work(shard, *sides))


async def _work(shard: _Shard, source: CloudSide, target: CloudSide) -> _Outcome:
    runtime = BlockingRuntime()
    if shard.names is not None:
        entries = [_entry(source, name, size) for name, size in shard.names]
        report = await copy_entries(source, target, entries, shard.options, runtime)
        return _Outcome(report, [], 0)
    report, extra, there = await copy_differing(source, target, shard.options, runtime)
    return _Outcome(report, [entry.name for entry in extra], there)


def _driver(origin: _Origin) -> StorageDriver:
    return get_driver(origin.provider)(**origin.settings)


def _side(driver: StorageDriver, origin: _Origin, folder: str) -> CloudSide:
    return CloudSide(
        driver._backend,  # pyright: ignore[reportPrivateUsage]
        driver._runtime,  # pyright: ignore[reportPrivateUsage]
        driver._guard,  # pyright: ignore[reportPrivateUsage]
        Container(origin.container),
        origin.prefix,
        folder=folder,
    )
