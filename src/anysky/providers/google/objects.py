"""Objects of Cloud Storage: stored in one request, read, deleted.

Vendor's reference: https://cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from anysky.errors import (
    CloudError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    OutcomeUnknownError,
    PreconditionFailedError,
)
from anysky.model.storage import Condition, Container, Object, ObjectSpec
from anysky.transport.base import Body, ByteStream, Request, Response
from anysky.wire.s3_content import (
    EmptyStream,
    ExactStream,
    check_range,
    expected_length,
    range_header,
)

from .answers import ObjectResource, checksums_of_header, object_of
from .api import (
    DOWNLOAD,
    NO_BUCKET,
    NO_OBJECT,
    UPLOAD,
    bucket_path,
    check_name,
    condition_params,
    object_path,
    version_params,
)
from .describing import acl_params, multipart_body, resource_of, sent_headers
from .resumable import GoogleResumable

__all__ = ["GoogleObjects"]

_RANGE_NOT_SATISFIABLE = 416


class GoogleObjects(GoogleResumable):
    """What is done with one object."""

    checksums: ClassVar[tuple[str, ...]] = ("crc32c", "md5")

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object; its etag is its generation.

        https://cloud.google.com/storage/docs/json_api/v1/objects/get

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such bucket.
        """
        item = await self._resource(container_name, object_name)
        return object_of(item, Container(container_name))

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object of up to 5 TiB in one request, replacing one of the same name.

        Cloud Storage compares the content with the digests in the spec before the object is there.

        https://cloud.google.com/storage/docs/json_api/v1/objects/insert

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            ObjectHashMismatchError: Other bytes arrived than were sent.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        resource = resource_of(spec)
        check_name(spec.name)
        content_type, framed = multipart_body(resource, body)
        params = [("uploadType", "multipart"), ("name", spec.name), *acl_params(spec)]
        request = Request(
            "POST",
            f"{UPLOAD}{bucket_path(container.name)}/o",
            [*params, *condition_params(spec.condition)],
            {"Content-Type": content_type, "Accept-Encoding": "gzip", **sent_headers(spec)},
            framed,
            repeatable=True,  # what is named is there once, however often it was sent
            operation="insert an object",
        )
        try:
            response = await self._api.exchange(request, NO_BUCKET)
        except PreconditionFailedError as error:
            if error.attempts == 1:
                raise
            return await self._stored_before(container, body, spec, error)
        return object_of(self._api.decode(response, ObjectResource), container)

    async def _stored_before(
        self,
        container: Container,
        body: Body,
        spec: ObjectSpec,
        error: PreconditionFailedError,
    ) -> Object:
        """Return the object if an earlier try, whose answer was lost, had stored it.

        Raises:
            PreconditionFailedError: It is somebody else's.
            OutcomeUnknownError: It may be ours.
        """
        try:
            there = await self.get_object(container.name, spec.name)
        except ObjectDoesNotExistError:
            raise error from None
        given = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        known: Mapping[str, str] = there.extra["checksums"]
        both = known.keys() & given.keys()
        if there.size != body.length or any(known[one] != given[one].lower() for one in both):
            raise error
        if not both:
            raise OutcomeUnknownError(
                f"an answer was lost, and {spec.name!r} is there now: nobody can tell whether it "
                "is what was sent, because no digest was given"
            ) from error
        return there

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        What was stored compressed comes as it was stored. The whole content is compared with its
        MD5 at its end, which objects have not that were composed of others.

        https://cloud.google.com/storage/docs/json_api/v1/objects/get

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: There is no such range.
            PreconditionFailedError: It is not the object that the condition asks for.
            MalformedResponseError: What came is not what was asked for.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        # Whoever takes no gzip gets what was stored so unpacked, of unknown length and digest.
        headers = {"Accept-Encoding": "gzip"}
        if start is not None:
            headers["Range"] = range_header(start, end)
        params = [("alt", "media"), *version_params(obj), *condition_params(condition)]
        request = Request(
            "GET",
            DOWNLOAD + object_path(obj),
            params,
            headers,
            stream=True,
            operation="read an object",
        )
        try:
            response = await self._api.exchange(request, NO_OBJECT)
        except InvalidRequestError as error:
            if error.status == _RANGE_NOT_SATISFIABLE:
                error.message = f"the object {obj.name!r} ends before byte {start}"
            raise
        stream = response.stream or EmptyStream()
        try:
            _check_encoding(response)
            length = expected_length(response, start, end)
            digests = checksums_of_header(response.headers.get("x-goog-hash", ""))
            return ExactStream(stream, length, digests.get("md5") if start is None else None)
        except CloudError:
            await stream.close()
            raise

    async def delete_object(self, obj: Object) -> None:
        """Delete an object, or one version of it for good.

        In a bucket with versions, or with soft delete, what was deleted can be had back.

        https://cloud.google.com/storage/docs/json_api/v1/objects/delete

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """
        await self._api.send(
            "DELETE", object_path(obj), params=version_params(obj), kinds=NO_OBJECT
        )


def _check_encoding(response: Response) -> None:
    """See that nobody has compressed the content on its way."""
    stored = response.headers.get("x-goog-stored-content-encoding")
    found = response.headers.get("content-encoding", "identity")
    if stored == "identity" and found != "identity":
        raise MalformedResponseError(f"the content comes as {found[:40]}, and was not stored so")
