"""Sign requests with signature version 4, by the server's clock."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from typing import TYPE_CHECKING

from anysky.transport.signing import with_headers

from .aws_sigv4 import UNSIGNED_PAYLOAD, Credentials, Signer, host_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anysky.runtime.base import Runtime
    from anysky.secret import Secret
    from anysky.transport.base import Request, Response

__all__ = ["KeySigner", "RequestSigner"]

# The first three are said of a wrong clock; the others may be, which the answer's date shows.
_SKEWED = re.compile(
    rb"RequestTimeTooSkewed|RequestExpired|RequestInTheFuture"
    rb"|AuthFailure|InvalidSignatureException|SignatureDoesNotMatch"
)
_SMALL_SKEW = 240.0  # AWS itself allows five minutes, some services more
_LARGE = 64 * 1024


class RequestSigner:
    """Signs requests and URLs; whoever derives from it has credentials and a region.

    Args:
        service: Name in the signature: ``"ec2"``, ``"s3"``, ``"route53"``.
        runtime: Has the clock.
    """

    def __init__(self, service: str, runtime: Runtime) -> None:
        self._service = service
        self._runtime = runtime
        self._signers: dict[tuple[str, str], Signer] = {}
        self._regions: dict[str, str] = {}
        self._skew = 0.0

    async def credentials(self) -> Credentials:
        """Return the credentials to sign with."""
        raise NotImplementedError

    async def region(self) -> str:
        """Return the region in signatures, but for endpoints that have another."""
        raise NotImplementedError

    def use_region(self, endpoint: str, region: str) -> None:
        """Sign for a region from now on what goes to an endpoint."""
        self._regions[endpoint] = region

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Return the request with its signature."""
        credentials = await self.credentials()
        signer = await self._signer(self._service_of(request), endpoint)
        headers = signer.sign(
            credentials,
            request.method,
            host_header(endpoint),
            urllib.parse.urlsplit(endpoint).path.rstrip("/") + request.path,
            request.params,
            request.headers.items(),
            self._payload_hash(request, endpoint),
            when=self._runtime.time() + self._skew,
        )
        return with_headers(request, headers)

    async def presign(
        self, method: str, endpoint: str, path: str, params: Sequence[tuple[str, str]], expires: int
    ) -> str:
        """Return a URL with which anybody may do one thing for `expires` seconds.

        Raises:
            InvalidRequestError: `expires` is not within seven days.
        """
        credentials = await self.credentials()
        signer = await self._signer(self._service, endpoint)
        whole = urllib.parse.urlsplit(endpoint).path.rstrip("/") + path
        query = signer.presign(
            credentials,
            method,
            host_header(endpoint),
            whole,
            params,
            when=self._runtime.time() + self._skew,
            expires=expires,
        )
        return f"{endpoint}{path}?{query}"

    async def refused(self, request: Request, response: Response) -> bool:
        """Follow the server's clock if ours is wrong."""
        # What is refused of a HEAD request has no body that would say why.
        if _SKEWED.search(response.body) or request.method == "HEAD":
            skew = self._server_time(response) - self._runtime.time()
            if abs(skew - self._skew) >= _SMALL_SKEW:
                self._skew = skew
                return True
        return False

    def _server_time(self, response: Response) -> float:
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return self._runtime.time() + self._skew

    def _service_of(self, request: Request) -> str:  # noqa: ARG002 - for who signs for several
        return self._service

    async def _signer(self, service: str, endpoint: str) -> Signer:
        region = self._regions.get(endpoint) or await self.region()
        signer = self._signers.get((service, region))
        if signer is None:
            signer = self._signers[service, region] = Signer(service, region)
        return signer

    def _payload_hash(self, request: Request, endpoint: str) -> str:
        """Hash what is at hand; leave a stream unsigned, which only S3 allows, and TLS guards."""
        if not isinstance(request.body, bytes):
            return UNSIGNED_PAYLOAD
        large = len(request.body) > _LARGE
        if large and self._service == "s3" and endpoint.startswith("https"):
            return UNSIGNED_PAYLOAD
        return hashlib.sha256(request.body).hexdigest()


class KeySigner(RequestSigner):
    """Signs with one access key for one region.

    Args:
        access_key: The access key.
        secret_key: Its secret.
        region: Region in the signature.
        runtime: Has the clock.
        token: Session token of temporary credentials.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: Secret,
        region: str,
        runtime: Runtime,
        token: Secret | None = None,
    ) -> None:
        super().__init__("s3", runtime)
        self._credentials = Credentials(access_key, secret_key, token)
        self._region = region

    async def credentials(self) -> Credentials:
        """Return the access key."""
        return self._credentials

    async def region(self) -> str:
        """Return the region."""
        return self._region
