"""Shared Key, the signature of Azure Storage, and shared access signatures (SAS).

Vendor's references:
https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key,
https://learn.microsoft.com/rest/api/storageservices/create-service-sas and
https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anysky.errors import InvalidAccountError
from anysky.secret import Secret

__all__ = [
    "SAS_VERSION",
    "DelegationKey",
    "Grant",
    "check_key",
    "delegation_sas",
    "service_sas",
    "signature",
    "string_to_sign",
]

SAS_VERSION = "2020-12-06"
"""The first version with the present form of the text that is signed."""

_SIGNED_FIELDS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_OWN = "x-ms-"
_BLOB = "b"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a SAS allows with one blob.

    Attributes:
        account: Name of the storage account.
        container: The container.
        name: The blob.
        permissions: Letters in the order that the service wants: ``racwd…``.
        expires: Until when, as ``2026-11-22T12:00:00Z``.
        protocol: ``"https"``, or ``"https,http"``.
    """

    account: str
    container: str
    name: str
    permissions: str
    expires: str
    protocol: str

    @property
    def resource(self) -> str:
        """The blob as it is signed, not encoded."""
        return f"/blob/{self.account}/{self.container}/{self.name}"


@dataclass(frozen=True, slots=True)
class DelegationKey:
    """A key that Entra's users are given to sign with, in place of the account's.

    Attributes:
        object_id: Id of the user or application.
        tenant_id: Its tenant.
        start: From when the key is good, as the service wrote it.
        expiry: Until when.
        service: ``"b"`` for blobs.
        version: The service's version.
        value: The key in base64.
    """

    object_id: str
    tenant_id: str
    start: str
    expiry: str
    service: str
    version: str
    value: Secret


def check_key(key: Secret) -> Secret:
    """Return the key of an account.

    Raises:
        InvalidAccountError: It is not base64.
    """
    try:
        raw = base64.b64decode(key.reveal(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise InvalidAccountError(
            "the key of the storage account is not base64: copy it whole, with the = at its end"
        )
    return key


def signature(key: Secret, text: str) -> str:
    """Return the signature of a text, in base64."""
    raw = base64.b64decode(key.reveal())
    return base64.b64encode(hmac.new(raw, text.encode(), hashlib.sha256).digest()).decode()


def string_to_sign(
    account: str,
    method: str,
    path: str,
    params: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
) -> str:
    """Return the text that is signed of a request.

    Args:
        account: Name of the storage account.
        method: HTTP method.
        path: The whole path as it is sent.
        params: Query parameters, not encoded.
        headers: Header fields, those that the transport adds included.
    """
    fields = {name.lower(): value.strip() for name, value in headers.items()}
    if fields.get("content-length") == "0":
        del fields["content-length"]
    lines = [method, *(fields.get(name, "") for name in _SIGNED_FIELDS)]
    own = sorted((name for name in fields if name.startswith(_OWN)), key=_collated)
    lines += [f"{name}:{fields[name]}" for name in own]
    lines.append(f"/{account}{path}")
    values: dict[str, list[str]] = {}
    for name, value in params:
        values.setdefault(name.lower(), []).append(value)
    lines += [f"{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]
    return "\n".join(lines)


def _collated(name: str) -> tuple[str, str]:
    """Order names as the service does: hyphens do not count, underscores come before digits."""
    return name.replace("-", "").replace("_", "!"), name


def service_sas(key: Secret, grant: Grant) -> list[tuple[str, str]]:
    """Return the parameters of a URL by which anybody may do what is granted.

    Args:
        key: The account's key.
        grant: What is allowed.
    """
    text = [grant.permissions, "", grant.expires, grant.resource, *_end(grant, identifier=True)]
    return [*_params(grant), ("sig", signature(key, "\n".join(text)))]


def delegation_sas(key: DelegationKey, grant: Grant) -> list[tuple[str, str]]:
    """Return the parameters of a URL by which anybody may do what is granted.

    Args:
        key: The key that the signing user was given.
        grant: What is allowed.
    """
    signer = {
        "skoid": key.object_id,
        "sktid": key.tenant_id,
        "skt": key.start,
        "ske": key.expiry,
        "sks": key.service,
        "skv": key.version,
    }
    nobody_else = ["", "", ""]  # further users and the correlation id, which few accounts know
    head = [grant.permissions, "", grant.expires, grant.resource]
    text = [*head, *signer.values(), *nobody_else, *_end(grant, identifier=False)]
    return [*_params(grant), *signer.items(), ("sig", signature(key.value, "\n".join(text)))]


def _params(grant: Grant) -> list[tuple[str, str]]:
    return [
        ("sv", SAS_VERSION),
        ("spr", grant.protocol),
        ("se", grant.expires),
        ("sr", _BLOB),
        ("sp", grant.permissions),
    ]


def _end(grant: Grant, *, identifier: bool) -> list[str]:
    """Return the end of the signed text, in which most fields stay empty."""
    address_and_protocol = ["", grant.protocol, SAS_VERSION, _BLOB]
    snapshot_scope_and_headers = [""] * 7
    policy = [""] if identifier else []
    return [*policy, *address_and_protocol, *snapshot_scope_and_headers]
