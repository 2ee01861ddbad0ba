"""A memory cloud served over HTTP on loopback, for programs of several processes."""

from __future__ import annotations

import ipaddress
import socket  # noqa: TID251 - a server, which nothing of the cloud uses
import sys
import threading  # noqa: TID251 - the same
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self, cast

from anysky.backend.base import Connection
from anysky.errors import CloudError, InvalidRequestError, OutcomeUnknownError
from anysky.ledger import Ledger
from anysky.registry import load_backend
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.base import Limits, Request, Response

from . import Memory, provider
from .api import CloudTransport, Order, Result
from .cloud import Cloud
from .messages import MEDIA_TYPE, Question, answer, refusal

__all__ = ["Served", "serve"]

_MOST_BYTES = Limits().max_response_bytes
_MOST_DIGITS = 12
_IDLE_SECONDS = 600
_CLOSING_SECONDS = 1.0
_POLL_SECONDS = 0.05
_OURS = frozenset({"connection", "content-length", "transfer-encoding"})  # header fields
_WITHOUT_BODY = frozenset({204, 304})


class _Desk(CloudTransport):
    """Takes the order of one operation to the cloud, and keeps what came of it."""

    def __init__(self, cloud: Cloud, method: str) -> None:
        super().__init__(cloud, BlockingRuntime())
        self._method = method
        self.is_done = False
        self.answer: Response | None = None

    async def send(self, request: Request) -> Response:
        """Carry an order out, if it was sent as one of its kind."""
        order = cast("Order", request)
        if order.method != self._method:
            raise InvalidRequestError(f"{order.operation} is sent by {order.method}")

        def work() -> Any:
            value = order.work()
            self.is_done = True
            return value

        self.answer = await super().send(replace(order, work=work))
        return self.answer


def _carry_out(cloud: Cloud, method: str, path: str, body: bytes) -> Response | None:
    """Answer one request; None leaves it without an answer."""
    desk, failure = _Desk(cloud, method), None
    try:
        _call(cloud, desk, path, body)
    except CloudError as error:
        if desk.is_done and isinstance(error, OutcomeUnknownError):
            return None
        failure = refusal(error)
    except Exception as error:  # noqa: BLE001 - of a hook, or of arguments that nobody checks
        if desk.is_done:
            return None
        text = f"the cloud did nothing: {type(error).__name__}: {error}"
        failure = refusal(InvalidRequestError(text[:400]))
    except BaseException:  # noqa: BLE001 - what a hook raises to stop the program
        return None
    done = desk.answer
    if isinstance(done, Result):
        return answer(done.value)
    return done or failure


def _call(cloud: Cloud, desk: _Desk, path: str, body: bytes) -> None:
    """Call the operation that a path names."""
    service, _, operation = path.removeprefix("/").partition("/")
    kind = load_backend(provider, service) if service in provider.services else None
    if kind is None or not kind.supports(operation):
        raise InvalidRequestError("the memory cloud has no such operation")
    question = Question.read(body)
    account = Memory(cloud=cloud, region=question.region)
    backend = kind(account, Connection(desk, desk, desk, BlockingRuntime(), Limits(), ""))
    ledger = Ledger(backend, operation, own=True)
    job = getattr(backend, operation)(**question.arguments)
    if question.mark and ledger.own is not None:  # what is made has the mark of the driver's step
        ledger.own.mark = question.mark
        job = ledger.run(job)
    run(job)


class _Handler(BaseHTTPRequestHandler):
    """One connection to a driver."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def handle_request(self) -> None:
        """Answer a request of any method, or close the line without an answer."""
        length = self.headers.get("content-length", "0")
        if self.headers.get("content-type") != MEDIA_TYPE:  # such as that of a page in a browser
            self._refuse(415, f"a question to a memory cloud is {MEDIA_TYPE}")
        elif not (length.isascii() and length.isdecimal()) or "transfer-encoding" in self.headers:
            self._refuse(411, "a question needs a length")
        elif len(length) > _MOST_DIGITS or int(length) > _MOST_BYTES:
            self._refuse(413, f"a question has {_MOST_BYTES} bytes at the most")
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._answer(
                    _carry_out(cast("_Server", self.server).cloud, self.command, self.path, body)
                )

    do_GET = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815 - names of the base class

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # what it sends is not read
        self._answer(replace(refusal(InvalidRequestError(message)), status=status))

    def _answer(self, response: Response | None) -> None:
        if response is None:
            self.close_connection = True
            return
        has_body = response.status not in _WITHOUT_BODY
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in _OURS:
                self.send_header(name, value)
        if has_body:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body if has_body else b"")


class _Server(ThreadingHTTPServer):
    """A thread for each connection; none stays when it is closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cloud: Cloud, host: str, port: int) -> None:
        self.cloud = cloud
        self._lines: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind the socket; the base class would ask the resolver for the host's name as well."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer the requests of a connection in a thread of its own."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._guard:
            self._lines[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._guard:
            self._lines.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing of a line that breaks: programs that are killed leave that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close all connections."""
        super().server_close()
        with self._guard:
            left = dict(self._lines)
        for line, thread in left.items():
            with suppress(OSError):  # the other end may have closed it
                line.shutdown(socket.SHUT_RDWR)
            thread.join(_CLOSING_SECONDS)


class Served:
    """A cloud that is served until `close`; see `serve`.

    Attributes:
        url: What drivers take as `endpoint`.
    """

    def __init__(self, cloud: Cloud, host: str, port: int) -> None:
        self._server = _Server(cloud, host, port)
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._acceptor = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )
        self._acceptor.start()

    @property
    def cloud(self) -> Cloud:
        """The cloud: to make it fail, and to look into it; another may be put in its place."""
        return self._server.cloud

    @cloud.setter
    def cloud(self, cloud: Cloud) -> None:
        self._server.cloud = cloud

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Serve no longer and close all connections; what the cloud holds stays."""
        self._server.shutdown()
        self._acceptor.join()
        self._server.server_close()


def serve(cloud: Cloud, host: str = "127.0.0.1", port: int = 0) -> Served:
    """Serve a cloud over HTTP, so that programs in several processes can share it.

    Everything that the cloud is told in this process, such as `Cloud.fail`, goes for all of them.
    A lost answer is a connection that is closed without one, and so is what a hook raises that is
    no error of anysky, if the work was done. A hook that is a coroutine function may not wait.

    Anybody on this machine can use it: there are no credentials.

    Args:
        cloud: The cloud.
        host: Address of IPv4 to listen at; one of loopback.
        port: Port; 0 for any that is free.

    Returns:
        A context manager that has the `url` for drivers and ends it on exit.

    Raises:
        InvalidRequestError: The address is not one of loopback, or cannot be had.
    """
    try:
        if ipaddress.IPv4Address(host).is_loopback:
            return Served(cloud, host, port)
    except (OSError, OverflowError, ValueError) as error:
        raise InvalidRequestError(f"the cloud cannot be served there: {error}") from error
    raise InvalidRequestError(f"{host} is not on loopback, and anybody could use the cloud")
