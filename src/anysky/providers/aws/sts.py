"""AWS Security Token Service: credentials of a role in exchange for others.

Written from https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anysky.errors import (
    AuthenticationError,
    CloudError,
    InvalidAccountError,
    MalformedResponseError,
    ProviderUnavailableError,
)
from anysky.providers.aws.api import ERRORS, configured_endpoint, regional_endpoint
from anysky.providers.aws.temporary import Fresh, clock_of, unix_time
from anysky.secret import Secret
from anysky.transport.base import Request, encode_query
from anysky.wire import xml
from anysky.wire.aws_sigv4 import Credentials, Signer, host_header
from anysky.wire.status import error_for

if TYPE_CHECKING:
    from anysky.runtime.base import Runtime
    from anysky.transport.base import Response, Transport

__all__ = ["Role", "assume_role", "assume_role_with_web_identity", "sts_endpoint"]

_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_STS_ERRORS: Mapping[str, type[CloudError]] = {
    **ERRORS,
    "IDPCommunicationError": ProviderUnavailableError,
    "IDPRejectedClaim": AuthenticationError,
    "InvalidIdentityToken": AuthenticationError,
    "RegionDisabledException": InvalidAccountError,
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume; the fields are those of the AssumeRole request."""

    arn: str
    session_name: str
    external_id: str | None = None
    duration_seconds: str | None = None


async def assume_role(
    runtime: Runtime,
    transport: Transport,
    endpoint: str,
    region: str,
    role: Role,
    source: Credentials,
) -> Fresh:
    """Exchange credentials for those of a role.

    Raises:
        CloudError: STS cannot be reached, or refuses.
    """
    body = encode_query(
        [
            ("Action", "AssumeRole"),
            *_role_parameters(role),
            *([("ExternalId", role.external_id)] if role.external_id else []),
        ]
    ).encode()
    signer = Signer("sts", region)

    def signed() -> Request:
        headers = signer.sign(
            source,
            "POST",
            host_header(endpoint),
            f"{urlsplit(endpoint).path.rstrip('/')}/",
            headers=[("Content-Type", _FORM)],
            payload_hash=sha256(body).hexdigest(),
            when=runtime.time(),
        )
        return _sts_request(endpoint, body, headers)

    response = await transport.send(signed())
    return _assumed(response, "AssumeRole", runtime, [source.secret_key, source.token])


async def assume_role_with_web_identity(
    runtime: Runtime, transport: Transport, endpoint: str, role: Role, token: Secret
) -> Fresh:
    """Exchange the token of an identity provider for credentials of a role.

    Raises:
        CloudError: STS cannot be reached, or refuses.
    """
    operation = "AssumeRoleWithWebIdentity"
    form = [("Action", operation), *_role_parameters(role)]
    response = await transport.send(
        _sts_request(
            endpoint,
            encode_query([*form, ("WebIdentityToken", token.reveal())]).encode(),
            {},
        )
    )
    return _assumed(response, operation, runtime, [token])


def sts_endpoint(environ: Mapping[str, str], region: str) -> str:
    """Return the URL of AWS STS: the configured one, or the region's own.

    Raises:
        InvalidAccountError: The region is not the name of one, or what is configured is no URL.
    """
    return configured_endpoint("STS", environ) or regional_endpoint("sts", region)


def _role_parameters(role: Role) -> list[tuple[str, str]]:
    parameters = [
        ("Version", "2011-06-15"),
        ("RoleArn", role.arn),
        ("RoleSessionName", role.session_name),
    ]
    if role.duration_seconds:
        parameters.append(("DurationSeconds", role.duration_seconds))
    return parameters


def _sts_request(endpoint: str, body: bytes, headers: Mapping[str, str]) -> Request:
    return Request(
        "POST",
        "/",
        headers={"Content-Type": _FORM, **headers},
        body=body,
        endpoint=endpoint,
        safe=True,
        operation="assume_role",
    )


def _assumed(
    response: Response, operation: str, runtime: Runtime, secrets: list[Secret | None]
) -> Fresh:
    """Read the answer of STS."""
    try:
        answer = xml.parse(response.body)
    except xml.XMLError:
        answer = xml.Element("", {})
    if response.status != 200:  # noqa: PLR2004 - STS knows no other good answer
        error = _sts_error(response, answer)
        error.redact([secret.reveal() for secret in secrets if secret])
        raise error
    found = answer.find(f"{operation}Result/Credentials")
    if found is None or not found.text("SessionToken"):
        raise MalformedResponseError("AWS STS answers without credentials", status=response.status)
    credentials = Credentials(
        found.text("AccessKeyId", ""),
        Secret(found.text("SecretAccessKey", "")),
        Secret(found.text("SessionToken", "")),
        unix_time(found.text("Expiration")),
    )
    return Fresh(credentials, clock_of(response, runtime))


def _sts_error(response: Response, answer: xml.Element) -> CloudError:
    code = answer.text("Error/Code", "")
    # Messages about signatures quote the whole request, session token included.
    quotes_request = code == "SignatureDoesNotMatch"
    message = "" if quotes_request else answer.text("Error/Message", "")[:500]
    error = error_for(
        response,
        f"AWS STS refused the role: {message or code or 'no reason given'}",
        kind=_STS_ERRORS.get(code),
        code=code,
        request_id=answer.text("RequestId", ""),
    )
    error.operation = "assume_role"
    if quotes_request:
        error.body = b""
    return error
