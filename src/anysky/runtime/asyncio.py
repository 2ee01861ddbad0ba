"""The runtime of the asyncio API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from anysky.interruption import PATIENCE, Interruption

from .common import CommonRuntime, check_sleep, read_file, run_process

__all__ = ["AsyncioRuntime"]

T = TypeVar("T")


class AsyncioRuntime(CommonRuntime):
    """Everything waits on the running event loop."""

    is_blocking: ClassVar[bool] = False

    async def sleep(self, seconds: float) -> None:
        """Wait; see `Runtime.sleep`."""
        check_sleep(seconds)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def gather(
        self, jobs: Sequence[Coroutine[Any, Any, T]], limit: int = 8, *, hasty: bool = False
    ) -> list[T]:
        """Run jobs as tasks; see `Runtime.gather`."""
        gate = asyncio.Semaphore(limit)
        failures: list[BaseException] = []

        async def one(job: Coroutine[Any, Any, T]) -> T:
            async with gate:
                if failures:
                    raise asyncio.CancelledError
                try:
                    return await job
                except BaseException as error:
                    failures.append(error)
                    if hasty and len(failures) == 1 and isinstance(error, Exception):
                        _cancel(tasks)  # a cancellation has come to all of them
                    raise

        tasks = [asyncio.ensure_future(one(job)) for job in jobs]
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for job in jobs:
                job.close()
        if failures:
            raise failures[0]
        return [task.result() for task in tasks]

    async def finish(self, job: Coroutine[Any, Any, T]) -> T:
        """Run a job to its end even if the caller is cancelled meanwhile."""
        task = asyncio.ensure_future(job)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait([task])
            _take_note(task)
            raise

    async def to_end(self, job: Coroutine[Any, Any, T], interruption: Interruption) -> T:
        """Run a job to its end as a task; see `Runtime.to_end`."""
        task = asyncio.ensure_future(job)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError as cancelled:
            with contextlib.suppress(asyncio.CancelledError):  # the second one goes through at once
                await asyncio.wait([task], timeout=PATIENCE)
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1.0)
            if not task.done():
                task.add_done_callback(_take_note)
            if task.cancelled() or not task.done():
                raise cancelled from None
            interruption.pending = cancelled
            return task.result()

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function that blocks, in a thread."""
        return await asyncio.to_thread(function)

    def lock(self) -> asyncio.Lock:
        """Return a new lock between tasks."""
        return asyncio.Lock()

    async def read_file(self, path: str) -> bytes:
        """Return a file's content; see `Runtime.read_file`."""
        return await asyncio.to_thread(read_file, path)

    async def run_process(self, argv: Sequence[str], timeout: float = 60.0) -> bytes:
        """Run a program; see `Runtime.run_process`."""
        return await asyncio.to_thread(run_process, argv, timeout)


def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel all tasks but the one that runs."""
    running = asyncio.current_task()
    for task in tasks:
        if task is not running:
            task.cancel()


def _take_note(task: asyncio.Task[Any]) -> None:
    """Look at the outcome of a task that nobody waits for, lest asyncio complains of it."""
    if not task.cancelled():
        task.exception()
