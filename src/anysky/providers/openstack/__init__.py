"""OpenStack: object storage (Swift), also of other makes that speak its API, such as Ceph.

Vendor's reference: https://docs.openstack.org/api-ref/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret

__all__ = ["OpenStack", "provider"]

# Names that programs written for Libcloud pass.
_LIBCLOUD = {
    "ex_force_auth_url": "auth_url",
    "ex_force_auth_version": "auth_version",
    "ex_force_auth_token": "token",
    "ex_force_base_url": "endpoint",
    "ex_force_service_region": "region",
    "ex_tenant_name": "project",
    "ex_domain_name": "user_domain",
    "ex_tenant_domain_id": "project_domain_id",
}
# Ways to sign in: an argument for one of them puts the environment's others aside.
_WAYS = (
    frozenset({"username", "user_id", "password"}),
    frozenset({"token"}),
    frozenset(
        {
            "application_credential_id",
            "application_credential_name",
            "application_credential_secret",
        }
    ),
)


@account
class OpenStack(Account):
    """Settings for a cloud of OpenStack, by the names of its environment variables."""

    positional: ClassVar[tuple[str, ...]] = ("username", "password")

    auth_url: str | None = setting(
        "URL of Keystone, or of Swift's own sign-in", env=("OS_AUTH_URL", "ST_AUTH"), default=None
    )
    auth_version: str | None = setting(
        "3 for Keystone, 1.0 for Swift's own sign-in; None for what auth_url looks like",
        env=("OS_IDENTITY_API_VERSION",),
        default=None,
    )
    username: str | None = setting(
        "user name; for auth_version 1.0 often account:user",
        env=("OS_USERNAME", "ST_USER"),
        default=None,
    )
    user_id: str | None = setting(
        "id of the user, in place of name and domain", env=("OS_USER_ID",), default=None
    )
    password: Secret | None = setting(
        "password, or the key of auth_version 1.0",
        env=("OS_PASSWORD", "ST_KEY"),
        default=None,
        secret=True,
    )
    token: Secret | None = setting(
        "a token, in place of user and password", env=("OS_TOKEN",), default=None, secret=True
    )
    application_credential_id: str | None = setting(
        "id of an application credential",
        env=("OS_APPLICATION_CREDENTIAL_ID",),
        default=None,
    )
    application_credential_name: str | None = setting(
        "its name, in place of the id; the user must then be named as well",
        env=("OS_APPLICATION_CREDENTIAL_NAME",),
        default=None,
    )
    application_credential_secret: Secret | None = setting(
        "its secret", env=("OS_APPLICATION_CREDENTIAL_SECRET",), default=None, secret=True
    )
    project: str | None = setting(
        "name of the project (tenant)", env=("OS_PROJECT_NAME", "OS_TENANT_NAME"), default=None
    )
    project_id: str | None = setting(
        "its id, in place of name and domain", env=("OS_PROJECT_ID", "OS_TENANT_ID"), default=None
    )
    user_domain: str = setting(
        "name of the user's domain", env=("OS_USER_DOMAIN_NAME",), default="Default"
    )
    user_domain_id: str | None = setting(
        "its id, in place of the name", env=("OS_USER_DOMAIN_ID",), default=None
    )
    project_domain: str | None = setting(
        "name of the project's domain; the user's if None",
        env=("OS_PROJECT_DOMAIN_NAME",),
        default=None,
    )
    project_domain_id: str | None = setting(
        "its id, in place of the name", env=("OS_PROJECT_DOMAIN_ID",), default=None
    )
    region: str | None = setting(
        "region; needed where the catalog has several", env=("OS_REGION_NAME",), default=None
    )
    interface: str = setting(
        "which of the catalog's URLs to use: public, internal or admin",
        env=("OS_INTERFACE",),
        default="public",
    )
    temp_url_key: Secret | None = setting(
        "key for temporary URLs; else that of the container or account", default=None, secret=True
    )
    large_objects: bool = setting(
        "whether empty objects of a list are looked at again: they may be made of segments",
        default=True,
    )
    endpoint: str = setting("URL of the service, in place of the catalog's", default="")

    @classmethod
    def load(cls, given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """Make an account; see `Account.load`. Libcloud's names of settings are taken as well."""
        named = {_LIBCLOUD.get(name, name): value for name, value in given.items()}
        chosen = {name for name, value in named.items() if value is not None}
        loaded = super().load(named, environ)
        if not any(way & chosen for way in _WAYS):
            return loaded
        aside: dict[str, Any] = {name: None for way in _WAYS if not way & chosen for name in way}
        return dataclasses.replace(loaded, **aside)


provider = Provider(
    name="openstack",
    title="OpenStack",
    website="https://www.openstack.org",
    account=OpenStack,
    services={
        "storage": Service(
            "openstack_swift",
            "anysky.providers.openstack.storage:Swift",
        ),
    },
)
