"""Wait until something at the provider has come to an end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .errors import DeadlineExceededError
from .paging import Page, PageGuard
from .runtime.base import Runtime
from .transport.base import Limits

__all__ = ["all_pages", "wait_until"]

T = TypeVar("T")


async def wait_until(
    look: Callable[[], Coroutine[Any, Any, T]],
    done: Callable[[T], bool],
    runtime: Runtime,
    *,
    what: str,
    timeout: float = 600.0,
    interval: float = 1.0,
    longest_interval: float = 15.0,
) -> T:
    """Look again and again, at growing intervals, until `done` says so.

    Args:
        look: Fetches the present state.
        done: Whether this state is the end; it raises if the end cannot be reached any more.
        runtime: Clock and sleep.
        what: What is waited for, for the error's message.
        timeout: Seconds in all.
        interval: Seconds before the second look; each further wait is half as long again.
        longest_interval: Seconds that one wait is at the most.

    Raises:
        DeadlineExceededError: The time was not enough; what is waited for goes on by itself.
    """
    end = runtime.now() + timeout
    while True:
        state = await look()
        if done(state):
            return state
        if runtime.now() + interval > end:
            raise DeadlineExceededError(f"{what} did not happen within {timeout:.0f} s")
        await runtime.sleep(interval)
        interval = min(interval * 1.5, longest_interval)


async def all_pages(
    fetch: Callable[[str | None], Coroutine[Any, Any, Page[T]]], limits: Limits
) -> list[T]:
    """Fetch all pages of a list."""
    guard = PageGuard(limits)
    items: list[T] = []
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        guard.check(page)
        items.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return items
