"""Answers of `http.client` whose every read keeps to the deadline of the call."""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

from anysky import deadlines

__all__ = ["TimedResponse"]

_BUFFER = 64 * 1024


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


class TimedResponse(http.client.HTTPResponse):
    """An answer whose every read keeps to the deadline of the call."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(sock, raw), _BUFFER)
