"""Keep to the provider's rate: spread requests, and hold all of them after a refusal."""

from __future__ import annotations

import threading

from anysky.runtime.base import Runtime

from .base import Layer, Request, Response, Transport
from .retry import retry_after

__all__ = ["PacingLayer"]

_TOO_MANY = 429
_LONGEST_HOLD = 60.0


class PacingLayer(Layer):
    """Sends at most `rate` requests a second, and none while the provider wants a pause.

    After an answer 429 with a time to come back, every request of the driver waits for that
    time (60 s at the most), so that many threads or tasks do not run into the limit one by one.

    Args:
        inner: The transport below.
        runtime: Clock and sleep.
        rate: Requests a second, or None for no limit of our own.
    """

    def __init__(self, inner: Transport, runtime: Runtime, rate: float | None) -> None:
        super().__init__(inner)
        self._runtime = runtime
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    async def send(self, request: Request) -> Response:
        """Wait for this request's turn, then send it."""
        if self._interval or self._next:
            await self._runtime.sleep(self._turn())
        response = await self.inner.send(request)
        if response.status == _TOO_MANY:
            self._hold(retry_after(response.headers, self._runtime.time()))
        return response

    def _turn(self) -> float:
        """Take the next free moment and return how long to wait for it."""
        now = self._runtime.now()
        with self._lock:
            start = max(now, self._next)
            self._next = start + self._interval if self._interval or start > now else 0.0
        return start - now

    def _hold(self, seconds: float | None) -> None:
        if seconds:
            with self._lock:
                until = self._runtime.now() + min(seconds, _LONGEST_HOLD)
                self._next = max(self._next, until)
