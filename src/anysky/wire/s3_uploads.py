"""Uploads to S3: in one request, or in parts that are removed if the upload fails.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConflictError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PreconditionFailedError,
)
from anysky.ledger import Ledger, unnoted
from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec, Part
from anysky.transport.base import Body

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_checksums import checksum_headers
from .s3_content import PartReader, md5_of, memory_body
from .s3_multipart import S3Multipart, stored_object

__all__ = ["MAX_PARTS", "MAX_PUT", "PART_SIZE", "S3Uploads"]

PART_SIZE = 8 * 1024 * 1024
"""Bytes of one part, where the content is not too long for `MAX_PARTS` of them."""
MAX_PARTS = 10_000
MAX_PUT = 5 * 1024**3
"""Bytes that one PutObject or CopyObject takes at the most."""

_ABORT_SECONDS = 30.0
_CONFLICT = "ConditionalRequestConflict"
_CONFLICT_TRIES = 5
_CONFLICT_WAIT = 0.2


class S3Uploads(S3Multipart):
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

    async def _put(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._put_once(container, body, spec)
            except ConflictError as error:
                if not body.replayable or not await self._may_win(container, spec, error, tries):
                    raise

    async def _may_win(
        self, container: Container, spec: ObjectSpec, error: ConflictError, tries: int
    ) -> bool:
        """Whether an upload that was refused may be asked for again at once."""
        if error.code == _CONFLICT and tries < _CONFLICT_TRIES:
            # Somebody else was storing it at the same moment; asked again, S3 knows who won.
            await self.runtime.sleep(_CONFLICT_WAIT * tries)
            return True
        wanted = spec.condition.if_match if spec.condition else None
        if wanted is None or self._is_current or self._learned.bare_etags:
            return False
        there = await self.get_object(container.name, spec.name)
        self._learned.bare_etags = there.extra.get("etag") == wanted
        return self._learned.bare_etags

    def _upload_headers(self, spec: ObjectSpec) -> dict[str, str]:
        headers = self._describe(spec)
        if self._learned.bare_etags and "if-match" in headers:
            headers["if-match"] = headers["if-match"].strip('"')
        given = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        return headers | checksum_headers(given, self.checksums)

    async def _put_once(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        try:
            response = await self._send(
                "PUT",
                container.name,
                spec.name,
                headers=self._upload_headers(spec),
                body=body,
                operation="PutObject",
                missing=ContainerDoesNotExistError,
            )
        except PreconditionFailedError as error:
            if error.attempts == 1:
                raise
            return await self._stored_before(container, body, spec, error)
        return stored_object(container, spec, body.length or 0, response.headers)

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
        response = await self._send(
            "HEAD",
            container.name,
            spec.name,
            headers=self._checksum_mode(),
            operation="HeadObject",
        )
        there = answers.object_of_headers(spec.name, response.headers, container)
        given = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        known: Mapping[str, str] = there.extra.get("checksums", {})
        both = known.keys() & given.keys()
        if there.size != body.length or any(known[one] != given[one].lower() for one in both):
            raise error
        if not both:
            raise OutcomeUnknownError(
                f"an answer was lost, and {spec.name!r} is there now: nobody can tell whether it "
                "is what was sent, because no digest was given"
            ) from error
        return there

    async def _put_parts(
        self, container: Container, spec: ObjectSpec, first: bytes, parts: PartReader
    ) -> Object:
        async with self.ledger("upload_object") as ledger:
            upload = await ledger.step(
                f"multipart upload of {spec.name}",
                self.begin_multipart_upload(container, spec),
                undo=self.abort_multipart_upload,
                find=self._find_upload,
            )
            try:
                with unnoted():  # nobody sees parts until they are put together
                    sent, size = await self._send_parts(upload, spec, first, parts)
                parts.check_length(size)
                stored = await self.complete_multipart_upload(upload, sent, spec)
            except BaseException as error:
                await self.runtime.finish(self._abort(ledger, upload, error))
                raise
            ledger.forget(upload)
        return stored

    async def _find_upload(self, mark: str) -> list[MultipartUpload]:  # noqa: ARG002 - it carries none
        """Find none: what was begun without its answer has no parts and costs nothing."""
        return []

    async def _send_parts(
        self,
        upload: MultipartUpload,
        spec: ObjectSpec,
        part: bytes,
        parts: PartReader,
    ) -> tuple[list[Part], int]:
        sent: list[Part] = []
        size = 0
        whole = hashlib.md5(usedforsecurity=False)
        while True:
            size += len(part)
            if spec.md5:
                await self.runtime.in_thread(partial(whole.update, part))
            md5 = (await self.runtime.in_thread(partial(md5_of, part))).hex()
            job = self.upload_part(
                upload,
                len(sent) + 1,
                size - len(part),
                memory_body(part),
                is_last=parts.is_last,
                checksums={"md5": md5},
            )
            sent.append(await job)
            if parts.is_last:
                break
            if len(sent) == MAX_PARTS:
                raise InvalidRequestError(
                    f"content of unknown length is longer than {size} bytes, the most that goes "
                    "in parts of 8 MiB: upload a file, whose length is known"
                )
            part = await parts.read()
        if spec.md5 and whole.hexdigest() != spec.md5.lower():
            raise ObjectHashMismatchError(f"{spec.name}: the content has not the MD5 {spec.md5}")
        return sent, size

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
