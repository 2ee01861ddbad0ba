"""Upload content: in one request, or in several parts at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from functools import partial

from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidRequestError, ObjectHashMismatchError
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.runtime.base import Runtime
from anysky.transport.base import Body

from .digests import best, checksum, disagreement, known_digests
from .meter import Meter
from .multipart import InOrder, Multipart, Slices
from .options import TransferOptions
from .resuming import ResumableUpload
from .sizes import part_size
from .sources import PartReader, Source, digest_of, memory_body

__all__ = ["upload_object"]

# Hashing more than this would hold up an event loop for longer than a hop to a thread takes.
_LARGE = 256 * 1024


async def upload_object(
    backend: StorageBackend,
    container: Container,
    source: Source,
    spec: ObjectSpec,
    options: TransferOptions,
    *,
    verify: bool = True,
) -> Object:
    """Store content as an object, replacing one of the same name.

    Content beyond the threshold, and such of unknown length that is longer than a part, goes in
    parts where the provider takes these. Of content that comes only once, one part for each worker
    is held in memory; of files nothing is. An upload in parts that fails is ended, so that nothing
    of it stays, unless it can be and shall be resumed: then `PartialFailureError` tells of it.

    Args:
        backend: The provider.
        container: Where to put it.
        source: The content.
        spec: What the object shall be.
        options: How it is moved.
        verify: Whether digests are sent along, and compared with what the provider answers.

    Raises:
        InvalidRequestError: The source fails, has changed, or is too large for the provider.
        ObjectHashMismatchError: The provider has other bytes.
        PartialFailureError: Parts of it are still stored.
    """
    limits, length, runtime = backend.parts, source.body.length, backend.runtime
    meter = Meter(spec.name, length, options, runtime)
    whole = _Whole(backend, container, source, spec, meter, verify)
    if limits is None:
        return await whole.put(source.body)
    size = part_size(length, limits, options.part_size)
    if length is not None and length <= min(max(options.threshold, size), limits.whole):
        return await whole.put(source.body)
    algorithm = best(backend.checksums) if verify else None
    parts = Multipart(backend, limits, container, spec, options, meter, algorithm, source.check)
    if source.mark is not None and options.resume and backend.supports("list_parts"):
        resumable = ResumableUpload(backend, limits, container, source, source.mark, spec)
        return await resumable.put(parts, size)
    if source.slice is not None and length is not None:
        return await parts.put(Slices(source, length, size))
    reader = PartReader(source.body, size, runtime)
    try:
        first = await reader.read()
        if reader.is_last:
            return await whole.put(memory_body(first))
        supply = InOrder(reader, first, limits)
        del first  # it is 8 MiB or more, and sent soon
        return await parts.put(supply)
    finally:
        await reader.close()


class _Whole:
    """Sends everything in one request."""

    def __init__(
        self,
        backend: StorageBackend,
        container: Container,
        source: Source,
        spec: ObjectSpec,
        meter: Meter,
        verify: bool,
    ) -> None:
        self._backend = backend
        self._container = container
        self._source = source
        self._spec = spec
        self._meter = meter
        self._verify = verify

    async def put(self, body: Body) -> Object:
        """Send a body: the source's, or what was read of it.

        A digest is sent ahead where the body can be read twice. An MD5, which costs more than all
        else, is rather taken on the way, and compared with the one in the answer.
        """
        if body.length is None and not self._backend.supports_chunked_encoding:
            raise InvalidRequestError(
                "this provider must know beforehand how long the content is: give bytes or a file"
            )
        name = best(self._backend.checksums) if self._verify else None
        ahead: dict[str, str] = {}
        if name is not None and name != "md5" and body.replayable:
            ahead[name] = await self._digest(body, name)
        on_the_way = "" if ahead or name is None else self._name_on_the_way(name)
        seen = _Hashed(body, on_the_way, self._backend.runtime)
        spec = replace(self._spec, checksums={**ahead, **self._spec.checksums})
        sent = self._meter.paced(seen.body if on_the_way else body)
        try:
            stored = await self._backend.upload_object(self._container, sent, spec)
            if self._verify:
                await self._compare(stored, {**ahead, **seen.digests}, body)
        except ObjectHashMismatchError:
            self._source.check()  # if that has changed, say so
            raise
        self._meter.add(stored.size if body.length is None else body.length)
        return stored

    def _name_on_the_way(self, name: str) -> str:
        return "md5" if self._backend.hash_type == "md5" else name

    async def _compare(self, stored: Object, ours: Mapping[str, str], body: Body) -> None:
        """Compare with what the provider says of the whole content.

        An MD5 is computed for it where nothing else can be compared.
        """
        theirs = known_digests(stored, self._backend.hash_type)
        if not ours.keys() & theirs.keys() and "md5" in theirs and body.replayable:
            ours = {"md5": await self._digest(body, "md5")}
        why = disagreement(ours, theirs)
        if why:
            raise ObjectHashMismatchError(f"{stored.name}: {why}")

    async def _digest(self, body: Body, name: str) -> str:
        if (body.length or 0) <= _LARGE:
            return digest_of(body, name)
        return await self._backend.runtime.in_thread(partial(digest_of, body, name))


class _Hashed:
    """Takes the digest of a body while it is sent.

    Args:
        body: What is sent.
        name: The digest.
        runtime: Hashes large pieces.

    Attributes:
        body: What to send in its place.
    """

    def __init__(self, body: Body, name: str, runtime: Runtime) -> None:
        self._inner = body
        self._name = name
        self._runtime = runtime
        self._seen = checksum(name) if name else None
        self.body = Body(self._open, body.length, body.replayable)

    @property
    def digests(self) -> dict[str, str]:
        """What it found, in hex, by its name."""
        return {} if self._seen is None else {self._name: self._seen.hexdigest()}

    def _open(self) -> Iterator[bytes] | AsyncIterator[bytes]:
        self._seen = checksum(self._name)
        pieces = self._inner.open()
        return self._later(pieces) if isinstance(pieces, AsyncIterator) else self._plain(pieces)

    def _plain(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self._seen is not None:
                self._seen.update(piece)
            yield piece

    async def _later(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            if self._seen is not None and len(piece) > _LARGE:
                await self._runtime.in_thread(partial(self._seen.update, piece))
            elif self._seen is not None:
                self._seen.update(piece)
            yield piece
