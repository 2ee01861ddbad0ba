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

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from anysky.errors import (
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    PresignedURL,
)
from anysky.paging import Page
from anysky.transport.base import ByteStream, Request

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_content import (
    EmptyStream,
    ExactStream,
    check_range,
    expected_length,
    md5_of,
    range_header,
)
from .s3_requests import Site
from .s3_sending import Presigner
from .s3_uploads import MAX_PUT, S3Uploads

__all__ = ["MultipartUpload", "Presigner", "S3Storage", "Site"]

_DEFAULT_EXPIRY_HOURS = 24.0
_URL_ENCODED = ("encoding-type", "url")
# Regions that a new bucket is not told: AWS's first, which has no name there, and any at all.
_NO_CONSTRAINT = frozenset({"us-east-1", "auto", ""})


class S3Storage(S3Uploads):
    """The operations of S3, to be mixed into a provider's backend before its contract."""

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
        return Page(
            [answers.container_of(bucket) for bucket in answer.buckets], answer.token or None
        )

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

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        A range that begins at the object's end or later is an error; one that ends later is cut.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

        The whole content is compared with its MD5 where the provider tells that, at its end.

        Raises:
            InvalidRequestError: There is no such range.
            PreconditionFailedError: It is not the object that the condition asks for.
            MalformedResponseError: What came is not what was asked for.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        headers = requests.condition_headers(condition)
        if start is not None:
            headers["range"] = range_header(start, end)
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
            length = expected_length(response, start, end)
            # Without a length it may be unpacked on its way, and the digest be of the packed.
            whole = start is None and length is not None
            md5 = answers.md5_of_whole(response.headers) if whole else None
            return ExactStream(stream, length, md5)
        except CloudError:
            await stream.close()
            raise

    async def delete_object(self, obj: Object) -> None:
        """Delete an object; S3 does not tell whether there was one.

        In a bucket with versions this adds a marker, and older versions stay.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        await self._send("DELETE", obj.container.name, obj.name, operation="DeleteObject")

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object of up to 5 GiB with its type and metadata, within one provider.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

        Raises:
            UnsupportedOperationError: It is larger.
            ObjectDoesNotExistError: There is no such object.
        """
        if source.size > MAX_PUT:
            raise UnsupportedOperationError("S3 copies objects of up to 5 GiB in one request")
        requests.check_key(source.name)
        changes = changes or ObjectChanges()
        headers = requests.copy_source(source)
        if changes.storage_class:
            headers["x-amz-storage-class"] = changes.storage_class
        if changes.content_type is not None or changes.meta_data is not None:
            source = await self._changed(source, changes)
            content_type = str(source.extra.get("content_type", ""))
            spec = ObjectSpec(name, content_type=content_type, meta_data=source.meta_data)
            headers |= requests.upload_headers(spec) | {"x-amz-metadata-directive": "REPLACE"}
        response, answer = await self._send_and_check(
            "PUT", container.name, name, headers=headers, operation="CopyObject"
        )
        found = {**response.headers, "etag": answer.text("ETag", "")}
        extra = answers.extra_of_new(found, source.extra.get("content_type"))
        extra["last_modified"] = answers.date_of(answer.text("LastModified"))
        digest = answers.digest_of(found)
        return Object(name, source.size, digest, extra, dict(source.meta_data), container)

    async def _changed(self, source: Object, changes: ObjectChanges) -> Object:
        """Return an object as its copy shall be; what is not to be changed is asked for."""
        known = await self.get_object(source.container.name, source.name)
        meta = known.meta_data if changes.meta_data is None else dict(changes.meta_data)
        kind = changes.content_type or known.extra.get("content_type")
        return Object(
            known.name, known.size, known.hash, {"content_type": kind}, meta, known.container
        )

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:
        """Return a URL from which anybody may read an object, for a day or ``ex_expiry`` hours.

        Raises:
            InvalidRequestError: The time is not within a second and seven days.
        """
        hours = float(options.get("ex_expiry", _DEFAULT_EXPIRY_HOURS))
        url = await self.presign(obj.container, obj.name, expires=int(hours * 3600))
        return url.url

    # -- operations of its own -------------------------------------------------------------------

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> PresignedURL:
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
        url = await self._presigner().presign(method, endpoint, path, (), expires)
        ends = datetime.fromtimestamp(self.runtime.time() + expires, UTC)
        return PresignedURL(url, method, {}, ends)

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
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the multipart uploads to a bucket that were begun and not ended.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
        """
        params = [("uploads", ""), _URL_ENCODED, *([("prefix", prefix)] if prefix else [])]
        response = await self._send(
            "GET",
            container.name,
            params=[*params, *_markers(cursor, "key-marker", "upload-id-marker")],
            operation="ListMultipartUploads",
            missing=ContainerDoesNotExistError,
        )
        answer = answers.decoded(response, answers.Uploads)
        found = [_upload(item, answer.encoding, container) for item in answer.uploads]
        if not answer.is_truncated:
            return Page(found, None)
        following = _cursor(answers.key_of(answer.key_marker, answer.encoding), answer.id_marker)
        if following == cursor or not found:
            raise MalformedResponseError("the list goes on but its next page is this one")
        return Page(found, following)

    async def cleanup_all_multipart_uploads(
        self, container: Container, prefix: str | None = None
    ) -> int:
        """End all multipart uploads to a bucket, also those that are still going on elsewhere.

        Returns:
            How many there were.
        """
        page = await self.list_multipart_uploads(container, prefix, None)
        uploads = list(page.items)
        while page.cursor is not None:
            page = await self.list_multipart_uploads(container, prefix, page.cursor)
            uploads += page.items
        for upload in uploads:
            with suppress(NotFoundError):  # it has come to an end by itself
                await self.abort_multipart_upload(upload)
        return len(uploads)

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


def _cursor(*markers: str) -> str:
    return json.dumps(markers)


def _markers(cursor: str | None, *names: str) -> list[tuple[str, str]]:
    """Return as parameters where a list goes on."""
    return [] if cursor is None else list(zip(names, json.loads(cursor), strict=True))


def _upload(item: Any, encoding: str | None, container: Container) -> MultipartUpload:
    name = answers.key_of(item.key, encoding)
    return MultipartUpload(container, name, item.upload_id, answers.date_of(item.initiated))
