"""Sending to S3: where to, and what an answer that is an error means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from anysky.errors import CloudError, UnsafeResponseError, UnsupportedOperationError
from anysky.model.storage import Object, ObjectSpec, ObjectVersion
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, Request, Response, Transport

from . import s3_answers as answers
from . import s3_errors as errors
from . import s3_requests as requests
from .s3_checksums import takes_checksums
from .s3_requests import Site
from .xml import Element

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from anysky.ledger import Ledger

__all__ = ["S3Requests", "URLSigner"]

_EMBEDDED_TRIES = 3
_REDIRECTS = frozenset({301, 307})
_ILLEGAL_LOCATION = "IllegalLocationConstraintException"


class URLSigner(Protocol):
    """Signs requests for the region of their endpoint, and makes URLs that carry a signature."""

    async def presign(
        self, method: str, endpoint: str, path: str, params: Sequence[tuple[str, str]], expires: int
    ) -> str:
        """Return a URL with which anybody may do one thing for `expires` seconds."""
        ...

    def use_region(self, endpoint: str, region: str) -> None:
        """Sign for a region from now on what goes to an endpoint."""
        ...


@dataclass(slots=True)
class _Learned:
    """What a backend has learned from answers.

    Attributes:
        sites: Where those buckets are that are not at the backend's own site.
        keys: Header fields with a customer's key for encryption, by the id of the multipart
            upload; they are not in its `extra`, which is written to disk.
        bare_etags: Whether the provider wants an ETag without its quotes in If-Match of a PUT, as
            Ceph did up to Pacific.
    """

    sites: dict[str, Site] = field(default_factory=dict[str, Site])
    keys: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    bare_etags: bool = False


class S3Requests:
    """Sends requests for buckets and objects; a provider says where these are."""

    checksums: ClassVar[tuple[str, ...]]
    transport: Transport
    runtime: Runtime

    if TYPE_CHECKING:  # the provider's backend has them

        def ledger(self, operation: str) -> AbstractAsyncContextManager[Ledger]:
            """Return the ledger of the running call."""
            ...

        @classmethod
        def supports(cls, operation: str) -> bool:
            """Whether this backend has an operation."""
            ...

        async def get_object(self, container_name: str, object_name: str) -> Object:
            """Return what is known about one object."""
            ...

        async def get_object_version(
            self, container_name: str, object_name: str, version_id: str
        ) -> ObjectVersion:
            """Return what is known about one version of an object."""
            ...

        async def get_object_tags(self, obj: Object) -> dict[str, str]:
            """Return an object's tags."""
            ...

        async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
            """Replace all tags of an object."""
            ...

    async def _site(self) -> Site:
        """Return where the buckets are."""
        raise NotImplementedError

    def _site_in(self, site: Site, region: str) -> Site | None:
        """Return where buckets of another region are; None if that cannot be known.

        Args:
            site: Where a bucket was looked for.
            region: Its region, as the service says.
        """
        return replace(site, region=region)

    def _presigner(self) -> URLSigner:
        """Return what signs."""
        raise NotImplementedError

    @cached_property
    def _learned(self) -> _Learned:
        # Of two threads that come here first, both get what one of them makes.
        return vars(self).setdefault("_learned_once", _Learned())  # type: ignore[no-any-return]

    @property
    def _is_current(self) -> bool:
        """Whether the provider has what AWS has: digests of all kinds, conditions of parts."""
        return takes_checksums(self.checksums)

    def _checksum_mode(self) -> dict[str, str]:
        """Return the header field that asks for digests, where the provider knows it."""
        return {"x-amz-checksum-mode": "ENABLED"} if self._is_current else {}

    def _describe(self, spec: ObjectSpec) -> dict[str, str]:
        """Return the header fields that describe a new object.

        Raises:
            InvalidRequestError: The metadata is not allowed.
            UnsupportedOperationError: The provider has no tags.
        """
        if spec.tags and not self.supports("set_object_tags"):
            raise UnsupportedOperationError(f"{type(self).__name__} has no tags of objects")
        return requests.upload_headers(spec)

    async def _bucket_site(self, bucket: str) -> Site:
        return self._learned.sites.get(bucket) or await self._site()

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
        """Send one request for a bucket or, with a key, an object; raise what is an error.

        A bucket that is in another region is looked for there, once, and remembered.
        """
        site = await self._bucket_site(bucket)
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
        try:
            return await self._exchange(request, site, subject, missing)
        except errors.WrongRegionError as error:
            right = self._follow(bucket, site, error)
            if right is None or not _may_resend(body):
                raise
            endpoint, path = right.address(bucket, key or "")
            again = replace(request, endpoint=endpoint, path=path)
            return await self._exchange(again, right, subject, missing)

    def _follow(self, bucket: str, site: Site, error: errors.WrongRegionError) -> Site | None:
        """Remember the region of a bucket; None if it is nowhere that requests may go."""
        right = self._site_in(site, error.region)
        is_moved = error.status in _REDIRECTS  # to another host, not to another signature
        if right is None or right == site or (is_moved and right.endpoint == site.endpoint):
            return None
        if error.code == _ILLEGAL_LOCATION:  # of a bucket that is to be made, and is nowhere
            return None
        self._remember(bucket, right)
        return right

    def _remember(self, bucket: str, site: Site) -> None:
        """Look for a bucket at another site from now on."""
        self._learned.sites[bucket] = site
        self._presigner().use_region(site.address(bucket, "")[0], site.region)

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
            found = errors.redirect_error(error, site.region)
            if found is error:
                raise
            raise found from error
        if response.status >= 300:  # noqa: PLR2004 - whatever is not a good answer
            raise errors.error_of(response, site.region, missing, subject)
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
            error = errors.embedded_error(response, answer)
            if error is None:
                return response, answer
            if not error.retryable or tries == _EMBEDDED_TRIES:
                raise error
            await self.runtime.sleep(float(tries))


def _may_resend(body: bytes | Body) -> bool:
    return isinstance(body, bytes) or body.replayable
