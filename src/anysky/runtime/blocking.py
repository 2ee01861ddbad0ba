"""The runtime of the blocking API: the caller's own thread."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, ClassVar, TypeVar

from anysky.interruption import PATIENCE, Interruption, Stop, current, stop
from anysky.run import run
from anysky.runtime.locks import ForkLock

from .common import CommonRuntime, check_sleep, read_file, run_process

__all__ = ["BlockingRuntime"]

T = TypeVar("T")

_Handler = Callable[[int, FrameType | None], Any]


class _Lock:
    """A lock between threads, for ``async with``."""

    def __init__(self) -> None:
        self._lock = ForkLock()

    async def __aenter__(self) -> None:
        self._lock.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.__exit__(kind, error, trace)


class BlockingRuntime(CommonRuntime):
    """Nothing that it offers ever suspends."""

    is_blocking: ClassVar[bool] = True

    async def sleep(self, seconds: float) -> None:
        """Wait; see `Runtime.sleep`."""
        check_sleep(seconds)
        if seconds > 0:
            time.sleep(seconds)

    async def gather(
        self, jobs: Sequence[Coroutine[Any, Any, T]], limit: int = 8, *, hasty: bool = False
    ) -> list[T]:
        """Run jobs in threads; see `Runtime.gather`."""
        if len(jobs) <= 1 or limit <= 1:
            return _one_by_one(jobs)
        from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

        stopping = Stop(stop.get())
        pool = ThreadPoolExecutor(min(limit, len(jobs)), thread_name_prefix="anysky")
        futures: list[Future[T]] = []
        failed: Future[T] | None = None
        try:
            for job in jobs:
                context = contextvars.copy_context()
                futures.append(pool.submit(context.run, _stoppable, job, stopping))
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((one for one in futures if one.done() and one.exception()), None)
            if hasty and failed is not None:
                stopping.set()
        except BaseException:
            stopping.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            # After Ctrl-C, a thread that waits for a server that is silent is left behind.
            begun = [one for one in futures if not one.cancelled()]
            wait(begun, timeout=PATIENCE if stopping.is_set else None)
            for job in jobs:
                with suppress(ValueError):  # it is that of such a thread
                    job.close()
        if failed is not None:
            failed.result()
        return [future.result() for future in futures]

    async def finish(self, job: Coroutine[Any, Any, T]) -> T:
        """Run a job; nothing can cancel it here."""
        return await job

    async def to_end(self, job: Coroutine[Any, Any, T], interruption: Interruption) -> T:
        """Run a job; only the main thread can be interrupted, by SIGINT; see `Runtime.to_end`."""
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            return await job
        signal.signal(signal.SIGINT, _later(handler, interruption))
        token = current.set(None)  # a wait within the job shall not end it
        try:
            return await job
        finally:
            current.reset(token)
            signal.signal(signal.SIGINT, handler)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function in this very thread: blocking it is what is wanted."""
        return function()

    def lock(self) -> _Lock:
        """Return a new lock between threads."""
        return _Lock()

    async def read_file(self, path: str) -> bytes:
        """Return a file's content; see `Runtime.read_file`."""
        return read_file(path)

    async def run_process(self, argv: Sequence[str], timeout: float = 60.0) -> bytes:
        """Run a program; see `Runtime.run_process`."""
        return run_process(argv, timeout)


def _stoppable(job: Coroutine[Any, Any, T], stopping: Stop) -> T:
    stop.set(stopping)
    return run(job)


def _later(handler: _Handler, interruption: Interruption) -> _Handler:
    """Make a handler that keeps what another raises; for the second signal, that other one."""

    def keep(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, handler)
        try:
            handler(number, frame)
        except BaseException as error:  # noqa: BLE001 - it is raised later
            interruption.pending = error

    return keep


def _one_by_one(jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    results: list[T] = []
    try:
        for job in jobs:
            results.append(run(job))  # noqa: PERF401 - what is left is closed below
    finally:
        for job in jobs[len(results) :]:
            job.close()
    return results
