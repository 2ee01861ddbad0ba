"""Install a newer catalogue: fetched, verified, and only then made the current one."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from anysky.errors import CloudError, InvalidRequestError

from .building.draft import Spec
from .building.libcloud import libcloud_draft, updated_on
from .building.writing import write_catalogue
from .catalogue import Catalogue
from .checking import check_catalogue, file_sha256
from .downloading import Download
from .errors import CatalogueDamagedError, CatalogueStoreError, UpdateVerificationError
from .fetching import Fetcher, join, shown
from .manifest import MAX_SIZE, CatalogueFile, Manifest, check_fresh, parse_manifest
from .minisign import check_signature, parse_key
from .model import Record
from .places import BUNDLED, BUNDLED_VERSION, bundled_path, data_dir, version_key
from .searching import sizes
from .store import Lock, Store

__all__ = [
    "DEFAULT_URL",
    "KEYS",
    "LOCK_WAIT",
    "URL_VARIABLE",
    "UpdateResult",
    "Wanted",
    "update_catalogue",
]

DEFAULT_URL = "https://prices.anysky.dev/v1/manifest.json"
"""Address of the catalogue that the project publishes."""
URL_VARIABLE = "ANYSKY_PRICES_URL"
"""Environment variable that names another address."""
KEYS = ("RWTuWin1tIb63MA3yxRO/KFsRqhHcil/nVcc5DGjReBD8mJUku0Zxyg8",)
"""Public keys by which catalogues of the project are signed."""

_SIGNATURE = ".minisig"
_MANIFEST_LIMIT = 64 * 1024
_SIGNATURE_LIMIT = 4 * 1024
LOCK_WAIT = 30.0
"""Seconds that an update waits for another one."""
_LOCK_STEP = 0.05
_FORMATS = ("anysky", "libcloud")

Progress = Callable[[int, int], None]


class UpdateResult(Record):
    """What an update did.

    Attributes:
        outcome: ``"installed"``; ``"current"`` if there was nothing newer; ``"available"`` if
            there is, and it was only asked for; ``"pinned"`` if there is, but a version is pinned.
        version: Version at the address.
        previous: Version that was used before.
        path: File of the catalogue that is used now.
        url: Address, without its query.
        signed_by: The signed comment of the publisher, or None if no signature was asked for.
    """

    __slots__ = ("outcome", "path", "previous", "signed_by", "url", "version")
    outcome: str
    version: str
    previous: str
    path: str
    url: str
    signed_by: str | None


class Wanted(Record):
    """How an update is to be done; see `anysky.pricing.updates.update` for the attributes."""

    __slots__ = (
        "allow_older", "allow_unsigned", "check", "folder", "force", "format", "key",
        "progress", "url",
    )  # fmt: skip
    url: str
    key: str | None
    check: bool
    force: bool
    allow_unsigned: bool
    allow_older: bool
    format: str
    progress: Progress | None
    folder: str

    def __init__(
        self,
        *,
        url: str | os.PathLike[str] | None = None,
        key: str | None = None,
        check: bool = False,
        force: bool = False,
        allow_unsigned: bool = False,
        allow_older: bool = False,
        format: str = "anysky",
        progress: Progress | None = None,
        folder: str | None = None,
    ) -> None:
        if format not in _FORMATS:
            raise InvalidRequestError(f"unknown format {format!r}: use {' or '.join(_FORMATS)}")
        if key is not None and allow_unsigned:
            raise InvalidRequestError("give a key or allow what is unsigned, not both")
        named = os.environ.get(URL_VARIABLE) or DEFAULT_URL if url is None else os.fspath(url)
        super().__init__(
            url=named, key=key, check=check, force=force, allow_unsigned=allow_unsigned,
            allow_older=allow_older, format=format, progress=progress,
            folder=data_dir() if folder is None else folder,
        )  # fmt: skip


async def update_catalogue(fetcher: Fetcher, wanted: Wanted) -> UpdateResult:
    """Install the catalogue at an address if it is newer; see `anysky.pricing.updates.update`."""
    update = _Update(fetcher, wanted)
    run = update.from_libcloud if wanted.format == "libcloud" else update.from_manifest
    if wanted.check:
        return await run()
    lock = await _locked(update.store, fetcher, LOCK_WAIT)
    try:
        return await run()
    finally:
        lock.release()


async def _locked(store: Store, fetcher: Fetcher, patience: float) -> Lock:
    lock = store.lock()
    runtime = fetcher.runtime
    end = runtime.now() + patience
    while not lock.take():
        if runtime.now() >= end:
            raise lock.held()
        await runtime.sleep(_LOCK_STEP)
    return lock


class _Update:
    """One update."""

    def __init__(self, fetcher: Fetcher, wanted: Wanted) -> None:
        self.store = Store(wanted.folder)
        self._fetcher = fetcher
        self._runtime = fetcher.runtime
        self._wanted = wanted
        self._signed_by: str | None = None

    async def from_manifest(self) -> UpdateResult:
        """Follow a manifest."""
        wanted, state = self._wanted, self._state()
        known = state.get("etag", "") if self._is_known(state) else ""
        answer = await self._fetcher.read(wanted.url, _MANIFEST_LIMIT, known)
        if answer.content is None:
            check_fresh(dt.datetime.fromisoformat(state["expires"]), self._runtime.time())
            return self._result("current", state["version"], state)
        await self._check_signature(answer.content)
        manifest = parse_manifest(answer.content)
        check_fresh(manifest.expires, self._runtime.time())
        outcome = self._decide(manifest.version, manifest.prices.raw_sha256, state)
        if outcome != "installed":
            return self._result(outcome, manifest.version, state)
        temporary = await self._download(manifest)
        details = {"etag": answer.etag, "url": wanted.url, "expires": manifest.expires.isoformat()}
        install = self._install(temporary, manifest.version, manifest.prices.rows, details)
        return await self._runtime.finish(install)

    def _state(self) -> dict[str, str]:
        try:
            return self.store.state()
        except CatalogueDamagedError:
            if self._wanted.force:
                return {}
            raise

    def _is_known(self, state: Mapping[str, str]) -> bool:
        """Whether the manifest that was read last is the one of this address."""
        is_there = (self.store.folder / state.get("file", "")).is_file()
        same = state.get("url") == self._wanted.url and bool(state.get("expires"))
        return same and is_there and not self._wanted.force

    async def _check_signature(self, content: bytes) -> None:
        wanted = self._wanted
        if wanted.allow_unsigned:
            return
        keys = [parse_key(text) for text in ([wanted.key] if wanted.key else KEYS)]
        head, mark, query = (
            wanted.url.partition("?") if "://" in wanted.url else (wanted.url, "", "")
        )
        answer = await self._fetcher.read(f"{head}{_SIGNATURE}{mark}{query}", _SIGNATURE_LIMIT)
        check = partial(check_signature, content, answer.content or b"", keys)
        self._signed_by = await self._runtime.in_thread(check)

    def _decide(self, version: str, sha256: str, state: Mapping[str, str]) -> str:
        """Return what to do about a version that is offered.

        Raises:
            UpdateVerificationError: It is older than the one that is used.
        """
        wanted, used = self._wanted, _used(state)
        if version_key(version) < version_key(used) and not wanted.allow_older:
            raise UpdateVerificationError(
                f"version {version} is older than {used}, which is installed: "
                "older ones have to be allowed (--allow-older)"
            )
        is_same = version == used and state.get("sha256", sha256) == sha256
        if is_same and not wanted.force:
            return "current"
        if wanted.check:
            return "available"
        return "pinned" if state.get("pinned") and not wanted.allow_older else "installed"

    async def _download(self, manifest: Manifest) -> Path:
        """Download from the first address that gives what was promised."""
        file = manifest.prices
        failed: CloudError | None = None
        for url in (file.url, *file.mirrors):
            try:
                return await self._download_from(join(self._wanted.url, url), file)
            except CatalogueStoreError:
                raise
            except CloudError as error:
                failed = failed or error
        raise failed or UpdateVerificationError("the manifest names no address")

    async def _download_from(self, url: str, file: CatalogueFile) -> Path:
        make = partial(Download, file, self.store.temporary())
        download = await self._runtime.in_thread(make)

        def take(piece: bytes) -> None:
            download.feed(piece)
            if self._wanted.progress is not None:
                self._wanted.progress(download.received, file.size)

        try:
            await self._fetcher.pour(url, take)
            await self._runtime.in_thread(download.finish)
        except BaseException:
            download.drop()
            raise
        return download.path

    async def _install(
        self, temporary: Path, version: str, rows: Mapping[str, int], details: Mapping[str, str]
    ) -> UpdateResult:
        """Check a catalogue and make it the current one."""
        before = _used(self._state())
        try:
            check = partial(check_catalogue, temporary, version=version, rows=rows)
            try:
                await self._runtime.in_thread(check)
            except CatalogueDamagedError as error:
                raise UpdateVerificationError(
                    f"what came is not a sound catalogue: {error.message}"
                ) from error
            sha256 = await self._runtime.in_thread(partial(file_sha256, temporary))
            is_older = version_key(version) < version_key(BUNDLED_VERSION)
            pinned = version if is_older or self._wanted.allow_older else ""
            state = {**details, "version": version, "sha256": sha256, "pinned": pinned}
            await self._runtime.in_thread(partial(self.store.install, temporary, state))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return self._result("installed", version, self.store.state(), before)

    def _result(
        self, outcome: str, version: str, state: Mapping[str, str], before: str | None = None
    ) -> UpdateResult:
        used = state.get("file") and _used(state) == state.get("version")
        path = str(self.store.folder / state["file"]) if used else bundled_path()
        return UpdateResult(
            outcome=outcome, version=version, previous=before or _used(state), path=path,
            url=shown(self._wanted.url), signed_by=self._signed_by,
        )  # fmt: skip

    async def from_libcloud(self) -> UpdateResult:
        """Convert a price file of Libcloud, which is never signed."""
        wanted = self._wanted
        if not wanted.allow_unsigned:
            raise UpdateVerificationError(
                "price files of Libcloud are not signed: that has to be allowed (--allow-unsigned)"
            )
        data = await self._read_json()
        version = _libcloud_version(data)
        outcome = self._decide(version, "", {**self._state(), "sha256": ""})
        if outcome != "installed":
            return self._result(outcome, version, self._state())
        temporary = self.store.temporary()
        write = partial(_convert, data, shown(wanted.url), version, temporary)
        await self._runtime.in_thread(write)
        install = self._install(temporary, version, {}, {"url": wanted.url})
        return await self._runtime.finish(install)

    async def _read_json(self) -> Mapping[str, Any]:
        answer = await self._fetcher.read(self._wanted.url, MAX_SIZE)
        try:
            data = await self._runtime.in_thread(partial(json.loads, answer.content or b""))
        except (ValueError, RecursionError) as error:
            raise UpdateVerificationError(
                f"{shown(self._wanted.url)} is no price file: {str(error)[:200]}"
            ) from error
        if not isinstance(data, dict):
            raise UpdateVerificationError(f"{shown(self._wanted.url)} is no price file")
        return cast("dict[str, Any]", data)


def _used(state: Mapping[str, str]) -> str:
    """Return the version that look-ups use."""
    installed, pinned = state.get("version", ""), state.get("pinned", "")
    if pinned == BUNDLED or not installed:
        return BUNDLED_VERSION
    is_older = version_key(installed) < version_key(BUNDLED_VERSION)
    return BUNDLED_VERSION if is_older and pinned != installed else installed


def _libcloud_version(data: Mapping[str, Any]) -> str:
    try:
        return updated_on(data).isoformat().replace("-", ".")
    except (ValueError, OverflowError, OSError) as error:
        raise UpdateVerificationError(f"this is no price file of Libcloud: {error}") from error


def _convert(data: Mapping[str, Any], url: str, version: str, target: Path) -> None:
    """Write the catalogue of a price file; the bundled one knows what sizes have."""
    with Catalogue(bundled_path()) as bundled:
        specs = {
            size.name: Spec(
                size.vcpu, size.ram_mb, size.disk_gb, size.gpus, size.gpu, size.gpu_mem_mb,
                size.arch, size.burstable, size.is_sold,
            )
            for size in sizes(bundled, "aws")
        }  # fmt: skip
    try:
        draft = libcloud_draft(data, url=url, ec2_specs=specs, version=version)
    except ValueError as error:
        raise UpdateVerificationError(f"this is no price file of Libcloud: {error}") from error
    try:
        write_catalogue(draft, target)
    except (OSError, CatalogueStoreError) as error:
        raise CatalogueStoreError(f"cannot write {target}: {error}") from error
