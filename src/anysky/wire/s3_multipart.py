"""Objects of S3 in parts: the single steps, which whoever moves content puts together.

Where the provider checks CRCs every part has one, and the CRC of the whole object follows from them
(FULL_OBJECT); elsewhere a part has an MD5, if whoever sends it computed one.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from anysky.errors import (
    ContainerDoesNotExistError,
    MalformedResponseError,
    NotFoundError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)
from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    Part,
    PartLimits,
)
from anysky.paging import Page
from anysky.transport.base import Body, Response

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_checksums import (
    FULL_OBJECT,
    algorithm_of_parts,
    checksum_headers,
    checksum_tag,
    checksums_of,
)
from .s3_content import crc32_of, md5_of
from .s3_lists import URL_ENCODED, next_cursor, next_markers
from .s3_sending import S3Requests
from .xml import Element

__all__ = ["S3Multipart", "stored_object"]

_CHECKSUM = "checksum"


class S3Multipart(S3Requests):
    """Stores objects in parts."""

    parts: ClassVar[PartLimits | None] = PartLimits()

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts; nobody sees the object until it is completed.

        A customer's key for encryption, given as `ObjectSpec.headers`, goes with each part as
        long as this backend lives; another process cannot go on with such an upload.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            InvalidRequestError: The name or the metadata is not allowed.
        """
        start, per_part, _ = requests.divided_headers(self._describe(spec))
        checksum = algorithm_of_parts(spec.checksums, self.checksums)
        if checksum:
            start["x-amz-checksum-algorithm"] = checksum.upper()
            start["x-amz-checksum-type"] = FULL_OBJECT
        response = await self._send(
            "POST",
            container.name,
            spec.name,
            params=[("uploads", "")],
            headers=start,
            repeatable=False,  # begun twice it would leave an upload that nobody knows of
            operation="CreateMultipartUpload",
            missing=ContainerDoesNotExistError,
        )
        upload_id = answers.tree_of(response).text("UploadId", "")
        if not upload_id:
            raise MalformedResponseError("the provider began an upload without giving its id")
        if per_part:
            self._learned.keys[upload_id] = per_part
        extra = {_CHECKSUM: checksum} if checksum else {}
        return MultipartUpload(container, spec.name, upload_id, None, extra)

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,  # noqa: ARG002 - S3 counts parts
        body: Body,
        *,
        is_last: bool,  # noqa: ARG002 - S3 looks only when the parts are put together
        checksums: Mapping[str, str],
    ) -> Part:
        """Store one part, replacing one of the same number.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        sent = dict(checksums)
        agreed = str(upload.extra.get(_CHECKSUM, ""))
        if agreed == "crc32" and agreed not in sent:
            sent[agreed] = await crc32_of(body, self.runtime)
        headers = checksum_headers(sent, ("md5", agreed) if agreed else ("md5",))
        response = await self._send(
            "PUT",
            upload.container.name,
            upload.name,
            params=[("partNumber", str(number)), ("uploadId", upload.upload_id)],
            headers=headers | self._key_headers(upload),
            body=body,
            operation="UploadPart",
        )
        return _stored_part(response, number, body.length or 0, sent)

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html

        Raises:
            NotFoundError: The upload has been ended.
        """
        found: list[Part] = []
        marker = ""
        while True:
            params = [("uploadId", upload.upload_id), ("max-parts", "1000")]
            response = await self._send(
                "GET",
                upload.container.name,
                upload.name,
                params=[*params, *([("part-number-marker", marker)] if marker else [])],
                operation="ListParts",
            )
            tree = answers.tree_of(response)
            found += answers.listed_parts(tree)
            if tree.text("IsTruncated") != "true":
                return found
            following = tree.text("NextPartNumberMarker", "")
            if following in ("", marker):
                raise MalformedResponseError("the list goes on but its next page is this one")
            marker = following

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the object of all parts, replacing one of the same name.

        Where a provider may ignore the condition of an object in parts, as Ceph does, it is looked
        at just before; where it may lose the tags, they are set afterwards.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Its digest is not that in the spec.
            PreconditionFailedError: What is there is not what the condition asks for.
            ConflictError: Somebody else stored an object of this name at the same time, and a
                condition was given: begin anew.
        """
        _, _, headers = requests.divided_headers(self._describe(spec))
        if spec.condition is not None and not self._is_current:
            await self._check_condition(upload, spec.condition)
        checksum = str(upload.extra.get(_CHECKSUM, ""))
        if checksum:
            headers["x-amz-checksum-type"] = FULL_OBJECT
            headers |= checksum_headers(spec.checksums, (checksum,))
        try:
            response, answer = await self._send_and_check(
                "POST",
                upload.container.name,
                upload.name,
                params=[("uploadId", upload.upload_id)],
                headers=headers | self._key_headers(upload),
                body=requests.completion(parts, checksum),
                repeatable=True,
                operation="CompleteMultipartUpload",
            )
        except NotFoundError as error:
            # An earlier try, whose answer was lost, may have put the parts together.
            if error.code != "NoSuchUpload" or error.attempts == 1:
                raise
            return await self._completed_before(upload, parts, error)
        self._learned.keys.pop(upload.upload_id, None)
        stored = _completed(upload, parts, spec, response, answer)
        if spec.tags and not self._is_current:
            await self.set_object_tags(stored, spec.tags)
        return stored

    async def _check_condition(self, upload: MultipartUpload, condition: Condition) -> None:
        """Look whether a condition holds, for a provider that does not.

        Raises:
            PreconditionFailedError: It does not hold.
        """
        try:
            there = await self.get_object(upload.container.name, upload.name)
        except NotFoundError:
            etag = None
        else:
            etag = str(there.extra.get("etag", ""))
        is_other = condition.if_match is not None and condition.if_match != etag
        is_there = etag is not None and condition.if_none_match in ("*", etag)
        if is_other or is_there:
            raise PreconditionFailedError(
                f"{upload.name[:200]!r} is {'not there' if etag is None else 'there'}"
                f"{' with another ETag' if is_other and etag else ''}"
            )

    async def _completed_before(
        self, upload: MultipartUpload, parts: Sequence[Part], error: NotFoundError
    ) -> Object:
        name = upload.container.name
        response = await self._send(
            "HEAD", name, upload.name, headers=self._key_headers(upload), operation="HeadObject"
        )
        stored = answers.object_of_headers(upload.name, response.headers, upload.container)
        if stored.size != sum(part.size for part in parts) or stored.hash != _whole_etag(parts):
            raise error
        return stored

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End a multipart upload and delete its parts.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html

        Raises:
            NotFoundError: There is none, or none any more.
        """
        try:
            await self._send(
                "DELETE",
                upload.container.name,
                upload.name,
                params=[("uploadId", upload.upload_id)],
                operation="AbortMultipartUpload",
            )
        except NotFoundError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, ended it
                raise
        self._learned.keys.pop(upload.upload_id, None)

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the multipart uploads to a bucket that were begun and not ended.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
        """
        params = [("uploads", ""), *([("prefix", prefix)] if prefix else [])]
        if self._is_current:  # Ceph then encodes keys without saying so
            params.append(URL_ENCODED)
        response = await self._send(
            "GET",
            container.name,
            params=[*params, *next_markers(cursor, "key-marker", "upload-id-marker")],
            operation="ListMultipartUploads",
            missing=ContainerDoesNotExistError,
        )
        answer = answers.decoded(response, answers.Uploads)
        encoding = answer.encoding
        found = [answers.listed_upload(item, encoding, container) for item in answer.uploads]
        markers = (answers.key_of(answer.key_marker, encoding), answer.id_marker)
        return Page(found, next_cursor(cursor, markers) if answer.is_truncated else None)

    def _key_headers(self, upload: MultipartUpload) -> dict[str, str]:
        return self._learned.keys.get(upload.upload_id, {})


def _completed(
    upload: MultipartUpload,
    parts: Sequence[Part],
    spec: ObjectSpec,
    response: Response,
    answer: Element,
) -> Object:
    """Make the object of the answer to its being put together."""
    etag = answer.text("ETag", "") or _whole_etag(parts)  # Ceph may leave it empty
    told = {**response.headers, "etag": etag}
    checksum = str(upload.extra.get(_CHECKSUM, ""))
    if checksum and answer.text("ChecksumType") == FULL_OBJECT:
        told[f"x-amz-checksum-{checksum}"] = answer.text(checksum_tag(checksum), "")
    return stored_object(upload.container, spec, sum(part.size for part in parts), told)


def _stored_part(response: Response, number: int, size: int, sent: Mapping[str, str]) -> Part:
    """Make a part of the answer to it.

    Raises:
        MalformedResponseError: The answer has no ETag.
        ObjectHashMismatchError: It has the digest of other bytes.
    """
    etag = response.headers.get("etag", "")
    if not etag:
        raise MalformedResponseError(f"the answer to part {number} has no ETag")
    md5 = answers.md5_of_etag(response.headers)
    found = checksums_of(response.headers) | ({"md5": md5} if md5 else {})
    for known, value in sent.items():
        if found.get(known, value) != value.lower():
            raise ObjectHashMismatchError(
                f"part {number} was sent with the {known.upper()} {value}, and {found[known]} "
                "arrived"
            )
    return Part(number, size, etag, {**sent, **found})


def stored_object(
    container: Container, spec: ObjectSpec, size: int, headers: Mapping[str, str]
) -> Object:
    """Make an object of the answer to its being stored."""
    extra = answers.extra_of_new(headers, spec.content_type)
    if spec.storage_class:
        extra.setdefault("storage_class", spec.storage_class)
    return Object(
        spec.name, size, answers.digest_of(headers), extra, dict(spec.meta_data), container
    )


def _whole_etag(parts: Sequence[Part]) -> str:
    """Return the ETag of an object made of parts: the MD5 of their MD5s, and their number."""
    try:
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    except ValueError:
        return ""
    return f"{md5_of(digests).hex()}-{len(parts)}"
