"""Checks on every answer: redirects, size, compression, header fields, links."""

from __future__ import annotations

import re
import urllib.parse
import zlib
from collections.abc import Iterable, Mapping

from anysky.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedResponseError,
    UnsafeResponseError,
)

from .base import Layer, Limits, Request, Response, Transport

__all__ = [
    "SafetyLayer",
    "check_headers",
    "collect_headers",
    "decompress",
    "local_link",
    "too_large",
]

_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_PROXY_AUTHENTICATION_REQUIRED = 407
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def too_large(limit: int) -> UnsafeResponseError:
    """Make the error for an answer over its limit."""
    return UnsafeResponseError(
        f"the answer is larger than {limit} bytes; raise max_response_bytes if that is right"
    )


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse header fields that would break out of their line, without showing their values.

    Raises:
        InvalidRequestError: A value has a line break, another control character, or one that is
            not ASCII; or a name is no word.
    """
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()) and not _is_text(value):
            raise InvalidRequestError(
                f"the value for the header field {name!r} has a line break or a character that "
                "cannot be sent; encode it"
            )
        if not _FIELD_NAME.fullmatch(name):
            raise InvalidRequestError(f"{name[:80]!r} cannot be the name of a header field")


def _is_text(value: str) -> bool:
    return value.isascii() and value.replace("\t", " ").isprintable()


def collect_headers(fields: Iterable[tuple[str, str]], limits: Limits) -> dict[str, str]:
    """Collect header fields into a dict with names in lower case, within the limits.

    Raises:
        UnsafeResponseError: Too many fields, or one of them too long.
    """
    headers: dict[str, str] = {}
    for count, (name, value) in enumerate(fields):
        if count >= limits.max_headers or len(value) > limits.max_header_bytes:
            raise UnsafeResponseError("the answer has too many or too long header fields")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def decompress(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Undo a Content-Encoding within the limits.

    Raises:
        MalformedResponseError: The encoding is unknown or the data is damaged.
        UnsafeResponseError: The result is too large, or too large for its compressed size.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise MalformedResponseError(f"the answer has the unknown Content-Encoding {encoding!r}")
    cap = min(limits.max_response_bytes, max(len(body), 1024) * limits.max_compression_ratio)
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        result = decoder.decompress(body, cap + 1)
        complete = decoder.eof and not decoder.unused_data
    except zlib.error as error:
        raise MalformedResponseError("the compressed answer is damaged") from error
    if len(result) > cap:
        raise UnsafeResponseError(f"the compressed answer unpacks to more than {cap} bytes")
    if not complete:
        raise MalformedResponseError("the compressed answer is cut short or goes on after its end")
    return result


def local_link(link: str, endpoint: str) -> tuple[str, list[tuple[str, str]]]:
    """Reduce a link from an answer to path and parameters below our own endpoint.

    Raises:
        UnsafeResponseError: The link names another host, port, scheme, or a path outside the API.
    """
    try:
        ours, theirs = urllib.parse.urlsplit(endpoint), urllib.parse.urlsplit(link)
        foreign = bool(theirs.netloc or theirs.scheme) and _origin(ours) != _origin(theirs)
        params = urllib.parse.parse_qsl(
            theirs.query, keep_blank_values=True, max_num_fields=100, errors="strict"
        )
    except ValueError as error:
        raise UnsafeResponseError(f"the answer has a malformed link {link[:200]!r}") from error
    if foreign:
        raise UnsafeResponseError(f"the answer links to another host: {link[:200]!r}")
    base = ours.path.rstrip("/")
    if not theirs.path.startswith(f"{base}/") or _leaves(theirs.path):
        raise UnsafeResponseError(f"the answer links outside the API: {link[:200]!r}")
    return theirs.path[len(base) :], params


def _leaves(path: str) -> bool:
    """Whether a server may read a path as one that is elsewhere, or as another host."""
    segments = urllib.parse.unquote(path).replace("\\", "/").split("/")
    odd = "\\" in path or not (path.isascii() and path.isprintable()) or " " in path
    return odd or path.startswith("//") or not {".", ".."}.isdisjoint(segments)


def _origin(parts: urllib.parse.SplitResult) -> tuple[str, str | None, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    if parts.username is not None or parts.password is not None:
        return ("", None, None)
    return parts.scheme, parts.hostname, parts.port or default


class SafetyLayer(Layer):
    """Refuses redirects and unpacks compressed answers within the limits."""

    def __init__(self, inner: Transport, limits: Limits) -> None:
        super().__init__(inner)
        self._limits = limits

    async def send(self, request: Request) -> Response:
        """Send, then check the answer.

        Raises:
            ConnectionFailedError: A proxy wants other credentials; the provider got nothing.
            UnsafeResponseError: The answer is a redirect or breaks a limit.
            MalformedResponseError: The answer is compressed and damaged.
        """
        response = await self.inner.send(request)
        if response.status == _PROXY_AUTHENTICATION_REQUIRED:
            failure = ConnectionFailedError("the proxy refuses the request: status 407")
            failure.retryable = False
            raise failure
        if response.status in _REDIRECTS:
            raise UnsafeResponseError(
                f"the answer redirects to {_shown(response.headers)}; redirects are not followed. "
                "Check the endpoint and the region",
                status=response.status,
                body=response.body,
                headers=dict(response.headers),
            )
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding and response.stream is None and response.body:
            response.body = decompress(response.body, encoding, self._limits)
        return response


def _shown(headers: Mapping[str, str]) -> str:
    location = headers.get("location", "")
    host = urllib.parse.urlsplit(location).netloc if "://" in location else ""
    return repr(host[:200]) if host else "another address"
