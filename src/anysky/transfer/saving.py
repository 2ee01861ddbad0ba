"""Write content into a file: one stream, or several ranges at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from anysky.backend.storage import StorageBackend
from anysky.errors import ObjectHashMismatchError
from anysky.interruption import check
from anysky.model.storage import Condition, Object
from anysky.runtime.locks import ForkLock

from .digests import Checksum, checksum, combined, disagreement, quickest
from .meter import Meter
from .options import TransferOptions
from .records import Record
from .streams import ContentStream, open_object
from .targets import Target

__all__ = ["Ranges", "Saving", "joined_digest"]

_PIECE = 1024 * 1024
# What is written at once: a hop to a thread costs more than writing one piece.
_BATCH = 2 * 1024 * 1024
_JOINED = ("crc32c", "crc32")  # digests that those of the parts make up


def joined_digest(obj: Object) -> str | None:
    """Return the cheapest digest of an object that those of its ranges make up."""
    name = quickest(obj.extra.get("checksums") or {})
    return name if name in _JOINED else None


class Ranges:
    """Gives out the ranges of an object, and keeps what became of them; threads may share it.

    Args:
        length: Bytes of the object.
        size: Bytes of a range.
        algorithm: The digest that is taken of each; None for none.
        record: Where ranges that are on disk are written down, or None.
    """

    def __init__(
        self, length: int, size: int, algorithm: str | None, record: Record | None = None
    ) -> None:
        self.algorithm = algorithm
        self._record = record
        self._digests: dict[int, tuple[str, int]] = {}
        if record is not None:
            self._take_over(record)
        spans = [(start, min(start + size, length)) for start in range(0, length, size)]
        self._left = iter([span for span in spans if span[0] not in self._digests])
        self._lock = ForkLock()

    @property
    def size_of_done(self) -> int:
        """Bytes of all ranges that are on disk."""
        return sum(size for _, size in self._digests.values())

    def next(self) -> tuple[int, int] | None:
        """Return the first byte of the next range and the byte after it; None after the last."""
        with self._lock:
            return next(self._left, None)

    def done(self, start: int, end: int, digest: str, target: Target) -> None:
        """Note that a range has been written; it is on disk when this returns, if it must be."""
        if self._record is not None:
            target.sync()
            self._record.add({"start": start, "end": end, "digest": digest})
        self._digests[start] = digest, end - start

    def digest(self) -> str | None:
        """Return the digest of all ranges together; None if there is none."""
        if self.algorithm is None:
            return None
        return combined(self.algorithm, [self._digests[one] for one in sorted(self._digests)])

    def _take_over(self, record: Record) -> None:
        for entry in record.entries:
            start, end, digest = entry.get("start"), entry.get("end"), entry.get("digest")
            if isinstance(start, int) and isinstance(end, int) and isinstance(digest, str):
                self._digests[start] = digest, end - start


class Saving:
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
        meter = Meter(obj.name, total, self._options, self._runtime)
        stream = await open_object(self._backend, obj, start, end)
        size = await self._fill(stream, 0, None, meter)
        if total is not None and size != total:
            raise ObjectHashMismatchError(f"{size} bytes came in place of {total}")
        if total is not None and stream.is_resumed:
            await self._compare(obj)

    async def in_ranges(self, obj: Object, ranges: Ranges) -> None:
        """Save ranges of an object, several at once, which must all be of the same object.

        Raises:
            PreconditionFailedError: It has changed.
        """
        meter = Meter(obj.name, obj.size, self._options, self._runtime)
        meter.add(ranges.size_of_done)
        count = self._options.concurrency
        jobs = [self._work(obj, ranges, meter) for _ in range(count)]
        await self._runtime.gather(jobs, count, hasty=True)
        found = ranges.digest()
        if found is not None and ranges.algorithm is not None:
            _check_digest(obj, ranges.algorithm, found)
        else:
            await self._compare(obj)

    async def _work(self, obj: Object, ranges: Ranges, meter: Meter) -> None:
        """Fetch one range after the other until there is none left."""
        condition = Condition(obj.extra.get("etag"))
        while (span := ranges.next()) is not None:
            start, end = span
            digest = None if ranges.algorithm is None else checksum(ranges.algorithm)
            stream = await open_object(self._backend, obj, start, end, condition)
            size = await self._fill(stream, start, digest, meter)
            if size != end - start:
                raise ObjectHashMismatchError(f"{size} bytes came in place of {end - start}")
            found = "" if digest is None else digest.hexdigest()
            await self._to_end(partial(ranges.done, start, end, found, self._target))

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
            await self._to_end(job)

    async def _to_end(self, function: Callable[[], None]) -> None:
        """Run what writes: a thread that has begun it must not go on with a file that is closed."""
        await self._runtime.finish(self._runtime.in_thread(function))

    async def _compare(self, obj: Object) -> None:
        """Read the file and compare it with a digest of the object, if one is known."""
        name = quickest(obj.extra.get("checksums") or {})
        if name is not None:
            await self._to_end(partial(self._check_file, obj, name))

    def _check_file(self, obj: Object, name: str) -> None:
        seen = checksum(name)
        for piece in self._target.read(_PIECE):
            check()
            seen.update(piece)
        _check_digest(obj, name, seen.hexdigest())


def _check_digest(obj: Object, name: str, found: str | None) -> None:
    why = disagreement({} if found is None else {name: found}, obj.extra["checksums"])
    if why:
        raise ObjectHashMismatchError(f"{obj.name}: of what came, {why}")
