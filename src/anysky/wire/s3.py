"""S3, the protocol: what AWS, Ceph, MinIO, Cloudflare R2, DigitalOcean Spaces, Wasabi … speak.

A provider's backend is `S3Storage` in front of the contract, and says where its buckets are::

    class Spaces(S3Storage, StorageBackend):
        async def _site(self) -> Site:
            return Site(self.connection.endpoint, self.account.region)

        def _presigner(self) -> Presigner:
            return self.connection.signer

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.paging import Page
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, ByteStream, Request, Response, Transport

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_content import (
    EmptyStream,
    ExactStream,
    PartReader,
    check_range,
    expected_length,
    md5_of,
    memory_body,
    range_header,
)
from .s3_requests import Site
from .xml import Element

__all__ = ["MAX_PARTS", "PART_SIZE", "MultipartUpload", "Presigner", "S3Storage", "Site"]

PART_SIZE = 8 * 1024 * 1024
"""Bytes of one part, where the content is not too long for `MAX_PARTS` of them."""
MAX_PARTS = 10_000
MAX_PUT = 5 * 1024**3
"""Bytes that one PutObject or CopyObject takes at the most."""

_ABORT_SECONDS = 30.0
_EMBEDDED_TRIES = 3
_DEFAULT_EXPIRY_HOURS = 24.0
_URL_ENCODED = ("encoding-type", "url")
# Regions that a new bucket is not told: AWS's first, which has no name there, and any at all.
_NO_CONSTRAINT = frozenset({"us-east-1", "auto", ""})
_MD5_DIGITS = 32


class Presigner(Protocol):
    """Makes URLs that carry their signature."""

    async def presign(
        self, method: str, endpoint: str, path: str, params: Sequence[tuple[str, str]], expires: int
    ) -> str:
        """Return a URL with which anybody may do one thing for `expires` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """A multipart upload that was begun and not ended; its parts are stored and paid for.

    Attributes:
        container: Where the object will be.
        name: The object's name.
        upload_id: The provider's id of the upload.
        initiated: When it was begun.
    """

    container: Container
    name: str
    upload_id: str
    initiated: datetime | None = None


class S3Storage:
    """The operations of S3, to be mixed into a provider's backend before its contract."""

    transport: Transport
    runtime: Runtime

    async def _site(self) -> Site:
        """Return where the buckets are."""
        raise NotImplementedError

    def _presigner(self) -> Presigner:
        """Return what signs URLs."""
        raise NotImplementedError

    # -- containers ------------------------------------------------------------------------------

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the account's buckets, those in other regions included.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
        """
        site = await self._site()
        params = [("max-buckets", "1000")]
        if cursor is not None:
            params.append(("continuation-token", cursor))
        request = Request("GET", "/", params, endpoint=site.endpoint, operation="ListBuckets")
        answer = answers.decoded(await self._exchange(request, site, "the list"), answers.Buckets)
        return Page([answers.container_of(bucket) for bucket in answer.buckets], answer.token)

    async def get_container(self, name: str) -> Container:
        """Return a bucket; `extra` has its region where the provider tells.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html

        Raises:
            ContainerDoesNotExistError: There is none of this name.
            InvalidRequestError: It is in another region, which the error names.
        """
        response = await self._send(
            "HEAD", name, operation="HeadBucket", missing=ContainerDoesNotExistError
        )
        region = response.headers.get("x-amz-bucket-region")
        return Container(name, {"region": region} if region else {})

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a bucket, in the driver's region unless another is named.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html

        Raises:
            ContainerAlreadyExistsError: The name is taken, by this or any other account.
            InvalidContainerNameError: The name breaks the rules.
            InvalidRequestError: The endpoint does not make buckets in that region.
        """
        requests.check_new_bucket(name)
        region = location or (await self._site()).region
        try:
            return await self._create_container(name, region)
        except InvalidRequestError as error:
            # Many an endpoint has a region for signatures only, which is no place for buckets.
            if location is not None or error.code != "InvalidLocationConstraint":
                raise
        return await self._create_container(name, "")

    async def _create_container(self, name: str, region: str) -> Container:
        body = b"" if region in _NO_CONSTRAINT else requests.location_constraint(region)
        try:
            await self._send("PUT", name, body=body, operation="CreateBucket")
        except ContainerAlreadyExistsError as error:
            # After a lost answer the bucket that is there may well be the one just made.
            if error.code != "BucketAlreadyOwnedByYou" or error.attempts == 1:
                raise
        return Container(name, {"region": region} if region else {})

    async def delete_container(self, container: Container) -> None:
        """Delete a bucket, which must be empty.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html

        Raises:
            ContainerIsNotEmptyError: There are objects, or versions of objects, in it.
        """
        try:
            await self._send(
                "DELETE",
                container.name,
                operation="DeleteBucket",
                missing=ContainerDoesNotExistError,
            )
        except ContainerDoesNotExistError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, deleted it
                raise

    # -- objects ---------------------------------------------------------------------------------

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of up to 1,000 objects in the order of their keys' UTF-8 bytes.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        params = [("list-type", "2"), ("max-keys", "1000"), _URL_ENCODED]
        if prefix:
            params.append(("prefix", prefix))
        if cursor is not None:
            params.append(("continuation-token", cursor))
        response = await self._send(
            "GET",
            container.name,
            params=params,
            operation="ListObjectsV2",
            missing=ContainerDoesNotExistError,
        )
        answer = answers.decoded(response, answers.Listing)
        if answer.is_truncated and not answer.token:
            raise MalformedResponseError("the list goes on but names no next page")
        items = [
            answers.listed_object(item, answer.encoding, container) for item in answer.contents
        ]
        return Page(items, answer.token if answer.is_truncated else None)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such bucket.
        """
        try:
            response = await self._send(
                "HEAD",
                container_name,
                object_name,
                operation="HeadObject",
                missing=ObjectDoesNotExistError,
            )
        except ObjectDoesNotExistError as error:
            await self._check_container(container_name, error)
            raise
        return answers.object_of_headers(object_name, response.headers, Container(container_name))

    async def open_object(self, obj: Object, start: int | None, end: int | None) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        A range that begins at the object's end or later is an error; one that ends later is cut.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

        Raises:
            InvalidRequestError: There is no such range.
            MalformedResponseError: What came is not what was asked for.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        headers = {} if start is None else {"range": range_header(start, end)}
        try:
            response = await self._send(
                "GET",
                obj.container.name,
                obj.name,
                headers=headers,
                stream=True,
                operation="GetObject",
                missing=ObjectDoesNotExistError,
            )
        except InvalidRequestError as error:
            if error.status == 416:  # noqa: PLR2004 - Range Not Satisfiable
                error.message = f"the object {obj.name!r} ends before byte {start}"
            raise
        stream = response.stream or EmptyStream()
        try:
            return ExactStream(stream, expected_length(response, start, end))
        except CloudError:
            await stream.close()
            raise

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

    async def delete_object(self, obj: Object) -> None:
        """Delete an object; S3 does not tell whether there was one.

        In a bucket with versions this adds a marker, and older versions stay.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        await self._send("DELETE", obj.container.name, obj.name, operation="DeleteObject")

    async def copy_object(self, source: Object, container: Container, name: str) -> Object:
        """Copy an object of up to 5 GiB with its type and metadata, within one provider.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

        Raises:
            UnsupportedOperationError: It is larger.
            ObjectDoesNotExistError: There is no such object.
        """
        if source.size > MAX_PUT:
            raise UnsupportedOperationError("S3 copies objects of up to 5 GiB in one request")
        requests.check_key(source.name)
        response, answer = await self._send_and_check(
            "PUT",
            container.name,
            name,
            headers=requests.copy_source(source),
            operation="CopyObject",
        )
        headers = {**response.headers, "etag": answer.text("ETag", "")}
        extra = answers.extra_of_new(headers, source.extra.get("content_type"))
        extra["last_modified"] = answers.date_of(answer.text("LastModified"))
        digest = answers.digest_of(headers)
        return Object(name, source.size, digest, extra, dict(source.meta_data), container)

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:
        """Return a URL from which anybody may read an object, for a day or ``ex_expiry`` hours.

        Raises:
            InvalidRequestError: The time is not within a second and seven days.
        """
        hours = float(options.get("ex_expiry", _DEFAULT_EXPIRY_HOURS))
        return await self.presign(obj.container, obj.name, expires=int(hours * 3600))

    # -- operations of its own -------------------------------------------------------------------

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> str:
        """Return a URL with which anybody may read, write or delete one object; nothing is sent.

        It dies with the credentials, if those are temporary.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html

        Args:
            container: The bucket.
            object_name: The object, which need not be there yet.
            method: ``"GET"``, ``"HEAD"``, ``"PUT"`` or ``"DELETE"``.
            expires: Seconds, up to seven days.

        Raises:
            InvalidRequestError: The time is out of range.
        """
        site = await self._site()
        endpoint, path = site.address(container.name, requests.check_key(object_name))
        return await self._presigner().presign(method, endpoint, path, (), expires)

    async def get_object_tags(self, obj: Object) -> dict[str, str]:
        """Return an object's tags.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
        """
        response = await self._send(
            "GET",
            obj.container.name,
            obj.name,
            params=[("tagging", "")],
            operation="GetObjectTagging",
            missing=ObjectDoesNotExistError,
        )
        return answers.decoded(response, answers.Tags).tags

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace an object's tags; ten at the most.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
        """
        body = requests.tagging(tags)
        await self._send(
            "PUT",
            obj.container.name,
            obj.name,
            params=[("tagging", "")],
            headers=requests.md5_header(md5_of(body)),
            body=body,
            operation="PutObjectTagging",
            missing=ObjectDoesNotExistError,
        )

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None = None
    ) -> list[MultipartUpload]:
        """Return the multipart uploads to a bucket that were begun and not ended.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
        """
        found: list[MultipartUpload] = []
        start = [("uploads", ""), _URL_ENCODED, *([("prefix", prefix)] if prefix else [])]
        markers: list[tuple[str, str]] = []
        while True:
            response = await self._send(
                "GET", container.name, params=[*start, *markers], operation="ListMultipartUploads"
            )
            answer = answers.decoded(response, answers.Uploads)
            found += [_upload(item, answer.encoding, container) for item in answer.uploads]
            if not answer.is_truncated:
                return found
            next_key = answers.key_of(answer.key_marker, answer.encoding)
            following = [("key-marker", next_key), ("upload-id-marker", answer.id_marker)]
            if following == markers or not answer.uploads:
                raise MalformedResponseError("the list goes on but its next page is this one")
            markers = following

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

    async def cleanup_all_multipart_uploads(
        self, container: Container, prefix: str | None = None
    ) -> int:
        """End all multipart uploads to a bucket, also those that are still going on elsewhere.

        Returns:
            How many there were.
        """
        uploads = await self.list_multipart_uploads(container, prefix)
        for upload in uploads:
            await self.abort_multipart_upload(upload)
        return len(uploads)

    # -- uploads ---------------------------------------------------------------------------------

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
        response = await self._send(
            "POST",
            container.name,
            spec.name,
            params=[("uploads", "")],
            headers=start,
            # Begun twice it leaves an upload without parts, which nobody sees or pays.
            repeatable=True,
            operation="CreateMultipartUpload",
            missing=ContainerDoesNotExistError,
        )
        upload_id = answers.tree_of(response).text("UploadId", "")
        if not upload_id:
            raise MalformedResponseError("the provider began an upload without giving its id")
        upload = MultipartUpload(container, spec.name, upload_id)
        try:
            etags, size = await self._send_parts(upload, spec, first, parts, per_part)
            parts.check_length(size)
            return await self._complete(upload, spec, etags, size, at_end)
        except BaseException as error:
            await self.runtime.finish(self._abort(upload, error))
            raise

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
            stored = await self.get_object(upload.container.name, upload.name)
            if stored.size != size or stored.hash != _whole_etag(etags):
                raise
            return stored
        etag = answer.text("ETag", "") or _whole_etag(etags)  # Ceph may leave it empty
        return _stored(upload.container, spec, size, {**response.headers, "etag": etag})

    async def _abort(self, upload: MultipartUpload, error: BaseException) -> None:
        """Delete what was uploaded of an upload that failed; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS):
                await self.abort_multipart_upload(upload)
        except NotFoundError:
            return
        except CloudError as second:
            error.add_note(
                f"parts of the upload {upload.upload_id} are still stored, because ending it "
                f"failed: {second.message}"
            )

    # -- requests --------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        bucket: str,
        key: str | None = None,
        *,
        operation: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        stream: bool = False,
        repeatable: bool | None = None,
        missing: type[CloudError] | None = None,
    ) -> Response:
        """Send one request for a bucket or, with a key, an object; raise what is an error."""
        site = await self._site()
        endpoint, path = site.address(bucket, "" if key is None else requests.check_key(key))
        request = Request(
            method,
            path,
            params,
            headers or {},
            body,
            endpoint,
            repeatable,
            stream=stream,
            operation=operation,
        )
        subject = f"{bucket!r}" if key is None else f"{key[:200]!r} in {bucket!r}"
        return await self._exchange(request, site, subject, missing)

    async def _exchange(
        self,
        request: Request,
        site: Site,
        subject: str,
        missing: type[CloudError] | None = None,
    ) -> Response:
        try:
            response = await self.transport.send(request)
        except UnsafeResponseError as error:
            found = answers.redirect_error(error, site.region)
            if found is error:
                raise
            raise found from error
        if response.status >= 300:  # noqa: PLR2004 - whatever is not a good answer
            raise answers.error_of(response, site.region, missing, subject)
        return response

    async def _send_and_check(
        self, method: str, bucket: str, key: str, *, operation: str, **request: Any
    ) -> tuple[Response, Element]:
        """Send a request whose answer 200 may hold an error, and again what failed in passing."""
        tries = 0
        while True:
            tries += 1
            response = await self._send(method, bucket, key, operation=operation, **request)
            answer = answers.tree_of(response)
            error = answers.embedded_error(response, answer)
            if error is None:
                return response, answer
            if not error.retryable or tries == _EMBEDDED_TRIES:
                raise error
            await self.runtime.sleep(float(tries))

    async def _check_container(self, name: str, error: CloudError) -> None:
        """Say that the bucket is missing, if it is: HEAD of an object cannot tell which of both."""
        if error.code:
            return
        try:
            await self.get_container(name)
        except ContainerDoesNotExistError:
            raise
        except CloudError:
            return


def _stored(
    container: Container, spec: ObjectSpec, size: int, headers: Mapping[str, str]
) -> Object:
    extra = answers.extra_of_new(headers, spec.content_type)
    return Object(
        spec.name, size, answers.digest_of(headers), extra, dict(spec.meta_data), container
    )


def _upload(item: Any, encoding: str | None, container: Container) -> MultipartUpload:
    name = answers.key_of(item.key, encoding)
    return MultipartUpload(container, name, item.upload_id, answers.date_of(item.initiated))


def _whole_etag(etags: Sequence[str]) -> str:
    """Return the ETag of an object made of parts: the MD5 of their MD5s, and their number."""
    try:
        digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    except ValueError:
        return ""
    return f"{md5_of(digests).hex()}-{len(etags)}"
