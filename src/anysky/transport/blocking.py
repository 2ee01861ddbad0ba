"""The blocking transport, on urllib3; no other file imports urllib3."""

from __future__ import annotations

import functools
import os
import queue
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from anysky import deadlines
from anysky.errors import (
    CloudError,
    DeadlineExceededError,
    InvalidRequestError,
    UnsafeResponseError,
)
from anysky.runtime.locks import ForkLock

from .base import Body, Limits, Request, Response
from .common import (
    PIECE,
    Source,
    broken_body,
    broken_stream,
    failure,
    root_of,
    wire_headers,
)
from .safety import collect_headers, too_large
from .settings import TLS, HTTPSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import urllib3

    from .timed import TimedResponse

__all__ = ["BlockingTransport"]


class _Sending(threading.local):
    """The request that this thread is sending, for the connection to look at.

    Attributes:
        sent: Whether a byte of it may have left.
        target: What stands in its request line, not touched by urllib3's idea of a URL.
        write_timeout: Seconds that one write may take.
    """

    sent = False
    target = "/"
    write_timeout = 60.0


_sending = _Sending()


class _Route(NamedTuple):
    """How requests get to one endpoint."""

    manager: urllib3.PoolManager
    pool: urllib3.HTTPConnectionPool
    prefix: str  # before a request's target in the request line
    url: str  # tells the pool whether to ask a proxy for a tunnel
    host: str  # what the field Host says


class _Connections(queue.LifoQueue[Any]):
    """The free connections of a pool; in a forked child it only gives them up.

    A thread of the parent may have held its lock at the moment of the fork, so that the child
    must not wait for it when the pool is thrown away there.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._pid = os.getpid()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self._pid == os.getpid():
            return super().get(block, timeout)
        if not self.queue:
            raise queue.Empty
        return self.queue.pop()


class _Stream:
    """The body of one answer, read from its connection."""

    def __init__(self, raw: TimedResponse) -> None:
        self._raw = raw

    async def read(self, size: int) -> bytes:
        try:
            return self._raw.piece(size)
        except Exception as error:  # noqa: BLE001 - of whichever library
            broken = broken_stream(error)
        self._raw.drop()
        raise broken

    async def close(self) -> None:
        self._raw.drop()


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
        self._tls = TLS(settings.verify)
        self._routes: dict[str, _Route] = {}
        self._lock = ForkLock()
        self._pid = os.getpid()
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send one request; see `Transport.send`."""
        raw = self._urlopen(request)
        try:
            headers = collect_headers(raw.fields, self._limits)
            if request.stream and raw.status < 300:  # noqa: PLR2004 - a good answer
                return Response(raw.status, headers, stream=_Stream(raw))
            return Response(raw.status, headers, self._read(raw))
        except BaseException:
            raw.drop()
            raise

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        routes, self._routes = self._routes, {}
        for route in routes.values():
            route.pool.close()  # the manager leaves that to the garbage collector
            route.manager.clear()

    def _urlopen(self, request: Request) -> TimedResponse:
        endpoint = request.endpoint.rstrip("/") or self.endpoint
        route = self._route(endpoint)
        headers = _whole_head(request, route.host)
        source = Source(request.body)
        _sending.sent = False
        _sending.target = route.prefix + request.target
        _sending.write_timeout = self._settings.read_timeout
        try:
            return self._open(route, request, headers, source)
        except CloudError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - of whichever library
            failed = source.error or _failed(error, endpoint)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise error.with_traceback(None) from None
        finally:
            headers.clear()
        # The frames that are left out here hold header fields, and with them credentials.
        raise failed.with_traceback(None)

    def _open(
        self, route: _Route, request: Request, headers: dict[str, str], source: Source
    ) -> TimedResponse:
        connect, read, pool = self._timeouts()
        answer: Any = route.pool.urlopen(
            request.method,
            route.url,
            body=_payload(request.body, source),
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=_timeout(connect, read),
            pool_timeout=pool,  # type: ignore[arg-type]
            preload_content=False,
        )
        return cast("TimedResponse", answer)

    def _timeouts(self) -> tuple[float, float, float]:
        settings, left = self._settings, deadlines.remaining()
        limits = settings.connect_timeout, settings.read_timeout, settings.pool_timeout
        if left is None:
            return limits
        if left <= 0:
            raise DeadlineExceededError("no time was left to send the request")
        connect, read, pool = limits
        return min(connect, left), min(read, left), min(pool, left)

    def _read(self, raw: TimedResponse) -> bytes:
        limit = self._limits.max_response_bytes
        if (raw.length_remaining or 0) > limit:
            raise too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while piece := _read_some(raw, limit + 1 - size):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            if raw.length_remaining == 0:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _route(self, endpoint: str) -> _Route:
        if self._closed:
            raise InvalidRequestError("this driver is closed; make a new one")
        if self._pid != os.getpid():
            self._forget_parent()
        route = self._routes.get(endpoint)
        if route is None:
            with self._lock:
                route = self._routes.get(endpoint) or self._make_route(endpoint)
                self._routes[endpoint] = route
        return route

    def _forget_parent(self) -> None:
        """After a fork: the sockets belong to the parent; drop them without a word on them."""
        with self._lock:
            if self._pid != os.getpid():
                self._routes, self._pid = {}, os.getpid()

    def _make_route(self, endpoint: str) -> _Route:
        import urllib3

        proxy = self._settings.proxy_for(endpoint)
        options: dict[str, Any] = {
            "maxsize": self._settings.pool_size,
            "block": True,
            "blocksize": PIECE,
        }
        if endpoint.startswith("https") or (proxy and proxy.url.startswith("https")):
            options["ssl_context"] = self._tls.context()
        manager = (
            urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers(), **options)
            if proxy
            else urllib3.PoolManager(**options)
        )
        manager.pool_classes_by_scheme = _pool_classes()
        pool = manager.connection_from_url(endpoint)
        host = _host_field(endpoint)
        if proxy and endpoint.startswith("http:"):  # no tunnel: the proxy reads the whole URL
            return _Route(manager, pool, endpoint, endpoint, host)
        return _Route(manager, pool, urllib.parse.urlsplit(endpoint).path, "/", host)


@functools.cache
def _pool_classes() -> dict[str, Any]:
    """Make the pool classes whose connections tell when bytes leave and keep to deadlines."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    from .exchange import read_answer, send_request
    from .timed import TimedResponse

    class Connection(HTTPConnection):
        response_class = TimedResponse  # of a proxy that is asked for a tunnel
        method = ""

        def connect(self) -> None:
            # Waiting for a free connection took some of the time.
            self.timeout = _within_deadline(self.timeout)
            try:
                super().connect()
            finally:
                _sending.sent = False  # a CONNECT to a proxy is not the request

        def request(
            self,
            method: str,
            url: str,  # noqa: ARG002 - urllib3 changes it
            body: Any = None,
            headers: Mapping[str, Any] | None = None,
            **_options: Any,
        ) -> None:
            self.method = method
            send_request(self, method, _sending.target, body, headers or {})

        def getresponse(self) -> Any:
            return read_answer(self, self.method)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            if self.sock is not None:
                self.sock.settimeout(_within_deadline(_sending.write_timeout))
            _sending.sent = True
            super().send(data)

    class TLSConnection(Connection, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection  # pyright: ignore[reportAssignmentType]
        QueueCls = _Connections

    class TLSPool(HTTPSConnectionPool):
        ConnectionCls = TLSConnection  # pyright: ignore[reportAssignmentType]
        QueueCls = _Connections

        def _validate_conn(self, conn: Any) -> None:
            """Connect, without a warning for each certificate that is not verified: ours is one."""
            if conn.is_closed:
                conn.connect()

    return {"http": Pool, "https": TLSPool}


def _whole_head(request: Request, host: str) -> dict[str, str]:
    headers = wire_headers(request)
    names = {name.lower() for name in headers}
    if "host" not in names:
        headers["Host"] = host
    if (
        isinstance(request.body, Body)
        and "content-length" not in names
        and (request.body.length is None)
    ):
        headers["Transfer-Encoding"] = "chunked"
    return headers


def _host_field(endpoint: str) -> str:
    from urllib3.util import parse_url

    url = parse_url(endpoint)
    usual = url.port in (None, {"http": 80, "https": 443}.get(url.scheme or ""))
    return url.host or "" if usual else f"{url.host}:{url.port}"


def _within_deadline(seconds: float | None) -> float | None:
    left = deadlines.remaining()
    if left is None:
        return seconds
    return max(0.001, left if seconds is None else min(left, seconds))


def _timeout(connect: float, read: float) -> urllib3.Timeout:
    import urllib3

    return urllib3.Timeout(connect=connect, read=read)


def _payload(body: bytes | Body, source: Source) -> bytes | Iterator[bytes] | None:
    if isinstance(body, bytes) and len(body) <= PIECE:
        return body or None
    return source.pieces(cast("Iterator[bytes]", source.open()))


def _read_some(raw: TimedResponse, size: int) -> bytes:
    try:
        return raw.whole(size)
    except Exception as error:  # noqa: BLE001 - of whichever library
        broken = broken_body(error)
    raise broken


def _failed(error: Exception, endpoint: str) -> CloudError:
    """Turn an error before the answer's head into ours."""
    import http.client

    from urllib3.exceptions import EmptyPoolError

    kind = type(root_of(error))
    if kind in (http.client.HTTPException, http.client.LineTooLong):
        return UnsafeResponseError("the answer has too many or too long header fields")
    busy = "no connection became free" if isinstance(error, EmptyPoolError) else ""
    return failure(error, endpoint, sent=_sending.sent, reason=busy)
