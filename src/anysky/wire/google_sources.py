"""What gives access tokens for Google's APIs: keys, refresh tokens, other identities, the machine.

Vendor's references: https://developers.google.com/identity/protocols/oauth2/service-account,
https://cloud.google.com/compute/docs/access/authenticate-workloads and
https://google.aip.dev/auth/4117
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from anysky.deadlines import deadline
from anysky.errors import (
    AuthenticationError,
    InvalidAccountError,
    MalformedResponseError,
    UnsupportedOperationError,
)
from anysky.runtime.base import Runtime
from anysky.secret import Secret
from anysky.transport.base import Request, Response, Transport

from .jwt import RSAKey
from .oauth2 import Token, ask, header_value, read_token, split_url, token_request

__all__ = [
    "SCOPE",
    "AuthorizedUser",
    "ExternalAccount",
    "FixedToken",
    "Impersonated",
    "MetadataServer",
    "ServiceAccount",
    "Source",
    "World",
]

T = TypeVar("T")

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

_METADATA_HOST = "metadata.google.internal"
_METADATA_SECONDS = 5.0
_FLAVOR = {"Metadata-Flavor": "Google"}
_LIFETIME = 3600
_SKEW = 60.0
_IAM = "https://iamcredentials.googleapis.com"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GOOGLE = "Google's token endpoint"
_NO_SIGNING = "these credentials cannot sign: use those of a service account"


@dataclass(frozen=True, slots=True)
class World:
    """How credentials reach what gives tokens.

    Attributes:
        plain: Sends without credentials.
        direct: The same without a proxy, for what is on the machine itself.
        runtime: Files and clocks.
        endpoint: The account's own endpoint, whose host may give tokens as well as Google's.
    """

    plain: Transport
    direct: Transport
    runtime: Runtime
    endpoint: str

    def check(self, url: str) -> str:
        """Return a URL that a file of credentials names, if secrets may go there.

        Raises:
            InvalidAccountError: It is none of Google's.
        """
        parts = urlsplit(url)
        ours = urlsplit(self.endpoint)
        host = parts.hostname or ""
        is_google = host.endswith(".googleapis.com") or host == "accounts.google.com"
        is_own = bool(ours.netloc) and (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
        if not is_own and not (is_google and parts.scheme == "https" and host == parts.netloc):
            raise InvalidAccountError(
                f"the credentials would be sent to {host[:80]!r}, which is no host of Google's"
            )
        return url


class Source(Protocol):
    """Gives tokens, and perhaps signatures."""

    @property
    def project(self) -> str:
        """The project that it belongs to; empty if it does not tell."""
        ...

    @property
    def billed_to(self) -> str:
        """The project that requests count for; empty for the default."""
        ...

    async def token(self) -> Token:
        """Return a new token."""
        ...

    async def email(self) -> str:
        """Return the service account's address."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """Return a signature (RS256) with the service account's key."""
        ...

    def secrets(self) -> list[str]:
        """Return what nobody may see."""
        ...


class _Silent:
    """A source that tells of itself only that it gives tokens."""

    project = ""
    billed_to = ""

    async def email(self) -> str:
        """Refuse: there is no service account."""
        raise UnsupportedOperationError(_NO_SIGNING)

    async def sign(self, message: bytes) -> bytes:  # noqa: ARG002 - nothing is signed
        """Refuse: there is no key."""
        raise UnsupportedOperationError(_NO_SIGNING)

    def secrets(self) -> list[str]:
        """Return nothing."""
        return []


class FixedToken(_Silent):
    """A token that somebody else keeps fresh."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self) -> Token:
        """Return the token, which may be over at any time."""
        value = self._token.reveal().encode("utf-8", "replace").decode()
        return Token(header_value(value.strip(), "the setting 'token'"), float("inf"))


class ServiceAccount:
    """A service account with its key: a signed token is given for an access token."""

    billed_to = ""

    def __init__(
        self, world: World, email: str, key: RSAKey, pem: Secret, project: str, token_uri: str
    ) -> None:
        self._world = world
        self._email = email
        self._key = key
        self._pem = pem
        self._token_uri = world.check(token_uri or TOKEN_URI)
        self.project = project

    async def token(self) -> Token:
        """Return a new token, also if the clock of this machine is wrong."""
        try:
            return await self._exchange(0.0)
        except AuthenticationError as error:
            skew = self._skew(error.headers)
            if abs(skew) < _SKEW:
                raise
        return await self._exchange(skew)

    async def email(self) -> str:
        """Return the account's address."""
        return self._email

    async def sign(self, message: bytes) -> bytes:
        """Sign with the key that is here."""
        return await self._world.runtime.in_thread(lambda: self._key.sign(message))

    def secrets(self) -> list[str]:
        """Return the key, whole and line by line, as an error may quote it."""
        return [self._pem.reveal(), *self._pem.reveal().split("\n")[1:-2]]

    async def _exchange(self, skew: float) -> Token:
        now = int(self._world.runtime.time() + skew)
        claims = {
            "iss": self._email,
            "scope": SCOPE,
            "aud": self._token_uri,
            "iat": now,
            "exp": now + _LIFETIME,
        }
        assertion = await self._world.runtime.in_thread(lambda: self._key.token(claims))
        form = {"grant_type": _JWT_BEARER, "assertion": assertion.reveal()}
        response = await ask(self._world.plain, token_request(self._token_uri, form), _GOOGLE)
        return read_token(response, _GOOGLE)

    def _skew(self, headers: Mapping[str, str]) -> float:
        """Return how far the server's clock is ahead of ours."""
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(headers["date"])
        except (KeyError, ValueError):
            return 0.0
        theirs = date if date.tzinfo else date.replace(tzinfo=UTC)
        return theirs.timestamp() - self._world.runtime.time()


class AuthorizedUser(_Silent):
    """A person who has signed in with gcloud: a refresh token is given for an access token."""

    def __init__(
        self, world: World, client_id: str, client_secret: Secret, refresh: Secret, billed_to: str
    ) -> None:
        self._world = world
        self._client = client_id, client_secret
        self._refresh = refresh
        self.billed_to = billed_to

    async def token(self) -> Token:
        """Return a new token."""
        client_id, client_secret = self._client
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret.reveal(),
            "refresh_token": self._refresh.reveal(),
        }
        response = await ask(self._world.plain, token_request(TOKEN_URI, form), _GOOGLE)
        return read_token(response, _GOOGLE)

    def secrets(self) -> list[str]:
        """Return refresh token and client secret."""
        return [self._refresh.reveal(), self._client[1].reveal()]


class MetadataServer:
    """The machine's own service account, on Compute Engine, GKE, Cloud Run and others."""

    project = ""
    billed_to = ""

    def __init__(self, world: World) -> None:
        self._world = world
        host = world.runtime.environ.get("GCE_METADATA_HOST") or _METADATA_HOST
        if urlsplit(f"http://{host}").netloc != host or "@" in host:
            raise InvalidAccountError("GCE_METADATA_HOST is no name of a host")
        self._origin = f"http://{host}"

    async def token(self) -> Token:
        """Return the token that the metadata server has, which is often an older one."""
        place = "the metadata server"
        return read_token(await self._get("instance/service-accounts/default/token"), place)

    async def email(self) -> str:
        """Return the address of the machine's service account."""
        return await self._text("instance/service-accounts/default/email")

    async def project_id(self) -> str:
        """Return the project that the machine is in."""
        return await self._text("project/project-id")

    async def sign(self, message: bytes) -> bytes:
        """Let Google sign: the key of the service account is not here."""
        token = await self.token()
        return await sign_at_google(self._world.plain, await self.email(), token.value, message)

    def secrets(self) -> list[str]:
        """Return nothing."""
        return []

    async def _text(self, path: str) -> str:
        found = (await self._get(path)).body.decode("utf-8", "replace").strip()
        if not found or not found.isascii() or not found.isprintable():
            raise MalformedResponseError("the metadata server gives an unreadable answer")
        return found

    async def _get(self, path: str) -> Response:
        path = f"/computeMetadata/v1/{path}"
        request = Request("GET", path, (), _FLAVOR, endpoint=self._origin, operation="metadata")
        with deadline(_METADATA_SECONDS):
            response = await ask(self._world.direct, request, "the metadata server")
        if response.headers.get("metadata-flavor") != "Google":
            raise AuthenticationError("what answers as the metadata server is not Google's")
        return response


class _GeneratedToken(msgspec.Struct):
    access_token: str = msgspec.field(name="accessToken")
    ends: datetime = msgspec.field(name="expireTime")


class Impersonated:
    """A service account in whose name somebody else may act."""

    billed_to = ""
    project = ""

    def __init__(self, world: World, source: Source, url: str, delegates: list[str]) -> None:
        self._world = world
        self._source = source
        self._url = world.check(url)
        self._delegates = delegates
        self._email = url.rpartition("/")[2].partition(":")[0]
        self.billed_to = source.billed_to

    async def token(self) -> Token:
        """Return a new token of the service account."""
        body = {"scope": [SCOPE], "lifetime": f"{_LIFETIME}s", "delegates": self._delegates}
        own = await self._source.token()
        response = await _post(self._world.plain, self._url, own.value, body)
        answer = _decoded(response, _GeneratedToken)
        ends = answer.ends if answer.ends.tzinfo else answer.ends.replace(tzinfo=UTC)
        lifetime = ends.timestamp() - self._world.runtime.time()
        return Token(header_value(answer.access_token, _IAM), max(lifetime, 0.0))

    async def email(self) -> str:
        """Return the service account's address."""
        return self._email

    async def sign(self, message: bytes) -> bytes:
        """Let Google sign: the key of the service account is not here."""
        own = await self._source.token()
        return await sign_at_google(
            self._world.plain, self._email, own.value, message, self._delegates
        )

    def secrets(self) -> list[str]:
        """Return those of whoever acts."""
        return self._source.secrets()


class ExternalAccount(_Silent):
    """An identity of another provider, whose token is given for one of Google's.

    The other token is in a file or comes from a URL on the machine: AIP-4117 has further kinds,
    which need another provider's signatures or run programs, and are not supported.
    """

    def __init__(self, world: World, audience: str, kind: str, url: str, place: Any) -> None:
        self._world = world
        self._audience = audience
        self._kind = kind
        self._url = world.check(url or "https://sts.googleapis.com/v1/token")
        self._place = _table(place)
        if "file" not in self._place and "url" not in self._place:
            raise InvalidAccountError(
                "of external accounts, only those with a token in a file or at a URL are supported"
            )

    async def token(self) -> Token:
        """Return a new token."""
        form = {
            "grant_type": _EXCHANGE,
            "audience": self._audience,
            "scope": SCOPE,
            "requested_token_type": _ACCESS_TOKEN,
            "subject_token": (await self._subject()).reveal(),
            "subject_token_type": self._kind,
        }
        response = await ask(self._world.plain, token_request(self._url, form), _GOOGLE)
        return read_token(response, _GOOGLE)

    async def _subject(self) -> Secret:
        raw = await (self._from_file() if "file" in self._place else self._from_url())
        form = _table(self._place.get("format"))
        text = raw.reveal()
        try:
            if form.get("type") == "json":
                text = str(json.loads(text)[form.get("subject_token_field_name", "")])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InvalidAccountError("the external token is not where its format says") from None
        return Secret(text.strip())

    async def _from_file(self) -> Secret:
        path = str(self._place["file"])
        try:
            return Secret((await self._world.runtime.read_file(path)).decode())
        except (OSError, UnicodeDecodeError):
            raise InvalidAccountError(f"cannot read the external token from {path}") from None

    async def _from_url(self) -> Secret:
        url = str(self._place["url"])
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise InvalidAccountError("the external token comes from no http or https URL")
        origin, path = split_url(url)
        given = _table(self._place.get("headers"))
        headers = {name: str(value) for name, value in given.items()}
        transport = self._world.direct if parts.scheme == "http" else self._world.plain
        request = Request("GET", path, (), headers, endpoint=origin, operation="external token")
        response = await ask(transport, request, "the other provider")
        return Secret(response.body.decode("utf-8", "replace"))


def _table(value: Any) -> dict[str, Any]:
    """Return what a file has as an object; nothing of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


class _Signed(msgspec.Struct):
    signed_blob: str = msgspec.field(name="signedBlob")


async def sign_at_google(
    transport: Transport,
    email: str,
    token: Secret,
    message: bytes,
    delegates: list[str] | None = None,
) -> bytes:
    """Let Google sign with the key of a service account.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob

    Raises:
        AuthenticationError: Whoever asks may not (``iam.serviceAccounts.signBlob``).
    """
    url = f"{_IAM}/v1/projects/-/serviceAccounts/{email}:signBlob"
    body = {"payload": base64.b64encode(message).decode(), "delegates": delegates or []}
    answer = _decoded(await _post(transport, url, token, body), _Signed)
    try:
        return base64.b64decode(answer.signed_blob, validate=True)
    except ValueError as error:
        raise MalformedResponseError("Google answers with an unreadable signature") from error


async def _post(transport: Transport, url: str, token: Secret, body: Mapping[str, Any]) -> Response:
    origin, path = split_url(url)
    headers = {
        "Authorization": f"Bearer {token.reveal()}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    request = Request(
        "POST",
        path,
        (),
        headers,
        json.dumps(body).encode(),
        origin,
        repeatable=True,
        operation="IAM credentials",
    )
    return await ask(transport, request, "Google's IAM")


def _decoded(response: Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.body, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        # The answer, which the error would quote, holds secrets.
        raise MalformedResponseError("Google's IAM answers not as its reference says") from None
