"""What a request and an answer are, and what a transport does with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from urllib.parse import quote as _quote

__all__ = [
    "Body",
    "ByteStream",
    "Layer",
    "Limits",
    "Request",
    "Response",
    "SendClass",
    "Transport",
    "encode_query",
    "quote",
]


class SendClass(Enum):
    """How often a request may be sent.

    * SAFE: it changes nothing.
    * REPEATABLE: sent twice it has the effect of once (PUT or DELETE of a named thing, a token).
    * ONCE: everything else; it is sent again only if nothing of it left.
    """

    SAFE = "safe"
    REPEATABLE = "repeatable"
    ONCE = "once"


_BY_METHOD = {
    "GET": SendClass.SAFE,
    "HEAD": SendClass.SAFE,
    "OPTIONS": SendClass.SAFE,
    "PUT": SendClass.REPEATABLE,
    "DELETE": SendClass.REPEATABLE,
}


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is sent piece by piece.

    Attributes:
        open: Starts from the beginning and returns the pieces, as a plain or an async iterator
            (an async one only in the asyncio API).
        length: Bytes in all, or None when it is not known beforehand.
        replayable: Whether `open` may be called again for another try.
    """

    open: Callable[[], Iterator[bytes] | AsyncIterator[bytes]]
    length: int | None = None
    replayable: bool = False


@dataclass(slots=True)
class Request:
    """One HTTP request, below the endpoint of an account.

    Attributes:
        method: HTTP method in capitals.
        path: Path below the endpoint, percent-encoded, with its leading slash.
        params: Query parameters as pairs, not encoded.
        headers: Header fields; names in any case.
        body: Bytes, or a `Body` that is streamed.
        endpoint: Origin and base path to use in place of the account's own endpoint.
        repeatable: Whether it may be sent twice; None decides by the method.
        safe: True for a request that changes nothing although its method is POST.
        stream: Leave the body of a good answer unread, for `Response.stream`.
        operation: Name for logs and spans.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | Body = field(default=b"", repr=False)
    endpoint: str = ""
    repeatable: bool | None = None
    safe: bool = False
    stream: bool = False
    operation: str = ""

    @property
    def send_class(self) -> SendClass:
        """How often this request may be sent."""
        if self.safe:
            return SendClass.SAFE
        if self.repeatable is not None:
            return SendClass.REPEATABLE if self.repeatable else SendClass.ONCE
        return _BY_METHOD.get(self.method, SendClass.ONCE)

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{encode_query(self.params)}" if self.params else self.path


class ByteStream(Protocol):
    """The body of an answer, read piece by piece."""

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes, at least one unless the end is reached.

        Raises:
            ConnectionFailedError: The line broke, or the body is shorter than was promised.
            DeadlineExceededError: The call that opened the stream ran out of time.
        """
        ...

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        ...


@dataclass(slots=True)
class Response:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        headers: Header fields, names in lower case, repeated ones joined by ``", "``.
        body: The whole body, decompressed; empty while `stream` is set.
        stream: The unread body of a good answer to a request with ``stream=True``.
        attempts: How often the request was sent.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    stream: ByteStream | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on every answer; going over one raises `UnsafeResponseError`.

    Attributes:
        max_response_bytes: Bytes of one answer, after decompression; streams are not capped.
        max_compression_ratio: Decompressed size over size on the wire.
        max_headers: Header fields of one answer; more than 100 cannot be had.
        max_header_bytes: Bytes of one header field.
        max_items: Items of one list, over all its pages.
        max_pages: Pages of one list.
    """

    max_response_bytes: int = 64 * 1024 * 1024
    max_compression_ratio: int = 100
    max_headers: int = 100
    max_header_bytes: int = 16 * 1024
    max_items: int = 1_000_000
    max_pages: int = 100_000


class Transport(Protocol):
    """Sends requests; layers are transports wrapped round a transport."""

    async def send(self, request: Request) -> Response:
        """Send one request and return the answer, whatever its status.

        Raises:
            ConnectionFailedError: No byte of the request left.
            OutcomeUnknownError: The request, or part of it, left and no whole answer came.
            DeadlineExceededError: The call ran out of time before the request left.
            UnsafeResponseError: The answer breaks one of the `Limits`.
        """
        ...

    async def close(self) -> None:
        """Close the connections; sending afterwards is an error."""
        ...


class Layer:
    """A transport wrapped round another; passes everything on until a method is overridden."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def send(self, request: Request) -> Response:
        """Send through the inner transport."""
        return await self.inner.send(request)

    async def close(self) -> None:
        """Close the inner transport."""
        await self.inner.close()


def quote(text: str, safe: str = "") -> str:
    """Percent-encode everything but letters, digits and ``-._~`` (RFC 3986 unreserved)."""
    return _quote(text, safe=safe + "~")


def encode_query(params: Sequence[tuple[str, str]]) -> str:
    """Make a query string, percent-encoded as RFC 3986 and every request signer wants it."""
    return "&".join(
        [f"{_quote(name, safe='~')}={_quote(value, safe='~')}" for name, value in params]
    )
