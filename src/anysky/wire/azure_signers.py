"""Add credentials to requests to Azure Storage, by the server's clock, and sign URLs.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/authorize-requests-to-azure-storage
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

from anysky.errors import InvalidAccountError, InvalidRequestError, UnsupportedOperationError
from anysky.runtime.base import Runtime
from anysky.secret import Secret
from anysky.transport.base import Request, Response, encode_query
from anysky.transport.signing import with_headers

from .azure_batch_bodies import signed_batch
from .azure_shared_key import (
    DelegationKey,
    Grant,
    check_key,
    delegation_sas,
    service_sas,
    signature,
    string_to_sign,
)
from .azure_tokens import TokenCache

__all__ = [
    "AnonymousSigner",
    "BlobSigner",
    "DelegationSource",
    "KeySigner",
    "SASSigner",
    "TokenSigner",
]

_COPY_SOURCE = "x-ms-copy-source"
_SMALL_SKEW = 240.0  # the service allows fifteen minutes
_REFUSED = 403
_UNAUTHORIZED = 401
_HOUR = 3600.0
_WEEK = 7 * 24 * _HOUR
_SKEWED = b"AuthenticationFailed"

DelegationSource = Callable[[float, float], Awaitable[DelegationKey]]
"""Asks the service for a key to sign with, from one time to another, in Unix seconds."""


class BlobSigner(Protocol):
    """Signs requests as `anysky.transport.signing.Signer` says, and URLs of blobs."""

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Return the request with credentials."""
        ...

    async def refused(self, request: Request, response: Response) -> bool:
        """Look at a refusal and say whether signing anew may help."""
        ...

    async def presign(
        self, grant: Grant, seconds: int, ask: DelegationSource
    ) -> tuple[Sequence[tuple[str, str]], float]:
        """Return the parameters by which a URL grants something, and when that ends.

        Args:
            grant: What the URL shall grant; account and end are filled in.
            seconds: For how long.
            ask: Asks the service for a key to sign with, from a time on and for so many seconds.
        """
        ...

    def secrets(self) -> list[str]:
        """Return the values that nobody may see."""
        ...


class _Clock:
    """The server's time, once it has told that ours is wrong."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._skew = 0.0

    def time(self) -> float:
        return self._runtime.time() + self._skew

    def follow(self, response: Response) -> bool:
        """Set the clock by an answer; tell whether it was far off."""
        try:
            theirs = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
        if abs(theirs - self.time()) < _SMALL_SKEW:
            return False
        self._skew = theirs - self._runtime.time()
        return True


class AnonymousSigner:
    """Adds nothing: for containers that anybody may read."""

    async def sign(self, request: Request, endpoint: str) -> Request:  # noqa: ARG002 - the same for all
        """Return the request as it is."""
        return request

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - nothing to look at
        """Return False: there are no credentials."""
        return False

    async def presign(
        self,
        grant: Grant,  # noqa: ARG002 - nothing can be signed
        seconds: int,  # noqa: ARG002 - nothing can be signed
        ask: DelegationSource,  # noqa: ARG002 - nobody signs
    ) -> tuple[Sequence[tuple[str, str]], float]:
        """Refuse: there is nothing to sign with."""
        raise UnsupportedOperationError(
            "without an account key or a sign-in with Entra no URL can be signed"
        )

    def secrets(self) -> list[str]:
        """Return nothing."""
        return []


class SASSigner(AnonymousSigner):
    """Adds the parameters of a shared access signature.

    Args:
        token: The signature as a query string, with or without its question mark.

    Raises:
        InvalidAccountError: It is no such signature.
    """

    def __init__(self, token: Secret) -> None:
        text = token.reveal().strip().lstrip("?")
        self._params = [
            (name, Secret(value)) for name, value in urllib.parse.parse_qsl(text, max_num_fields=50)
        ]
        names = {name for name, _ in self._params}
        if not {"sig", "sv"} <= names:
            raise InvalidAccountError(
                "a SAS token is a query string with sv= and sig= in it, as the portal shows it"
            )

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Add the parameters, also to the source of a copy, which is read by them, too."""
        request = await signed_batch(request, endpoint, self.sign)
        own = [(name, value.reveal()) for name, value in self._params]
        source = request.headers.get(_COPY_SOURCE)
        if source is not None:
            sign = "&" if "?" in source else "?"
            request = with_headers(request, {_COPY_SOURCE: f"{source}{sign}{encode_query(own)}"})
        return dataclasses.replace(request, params=[*request.params, *own])

    def secrets(self) -> list[str]:
        """Return the signature proper; the other parameters are no secrets."""
        return [value.reveal() for name, value in self._params if name == "sig"]


class KeySigner:
    """Signs with the key of the account.

    Args:
        account: Name of the storage account.
        key: One of its keys, in base64.
        runtime: Has the clock.

    Raises:
        InvalidAccountError: The key is not base64.
    """

    def __init__(self, account: str, key: Secret, runtime: Runtime) -> None:
        self._account = account
        self._key = check_key(key)
        self._clock = _Clock(runtime)

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Add date and signature."""
        request = await signed_batch(request, endpoint, self.sign)
        headers = {**request.headers, "x-ms-date": formatdate(self._clock.time(), usegmt=True)}
        length = len(request.body) if isinstance(request.body, bytes) else request.body.length
        known = dict(headers) if not length else {**headers, "Content-Length": str(length)}
        path = urllib.parse.urlsplit(endpoint).path.rstrip("/") + request.path
        text = string_to_sign(self._account, request.method, path, request.params, known)
        signed = f"SharedKey {self._account}:{signature(self._key, text)}"
        return with_headers(request, {**headers, "Authorization": signed})

    async def refused(self, request: Request, response: Response) -> bool:
        """Follow the server's clock if ours is wrong."""
        code = response.headers.get("x-ms-error-code", "").encode() or response.body
        # What is refused of a HEAD request may have neither.
        told = _SKEWED in code or request.method == "HEAD"
        return told and response.status == _REFUSED and self._clock.follow(response)

    async def presign(
        self,
        grant: Grant,
        seconds: int,
        ask: DelegationSource,  # noqa: ARG002 - the account's own key signs
    ) -> tuple[Sequence[tuple[str, str]], float]:
        """Return the parameters of a service SAS, and when it ends."""
        ends = self._clock.time() + seconds
        whole = dataclasses.replace(grant, account=self._account, expires=_iso(ends))
        return service_sas(self._key, whole), ends

    def secrets(self) -> list[str]:
        """Return the key."""
        return [self._key.reveal()]


class TokenSigner:
    """Sends a token of Entra, and signs URLs with a key that the service gives for it.

    Args:
        account: Name of the storage account.
        tokens: Has a token.
        runtime: Has the clock.
    """

    def __init__(self, account: str, tokens: TokenCache, runtime: Runtime) -> None:
        self._account = account
        self._tokens = tokens
        self._clock = _Clock(runtime)
        self._lock = runtime.lock()
        self._key: tuple[float, DelegationKey] | None = None

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Add date and token."""
        request = await signed_batch(request, endpoint, self.sign)
        token = await self._tokens.token()
        return with_headers(
            request,
            {
                "x-ms-date": formatdate(self._clock.time(), usegmt=True),
                "Authorization": f"Bearer {token.reveal()}",
            },
        )

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - any request
        """Fetch another token in place of one that the service does not take."""
        if response.status != _UNAUTHORIZED:
            return False
        self._tokens.discard()
        return True

    async def presign(
        self, grant: Grant, seconds: int, ask: DelegationSource
    ) -> tuple[Sequence[tuple[str, str]], float]:
        """Return the parameters of a user delegation SAS, and when it ends.

        Raises:
            InvalidRequestError: The time is longer than seven days.
        """
        if seconds > _WEEK:
            raise InvalidRequestError("with a sign-in of Entra a URL is good for 7 days at most")
        ends = self._clock.time() + seconds
        whole = dataclasses.replace(grant, account=self._account, expires=_iso(ends))
        return delegation_sas(await self._key_until(ends, ask), whole), ends

    async def _key_until(self, ends: float, ask: DelegationSource) -> DelegationKey:
        async with self._lock:
            if self._key is None or self._key[0] < ends:
                start = self._clock.time()
                lasting = min(_WEEK, max(_HOUR, ends - start + 60))
                self._key = start + lasting, await ask(start, start + lasting)
            return self._key[1]

    def secrets(self) -> list[str]:
        """Return the token, and the key for URLs."""
        key = self._key
        return [*self._tokens.secrets(), *([key[1].value.reveal()] if key else [])]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
