"""Update the catalogue in the blocking API; see `anysky.aio.pricing` for asyncio."""

from __future__ import annotations

import os

from anysky import deadlines
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.blocking import BlockingTransport
from anysky.transport.settings import HTTPSettings

from .fetching import Fetcher
from .places import data_dir
from .store import Store
from .updating import Progress, UpdateResult, Wanted, update_catalogue

__all__ = ["pin", "rollback", "update", "verify"]

_SECONDS = 600.0


def update(
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
    """Install a newer catalogue for this user, if there is one.

    What comes is verified before it is used: signature, hashes, sizes, schema, every price. If
    anything is wrong, the installed catalogue stays as it is; look-ups go on all the while.

    Args:
        url: Address of a manifest: ``https://…``, ``file://…`` or a path; None takes what
            `ANYSKY_PRICES_URL` names, else the catalogue that the project publishes.
        key: Public key of the publisher, as minisign prints it; None takes the project's own.
        check: Only say whether there is a newer one.
        force: Install even what is installed already, for example because it was damaged.
        allow_unsigned: Ask for no signature.
        allow_older: Take an older version as well; it is pinned then.
        insecure_http: Allow plain HTTP.
        format: ``"anysky"``, or ``"libcloud"`` for a price file of Apache Libcloud, which is
            cleaned and converted.
        progress: Called with the bytes that came and those that are to come.
        http: Time limits, proxy and TLS; by default as everywhere in anysky.
        deadline: Seconds for all of it.

    Raises:
        UpdateUnavailableError: The address does not answer as it should.
        ConnectionFailedError: There is no connection.
        UpdateVerificationError: What came is not what was signed or promised, or is older.
        CatalogueSchemaError: It needs a newer anysky.
        UpdateLockedError: Another process is updating.
        CatalogueStoreError: It cannot be written.
    """
    wanted = Wanted(
        url=url, key=key, check=check, force=force, allow_unsigned=allow_unsigned,
        allow_older=allow_older, format=format, progress=progress,
    )  # fmt: skip
    with deadlines.deadline(deadline):
        return run(_update(wanted, http or HTTPSettings(), insecure_http))


async def _update(wanted: Wanted, http: HTTPSettings, insecure_http: bool) -> UpdateResult:
    fetcher = Fetcher(BlockingTransport, http, BlockingRuntime(), insecure_http=insecure_http)
    try:
        return await update_catalogue(fetcher, wanted)
    finally:
        await fetcher.close()


def rollback() -> str:
    """Go back to the catalogue before the last update, pin it and return its version.

    Raises:
        CatalogueMissingError: Nothing is installed.
        CatalogueDamagedError: The catalogue before is damaged.
        UpdateLockedError: Another process is updating.
        CatalogueStoreError: The choice cannot be written.
    """
    return Store(data_dir()).rollback()


def pin(version: str | None) -> None:
    """Keep to an installed version, or to ``"bundled"``; None lets updates go on.

    Raises:
        CatalogueMissingError: The version is not installed.
        CatalogueDamagedError: Its file is damaged.
        UpdateLockedError: Another process is updating.
        CatalogueStoreError: The choice cannot be written.
    """
    Store(data_dir()).pin(version or "")


def verify() -> str:
    """Look the installed catalogue through, hash and every price; return its version.

    Raises:
        CatalogueMissingError: Its file is not there.
        CatalogueDamagedError: It is not the one that was installed, or is not sound.
        CatalogueSchemaError: It is of another schema.
    """
    return Store(data_dir()).verify()[1]
