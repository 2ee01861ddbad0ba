"""Microsoft Azure: Blob Storage.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret

__all__ = ["Azure", "provider"]

# Names that programs written for Libcloud pass.
_LIBCLOUD = {
    "auth_type": "auth",
    "cloud_environment": "cloud",
    "identity": "client_id",
}
_LIBCLOUD_ENTRA = "azuread"
# Ways to sign in: an argument for one of them puts the environment's others aside.
_WAYS = (
    frozenset({"account_key"}),
    frozenset({"sas_token"}),
    frozenset({"connection_string"}),
    frozenset({"tenant_id", "client_id", "client_secret"}),
)


@account
class Azure(Account):
    """Settings for a storage account of Azure."""

    positional: ClassVar[tuple[str, ...]] = ("account_name", "account_key")

    account_name: str | None = setting(
        "name of the storage account", env=("AZURE_STORAGE_ACCOUNT",), default=None
    )
    account_key: Secret | None = setting(
        "one of its keys", env=("AZURE_STORAGE_KEY",), default=None, secret=True
    )
    sas_token: Secret | None = setting(
        "a shared access signature, in place of the key",
        env=("AZURE_STORAGE_SAS_TOKEN",),
        default=None,
        secret=True,
    )
    connection_string: Secret | None = setting(
        "connection string, in place of name, key and endpoint",
        env=("AZURE_STORAGE_CONNECTION_STRING",),
        default=None,
        secret=True,
    )
    tenant_id: str | None = setting(
        "id or domain of the Entra tenant", env=("AZURE_TENANT_ID",), default=None
    )
    client_id: str | None = setting(
        "id of an application or of a user-assigned managed identity",
        env=("AZURE_CLIENT_ID",),
        default=None,
    )
    client_secret: Secret | None = setting(
        "secret of the application", env=("AZURE_CLIENT_SECRET",), default=None, secret=True
    )
    federated_token_file: str | None = setting(
        "file with the token of a workload identity",
        env=("AZURE_FEDERATED_TOKEN_FILE",),
        default=None,
    )
    auth: str = setting(
        "how to sign in: auto, key, sas, client_secret, workload_identity, managed_identity or "
        "anonymous; auto takes the first of them that there are settings for",
        default="auto",
    )
    cloud: str = setting("public, china or usgovernment", default="public")
    authority: str | None = setting(
        "URL of Entra, for another than the cloud's own",
        env=("AZURE_AUTHORITY_HOST",),
        default=None,
    )
    endpoint: str = setting(
        "URL of the Blob service, for another than https://<account>.blob.core.windows.net",
        default="",
    )

    @classmethod
    def load(cls, given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """Make an account; see `Account.load`. Libcloud's names of settings are taken as well."""
        named = {_LIBCLOUD.get(name, name): value for name, value in given.items()}
        auth = named.get("auth")
        plain = auth.reveal() if isinstance(auth, Secret) else auth
        if isinstance(plain, str) and plain.lower() == _LIBCLOUD_ENTRA:
            named["client_secret"] = named.pop("account_key", None)
        chosen = {name for name, value in named.items() if value is not None}
        loaded = super().load(named, environ)
        if not any(way & chosen for way in _WAYS):
            return loaded
        aside = frozenset[str]().union(*(way for way in _WAYS if not way & chosen))
        nothing: dict[str, Any] = dict.fromkeys(aside)
        return dataclasses.replace(loaded, **nothing)


provider = Provider(
    name="azure",
    title="Microsoft Azure",
    website="https://azure.microsoft.com",
    account=Azure,
    services={
        "storage": Service("azure_blobs", "anysky.providers.azure.storage:AzureBlobs"),
    },
)
