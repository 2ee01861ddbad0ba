"""Build a catalogue from what vendors publish.

What an importer gives has to pass the gates of `anysky.pricing.building.gates`. A provider that
fails keeps the figures, with their dates, that it had in the catalogue which the build starts from.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Collection, Generator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from anysky.errors import CloudError, InvalidRequestError

from .building.assembling import Built, assemble, figures_of, with_other_regions
from .building.draft import Draft, Region, Vendor
from .building.gates import Difference, change_of, odd_figures, only_one_each, problems
from .building.reading import read_draft
from .building.table import read_table
from .collecting import collect
from .defaults import open_catalogue
from .errors import BuildFailedError, CatalogueStoreError, VendorDataError
from .fetching import Fetcher, is_local
from .importers import Importer, Rows, importer_names, load
from .manifest import VERSION
from .model import Record
from .places import BUNDLED, BUNDLED_VERSION, bundled_path
from .releasing import PART, Release, Signing, next_version, published, release
from .secret_keys import SecretKey
from .store import Lock

__all__ = ["BuildOptions", "BuildReport", "ProviderReport", "build_catalogue", "import_catalogue"]

_SHOWN = 20
_LOCK = ".build.lock"
_NETWORK_EXIT = 2
DAYS = 92
"""Days after which a manifest is no longer believed, unless something else is said."""


class ProviderReport(Record):
    """What a build did about one provider.

    Attributes:
        provider: Its name.
        outcome: ``"built"``; ``"failed"`` if its prices could not be read; ``"held"`` if a gate
            stopped them; ``"kept"`` if it was not asked for.
        prices: How many prices it has in the catalogue; those from before if it is not built.
        oldest: ISO date of its oldest price, or None.
        newest: ISO date of its newest price, or None.
        changed: How many prices on demand have another amount than before.
        new: How many there were not before.
        gone: How many there are no longer.
        left_out: Why prices were left out, and how many.
        disputed: What had several prices, and has none now; the first 20.
        odd: Prices that are not in proportion to their family; the first 20.
        problems: What speaks against its prices; they are in all the same if they were accepted.
    """

    __slots__ = (
        "changed", "disputed", "gone", "left_out", "new", "newest", "odd", "oldest", "outcome",
        "prices", "problems", "provider",
    )  # fmt: skip
    provider: str
    outcome: str
    prices: int
    oldest: str | None
    newest: str | None
    changed: int
    new: int
    gone: int
    left_out: dict[str, int]
    disputed: tuple[str, ...]
    odd: tuple[str, ...]
    problems: tuple[str, ...]

    def __hash__(self) -> int:
        return hash((self.provider, self.outcome, self.prices))


class BuildReport(Record):
    """What a build made.

    Attributes:
        version: Version of the catalogue.
        manifest: Path of the manifest; empty if none was written.
        catalogue: Path of the packed catalogue; empty if none was written.
        prices: How many prices it has.
        key: Public key to the signature, or None if it is not signed.
        providers: What happened to each provider.
    """

    __slots__ = ("catalogue", "key", "manifest", "prices", "providers", "version")
    version: str
    manifest: str
    catalogue: str
    prices: int
    key: str | None
    providers: tuple[ProviderReport, ...]


class BuildOptions(Record):
    """How a catalogue is to be built; see `anysky.pricing.builds.build` for the attributes."""

    __slots__ = ("accept", "base", "days", "key", "only", "out", "sources", "strict", "version")
    out: Path
    sources: dict[str, str]
    only: tuple[str, ...]
    base: str | None
    key: SecretKey | None
    accept: frozenset[str]
    strict: bool
    version: str | None
    days: int

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        sources: Mapping[str, str | os.PathLike[str]] | None = None,
        only: Collection[str] = (),
        base: str | os.PathLike[str] | None = None,
        key: SecretKey | None = None,
        accept: Collection[str] = (),
        strict: bool = False,
        version: str | None = None,
        days: int = DAYS,
    ) -> None:
        named = {name: os.fspath(source) for name, source in (sources or {}).items()}
        unused = sorted(named.keys() - set(only)) if only else []
        if unused:
            raise InvalidRequestError(f"{unused[0]} has a source, but is not to be built")
        if version is not None and not VERSION.fullmatch(version):
            raise InvalidRequestError(f"{version!r} is no version: it is like 2026.11.22")
        super().__init__(
            out=Path(out), sources=named, only=tuple(only), key=key, accept=frozenset(accept),
            base=None if base is None else os.fspath(base), strict=strict, version=version,
            days=days,
        )  # fmt: skip

    @property
    def names(self) -> list[str]:
        """The providers to build: those that are named, or have a source, or else all."""
        return sorted(set(self.only or self.sources or importer_names()))


class _Attempt(NamedTuple):
    """What came of one provider."""

    built: Built
    outcome: str
    change: Difference
    disputed: list[str]
    problems: list[str]
    exit_code: int = 0

    @property
    def name(self) -> str:
        """Name of the provider."""
        return self.built.vendor.id

    @property
    def rows(self) -> Rows:
        """What was found."""
        return self.built.rows


async def build_catalogue(fetcher: Fetcher, options: BuildOptions) -> BuildReport:
    """Build and publish a catalogue; see `anysky.pricing.builds.build`."""
    importers = [load(name) for name in options.names]
    base = await fetcher.runtime.in_thread(partial(_base, options.base))
    with _locked(options.out) as work:
        return await _Build(fetcher, options, base, work).collect(importers)


async def import_catalogue(
    fetcher: Fetcher, options: BuildOptions, path: str | os.PathLike[str]
) -> BuildReport:
    """Publish the prices of a table; see `anysky.pricing.builds.import_prices`."""
    in_thread = fetcher.runtime.in_thread
    tables = await in_thread(partial(read_table, Path(path)))
    base = await in_thread(partial(_base, options.base))
    with _locked(options.out) as work:
        return await _Build(fetcher, options, base, work).take(tables)


def _base(named: str | None) -> Draft:
    if named is None:
        return Draft("")
    with open_catalogue(bundled_path() if named == BUNDLED else named) as catalogue:
        return read_draft(catalogue)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[Path]:
    """Hold the lock of a folder; give a folder in it for what is not ready yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogueStoreError(f"cannot write {folder}: {error.strerror}") from error
    lock = Lock(folder / _LOCK)
    if not lock.take():
        raise lock.held()
    try:
        for left in folder.glob(f"{PART}*"):  # of a build that was killed
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix=PART, dir=folder) as work:
            yield Path(work)
    finally:
        lock.release()


class _Build:
    """One build."""

    def __init__(self, fetcher: Fetcher, options: BuildOptions, base: Draft, work: Path) -> None:
        self._fetcher = fetcher
        self._options = options
        self._base = base
        self._work = work

    async def collect(self, importers: Iterable[Importer]) -> BuildReport:
        """Build providers, one after the other, and write the catalogue."""
        return await self._finish([await self._attempt(importer) for importer in importers])

    async def take(self, tables: Mapping[str, Rows]) -> BuildReport:
        """Take the rows of providers as they are, and write the catalogue."""
        attempts = [
            self._judged(Built(self._vendor(name, rows), self._regions(name), rows))
            for name, rows in sorted(tables.items())
        ]
        return await self._finish(attempts)

    def _vendor(self, name: str, rows: Rows) -> Vendor:
        """Return the row of a provider: that of the base, of its importer, or its name alone."""
        known = next((one for one in self._base.providers if one.id == name), None)
        if known is not None:
            return known
        if name in importer_names():
            return load(name).vendor
        return Vendor(name, name, rows.figures[0].currency, "")

    def _regions(self, name: str) -> Mapping[str, Region]:
        return load(name).regions if name in importer_names() else {}

    async def _finish(self, attempts: list[_Attempt]) -> BuildReport:
        failed = [one for one in attempts if one.exit_code]
        if failed and (self._options.strict or len(failed) == len(attempts)):
            raise self._failure(attempts, failed)
        now = dt.datetime.fromtimestamp(int(self._fetcher.runtime.time()), dt.UTC)
        return await self._fetcher.runtime.in_thread(partial(self._publish, attempts, now))

    async def _attempt(self, importer: Importer) -> _Attempt:
        """Collect the prices of a provider and see whether they can be right."""
        source = self._options.sources.get(importer.name)
        try:
            rows = await collect(self._fetcher, importer, source, self._work)
        except CatalogueStoreError:
            raise
        except CloudError as error:
            code = getattr(error, "exit_code", 0) or _NETWORK_EXIT
            nothing = Built(importer.vendor, {}, Rows(importer.name))
            return _Attempt(nothing, "failed", Difference({}, {}), [], [error.message], code)
        if source is not None and is_local(source) and importer.is_regional:
            rows = with_other_regions(rows, self._base)
        return self._judged(Built(importer.vendor, importer.regions, rows))

    def _judged(self, built: Built) -> _Attempt:
        rows, name = built.rows, built.vendor.id
        rows.figures, disputed = only_one_each(rows.figures)
        change = change_of(figures_of(self._base, name), rows.figures)
        found = problems(rows.figures, rows.specs, change, len(disputed))
        is_held = found and (name not in self._options.accept or not rows.figures)
        outcome, code = ("held", VendorDataError.exit_code) if is_held else ("built", 0)
        return _Attempt(built, outcome, change, disputed, found, code)

    def _failure(self, attempts: Iterable[_Attempt], failed: list[_Attempt]) -> BuildFailedError:
        report = self._report(attempts, self._base, None)
        reasons = [f"{one.name}: {one.problems[0]}" for one in failed]
        code = failed[0].exit_code
        return BuildFailedError(
            f"nothing was built: {'; '.join(reasons)}"[:2000], report=report, exit_code=code
        )

    def _publish(self, attempts: Iterable[_Attempt], now: dt.datetime) -> BuildReport:
        options = self._options
        built = {one.name: one.built for one in attempts if not one.exit_code}
        before = published(options.out)
        older = [BUNDLED_VERSION, self._base.version, before.version if before else ""]
        version = next_version(options.version, now.date(), filter(None, older))
        draft = assemble(version, self._base, built)
        made = release(draft, options.out, self._work, Signing(options.key, now, options.days))
        return self._report(attempts, draft, made)

    def _report(
        self, attempts: Iterable[_Attempt], draft: Draft, made: Release | None
    ) -> BuildReport:
        by_name = {one.name: one for one in attempts}
        names = sorted({one.provider for one in draft.figures} | by_name.keys())
        key = self._options.key
        return BuildReport(
            version=draft.version if made else "",
            manifest=str(made.manifest) if made else "",
            catalogue=str(made.catalogue) if made else "",
            prices=len(draft.figures),
            key=key.public if key and made else None,
            providers=tuple(_provider(name, draft, by_name.get(name)) for name in names),
        )


def _provider(name: str, draft: Draft, attempt: _Attempt | None) -> ProviderReport:
    figures = figures_of(draft, name)
    dates = [one.source.as_of for one in figures]
    change = attempt.change if attempt else Difference({}, {})
    is_built = attempt is not None and not attempt.exit_code
    odd = odd_figures(figures, attempt.rows.specs) if attempt and is_built else []
    return ProviderReport(
        provider=name,
        outcome=attempt.outcome if attempt else "kept",
        prices=len(figures),
        oldest=min(dates, default=None),
        newest=max(dates, default=None),
        changed=change.changed,
        new=change.new,
        gone=change.gone,
        left_out=dict(sorted(attempt.rows.left_out.items())) if attempt else {},
        disputed=tuple(attempt.disputed[:_SHOWN]) if attempt else (),
        odd=tuple(odd[:_SHOWN]),
        problems=tuple(attempt.problems[:_SHOWN]) if attempt else (),
    )
