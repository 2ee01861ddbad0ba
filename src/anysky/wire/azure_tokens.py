"""Tokens of Microsoft Entra ID: where they come from, and how they are kept fresh.

Vendor's references:
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/azure/aks/workload-identity-overview,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
and https://learn.microsoft.com/azure/app-service/overview-managed-identity
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidAccountError,
    MalformedResponseError,
    OutcomeUnknownError,
    ProviderUnavailableError,
)
from anysky.runtime.base import Runtime
from anysky.secret import Secret
from anysky.transport.base import Request, Response, Transport, encode_query, quote

__all__ = [
    "Token",
    "TokenCache",
    "TokenSource",
    "client_secret_tokens",
    "managed_identity_tokens",
    "workload_identity_tokens",
]

EARLY = 300.0
"""Seconds before its end from which on a token is renewed; half its life, if that is less."""
RETRY_AFTER_FAILURE = 30.0

_METADATA_HOST = "http://169.254.169.254"
_METADATA_PATH = "/metadata/identity/oauth2/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_NOWHERE = (ConnectionFailedError, DeadlineExceededError, OutcomeUnknownError)
_LONGEST_LIFE = 2 * 24 * 3600.0
_log = logging.getLogger("anysky.azure")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the seconds for which it is good."""

    value: Secret
    lifetime: float


TokenSource = Callable[[], Awaitable[Token]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token in use, and when it ends by each of our own clocks.

    Both count: the monotonic one survives steps of the wall clock, the wall clock survives a
    machine that was suspended.
    """

    value: Secret
    early: float
    ends_monotonic: float
    ends_wall: float


class TokenCache:
    """Fetches a token on first use and renews it before its end.

    Share one between all requests of an account: threads and tasks wait for one renewal instead of
    each starting its own. When a renewal fails the old token is used until its end.

    Args:
        source: Fetches a token.
        runtime: Has clocks and locks.
    """

    def __init__(self, source: TokenSource, runtime: Runtime) -> None:
        self._source = source
        self._runtime = runtime
        self._lock = runtime.lock()
        self._kept: _Kept | None = None
        self._renewing = False
        self._try_again_at = 0.0

    async def token(self) -> Secret:
        """Return a token that is good now.

        Raises:
            InvalidAccountError: Settings are missing or wrong.
            AuthenticationError: Entra, or the machine's own service, refuses.
            CloudError: None can be fetched, for another reason.
        """
        kept = self._kept
        if kept is not None and not self._is_due(kept):
            return kept.value
        async with self._lock:
            kept = self._kept
            if kept is None or self._is_due(kept):
                self._renewing = True
                try:
                    kept = await self._renewed(kept)
                finally:
                    self._renewing = False
                self._kept = kept
            return kept.value

    def discard(self) -> None:
        """Forget the token, which the service refused."""
        self._kept = None

    def secrets(self) -> list[str]:
        """Return the token in use, which nobody may see."""
        kept = self._kept
        return [] if kept is None else [kept.value.reveal()]

    def _left(self, kept: _Kept) -> float:
        return min(kept.ends_monotonic - self._runtime.now(), kept.ends_wall - self._runtime.time())

    def _is_due(self, kept: _Kept) -> bool:
        """Whether whoever asks now should renew, or wait for the renewal."""
        left = self._left(kept)
        if left > kept.early:
            return False
        if left <= 0:
            return True
        return not self._renewing and self._runtime.now() >= self._try_again_at

    async def _renewed(self, kept: _Kept | None) -> _Kept:
        now, wall = self._runtime.now(), self._runtime.time()
        try:
            token = await self._source()
        except CloudError as error:
            if kept is None or self._left(kept) <= 0:
                raise
            self._try_again_at = self._runtime.now() + RETRY_AFTER_FAILURE
            _log.warning(
                "the token of Entra could not be renewed (%s); that at hand lasts %.0f seconds",
                type(error).__name__,
                self._left(kept),
            )
            return kept
        life = token.lifetime
        return _Kept(token.value, min(EARLY, life / 2), now + life, wall + life)


def client_secret_tokens(
    transport: Transport, authority: str, tenant: str, client_id: str, secret: Secret, resource: str
) -> TokenSource:
    """Return what signs an application in by its secret.

    Args:
        transport: Sends without credentials.
        authority: URL of Entra in the cloud in question.
        tenant: Id or domain of the tenant.
        client_id: Id of the application.
        secret: Its secret.
        resource: URL of what the token is for.
    """

    async def fetch() -> Token:
        form = {"client_secret": secret.reveal()}
        return await _sign_in(transport, authority, tenant, client_id, resource, form)

    return fetch


def workload_identity_tokens(
    transport: Transport,
    runtime: Runtime,
    authority: str,
    tenant: str,
    client_id: str,
    path: str,
    resource: str,
) -> TokenSource:
    """Return what signs in by the token in a file, which Kubernetes renews.

    Args:
        transport: Sends without credentials.
        runtime: Reads the file.
        authority: URL of Entra in the cloud in question.
        tenant: Id or domain of the tenant.
        client_id: Id of the application.
        path: The file.
        resource: URL of what the token is for.
    """

    async def fetch() -> Token:
        assertion = await _read_token(runtime, path)
        form = {
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion.reveal(),
        }
        return await _sign_in(transport, authority, tenant, client_id, resource, form)

    return fetch


def managed_identity_tokens(
    transport: Transport, runtime: Runtime, client_id: str | None, resource: str
) -> TokenSource:
    """Return what asks the machine itself: App Service and Functions, or the metadata service.

    Args:
        transport: Sends without credentials and without a proxy.
        runtime: Has the environment.
        client_id: Id of a user-assigned identity; None for the system's, or the only one.
        resource: URL of what the token is for.
    """

    async def fetch() -> Token:
        request = _identity_request(runtime.environ, client_id, resource)
        try:
            response = await transport.send(request)
        except _NOWHERE as error:
            raise AuthenticationError(
                "no managed identity answers: this is no machine of Azure, or it has none; give "
                f"an account key, a SAS token or a client secret ({error.message})"
            ) from error
        try:
            return _token(response, "the managed identity service", runtime.time())
        except CloudError as error:
            error.redact([runtime.environ.get("IDENTITY_HEADER", "")])
            raise

    return fetch


async def _sign_in(
    transport: Transport,
    authority: str,
    tenant: str,
    client_id: str,
    resource: str,
    form: Mapping[str, str],
) -> Token:
    if not _TENANT.fullmatch(tenant):
        raise InvalidAccountError(f"{tenant[:80]!r} cannot be the id or domain of an Entra tenant")
    fields = {
        "client_id": client_id,
        "scope": f"{resource.rstrip('/')}/.default",
        "grant_type": "client_credentials",
        **form,
    }
    request = Request(
        "POST",
        f"/{quote(tenant)}/oauth2/v2.0/token",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        body=encode_query(list(fields.items())).encode(),
        endpoint=authority,
        repeatable=True,  # a token more does no harm
        operation="EntraToken",
    )
    try:
        return _token(await transport.send(request), "Microsoft Entra ID")
    except CloudError as error:
        error.redact(form.values())  # an answer may repeat what was sent
        raise


def _identity_request(environ: Mapping[str, str], client_id: str | None, resource: str) -> Request:
    user_assigned = [("client_id", client_id)] if client_id else []
    endpoint = environ.get("IDENTITY_ENDPOINT")
    if endpoint:
        header = environ.get("IDENTITY_HEADER", "")
        if not header or environ.get("IDENTITY_SERVER_THUMBPRINT"):
            raise InvalidAccountError(
                "IDENTITY_ENDPOINT is set as on Azure Arc or Service Fabric, whose managed "
                "identities are not supported: give a client secret, or a key or SAS token"
            )
        origin, path, params = _local_url(endpoint, "IDENTITY_ENDPOINT")
        params += [("api-version", "2019-08-01"), ("resource", resource), *user_assigned]
        headers = {"X-IDENTITY-HEADER": header}
        return Request("GET", path, params, headers, endpoint=origin, operation="ManagedIdentity")
    host = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _METADATA_HOST
    origin, _, _ = _local_url(host, "AZURE_POD_IDENTITY_AUTHORITY_HOST")
    params = [("api-version", "2018-02-01"), ("resource", resource), *user_assigned]
    headers = {"Metadata": "true"}
    return Request(
        "GET", _METADATA_PATH, params, headers, endpoint=origin, operation="ManagedIdentity"
    )


def _local_url(url: str, variable: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Divide a URL of this machine, to which a secret may go without encryption.

    Raises:
        InvalidAccountError: It is of elsewhere, or no URL.
    """
    try:
        parts = urlsplit(url)
        is_local = parts.scheme == "https" or _is_local(parts.hostname or "")
    except ValueError:
        parts, is_local = SplitResult("", "", "", "", ""), False
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or not is_local:
        raise InvalidAccountError(
            f"{variable} must be a URL of this machine (http) or an https URL"
        )
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/", parse_qsl(parts.query)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local


async def _read_token(runtime: Runtime, path: str) -> Secret:
    try:
        token = Secret((await runtime.read_file(path)).decode("ascii").strip())
    except OSError as error:
        reason = error.strerror or "failed"
    except UnicodeDecodeError:
        reason = "it is not a token"
    else:
        return token
    raise InvalidAccountError(f"cannot read the federated token from {path}: {reason}")


def _token(response: Response, place: str, wall: float | None = None) -> Token:
    """Read the answer to a request for a token.

    Raises:
        AuthenticationError: It was refused.
        ProviderUnavailableError: The place failed.
        MalformedResponseError: It is something else.
    """
    data = _decoded(response, place)
    if response.status != 200:  # noqa: PLR2004 - anything else is a refusal
        raise _refusal(response, data, place)
    value = data.get("access_token")
    life = _number(data.get("expires_in"))
    if life is None and wall is not None and (ends := _number(data.get("expires_on"))) is not None:
        life = ends - wall
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and value
    if not plain or life is None or life <= 0:
        raise MalformedResponseError(f"{place} answers without a token that is good for a while")
    return Token(Secret(str(value)), min(life, _LONGEST_LIFE))


def _decoded(response: Response, place: str) -> Mapping[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(response.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if response.status != 200:  # noqa: PLR2004 - what it says does not matter
            return {}
    raise MalformedResponseError(f"{place} answers something else than a token")


def _refusal(response: Response, data: Mapping[str, Any], place: str) -> CloudError:
    code, said = (str(data.get(name, ""))[:400] for name in ("error", "error_description"))
    is_down = response.status >= 500 or response.status == 429  # noqa: PLR2004 - it failed
    kind = ProviderUnavailableError if is_down else AuthenticationError
    first_line: Sequence[str] = said.splitlines()[:1]
    error = kind(
        f"{place} gives no token: {''.join(first_line) or code or 'it does not say why'}",
        status=response.status,
        code=code[:80],
    )
    error.attempts = response.attempts
    return error


def _number(value: object) -> float | None:
    """Read a number that some places write as a text."""
    try:
        return float(value) if isinstance(value, (str, int, float)) else None
    except ValueError:
        return None
