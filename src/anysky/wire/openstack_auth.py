"""Sign in to an OpenStack cloud: a token, and the URLs of its services.

Two ways are spoken: Keystone v3 (password, token, application credential), and Swift's own v1
sign-in, which Swift and Ceph have without a Keystone. What comes out is the same: a `Session`
with a token and endpoints. `SignIn` keeps one and renews it; `ServiceSigner` puts its token on the
requests to one service, whichever that is: object storage, compute, networks …

Vendor's references: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
and https://docs.openstack.org/swift/latest/overview_auth.html
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from anysky.errors import (
    AuthenticationError,
    CloudError,
    InvalidAccountError,
    MalformedResponseError,
    NotFoundError,
    UnsafeResponseError,
)
from anysky.runtime.base import Runtime
from anysky.secret import Secret
from anysky.transport.base import Request, Response, Transport
from anysky.transport.signing import with_headers

from .status import error_for, kind_of_status

__all__ = [
    "Endpoint",
    "OpenStackCredentials",
    "ServiceSigner",
    "Session",
    "SignIn",
    "keystone_body",
    "keystone_session",
    "service_url",
    "v1_session",
]

_UNAUTHORIZED = 401
_GOOD = range(200, 300)
# A token is renewed this long before its end, or at half the life of one that lives shorter.
_EARLY = 120.0
_INTERFACES = ("public", "internal", "admin")
_VERSION_OF_KEYSTONE = re.compile(r"/v(2\.0|3)(/(auth/)?tokens)?/?$")
_V1_PATH = "/auth/v1.0"
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PATH = re.compile(r"[!-~]*")
_TOKEN = re.compile(r"[!-~]{1,8192}")
_SIGNED_WITH: ContextVar[Session | None] = ContextVar("anysky_openstack_session", default=None)


@dataclass(frozen=True, slots=True)
class OpenStackCredentials:
    """Who signs in, where and for what.

    Attributes:
        auth_url: URL of Keystone, with or without its version, or of the v1 sign-in.
        version: 3 for Keystone, 1 for Swift's own sign-in.
        username: Name of the user; for v1 often ``account:user``.
        user_id: Keystone's id of the user, in place of name and domain.
        password: The user's password, or the v1 key.
        token: A token to exchange for one of the project.
        application_id: Id of an application credential.
        application_name: Its name, in place of the id; the user must then be named as well.
        application_secret: Its secret.
        project: Name of the project.
        project_id: Its id, in place of name and domain.
        user_domain: Name of the user's domain.
        user_domain_id: Its id, in place of the name.
        project_domain: Name of the project's domain; the user's if None.
        project_domain_id: Its id, in place of the name.
    """

    auth_url: str
    version: int = 3
    username: str | None = None
    user_id: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    application_id: str | None = None
    application_name: str | None = None
    application_secret: Secret | None = None
    project: str | None = None
    project_id: str | None = None
    user_domain: str = "Default"
    user_domain_id: str | None = None
    project_domain: str | None = None
    project_domain_id: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service is.

    Attributes:
        service: Its type, for example ``"object-store"`` or ``"compute"``.
        interface: ``"public"``, ``"internal"`` or ``"admin"``; empty if it is there for all.
        region: Its region; empty if it is there for all.
        url: Its URL, without a slash at its end.
    """

    service: str
    interface: str
    region: str
    url: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a sign-in gave.

    Attributes:
        token: The token.
        lifetime: Seconds for which it is good, or None if nobody knows.
        endpoints: Where the services are.
        project_id: Id of the project; empty where there are none.
    """

    token: Secret
    lifetime: float | None = None
    endpoints: Sequence[Endpoint] = field(default=(), repr=False)
    project_id: str = ""


class _Region(msgspec.Struct):
    url: str
    interface: str = ""
    region_id: str | None = None
    region: str | None = None


class _Service(msgspec.Struct):
    type: str
    endpoints: list[_Region] = []


class _Project(msgspec.Struct):
    id: str = ""


class _Token(msgspec.Struct):
    issued_at: str = ""
    expires_at: str | None = None
    catalog: list[_Service] = []
    project: _Project | None = None


class _TokenBody(msgspec.Struct):
    token: _Token


class _Failure(msgspec.Struct):
    message: str = ""


class _FailureBody(msgspec.Struct):
    error: _Failure


def keystone_body(credentials: OpenStackCredentials) -> dict[str, Any]:
    """Return what is sent to Keystone v3 for a token.

    https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization

    Raises:
        InvalidAccountError: The settings are not enough for any way to sign in.
    """
    if credentials.application_id or credentials.application_name:
        return {"auth": {"identity": _application(credentials)}}  # it has its project already
    if credentials.token is not None:
        identity = {"methods": ["token"], "token": {"id": credentials.token.reveal()}}
    elif credentials.password is not None:
        user = {**_user(credentials), "password": credentials.password.reveal()}
        identity = {"methods": ["password"], "password": {"user": user}}
    else:
        raise InvalidAccountError(
            "OpenStack needs a password, a token or an application credential to sign in"
        )
    return {"auth": {"identity": identity, "scope": {"project": _project(credentials)}}}


def _application(credentials: OpenStackCredentials) -> dict[str, Any]:
    if credentials.application_secret is None:
        raise InvalidAccountError("an application credential has a secret: application_secret=")
    found: dict[str, Any] = {"secret": credentials.application_secret.reveal()}
    if credentials.application_id:
        found["id"] = credentials.application_id
    else:
        found |= {"name": credentials.application_name, "user": _user(credentials)}
    return {"methods": ["application_credential"], "application_credential": found}


def _user(credentials: OpenStackCredentials) -> dict[str, Any]:
    if credentials.user_id:
        return {"id": credentials.user_id}
    if not credentials.username:
        raise InvalidAccountError("OpenStack needs a user: username= or user_id=")
    domain = _domain(credentials.user_domain, credentials.user_domain_id)
    return {"name": credentials.username, "domain": domain}


def _project(credentials: OpenStackCredentials) -> dict[str, Any]:
    if credentials.project_id:
        return {"id": credentials.project_id}
    if not credentials.project:
        raise InvalidAccountError("OpenStack needs a project: project= or project_id=")
    name, id = credentials.project_domain, credentials.project_domain_id
    if not (name or id):
        name, id = credentials.user_domain, credentials.user_domain_id
    return {"name": credentials.project, "domain": _domain(name or "Default", id)}


def _domain(name: str, id: str | None) -> dict[str, str]:
    return {"id": id} if id else {"name": name}


def keystone_session(response: Response) -> Session:
    """Read the answer to a sign-in at Keystone v3.

    Raises:
        MalformedResponseError: It has no token, or is not what the reference promises.
        UnsafeResponseError: The catalog has an URL to which nothing can be sent safely.
    """
    try:
        token = msgspec.json.decode(response.body, type=_TokenBody).token
        lifetime = _lifetime(token)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedResponseError(f"Keystone's answer is not a token: {error}") from error
    endpoints = [
        Endpoint(service.type, one.interface, one.region_id or one.region or "", one.url)
        for service in token.catalog
        for one in service.endpoints
    ]
    project = token.project.id if token.project else ""
    return Session(_token_of(response, "x-subject-token"), lifetime, tuple(endpoints), project)


def _lifetime(token: _Token) -> float | None:
    """Return how long a token lives: both dates are of the server's clock, ours may be wrong."""
    if not token.expires_at:
        return None
    ends = _date(token.expires_at)
    return max((ends - _date(token.issued_at)).total_seconds(), 0.0) if token.issued_at else None


def _date(text: str) -> datetime:
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def v1_session(response: Response) -> Session:
    """Read the answer to a sign-in at Swift itself.

    Raises:
        MalformedResponseError: It has no token or no storage URL.
    """
    url = response.headers.get("x-storage-url", "")
    if not url:
        raise MalformedResponseError("the answer to the sign-in has no X-Storage-Url")
    ends = response.headers.get("x-auth-token-expires", "").strip()
    lifetime = float(ends) if ends.isdecimal() and len(ends) < 12 else None  # noqa: PLR2004 - no figure in seconds is longer
    return Session(
        _token_of(response, "x-auth-token"), lifetime, (Endpoint("object-store", "", "", url),)
    )


def _token_of(response: Response, name: str) -> Secret:
    token = response.headers.get(name, "").strip()
    if not _TOKEN.fullmatch(token):
        raise MalformedResponseError(f"the answer to the sign-in has no {name.title()}")
    return Secret(token)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A session in use, and when it ends by each of our clocks.

    The monotonic one survives steps of the wall clock, the other a machine that slept.
    """

    session: Session
    ends_monotonic: float
    ends_wall: float


class SignIn:
    """Signs in on first use, keeps what came, and renews it before its end.

    Threads and tasks that need a token at the same time wait for one sign-in.

    Args:
        credentials: Who signs in.
        transport: Sends without credentials.
        runtime: Clocks and locks.
    """

    def __init__(
        self, credentials: OpenStackCredentials, transport: Transport, runtime: Runtime
    ) -> None:
        self.credentials = credentials
        self._transport = transport
        self._runtime = runtime
        self._lock = runtime.lock()
        self._kept: _Kept | None = None
        self._last: Session | None = None

    async def session(self) -> Session:
        """Return a session that is good for a while.

        Raises:
            InvalidAccountError: Settings are missing or wrong.
            AuthenticationError: The credentials are refused.
        """
        kept = self._good()
        if kept is not None:
            return kept
        async with self._lock:
            kept = self._good()  # another one may have signed in meanwhile
            if kept is None:
                kept = self._last = await self._sign_in()
                self._kept = self._keep(kept)
        return kept

    def discard(self, session: Session) -> None:
        """Forget a session whose token was refused, unless another is in use already."""
        if self._kept is not None and self._kept.session is session:
            self._kept = None

    def secrets(self) -> list[str]:
        """Return the token that was got last, good or not."""
        return [] if self._last is None else [self._last.token.reveal()]

    def _good(self) -> Session | None:
        kept = self._kept
        if kept is None:
            return None
        runtime = self._runtime
        ended = runtime.now() >= kept.ends_monotonic or runtime.time() >= kept.ends_wall
        return None if ended else kept.session

    def _keep(self, session: Session) -> _Kept:
        if session.lifetime is None:
            return _Kept(session, float("inf"), float("inf"))
        good = max(session.lifetime - _EARLY, session.lifetime / 2)
        return _Kept(session, self._runtime.now() + good, self._runtime.time() + good)

    async def _sign_in(self) -> Session:
        keystone = self.credentials.version != 1
        request = self._keystone_request() if keystone else self._v1_request()
        response = await self._transport.send(request)
        if response.status not in _GOOD:
            raise _refusal(response, keystone=keystone)
        return keystone_session(response) if keystone else v1_session(response)

    def _keystone_request(self) -> Request:
        base = _VERSION_OF_KEYSTONE.sub("", self.credentials.auth_url).rstrip("/")
        return Request(
            "POST",
            "/v3/auth/tokens",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode(keystone_body(self.credentials)),
            endpoint=base,
            repeatable=True,  # a token more costs nothing and dies by itself
            operation="auth/tokens",
        )

    def _v1_request(self) -> Request:
        credentials = self.credentials
        if not credentials.username or credentials.password is None:
            raise InvalidAccountError("the v1 sign-in needs username= and password=")
        parts = urllib.parse.urlsplit(credentials.auth_url)
        path = parts.path.rstrip("/") or _V1_PATH
        headers = {
            "X-Auth-User": credentials.username,
            "X-Auth-Key": credentials.password.reveal(),
        }
        return Request(
            "GET",
            path,
            headers=headers,
            endpoint=f"{parts.scheme}://{parts.netloc}",
            operation="auth/v1.0",
        )


def _refusal(response: Response, *, keystone: bool) -> CloudError:
    place = "Keystone" if keystone else "the v1 sign-in"
    said = ""
    if keystone:
        try:
            said = msgspec.json.decode(response.body, type=_FailureBody).error.message
        except (msgspec.MsgspecError, ValueError, RecursionError):
            said = ""
    kind = kind_of_status(response.status)
    if response.status in (_UNAUTHORIZED, 403) or (response.status == 400 and not keystone):  # noqa: PLR2004
        kind = AuthenticationError
    if kind is NotFoundError:
        kind = InvalidAccountError
        said = said or "there is no sign-in at this address: check auth_url= and auth_version="
    text = said or f"status {response.status}"
    return error_for(response, f"{place} refuses to sign in: {text}", kind=kind)


def service_url(
    session: Session,
    services: Sequence[str],
    region: str | None,
    interface: str,
    *,
    encrypted: bool,
) -> str:
    """Return the URL of a service, without a slash at its end.

    Args:
        session: What a sign-in gave.
        services: Types under which it may stand in the catalog, the best first.
        region: Its region; None if the catalog has only one.
        interface: ``"public"``, ``"internal"`` or ``"admin"``.
        encrypted: Whether the sign-in was encrypted, so that the token must be, too.

    Raises:
        InvalidAccountError: There is no such service, region or interface, or the region must be
            named.
        UnsafeResponseError: The URL leads from https to http, or is none.
    """
    for service in services:
        found = [one for one in session.endpoints if one.service == service]
        if found:
            return _checked(_choose(found, service, region, interface), encrypted=encrypted)
    raise InvalidAccountError(
        f"the cloud has no service {services[0]!r} for this project; it has "
        f"{', '.join(sorted({one.service for one in session.endpoints})) or 'none'}"
    )


def _choose(found: Sequence[Endpoint], service: str, region: str | None, interface: str) -> str:
    """Choose one of a service's endpoints."""
    kind = interface.lower().removesuffix("url")
    if kind not in _INTERFACES:
        raise InvalidAccountError(
            f"interface is one of {', '.join(_INTERFACES)}, not {interface!r}"
        )
    offered = [one for one in found if one.interface.removesuffix("URL") in ("", kind)]
    if not offered:
        raise InvalidAccountError(f"the catalog has no {kind} endpoint for {service!r}")
    regions = sorted({one.region for one in offered if one.region})
    if region is None:
        if len(regions) > 1:
            raise InvalidAccountError(
                f"{service!r} is in several regions: name one of {', '.join(regions)} as region="
            )
        return offered[0].url
    for one in offered:
        if one.region in ("", region):
            return one.url
    raise InvalidAccountError(
        f"{service!r} is not in the region {region!r}, but in {', '.join(regions)}"
    )


def _checked(url: str, *, encrypted: bool) -> str:
    """Return a URL to which a token may be sent, without a slash at its end.

    Raises:
        UnsafeResponseError: It is no such URL, or is not encrypted although the sign-in was.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        odd = parts.username is not None or bool(parts.query or parts.fragment)
    except ValueError:
        raise UnsafeResponseError("the catalog has something that is no URL") from None
    good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    if not good or odd or not _PATH.fullmatch(parts.path):
        raise UnsafeResponseError(f"the catalog has no proper URL for the service: {url[:200]!r}")
    if parts.scheme == "http" and encrypted:
        raise UnsafeResponseError(
            f"the sign-in was encrypted, but the token would go to http://{parts.netloc} in the "
            "clear: if that is right, give the service's URL as endpoint="
        )
    return url.rstrip("/")


class ServiceSigner:
    """Sends requests to one service of the cloud, each with the token of the session.

    A request has no endpoint of its own: it goes below the service's URL, and nowhere else.

    Args:
        sign_in: Signs in.
        services: Types under which the service may stand in the catalog, the best first.
        region: Its region; None if there is only one.
        interface: ``"public"``, ``"internal"`` or ``"admin"``.
        endpoint: URL of the service, in place of the catalog's.
    """

    def __init__(
        self,
        sign_in: SignIn,
        services: Sequence[str],
        *,
        region: str | None = None,
        interface: str = "public",
        endpoint: str = "",
    ) -> None:
        self.sign_in = sign_in
        self._services = services
        self._region = region
        self._interface = interface
        self._endpoint = endpoint.rstrip("/")
        self._found: tuple[Session | None, str] = None, ""

    async def url(self) -> str:
        """Return the URL of the service; see `service_url`."""
        if self._endpoint:
            return self._endpoint
        return self._url_in(await self.sign_in.session())

    async def sign(self, request: Request, endpoint: str) -> Request:  # noqa: ARG002 - the catalog tells where
        """Return the request with the token, for the service's URL."""
        session = await self.sign_in.session()
        _SIGNED_WITH.set(session)
        signed = with_headers(request, {"X-Auth-Token": session.token.reveal()})
        signed.endpoint = self._endpoint or self._url_in(session)
        return signed

    def _url_in(self, session: Session) -> str:
        found, url = self._found
        if found is not session:
            url = service_url(
                session,
                self._services,
                self._region,
                self._interface,
                encrypted=not self.sign_in.credentials.auth_url.lower().startswith("http:"),
            )
            self._found = session, url
        return url

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - the status tells
        """Forget a token that is refused, so that the next try gets a new one."""
        session = _SIGNED_WITH.get()
        if response.status != _UNAUTHORIZED or session is None:
            return False
        self.sign_in.discard(session)
        return True

    def secrets(self) -> list[str]:
        """Return the values that no error may show."""
        return self.sign_in.secrets()
