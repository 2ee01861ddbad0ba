"""Copies within S3, of any size, and changes of objects, which are copies onto themselves.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/copy-object.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from anysky import deadlines
from anysky.errors import (
    CloudError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
)
from anysky.ledger import unnoted
from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
    Part,
)

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_multipart import S3Multipart

if TYPE_CHECKING:
    from anysky.ledger import Ledger

__all__ = ["S3Copies"]

MAX_COPY = 5 * 1024**3
"""Bytes that one CopyObject takes at the most."""
COPY_PART = 256 * 1024**2
"""Bytes that are copied at once of what is larger, unless that made too many parts."""
_AT_ONCE = 8
_ABORT_SECONDS = 30.0

# What a copy with other metadata must be told again: names in `extra`, and header fields.
_SYSTEM: Mapping[str, str] = {
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_encoding": "content-encoding",
    "content_language": "content-language",
    "expires": "expires",
    "website_redirect_location": "x-amz-website-redirect-location",
}


class S3Copies(S3Multipart):
    """Copies objects."""

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object with its type, metadata and tags within one provider.

        One of more than 5 GiB is copied in parts, several at once. Access lists are not copied.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html and
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        changes = changes or ObjectChanges()
        requests.check_key(source.name)
        is_large = source.size > MAX_COPY
        if not is_large and changes.content_type is None and changes.meta_data is None:
            return await self._copy(source, container, name, _class_header(changes.storage_class))
        known = await self._known(source)
        if is_large:
            return await self._copy_parts(known, container, await self._spec(known, name, changes))
        return await self._copy_changed(known, container, name, changes)

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type, metadata or storage class of an object by copying it onto itself.

        It keeps its tags and loses its access list. In a bucket with versions it becomes a new one.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html

        Raises:
            InvalidRequestError: It is an older version, which cannot be changed.
            ObjectDoesNotExistError: There is no such object.
            PreconditionFailedError: Somebody replaced it meanwhile.
        """
        if isinstance(obj, ObjectVersion) and not obj.is_latest:
            raise InvalidRequestError("S3 cannot change an older version of an object")
        known = await self._known(obj)
        if changes == ObjectChanges():
            return known
        kept = changes.storage_class or known.extra.get("storage_class")
        changes = dataclasses.replace(changes, storage_class=kept)
        if known.size > MAX_COPY:
            spec = await self._spec(known, known.name, changes)
            return await self._copy_parts(known, known.container, spec)
        return await self._copy_changed(known, known.container, known.name, changes)

    async def _known(self, obj: Object) -> Object:
        if isinstance(obj, ObjectVersion):
            return await self.get_object_version(obj.container.name, obj.name, obj.version_id)
        return await self.get_object(obj.container.name, obj.name)

    async def _copy_changed(
        self, known: Object, container: Container, name: str, changes: ObjectChanges
    ) -> Object:
        """Copy an object whose metadata is known, with other metadata."""
        changed = _changed(known, changes)
        headers = _described(changed, name) | _class_header(changes.storage_class)
        headers |= {"x-amz-metadata-directive": "REPLACE"} | _unchanged(known)
        return await self._copy(changed, container, name, headers)

    async def _copy(
        self, source: Object, container: Container, name: str, headers: Mapping[str, str]
    ) -> Object:
        response, answer = await self._send_and_check(
            "PUT",
            container.name,
            name,
            headers={**requests.copy_headers(source), **headers},
            operation="CopyObject",
            missing=ObjectDoesNotExistError,
        )
        told = {**response.headers, "etag": answer.text("ETag", "")}
        extra = answers.extra_of_new(told, source.extra.get("content_type"))
        extra["last_modified"] = answers.date_of(answer.text("LastModified"))
        if storage_class := headers.get("x-amz-storage-class"):
            extra.setdefault("storage_class", storage_class)
        digest = answers.digest_of(told)
        return Object(name, source.size, digest, extra, dict(source.meta_data), container)

    async def _spec(self, known: Object, name: str, changes: ObjectChanges) -> ObjectSpec:
        """Return what a copy in parts shall be, which S3 does not take from its source."""
        changed = _changed(known, changes)
        tags = await self.get_object_tags(known) if _has_tags(known) else {}
        return ObjectSpec(
            name=name,
            content_type=str(changed.extra["content_type"]),
            meta_data=changed.meta_data,
            headers=_system_headers(known),
            storage_class=changes.storage_class,
            tags=tags,
        )

    async def _copy_parts(self, source: Object, container: Container, spec: ObjectSpec) -> Object:
        async with self.ledger("copy_object") as ledger:
            upload = await ledger.step(
                f"multipart upload of {spec.name}",
                self.begin_multipart_upload(container, spec),
                undo=self.abort_multipart_upload,
                find=_find_none,
            )
            try:
                with unnoted():  # nobody sees parts until they are put together
                    jobs = [
                        self._copy_part(upload, source, number, start, end)
                        for number, (start, end) in enumerate(self._ranges(source.size), 1)
                    ]
                    parts = await self.runtime.gather(jobs, _AT_ONCE)
                copied = await self.complete_multipart_upload(upload, parts, spec)
            except BaseException as error:
                await self.runtime.finish(self._end(ledger, upload, error))
                raise
            ledger.forget(upload)
        return copied

    def _ranges(self, size: int) -> list[tuple[int, int]]:
        """Cut an object into parts of one length, but for the last."""
        most = self.parts.count if self.parts else 1
        step = max(COPY_PART, -(-size // most))
        return [(start, min(start + step, size)) for start in range(0, size, step)]

    async def _copy_part(
        self, upload: MultipartUpload, source: Object, number: int, start: int, end: int
    ) -> Part:
        span = {"x-amz-copy-source-range": f"bytes={start}-{end - 1}"}
        _, answer = await self._send_and_check(
            "PUT",
            upload.container.name,
            upload.name,
            params=[("partNumber", str(number)), ("uploadId", upload.upload_id)],
            headers=requests.copy_headers(source) | span | _unchanged(source),
            operation="UploadPartCopy",
        )
        etag = answer.text("ETag", "")
        if not etag:
            raise MalformedResponseError(f"the answer to part {number} of a copy has no ETag")
        return Part(number, end - start, etag, answers.part_checksums(answer))

    async def _end(self, ledger: Ledger, upload: MultipartUpload, error: BaseException) -> None:
        """Delete what was copied of an object whose copy failed; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS), unnoted():
                await self.abort_multipart_upload(upload)
        except CloudError as second:
            error.add_note(
                f"parts of the upload {upload.upload_id} are still stored, because ending it "
                f"failed: {second.message}"
            )
        else:
            ledger.forget(upload)


async def _find_none(mark: str) -> list[MultipartUpload]:  # noqa: ARG001 - uploads carry none
    """Find none: what was begun without its answer has no parts and costs nothing."""
    return []


def _changed(known: Object, changes: ObjectChanges) -> Object:
    meta = known.meta_data if changes.meta_data is None else dict(changes.meta_data)
    kind = changes.content_type or known.extra.get("content_type") or "binary/octet-stream"
    extra = {**known.extra, "content_type": kind}
    return dataclasses.replace(known, meta_data=meta, extra=extra)


def _described(obj: Object, name: str) -> dict[str, str]:
    """Return the header fields that describe an object anew."""
    kind = str(obj.extra["content_type"])
    spec = ObjectSpec(name, kind, obj.meta_data, headers=_system_headers(obj))
    return requests.upload_headers(spec)


def _system_headers(obj: Object) -> dict[str, str]:
    return {field: str(obj.extra[name]) for name, field in _SYSTEM.items() if name in obj.extra}


def _has_tags(obj: Object) -> bool:
    return str(obj.extra.get("tag_count", "0")) != "0"


def _class_header(storage_class: str | None) -> dict[str, str]:
    return {"x-amz-storage-class": storage_class} if storage_class else {}


def _unchanged(source: Object) -> dict[str, str]:
    """Return the header field that refuses a source which is another by now."""
    etag = source.extra.get("etag")
    found = requests.condition_headers(Condition(if_match=str(etag))) if etag else {}
    return {f"x-amz-copy-source-{name}": value for name, value in found.items()}
