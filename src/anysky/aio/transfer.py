"""Copy objects between clouds and local files, on asyncio; its blocking twin is made from it.

::

    report = await sync("photos", "s3://bucket/photos", delete=True)
    report.raise_if_failed()

A place is a `Container`, a `Prefix`, a local path, or a text: ``s3://bucket/key`` (with any
provider's name), ``profile:container/key``, or a local path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from anysky.aio.storage import Container, Object, ObjectVersion, Prefix, StorageDriver, get_driver
from anysky.config import find_profile
from anysky.errors import InvalidRequestError
from anysky.model import storage as model
from anysky.run import arun
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.transfer.copying import copy_entry, local_entry
from anysky.transfer.entries import Compare, Entry, NameFilter
from anysky.transfer.options import TransferOptions
from anysky.transfer.places import CloudPlace, parse_place
from anysky.transfer.reports import TransferReport
from anysky.transfer.sides import CloudSide, LocalSide, Side, entry_of
from anysky.transfer.syncing import SyncOptions, synchronise

if TYPE_CHECKING:
    from anysky.transfer.sharding import Scheduler

__all__ = ["Place", "copy", "open_driver", "sync"]

Place = Container | Prefix | str | os.PathLike[str]


def open_driver(profile: str, **settings: Any) -> StorageDriver:
    """Make the driver of a profile, or of a provider by its name; see "Profiles".

    Args:
        profile: Name of a profile in the user's files, or of a provider, whose settings then come
            from the environment.
        settings: Further arguments of the driver.

    Raises:
        InvalidAccountError: A file cannot be read, or a setting is missing or wrong.
        UnknownProviderError: There is no such profile or provider.
    """
    found = find_profile(profile)
    return get_driver(found.provider)(**{**found.settings, **settings})


async def sync(
    source: Place,
    target: Place,
    *,
    delete: bool = False,
    max_delete: int | str | None = None,
    dry_run: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    compare: Compare = "mtime",
    concurrency: int = 16,
    encode_names: bool = False,
    transfer: TransferOptions | None = None,
    progress: Callable[[TransferReport], None] | None = None,
    scheduler: Scheduler | None = None,
) -> TransferReport:
    """Make a target hold what a source holds: copy what is new or differs, in either direction.

    One object that fails does not stop the others; the report tells which and why. Nothing is
    deleted if something failed. Objects of one service and account are copied by the provider;
    others stream through this machine without touching its disk.

    Args:
        source: A container, a prefix, or a local directory.
        target: Likewise; a local directory is made if it is not there.
        delete: Whether what is not in the source is deleted from the target.
        max_delete: Objects that may be deleted at the most, or a share of the target's as
            ``"30%"``, which does not count for fewer than ten.
        dry_run: Whether only to tell, in the report's `actions`, what would be done.
        include: Patterns (``*.jpg``; ``*`` goes across ``/``) of which a name must match one.
        exclude: Patterns of which it may match none.
        compare: What tells objects of one size apart: ``"mtime"`` (the source is newer),
            ``"checksum"``, ``"size"`` for nothing, or ``"always"`` to copy them all.
        concurrency: Objects that are under way at once.
        encode_names: Whether objects' names that cannot be those of files are encoded, reversibly;
            otherwise those objects fail.
        transfer: How content is moved.
        progress: Called with the report so far whenever an object is done.
        scheduler: A client of a Dask cluster, whose workers do it; both sides at providers.

    Raises:
        InvalidRequestError: More would be deleted than is allowed, and nothing was changed; or
            both sides are local or in one another.
        CloudError: A side cannot be listed.
    """
    options = SyncOptions(
        delete=delete,
        max_delete=max_delete,
        dry_run=dry_run,
        filter=NameFilter(tuple(include), tuple(exclude)),
        compare=compare,
        concurrency=concurrency,
        transfer=transfer or TransferOptions(),
        progress=progress,
    )
    opened = _Opened(encode_names)
    try:
        sides = opened.side(source), opened.side(target)
        if scheduler is not None:
            from anysky.transfer.sharding import synchronise_sharded

            return await arun(synchronise_sharded(*sides, options, opened.runtime, scheduler))
        return await arun(synchronise(*sides, options, opened.runtime))
    finally:
        await opened.close()


async def copy(
    source: Place | Object | ObjectVersion,
    target: Place,
    *,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    concurrency: int = 16,
    encode_names: bool = False,
    transfer: TransferOptions | None = None,
    progress: Callable[[TransferReport], None] | None = None,
) -> TransferReport:
    """Copy one object or file, or with `recursive` all below a place, replacing what is there.

    Args:
        source: An object, or a place.
        target: A place; one that is a container, a local directory, or ends with ``/``, gets an
            object of the source's last name.
        recursive: Whether to copy all that is in the source.
        include: Patterns of which a name must match one; with `recursive`.
        exclude: Patterns of which it may match none; with `recursive`.
        concurrency: Objects that are under way at once.
        encode_names: Whether objects' names that cannot be those of files are encoded.
        transfer: How content is moved.
        progress: Called with the report so far whenever an object is done.

    Raises:
        CloudError: The one object cannot be copied; of several, the report tells.
    """
    how = transfer or TransferOptions()
    opened = _Opened(encode_names)
    try:
        if recursive and not isinstance(source, model.Object):
            options = SyncOptions(
                filter=NameFilter(tuple(include), tuple(exclude)),
                compare="always",
                concurrency=concurrency,
                transfer=how,
                progress=progress,
            )
            sides = opened.side(source), opened.side(target)
            return await arun(synchronise(*sides, options, opened.runtime))
        origin, entry = await opened.one(source)
        goal, name = opened.goal(target, entry)
        await arun(copy_entry(origin, goal, entry, how, name=name))
        report = TransferReport(copied=1, bytes=entry.size)
        if progress is not None:
            progress(report)
        return report
    finally:
        await opened.close()


class _Opened:
    """The drivers that were made for the places of one call."""

    def __init__(self, encode_names: bool) -> None:
        self.runtime = AsyncioRuntime()
        self._encode = encode_names
        self._drivers: dict[str, StorageDriver] = {}

    def driver(self, profile: str) -> StorageDriver:
        """Make a profile's driver, once."""
        if profile not in self._drivers:
            self._drivers[profile] = open_driver(profile)
        return self._drivers[profile]

    def side(self, place: Place) -> Side:
        """Return all that is below a place."""
        found = self._parsed(place)
        if isinstance(found, Path):
            return LocalSide(found, self.runtime, encode=self._encode)
        driver, container, prefix = found
        if prefix and isinstance(place, str) and not prefix.endswith("/"):
            prefix += "/"
        return self._cloud(driver, container, prefix)

    async def one(self, source: Place | model.Object) -> tuple[Side, Entry]:
        """Return one object or file with the side that it is on."""
        if isinstance(source, Object | ObjectVersion):
            return self._cloud(source.driver, source.container, ""), entry_of(source)
        if isinstance(source, model.Object):
            raise InvalidRequestError("an object that no driver returned cannot be copied")
        found = self._parsed(source)
        if isinstance(found, Path):
            side = LocalSide(found.parent, self.runtime)
            return side, await arun(local_entry(side, found.name))
        driver, container, key = found
        if not key or key.endswith("/"):
            raise InvalidRequestError(f"{source} is not one object: copy it with recursive=True")
        obj = await driver.get_object(container.name, key)
        return self._cloud(driver, container, ""), entry_of(obj)

    def goal(self, target: Place, entry: Entry) -> tuple[Side, str]:
        """Return the side where one object goes, and its name there."""
        last = PurePosixPath(entry.name).name
        found = self._parsed(target)
        if isinstance(found, Path):
            is_folder = found.is_dir() or str(target).endswith("/")
            folder = found if is_folder else found.parent
            name = last if is_folder else found.name
            return LocalSide(folder, self.runtime, encode=self._encode), name
        driver, container, key = found
        name = key + last if not key or key.endswith("/") else key
        return self._cloud(driver, container, ""), name

    async def close(self) -> None:
        """Close the drivers."""
        for driver in self._drivers.values():
            await driver.close()

    def _parsed(self, place: Place) -> Path | tuple[StorageDriver, Container, str]:
        if isinstance(place, Container):
            return place.driver, place, ""
        if isinstance(place, Prefix):
            return place.driver, place.container, place.name
        found = parse_place(place) if isinstance(place, str) else Path(place).expanduser()
        if not isinstance(found, CloudPlace):
            return found
        if not found.container:
            raise InvalidRequestError(f"{found} names no container")
        driver = self.driver(found.profile)
        return driver, Container(found.container, {}, driver), found.key

    def _cloud(self, driver: StorageDriver, container: Container, prefix: str) -> CloudSide:
        return CloudSide(
            driver._backend,  # pyright: ignore[reportPrivateUsage]
            driver._runtime,  # pyright: ignore[reportPrivateUsage]
            driver._guard,  # pyright: ignore[reportPrivateUsage]
            container,
            prefix,
            provider=driver.api_name,
        )
