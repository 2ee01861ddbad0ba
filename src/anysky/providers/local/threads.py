"""Run what blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from anysky.runtime.base import Runtime

__all__ = ["finished"]

T = TypeVar("T")


async def finished(runtime: Runtime, function: Callable[[], T]) -> T:
    """Run a function that blocks, to its end also if the caller is cancelled."""
    outcome = await runtime.finish(runtime.in_thread(partial(_outcome, function)))
    if isinstance(outcome, _Failure):
        raise outcome.error
    return outcome


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a function raised; if the caller was cancelled, nobody asks for it."""

    error: Exception


def _outcome(function: Callable[[], T]) -> T | _Failure:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
        return _Failure(error)
