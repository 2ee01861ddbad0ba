"""Cases of failure: every request of everything that can be made fails, in every way.

Afterwards the account must hold what it held before, or the error must name exactly the rest and
take it back. See "What fails half-way" in the guide "Writing a provider".
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

from anysky.errors import CloudError
from anysky.transport.retry import RetryPolicy

from . import interrupting
from .making import Making
from .recording import open_recorded_stage
from .stage import Stage, open_stage
from .striking import FAULTS, PASSING, Fault, lost, refused
from .trial import Trial

__all__ = ["failures_of"]

_RETRY = RetryPolicy(attempts=3, base=0.0, throttled_base=0.0)
_SOME = (refused, lost)


class _StopHereError(Exception):
    """Ends a transaction in which nothing has failed."""


async def fails(making: Making, trial: Trial) -> None:
    """Each request fails in each way: the error names what is there, and takes it back."""
    async with open_stage(making, trial) as stage:
        if stage is not None:
            await _each(stage, FAULTS, stage.fail)


async def fails_in_passing(making: Making, trial: Trial) -> None:
    """The first try of each request fails: if it is tried again, nothing is made twice."""
    async with open_stage(making, trial, retry=_RETRY) as stage:
        if stage is not None:
            await _each(stage, PASSING, stage.fail)


async def fails_and_is_rolled_back(making: Making, trial: Trial) -> None:
    """With ``on_partial_failure="rollback"`` nothing is there when the error comes out."""

    async def fail(stage: Stage, blow: tuple[int, Fault]) -> None:
        stage.wire.arm(blow)
        try:
            thing = await stage.make()
        except CloudError as error:
            await stage.check_rolled_back(error)
        else:
            await stage.check_made(thing)

    async with open_stage(making, trial, on_partial_failure="rollback") as stage:
        if stage is not None:
            await _each(stage, _SOME, partial(fail, stage))


async def fails_in_a_transaction(making: Making, trial: Trial) -> None:
    """In a transaction, what was made before is taken back, too."""

    async def fail(stage: Stage, *blow: tuple[int, Fault]) -> int:
        count, stop = 0, _StopHereError()
        try:
            async with stage.transaction():
                if making.is_repeatable:
                    await stage.make()
                stage.wire.arm(*blow)
                await stage.make()
                count = len(stage.wire.seen)
                stage.wire.disarm()
                raise stop
        except (_StopHereError, CloudError) as error:
            await stage.check_rolled_back(error)
        return count

    async with open_stage(making, trial) as stage:
        if stage is not None:
            requests = await fail(stage)
            await _each(stage, _SOME, partial(fail, stage), requests)


async def fails_with_a_journal(making: Making, trial: Trial) -> None:
    """The journal names what the error names, and takes it back; it forgets what ended well."""
    async with open_recorded_stage(making, trial) as stage:
        if stage is not None:
            await _each(stage, _SOME, stage.fail)
            await interrupting.interrupt_everywhere(stage)


_SCRIPTS: Sequence[Callable[[Making, Trial], Coroutine[Any, Any, None]]] = (
    fails,
    fails_in_passing,
    fails_and_is_rolled_back,
    fails_in_a_transaction,
    fails_with_a_journal,
    interrupting.is_interrupted,
    interrupting.is_interrupted_while_it_looks,
    interrupting.is_timed_out,
)


def failures_of(making: Making) -> Iterator[tuple[str, Callable[[Trial], Any]]]:
    """Yield name and script of every case of failure of one thing that can be made."""
    for script in _SCRIPTS:
        yield f"{making.name}_{script.__name__}", partial(script, making)


async def _each(
    stage: Stage,
    faults: Sequence[Fault],
    fail: Callable[[tuple[int, Fault]], Coroutine[Any, Any, Any]],
    requests: int | None = None,
) -> None:
    """Let each request fail in each way."""
    for number in range(1, (stage.requests if requests is None else requests) + 1):
        for fault in faults:
            try:
                await fail((number, fault))
            except Exception as error:
                error.add_note(f"when this happens to request {number}: {fault}")
                raise
