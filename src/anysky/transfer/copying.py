"""Copy one object or file from one side to the other."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from anysky.errors import ConnectionFailedError, InvalidRequestError
from anysky.model.storage import Condition, Object, ObjectSpec
from anysky.object_spec import object_spec
from anysky.run import run
from anysky.transport.base import Body

from .downloads import download_object
from .entries import Entry
from .options import TransferOptions
from .sides import CloudSide, LocalSide, Side
from .sources import Source, file_source
from .streams import open_object
from .uploads import upload_object

__all__ = ["copy_entry", "local_entry"]

_PIECE = 1024 * 1024
_TRIES = 3


async def local_entry(side: LocalSide, name: str) -> Entry:
    """Return one file of a directory.

    Raises:
        InvalidRequestError: There is none, or it is a directory.
    """
    path = side.root / name

    def look() -> Entry:
        try:
            status = path.stat()
        except OSError as error:
            raise InvalidRequestError(f"cannot read {path}: {error.strerror}") from error
        if path.is_dir():
            raise InvalidRequestError(f"{path} is a directory: copy it with recursive=True")
        return Entry(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC), {}, path)

    return await side.runtime.in_thread(look)


async def copy_entry(
    source: Side,
    target: Side,
    entry: Entry,
    transfer: TransferOptions,
    *,
    name: str | None = None,
) -> None:
    """Copy one object or file, replacing one of the same name.

    Args:
        source: Where it is.
        target: Where it goes.
        entry: What it is.
        transfer: How its content is moved.
        name: Its name on the target, if it is another.

    Raises:
        InvalidRequestError: Both sides are local, or no file can have the name.
        CloudError: It cannot be copied.
    """
    name = entry.name if name is None else name
    if isinstance(target, LocalSide):
        if isinstance(source, LocalSide):
            raise InvalidRequestError("one side must be a container: both are local")
        await _download(source, target, entry, transfer, name)
    elif isinstance(source, LocalSide):
        spec = object_spec(target.prefix + name, None, None, str(entry.item), {})
        file = file_source(entry.item)
        await target.call(upload_object(target.backend, target.container, file, spec, transfer))
    elif target.holds(source) and target.backend.supports("copy_object"):
        await target.call(
            target.backend.copy_object(entry.item, target.container, target.prefix + name)
        )
    else:
        await _across(source, target, entry, transfer, name)


async def _download(
    source: CloudSide, target: LocalSide, entry: Entry, transfer: TransferOptions, name: str
) -> None:
    path = target.path_of(name)
    await target.runtime.in_thread(partial(_make_parents, target.root, path))
    job = download_object(source.backend, entry.item, path, transfer, overwrite=True)
    await source.call(job)
    if entry.modified is not None:
        when = entry.modified.timestamp()
        await target.runtime.in_thread(partial(os.utime, path, (when, when)))


def _make_parents(root: Path, path: Path) -> None:
    """Make the directories of a file; none of them may be a link, which could lead elsewhere."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        for folder in reversed(path.relative_to(root).parents[:-1]):
            place = root / folder
            place.mkdir(exist_ok=True)
            if place.is_symlink():
                raise InvalidRequestError(f"{place} is a link: nothing is written through it")
        if path.is_dir() and not path.is_symlink():
            raise InvalidRequestError(f"{path} is a directory")
    except OSError as error:
        raise InvalidRequestError(f"cannot write {path}: {error.strerror}") from error


async def _across(
    source: CloudSide, target: CloudSide, entry: Entry, transfer: TransferOptions, name: str
) -> None:
    """Copy through this machine, in memory, with type and metadata."""
    obj = await source.call(source.backend.get_object(source.container.name, entry.item.name))
    spec = ObjectSpec(
        target.prefix + name,
        str(obj.extra.get("content_type") or "application/octet-stream"),
        dict(obj.meta_data),
    )
    for tries in range(1, _TRIES + 1):
        content = Source(Body(_opener(source, obj), obj.size))
        try:
            await target.call(
                upload_object(target.backend, target.container, content, spec, transfer)
            )
        except ConnectionFailedError:
            # The content is not kept: what would be sent again must be fetched again.
            if tries == _TRIES:
                raise
        else:
            return


def _opener(source: CloudSide, obj: Object) -> Callable[[], Iterator[bytes] | AsyncIterator[bytes]]:
    if source.runtime.is_blocking:
        return partial(_pieces, source, obj)
    return partial(_pieces_async, source, obj)


def _pieces(source: CloudSide, obj: Object) -> Iterator[bytes]:
    """Yield an object's content, in the blocking API."""
    stream = run(source.call(open_object(source.backend, obj, None, None, _same(obj))))
    try:
        while piece := run(stream.read(_PIECE)):
            yield piece
    finally:
        run(stream.close())


async def _pieces_async(source: CloudSide, obj: Object) -> AsyncIterator[bytes]:
    """Yield an object's content, on asyncio."""
    stream = await source.call(open_object(source.backend, obj, None, None, _same(obj)))
    try:
        while piece := await stream.read(_PIECE):
            yield piece
    finally:
        await stream.close()


def _same(obj: Object) -> Condition | None:
    """Return a condition that the object is still what was looked at."""
    etag = obj.extra.get("etag")
    return Condition(etag) if etag else None
