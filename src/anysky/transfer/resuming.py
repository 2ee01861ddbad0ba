"""Uploads that go on where an earlier try, perhaps of a process that was killed, has ended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, cast

from anysky.backend.storage import StorageBackend
from anysky.errors import (
    CloudError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)
from anysky.ledger import unnoted
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    Part,
    PartLimits,
)

from .cleaning import all_uploads
from .digests import checksum, disagreement, known_digests, quickest
from .multipart import Multipart, Slices
from .records import Record, name_of, own_folder
from .sources import FileMark, Source, digest_of
from .streams import open_object

__all__ = ["ResumableUpload"]

_PIECE = 1024 * 1024
_READ_BACK = "crc32"
_PATIENCE, _FIRST_WAIT = 8.0, 0.25
# After these the same upload would fail again: what is there of it is of no use.
_HOPELESS = (
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)


@dataclass(slots=True)
class _Earlier:
    """What an earlier try has left.

    Attributes:
        upload: The upload.
        part_size: Bytes of its parts.
        parts: Those that are stored, by their numbers.
    """

    upload: MultipartUpload
    part_size: int
    parts: dict[int, Part] = field(default_factory=dict[int, Part])


class ResumableUpload:
    """One upload of a file that may be gone on with.

    Args:
        backend: The provider.
        limits: How it takes parts.
        container: Where to put the object.
        source: The file.
        mark: What tells it from one that has changed.
        spec: What the object shall be.
    """

    def __init__(
        self,
        backend: StorageBackend,
        limits: PartLimits,
        container: Container,
        source: Source,
        mark: FileMark,
        spec: ObjectSpec,
    ) -> None:
        self._backend = backend
        self._runtime = backend.runtime
        self._limits = limits
        self._container = container
        self._source = source
        self._mark = mark
        self._spec = spec

    async def put(self, parts: Multipart, size: int) -> Object:
        """Send what is not there yet, and put it together; what was sent stays after a failure.

        Args:
            parts: Sends it.
            size: Bytes of a part of a new upload.

        Raises:
            ConflictError: The same upload is under way, here or in another process.
            PartialFailureError: What was sent is kept, for another try.
        """
        record = self._record()
        try:
            await self._to_end(record.open)
            earlier = await self._earlier(record)
            if earlier is None and record.latest("completing"):
                stored = await self._completed()
                if stored is not None:
                    record.remove()
                    return stored
            return await self._send(parts, record, earlier, size)
        finally:
            record.close()

    async def _to_end(self, function: Callable[[], None]) -> None:
        """Run what writes: a thread that has begun it must not go on with a file that is closed."""
        await self._runtime.finish(self._runtime.in_thread(function))

    def _record(self) -> Record:
        backend = self._backend
        where = type(backend).__qualname__, backend.connection.endpoint
        name = name_of(*where, self._container.name, self._spec.name, self._mark.path)
        return Record(own_folder(backend.runtime.environ) / f"{name}.anysky-upload")

    def _subject(self) -> dict[str, Any]:
        """Return what the upload is; another one begins anew."""
        spec = hashlib.sha256(repr(self._spec).encode("utf-8", "surrogatepass"))
        return {
            "upload": self._spec.name,
            "container": self._container.name,
            "endpoint": self._backend.connection.endpoint,
            "source": asdict(self._mark),
            "spec": spec.hexdigest(),
        }

    # -- what is there already -------------------------------------------------------------------

    async def _earlier(self, record: Record) -> _Earlier | None:
        """Return what an earlier try has left; end it if it was of another content."""
        earlier = _read(record.latest("begun"), self._container, self._spec.name)
        if record.subject != self._subject():
            record.entries.clear()
            if earlier is not None:
                with unnoted(), suppress(CloudError):
                    await self._backend.abort_multipart_upload(earlier.upload)
            return None
        if earlier is None:
            return None
        try:
            found = await self._backend.list_parts(earlier.upload)
        except NotFoundError:
            return None
        earlier.parts = {part.number: part for part in found}
        return earlier

    async def _completed(self) -> Object | None:
        """Return the object if an earlier try has made it, and was killed before it knew.

        The provider may be at it still, so that it is looked for several times.
        """
        end, wait = self._runtime.now() + _PATIENCE, _FIRST_WAIT
        while True:
            stored = await self._same_object()
            if stored is not None or self._runtime.now() + wait > end:
                return stored
            await self._runtime.sleep(wait)
            wait *= 2

    async def _same_object(self) -> Object | None:
        """Return the object if it has the content of the file."""
        try:
            found = await self._backend.get_object(self._container.name, self._spec.name)
        except NotFoundError:
            return None
        if found.size != self._mark.size:
            return None
        theirs = known_digests(found, self._backend.hash_type)
        name = quickest(theirs) or _READ_BACK
        if name not in theirs:
            theirs = {name: await self._read_back(found, name)}
        ours = await self._runtime.in_thread(partial(digest_of, self._source.body, name))
        return None if disagreement({name: ours}, theirs) else found

    async def _read_back(self, obj: Object, name: str) -> str:
        """Return a digest of what is stored, where the provider tells none."""
        seen = checksum(name)
        stream = await open_object(self._backend, obj, None, None)
        try:
            while piece := await stream.read(_PIECE):
                await self._runtime.in_thread(partial(seen.update, piece))
        finally:
            await stream.close()
        return seen.hexdigest()

    async def _end_unknown(self, record: Record) -> None:
        """End the upload of a try that was killed before it knew its id.

        It has no parts, and was not there before that try.
        """
        before = record.latest("before")
        if record.latest("begun") is not None or not isinstance(before, list):
            return
        new = [one for one in await self._begun() or [] if one not in before]
        if len(new) == 1:
            upload = MultipartUpload(self._container, self._spec.name, new[0])
            with unnoted(), suppress(CloudError):
                if not await self._backend.list_parts(upload):
                    await self._backend.abort_multipart_upload(upload)

    async def _begun(self) -> list[str] | None:
        """Return the ids of all uploads of this name; None if they cannot be listed."""
        name = self._spec.name
        try:
            found = await all_uploads(self._backend, self._container, name)
        except CloudError:
            return None
        return [one.upload_id for one in found if one.name == name]

    # -- going on --------------------------------------------------------------------------------

    async def _send(
        self, parts: Multipart, record: Record, earlier: _Earlier | None, size: int
    ) -> Object:
        async with self._backend.ledger("upload_object") as ledger:
            if earlier is None:
                await self._end_unknown(record)
                subject, before = self._subject(), {"before": await self._begun()}
                await self._to_end(partial(record.begin, subject))
                await self._to_end(partial(record.add, before))
                make = self._backend.begin_multipart_upload(self._container, self._spec)
                earlier = _Earlier(await ledger.step(parts.what, make), size)
                await self._to_end(partial(record.add, {"begun": _written(earlier)}))
            else:
                undo = self._backend.abort_multipart_upload
                await ledger.step(parts.what, _known(earlier.upload), undo=undo)
            try:
                stored = await self._finish(parts, record, earlier)
            except BaseException as error:
                if isinstance(error, _HOPELESS):
                    await self._runtime.finish(parts.abort(ledger, earlier.upload, error))
                    record.remove()
                raise
            ledger.forget(earlier.upload)
            record.remove()
        return stored

    async def _finish(self, parts: Multipart, record: Record, earlier: _Earlier) -> Object:
        if self._limits.in_order:
            sent = await self._send_rest(parts, earlier)
        else:
            supply = Slices(self._source, self._mark.size, earlier.part_size)
            sent = await parts.send_all(earlier.upload, supply, earlier.parts)
        await self._to_end(partial(record.add, {"completing": True}))
        try:
            return await parts.complete(earlier.upload, sent)
        except CloudError:
            # What a killed process asked for may be done only now.
            stored = await self._completed() if await self._is_gone(earlier.upload) else None
            if stored is None:
                raise
            return stored

    async def _is_gone(self, upload: MultipartUpload) -> bool:
        try:
            await self._backend.list_parts(upload)
        except NotFoundError:
            return True
        except CloudError:
            pass
        return False

    async def _send_rest(self, parts: Multipart, earlier: _Earlier) -> list[Part]:
        """Send what follows the parts that are there, whatever their sizes."""
        there = [earlier.parts[number] for number in sorted(earlier.parts)]
        start = sum(part.size for part in there)
        number = there[-1].number + 1 if there else 1
        parts.count(start)
        supply = Slices(self._source, self._mark.size, earlier.part_size, start, number)
        return there + await parts.send_all(earlier.upload, supply, {})


async def _known(upload: MultipartUpload) -> MultipartUpload:
    """Stand for the step that has begun an upload."""
    return upload


def _written(earlier: _Earlier) -> dict[str, Any]:
    upload = earlier.upload
    return {"id": upload.upload_id, "extra": upload.extra, "part_size": earlier.part_size}


def _read(begun: Any, container: Container, name: str) -> _Earlier | None:
    """Read what `_written` wrote; None if it is not that."""
    if not isinstance(begun, dict):
        return None
    begun = cast("dict[str, Any]", begun)
    upload_id, extra, size = begun.get("id"), begun.get("extra"), begun.get("part_size")
    if not isinstance(upload_id, str) or not isinstance(extra, dict) or not isinstance(size, int):
        return None
    known = cast("dict[str, Any]", extra)
    return _Earlier(MultipartUpload(container, name, upload_id, None, known), size)
