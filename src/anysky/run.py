"""Run a backend's coroutine to its end, in a plain call or on an event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["arun", "run"]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, in the caller's own thread, without an event loop.

    Raises:
        RuntimeError: The coroutine suspended: it awaited something that is not a blocking
            transport, a blocking runtime or another such coroutine.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    name = getattr(coroutine, "__qualname__", "a coroutine")
    raise RuntimeError(
        f"{name} suspended in the blocking API: a backend may only await its transport, "
        "its runtime and other operations"
    )


async def arun(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine; the asyncio twin of `run`."""
    return await coroutine
