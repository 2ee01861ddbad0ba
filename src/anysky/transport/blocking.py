"""The blocking transport, on urllib3; no other file imports urllib3."""

from __future__ import annotations

import http.client
import io
import os
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    OutcomeUnknownError,
)

from .base import Body, Limits, Request, Response
from .safety import check_headers, collect_headers, too_large
from .settings import HTTPSettings, tls_context

if TYPE_CHECKING:
    import urllib3

__all__ = ["BlockingTransport"]

_PIECE = 256 * 1024


class _Progress(threading.local):
    """What became of the request that this thread is sending."""

    sent = False


_progress = _Progress()


class _Route(NamedTuple):
    """How requests get to one endpoint."""

    manager: urllib3.PoolManager
    pool: urllib3.HTTPConnectionPool
    prefix: str
    headers: dict[str, str]


class _TimedReader(io.RawIOBase):
    """Gives every single read of a socket the time that is left, so that a drip cannot hold it."""

    def __init__(self, sock: Any, raw: Any) -> None:
        self._sock, self._raw = sock, raw
        self._read_timeout: float | None = sock.gettimeout()
        self._expires_at = deadlines.expires_at()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._expires_at is not None:
            left = self._expires_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("no time is left")
            timeout = self._read_timeout
            self._sock.settimeout(left if timeout is None else min(left, timeout))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose every read keeps to the deadline of the call."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(sock, raw), 64 * 1024)


class _Stream:
    """The body of one answer, read from its connection."""

    def __init__(self, raw: urllib3.BaseHTTPResponse) -> None:
        self._raw = raw

    async def read(self, size: int) -> bytes:
        try:
            return self._raw.read1(size, decode_content=False) or b""
        except Exception as error:
            self._raw.close()
            raise _broken_body(error) from error

    async def close(self) -> None:
        if self._raw.closed:
            self._raw.release_conn()
        else:
            self._raw.close()


class BlockingTransport:
    """Sends requests in the caller's own thread, over a pool that all threads share.

    The pool is made on first use and again after a fork.

    Args:
        endpoint: URL that requests without one of their own go to.
        settings: Time limits, proxy and TLS.
        limits: Caps on answers.
    """

    def __init__(self, endpoint: str, settings: HTTPSettings, limits: Limits) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._settings = settings
        self._limits = limits
        self._routes: dict[str, _Route] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send one request; see `Transport.send`."""
        raw = self._urlopen(request)
        try:
            headers = collect_headers(raw.headers.iteritems(), self._limits)
        except CloudError:
            raw.close()
            raise
        if request.stream and raw.status < 300:  # noqa: PLR2004 - a good answer
            return Response(raw.status, headers, stream=_Stream(raw))
        return Response(raw.status, headers, self._read(raw))

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        for route in self._routes.values():
            route.manager.clear()
        self._routes = {}

    def _urlopen(self, request: Request) -> urllib3.BaseHTTPResponse:
        endpoint = request.endpoint.rstrip("/") or self.endpoint
        route = self._route(endpoint)
        _progress.sent = False
        try:
            return route.pool.urlopen(
                request.method,
                route.prefix + request.target,
                body=_pieces(request.body),
                headers=_wire_headers(request) | route.headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._timeout(),
                pool_timeout=self._settings.pool_timeout,  # type: ignore[arg-type]
                preload_content=False,
                decode_content=False,
            )
        except CloudError:
            raise
        except Exception as error:
            raise _failed(error, endpoint) from error

    def _timeout(self) -> urllib3.Timeout:
        import urllib3

        connect, read = self._settings.connect_timeout, self._settings.read_timeout
        left = deadlines.remaining()
        if left is None:
            return urllib3.Timeout(connect=connect, read=read)
        if left <= 0:
            raise DeadlineExceededError("no time was left to send the request")
        return urllib3.Timeout(connect=min(connect, left), read=min(read, left))

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        limit = self._limits.max_response_bytes
        try:
            body = raw.read(limit + 1, decode_content=False)
        except Exception as error:
            raw.close()
            raise _broken_body(error) from error
        if len(body) > limit:
            raw.close()
            raise too_large(limit)
        raw.release_conn()
        return body

    def _route(self, endpoint: str) -> _Route:
        if self._closed:
            raise InvalidRequestError("this driver is closed; make a new one")
        if self._pid != os.getpid():
            # The sockets belong to the parent as well: forget them, don't shut them down.
            self._routes, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        route = self._routes.get(endpoint)
        if route is None:
            with self._lock:
                route = self._routes.get(endpoint) or self._make_route(endpoint)
                self._routes[endpoint] = route
        return route

    def _make_route(self, endpoint: str) -> _Route:
        import urllib3

        proxy = self._settings.proxy_for(endpoint)
        options: dict[str, Any] = {
            "maxsize": self._settings.pool_size,
            "block": True,
            "blocksize": _PIECE,
        }
        if endpoint.startswith("https") or (proxy or "").startswith("https"):
            options["ssl_context"] = tls_context(self._settings.verify)
        headers = _proxy_auth(proxy) if proxy else {}
        manager = (
            urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
            if proxy
            else urllib3.PoolManager(**options)
        )
        manager.pool_classes_by_scheme = _timed_pools()
        pool = manager.connection_from_url(endpoint)
        if proxy and endpoint.startswith("http:"):  # no tunnel: the proxy reads the whole URL
            return _Route(manager, pool, endpoint, headers)
        return _Route(manager, pool, urllib.parse.urlsplit(endpoint).path, {})


def _timed_pools() -> dict[str, Any]:
    """Make the pool classes whose connections tell when bytes leave and keep to deadlines."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class TimedConnection(HTTPConnection):
        response_class = _TimedResponse

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            _progress.sent = True
            super().send(data)

    class TimedTLSConnection(HTTPSConnection):
        response_class = _TimedResponse

        def connect(self) -> None:
            try:
                super().connect()
            finally:
                _progress.sent = False  # a CONNECT to a proxy is not the request

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            _progress.sent = True
            super().send(data)

    class TimedPool(HTTPConnectionPool):
        ConnectionCls = TimedConnection  # pyright: ignore[reportAssignmentType]

    class TimedTLSPool(HTTPSConnectionPool):
        ConnectionCls = TimedTLSConnection  # pyright: ignore[reportAssignmentType]

    return {"http": TimedPool, "https": TimedTLSPool}


def _pieces(body: bytes | Body) -> bytes | Iterator[bytes] | None:
    """Cut a large body, because the time limit of a socket holds for one whole `sendall`."""
    if isinstance(body, Body):
        return body.open()  # type: ignore[return-value]
    if len(body) <= _PIECE:
        return body or None
    view = memoryview(body)
    return (view[start : start + _PIECE] for start in range(0, len(view), _PIECE))  # type: ignore[misc]


def _wire_headers(request: Request) -> dict[str, str]:
    headers = dict(request.headers)
    check_headers(headers)
    length = request.body.length if isinstance(request.body, Body) else len(request.body)
    if length is not None and (length or request.method in ("POST", "PUT", "PATCH")):
        headers["Content-Length"] = str(length)
    return headers


def _proxy_auth(proxy: str) -> dict[str, str]:
    parts = urllib.parse.urlsplit(proxy)
    if parts.username is None:
        return {}
    import urllib3

    user, password = (
        urllib.parse.unquote(parts.username),
        urllib.parse.unquote(parts.password or ""),
    )
    return dict(urllib3.make_headers(proxy_basic_auth=f"{user}:{password}"))


def _failed(error: Exception, endpoint: str) -> CloudError:
    """Turn an error before the answer's head into ours."""
    host = urllib.parse.urlsplit(endpoint).netloc.rpartition("@")[2]
    if _progress.sent:
        return OutcomeUnknownError(f"the connection to {host} broke before the answer came")
    if _out_of_time():
        return DeadlineExceededError(f"no time was left while connecting to {host}")
    failure = ConnectionFailedError(f"cannot connect to {host}: {_reason(error)}")
    failure.retryable = "CERTIFICATE_VERIFY_FAILED" not in str(error)
    return failure


def _broken_body(error: Exception) -> CloudError:
    if _out_of_time():
        return DeadlineExceededError("the call ran out of time while the answer was read")
    return OutcomeUnknownError(f"the connection broke while the answer was read: {_reason(error)}")


def _out_of_time() -> bool:
    left = deadlines.remaining()
    return left is not None and left <= 0


def _reason(error: BaseException) -> str:
    """Say in a few words what the innermost error was."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return str(error)[:300] or type(error).__name__
