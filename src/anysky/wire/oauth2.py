"""OAuth 2.0 (RFC 6749): tokens are fetched when they are needed, and renewed before they end."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import msgspec

from anysky.errors import AuthenticationError, CloudError, MalformedResponseError
from anysky.runtime.base import Runtime
from anysky.secret import Secret
from anysky.transport.base import Request, Response, Transport
from anysky.transport.signing import with_headers

from .status import error_for, kind_of_status

__all__ = ["OAuthSigner", "Token", "TokenCache", "ask", "read_token", "split_url", "token_request"]

RENEW_BEFORE = 5 * 60.0
MANDATORY_BEFORE = 60.0
RETRY_AFTER_FAILURE = 30.0
DEFAULT_LIFETIME = 3600.0

_REFUSALS = frozenset({400, 401, 403})
_UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_UNAUTHORIZED = 401
_VISIBLE = re.compile(r"[!-~]+")
_log = logging.getLogger("anysky.oauth2")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Attributes:
        value: The token.
        lifetime: Seconds for which it is good, from when it was asked for.
    """

    value: Secret
    lifetime: float


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token in use, and when it ends by each of our own clocks.

    The monotonic one survives steps of the wall clock, which survives a machine's sleep.
    """

    token: Token
    ends_monotonic: float
    ends_wall: float


class TokenCache:
    """Keeps a token fresh; threads and tasks wait for one renewal instead of starting their own.

    It is renewed from 5 minutes before its end on (or half of its life, if that is short). If that
    fails it is used on until a minute before its end.

    Args:
        fetch: Gets a new token.
        runtime: Gives clocks and a lock.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], runtime: Runtime) -> None:
        self._fetch = fetch
        self._runtime = runtime
        self._lock = runtime.lock()
        self._kept: _Kept | None = None
        self._renewing = False
        self._try_again_at = 0.0

    @property
    def last(self) -> Secret | None:
        """The token in use, to be kept out of messages."""
        return None if self._kept is None else self._kept.token.value

    async def get(self) -> Secret:
        """Return a token that is good for a while.

        Raises:
            CloudError: There is none to be had.
        """
        kept = self._kept
        if kept is not None and not self._is_due(kept):
            return kept.token.value
        async with self._lock:
            if self._kept is None or self._is_due(self._kept):
                self._renewing = True
                try:
                    self._kept = await self._renewed(self._kept)
                finally:
                    self._renewing = False
            return self._kept.token.value

    def discard(self, value: str) -> None:
        """Forget a token that was refused, unless it was replaced meanwhile."""
        kept = self._kept
        if kept is not None and kept.token.value == Secret(value):
            self._kept = None

    def _is_due(self, kept: _Kept) -> bool:
        left = self._seconds_left(kept)
        if left >= min(RENEW_BEFORE, kept.token.lifetime / 2):
            return False
        if self._is_mandatory(kept):
            return True
        return not self._renewing and self._runtime.now() >= self._try_again_at

    def _is_mandatory(self, kept: _Kept) -> bool:
        return self._seconds_left(kept) < min(MANDATORY_BEFORE, kept.token.lifetime / 3)

    def _seconds_left(self, kept: _Kept) -> float:
        return min(kept.ends_monotonic - self._runtime.now(), kept.ends_wall - self._runtime.time())

    async def _renewed(self, kept: _Kept | None) -> _Kept:
        now, wall = self._runtime.now(), self._runtime.time()
        try:
            token = await self._fetch()
        except CloudError as error:
            if kept is None or self._is_mandatory(kept):
                raise
            self._try_again_at = self._runtime.now() + RETRY_AFTER_FAILURE
            _log.warning("the access token could not be renewed (%s)", type(error).__name__)
            return kept
        return _Kept(token, now + token.lifetime, wall + token.lifetime)


class OAuthSigner:
    """Sends a token with each request, a new one after a refusal.

    Args:
        tokens: Gives the token.
    """

    def __init__(self, tokens: TokenCache) -> None:
        self.tokens = tokens

    async def headers(self) -> Mapping[str, str]:
        """Return header fields to send besides the token."""
        return {}

    async def sign(self, request: Request, endpoint: str) -> Request:  # noqa: ARG002 - any of the account's hosts
        """Add the token."""
        token = await self.tokens.get()
        fields = {"Authorization": f"Bearer {token.reveal()}", **await self.headers()}
        return with_headers(request, fields)

    async def refused(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - the status tells
        """Forget a token that was refused; a new one may be better."""
        last = self.tokens.last
        if response.status != _UNAUTHORIZED or last is None:
            return False
        self.tokens.discard(last.reveal())
        return True

    def secrets(self) -> list[str]:
        """Return the token in use, which nobody may see."""
        last = self.tokens.last
        return [] if last is None else [last.reveal()]


class _TokenAnswer(msgspec.Struct):
    access_token: str = ""
    expires_in: float | str = DEFAULT_LIFETIME


class _Refusal(msgspec.Struct):
    error: str = ""
    error_description: str = ""


def split_url(url: str) -> tuple[str, str]:
    """Divide the URL of a token endpoint into its origin and its path, query included."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path


def token_request(url: str, form: Mapping[str, str]) -> Request:
    """Make a request to a token endpoint; asked twice it gives two good tokens."""
    origin, path = split_url(url)
    body = urlencode(form).encode()
    return Request(
        "POST", path, (), _FORM, body, origin, repeatable=True, operation="fetch a token"
    )


async def ask(transport: Transport, request: Request, place: str) -> Response:
    """Send a request for a token.

    Args:
        transport: One that does not sign.
        request: The request.
        place: What is asked, for messages.

    Raises:
        AuthenticationError: It refuses.
        CloudError: It cannot be reached, or has failed.
    """
    response = await transport.send(request)
    if response.status >= 300:  # noqa: PLR2004 - whatever is not a good answer
        raise _refusal(response, place)
    return response


def read_token(response: Response, place: str) -> Token:
    """Return the token of an answer.

    Raises:
        MalformedResponseError: There is none in it.
    """
    try:
        answer = msgspec.json.decode(response.body, type=_TokenAnswer)
        lifetime = float(answer.expires_in)
    except _UNREADABLE as error:
        raise _malformed(place) from error
    return Token(header_value(answer.access_token, place), lifetime)


def header_value(text: str, place: str) -> Secret:
    """Return a token that can stand in a header field.

    Raises:
        MalformedResponseError: It holds a character that no token has, or nothing.
    """
    if not _VISIBLE.fullmatch(text):
        raise _malformed(place)
    return Secret(text)


def _malformed(place: str) -> MalformedResponseError:
    """Make an error without the answer's body, which may hold half a token."""
    return MalformedResponseError(f"{place} answers without an access token")


def _refusal(response: Response, place: str) -> CloudError:
    try:
        said = msgspec.json.decode(response.body, type=_Refusal)
    except _UNREADABLE:
        said = _Refusal()
    kind = kind_of_status(response.status)
    if response.status in _REFUSALS:
        kind = AuthenticationError
    details = said.error_description or said.error or f"status {response.status}"
    return error_for(
        response, f"{place} gives no token: {details[:300]}", kind=kind, code=said.error[:80]
    )
