"""S3, the protocol: what AWS, Ceph, MinIO, Cloudflare R2, DigitalOcean Spaces, Wasabi … speak.

A provider's backend is `S3Storage` in front of the contract, and says where its buckets are::

    class Spaces(S3Storage, StorageBackend):
        async def _site(self) -> Site:
            return Site(self.connection.endpoint, self.account.region)

        def _presigner(self) -> URLSigner:
            return self.connection.signer

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from anysky.errors import (
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    PermissionDeniedError,
    UnsupportedOperationError,
)
from anysky.model.storage import (
    Condition,
    Container,
    Object,
    ObjectVersion,
    PresignedURL,
)
from anysky.transport.base import ByteStream, Response

from . import s3_answers as answers
from . import s3_errors as errors
from . import s3_requests as requests
from .s3_content import (
    EmptyStream,
    ExactStream,
    check_range,
    expected_length,
    range_header,
)
from .s3_copies import S3Copies
from .s3_lists import S3Lists
from .s3_requests import Site
from .s3_sending import URLSigner
from .s3_uploads import S3Uploads

__all__ = ["S3Storage", "Site", "URLSigner"]

_DEFAULT_EXPIRY_HOURS = 24.0
_DELETE_TRIES = 3
_NO_VERSION = frozenset({400, 404, 405})
_PRESIGNED = frozenset({"GET", "HEAD", "PUT", "DELETE"})
# Regions that a new bucket is not told: AWS's first, which has no name there, and any at all.
_NO_CONSTRAINT = frozenset({"us-east-1", "auto", ""})


class S3Storage(S3Lists, S3Uploads, S3Copies):
    """The operations of S3, to be mixed into a provider's backend before its contract.

    Attributes:
        remakes_buckets: Whether the service makes a bucket that is there without an error, as Ceph
            does, so that it is looked for first.
    """

    remakes_buckets: ClassVar[bool] = False
    bulk: ClassVar[int] = 1000

    # -- containers ------------------------------------------------------------------------------

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
        site = await self._site()
        there = self._site_in(site, location) if location else None
        if there is not None and there.endpoint != site.endpoint:
            self._remember(name, there)
        if self.remakes_buckets:
            await self._check_untaken(name)
        try:
            return await self._create_container(name, location or site.region)
        except InvalidRequestError as error:
            # Many an endpoint has a region for signatures only, which is no place for buckets.
            if location is not None or error.code != "InvalidLocationConstraint":
                raise
        return await self._create_container(name, "")

    async def _check_untaken(self, name: str) -> None:
        """Look before a bucket is made.

        Raises:
            ContainerAlreadyExistsError: It is there.
        """
        try:
            await self.get_container(name)
        except (ContainerDoesNotExistError, PermissionDeniedError):
            return
        raise ContainerAlreadyExistsError(f"the bucket {name!r} is there already")

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

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such bucket.
        """
        try:
            response = await self._head(container_name, object_name)
        except ObjectDoesNotExistError as error:
            await self._check_container(container_name, error)
            raise
        return answers.object_of_headers(object_name, response.headers, Container(container_name))

    async def _head(self, container: str, name: str, version_id: str = "") -> Response:
        return await self._send(
            "HEAD",
            container,
            name,
            params=[("versionId", version_id)] if version_id else (),
            headers=self._checksum_mode(),
            operation="HeadObject",
            missing=ObjectDoesNotExistError,
        )

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        A range that begins at the object's end or later is an error; one that ends later is cut.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

        The whole content is compared with its digest where the provider tells one, at its end.

        Raises:
            InvalidRequestError: There is no such range.
            PreconditionFailedError: It is not the object that the condition asks for.
            MalformedResponseError: What came is not what was asked for.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        headers = requests.condition_headers(condition)
        headers |= self._checksum_mode() if start is None else {"range": range_header(start, end)}
        try:
            response = await self._send(
                "GET",
                obj.container.name,
                obj.name,
                params=requests.version_params(obj),
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
            digest, algorithm = answers.whole_digest(response.headers) if whole else (None, "md5")
            return ExactStream(stream, length, digest, algorithm)
        except CloudError:
            await stream.close()
            raise

    async def delete_object(self, obj: Object) -> None:
        """Delete an object; S3 does not tell whether there was one.

        In a bucket with versions this adds a marker, and older versions stay. A version is deleted
        for good.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        await self._send(
            "DELETE",
            obj.container.name,
            obj.name,
            params=requests.version_params(obj),
            operation="DeleteObject",
        )

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 1,000 objects of one bucket by one request.

        Those whose keys XML cannot hold, such as one with a line break, have requests of their own.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        """
        found: dict[int, CloudError | None] = {}
        together = [n for n, obj in enumerate(objects) if not requests.is_deleted_alone(obj.name)]
        tries = 0
        while together:
            tries += 1
            chosen = [objects[number] for number in together]
            found |= zip(together, await self._delete_together(chosen), strict=True)
            together = [n for n in together if (error := found[n]) and error.retryable]
            if tries == _DELETE_TRIES:
                break
            if together:
                await self.runtime.sleep(float(tries))
        alone = [number for number in range(len(objects)) if number not in found]
        jobs = [self._delete_alone(objects[number]) for number in alone]
        found |= zip(alone, await self.runtime.gather(jobs), strict=True)
        return [found[number] for number in range(len(objects))]

    async def _delete_together(self, objects: Sequence[Object]) -> list[CloudError | None]:
        body = requests.deletion(objects)
        response = await self._send(
            "POST",
            objects[0].container.name,
            params=[("delete", "")],
            headers=requests.md5_header(body),
            body=body,
            repeatable=True,
            operation="DeleteObjects",
            missing=ContainerDoesNotExistError,
        )
        return errors.deletion_errors(response, objects)

    async def _delete_alone(self, obj: Object) -> CloudError | None:
        try:
            await self.delete_object(obj)
        except CloudError as error:
            return error
        return None

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
            InvalidRequestError: The time is out of range, or the method another.
        """
        if method not in _PRESIGNED:
            raise InvalidRequestError(f"no URL is signed for {method!r}: only for GET or PUT")
        site = await self._bucket_site(container.name)
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
            params=[("tagging", ""), *requests.version_params(obj)],
            operation="GetObjectTagging",
            missing=ObjectDoesNotExistError,
        )
        # Ceph says nothing at all of an object that was stored in parts and has none.
        return answers.decoded(response, answers.Tags).tags if response.body else {}

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace an object's tags; ten at the most.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html and
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html
        """
        body = requests.tagging(tags) if tags else b""
        await self._send(
            "PUT" if tags else "DELETE",
            obj.container.name,
            obj.name,
            params=[("tagging", ""), *requests.version_params(obj)],
            headers=requests.md5_header(body) if tags else {},
            body=body,
            operation="PutObjectTagging" if tags else "DeleteObjectTagging",
            missing=ObjectDoesNotExistError,
        )

    async def get_versioning(self, container: Container) -> bool:
        """Return whether a bucket keeps older versions of its objects.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
        """
        response = await self._send(
            "GET",
            container.name,
            params=[("versioning", "")],
            operation="GetBucketVersioning",
            missing=ContainerDoesNotExistError,
        )
        return answers.tree_of(response).text("Status") == "Enabled"

    async def set_versioning(self, container: Container, enabled: bool) -> None:
        """Let a bucket keep older versions of its objects from now on, or no longer.

        Versions that are there stay. AWS advises to wait for 15 minutes after the first time.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
        """
        body = requests.versioning(enabled)
        await self._send(
            "PUT",
            container.name,
            params=[("versioning", "")],
            headers=requests.md5_header(body),
            body=body,
            operation="PutBucketVersioning",
            missing=ContainerDoesNotExistError,
        )

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of an object, by several requests.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetMetaOfObjVersion.html

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        container = Container(container_name)
        try:
            response = await self._head(container_name, object_name, version_id)
        except (NotFoundError, InvalidRequestError, UnsupportedOperationError) as error:
            # A delete marker cannot be read, and some ids get no more than 400 for an answer.
            if error.code or error.status not in _NO_VERSION:
                raise
            return await self._listed_version(container, object_name, version_id, error)
        is_latest = await self._latest(container_name, object_name) == version_id
        found = answers.object_of_headers(object_name, response.headers, container)
        return answers.version_of(found, version_id, is_latest=is_latest)

    async def _listed_version(
        self, container: Container, name: str, version_id: str, error: CloudError
    ) -> ObjectVersion:
        cursor = None
        while True:
            page = await self.list_object_versions(container, name, cursor)
            own = [version for version in page.items if version.name == name]
            found = next((one for one in own if one.version_id == version_id), None)
            if found is not None:
                return found
            cursor = page.cursor
            if cursor is None or len(own) < len(page.items):
                raise ObjectDoesNotExistError(
                    f"there is no version {version_id[:80]!r} of {name[:200]!r}",
                    status=error.status,
                    request_id=error.request_id,
                )

    async def _latest(self, container: str, name: str) -> str:
        """Return the id of the version that an object's name means now; empty if it means none."""
        try:
            headers = (await self._head(container, name)).headers
        except ObjectDoesNotExistError:
            return ""
        return headers.get("x-amz-version-id", "null")

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
