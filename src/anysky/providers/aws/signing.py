"""Sign requests to AWS, with fresh credentials and by the server's clock."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from typing import TYPE_CHECKING

from anysky.errors import InvalidAccountError
from anysky.providers.aws.credentials import CredentialChain
from anysky.transport.signing import with_headers
from anysky.wire.aws_sigv4 import UNSIGNED_PAYLOAD, Credentials, Signer, host_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anysky.backend.base import Connection
    from anysky.providers.aws import AWS
    from anysky.transport.base import Request, Response

__all__ = ["AWSSigner"]

# The first three are said of a wrong clock; the others may be, which the answer's date shows.
_SKEWED = re.compile(
    rb"RequestTimeTooSkewed|RequestExpired|RequestInTheFuture"
    rb"|AuthFailure|InvalidSignatureException|SignatureDoesNotMatch"
)
# EC2 says RequestExpired of a wrong clock and of a session that has ended.
_EXPIRED = re.compile(rb"ExpiredToken|TokenRefreshRequired|InvalidClientTokenId|RequestExpired")
_SMALL_SKEW = 240.0  # AWS itself allows five minutes, some services more


class AWSSigner:
    """Signature version 4 for one service.

    Args:
        service: Name in the signature: ``"ec2"``, ``"s3"``, ``"route53"``.
        account: The settings.
        connection: Reaches what gives credentials.
        region: Region in the signature, where it is not the account's own.
        others: Further services that requests go to, each by the name of the operation.
    """

    def __init__(
        self,
        service: str,
        account: AWS,
        connection: Connection,
        region: str | None = None,
        others: Mapping[str, str] | None = None,
    ) -> None:
        self.chain = CredentialChain(
            connection.plain,
            connection.runtime,
            access_key=account.access_key_id,
            secret_key=account.secret_access_key,
            token=account.token,
            profile=account.profile,
            region=account.region,
            local_transport=connection.direct,
        )
        self._service = service
        self._fixed_region = region
        self._region: str | None = None
        self._runtime = connection.runtime
        self._others = others or {}
        self._signers: dict[tuple[str, str], Signer] = {}
        self._skew = 0.0
        self._last: Credentials | None = None

    async def region(self) -> str:
        """Return the account's region.

        Raises:
            InvalidAccountError: Nothing names one.
        """
        if self._region is None:
            self._region = await self.chain.region()
        if self._region is None:
            raise InvalidAccountError(
                "AWS needs a region: pass region= to the driver, or set AWS_REGION or the "
                "profile's region"
            )
        return self._region

    async def sign(self, request: Request, endpoint: str) -> Request:
        """Return the request with its signature."""
        credentials = self._last = await self.chain.credentials()
        signer = await self._signer(self._others.get(request.operation, self._service))
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

    def secrets(self) -> list[str]:
        """Return the values of the credentials last used that nobody may see."""
        if self._last is None:
            return []
        found = (self._last.secret_key, self._last.token)
        return [secret.reveal() for secret in found if secret is not None]

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - the answer tells
        """Fetch new credentials in place of expired ones, or follow the server's clock."""
        if _SKEWED.search(response.body):
            skew = self._server_time(response) - self._runtime.time()
            if abs(skew - self._skew) >= _SMALL_SKEW:
                self._skew = skew
                return True
        if self._last is None or not _EXPIRED.search(response.body):
            return False
        return self.chain.discard(self._last)

    def _server_time(self, response: Response) -> float:
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return self._runtime.time() + self._skew

    async def _signer(self, service: str) -> Signer:
        region = self._fixed_region or await self.region()
        signer = self._signers.get((service, region))
        if signer is None:
            signer = self._signers[service, region] = Signer(service, region)
        return signer

    def _payload_hash(self, request: Request, endpoint: str) -> str:
        """Hash what is at hand; leave a stream unsigned, which only S3 allows, and TLS guards."""
        if not isinstance(request.body, bytes):
            return UNSIGNED_PAYLOAD
        large = len(request.body) > 64 * 1024
        if large and self._service == "s3" and endpoint.startswith("https"):
            return UNSIGNED_PAYLOAD
        return hashlib.sha256(request.body).hexdigest()
