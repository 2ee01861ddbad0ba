"""Download objects into files: in one stream, or in several ranges at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from anysky.backend.storage import StorageBackend
from anysky.errors import (
    ConflictError,
    NotFoundError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)
from anysky.model.storage import Object, ObjectVersion

from .options import TransferOptions
from .records import Record, name_of
from .saving import Ranges, Saving, joined_digest
from .sizes import range_size
from .targets import Target, check_free, find_target

__all__ = ["download_object"]

# After these what is on disk is of no use.
_HOPELESS = (NotFoundError, ObjectHashMismatchError, PreconditionFailedError)


async def download_object(
    backend: StorageBackend,
    obj: Object,
    destination: Path,
    options: TransferOptions,
    *,
    start: int | None = None,
    end: int | None = None,
    overwrite: bool = False,
    delete_on_failure: bool = True,
) -> None:
    """Save an object, or a range of it, under a temporary name; check it; give it its name.

    An object beyond the threshold comes in several ranges at once. What comes goes on where a
    broken line has left it. A file that is replaced stays as it is until all has come.

    Args:
        backend: The provider.
        obj: The object.
        destination: File to make, or a directory for a file named as the last part of the name.
        options: How it is moved.
        start: First byte; None for the whole.
        end: Byte before which to stop; None for the object's end.
        overwrite: Whether a file that is there already is replaced.
        delete_on_failure: Whether what came before a failure is removed; what can be resumed,
            and shall be, stays.

    Raises:
        InvalidRequestError: The file exists, or cannot be written.
        ObjectHashMismatchError: More, fewer or other bytes came.
        ConflictError: The object changed while it was read, twice; or the same download is under
            way.
    """
    path = find_target(destination, obj.name)
    if not options.resume:
        check_free(path, overwrite=overwrite)
    download = _Download(backend, path, options, overwrite, delete_on_failure)
    if start is not None or end is not None or obj.size <= options.threshold:
        await _twice(lambda one: download.in_one_stream(one, start, end), backend, obj)
        return
    obj = await _identified(backend, obj)
    if not (obj.extra.get("etag") or isinstance(obj, ObjectVersion)):
        await download.in_one_stream(obj, None, None)
    elif options.resume:
        await _twice(download.resumed, backend, obj)
    else:
        await _twice(download.in_ranges, backend, obj)


async def _twice(
    attempt: Callable[[Object], Coroutine[Any, Any, None]], backend: StorageBackend, obj: Object
) -> None:
    """Download an object, and once more from the beginning if it changes meanwhile."""
    try:
        await attempt(obj)
    except PreconditionFailedError:
        latest = await _latest(backend, obj)
        try:
            await attempt(latest)
        except PreconditionFailedError as error:
            raise ConflictError(
                f"the object {obj.name!r} changes again and again while it is read"
            ) from error


async def _identified(backend: StorageBackend, obj: Object) -> Object:
    """Return an object with what tells that it is the same, and with its digests if there are."""
    if isinstance(obj, ObjectVersion) or ("etag" in obj.extra and "checksums" in obj.extra):
        return obj
    return await _latest(backend, obj)


async def _latest(backend: StorageBackend, obj: Object) -> Object:
    found = await backend.get_object(obj.container.name, obj.name)
    if found.size != obj.size:
        raise ObjectHashMismatchError(
            f"{obj.name}: the object has {found.size} bytes in place of {obj.size} by now"
        )
    return found


class _Download:
    """One download.

    Args:
        backend: The provider.
        path: The file to make.
        options: How it is moved.
        overwrite: Whether a file that is there already is replaced.
        delete_on_failure: Whether what came before a failure is removed.
    """

    def __init__(
        self,
        backend: StorageBackend,
        path: Path,
        options: TransferOptions,
        overwrite: bool,
        delete_on_failure: bool,
    ) -> None:
        self._backend = backend
        self._runtime = backend.runtime
        self._path = path
        self._options = options
        self._overwrite = overwrite
        self._delete_on_failure = delete_on_failure

    async def in_one_stream(self, obj: Object, start: int | None, end: int | None) -> None:
        """Save what comes in one stream."""
        target = Target(self._path)
        saving = Saving(self._backend, target, self._options)
        await self._publish_or_discard(target, None, saving.in_one_stream(obj, start, end))

    async def in_ranges(self, obj: Object) -> None:
        """Save several ranges at once."""
        target = Target(self._path)
        saving = Saving(self._backend, target, self._options)
        ranges = Ranges(obj.size, self._range_size(obj), joined_digest(obj))
        await self._publish_or_discard(target, obj.size, saving.in_ranges(obj, ranges))

    async def _publish_or_discard(
        self, target: Target, size: int | None, job: Coroutine[Any, Any, None]
    ) -> None:
        """Make the file, fill it, and give it its name."""
        try:
            check_free(self._path, overwrite=self._overwrite)
            await self._to_end(partial(target.create, size))
            await job
            await self._to_end(partial(target.publish, overwrite=self._overwrite))
        finally:
            job.close()
            if self._delete_on_failure:
                target.discard()
            else:
                target.close()

    # -- resuming --------------------------------------------------------------------------------

    async def resumed(self, obj: Object) -> None:
        """Save the ranges that an earlier try has not saved."""
        record = Record(self._beside("state"))
        target = Target(self._path, self._beside("part"))
        try:
            await self._to_end(record.open)
            subject = self._subject(obj)
            if record.subject == subject and self._is_published(record):
                target.discard()
                record.remove()
                return
            await self._to_end(partial(self._prepare, target, record, subject, obj.size))
            await self._resume(obj, target, record)
        finally:
            target.close()
            record.close()

    async def _resume(self, obj: Object, target: Target, record: Record) -> None:
        saving = Saving(self._backend, target, self._options)
        ranges = Ranges(obj.size, self._range_size(obj), joined_digest(obj), record)
        try:
            await saving.in_ranges(obj, ranges)
            await self._to_end(partial(self._publish, target, record))
        except _HOPELESS:
            target.discard()
            record.remove()
            raise
        record.remove()

    async def _to_end(self, function: Callable[[], None]) -> None:
        """Run what writes: a thread that has begun it must not go on with a file that is closed."""
        await self._runtime.finish(self._runtime.in_thread(function))

    def _prepare(self, target: Target, record: Record, subject: dict[str, Any], size: int) -> None:
        """Open the file of an earlier try, or make a new one."""
        is_new = record.subject is None
        try:
            check_free(self._path, overwrite=self._overwrite)
            if record.subject == subject and target.reopen(size):
                return
            target.discard()
            record.begin(subject)
            target.create(size)
        except BaseException:
            if is_new:
                record.remove()
            raise

    def _publish(self, target: Target, record: Record) -> None:
        target.sync()
        record.add({"published": _identity(target.status())})
        target.publish(overwrite=self._overwrite)

    def _is_published(self, record: Record) -> bool:
        """Whether an earlier try has come to its end, and was killed before it knew."""
        try:
            return bool(record.latest("published") == _identity(self._path.lstat()))
        except OSError:
            return False

    def _beside(self, kind: str) -> Path:
        return self._path.with_name(f".anysky.{name_of(self._path.name)}.{kind}")

    def _subject(self, obj: Object) -> dict[str, Any]:
        """Return what the download is; another one begins anew."""
        return {
            "download": obj.name,
            "container": obj.container.name,
            "endpoint": self._backend.connection.endpoint,
            "version": obj.version_id if isinstance(obj, ObjectVersion) else None,
            "etag": obj.extra.get("etag"),
            "size": obj.size,
            "range_size": self._range_size(obj),
            "digest": joined_digest(obj),
        }

    def _range_size(self, obj: Object) -> int:
        return range_size(obj.size, self._options.part_size)


def _identity(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
