"""One deadline per call, inherited by every request, retry, wait and page inside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from contextvars import ContextVar

__all__ = ["deadline", "expires_at", "grace", "remaining"]

_expires_at: ContextVar[float | None] = ContextVar("anysky_deadline", default=None)


@contextlib.contextmanager
def deadline(seconds: float | None) -> Generator[None]:
    """Give everything that anysky does inside the block at most this many seconds in all.

    Works in both APIs, in tasks that start inside the block, and nested: the nearer end counts.
    A thread of your own has no part in it before Python 3.14: use it inside the thread. None
    changes nothing.

    Raises:
        DeadlineExceededError: From a call inside the block that runs out of time.
    """
    if seconds is None:
        yield
        return
    end = time.monotonic() + seconds
    current = _expires_at.get()
    token = _expires_at.set(end if current is None else min(end, current))
    try:
        yield
    finally:
        _expires_at.reset(token)


@contextlib.contextmanager
def grace(seconds: float) -> Generator[None]:
    """Give what must be cleaned up after a failure time of its own, whatever the call has left."""
    token = _expires_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _expires_at.reset(token)


def expires_at() -> float | None:
    """Return the monotonic time at which the current call must end, or None."""
    return _expires_at.get()


def remaining(now: float | None = None) -> float | None:
    """Return the seconds left, possibly negative, or None without a deadline."""
    end = _expires_at.get()
    if end is None:
        return None
    return end - (time.monotonic() if now is None else now)
