"""Resumable uploads: an object in parts, one after the other.

Vendor's reference: https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from anysky.errors import (
    CloudError,
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
from anysky.transfer.digests import checksum, is_available
from anysky.transport.base import Body, Request, Response
from anysky.transport.safety import local_link

from .answers import ObjectResource, object_of
from .api import NO_BUCKET, UPLOAD, bucket_path, check_name, condition_params, object_path
from .base import GoogleStorageBase
from .describing import acl_params, part_of, resource_of, sent_headers

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
            msgspec.json.encode(resource),
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
        checksums: Mapping[str, str],
    ) -> Part:
        """Store the bytes from an offset on; bytes that are there already are left as they are.

        With its last bytes the object would be there, so those beyond the last 256 KiB that are
        whole are kept in the part's etag until the upload is completed. Cloud Storage compares
        digests only of the whole; what is kept is compared here.

        Raises:
            NotFoundError: The upload has been ended.
            ConflictError: Bytes before the offset are not there.
            ObjectHashMismatchError: The bytes that are kept are not those of the digest.
        """
        size = body.length or 0
        whole = size - size % _KIB256
        if whole:
            await self._send_all(upload, offset, part_of(body, 0, whole), whole, None)
        if not is_last:
            return Part(number, whole, "")
        kept = await self._read(part_of(body, whole, size - whole))
        if not whole:
            _check_digests(kept, checksums)
        return Part(number, size, base64.b64encode(kept).decode())

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return all that is stored as one part, whatever parts it was sent in.

        Raises:
            NotFoundError: The upload has been ended.
        """
        response = await self._send_bytes(upload, None, None, 0, None)
        if not _is_incomplete(response):
            raise NotFoundError("the upload is complete")
        size = _received(response)
        return [Part(1, size, "")] if size else []

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Send the last bytes, which makes the object, and compare digests.

        Raises:
            NotFoundError: The upload has been ended.
            ConflictError: There are not all parts.
            ObjectHashMismatchError: Its digest is not that in the spec; it is deleted again.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        size = sum(part.size for part in parts)
        kept = base64.b64decode(parts[-1].etag) if parts else b""
        body = Body(lambda: iter((kept,)), len(kept), replayable=True)
        start = size - len(kept)
        item = await self._send_all(upload, start, body, len(kept), size)
        if item is None:
            raise ConflictError("the upload lacks parts")
        stored = object_of(item, upload.container)
        wanted = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        known: Mapping[str, str] = stored.extra["checksums"]
        wrong = [name for name in known.keys() & wanted if known[name] != wanted[name].lower()]
        if wrong or stored.size != size:
            await self._delete_version(stored)
            what = f"another {wrong[0]}" if wrong else f"{stored.size} bytes in place of {size}"
            raise ObjectHashMismatchError(f"{upload.name}: other content has arrived: {what}")
        return stored

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload.

        Raises:
            NotFoundError: It has been ended, or is complete.
        """
        await self._send_session(upload, "DELETE", {}, b"")

    async def _send_all(
        self, upload: MultipartUpload, offset: int, body: Body, size: int, total: int | None
    ) -> ObjectResource | None:
        """Send bytes, again what was not taken; return the object if it is there now.

        Args:
            upload: The upload.
            offset: Where in the object they begin.
            body: The bytes.
            size: How many they are.
            total: Bytes of the object, if these are its last ones.
        """
        start, end = offset, offset + size
        for _ in range(_TRIES):
            rest = part_of(body, start - offset, end - start)
            response = await self._send_bytes(upload, start, rest, end - start, total)
            if not _is_incomplete(response):
                return _object(response)
            there = _received(response)
            if there < start:
                raise ConflictError(f"the upload has {there} bytes, not those before {start}")
            if total is None and there >= end:
                return None
            start = min(there, end)
        raise ProviderUnavailableError("Cloud Storage does not take what is sent")

    async def _read(self, body: Body) -> bytes:
        pieces = body.open()
        if isinstance(pieces, AsyncIterator):
            return b"".join([bytes(piece) async for piece in pieces])
        return await self.runtime.in_thread(lambda: b"".join(pieces))

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
        self,
        upload: MultipartUpload,
        start: int | None,
        body: Body | None,
        size: int,
        total: int | None,
    ) -> Response:
        """Send bytes, or ask how many are there; the answer says it either way."""
        span = "*" if start is None or not size else f"{start}-{start + size - 1}"
        headers = {**_NO_308, "Content-Range": f"bytes {span}/{'*' if total is None else total}"}
        content = body if body is not None and size else b""
        try:
            response = await self._send_session(upload, "PUT", headers, content)
        except UnsafeResponseError as error:
            if error.status != _INCOMPLETE:
                raise
            return Response(_INCOMPLETE, error.headers, attempts=error.attempts)
        if response.status == _CANCELLED:
            raise NotFoundError("the upload has been ended", status=_CANCELLED)
        return response

    async def _send_session(
        self, upload: MultipartUpload, method: str, headers: Mapping[str, str], body: bytes | Body
    ) -> Response:
        session = str(upload.extra.get(_SESSION, ""))
        if not session.startswith(f"{UPLOAD}/"):
            raise NotFoundError("there is no such upload: it has no address")
        request = Request(method, session, (), headers, body, operation="go on with an upload")
        try:
            return await self._api.exchange(request, good=(_CANCELLED,))
        except CloudError as error:
            # Google's id of the request is that of the session, which is as good as a password.
            known = ("resumable", upload.name)
            values = [value for _, value in parse_qsl(urlsplit(session).query)]
            error.redact(value for value in values if value not in known)
            raise


def _check_digests(content: bytes, wanted: Mapping[str, str]) -> None:
    for name, digest in wanted.items():
        if not is_available(name):
            continue
        found = checksum(name)
        found.update(content)
        if found.hexdigest() != digest.lower():
            raise ObjectHashMismatchError(f"the {name} of a part is not {digest}")


def _is_incomplete(response: Response) -> bool:
    override = response.headers.get(_OVERRIDE, "")
    return response.status == _INCOMPLETE or override == str(_INCOMPLETE)


def _object(response: Response) -> ObjectResource:
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
