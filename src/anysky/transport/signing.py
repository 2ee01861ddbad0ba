"""Add credentials to requests, and only to those that go to the account's own hosts."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Protocol

from anysky.errors import ConnectionFailedError, OutcomeUnknownError, UnsafeResponseError
from anysky.secret import Secret

from .base import Layer, Request, Response, Transport

__all__ = ["BearerSigner", "Signer", "SigningLayer", "with_headers"]

_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
_REFUSED = frozenset({400, 401, 403})


class Signer(Protocol):
    """Adds credentials to requests; a provider has one, or takes `BearerSigner`."""

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Return the request with credentials; the one given is not changed.

        Args:
            request: What will be sent.
            endpoint: Origin and base path that it will be sent to.
        """
        ...

    async def refused(self, request: Request, response: Response) -> bool:
        """Look at an answer 400, 401 or 403 and say whether signing anew may help.

        Called once for a request: to fetch a new token in place of an expired one, or to
        correct the clock by the answer's ``Date``.
        """
        ...


class BearerSigner:
    """Sends a fixed token in the ``Authorization`` field."""

    def __init__(self, token: str, scheme: str = "Bearer") -> None:
        self._value = Secret(f"{scheme} {token}")

    async def sign(self, request: Request, endpoint: str) -> Request:  # noqa: ARG002 - any of the account's hosts
        """Add the token."""
        return with_headers(request, {"Authorization": self._value.reveal()})

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - nothing to look at
        """Return False: there is no other token."""
        return False


class SigningLayer(Layer):
    """Signs what goes to the account's hosts and refuses to send anything elsewhere.

    Args:
        inner: The transport below.
        signer: Adds the credentials.
        endpoint: The account's own endpoint.
        hosts: Further hosts of the account; subdomains of all of them count as well.
    """

    def __init__(
        self, inner: Transport, signer: Signer, endpoint: str, hosts: tuple[str, ...] = ()
    ) -> None:
        super().__init__(inner)
        self._signer = signer
        self._endpoint = endpoint
        self._secure = not endpoint.startswith("http:")
        ours = urllib.parse.urlsplit(endpoint).netloc.lower()
        self._hosts = tuple(filter(None, (ours, *hosts)))
        self._allowed: set[str] = {endpoint}

    async def send(self, request: Request) -> Response:
        """Sign and send; once more if the signer has better credentials after a refusal.

        Raises:
            UnsafeResponseError: The request would take credentials to a foreign host.
        """
        endpoint = request.endpoint or self._endpoint
        if endpoint not in self._allowed:
            self._check(endpoint)
        response = await self.inner.send(await self._sign(request, endpoint))
        if response.status not in _REFUSED or not _may_resend(request):
            return response
        if not await self._signer.refused(request, response):
            return response
        return await self.inner.send(await self._sign(request, endpoint))

    async def _sign(self, request: Request, endpoint: str) -> Request:
        try:
            return await self._signer.sign(request, endpoint)
        except OutcomeUnknownError as error:  # of a request for credentials: this one was not sent
            failure = ConnectionFailedError(f"no credentials: {error.message}")
            failure.attempts = error.attempts
            raise failure from error

    def _check(self, endpoint: str) -> None:
        parts = urllib.parse.urlsplit(endpoint)
        host = parts.netloc.lower()
        known = any(host == ours or host.endswith(f".{ours}") for ours in self._hosts)
        if not (known and _HOST.fullmatch(host)) or (self._secure and parts.scheme != "https"):
            raise UnsafeResponseError(
                f"credentials are not sent to {parts.scheme}://{host}: it is no host of the account"
            )
        self._allowed.add(endpoint)


def with_headers(request: Request, headers: Mapping[str, str]) -> Request:
    """Return a copy of a request with further header fields."""
    return Request(
        request.method,
        request.path,
        request.params,
        {**request.headers, **headers},
        request.body,
        request.endpoint,
        request.repeatable,
        request.safe,
        request.stream,
        request.operation,
    )


def _may_resend(request: Request) -> bool:
    """A refused request was not carried out; only its body must be there once more."""
    return isinstance(request.body, bytes) or request.body.replayable
