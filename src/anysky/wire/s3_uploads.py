"""Uploads to S3 in one request, and the conditions on which they depend.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

from collections.abc import Mapping

from anysky.errors import (
    ConflictError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PreconditionFailedError,
)
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.transport.base import Body

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_checksums import checksum_headers
from .s3_multipart import S3Multipart, stored_object

__all__ = ["S3Uploads"]

_MAX_PUT = 5 * 1024**3
_CONFLICT = "ConditionalRequestConflict"
_CONFLICT_TRIES = 5
_CONFLICT_WAIT = 0.2


class S3Uploads(S3Multipart):
    """Stores objects."""

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object in one request, replacing one of the same name.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            InvalidRequestError: The name, the metadata or the length is not allowed.
            ObjectHashMismatchError: Other bytes arrived than were sent.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        requests.check_key(spec.name)
        if body.length is None or body.length > _MAX_PUT:
            raise InvalidRequestError(
                "S3 takes content of a known length of up to 5 GiB in one request"
            )
        return await self._put(container, body, spec)

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
        return headers | checksum_headers(_given(spec), self.checksums)

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
        stored = stored_object(container, spec, body.length or 0, response.headers)
        _compare(stored, _given(spec))
        return stored

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
        given = _given(spec)
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


def _given(spec: ObjectSpec) -> dict[str, str]:
    """Return the digests of the content that are known beforehand."""
    return dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})


def _compare(stored: Object, given: Mapping[str, str]) -> None:
    """Compare digests with those in the answer, for a provider that did not.

    Raises:
        ObjectHashMismatchError: Other bytes arrived than were sent.
    """
    told: Mapping[str, str] = stored.extra.get("checksums", {})
    for name in told.keys() & given.keys():
        if told[name] != given[name].lower():
            raise ObjectHashMismatchError(
                f"{stored.name}: sent with the {name.upper()} {given[name]}, and {told[name]} "
                "arrived"
            )
