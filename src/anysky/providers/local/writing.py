"""Write objects, copies and parts: in steps, so that a call that is cancelled ends soon."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec, Part
from anysky.runtime.base import Runtime
from anysky.transport.base import Body

from . import objects, uploads
from .containers import Root
from .drafts import BATCH, DIGESTS, Digests, Draft, Sink, copy_bytes, verify, wanted_digests
from .facts import Facts, Known, write_facts
from .streams import check_in_time
from .threads import finished

__all__ = ["Writer"]

T = TypeVar("T")

_COMPUTED = ("sha256", "md5")  # the quickest, and the one that every service tells


class Writer:
    """Writes objects.

    Args:
        root: Where the containers are.
        runtime: Runs what blocks.
        fsync: Whether what is written is on disk at the end.
    """

    def __init__(self, root: Root, runtime: Runtime, *, fsync: bool) -> None:
        self._root = root
        self._runtime = runtime
        self._fsync = fsync

    async def store(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object; see `StorageBackend.upload_object`."""
        wanted = wanted_digests(spec.checksums, spec.md5)
        draft = Draft(self._root, container.name, {*_COMPUTED, *wanted})
        publish = partial(self._publish, draft, container, spec, wanted, body.length)
        if body.length is not None and body.length <= BATCH:
            pieces = body.open()
            if not isinstance(pieces, AsyncIterator):
                return await self._run(partial(_at_once, draft, pieces, publish))
        try:
            await self._run(draft.begin)
            await self._fill(draft.sink, body)
            return await self._run(publish)
        finally:
            await self._run(draft.close)

    async def copy(
        self, source: Object, container: Container, name: str, given: Mapping[str, Any]
    ) -> Object:
        """Copy an object, with some of its facts changed; see `StorageBackend.copy_object`."""
        opened = objects.Opened(self._root, source.container.name, source.name)
        draft = Draft(self._root, container.name, ())
        try:
            await self._run(opened.open)
            await self._run(draft.begin)
            size = opened.known.status.st_size
            await self._copy_bytes(opened.file, 0, size, draft, 0)

            def publish() -> Known:
                opened.check_unchanged()
                facts = opened.known.facts or Facts("", objects.type_of(source.name))
                facts = replace(facts, etag=_token(), **given)
                return draft.publish(name, facts, None, fsync=self._fsync)

            return objects.make_object(container, name, await self._run(publish))
        finally:
            await self._run(draft.close)
            await self._run(opened.close)

    async def write_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,
        body: Body,
        checksums: Mapping[str, str],
    ) -> Part:
        """Write a part to its place; see `StorageBackend.upload_part`."""
        wanted = wanted_digests(checksums)
        opened = uploads.Upload(self._root, upload)
        try:
            await self._run(opened.open)
            digests = wanted or DIGESTS[:1]
            sink = await self._run(partial(opened.sink, number, offset, digests))
            await self._fill(sink, body)
            sink.check_length(body.length)
            verify(sink.checksums(), wanted)
            return await self._run(partial(opened.add, number, offset, sink, fsync=self._fsync))
        finally:
            await self._run(opened.close)

    async def complete(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the object of parts; see `StorageBackend.complete_multipart_upload`."""
        opened = uploads.Upload(self._root, upload)
        try:
            await self._run(opened.open)
            pieces = await self._run(partial(opened.chosen, parts))
            if await self._run(partial(opened.is_all, pieces)):
                known = await self._rename(opened, upload.name, spec)
            else:
                known = await self._assemble(opened, upload, pieces, spec)
            with suppress(OSError):  # the object is there; what is left is no upload any more
                await self._run(opened.remove)
            return objects.make_object(upload.container, upload.name, known)
        finally:
            await self._run(opened.close)

    async def _run(self, function: Callable[[], T]) -> T:
        return await finished(self._runtime, function)

    async def _fill(self, sink: Sink, body: Body) -> None:
        pieces = body.open()
        if isinstance(pieces, AsyncIterator):
            await self._fill_async(sink, pieces)
            return
        try:
            while await self._run(partial(sink.write_some, pieces)):
                check_in_time()
        finally:
            await self._run(partial(_close, pieces))

    async def _fill_async(self, sink: Sink, pieces: AsyncIterator[bytes]) -> None:
        batch: list[bytes] = []
        size = 0
        try:
            async for piece in pieces:
                batch.append(piece)
                size += len(piece)
                if size >= BATCH:
                    await self._run(partial(sink.write_all, batch))
                    check_in_time()
                    batch, size = [], 0
            await self._run(partial(sink.write_all, batch))
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _publish(
        self,
        draft: Draft,
        container: Container,
        spec: ObjectSpec,
        wanted: Mapping[str, str],
        length: int | None,
    ) -> Object:
        draft.sink.check_length(length)
        checksums = draft.sink.checksums()
        verify(checksums, wanted)
        facts = _facts(spec, checksums)
        known = draft.publish(spec.name, facts, spec.condition, fsync=self._fsync)
        return objects.make_object(container, spec.name, known)

    async def _copy_bytes(self, file: int, start: int, end: int, draft: Draft, to: int) -> None:
        while start < end:
            copied = await self._run(partial(copy_bytes, file, start, end, draft.file, to))
            start, to = start + copied, to + copied
            check_in_time()

    async def _rename(self, opened: uploads.Upload, name: str, spec: ObjectSpec) -> Known:
        checksums = await self._verified(opened.file, spec)

        def publish() -> Known:
            known = write_facts(opened.vessel.fd, opened.file, _facts(spec, checksums))
            if self._fsync:
                os.fsync(opened.file)
            objects.place(
                opened.vessel, name, opened.rename, condition=spec.condition, fsync=self._fsync
            )
            return known

        return await self._run(publish)

    async def _assemble(
        self,
        opened: uploads.Upload,
        upload: MultipartUpload,
        pieces: Sequence[uploads.Piece],
        spec: ObjectSpec,
    ) -> Known:
        draft = Draft(self._root, upload.container.name, ())
        try:
            await self._run(draft.begin)
            size = 0
            for piece in pieces:
                end = piece.offset + piece.size
                await self._copy_bytes(opened.file, piece.offset, end, draft, size)
                size += piece.size
            facts = _facts(spec, await self._verified(draft.file, spec))
            publish = partial(draft.publish, upload.name, facts, spec.condition, fsync=self._fsync)
            return await self._run(publish)
        finally:
            await self._run(draft.close)

    async def _verified(self, file: int, spec: ObjectSpec) -> dict[str, str]:
        """Return the digests that a spec announces, after a look at the whole file."""
        wanted = wanted_digests(spec.checksums, spec.md5)
        if not wanted:
            return {}
        digests = Digests(wanted)
        start, end = 0, os.fstat(file).st_size
        while start < end:
            start = await self._run(partial(digests.read_some, file, start, end))
            check_in_time()
        verify(digests.values(), wanted)
        return wanted


def _at_once(draft: Draft, pieces: Iterator[bytes], publish: partial[Object]) -> Object:
    """Store what is small without a hop to a thread for each step."""
    try:
        draft.begin()
        draft.sink.write_all(pieces)
        return publish()
    finally:
        _close(pieces)
        draft.close()


def _close(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


def _facts(spec: ObjectSpec, checksums: Mapping[str, str]) -> Facts:
    return Facts(
        _token(),
        spec.content_type,
        dict(spec.meta_data),
        dict(spec.tags),
        dict(checksums),
        spec.acl,
    )


def _token() -> str:
    return secrets.token_hex(16)
