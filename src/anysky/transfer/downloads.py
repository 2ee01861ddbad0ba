"""Download objects into files: in one stream, or in several ranges at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anysky.backend.storage import StorageBackend
from anysky.errors import ConflictError, ObjectHashMismatchError, PreconditionFailedError
from anysky.interruption import check
from anysky.model.storage import Condition, Object, ObjectVersion

from .digests import Checksum, checksum, combined, disagreement, quickest
from .meter import Meter
from .options import TransferOptions
from .sizes import range_size
from .streams import ContentStream, open_object
from .targets import Target, find_target

__all__ = ["download_object"]

_PIECE = 1024 * 1024
# What is written at once: a hop to a thread costs more than writing one piece.
_BATCH = 2 * 1024 * 1024
_JOINED = ("crc32c", "crc32")  # digests that those of the parts make up


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
        delete_on_failure: Whether what came before a failure is removed.

    Raises:
        InvalidRequestError: The file exists, or cannot be written.
        ObjectHashMismatchError: More, fewer or other bytes came.
        ConflictError: The object changed while it was read, twice.
    """
    path = find_target(destination, obj.name, overwrite=overwrite)
    try:
        await _download(backend, obj, path, options, start, end, overwrite, delete_on_failure)
    except PreconditionFailedError:
        latest = await _latest(backend, obj)
        try:
            await _download(
                backend, latest, path, options, start, end, overwrite, delete_on_failure
            )
        except PreconditionFailedError as error:
            raise ConflictError(
                f"the object {obj.name!r} changes again and again while it is read"
            ) from error


async def _download(
    backend: StorageBackend,
    obj: Object,
    path: Path,
    options: TransferOptions,
    start: int | None,
    end: int | None,
    overwrite: bool,
    delete_on_failure: bool,
) -> None:
    """Download an object, if it does not change meanwhile."""
    is_whole = start is None and end is None
    target = Target(path)
    saving = _Saving(backend, target, options)
    try:
        if is_whole and obj.size > options.threshold:
            await saving.in_ranges(await _identified(backend, obj))
        else:
            await saving.in_one_stream(obj, start, end)
        await backend.runtime.in_thread(partial(target.publish, overwrite=overwrite))
    finally:
        if delete_on_failure:
            target.discard()
        else:
            target.close()


async def _identified(backend: StorageBackend, obj: Object) -> Object:
    """Return an object with what tells that it is the same, and with its digests if there are."""
    if isinstance(obj, ObjectVersion) or ("etag" in obj.extra and "checksums" in obj.extra):
        return obj
    return await _latest(backend, obj)


async def _latest(backend: StorageBackend, obj: Object) -> Object:
    found = await backend.get_object(obj.container.name, obj.name)
    if found.size != obj.size:
        raise ObjectHashMismatchError(
            f"the object has {found.size} bytes in place of {obj.size}: it has changed"
        )
    return found


class _Saving:
    """One download.

    Args:
        backend: The provider.
        target: The file.
        options: How it is moved.
    """

    def __init__(self, backend: StorageBackend, target: Target, options: TransferOptions) -> None:
        self._backend = backend
        self._runtime = backend.runtime
        self._target = target
        self._options = options

    async def in_one_stream(self, obj: Object, start: int | None, end: int | None) -> None:
        """Save what comes in one stream, which the provider's backend checks at its end."""
        total = obj.size if start is None and end is None else None
        await self._runtime.in_thread(self._target.create)
        meter = Meter(obj.name, total, self._options, self._runtime)
        stream = await open_object(self._backend, obj, start, end)
        size = await self._fill(stream, 0, None, meter)
        if total is not None and size != total:
            raise ObjectHashMismatchError(f"{size} bytes came in place of {total}")
        if total is not None and stream.is_resumed:
            await self._compare(obj)

    async def in_ranges(self, obj: Object) -> None:
        """Save ranges of an object, several at once, which must all be of the same object."""
        if not (obj.extra.get("etag") or isinstance(obj, ObjectVersion)):
            await self.in_one_stream(obj, None, None)
            return
        await self._runtime.in_thread(partial(self._target.create, obj.size))
        meter = Meter(obj.name, obj.size, self._options, self._runtime)
        ranges = _Ranges(obj.size, range_size(obj.size, self._options.part_size))
        name = quickest(obj.extra.get("checksums") or {})
        seen: dict[int, tuple[str, int]] = {}
        count = self._options.concurrency
        jobs = [self._work(obj, ranges, name, seen, meter) for _ in range(count)]
        await self._runtime.gather(jobs, count, hasty=True)
        if name in _JOINED:
            found = combined(name, [seen[start] for start in sorted(seen)])
            _check_digest(obj, name, found)
        elif name is not None:
            await self._compare(obj)

    async def _work(
        self,
        obj: Object,
        ranges: _Ranges,
        name: str | None,
        seen: dict[int, tuple[str, int]],
        meter: Meter,
    ) -> None:
        """Fetch one range after the other until there is none left."""
        condition = Condition(obj.extra.get("etag"))
        while (span := ranges.next()) is not None:
            start, end = span
            digest = checksum(name) if name in _JOINED else None
            stream = await open_object(self._backend, obj, start, end, condition)
            size = await self._fill(stream, start, digest, meter)
            if size != end - start:
                raise ObjectHashMismatchError(f"{size} bytes came in place of {end - start}")
            if digest is not None:
                seen[start] = digest.hexdigest(), size

    async def _fill(
        self, stream: ContentStream, start: int, digest: Checksum | None, meter: Meter
    ) -> int:
        """Write a stream into the file from a place on; return how many bytes it had."""
        batch: list[bytes] = []
        size = written = 0
        try:
            while piece := await stream.read(_PIECE):
                await meter.pace(len(piece))
                batch.append(piece)
                size += len(piece)
                if size - written >= _BATCH:
                    await self._write(batch, start + written, digest)
                    meter.add(size - written)
                    batch, written = [], size
        finally:
            await stream.close()
        await self._write(batch, start + written, digest)
        meter.add(size - written)
        return size

    async def _write(self, batch: list[bytes], offset: int, digest: Checksum | None) -> None:
        def job() -> None:
            check()
            self._target.write(batch, offset)
            if digest is not None:
                for piece in batch:
                    digest.update(piece)

        if batch:
            await self._runtime.in_thread(job)

    async def _compare(self, obj: Object) -> None:
        """Read the file and compare it with a digest of the object, if one is known."""
        name = quickest(obj.extra.get("checksums") or {})
        if name is not None:
            found = await self._runtime.in_thread(partial(self._digest, name))
            _check_digest(obj, name, found)

    def _digest(self, name: str) -> str:
        seen = checksum(name)
        for piece in self._target.read(_PIECE):
            check()
            seen.update(piece)
        return seen.hexdigest()


class _Ranges:
    """Gives out ranges of an object; threads may share it."""

    def __init__(self, length: int, size: int) -> None:
        self._left = iter([(at, min(at + size, length)) for at in range(0, length, size)])

    def next(self) -> tuple[int, int] | None:
        """Return the next range; None after the last."""
        return next(self._left, None)


def _check_digest(obj: Object, name: str, found: str | None) -> None:
    why = disagreement({} if found is None else {name: found}, obj.extra["checksums"])
    if why:
        raise ObjectHashMismatchError(f"{obj.name}: of what came, {why}")
