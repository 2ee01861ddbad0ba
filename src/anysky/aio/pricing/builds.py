"""Build a price catalogue on asyncio; see `anysky.pricing.builds` for the blocking API."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from anysky import deadlines
from anysky.pricing.fetching import Fetcher
from anysky.pricing.publishing import DAYS, BuildOptions, BuildReport, build_catalogue
from anysky.pricing.secret_keys import SecretKey
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.settings import HTTPSettings

__all__ = ["build"]


async def build(
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
    """Build a catalogue and its manifest; the asyncio twin of `anysky.pricing.builds.build`.

    What vendors publish is read and packed in threads.
    """
    options = BuildOptions(
        out, sources=sources, only=only, base=base, key=key, accept=accept, strict=strict,
        version=version, days=days,
    )  # fmt: skip
    settings = http or HTTPSettings()
    fetcher = Fetcher(AsyncioTransport, settings, AsyncioRuntime(), insecure_http=insecure_http)
    with deadlines.deadline(deadline):
        try:
            return await build_catalogue(fetcher, options)
        finally:
            await fetcher.close()
