"""A scripted server that breaks HTTP in every way a client has to survive.

::

    with FaultServer() as faults:
        reset = faults.next(ResetAfterRequest(), times=2)
        faults.on("/slow", Answer(body=b"{}", delay=1.0))
        ...                                  # talk to faults.url
        assert reset.hits == 2

Requests that no script claims get `faults.otherwise`, by default 200 and `{}`. Leaving the block
raises AssertionError if a script was never hit: a fault that did not strike has shown nothing.

In front of another server, `FaultServer(upstream=url)`, it forwards what no script claims, and
actions that break an answer break the other server's: the request is carried out, its answer lost.
"""

import functools
import gzip
import http.client
import json
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Self
from urllib.parse import urlsplit

from tests.support.loopback import LoopbackHandler, LoopbackServer, Received

_JSON = (("Content-Type", "application/json"),)
# What belongs to one connection, or is written anew.
_HOP_HEADERS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
)
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that an action may break; `length` is what a HEAD's answer announces."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = _JSON
    body: bytes = b'{"a": 1}'
    length: str | None = None

    def head(self, *more: tuple[str, str]) -> bytes:
        return _head(self.status, *self.headers, *more)

    def encoded(self) -> bytes:
        """The whole answer, as it should be."""
        length = str(len(self.body)) if self.length is None else self.length
        if self.status in _BODILESS:
            return self.head()
        return self.head(("Content-Length", length)) + self.body


class ConnectionOverError(OSError):
    """Ends the handling of a connection that an action has closed."""


class Action:
    """What happens to one request."""

    # Whether it strikes when the connection opens, before a request is read.
    on_connect: ClassVar[bool] = False

    def play(self, handler: "FaultHandler") -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Answer(Action):
    """A complete answer, after `delay` seconds."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = _JSON
    delay: float = 0.0

    def play(self, handler: "FaultHandler") -> None:
        handler.pause(self.delay)
        length = ("Content-Length", str(len(self.body)))
        body = b"" if handler.command == "HEAD" else self.body
        handler.send(_head(self.status, *self.headers, length), body)


@dataclass(frozen=True)
class Forward(Action):
    """The other server's answer, after `delay` seconds."""

    delay: float = 0.0

    def play(self, handler: "FaultHandler") -> None:
        answer = handler.reply().encoded()
        handler.pause(self.delay)
        handler.send(answer)


@dataclass(frozen=True)
class AfterWork(Action):
    """The other server does what it is asked for; the client gets another answer than its."""

    action: Action

    def play(self, handler: "FaultHandler") -> None:
        handler.reply()
        self.action.play(handler)


@dataclass(frozen=True)
class WrongBytes(Action):
    """The answer with another first byte in its body."""

    body: bytes | None = None

    def play(self, handler: "FaultHandler") -> None:
        reply = handler.reply(self.body)
        wrong = bytes([reply.body[0] ^ 1]) + reply.body[1:]
        handler.send(reply.head(("Content-Length", str(len(wrong)))), wrong)


@dataclass(frozen=True)
class Raw(Action):
    """These bytes, whatever they are, then the connection is closed."""

    data: bytes

    def play(self, handler: "FaultHandler") -> None:
        handler.send(self.data)
        handler.close_connection = True


@dataclass(frozen=True)
class StallInBody(Action):
    """Half of the body, then silence for `seconds`, then the rest."""

    body: bytes | None = None
    seconds: float = 30.0

    def play(self, handler: "FaultHandler") -> None:
        answer = handler.reply(self.body).encoded()
        half = len(answer) - len(handler.reply(self.body).body) // 2 - 1
        handler.send(answer[:half])
        handler.pause(self.seconds)
        handler.send(answer[half:])


@dataclass(frozen=True)
class Drip(Action):
    """The body, byte by byte."""

    body: bytes | None = None
    bytes_per_second: float = 1.0

    def play(self, handler: "FaultHandler") -> None:
        reply = handler.reply(self.body)
        handler.send(reply.head(("Content-Length", str(len(reply.body)))))
        for position in range(len(reply.body)):
            handler.pause(1 / self.bytes_per_second)
            handler.send(reply.body[position : position + 1])


@dataclass(frozen=True)
class TruncatedBody(Action):
    """A Content-Length that promises `missing` bytes more than come."""

    body: bytes | None = None
    missing: int = 10

    def play(self, handler: "FaultHandler") -> None:
        reply = handler.reply(self.body)
        length = ("Content-Length", str(len(reply.body) + self.missing))
        handler.send(reply.head(length), reply.body)
        handler.close_connection = True


@dataclass(frozen=True)
class ShortChunkedBody(Action):
    """A chunked body that ends without its last chunk."""

    body: bytes | None = None

    def play(self, handler: "FaultHandler") -> None:
        reply = handler.reply(self.body)
        chunk = b"%x\r\n%b\r\n" % (len(reply.body), reply.body)
        handler.send(reply.head(("Transfer-Encoding", "chunked")), chunk)
        handler.close_connection = True


@dataclass(frozen=True)
class ResetOnConnect(Action):
    """The connection is reset before a byte of the request is read."""

    on_connect: ClassVar[bool] = True

    def play(self, handler: "FaultHandler") -> None:
        handler.reset()


@dataclass(frozen=True)
class ResetBeforeWork(Action):
    """The connection is reset before anybody does what the request asks for."""

    def play(self, handler: "FaultHandler") -> None:
        handler.reset()


@dataclass(frozen=True)
class ResetAfterRequest(Action):
    """What the request asks for is done, then the connection is reset."""

    def play(self, handler: "FaultHandler") -> None:
        handler.reply()
        handler.reset()


@dataclass(frozen=True)
class ResetInHeaders(Action):
    """The status line and half a header, then a reset."""

    def play(self, handler: "FaultHandler") -> None:
        handler.reply()
        handler.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
        handler.reset_after_delivery()


@dataclass(frozen=True)
class ResetInBody(Action):
    """Half of the body, then a reset."""

    body: bytes | None = None

    def play(self, handler: "FaultHandler") -> None:
        reply = handler.reply(self.body)
        length = ("Content-Length", str(len(reply.body)))
        handler.send(reply.head(length), reply.body[: len(reply.body) // 2])
        handler.reset_after_delivery()


@dataclass(frozen=True)
class CloseWithoutAnswer(Action):
    """The request is read, the connection closed in good order."""

    def play(self, handler: "FaultHandler") -> None:
        handler.close_connection = True


@dataclass(frozen=True)
class EndlessBody(Action):
    """A chunked body without end; `limit` bytes keep a failing test from running for ever."""

    limit: int = 1 << 30

    def play(self, handler: "FaultHandler") -> None:
        handler.send(_head(200, *_JSON, ("Transfer-Encoding", "chunked")))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(self.limit // 0x10000):
            handler.send(chunk)
        handler.close_connection = True


@dataclass(frozen=True)
class EndlessHeaders(Action):
    """Headers without end."""

    limit: int = 1 << 28

    def play(self, handler: "FaultHandler") -> None:
        handler.send(b"HTTP/1.1 200 OK\r\n")
        lines = b"X-Filler: 0123456789\r\n" * 1000
        for _ in range(self.limit // len(lines)):
            handler.send(lines)
        handler.close_connection = True


@dataclass(frozen=True)
class GzipBomb(Action):
    """A body that unpacks to `size` bytes, about a thousand times what is sent."""

    size: int = 1 << 28

    def play(self, handler: "FaultHandler") -> None:
        body = _bomb(self.size)
        encoding = ("Content-Encoding", "gzip")
        length = ("Content-Length", str(len(body)))
        handler.send(_head(200, *_JSON, encoding, length), body)


@dataclass(frozen=True)
class BadGzip(Action):
    """A body that says it is gzip and is cut off in the middle of the stream."""

    body: bytes = b'{"a": 1}' * 100

    def play(self, handler: "FaultHandler") -> None:
        packed = gzip.compress(self.body)[:-12]
        encoding = ("Content-Encoding", "gzip")
        length = ("Content-Length", str(len(packed)))
        handler.send(_head(200, *_JSON, encoding, length), packed)


def wrong_content_type(body: bytes = b"<html><body>Welcome</body></html>") -> Answer:
    """A page where an API's answer was expected."""
    return Answer(200, body, (("Content-Type", "text/html"),))


def server_error_page(status: int = 502) -> Answer:
    """What a load balancer in front of an API sends."""
    page = f"<html><h1>{status} {HTTPStatus(status).phrase}</h1></html>".encode()
    return Answer(status, page, (("Content-Type", "text/html"),))


def redirect(location: str, status: int = 302) -> Answer:
    """A redirect, by default one that turns a POST into a GET."""
    return Answer(status, b"", (("Location", location),))


def many_headers(count: int = 10_000) -> Answer:
    """An answer with this many headers."""
    return Answer(200, b"{}", (*_JSON, *((f"X-Filler-{n}", "x") for n in range(count))))


def huge_header(size: int = 1 << 20) -> Answer:
    """An answer with one header of this size."""
    return Answer(200, b"{}", (*_JSON, ("X-Filler", "x" * size)))


@dataclass(slots=True)
class Script:
    """An action, the requests it claims, and how often it was played."""

    action: Action
    path: str | None
    method: str | None
    times: int | None
    where: Callable[[Received], bool] | None = None
    hits: int = 0

    def claims(self, request: Received | None) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        if request is None:
            return self.action.on_connect
        return (
            not self.action.on_connect
            and self.path in {None, request.path}
            and self.method in {None, request.method}
            and (self.where is None or self.where(request))
        )


class FaultHandler(LoopbackHandler):
    """Plays the action that the server's scripts choose."""

    server: "FaultServer"

    def handle(self) -> None:
        action = self.server.choose(None)
        if action is not None:
            action.play(self)
        super().handle()

    def serve(self) -> None:
        self._request = request = self.received()
        self._reply: Reply | None = None
        action = self.server.choose(request)
        action = self.server.otherwise if action is None else action
        action.play(self)

    def reply(self, body: bytes | None = None) -> Reply:
        """The answer to break: with this body, or the other server's, which is asked once."""
        if body is not None:
            return Reply(body=body)
        if self._reply is None:
            self._reply = self.server.work(self._request)
        return self._reply

    def send(self, *parts: bytes) -> None:
        self.wfile.write(b"".join(parts))

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the server's end."""
        if seconds and self.server.stopping.wait(seconds):
            raise ConnectionOverError("the server stops")

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise ConnectionOverError("reset")

    def reset_after_delivery(self) -> None:
        """Reset once the client has had time to read: RST discards what it has not read yet."""
        self.pause(0.05)
        self.reset()


class FaultServer(LoopbackServer):
    """The scripted server; with `tls` it speaks HTTPS, with `upstream` it forwards to that URL.

    Attributes:
        requests: What arrived.
        worked: What was forwarded, so that it was carried out.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, upstream: str | None = None) -> None:
        super().__init__(FaultHandler, tls)
        self._upstream = upstream
        self.otherwise: Action = self._usual()
        self.worked: list[Received] = []
        self.requests: list[Received] = []
        self._scripts: list[Script] = []
        self._lock = threading.Lock()

    def on(
        self, path: str, action: Action, *, method: str | None = None, times: int | None = None
    ) -> Script:
        """Play `action` for requests to `path`: always, or `times` times."""
        return self._add(Script(action, path, method, times))

    def next(
        self,
        action: Action,
        *,
        method: str | None = None,
        times: int | None = 1,
        where: Callable[[Received], bool] | None = None,
    ) -> Script:
        """Play `action` for the next `times` requests, or connections where it strikes early.

        Args:
            action: What happens.
            method: Only to requests of this method.
            times: How often; None for always.
            where: Only to requests of which this says so.
        """
        return self._add(Script(action, None, method, times, where))

    def clear(self) -> None:
        """Forget scripts and requests."""
        with self._lock:
            self._scripts.clear()
            self.requests.clear()
            self.worked.clear()
        self.otherwise = self._usual()

    def work(self, request: Received) -> Reply:
        """The other server's answer to a request, or a small one where there is none."""
        if self._upstream is None:
            return Reply()
        with self._lock:
            self.worked.append(request)
        return _forwarded(self._upstream, request)

    def verify(self) -> None:
        """Raise AssertionError for scripts that were never hit and errors of the server."""
        unhit = [script for script in self._scripts if not script.hits]
        if unhit or self.errors:
            raise AssertionError(f"faults never hit: {unhit}, errors: {self.errors}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.stop()
        if kind is None:
            self.verify()

    def choose(self, request: Received | None) -> Action | None:
        """The action for a request, or for a new connection if None."""
        with self._lock:
            if request is not None:
                self.requests.append(request)
            for script in self._scripts:
                if script.claims(request):
                    script.hits += 1
                    return script.action
        return None

    def _usual(self) -> Action:
        return Answer() if self._upstream is None else Forward()

    def _add(self, script: Script) -> Script:
        with self._lock:
            self._scripts.append(script)
        return script


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    """`value` as JSON; `retry_after="3"` becomes the header Retry-After."""
    named = tuple((name.replace("_", "-").title(), text) for name, text in headers.items())
    return Answer(status, json.dumps(value).encode(), (*_JSON, *named))


def _head(status: int, *headers: tuple[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _forwarded(upstream: str, request: Received) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    headers = {k: v for k, v in request.headers.items() if k not in _HOP_HEADERS}
    try:
        connection.request(request.method, request.target, request.body, headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    kept = tuple((k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_HEADERS)
    length = answer.getheader("Content-Length") if request.method == "HEAD" else None
    return Reply(answer.status, kept, body, length)


@functools.cache
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    block = bytes(1 << 20)
    packed = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*packed, packer.flush()])
