"""What the settings of an account amount to: where its Blob service is, and how to sign in."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from anysky.errors import InvalidAccountError
from anysky.secret import Secret

from . import Azure

__all__ = ["Place", "authority_of", "place_of", "way_of"]

# https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure and
# https://learn.microsoft.com/azure/china/resources-developer-guide
_SUFFIXES: Mapping[str, str] = {
    "public": "core.windows.net",
    "china": "core.chinacloudapi.cn",
    "usgovernment": "core.usgovcloudapi.net",
}
_AUTHORITIES: Mapping[str, str] = {
    "public": "https://login.microsoftonline.com",
    "china": "https://login.chinacloudapi.cn",
    "usgovernment": "https://login.microsoftonline.us",
}
_CLOUDS: Mapping[str, str] = {  # names that Libcloud and Azure's command line have
    "default": "public",
    "azurecloud": "public",
    "azurepubliccloud": "public",
    "azurechinacloud": "china",
    "azureusgovernment": "usgovernment",
}
_WAYS: Mapping[str, str] = {
    "auto": "auto",
    "key": "key",
    "sharedkey": "key",
    "sas": "sas",
    "client_secret": "client_secret",
    "azuread": "client_secret",
    "workload_identity": "workload_identity",
    "managed_identity": "managed_identity",
    "anonymous": "anonymous",
}
_NAME = re.compile(r"[a-z0-9]{3,24}")
_SUFFIX = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
# Microsoft publishes them: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A storage account, and what a connection string says about signing in to it.

    Attributes:
        endpoint: URL of its Blob service.
        name: Its name.
        key: One of its keys.
        sas: A shared access signature.
    """

    endpoint: str
    name: str
    key: Secret | None
    sas: Secret | None


def place_of(account: Azure) -> Place:
    """Return where an account is.

    Raises:
        InvalidAccountError: Nothing names it, or a setting cannot be right.
    """
    fields = _fields(account.connection_string)
    name = account.account_name or fields.get("accountname", "")
    if account.account_name and fields.get("accountname", name) != name:
        raise InvalidAccountError(
            f"the connection string is of another storage account than {name[:80]!r}"
        )
    endpoint = (account.endpoint or fields.get("blobendpoint", "")).rstrip("/")
    if endpoint:
        endpoint, name = _own_endpoint(endpoint, name)
    else:
        endpoint = _endpoint(name, account.cloud, fields)
    key, sas = fields.get("accountkey"), fields.get("sharedaccesssignature")
    return Place(
        endpoint,
        name,
        account.account_key or (Secret(key) if key else None),
        account.sas_token or (Secret(sas) if sas else None),
    )


def _endpoint(name: str, cloud: str, fields: Mapping[str, str]) -> str:
    if not name:
        raise InvalidAccountError(
            "Azure needs 'account_name' (name of the storage account): give it as the first "
            "argument, account_name= or the environment variable AZURE_STORAGE_ACCOUNT"
        )
    if not _NAME.fullmatch(name):
        raise InvalidAccountError(
            f"{name[:80]!r} cannot be a storage account: 3 to 24 lower-case letters and digits"
        )
    suffix = fields.get("endpointsuffix") or _SUFFIXES[_cloud(cloud)]
    protocol = fields.get("defaultendpointsprotocol", "https").lower()
    if not _SUFFIX.fullmatch(suffix) or protocol not in ("http", "https"):
        raise InvalidAccountError("the connection string has an EndpointSuffix or protocol amiss")
    return f"{protocol}://{name}.blob.{suffix}"


def _own_endpoint(endpoint: str, name: str) -> tuple[str, str]:
    """Return an endpoint with the account in it, and the account's name.

    Where the host is an address, as Azurite's, the account is the first part of the path.
    """
    try:
        parts = urllib.parse.urlsplit(endpoint)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urllib.parse.urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.query or "@" in parts.netloc:
        raise InvalidAccountError("the endpoint of the Blob service is no http or https URL")
    is_address = host == "localhost" or _is_address(host)
    if is_address and not parts.path and name:
        return f"{endpoint}/{name}", name
    if name:
        return endpoint, name
    found = parts.path.strip("/").partition("/")[0] if is_address else host.partition(".")[0]
    return endpoint, found


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _fields(connection_string: Secret | None) -> dict[str, str]:
    """Read a connection string: ``Name=value;…``, in which values may hold ``=``."""
    if connection_string is None:
        return {}
    text = connection_string.reveal().strip().strip(";")
    if text.replace(" ", "").lower() == "usedevelopmentstorage=true":
        text = _DEVELOPMENT
    pairs = [item.partition("=") for item in text.split(";") if item.strip()]
    if not pairs or not all(sign for _, sign, _ in pairs):
        raise InvalidAccountError(
            "the connection string is not of the form AccountName=…;AccountKey=…: copy it whole"
        )
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _cloud(name: str) -> str:
    cloud = _CLOUDS.get(name.lower(), name.lower())
    if cloud not in _SUFFIXES:
        raise InvalidAccountError(f"cloud is one of {', '.join(_SUFFIXES)}, not {name[:40]!r}")
    return cloud


def authority_of(account: Azure) -> str:
    """Return the URL of Entra.

    Raises:
        InvalidAccountError: It is none, or there is no such cloud.
    """
    url = account.authority or _AUTHORITIES[_cloud(account.cloud)]
    url = url if "://" in url else f"https://{url}"
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urllib.parse.urlsplit(""), ""
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_address(host))
    if not host or not is_safe or "@" in parts.netloc:
        raise InvalidAccountError("the authority, URL of Entra, must begin with https://")
    return url.rstrip("/")


def way_of(account: Azure, place: Place) -> str:
    """Return the name of the way to sign in, as the setting `auth` has it.

    Raises:
        InvalidAccountError: There is no such way, or a setting for it is missing.
    """
    way = _WAYS.get(account.auth.lower())
    if way is None:
        known = ", ".join(dict.fromkeys(_WAYS.values()))
        raise InvalidAccountError(f"auth is one of {known}, not {account.auth[:40]!r}")
    needed: Mapping[str, Mapping[str, object]] = {
        "sas": {"sas_token": place.sas},
        "key": {"account_name": place.name, "account_key": place.key},
        "client_secret": {
            "client_secret": account.client_secret,
            "tenant_id": account.tenant_id,
            "client_id": account.client_id,
        },
        "workload_identity": {
            "federated_token_file": account.federated_token_file,
            "tenant_id": account.tenant_id,
            "client_id": account.client_id,
        },
    }
    if way == "auto":
        # The first setting is the one that no other way has.
        found = {"sas": place.sas, "key": place.key, **_entra(account)}
        way = next((name for name, setting in found.items() if setting), "managed_identity")
    missing = [name for name, value in needed.get(way, {}).items() if not value]
    if missing:
        raise InvalidAccountError(f"to sign in by {way!r} Azure needs {' and '.join(missing)}")
    return way


def _entra(account: Azure) -> dict[str, object]:
    return {
        "client_secret": account.client_secret,
        "workload_identity": account.federated_token_file,
    }
