"""Resumable uploads: an object in parts, one after the other.

Vendor's reference: https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

import msgspec

from anysky.errors import (
    ConflictError,
    MalformedResponseError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    ProviderUnavailableError,
    UnsafeResponseError,
)
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectSpec,
    ObjectVersion,
    Part,
    PartLimits,
)
from anysky.transport.base import Body, Request, Response
from anysky.transport.safety import local_link

from .answers import ObjectResource, object_of
from .api import NO_BUCKET, UPLOAD, bucket_path, check_name, condition_params, object_path
from .base import GoogleStorageBase
from .describing import acl_params, resource_of, rest_of, sent_headers

__all__ = ["GoogleResumable"]

_KIB256 = 256 * 1024
_TIB5 = 5 * 1024**4
_SESSION = "session"
_RANGE = re.compile("bytes=0-([0-9]{1,18})")
_OVERRIDE = "x-http-status-code-override"
# Asks for 200 in place of 308, which elsewhere is a redirect.
_NO_308 = {"X-GUploader-No-308": "yes"}
_INCOMPLETE = 308
_CANCELLED = 499
_TRIES = 8


class GoogleResumable(GoogleStorageBase):
    """Parts of objects."""

    parts: ClassVar[PartLimits | None] = PartLimits(
        whole=_TIB5,
        smallest=_KIB256,
        largest=_TIB5,
        count=_TIB5 // _KIB256,
        multiple=_KIB256,
        in_order=True,
    )

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin a resumable upload; it is good for a week.

        The condition of the spec holds when the object is made. Whoever knows ``extra["session"]``
        can go on with it without credentials; `upload_id` tells nothing of it.

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        resource = resource_of(spec)
        check_name(spec.name)
        params = [("uploadType", "resumable"), ("name", spec.name), *acl_params(spec)]
        request = Request(
            "POST",
            f"{UPLOAD}{bucket_path(container.name)}/o",
            [*params, *condition_params(spec.condition)],
            {
                "Content-Type": "application/json; charset=UTF-8",
                "X-Upload-Content-Type": str(resource["contentType"]),
                **sent_headers(spec),
            },
            _encode(resource),
            repeatable=True,  # a session that nobody uses costs nothing, and ends by itself
            operation="begin a resumable upload",
        )
        response = await self._api.exchange(request, NO_BUCKET)
        link = response.headers.get("location", "")
        path, query = local_link(link, self.connection.endpoint)
        if not path.startswith(UPLOAD) or not query:
            raise MalformedResponseError("Cloud Storage begins an upload without an address for it")
        session = Request("PUT", path, query).target
        digest = hashlib.sha256(session.encode()).hexdigest()[:32]
        return MultipartUpload(container, spec.name, digest, None, {_SESSION: session})

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,
        body: Body,
        *,
        is_last: bool,
        checksums: Mapping[str, str],  # noqa: ARG002 - digests of single parts are not checked
    ) -> Part:
        """Store the bytes from an offset on; with the last ones the object is there.

        Bytes that are there already are left as they are.

        Raises:
            NotFoundError: The upload has been ended.
            ConflictError: Bytes before the offset are not there.
            ObjectHashMismatchError: The object is not what its digest says.
        """
        size = body.length or 0
        total = offset + size if is_last else None
        start = offset
        for _ in range(_TRIES):
            response = await self._send_bytes(upload, start, rest_of(body, start - offset), total)
            done = _object(response)
            if done is not None:
                return Part(number, size, done.generation)
            there = _received(response)
            if there < start:
                raise ConflictError(f"the upload has {there} bytes, not those before {start}")
            if total is None and there >= offset + size:
                return Part(number, size, "")
            start = min(there, offset + size)
        raise ProviderUnavailableError("Cloud Storage does not take what is sent")

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return what is stored as a single part.

        Raises:
            NotFoundError: The upload has been ended.
        """
        response = await self._send_bytes(upload, None, None, None)
        done = _object(response)
        if done is not None:
            return [Part(1, int(done.size), done.generation)]
        size = _received(response)
        return [Part(1, size, "")] if size else []

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Return the object, which is there since its last part was.

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Its digest is not that in the spec; it is deleted.
        """
        size = sum(part.size for part in parts)
        stored = object_of(await self._stored(upload, parts, size), upload.container)
        wanted = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        known: Mapping[str, str] = stored.extra["checksums"]
        wrong = [name for name in known.keys() & wanted if known[name] != wanted[name].lower()]
        if wrong or stored.size != size:
            await self._delete_version(stored)
            what = wrong[0] if wrong else f"{stored.size} bytes in place of {size}"
            raise ObjectHashMismatchError(f"{upload.name}: other content arrived: {what}")
        return stored

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload.

        Raises:
            NotFoundError: It has been ended, or is complete.
        """
        request = _of_session(upload, "DELETE", {}, b"")
        await self._api.exchange(request, good=(_CANCELLED,))

    async def _stored(
        self, upload: MultipartUpload, parts: Sequence[Part], size: int
    ) -> ObjectResource:
        generation = parts[-1].etag if parts else ""
        if generation:
            with suppress(ObjectDoesNotExistError):  # somebody else has replaced it meanwhile
                return await self._resource(upload.container.name, upload.name, generation)
        done = _object(await self._send_bytes(upload, size, None, size))
        if done is None:
            raise ConflictError("the upload lacks parts")
        return done

    async def _resource(self, bucket: str, name: str, generation: str = "") -> ObjectResource:
        """Fetch what is known about an object, or one version of it."""
        params = [("generation", generation)] if generation else []
        return await self._api.call(
            "GET",
            object_path((bucket, name)),
            ObjectResource,
            params=params,
            kinds={NotFoundError: ObjectDoesNotExistError},
        )

    async def _delete_version(self, stored: Object) -> None:
        """Delete what has just been stored, and nothing that came later."""
        version = ObjectVersion(
            stored.name,
            stored.size,
            stored.hash,
            stored.extra,
            stored.meta_data,
            stored.container,
            str(stored.extra["etag"]),
        )
        with suppress(ObjectDoesNotExistError):
            await self.delete_object(version)

    async def _send_bytes(
        self, upload: MultipartUpload, start: int | None, body: Body | None, total: int | None
    ) -> Response:
        """Send bytes, or ask how many are there; the answer says it either way.

        Args:
            upload: The upload.
            start: Where in the object they begin; None to ask.
            body: What to send.
            total: Bytes of the object, if the last ones are sent.
        """
        size = body.length or 0 if body is not None else 0
        span = f"{start}-{(start or 0) + size - 1}" if size else "*"
        headers = {**_NO_308, "Content-Range": f"bytes {span}/{'*' if total is None else total}"}
        request = _of_session(upload, "PUT", headers, body if body is not None and size else b"")
        try:
            return await self._api.exchange(request)
        except UnsafeResponseError as error:
            if error.status != _INCOMPLETE:
                raise
            return Response(_INCOMPLETE, error.headers, attempts=error.attempts)


def _of_session(
    upload: MultipartUpload, method: str, headers: Mapping[str, str], body: bytes | Body
) -> Request:
    session = str(upload.extra.get(_SESSION, ""))
    if not session.startswith(f"{UPLOAD}/"):
        raise NotFoundError("there is no such upload: it has no address")
    return Request(method, session, (), headers, body, operation="go on with an upload")


def _encode(resource: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(resource)


def _is_incomplete(response: Response) -> bool:
    override = response.headers.get(_OVERRIDE, "")
    return response.status == _INCOMPLETE or override == str(_INCOMPLETE)


def _object(response: Response) -> ObjectResource | None:
    """Return the object if an answer says that it is complete."""
    if _is_incomplete(response):
        return None
    try:
        return msgspec.json.decode(response.body, type=ObjectResource)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedResponseError(
            "Cloud Storage does not say what it has stored", status=response.status
        ) from error


def _received(response: Response) -> int:
    """Return how many bytes are there; what is no multiple of 256 KiB may not stay."""
    found = _RANGE.fullmatch(response.headers.get("range", "").strip())
    if found is None:
        return 0
    size = int(found[1]) + 1
    return size - size % _KIB256
