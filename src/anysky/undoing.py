"""Take back what steps have made: in reverse order, past what fails, as often as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from . import deadlines
from .errors import (
    CloudError,
    ConflictError,
    JournalError,
    NotFoundError,
    PartialFailureError,
)
from .outcomes import Rollback
from .run import run
from .runtime.base import Runtime
from .steps import Effect, Step, StepState, things_of

__all__ = ["is_blind", "look_for", "start_undoing", "undo_steps"]

_UNDONE_WITHIN = 300.0  # seconds for one step, whatever is left of the call's own time
_RELEASED_WITHIN = 90.0  # until what has been removed lets go of what it was attached to
_READY_WITHIN = 5.0  # until what was just made can be removed
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
_OPEN = frozenset({StepState.DONE, StepState.IN_DOUBT})


async def undo_steps(
    steps: Sequence[Step], report: Rollback, partial: PartialFailureError | None = None
) -> Rollback:
    """Take steps back, the last first, and report what became of them.

    Args:
        steps: In the order in which they were done.
        report: What to add the outcome to.
        partial: An error whose `undone` and `left_behind` shall tell the outcome, too.
    """
    released = False
    for step in reversed(steps):
        if step.state not in _OPEN:
            continue
        try:
            with step.terms.guard(step.undo or step.operation), deadlines.grace(_UNDONE_WITHIN):
                await _undo(step, _RELEASED_WITHIN if released else _READY_WITHIN)
        except Exception as error:  # noqa: BLE001 - what else is there shall be removed all the same
            _leave(step, report, error)
        else:
            released = released or step.state is StepState.UNDONE
            if step.state is StepState.UNDONE:
                things = step.things
                report.undone += things
                if step.is_gone:
                    report.gone += things
        finally:
            if partial is not None:
                _tell(partial, steps)
            if step.journal is not None:
                with suppress(JournalError):  # it warns, and tries again with what comes next
                    step.journal.settle(step)
    return report


def start_undoing(
    runtime: Runtime, steps: Sequence[Step], partial: PartialFailureError | None = None
) -> Rollback:
    """Take steps back: at once in the blocking API, when the report is awaited in the other."""
    report = Rollback()

    async def job() -> None:
        await undo_steps(steps, report, partial)

    if runtime.is_blocking:
        run(job())
    else:
        report._job = job()  # pyright: ignore[reportPrivateUsage]
    return report


async def look_for(step: Step, lag: float) -> list[Any] | None:
    """Look for what a step has made, by its mark or name, until a list must show it.

    Args:
        step: The step.
        lag: Seconds after which a list shows what was made before.

    Returns:
        What was found, or None if what is found cannot be known to be ours.
    """
    runtime = step.backend.runtime
    end, wait = runtime.now() + lag, _FIRST_WAIT
    while True:
        found = await _find(step)
        left = end - runtime.now()
        if found is None or found or left <= 0:
            return found
        await runtime.sleep(min(wait, left))
        wait = min(wait * 2, _LONGEST_WAIT)


async def _find(step: Step) -> list[Any] | None:
    if step.find:
        found: list[Any] = await getattr(step.backend, step.find)(step.mark, *step.find_args)
        return found
    named = step.find_args if step.absent else None
    listed: list[Any] | None = await step.backend._find_created(step.operation, step.mark, named)
    return listed


async def _undo(step: Step, patience: float) -> None:
    """Take one step back; it is undone, or not made, when this returns."""
    if step.state is StepState.DONE:
        try:
            await _call_undo(step, step.thing, patience)
        except ConflictError:
            if not (step.is_recovered and is_blind(step)):
                raise
            step.is_gone = True  # it was taken back before, which nobody could write down
        step.state = StepState.UNDONE
        return
    if is_blind(step):
        with suppress(ConflictError):  # it was not done
            await _call_undo(step, None, 0.0)
        step.state = StepState.UNDONE
        return
    found = await look_for(step, step.backend.list_lag if step.lag is None else step.lag)
    if found is None:
        raise ConflictError(f"it cannot be told whether this was made: {step.doubt}")
    for thing in found:
        step.thing = thing
        await _call_undo(step, thing, patience)
    step.state = StepState.UNDONE if found else StepState.NOT_MADE


def is_blind(step: Step) -> bool:
    """Whether what takes a step back may be called without knowing that the step was done."""
    effect: Effect | None = step.backend.effects.get(step.operation)
    return effect is not None and effect.blind and not step.find


async def _call_undo(step: Step, thing: Any, patience: float) -> None:
    """Call what takes a step back, again while something else still holds the thing."""
    if not step.undo:
        raise ConflictError(f"nothing takes this back: {step.what}")
    undo = getattr(step.backend, step.undo)
    arguments = (thing,) if step.undo_args is None else step.undo_args
    runtime: Runtime = step.backend.runtime
    end, wait = runtime.now() + patience, _FIRST_WAIT
    while True:
        try:
            await undo(*arguments)
        except NotFoundError:
            step.is_gone = True
            return
        except ConflictError:
            if runtime.now() + wait > end:
                raise
        else:
            return
        await runtime.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)


def _leave(step: Step, report: Rollback, error: Exception) -> None:
    ours = error if isinstance(error, CloudError) else _wrapped(error)
    step.undo_error = ours
    report.left_behind.append(_rest(step))
    report.errors.append(ours)


def _wrapped(error: Exception) -> CloudError:
    wrapped = CloudError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _rest(step: Step) -> Any:
    """Return what is left of a step: the thing, or where to look for it."""
    return step.doubt if step.thing is None else step.bound


def _tell(partial: PartialFailureError, steps: Sequence[Step]) -> None:
    partial.undone = things_of([one for one in reversed(steps) if one.state is StepState.UNDONE])
    left = [one for one in reversed(steps) if one.state in _OPEN and one.undo_error is not None]
    partial.left_behind = [_rest(step) for step in left]
