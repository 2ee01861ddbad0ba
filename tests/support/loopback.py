"""A threaded HTTP/1.1 server on a free loopback port, the base of every server in the tests."""

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The decoded body; None without one."""
        return json.loads(self.body) if self.body else None

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)


class LoopbackHandler(BaseHTTPRequestHandler):
    """One connection; kept alive, without Nagle's delay, silent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def serve(self) -> None:
        """Answer a request of any method."""
        raise NotImplementedError

    def log_message(self, format, *args):
        """Stay silent: what arrived is recorded, not printed."""

    def received(self) -> Received:
        """The request, read to its end."""
        parts = urlsplit(self.path)
        return Received(
            method=self.command,
            target=self.path,
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.read_body(),
        )

    def read_body(self) -> bytes:
        """The request's body, by its length or chunk by chunk."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "COPY", "DELETE", "OPTIONS", "CONNECT"):
    setattr(LoopbackHandler, f"do_{_method}", lambda self: self.serve())


class LoopbackServer(ThreadingHTTPServer):
    """Serves `handler` between `start()` and `stop()`, or inside a `with` block.

    `stop()` also ends the connections that clients still keep alive, so that no test leaves a
    thread or a socket behind. Exceptions of handlers other than broken connections are kept in
    `errors` for the test to look at.
    """

    daemon_threads = True
    request_queue_size = 512

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        self.tls = tls
        self.errors: list[BaseException] = []
        self.connections = 0
        self.failed_handshakes = 0
        self._open: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", 0), handler)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._acceptor.start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        if self._acceptor.is_alive():
            # Wakes the thread that waits in accept().
            socket.create_connection(self.server_address[:2]).close()
            self._acceptor.join()
        with self._guard:
            left = dict(self._open)
        for connection, thread in left.items():
            with contextlib.suppress(OSError):  # the client may have closed it meanwhile
                connection.shutdown(socket.SHUT_RDWR)  # ends a handler that waits for a request
            self.shutdown_request(connection)
            thread.join(5)
        self.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            connection, address = self.get_request()
            if self.stopping.is_set():
                connection.close()
                return
            self.process_request(connection, address)

    def server_bind(self) -> None:
        # The base class asks the resolver for the host's name, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def get_request(self):
        connection, address = super().get_request()
        self.connections += 1
        if self.tls is not None and not self.stopping.is_set():
            # The handshake waits for the client, so it is left to the connection's own thread.
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request, client_address) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._guard:
            self._open[request] = thread
        thread.start()

    def process_request_thread(self, request, client_address) -> None:
        super().process_request_thread(request, client_address)
        with self._guard:
            self._open.pop(request, None)

    def finish_request(self, request, client_address) -> None:
        if isinstance(request, ssl.SSLSocket):
            try:
                request.do_handshake()
            except OSError:
                self.failed_handshakes += 1
                raise
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) and error is not None and not self.stopping.is_set():
            self.errors.append(error)
