"""Sign in with the settings of an account, for any service of the cloud."""

from __future__ import annotations

import re

from anysky.backend.base import Connection
from anysky.errors import InvalidAccountError
from anysky.wire.openstack_auth import OpenStackCredentials, ServiceSigner, SignIn

from . import OpenStack

__all__ = ["service_signer", "sign_in_version"]

_VERSIONS = {"1": 1, "1.0": 1, "1.1": 1, "3": 3, "3.0": 3, "3.x_password": 3, "3.x_appcred": 3}
_V1_URL = re.compile(r"/v?1(\.\d)?/?$")


def sign_in_version(account: OpenStack) -> int:
    """Return how an account signs in: 1 at Swift itself, 3 at Keystone.

    Raises:
        InvalidAccountError: There is no such way.
    """
    if account.auth_version is None:
        return 1 if _V1_URL.search(account.auth_url or "") else 3
    version = _VERSIONS.get(account.auth_version.lower().removeprefix("v").split(" ")[0])
    if version is None:
        raise InvalidAccountError(
            f"auth_version is 3 (Keystone) or 1.0 (Swift's own), not {account.auth_version!r}; "
            "Keystone v2 is no more since the release of 2018"
        )
    return version


def service_signer(
    account: OpenStack, connection: Connection, services: tuple[str, ...]
) -> ServiceSigner:
    """Return what signs the requests to a service.

    Args:
        account: The settings.
        connection: Reaches Keystone.
        services: Types under which the service may stand in the catalog, the best first.
    """
    credentials = OpenStackCredentials(
        auth_url=account.auth_url or "",
        version=sign_in_version(account),
        username=account.username,
        user_id=account.user_id,
        password=account.password,
        token=account.token,
        application_id=account.application_credential_id,
        application_name=account.application_credential_name,
        application_secret=account.application_credential_secret,
        project=account.project,
        project_id=account.project_id,
        user_domain=account.user_domain,
        user_domain_id=account.user_domain_id,
        project_domain=account.project_domain,
        project_domain_id=account.project_domain_id,
    )
    return ServiceSigner(
        SignIn(credentials, connection.plain, connection.runtime),
        services,
        region=account.region,
        interface=account.interface,
        endpoint=account.endpoint,
    )
