"""Swift, OpenStack's object storage, and Ceph's gateway, which speaks its API.

Vendor's reference: https://docs.openstack.org/api-ref/object-store/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

from anysky.account import Account
from anysky.backend.base import Connection
from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidAccountError
from anysky.secret import Secret
from anysky.transport.base import Response, Transport
from anysky.wire.openstack_auth import ServiceSigner
from anysky.wire.swift import SwiftStorage

from . import OpenStack
from .signing import service_signer

__all__ = ["Swift"]

_SERVICES = ("object-store",)
_RATE_LIMITED = 498


class Swift(SwiftStorage, StorageBackend):
    """Containers and objects.

    https://docs.openstack.org/api-ref/object-store/
    """

    account: OpenStack
    supports_chunked_encoding: ClassVar[bool] = True
    list_lag = 10.0  # lists of containers are updated behind the requests

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:  # noqa: ARG003 - the account has read it
        """Return the service's URL if it is given, else where to sign in: the catalog tells more.

        Raises:
            InvalidAccountError: It is not known where to sign in.
        """
        openstack = cast("OpenStack", account)
        if not openstack.auth_url:
            raise InvalidAccountError(
                "OpenStack needs 'auth_url' (URL of Keystone): give it as the argument 'auth_url' "
                "or the environment variable OS_AUTH_URL"
            )
        return openstack.endpoint or openstack.auth_url

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> ServiceSigner:
        """Return what signs in and sends the token."""
        return service_signer(cast("OpenStack", account), connection, _SERVICES)

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether Swift refused a request for want of time, also by its own status 498."""
        return response.status == _RATE_LIMITED or super().throttled(response)

    def secrets(self) -> list[str]:
        """Return the secrets of the account, and the token."""
        return [*super().secrets(), *self._signer().secrets()]

    def _signer(self) -> ServiceSigner:
        return cast("ServiceSigner", self.connection.signer)

    def _plain(self) -> Transport:
        return self.connection.plain

    def _region(self) -> str | None:
        return self.account.region

    def _looks_again(self) -> bool:
        return self.account.large_objects

    def _own_key(self) -> Secret | None:
        return self.account.temp_url_key
