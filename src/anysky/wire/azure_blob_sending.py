"""Sending to Azure Blob Storage: where to, and what an answer that is an error means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from anysky.errors import CloudError, InvalidRequestError
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, Request, Response, Transport

from . import azure_blob_errors as errors
from . import azure_blob_requests as requests

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from anysky.ledger import Ledger

    from .azure_signers import BlobSigner

__all__ = ["BlobRequests"]

_RANGE_NOT_SATISFIABLE = 416


class BlobRequests:
    """Sends requests for containers and blobs; a provider says where these are."""

    transport: Transport
    runtime: Runtime

    if TYPE_CHECKING:  # the provider's backend has them

        def ledger(self, operation: str) -> AbstractAsyncContextManager[Ledger]:
            """Return the ledger of the running call."""
            ...

    def _endpoint(self) -> str:
        """Return the URL of the account's Blob service."""
        raise NotImplementedError

    def _signer(self) -> BlobSigner:
        """Return what signs."""
        raise NotImplementedError

    async def _send(
        self,
        method: str,
        container: str | None = None,
        name: str | None = None,
        *,
        operation: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        stream: bool = False,
        repeatable: bool | None = None,
        missing: type[CloudError] | None = None,
    ) -> Response:
        """Send one request for the account, a container or a blob; raise what is an error."""
        if container is None:
            path, subject = "/", "the account"
        elif name is None:
            path, subject = requests.container_path(container), repr(container[:200])
        else:
            path = requests.blob_path(container, name)
            subject = f"{name[:200]!r} in {container[:80]!r}"
        request = Request(
            method,
            path,
            params,
            {"x-ms-version": requests.API_VERSION, **(headers or {})},
            body,
            repeatable=repeatable,
            stream=stream,
            operation=operation,
        )
        response = await self.transport.send(request)
        if response.status < 300:  # noqa: PLR2004 - whatever is not a good answer
            return response
        error = errors.error_of(response, missing, subject)
        if error.status == _RANGE_NOT_SATISFIABLE and isinstance(error, InvalidRequestError):
            error.message = f"{subject} ends before the range begins"
        raise error
