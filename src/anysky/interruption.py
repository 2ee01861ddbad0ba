"""Cancellation and Ctrl-C while a request that makes something is on the wire: kept for a moment.

Such a request is awaited to its end, so that what it made is known; then the interruption goes on.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["PATIENCE", "Interruption", "check", "current"]

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


current: ContextVar[Interruption | None] = ContextVar("anysky_interruption", default=None)


def check() -> None:
    """Go on with an interruption of the running call, if there was one."""
    interruption = current.get()
    if interruption is not None:
        interruption.check()
