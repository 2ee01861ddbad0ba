"""Sending to S3: where to, and what an answer that is an error means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from anysky.errors import CloudError, UnsafeResponseError
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, Request, Response, Transport

from . import s3_answers as answers
from . import s3_requests as requests
from .s3_requests import Site
from .xml import Element

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from anysky.ledger import Ledger

__all__ = ["Presigner", "S3Requests"]

_EMBEDDED_TRIES = 3


class Presigner(Protocol):
    """Makes URLs that carry their signature."""

    async def presign(
        self, method: str, endpoint: str, path: str, params: Sequence[tuple[str, str]], expires: int
    ) -> str:
        """Return a URL with which anybody may do one thing for `expires` seconds."""
        ...


class S3Requests:
    """Sends requests for buckets and objects; a provider says where these are."""

    transport: Transport
    runtime: Runtime

    if TYPE_CHECKING:  # the provider's backend has it

        def ledger(self, operation: str) -> AbstractAsyncContextManager[Ledger]:
            """Return the ledger of the running call."""
            ...

    async def _site(self) -> Site:
        """Return where the buckets are."""
        raise NotImplementedError

    def _presigner(self) -> Presigner:
        """Return what signs URLs."""
        raise NotImplementedError

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
