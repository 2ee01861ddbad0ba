"""Uploads to S3: in one request, or in parts that are removed if the upload fails.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ObjectHashMismatchError,
)
from anysky.ledger import Ledger, unnoted
from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec
from anysky.transport.base import Body

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_content import PartReader, md5_of, memory_body
from .s3_sending import S3Requests

__all__ = ["MAX_PARTS", "MAX_PUT", "PART_SIZE", "S3Uploads"]

PART_SIZE = 8 * 1024 * 1024
"""Bytes of one part, where the content is not too long for `MAX_PARTS` of them."""
MAX_PARTS = 10_000
MAX_PUT = 5 * 1024**3
"""Bytes that one PutObject or CopyObject takes at the most."""

_ABORT_SECONDS = 30.0
_MD5_DIGITS = 32


class S3Uploads(S3Requests):
    """Stores objects."""

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object, replacing one of the same name.

        Content of up to 5 GiB goes in one request, if its length is known. Else it goes in parts,
        one after the other, of which one is held in memory; an upload that fails or is cancelled
        leaves no parts behind.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            InvalidRequestError: The name, the metadata or the length is not allowed.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        requests.check_key(spec.name)
        if body.length is not None and body.length <= MAX_PUT:
            return await self._put(container, body, spec)
        size = max(PART_SIZE, -(-(body.length or 0) // MAX_PARTS))
        parts = PartReader(body, size, self.runtime)
        try:
            first = await parts.read()
            if parts.is_last:
                return await self._put(container, memory_body(first), spec)
            return await self._put_parts(container, spec, first, parts)
        finally:
            await parts.close()

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End a multipart upload and delete its parts.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html

        Raises:
            NotFoundError: There is none, or none any more.
        """
        await self._send(
            "DELETE",
            upload.container.name,
            upload.name,
            params=[("uploadId", upload.upload_id)],
            operation="AbortMultipartUpload",
        )

    async def _put(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        headers = requests.upload_headers(spec)
        if spec.md5:
            headers |= requests.md5_header(bytes.fromhex(spec.md5))
        response = await self._send(
            "PUT",
            container.name,
            spec.name,
            headers=headers,
            body=body,
            operation="PutObject",
            missing=ContainerDoesNotExistError,
        )
        return _stored(container, spec, body.length or 0, response.headers)

    async def _put_parts(
        self, container: Container, spec: ObjectSpec, first: bytes, parts: PartReader
    ) -> Object:
        start, per_part, at_end = requests.split_headers(requests.upload_headers(spec))
        async with self.ledger("upload_object") as ledger:
            upload = await ledger.step(
                f"multipart upload of {spec.name}",
                self._begin(container, spec, start),
                undo=self.abort_multipart_upload,
                find=self._find_upload,
            )
            try:
                with unnoted():  # nobody sees parts until they are put together
                    etags, size = await self._send_parts(upload, spec, first, parts, per_part)
                parts.check_length(size)
                stored = await self._complete(upload, spec, etags, size, at_end)
            except BaseException as error:
                await self.runtime.finish(self._abort(ledger, upload, error))
                raise
            ledger.forget(upload)
        return stored

    async def _begin(
        self, container: Container, spec: ObjectSpec, headers: Mapping[str, str]
    ) -> MultipartUpload:
        response = await self._send(
            "POST",
            container.name,
            spec.name,
            params=[("uploads", "")],
            headers=headers,
            # Begun twice it leaves an upload without parts, which nobody sees or pays.
            repeatable=True,
            operation="CreateMultipartUpload",
            missing=ContainerDoesNotExistError,
        )
        upload_id = answers.tree_of(response).text("UploadId", "")
        if not upload_id:
            raise MalformedResponseError("the provider began an upload without giving its id")
        return MultipartUpload(container, spec.name, upload_id)

    async def _find_upload(self, mark: str) -> list[MultipartUpload]:  # noqa: ARG002 - it carries none
        """Find none: what was begun without its answer has no parts and costs nothing."""
        return []

    async def _send_parts(
        self,
        upload: MultipartUpload,
        spec: ObjectSpec,
        part: bytes,
        parts: PartReader,
        headers: Mapping[str, str],
    ) -> tuple[list[str], int]:
        etags: list[str] = []
        size = 0
        whole = hashlib.md5(usedforsecurity=False)
        while True:
            size += len(part)
            if spec.md5:
                await self.runtime.in_thread(partial(whole.update, part))
            etags.append(await self._send_part(upload, len(etags) + 1, part, headers))
            if parts.is_last:
                break
            if len(etags) == MAX_PARTS:
                raise InvalidRequestError(
                    f"content of unknown length is longer than {size} bytes, the most that goes "
                    "in parts of 8 MiB: upload a file, whose length is known"
                )
            part = await parts.read()
        if spec.md5 and whole.hexdigest() != spec.md5.lower():
            raise ObjectHashMismatchError(f"{spec.name}: the content has not the MD5 {spec.md5}")
        return etags, size

    async def _send_part(
        self, upload: MultipartUpload, number: int, part: bytes, headers: Mapping[str, str]
    ) -> str:
        response = await self._send(
            "PUT",
            upload.container.name,
            upload.name,
            params=[("partNumber", str(number)), ("uploadId", upload.upload_id)],
            headers=headers,
            body=memory_body(part),
            operation="UploadPart",
        )
        digest = answers.digest_of(response.headers)
        if digest is not None and len(digest) == _MD5_DIGITS:
            ours = (await self.runtime.in_thread(partial(md5_of, part))).hex()
            if digest.lower() != ours:
                raise ObjectHashMismatchError(
                    f"{upload.name}: part {number} has the MD5 {ours}, and {digest} arrived"
                )
        etag = response.headers.get("etag", "")
        if not etag:
            raise MalformedResponseError(f"the answer to part {number} has no ETag")
        return etag

    async def _complete(
        self,
        upload: MultipartUpload,
        spec: ObjectSpec,
        etags: Sequence[str],
        size: int,
        headers: Mapping[str, str],
    ) -> Object:
        try:
            response, answer = await self._send_and_check(
                "POST",
                upload.container.name,
                upload.name,
                params=[("uploadId", upload.upload_id)],
                headers=headers,
                body=requests.completion(etags),
                repeatable=True,
                operation="CompleteMultipartUpload",
            )
        except NotFoundError as error:
            # An earlier try, whose answer was lost, may have put the parts together.
            if error.code != "NoSuchUpload" or error.attempts == 1:
                raise
            stored = await self._stored_object(upload)
            if stored.size != size or stored.hash != _whole_etag(etags):
                raise
            return stored
        etag = answer.text("ETag", "") or _whole_etag(etags)  # Ceph may leave it empty
        return _stored(upload.container, spec, size, {**response.headers, "etag": etag})

    async def _stored_object(self, upload: MultipartUpload) -> Object:
        name = upload.container.name
        response = await self._send("HEAD", name, upload.name, operation="HeadObject")
        return answers.object_of_headers(upload.name, response.headers, upload.container)

    async def _abort(self, ledger: Ledger, upload: MultipartUpload, error: BaseException) -> None:
        """Delete what was uploaded of an upload that failed; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS), unnoted(), suppress(NotFoundError):
                await self.abort_multipart_upload(upload)
        except CloudError as second:
            error.add_note(
                f"parts of the upload {upload.upload_id} are still stored, because ending it "
                f"failed: {second.message}"
            )
        else:
            ledger.forget(upload)


def _stored(
    container: Container, spec: ObjectSpec, size: int, headers: Mapping[str, str]
) -> Object:
    extra = answers.extra_of_new(headers, spec.content_type)
    return Object(
        spec.name, size, answers.digest_of(headers), extra, dict(spec.meta_data), container
    )


def _whole_etag(etags: Sequence[str]) -> str:
    """Return the ETag of an object made of parts: the MD5 of their MD5s, and their number."""
    try:
        digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    except ValueError:
        return ""
    return f"{md5_of(digests).hex()}-{len(etags)}"
