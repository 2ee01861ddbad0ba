"""Answers of `http.client` whose every read keeps to the deadline of the call."""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

from anysky import deadlines

from .heads import BadHead, framing, read_fields

__all__ = ["TimedResponse"]

_BUFFER = 64 * 1024
_RECORD = 16 * 1024  # TLS gives no more at once; space for more would be given back each time
_MAX_INTERIM = 16
_VERSIONS = {"HTTP/1.0": 10, "HTTP/1.1": 11}
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200


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


class _TimedSocket:
    """What `http.client` wants of a socket."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = self._sock.makefile(mode, buffering=0)
        return io.BufferedReader(_TimedReader(self._sock, raw), _BUFFER)


class TimedResponse(http.client.HTTPResponse):
    """An answer whose every read keeps to the deadline of the call.

    Its head is read here, which takes a fraction of what the parser for e-mail takes. To the pool
    of urllib3 it looks like one of urllib3's own answers.

    Attributes:
        fields: Header fields in the order in which they came, names in lower case.
        retries: Unused; urllib3 sets it.
    """

    version_string = "HTTP/1.1"

    def __init__(
        self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        timed: Any = _TimedSocket(sock)
        super().__init__(timed, debuglevel, method, url)
        self.fields: list[tuple[str, str]] = []
        self.retries: Any = None
        self._request_method = method or ""
        self._is_tls = hasattr(sock, "pending")
        self._pool: Any = None
        self._connection: Any = None

    @property
    def length_remaining(self) -> int | None:
        """Bytes of the body that have not been read; None if nobody knows."""
        return self.length

    def begin(self) -> None:
        """Read the head.

        Raises:
            http.client.HTTPException: It is no head of an HTTP answer, or too large.
            OSError: The line broke.
        """
        version, status, reason = self._read_final_status()
        if version not in _VERSIONS:
            raise BadHead("the answer has an unknown version of HTTP")
        self.version, self.status, self.reason = _VERSIONS[version], status, reason.strip()
        self.fields = read_fields(self.fp)
        self.headers: Any = dict(self.fields)
        self.chunked, self.length, self.will_close = framing(
            self._request_method, self.version, status, self.fields
        )
        self.chunk_left: int | None = None

    def _read_final_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM):
            version, status, reason = self._status_line()
            if status >= _FIRST_FINAL or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            read_fields(self.fp)
        raise BadHead("one interim answer comes after the other")

    def _status_line(self) -> tuple[str, int, str]:
        parent: Any = self
        line: tuple[str, int, str] = parent._read_status()
        return line

    def piece(self, size: int) -> bytes:
        """Return up to `size` bytes of the body, as soon as there are some; none at its end.

        Raises:
            http.client.HTTPException: The body ended early or is malformed.
            OSError: The line broke.
        """
        size = min(size, _RECORD) if self._is_tls else size
        return self._checked(self.read1(size), size)

    def whole(self, size: int) -> bytes:
        """Return the next `size` bytes of the body, or all that are left; see `piece`."""
        return self._checked(self.read(size), size)

    def _checked(self, data: bytes, size: int) -> bytes:
        if not data and size and self.length:
            raise http.client.IncompleteRead(b"", self.length)
        if self.length == 0 and not self.isclosed():
            self._close_conn()  # type: ignore[attr-defined]
        if self.isclosed():
            self.release_conn()
        return data

    def release_conn(self) -> None:
        """Give the connection back to its pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool._put_conn(connection)

    def drop(self) -> None:
        """Close what was not read to its end, and give its place in the pool back."""
        self.close()
        if self._connection is not None:
            self._connection.close()
        self.release_conn()
