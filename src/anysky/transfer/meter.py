"""How far a transfer has come, and how fast it may go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import cast

from anysky.run import run
from anysky.runtime.base import Runtime
from anysky.runtime.locks import ForkLock
from anysky.transport.base import Body

from .options import Progress, TransferOptions

__all__ = ["Meter"]

_BURST = 0.1  # seconds' worth of bytes that may go at once
_LARGEST_PIECE = 64 * 1024


class Meter:
    """Counts what has arrived for the caller, and holds up what would go too fast.

    One is shared by all workers of a transfer, threads or tasks.

    Args:
        name: The object's name.
        total: Bytes in all; None if nobody knows.
        options: The caller's function, and its limit.
        runtime: The clock, and sleep.
    """

    def __init__(
        self, name: str, total: int | None, options: TransferOptions, runtime: Runtime
    ) -> None:
        self._name = name
        self._total = total
        self._report = options.progress
        self._rate = options.max_bandwidth
        self._runtime = runtime
        self._lock = ForkLock()
        self._done = 0
        self._free_at = runtime.now()

    def add(self, size: int) -> None:
        """Count bytes that have arrived, and tell the caller."""
        if self._report is None:
            return
        with self._lock:  # also around the caller's function: it sees one number after the other
            self._done += size
            done = self._done if self._total is None else min(self._done, self._total)
            self._report(Progress(self._name, done, self._total))

    async def pace(self, size: int) -> None:
        """Wait until so many further bytes may go.

        Raises:
            DeadlineExceededError: That would be after the call's deadline.
        """
        if self._rate is not None:
            await self._runtime.sleep(self._reserve(size, self._rate))

    def paced(self, body: Body) -> Body:
        """Return a body that is sent no faster than is allowed."""
        if self._rate is None:
            return body
        slow = self._slowly if self._runtime.is_blocking else self._slowly_later
        return Body(partial(slow, body), body.length, body.replayable)

    def _reserve(self, size: int, rate: float) -> float:
        """Take a place in the queue; return for how many seconds to wait for it."""
        with self._lock:
            now = self._runtime.now()
            start = max(self._free_at, now - _BURST)
            self._free_at = start + size / rate
            return max(0.0, start - now)

    def _slowly(self, body: Body) -> Iterator[bytes]:
        for piece in cast("Iterator[bytes]", body.open()):
            for small in _cut(piece):
                run(self.pace(len(small)))
                yield small

    async def _slowly_later(self, body: Body) -> AsyncIterator[bytes]:
        pieces = body.open()
        while True:
            if isinstance(pieces, AsyncIterator):
                piece = await anext(pieces, None)
            else:
                piece = await self._runtime.in_thread(partial(next, pieces, None))
            if piece is None:
                return
            for small in _cut(piece):
                await self.pace(len(small))
                yield small


def _cut(piece: bytes) -> Iterator[bytes]:
    view = memoryview(piece)
    for start in range(0, len(view), _LARGEST_PIECE):
        yield cast("bytes", view[start : start + _LARGEST_PIECE])
