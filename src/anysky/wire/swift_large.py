"""Swift: large objects, which are made of segments.

An object of more than 5 GiB is a manifest and its segments. anysky makes *static* large objects.
The segments of an object in ``photos`` are in the container ``photos_segments``, named
``anysky/parts/UPLOAD/NUMBER``. While an upload goes on there is an empty object
``anysky/uploads/UPLOAD`` beside them, whose content type tells the name of the object: that is
what makes it an upload, and it is deleted last. The manifest carries the place of its segments as
metadata, which is not shown to users.

Vendor's reference: https://docs.openstack.org/swift/latest/overview_large_objects.html
"""

from __future__ import annotations

import re
import secrets
import urllib.parse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

import msgspec

from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
)
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    Part,
    PartLimits,
)
from anysky.paging import Page
from anysky.transport.base import Body, quote

from . import swift_answers as answers
from . import swift_requests as requests
from .swift_deleting import SwiftDeleting

__all__ = ["SwiftLarge", "segment_place"]

_UPLOADS = "anysky/uploads/"
_PARTS = "anysky/parts/"
_MARKER_TYPE = "application/vnd.anysky-upload;name="
_SEGMENT_TYPE = "application/vnd.anysky-segment;name="
_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_MAX_PARTS = 1000


class SwiftLarge(SwiftDeleting):
    """Makes objects of parts."""

    parts: ClassVar[PartLimits | None] = PartLimits(smallest=1, count=_MAX_PARTS)

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts, which are kept in a container beside the object's own.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            UnsupportedOperationError: Swift, or this one, has not what is asked for.
        """
        requests.check_upload(spec)
        requests.check_object(spec.name)
        requests.upload_headers(spec)
        await self._check_condition(spec)
        await self._show_container(container.name)
        upload = MultipartUpload(container, spec.name, secrets.token_hex(16))
        segments = _segments(container.name)
        await self._send("PUT", segments, operation="create container")
        await self._send(
            "PUT",
            segments,
            _marker(upload),
            headers={"content-type": f"{_MARKER_TYPE}{quote(spec.name)}"},
            operation="begin upload",
        )
        return upload

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,  # noqa: ARG002 - the number tells the place
        body: Body,
        *,
        is_last: bool,  # noqa: ARG002 - the manifest tells the end
        checksums: Mapping[str, str],
    ) -> Part:
        """Store one part as a segment.

        Raises:
            NotFoundError: The upload has been ended.
            InvalidRequestError: There is no such number.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        if not 0 < number <= _MAX_PARTS:
            raise InvalidRequestError(f"parts have the numbers 1 to {_MAX_PARTS}, not {number}")
        await self._check_upload(upload)
        container, name, content_type = segment_place(upload, number)
        headers = {"content-type": content_type}
        if "md5" in checksums:
            headers["etag"] = checksums["md5"]
        response = await self._send(
            "PUT",
            container,
            name,
            headers=headers,
            body=body,
            operation="put segment",
        )
        etag = response.headers.get("etag", "").strip('"')
        if checksums.get("md5", etag).lower() != etag:
            raise ObjectHashMismatchError(
                f"{upload.name}: part {number} has the MD5 {checksums['md5']}, and {etag} arrived"
            )
        return Part(number, body.length or 0, etag, {"md5": etag})

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        Raises:
            NotFoundError: The upload has been ended.
        """
        await self._check_upload(upload)
        entries = await self._all_entries(_segments(upload.container.name), _folder(upload))
        return [
            Part(int(number), entry.bytes, entry.hash, {"md5": entry.hash})
            for entry in entries
            if (number := entry.name.rpartition("/")[2]).isdecimal()
        ]

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the object of all parts: a manifest that names them.

        Swift compares the MD5 of each part; it knows none of the whole.

        https://docs.openstack.org/swift/latest/middleware.html#static-large-objects

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: The only part has not the MD5 in the spec.
            PreconditionFailedError: There is such an object, and the condition asks for none.
        """
        requests.check_upload(spec)
        headers = requests.upload_headers(spec)
        await self._check_condition(spec)
        await self._check_upload(upload)
        _check_digest(parts, spec)
        segments = _segments(upload.container.name)
        full = [(_segment(upload, part.number), part) for part in parts if part.size]
        if full:  # a segment has a byte at the least
            headers[requests.META + answers.UPLOAD_META] = f"{quote(segments)}/{upload.upload_id}"
        response = await self._send(
            "PUT",
            upload.container.name,
            upload.name,
            params=[("multipart-manifest", "put")] if full else [],
            headers=headers,
            body=msgspec.json.encode(requests.manifest(segments, full)) if full else b"",
            operation="put manifest",
        )
        with suppress(CloudError):  # the object is there; see `abort_multipart_upload`
            await self._end(upload, [] if full else parts)
        large = {"x-static-large-object": "true"} if full else {}
        size = sum(part.size for part in parts)
        return answers.object_of_new(spec, size, {**response.headers, **large}, upload.container)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload and delete its parts; those of an object that was made of them stay.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        await self._check_upload(upload)
        if await self._is_in_use(upload.container.name, upload.name, upload.upload_id):
            await self._end(upload, [])
            raise NotFoundError(f"the upload {upload.upload_id} has been completed")
        await self._end(upload, await self.list_parts(upload))

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the uploads that anysky began and that were not ended.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        try:
            entries, more = await self._entries(_segments(container.name), _UPLOADS, cursor)
        except ContainerDoesNotExistError:
            await self._show_container(container.name)
            return Page([])
        found = (_upload(entry, container) for entry in entries)
        return Page([one for one in found if one and one.name.startswith(prefix or "")], more)

    async def delete_unused_segments(self, container: Container) -> int:
        """Delete segments of objects that are no more, in a container without versions.

        Swift keeps the segments of a large object that is replaced. Those of uploads that go on
        are left alone, and so are those that another program made.

        Returns:
            How many were deleted.

        Raises:
            InvalidRequestError: The container keeps versions, to which they may belong.
        """
        head = await self._show_container(container.name)
        if "x-versions-enabled" in head.headers:
            raise InvalidRequestError("segments may belong to older versions, which are kept")
        segments = _segments(container.name)
        entries = await self._all_entries(segments, _PARTS)
        begun = {one.name.rpartition("/")[2] for one in await self._all_entries(segments, _UPLOADS)}
        unused: list[str] = []
        used: dict[tuple[str, str], bool] = {}
        for entry in entries:
            owner = _owner(entry)
            if owner is None or owner[1] in begun:
                continue
            if owner not in used:
                used[owner] = await self._is_in_use(container.name, *owner)
            if not used[owner]:
                unused.append(entry.name)
        await self._delete_names(segments, unused)
        return len(unused)

    async def _check_upload(self, upload: MultipartUpload) -> None:
        """See that an upload has not been ended.

        Raises:
            NotFoundError: It has.
        """
        if not _UPLOAD_ID.fullmatch(upload.upload_id):
            raise NotFoundError(f"there is no upload {upload.upload_id[:80]!r}")
        segments = _segments(upload.container.name)
        try:
            await self._send("HEAD", segments, _marker(upload), operation="show upload")
        except NotFoundError as error:
            error.message = f"there is no upload {upload.upload_id} any more"
            raise

    async def _is_in_use(self, container: str, name: str, upload_id: str) -> bool:
        """Whether an object is made of the segments of an upload."""
        try:
            response = await self._send("HEAD", container, name, operation="show object")
        except NotFoundError:
            return False
        place = response.headers.get(requests.META + answers.UPLOAD_META, "")
        is_of_it = place.rpartition("/")[2] == upload_id
        return is_of_it and answers.is_large(response.headers)

    async def _end(self, upload: MultipartUpload, parts: Sequence[Part]) -> None:
        segments = _segments(upload.container.name)
        await self._delete_names(segments, [_segment(upload, part.number) for part in parts])
        await self._delete_names(segments, [_marker(upload)])


def _segments(container: str) -> str:
    return requests.check_container(f"{container}_segments")


def _marker(upload: MultipartUpload) -> str:
    return f"{_UPLOADS}{upload.upload_id}"


def _folder(upload: MultipartUpload) -> str:
    return f"{_PARTS}{upload.upload_id}/"


def _segment(upload: MultipartUpload, number: int) -> str:
    return f"{_folder(upload)}{number:08}"


def segment_place(upload: MultipartUpload, number: int) -> tuple[str, str, str]:
    """Return container, name and content type of a segment."""
    content_type = f"{_SEGMENT_TYPE}{quote(upload.name)}"
    return _segments(upload.container.name), _segment(upload, number), content_type


def _upload(entry: answers.Entry, container: Container) -> MultipartUpload | None:
    """Read what stands for an upload; None for something else under such a name."""
    upload_id = entry.name.removeprefix(_UPLOADS)
    if not (entry.content_type.startswith(_MARKER_TYPE) and _UPLOAD_ID.fullmatch(upload_id)):
        return None
    name = urllib.parse.unquote(entry.content_type.removeprefix(_MARKER_TYPE))
    return MultipartUpload(container, name, upload_id, answers.list_date(entry.last_modified))


def _owner(entry: answers.Entry) -> tuple[str, str] | None:
    """Return the object's name and the upload's id of a segment; None if it is not ours."""
    upload_id = entry.name.removeprefix(_PARTS).partition("/")[0]
    if not (entry.content_type.startswith(_SEGMENT_TYPE) and _UPLOAD_ID.fullmatch(upload_id)):
        return None
    return urllib.parse.unquote(entry.content_type.removeprefix(_SEGMENT_TYPE)), upload_id


def _check_digest(parts: Sequence[Part], spec: ObjectSpec) -> None:
    digest = spec.md5 or spec.checksums.get("md5")
    if digest and len(parts) == 1 and parts[0].etag != digest.lower():
        raise ObjectHashMismatchError(
            f"{spec.name}: the content has the MD5 {parts[0].etag} and should have {digest}"
        )
