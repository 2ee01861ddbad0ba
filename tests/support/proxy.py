"""A plain HTTP proxy on loopback that records what passes through it."""

import base64
import hmac
import http.client
import select
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.support.loopback import LoopbackHandler, LoopbackServer, Received

_HOP_HEADERS = frozenset(
    {"connection", "proxy-connection", "proxy-authorization", "keep-alive", "transfer-encoding"}
)


class ProxyHandler(LoopbackHandler):
    """Forwards absolute-form requests and opens tunnels for CONNECT."""

    server: "RecordingProxy"

    def serve(self) -> None:
        request = self.received()
        self.server.passed.append(request)
        if not self.server.admits(request):
            self._refuse(407, ("Proxy-Authenticate", 'Basic realm="tests"'))
        elif request.method == "CONNECT":
            self._tunnel(request.target)
        elif "://" not in request.target:
            self._refuse(400)
        else:
            self._forward(request)

    def _forward(self, request: Received) -> None:
        parts = urlsplit(request.target)
        upstream = http.client.HTTPConnection(*self.server.locate(parts.netloc, 80), timeout=30)
        headers = {k: v for k, v in request.headers.items() if k not in _HOP_HEADERS}
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            upstream.request(request.method, path, request.body or None, headers)
            answer = upstream.getresponse()
            body = answer.read()
        finally:
            upstream.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_HEADERS | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tunnel(self, target: str) -> None:
        self.close_connection = True
        with socket.create_connection(self.server.locate(target, 443), timeout=30) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                for source in select.select(list(ends), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    ends[source].sendall(data)

    def _refuse(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class RecordingProxy(LoopbackServer):
    """The proxy. `passed` holds each request as it came to the proxy, CONNECT included.

    Args:
        hosts: addresses by name, for hosts that only the proxy can resolve
            (`{"api.example.com": ("127.0.0.1", 8080)}`); everything else must be loopback.
        credentials: user and password that `Proxy-Authorization` has to carry, else 407.
        tls: speak TLS with the client.
    """

    def __init__(
        self,
        hosts: Mapping[str, tuple[str, int]] | None = None,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(ProxyHandler, tls)
        self.passed: list[Received] = []
        self._hosts = dict(hosts or {})
        self._expected = None
        if credentials:
            self._expected = b"Basic " + base64.b64encode(":".join(credentials).encode())

    def admits(self, request: Received) -> bool:
        given = request.headers.get("proxy-authorization", "").encode()
        return self._expected is None or hmac.compare_digest(given, self._expected)

    def locate(self, authority: str, default_port: int) -> tuple[str, int]:
        """Where a host is reached; only loopback is."""
        parts = urlsplit(f"//{authority}")
        host = parts.hostname or ""
        if host in self._hosts:
            return self._hosts[host]
        if host not in {"127.0.0.1", "localhost", "::1"}:
            raise ConnectionRefusedError(f"the proxy of the tests does not reach {host}")
        return host, parts.port or default_port
