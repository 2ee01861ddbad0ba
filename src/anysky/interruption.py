"""Cancellation and Ctrl-C while a request that makes something is on the wire: kept for a moment.

Such a request is awaited to its end, so that what it made is known; then the interruption goes on.
Jobs in threads, which nothing can cancel, learn by a `Stop` that they are not wanted any more.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["PATIENCE", "Interruption", "Stop", "check", "current", "stop"]

PATIENCE = 10.0  # seconds that an answer is waited for after the caller was cancelled


class Interruption:
    """What interrupted a call, kept until what its request made has been written down.

    Attributes:
        pending: The exception that shall come out of the call, or None.
    """

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending: BaseException | None = None

    def check(self) -> None:
        """Go on with the interruption, if there was one."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            raise pending


class Stop:
    """Tells jobs that run in threads at the same time that they are not wanted any more.

    Args:
        outer: What tells it to the job that has started them.
    """

    __slots__ = ("_is_set", "_outer")

    def __init__(self, outer: Stop | None = None) -> None:
        self._outer = outer
        self._is_set = False

    def set(self) -> None:
        """Let the jobs stop when they next look."""
        self._is_set = True

    @property
    def is_set(self) -> bool:
        """Whether they shall stop."""
        return self._is_set or (self._outer is not None and self._outer.is_set)


current: ContextVar[Interruption | None] = ContextVar("anysky_interruption", default=None)
stop: ContextVar[Stop | None] = ContextVar("anysky_stop", default=None)


def check() -> None:
    """Go on with an interruption of the running call, if there was one.

    Raises:
        CancelledError: This is a job in a thread that is not wanted any more.
    """
    interruption = current.get()
    if interruption is not None:
        interruption.check()
    stopping = stop.get()
    if stopping is not None and stopping.is_set:
        from concurrent.futures import CancelledError

        raise CancelledError
