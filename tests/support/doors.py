"""What may go wrong before a request leaves: the name, the connection, the certificate.

A door stands before a server. A client that knocks finds it shut until it has knocked `times`
times; then it opens, and what the client sends passes to the server::

    with RefusingDoor(server.port, times=1) as door:
        ...                     # talk to door.url, after door.knock() for each try
        assert door.hits == 1
"""

import contextlib
import select
import socket
import threading
from typing import ClassVar, Self
from unittest import mock

from tests.support.certificates import Certificates
from tests.support.faults import FaultServer

HOST = "cloud.anysky.test"


class Door:
    """Shut for the first `times` knocks, or for good.

    Attributes:
        hits: How often a client found it shut.
    """

    scheme: ClassVar[str] = "http"

    def __init__(self, port: int, times: int | None) -> None:
        self.hits = 0
        self._port = port
        self._times = times

    @property
    def url(self) -> str:
        """What clients are told to connect to."""
        raise NotImplementedError

    def knock(self) -> None:
        """A client is about to connect."""
        if self._times is not None and self.hits >= self._times:
            self._open()
        else:
            self.hits += 1

    def _open(self) -> None:
        """Let clients in from now on."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close it; subclasses extend this."""


class UnknownDoor(Door):
    """The name cannot be resolved; no resolver outside of this process is asked."""

    def __init__(self, port: int, times: int | None) -> None:
        super().__init__(port, times)
        self._is_open = False
        self._resolve = socket.getaddrinfo
        self._patch = mock.patch.object(socket, "getaddrinfo", self._look_up)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def _open(self) -> None:
        self._is_open = True

    def _look_up(self, host, *args, **kwargs):
        if host != HOST:
            return self._resolve(host, *args, **kwargs)
        if not self._is_open:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._resolve("127.0.0.1", *args, **kwargs)

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._patch.stop()


class RefusingDoor(Door):
    """Nobody listens at the port; once it is open, a relay does."""

    def __init__(self, port: int, times: int | None) -> None:
        super().__init__(port, times)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._relay: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _open(self) -> None:
        if self._relay is None:
            self._prepare()
            self._relay = threading.Thread(target=self._pass_on, daemon=True)
            self._relay.start()

    def _prepare(self) -> None:
        self._listener.listen()

    def _pass_on(self) -> None:
        """Carry bytes both ways between clients and the server until the door is closed."""
        ends: dict[socket.socket, socket.socket] = {}
        while not self._stopping.is_set():
            for ready in select.select([self._listener, *ends], [], [], 0.02)[0]:
                if ready is self._listener:
                    client, _ = ready.accept()
                    server = socket.create_connection(("127.0.0.1", self._port))
                    ends |= {client: server, server: client}
                elif ready in ends and not _carry(ready, ends[ready]):
                    other = ends.pop(ready)
                    ends.pop(other)
                    ready.close()
                    other.close()
        for end in ends:
            end.close()

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        if self._relay is not None:
            self._relay.join()
        self._listener.close()


class SilentDoor(RefusingDoor):
    """The port does not even answer the first packet of a connection: its queue is full."""

    def __init__(self, port: int, times: int | None) -> None:
        super().__init__(port, times)
        self._listener.listen(0)
        self._queue = [_connecting(self._listener.getsockname()) for _ in range(3)]

    def _prepare(self) -> None:
        self._leave()
        self._listener.listen(16)

    def _leave(self) -> None:
        while self._queue:
            self._queue.pop().close()

    def __exit__(self, *exc_info: object) -> None:
        self._leave()
        super().__exit__(*exc_info)


class CertificateDoor(Door):
    """The server shows a certificate that no client may accept; it never opens."""

    scheme = "https"

    def __init__(self, certificates: Certificates, kind: str) -> None:
        super().__init__(0, None)
        self._server = FaultServer(tls=certificates.server_context(kind))

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop()
        if self.hits and not self._server.failed_handshakes:
            raise AssertionError("no client refused the certificate")
        if self._server.requests:
            raise AssertionError(f"sent in spite of the certificate: {self._server.requests}")


def _carry(source: socket.socket, target: socket.socket) -> bool:
    """Carry what is there; False at the end."""
    with contextlib.suppress(OSError):
        if data := source.recv(65536):
            target.sendall(data)
            return True
    return False


def _connecting(address: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(address)
    return client
