"""AWS Signature Version 4: pure functions from a request's data to its signature.

Nothing here reads a clock or the network. The caller says when (unix seconds, so that a known clock
skew is added with a plus sign) and sends exactly the path and query that were signed.

Written from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
and https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from anysky.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anysky.secret import Secret

__all__ = [
    "EMPTY_SHA256",
    "MAX_PRESIGN_SECONDS",
    "STREAMING_UNSIGNED_PAYLOAD_TRAILER",
    "UNSIGNED_PAYLOAD",
    "Credentials",
    "Signer",
    "amz_date",
    "canonical_query",
    "host_header",
    "percent_encode",
]

EMPTY_SHA256 = sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_UNSIGNED_PAYLOAD_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MAX_PRESIGN_SECONDS = 7 * 24 * 3600

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ALGORITHM = "AWS4-HMAC-SHA256"
_S3_SERVICES = frozenset({"s3", "s3-object-lambda", "s3-outposts", "s3express"})
_OWN_HEADERS = frozenset(
    {"authorization", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
)
# Headers that proxies, HTTP libraries and tracers add or change on the way.
_UNSIGNED_HEADERS = _OWN_HEADERS | {
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS access key: what a request is signed with.

    Attributes:
        access_key: The public identifier.
        secret_key: The signing secret.
        token: The session token of temporary credentials.
        expires_at: When temporary credentials end, in unix seconds; None if they do not.
    """

    access_key: str
    secret_key: Secret
    token: Secret | None = None
    expires_at: float | None = None


def amz_date(when: float) -> str:
    """Format unix seconds as `YYYYMMDDTHHMMSSZ`, the form of `X-Amz-Date`."""
    # isoformat and two replacements cost a third of strftime.
    text = datetime.fromtimestamp(int(when), UTC).isoformat()
    return text[:19].replace("-", "").replace(":", "") + "Z"


def percent_encode(text: str, safe: str = "") -> str:
    """Percent-encode as RFC 3986 and AWS have it: all but letters, digits, `-`, `.`, `_`, `~`.

    Args:
        text: Any text; it is encoded as UTF-8.
        safe: Further characters to leave alone, `"/"` for an S3 object key.

    Raises:
        InvalidRequestError: `text` holds a lone surrogate, which no URL can carry.
    """
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{text!r} is not valid Unicode text for a URL") from None


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Encode and sort query parameters; the result is also a valid query to send.

    Raises:
        InvalidRequestError: A name or value holds a lone surrogate.
    """
    return _join(_encode(parameters))


def host_header(endpoint: str) -> str:
    """Return the `Host` field that HTTP libraries send to an endpoint's URL.

    It is in lower case, and has the port unless that is the default one of the scheme.
    """
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))


class Signer:
    """Signs requests to one service in one region.

    Keep the signer and the credentials: a signer remembers the signing key of the credentials and
    day that it was last used with. Safe between threads: what it remembers is replaced as a whole.

    Args:
        service: The signing name, such as `"ec2"`, `"s3"` or `"route53"`.
        region: The region of the credential scope; global services have `"us-east-1"`.
    """

    __slots__ = ("_is_s3", "_key", "region", "service")

    def __init__(self, service: str, region: str) -> None:
        self.service = service
        self.region = region
        self._is_s3 = service in _S3_SERVICES
        self._key: tuple[Secret | None, str, bytes] = (None, "", b"")

    def sign(
        self,
        credentials: Credentials,
        method: str,
        host: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        payload_hash: str = EMPTY_SHA256,
        *,
        when: float,
    ) -> dict[str, str]:
        """Make the headers to add to a request; send it with exactly what was signed.

        Args:
            credentials: The access key to sign with.
            method: The HTTP method.
            host: The `Host` header as it will be sent: with the port unless it is the default one.
            path: The path as it will be sent, percent-encoded.
            query: The query parameters, not encoded; repeated names are allowed.
            headers: Headers of the request. All are signed but those that are known to change on
                the way, and those that signing itself sets.
            payload_hash: Hex SHA-256 of the body, `UNSIGNED_PAYLOAD` or
                `STREAMING_UNSIGNED_PAYLOAD_TRAILER`.
            when: The time of the request in unix seconds.

        Returns:
            `X-Amz-Date` and `Authorization`; with session credentials `X-Amz-Security-Token`; for
            S3, and for a payload that is not hashed, `X-Amz-Content-SHA256`.

        Raises:
            InvalidRequestError: The path or query holds a lone surrogate.
        """
        # What can fail comes before any variable holds the token.
        target = f"{self._canonical_path(path)}\n{canonical_query(query) if query else ''}"
        date = amz_date(when)
        added = {"X-Amz-Date": date}
        signed = {"host": host, "x-amz-date": date}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token.reveal()
            added["X-Amz-Security-Token"] = signed["x-amz-security-token"]
        if self._is_s3 or "-" in payload_hash:
            added["X-Amz-Content-SHA256"] = signed["x-amz-content-sha256"] = payload_hash
        _add_headers(signed, headers)
        names, lines = _canonical_headers(signed)
        request = f"{method.upper()}\n{target}\n{lines}\n{names}\n{payload_hash}"
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        added["Authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={self._signature(credentials, date, scope, request)}"
        )
        return added

    def presign(
        self,
        credentials: Credentials,
        method: str,
        host: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        *,
        when: float,
        expires: int,
    ) -> str:
        """Make the query string of a presigned URL.

        Args:
            credentials: The access key to sign with; the URL dies with it, if it is temporary.
            method: The one HTTP method that the URL will be good for.
            host: The host of the URL, with the port unless it is the default one.
            path: The path of the URL, percent-encoded.
            query: Further query parameters, not encoded.
            headers: Headers that whoever uses the URL must send with these values.
            when: From when on the URL is valid, in unix seconds.
            expires: For how many seconds it is valid: 1 to 604,800 (seven days).

        Returns:
            The query, complete and encoded: what comes after the `?`.

        Raises:
            InvalidRequestError: `expires` is out of range, or the path or query holds a lone
                surrogate.
        """
        if not 1 <= expires <= MAX_PRESIGN_SECONDS:
            raise InvalidRequestError(
                f"expires must be 1 to {MAX_PRESIGN_SECONDS} seconds, not {expires}"
            )
        canonical_path, pairs = self._canonical_path(path), _encode(query)
        date = amz_date(when)
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        signed = {"host": host}
        _add_headers(signed, headers)
        names, lines = _canonical_headers(signed)
        own = [
            ("X-Amz-Algorithm", _ALGORITHM),
            ("X-Amz-Credential", f"{credentials.access_key}/{scope}"),
            ("X-Amz-Date", date),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", names),
        ]
        if credentials.token:
            own.append(("X-Amz-Security-Token", credentials.token.reveal()))
        encoded = _join(pairs + _encode(own))
        payload_hash = UNSIGNED_PAYLOAD if self._is_s3 else EMPTY_SHA256
        request = f"{method.upper()}\n{canonical_path}\n{encoded}\n{lines}\n{names}\n{payload_hash}"
        return f"{encoded}&X-Amz-Signature={self._signature(credentials, date, scope, request)}"

    def _canonical_path(self, path: str) -> str:
        if self._is_s3 or path == "/":
            return path or "/"
        if "//" in path or "/." in path:
            path = _without_dot_segments(path)
        return percent_encode(path, safe="/") or "/"

    def _signature(self, credentials: Credentials, date: str, scope: str, request: str) -> str:
        text = f"{_ALGORITHM}\n{date}\n{scope}\n{sha256(_utf8(request)).hexdigest()}"
        key = self._signing_key(credentials.secret_key, date[:8])
        return digest(key, _utf8(text), "sha256").hex()

    def _signing_key(self, secret: Secret, day: str) -> bytes:
        known_secret, known_day, key = self._key
        if known_secret is not secret or known_day != day:
            key = _utf8(f"AWS4{secret.reveal()}")
            for part in (day, self.region, self.service, "aws4_request"):
                key = digest(key, _utf8(part), "sha256")
            self._key = (secret, day, key)
        return key


def _encode(parameters: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(percent_encode(name), percent_encode(value)) for name, value in parameters]


def _join(pairs: list[tuple[str, str]]) -> str:
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def _utf8(text: str) -> bytes:
    # An encoding error would carry the whole text, secrets included, in its message.
    return text.encode("utf-8", "surrogatepass")


def _add_headers(signed: dict[str, str], headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        key = name.lower()
        if key not in _UNSIGNED_HEADERS:
            text = " ".join(value.split())
            signed[key] = f"{signed[key]},{text}" if key in signed else text


def _canonical_headers(signed: dict[str, str]) -> tuple[str, str]:
    names = sorted(signed)
    return ";".join(names), "".join([f"{name}:{signed[name]}\n" for name in names])


def _without_dot_segments(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986, 5.2.4) and drop empty segments, as every service but S3."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{end}"
