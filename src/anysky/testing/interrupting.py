"""Cases of interruption: cancellation at every await, Ctrl-C at every request.

What was on its way is waited for; then the interruption goes on, and names as its cause what was
made until then.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from anysky.errors import CloudError

from .making import Making
from .stage import Stage, open_stage, open_stages
from .striking import INTERRUPTIONS, SLOWNESS, Fault, lost
from .trial import Trial, check, equal

__all__ = [
    "interrupt_everywhere",
    "is_interrupted",
    "is_interrupted_while_it_looks",
    "is_timed_out",
]

_WITHIN = 1.0  # seconds from a cancellation to its end
_SHORT = 0.01


async def is_interrupted(making: Making, trial: Trial) -> None:
    """The call is cancelled at each await, or Ctrl-C comes at each request."""
    async with open_stage(making, trial) as stage:
        if stage is not None:
            await interrupt_everywhere(stage)
            await stage.fail()  # the driver works as before


async def interrupt_everywhere(stage: Stage) -> None:
    """Cancel the call at each await, or let Ctrl-C come at each request."""
    if stage.trial.api == "asyncio":
        with _no_warnings():
            await _cancel_everywhere(stage)
    elif threading.current_thread() is threading.main_thread():
        for number, fault in itertools.product(range(1, stage.requests + 1), INTERRUPTIONS):
            await _interrupt(stage, (number, fault))


async def is_interrupted_while_it_looks(making: Making, trial: Trial) -> None:
    """The same while it is looked for what a request has made whose answer was lost."""
    async with open_stage(making, trial) as stage:
        if stage is None:
            return
        for number in range(1, stage.requests + 1):
            if trial.api == "asyncio":
                await _cancel_everywhere(stage, (number, lost))
            elif threading.current_thread() is threading.main_thread():
                await _interrupt(stage, (number, lost), (number + 1, INTERRUPTIONS[0]))
        await stage.fail()


async def is_timed_out(making: Making, trial: Trial) -> None:
    """The caller's time is up, or a task beside it fails, while a request is on the wire."""
    settings: list[dict[str, Any]] = [{}, {"on_partial_failure": "rollback"}]
    async with open_stages(making, trial, *settings) as stages:
        if trial.api != "asyncio":
            return
        for stage, attempt in zip(stages, (_time_out, _leave_alone), strict=False):
            for number, fault in itertools.product(range(1, stage.requests + 1), SLOWNESS):
                try:
                    await attempt(stage, (number, fault))
                except Exception as error:
                    _tell_blows(error, (number, fault))
                    raise


@dataclass(eq=False)
class _Steps:
    """Awaits a job, and cancels its task when it waits for the given time.

    Attributes:
        job: The coroutine.
        at: Which wait, from 1.
        cancelled: Monotonic seconds of the cancellation, or None.
    """

    job: Any
    at: int
    cancelled: float | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.job.__await__()
        go_on, argument = steps.send, None
        for count in itertools.count(1):
            try:
                future = go_on(argument)
            except StopIteration as done:
                return done.value
            task = asyncio.current_task()
            if count == self.at and task is not None:
                self.cancelled = time.monotonic()
                task.cancel()
            try:
                argument = yield future
                go_on = steps.send
            except BaseException as error:  # noqa: BLE001 - the job gets it
                go_on, argument = steps.throw, error
        return None


async def _cancel_everywhere(stage: Stage, *blows: tuple[int, Fault]) -> None:
    for number in itertools.count(1):
        try:
            if not await _cancel(stage, number, *blows):
                return
        except Exception as error:
            error.add_note(f"when the call is cancelled at its {number}. await")
            _tell_blows(error, *blows)
            raise


async def _cancel(stage: Stage, number: int, *blows: tuple[int, Fault]) -> bool:
    """Cancel the call when it waits for the given time; False if it was over before."""
    stage.wire.arm(*blows)
    steps = _Steps(stage.make(), number)
    task = asyncio.ensure_future(_outcome(steps))
    await asyncio.wait([task])
    value, error = task.result()
    if steps.cancelled is None:
        await (stage.check_made(value) if error is None else stage.check_told(error))
        return False
    seconds = time.monotonic() - steps.cancelled
    check(seconds < _WITHIN, f"a cancelled call should end within 1 s, not {seconds:.1f} s")
    _check_cancelled(error, value)
    await stage.check_told(error and error.__cause__)
    return True


def _check_cancelled(error: BaseException | None, value: Any) -> None:
    try:
        equal(type(error), asyncio.CancelledError, f"what a cancelled call raises ({value!r})")
    except AssertionError as failure:
        raise failure from error


async def _outcome(steps: _Steps) -> tuple[Any, BaseException | None]:
    try:
        return await steps, None
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return None, error


async def _interrupt(stage: Stage, *blows: tuple[int, Fault]) -> None:
    """Let Ctrl-C come."""
    stage.wire.arm(*blows)
    try:
        try:
            thing = await stage.make()
        except KeyboardInterrupt as error:
            await stage.check_told(error.__cause__)
        except CloudError as error:
            check(len(stage.wire.strikes) > 0, f"Ctrl-C should come out, not {error!r}")
            await stage.check_told(error)
        else:
            check(len(stage.wire.strikes) > 0, f"Ctrl-C should come out, not {thing!r}")
            await stage.check_made(thing)
    except Exception as error:
        _tell_blows(error, *blows)
        raise


async def _time_out(stage: Stage, blow: tuple[int, Fault]) -> None:
    """Give the call less time than a request takes."""
    stage.wire.arm(blow)
    try:
        async with asyncio.timeout(_SHORT):
            await stage.make()
    except TimeoutError as error:
        cancelled = error.__cause__
        await stage.check_told(None if cancelled is None else cancelled.__cause__)
    else:
        raise AssertionError("a call should end when its time is up")


async def _leave_alone(stage: Stage, blow: tuple[int, Fault]) -> None:
    """Let a task fail that runs beside the call."""

    async def beside() -> None:
        await asyncio.sleep(_SHORT)
        raise InterruptedError

    stage.wire.arm(blow)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.make())
            group.create_task(beside())
    except* InterruptedError:
        await stage.check_rolled_back(None)


def _tell_blows(error: Exception, *blows: tuple[int, Fault]) -> None:
    for number, fault in blows:
        error.add_note(f"when this happens to request {number}: {fault}")


@contextmanager
def _no_warnings() -> Generator[None]:
    """See to it that asyncio has nothing to complain of."""
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    try:
        yield
        gc.collect()
        equal(told, [], "what asyncio's event loop complains of")
    finally:
        loop.set_exception_handler(None)
