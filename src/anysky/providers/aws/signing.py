"""Sign requests to AWS, with fresh credentials and by the server's clock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anysky.errors import InvalidAccountError
from anysky.providers.aws.credentials import CredentialChain
from anysky.wire.aws_signing import RequestSigner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anysky.backend.base import Connection
    from anysky.providers.aws import AWS
    from anysky.transport.base import Request, Response
    from anysky.wire.aws_sigv4 import Credentials

__all__ = ["AWSSigner"]

# EC2 says RequestExpired of a wrong clock and of a session that has ended.
_EXPIRED = re.compile(rb"ExpiredToken|TokenRefreshRequired|InvalidClientTokenId|RequestExpired")


class AWSSigner(RequestSigner):
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
        super().__init__(service, connection.runtime)
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
        self._fixed_region = region
        self._region: str | None = None
        self._others = others or {}
        self._last: Credentials | None = None

    async def region(self) -> str:
        """Return the account's region.

        Raises:
            InvalidAccountError: Nothing names one.
        """
        if self._region is None:
            self._region = self._fixed_region or await self.chain.region()
        if self._region is None:
            raise InvalidAccountError(
                "AWS needs a region: pass region= to the driver, or set AWS_REGION or the "
                "profile's region"
            )
        return self._region

    async def credentials(self) -> Credentials:
        """Return credentials that are good for some minutes; see `CredentialChain`."""
        self._last = await self.chain.credentials()
        return self._last

    def secrets(self) -> list[str]:
        """Return the values of the credentials last used that nobody may see."""
        if self._last is None:
            return []
        found = (self._last.secret_key, self._last.token)
        return [secret.reveal() for secret in found if secret is not None]

    async def refused(self, request: Request, response: Response) -> bool:
        """Fetch new credentials in place of expired ones, or follow the server's clock."""
        if await super().refused(request, response):
            return True
        if self._last is None or not _EXPIRED.search(response.body):
            return False
        return self.chain.discard(self._last)

    def _service_of(self, request: Request) -> str:
        return self._others.get(request.operation, self._service)
