"""Build a catalogue in the blocking API."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from anysky import deadlines
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.blocking import BlockingTransport
from anysky.transport.settings import HTTPSettings

from .fetching import Fetcher
from .publishing import DAYS, BuildOptions, BuildReport, build_catalogue, import_catalogue
from .secret_keys import SecretKey

__all__ = ["build", "import_prices"]


def build(
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
    insecure_http: bool = False,
    http: HTTPSettings | None = None,
    deadline: float | None = None,
) -> BuildReport:
    """Build a catalogue from what vendors publish, with a manifest, into a folder.

    Args:
        out: The folder; served as it is, `anysky.pricing.updates.update` installs from it.
        sources: A file, folder or address for some providers, in place of the vendor's own. If
            `only` is not given, only these providers are built, and the others stay as they are.
        only: The providers to build; by default all there is an importer for.
        base: The catalogue to start from, or ``"bundled"``: its other providers stay, and so do
            those that cannot be built now; and changes are judged by it.
        key: What to sign with, see `anysky.pricing.secret_keys.read_key`; None does not sign.
        accept: Providers whose prices are taken although a gate would hold them.
        strict: Build nothing unless every provider can be built.
        version: Version of the catalogue; by default the day, with a number if there is one
            of this day already.
        days: After how many the manifest expires.
        insecure_http: Allow plain HTTP.
        http: Time limits, proxy and TLS; by default as everywhere in anysky.
        deadline: Seconds for all of it.

    Raises:
        BuildFailedError: No provider could be built, or with `strict` not every one; nothing was
            written.
        CatalogueMissingError: The base is not there.
        CatalogueDamagedError: The base is damaged.
        CatalogueStoreError: The folder cannot be written.
        UpdateLockedError: Another build into the folder is running.
        InvalidRequestError: There is no such importer, or the version is not newer.
    """
    options = BuildOptions(
        out, sources=sources, only=only, base=base, key=key, accept=accept, strict=strict,
        version=version, days=days,
    )  # fmt: skip
    with deadlines.deadline(deadline):
        return run(_build(options, http or HTTPSettings(), insecure_http))


async def _build(options: BuildOptions, http: HTTPSettings, insecure_http: bool) -> BuildReport:
    fetcher = Fetcher(BlockingTransport, http, BlockingRuntime(), insecure_http=insecure_http)
    try:
        return await build_catalogue(fetcher, options)
    finally:
        await fetcher.close()


def import_prices(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    key: SecretKey | None = None,
    accept: Collection[str] = (),
    strict: bool = False,
    version: str | None = None,
    days: int = DAYS,
) -> BuildReport:
    """Build a catalogue from a CSV file with the columns of `anysky.pricing.exporting`.

    Each provider in the file is replaced by what the file says of it; see `build` for the others,
    the arguments and what is raised.

    Args:
        path: The file; `anysky.pricing.building.table.read_table` says what it has to have.
        out: The folder.
        base: The catalogue to start from, or ``"bundled"``.
        key: What to sign with.
        accept: Providers whose prices are taken although a gate would hold them.
        strict: Build nothing unless every provider can be built.
        version: Version of the catalogue.
        days: After how many the manifest expires.

    Raises:
        VendorDataError: The file cannot be read, or a line is wrong.
        BuildFailedError: No provider could be built, or with `strict` not every one.
    """
    options = BuildOptions(
        out, base=base, key=key, accept=accept, strict=strict, version=version, days=days
    )
    return run(_import(options, path))


async def _import(options: BuildOptions, path: str | os.PathLike[str]) -> BuildReport:
    fetcher = Fetcher(BlockingTransport, HTTPSettings(), BlockingRuntime())
    try:
        return await import_catalogue(fetcher, options, path)
    finally:
        await fetcher.close()
