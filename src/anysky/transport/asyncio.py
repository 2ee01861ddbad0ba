"""The asyncio transport, on aiohttp; no other file imports aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from anysky import deadlines
from anysky.errors import (
    CloudError,
    DeadlineExceededError,
    InvalidRequestError,
    OutcomeUnknownError,
    UnsafeResponseError,
)

from .base import Body, Limits, Request, Response
from .common import PIECE, Source, broken_body, broken_stream, failure, wire_headers
from .safety import collect_headers, too_large
from .settings import TLS, HTTPSettings, Proxy

if TYPE_CHECKING:
    import aiohttp
    import yarl

__all__ = ["AsyncioTransport"]

_IDLE = 1.0
_SMALL = 64 * 1024
_BATCH = 1024 * 1024


class _Sending:
    """What became of the request that this task is sending.

    Attributes:
        transport: The connection on which a byte of it may have left.
    """

    __slots__ = ("transport",)

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None


_sending: ContextVar[_Sending | None] = ContextVar("anysky_sending", default=None)


class _Stream:
    """The body of one answer, read from its connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def read(self, size: int) -> bytes:
        try:
            return await self._answer.content.read(size)
        except Exception as error:  # noqa: BLE001 - of whichever library
            broken = broken_stream(error)
        _drop(self._answer)
        raise broken

    async def close(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            _drop(self._answer)


class _Upload:
    """Hands out the pieces of a body and ends a request whose pieces the other side won't take.

    aiohttp's own time limit begins with the reading of the answer.
    """

    def __init__(self, source: Source, seconds: float, limit: asyncio.Timeout) -> None:
        self._source, self._seconds, self._limit = source, seconds, limit

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces(self._source.open()):
                self._allow(self._seconds)
                yield piece
                self._allow(None)
        finally:
            self._allow(None)

    def _pieces(self, pieces: Iterator[bytes] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if isinstance(pieces, AsyncIterator):
            return self._counted(pieces)
        return _in_threads(self._source.pieces(pieces))

    async def _counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in pieces:
                if self._source.count(piece):
                    yield piece
            self._source.check_end()
        except Exception as error:
            raise self._source.failed(error) from error

    def _allow(self, seconds: float | None) -> None:
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        with contextlib.suppress(RuntimeError):  # the answer came before the body's end
            self._limit.reschedule(end)


class AsyncioTransport:
    """Sends requests on the event loop on which it was first used.

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
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_use = time.monotonic()
        self._routes: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
        self._pid = os.getpid()
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send one request; see `Transport.send`."""
        answer = await self._request(request)
        try:
            headers = collect_headers(answer.headers.items(), self._limits)
            if request.stream and answer.status < 300:  # noqa: PLR2004 - a good answer
                return Response(answer.status, headers, stream=_Stream(answer))
            return Response(answer.status, headers, await self._read(answer))
        except BaseException:
            _drop(answer)
            raise

    async def close(self) -> None:
        """Close all connections.

        Raises:
            InvalidRequestError: They belong to another event loop.
        """
        if self._session is not None and self._pid == os.getpid():
            if self._loop is not asyncio.get_running_loop():
                raise InvalidRequestError(
                    "this driver belongs to another event loop; close it there"
                )
            await self._session.close()
        self._closed, self._session = True, None

    async def _request(self, request: Request) -> aiohttp.ClientResponse:
        endpoint = request.endpoint.rstrip("/") or self.endpoint
        session = self._open_session()
        headers = wire_headers(request)
        source = Source(request.body)
        sending = _Sending()
        token = _sending.set(sending)
        try:
            now = time.monotonic()
            if now - self._last_use > _IDLE:
                await _notice_closed()
            self._last_use = now
            return await self._open(session, request, endpoint, headers, source)
        except CloudError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - of whichever library
            failed = source.error or _failed(error, endpoint, sending.transport is not None)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            _abort(sending.transport)
            raise error.with_traceback(None) from None
        finally:
            _sending.reset(token)
            headers.clear()
        _abort(sending.transport)
        # The frames that are left out here hold header fields, and with them credentials.
        raise failed.with_traceback(None)

    async def _open(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        endpoint: str,
        headers: dict[str, str],
        source: Source,
    ) -> aiohttp.ClientResponse:
        options, proxy_headers = self._routes.get(endpoint) or self._make_route(endpoint)
        headers |= proxy_headers
        url = _url(endpoint + request.target)
        given: dict[str, Any] = {**options, "headers": headers, "timeout": self._timeout()}
        data = _at_once(request.body, source)
        if data is not None:
            return await session.request(request.method, url, data=data or None, **given)
        async with asyncio.timeout(None) as limit:
            upload = _Upload(source, self._settings.read_timeout, limit)
            return await session.request(request.method, url, data=upload.pieces(), **given)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        limit = self._limits.max_response_bytes
        # What an answer to HEAD announces is the length of another answer.
        if answer.method != "HEAD" and (answer.content_length or 0) > limit:
            raise too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while piece := await _read_any(answer):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise too_large(limit)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _timeout(self) -> aiohttp.ClientTimeout:
        settings, left = self._settings, deadlines.remaining()
        if left is not None and left <= 0:
            raise DeadlineExceededError("no time was left to send the request")
        return _client_timeout(
            left, settings.pool_timeout, settings.connect_timeout, settings.read_timeout
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise InvalidRequestError("this driver is closed; make a new one")
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            # The sockets belong to the parent as well: forget them, don't shut them down.
            self._session, self._pid = None, os.getpid()
        if self._session is None:
            self._session, self._loop = self._make_session(), loop
        elif self._loop is not loop:
            raise InvalidRequestError(
                "this driver belongs to another event loop; make one driver for each loop"
            )
        return self._session

    def _make_session(self) -> aiohttp.ClientSession:
        import aiohttp

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._settings.pool_size),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_request_class(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Content-Type",),
            read_bufsize=PIECE,
            max_field_size=self._limits.max_header_bytes,
            max_headers=self._limits.max_headers,
        )
        # aiohttp resends on a broken kept connection by itself; that is our retry layer's task.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    def _make_route(self, endpoint: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Find out how requests get to one endpoint, and which fields a proxy reads in them."""
        proxy: Proxy | None = self._settings.proxy_for(endpoint)
        options: dict[str, Any] = {"allow_redirects": False}
        if endpoint.startswith("https") or (proxy and proxy.url.startswith("https")):
            options["ssl"] = self._tls.context()
        read_by_proxy = dict[str, str]()
        if proxy is not None:
            options |= {"proxy": proxy.url, "proxy_headers": proxy.headers()}
            read_by_proxy = proxy.headers() if endpoint.startswith("http:") else {}
        self._routes[endpoint] = options, read_by_proxy
        return self._routes[endpoint]


@functools.cache
def _request_class() -> type[aiohttp.ClientRequest]:
    import aiohttp

    class SentRequest(aiohttp.ClientRequest):
        """A request that tells when it leaves."""

        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            sending = _sending.get()
            if sending is not None:
                sending.transport = conn.transport
            return await super().send(conn)

    return SentRequest


def _url(url: str) -> yarl.URL:
    import yarl

    return yarl.URL(url, encoded=True)


def _client_timeout(
    total: float | None, pool: float, connect: float, read: float
) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(
        total=total, connect=pool + connect, sock_connect=connect, sock_read=read
    )


async def _notice_closed() -> None:
    """Let the loop, if it was busy elsewhere, see which kept connections were closed."""
    await asyncio.sleep(0)  # the loop asks the system
    await asyncio.sleep(0)  # and tells the connections


def _at_once(body: bytes | Body, source: Source) -> bytes | None:
    """Return a small body; None for one that is sent in pieces.

    The way to a thread and back costs more than reading a few pages of a file.
    """
    if isinstance(body, bytes):
        return body if len(body) <= PIECE else None
    if not body.replayable or body.length is None or body.length > _SMALL:
        return None
    pieces = source.open()
    return None if isinstance(pieces, AsyncIterator) else b"".join(source.pieces(pieces))


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read a blocking source, such as a file, without holding up the event loop."""
    while batch := await asyncio.to_thread(_take, pieces):
        for piece in batch:
            yield piece


def _take(pieces: Iterator[bytes]) -> list[bytes]:
    """Return some pieces at once: a way to a thread and back costs as much as sending one."""
    batch: list[bytes] = []
    size = 0
    while size < _BATCH and (piece := next(pieces, None)) is not None:
        batch.append(piece)
        size += len(piece)
    return batch


def _abort(transport: asyncio.Transport | None) -> None:
    """Close a connection at once: a close in good order first waits for what is not sent yet."""
    if transport is not None:
        transport.abort()


def _drop(answer: aiohttp.ClientResponse) -> None:
    connection = answer.connection
    if connection is not None:
        _abort(connection.transport)
    answer.close()


async def _read_any(answer: aiohttp.ClientResponse) -> bytes:
    try:
        return await answer.content.readany()
    except Exception as error:  # noqa: BLE001 - of whichever library
        broken = broken_body(error)
    raise broken


def _failed(error: Exception, endpoint: str, sent: bool) -> CloudError:
    """Turn an error before the answer's head into ours."""
    import aiohttp

    if isinstance(error, aiohttp.ClientHttpProxyError):
        refused = f"the proxy answered with status {error.status}"
        return failure(error, endpoint, sent=False, reason=refused)
    if isinstance(error, aiohttp.ClientResponseError):
        if error.message.startswith(("Got more than", "Too many headers")):
            return UnsafeResponseError("the answer has too many or too long header fields")
        return OutcomeUnknownError("sent, but what came back is not HTTP")
    return failure(error, endpoint, sent=sent)
