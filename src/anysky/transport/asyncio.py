"""The asyncio transport, on aiohttp; no other file imports aiohttp."""

from __future__ import annotations

import asyncio
import os
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

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
    import aiohttp

__all__ = ["AsyncioTransport"]

_PIECE = 256 * 1024


class _Stream:
    """The body of one answer, read from its connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def read(self, size: int) -> bytes:
        try:
            return await self._answer.content.read(size)
        except Exception as error:
            self._answer.close()
            raise _broken_body(error) from error

    async def close(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


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
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxies: dict[str, str | None] = {}
        self._pid = os.getpid()
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send one request; see `Transport.send`."""
        answer = await self._request(request)
        try:
            return await self._response(request, answer)
        except BaseException:
            answer.close()
            raise

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None and self._pid == os.getpid():
            await session.close()

    async def _request(self, request: Request) -> aiohttp.ClientResponse:
        import yarl

        session = self._open_session()
        endpoint = request.endpoint.rstrip("/") or self.endpoint
        url = yarl.URL(endpoint + request.target, encoded=True)
        timeout = self._timeout()
        try:
            return await session.request(
                request.method,
                url,
                data=_payload(request.body),
                headers=_wire_headers(request),
                allow_redirects=False,
                proxy=self._proxy(endpoint),
                timeout=timeout,
            )
        except Exception as error:
            raise _failed(error, endpoint) from error

    async def _response(self, request: Request, answer: aiohttp.ClientResponse) -> Response:
        headers = collect_headers(answer.headers.items(), self._limits)
        if request.stream and answer.status < 300:  # noqa: PLR2004 - a good answer
            return Response(answer.status, headers, stream=_Stream(answer))
        return Response(answer.status, headers, await self._read(answer))

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        limit = self._limits.max_response_bytes
        if (answer.content_length or 0) > limit:
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
        import aiohttp

        settings, left = self._settings, deadlines.remaining()
        if left is not None and left <= 0:
            raise DeadlineExceededError("no time was left to send the request")
        return aiohttp.ClientTimeout(
            total=left,
            connect=settings.pool_timeout + settings.connect_timeout,
            sock_connect=settings.connect_timeout,
            sock_read=settings.read_timeout,
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
                "this driver belongs to another event loop; make one driver for each loop, "
                "or close it and make a new one"
            )
        return self._session

    def _make_session(self) -> aiohttp.ClientSession:
        import aiohttp

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=self._settings.pool_size,
                ssl=tls_context(self._settings.verify),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Content-Type"),
            read_bufsize=_PIECE,
            max_field_size=self._limits.max_header_bytes,
        )
        # aiohttp resends on a broken kept connection by itself; that is our retry layer's task.
        session._retry_connection = False  # type: ignore[attr-defined]
        return session

    def _proxy(self, endpoint: str) -> str | None:
        if endpoint not in self._proxies:
            self._proxies[endpoint] = self._settings.proxy_for(endpoint)
        return self._proxies[endpoint]


async def _read_any(answer: aiohttp.ClientResponse) -> bytes:
    try:
        return await answer.content.readany()
    except Exception as error:
        raise _broken_body(error) from error


def _payload(body: bytes | Body) -> bytes | AsyncIterator[bytes] | None:
    if isinstance(body, Body):
        pieces = body.open()
        return pieces if isinstance(pieces, AsyncIterator) else _in_threads(pieces)
    return body or None


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read a blocking source, such as a file, without holding up the event loop."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _wire_headers(request: Request) -> dict[str, str]:
    headers = dict(request.headers)
    check_headers(headers)
    if isinstance(request.body, Body) and request.body.length is not None:
        headers["Content-Length"] = str(request.body.length)
    headers.setdefault("Accept-Encoding", "identity")
    return headers


def _failed(error: Exception, endpoint: str) -> CloudError:
    """Turn an error before the answer's head into ours."""
    import aiohttp

    host = urllib.parse.urlsplit(endpoint).netloc.rpartition("@")[2]
    unsent = (
        aiohttp.ClientConnectorError,
        aiohttp.ClientConnectorCertificateError,
        aiohttp.ClientHttpProxyError,
        aiohttp.ConnectionTimeoutError,
        aiohttp.InvalidURL,
    )
    if not isinstance(error, unsent):
        return OutcomeUnknownError(f"the connection to {host} broke before the answer came")
    if _out_of_time():
        return DeadlineExceededError(f"no time was left while connecting to {host}")
    failure = ConnectionFailedError(f"cannot connect to {host}: {_reason(error)}")
    failure.retryable = not isinstance(error, aiohttp.ClientConnectorCertificateError)
    return failure


def _broken_body(error: Exception) -> CloudError:
    if _out_of_time():
        return DeadlineExceededError("the call ran out of time while the answer was read")
    return OutcomeUnknownError(f"the connection broke while the answer was read: {_reason(error)}")


def _out_of_time() -> bool:
    left = deadlines.remaining()
    return left is not None and left <= 0.001  # noqa: PLR2004 - timers fire within a millisecond


def _reason(error: BaseException) -> str:
    return str(error)[:300] or type(error).__name__
