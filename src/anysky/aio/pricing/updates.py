"""Update the price catalogue on asyncio; see `anysky.pricing.updates` for the blocking API."""

from __future__ import annotations

import os

from anysky import deadlines
from anysky.pricing.fetching import Fetcher
from anysky.pricing.updating import Progress, UpdateResult, Wanted, update_catalogue
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.settings import HTTPSettings

__all__ = ["update"]

_SECONDS = 600.0


async def update(
    url: str | os.PathLike[str] | None = None,
    *,
    key: str | None = None,
    check: bool = False,
    force: bool = False,
    allow_unsigned: bool = False,
    allow_older: bool = False,
    insecure_http: bool = False,
    format: str = "anysky",
    progress: Progress | None = None,
    http: HTTPSettings | None = None,
    deadline: float | None = _SECONDS,
) -> UpdateResult:
    """Install a newer catalogue; the asyncio twin of `anysky.pricing.updates.update`.

    Files are written and checked in threads; `progress` is called from there.
    """
    wanted = Wanted(
        url=url, key=key, check=check, force=force, allow_unsigned=allow_unsigned,
        allow_older=allow_older, format=format, progress=progress,
    )  # fmt: skip
    settings = http or HTTPSettings()
    fetcher = Fetcher(AsyncioTransport, settings, AsyncioRuntime(), insecure_http=insecure_http)
    with deadlines.deadline(deadline):
        try:
            return await update_catalogue(fetcher, wanted)
        finally:
            await fetcher.close()
