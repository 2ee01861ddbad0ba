"""Keep to the provider's rate: spread requests, and hold all of them after a refusal."""

from __future__ import annotations

from collections.abc import Callable

from anysky import deadlines
from anysky.errors import RateLimitedError
from anysky.runtime.base import Runtime
from anysky.runtime.locks import ForkLock

from .base import Layer, Request, Response, Transport
from .retry import retry_after, too_many

__all__ = ["PacingLayer"]

_FIRST_ERROR = 400
_LONGEST_HOLD = 60.0


class PacingLayer(Layer):
    """Sends at most `rate` requests a second, and none while the provider wants a pause.

    After a refusal for too many requests that names a time to come back, every request of the
    driver waits for that time (60 s at the most), so that many threads or tasks do not run into
    the limit one by one.

    Args:
        inner: The transport below.
        runtime: Clock and sleep.
        rate: Requests a second, or None for no limit of our own.
        throttled: Whether an answer says that requests come too fast.
    """

    def __init__(
        self,
        inner: Transport,
        runtime: Runtime,
        rate: float | None,
        throttled: Callable[[Response], bool] = too_many,
    ) -> None:
        super().__init__(inner)
        self._runtime = runtime
        self._throttled = throttled
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = ForkLock()

    async def send(self, request: Request) -> Response:
        """Wait for this request's turn, then send it.

        Raises:
            RateLimitedError: Its turn comes only after the call's deadline.
        """
        if self._interval or self._next:
            await self._wait(self._turn())
        response = await self.inner.send(request)
        if response.status >= _FIRST_ERROR and self._throttled(response):
            self._hold(retry_after(response.headers, self._runtime.time()))
        return response

    async def _wait(self, seconds: float) -> None:
        left = deadlines.remaining(self._runtime.now())
        if left is not None and seconds > left:
            raise RateLimitedError(
                f"this request would have to wait {seconds:.1f} s for its turn, longer than the "
                "call may take",
                retry_at=self._runtime.time() + seconds,
            )
        await self._runtime.sleep(seconds)

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
