"""Uploads in several parts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from anysky import deadlines
from anysky.backend.storage import StorageBackend
from anysky.errors import (
    CloudError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
)
from anysky.ledger import Ledger, unnoted
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    Part,
    PartLimits,
)
from anysky.transport.base import Body

from .digests import combined, disagreement, known_digests, quickest
from .meter import Meter
from .options import TransferOptions
from .sources import PartReader, Source, digest_of, memory_body

__all__ = ["InOrder", "Multipart", "Piece", "Slices", "Supply"]

_ABORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part that is to be sent.

    Attributes:
        number: Its place, from 1.
        offset: Where in the object it begins.
        size: Bytes.
        body: Its content.
        is_last: Whether the object ends with it.
    """

    number: int
    offset: int
    size: int
    body: Body
    is_last: bool


class Supply(Protocol):
    """Gives out the parts of some content, one after the other."""

    async def next(self) -> Piece | None:
        """Return the next part; None after the last."""
        ...


class Slices:
    """Parts of content that can be read anywhere.

    Args:
        source: The content.
        length: Bytes of it.
        size: Bytes of a part.
        start: Where the first part begins.
        number: The number of the first part.
    """

    def __init__(
        self, source: Source, length: int, size: int, start: int = 0, number: int = 1
    ) -> None:
        self._source, self._length, self._size = source, length, size
        self._offset, self._number = start, number

    async def next(self) -> Piece | None:
        """Return the next part; None after the last."""
        if self._offset >= self._length or self._source.slice is None:
            return None
        number, offset = self._number, self._offset
        size = min(self._size, self._length - offset)
        self._number, self._offset = number + 1, offset + size
        body = self._source.slice(offset, size)
        return Piece(number, offset, size, body, offset + size == self._length)


class InOrder:
    """Parts of content that comes only once.

    Args:
        reader: Cuts it.
        first: The pieces of the first part, which have been read already.
        limits: How many parts there may be.
    """

    def __init__(self, reader: PartReader, first: list[memoryview], limits: PartLimits) -> None:
        self._reader, self._limits = reader, limits
        self._first: list[memoryview] | None = first
        self._number, self._offset = 1, 0

    async def next(self) -> Piece | None:
        """Return the next part; None after the last.

        Raises:
            InvalidRequestError: There are more than the provider takes, or the source fails.
        """
        pieces, self._first = self._first, None
        if pieces is None:
            if self._reader.is_last:
                return None
            pieces = await self._reader.read()
        number, offset = self._number, self._offset
        if number > self._limits.count:
            raise InvalidRequestError(
                f"content of unknown length is longer than {offset} bytes, the most that goes in "
                f"{self._limits.count} parts of this size: ask for a larger part_size, or upload "
                "a file, whose length is known"
            )
        size = sum(map(len, pieces))
        self._number, self._offset = number + 1, offset + size
        return Piece(number, offset, size, memory_body(pieces), self._reader.is_last)


class Multipart:
    """One upload in parts.

    Args:
        backend: The provider.
        limits: How it takes parts.
        container: Where to put the object.
        spec: What it shall be.
        options: How it is moved.
        meter: Counts what has arrived.
        algorithm: The digest that each part is sent with; None for none.
        check: Raises if the source has changed.
    """

    def __init__(
        self,
        backend: StorageBackend,
        limits: PartLimits,
        container: Container,
        spec: ObjectSpec,
        options: TransferOptions,
        meter: Meter,
        algorithm: str | None,
        check: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._limits = limits
        self._runtime = backend.runtime
        self._container = container
        self._spec = spec
        self._options = options
        self._meter = meter
        self._algorithm = algorithm
        self._check = check
        self._digests: dict[int, dict[str, str]] = {}
        self._lock = backend.runtime.lock()

    async def put(self, supply: Supply) -> Object:
        """Send all parts and put them together; nothing of it stays if that fails."""
        begun: MultipartUpload | None = None

        async def begin_multipart_upload() -> MultipartUpload:
            nonlocal begun
            begun = await self._backend.begin_multipart_upload(self._container, self._spec)
            return begun

        async with self._backend.ledger("upload_object") as ledger:
            try:
                # A cancellation that came meanwhile goes on when the upload is noted.
                begun = await ledger.step(self.what, begin_multipart_upload())
                parts = await self.send_all(begun, supply, {})
                stored = await self.complete(begun, parts)
            except BaseException as error:
                if begun is not None:
                    await self._runtime.finish(self.abort(ledger, begun, error))
                raise
            ledger.forget(begun)
        return stored

    @property
    def what(self) -> str:
        """What is made, for people."""
        return f"multipart upload of {self._spec.name}"

    async def send_all(
        self, upload: MultipartUpload, supply: Supply, there: Mapping[int, Part]
    ) -> list[Part]:
        """Send parts, several at once, and return all of them in their order.

        Args:
            upload: What they belong to.
            supply: The parts.
            there: Those that are stored already, by their numbers.
        """
        in_order = self._limits.in_order
        count = 1 if in_order else self._options.concurrency
        stored: dict[int, Part] = {}
        jobs = [self._work(upload, supply, there, stored) for _ in range(count)]
        with unnoted():  # nobody sees parts until they are put together
            await self._runtime.gather(jobs, count, hasty=True)
        return [stored[number] for number in sorted(stored)]

    def count(self, size: int) -> None:
        """Count bytes that an earlier try has sent."""
        self._meter.add(size)

    async def complete(self, upload: MultipartUpload, parts: Sequence[Part]) -> Object:
        """Put the parts together."""
        self._check()
        whole = self._whole_digest(parts)
        spec = replace(self._spec, checksums={**whole, **self._spec.checksums})
        stored = await self._backend.complete_multipart_upload(upload, parts, spec)
        size = sum(part.size for part in parts)
        why = disagreement(whole, known_digests(stored, ""))
        if stored.size != size:
            why = f"it has {stored.size} bytes in place of {size}"
        if why:
            raise ObjectHashMismatchError(f"{stored.name}: {why}")
        return stored

    async def abort(self, ledger: Ledger, upload: MultipartUpload, error: BaseException) -> None:
        """Delete what was uploaded of an upload that failed; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS), unnoted(), suppress(NotFoundError):
                await self._backend.abort_multipart_upload(upload)
        except CloudError as second:
            error.add_note(
                f"parts of the upload {upload.upload_id} are still stored, because ending it "
                f"failed: {second.message}"
            )
        else:
            ledger.forget(upload)

    async def _work(
        self,
        upload: MultipartUpload,
        supply: Supply,
        there: Mapping[int, Part],
        stored: dict[int, Part],
    ) -> None:
        """Send one part after the other until there is none left."""
        while True:
            async with self._lock:
                piece = await supply.next()
            if piece is None:
                return
            part = there.get(piece.number)
            if part is None or not await self._is_stored(piece, part):
                part = await self._send(upload, piece)
            stored[piece.number] = part
            self._meter.add(piece.size)

    async def _send(self, upload: MultipartUpload, piece: Piece) -> Part:
        ours: dict[str, str] = {}
        if self._algorithm is not None:
            ours[self._algorithm] = await self._digest(piece, self._algorithm)
        part = await self._backend.upload_part(
            upload,
            piece.number,
            piece.offset,
            self._meter.paced(piece.body),
            is_last=piece.is_last,
            checksums=ours,
        )
        why = disagreement(ours, part.checksums)
        if why:
            raise ObjectHashMismatchError(f"{upload.name}: part {piece.number}: {why}")
        return part

    async def _digest(self, piece: Piece, name: str) -> str:
        digest = await self._runtime.in_thread(partial(digest_of, piece.body, name))
        self._digests.setdefault(piece.number, {})[name] = digest
        return digest

    async def _is_stored(self, piece: Piece, part: Part) -> bool:
        """Whether a part of an earlier try is what it should be."""
        if part.size != piece.size:
            return False
        name = self._algorithm
        if name is None or name not in part.checksums:
            name = quickest(part.checksums)
        if name is None:
            return True  # the source is the same, and the size is right
        digest = await self._digest(piece, name)
        return not disagreement({name: digest}, part.checksums)

    def _whole_digest(self, parts: Sequence[Part]) -> dict[str, str]:
        """Return the digest of all content, if it can be put together from those of the parts."""
        name = self._algorithm
        if name is None or any(name not in self._digests.get(one.number, {}) for one in parts):
            return {}
        digest = combined(name, [(self._digests[part.number][name], part.size) for part in parts])
        return {} if digest is None else {name: digest}
