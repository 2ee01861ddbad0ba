"""Multipart uploads of the memory cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidRequestError
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    Part,
    PartLimits,
)
from anysky.paging import Page
from anysky.transport.base import Body

from .api import MemoryBackend
from .contents import content_of
from .shelf import CHECKSUMS, Shelf, check_content
from .state import PartsSoFar

__all__ = ["MemoryUploads"]


class MemoryUploads(MemoryBackend, StorageBackend):
    """Uploads in parts of any size, even of one byte, so that tests need no large objects."""

    parts: ClassVar[PartLimits | None] = PartLimits(smallest=1)
    checksums: ClassVar[tuple[str, ...]] = CHECKSUMS

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """

        def work() -> MultipartUpload:
            state = self._state
            there = state.containers.get(container.name)
            upload = MultipartUpload(there, spec.name, state.new_id("upload-"), state.date)
            state.uploads.add(upload.upload_id, upload)
            state.received[upload.upload_id] = PartsSoFar(spec)
            return upload

        arguments = {"container": container.name, "object": spec.name}
        return await self._do("begin_multipart_upload", arguments, work)

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,
        body: Body,
        *,
        is_last: bool,
        checksums: Mapping[str, str],
    ) -> Part:
        """Store one part, with all of its content in memory.

        Raises:
            NotFoundError: The upload has been ended.
            InvalidRequestError: The part's number or size cannot be.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        content = await content_of(body, self.runtime)
        arguments = {
            "container": upload.container.name,
            "object": upload.name,
            "upload_id": upload.upload_id,
            "number": number,
            "offset": offset,
            "size": len(content),
            "is_last": is_last,
        }
        return await self._set(
            "upload_part",
            arguments,
            lambda: self._keep_part(upload, number, content, checksums),
            content,
        )

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        Raises:
            NotFoundError: The upload has been ended.
        """

        def work() -> list[Part]:
            self._state.uploads.get(upload.upload_id)
            received = self._state.received[upload.upload_id].parts
            return [received[number][0] for number in sorted(received)]

        return await self._look("list_parts", _arguments(upload), work)

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the object of all parts.

        Type, metadata, tags and storage class are those that the upload was begun with.

        Raises:
            NotFoundError: The upload has been ended.
            InvalidRequestError: The parts are not in order, or not those that are stored.
            ObjectHashMismatchError: The object's digest is not that in the spec.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        arguments = {**_arguments(upload), "parts": [part.number for part in parts]}
        return await self._do(
            "complete_multipart_upload", arguments, lambda: self._complete(upload, parts, spec)
        )

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload and delete its parts.

        Raises:
            NotFoundError: There is none, or none any more.
        """

        def work() -> None:
            self._state.uploads.remove(upload.upload_id)
            del self._state.received[upload.upload_id]

        await self._remove("abort_multipart_upload", _arguments(upload), work)

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the uploads that were begun and not ended, by the objects' names."""

        def work() -> Page[MultipartUpload]:
            self._state.containers.get(container.name)
            return self._state.uploads.page(
                cursor,
                lambda one: (
                    one.container.name == container.name and one.name.startswith(prefix or "")
                ),
                lambda one: f"{one.name}\0{one.upload_id}",
            )

        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_multipart_uploads", arguments, work)

    def _keep_part(
        self, upload: MultipartUpload, number: int, content: bytes, promised: Mapping[str, str]
    ) -> Part:
        self._state.uploads.get(upload.upload_id)
        limits = self.parts or PartLimits()
        if not 0 < number <= limits.count:
            raise InvalidRequestError(f"parts have numbers from 1 to {limits.count}, not {number}")
        digests = check_content(content, promised)
        part = Part(number, len(content), digests["md5"], digests)
        self._state.received[upload.upload_id].parts[number] = (part, content)
        return part

    def _complete(self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec) -> Object:
        state = self._state
        begun = state.uploads.get(upload.upload_id)
        received = state.received[upload.upload_id]
        contents = _contents(received.parts, parts)
        whole = replace(
            received.spec, condition=spec.condition, checksums=spec.checksums, md5=spec.md5
        )
        etags = b"".join(bytes.fromhex(part.etag) for part in parts)
        digest = hashlib.md5(etags, usedforsecurity=False).hexdigest()
        etag = f"{digest}-{len(parts)}"
        made = Shelf(state).store(begun.container.name, whole, b"".join(contents), etag)
        state.uploads.remove(upload.upload_id)
        del state.received[upload.upload_id]
        return made


def _arguments(upload: MultipartUpload) -> dict[str, object]:
    return {
        "container": upload.container.name,
        "object": upload.name,
        "upload_id": upload.upload_id,
    }


def _contents(received: Mapping[int, tuple[Part, bytes]], parts: Sequence[Part]) -> list[bytes]:
    """Return the contents of the parts that an object shall be made of."""
    numbers = [part.number for part in parts]
    if not parts or numbers != sorted(set(numbers)):
        raise InvalidRequestError("an object is made of one part or more, in their order")
    for part in parts:
        found = received.get(part.number)
        if found is None or found[0].etag != part.etag:
            raise InvalidRequestError(f"part {part.number} is not stored with ETag {part.etag}")
    return [received[number][1] for number in numbers]
