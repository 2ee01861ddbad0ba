"""The runtime of the blocking API: the caller's own thread."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from anysky.interruption import PATIENCE, Interruption, Stop, current, stop
from anysky.run import run
from anysky.runtime.locks import ForkLock

from .common import CommonRuntime, check_sleep, read_file, run_process

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

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
        from concurrent.futures import (
            FIRST_EXCEPTION,
            CancelledError,
            ThreadPoolExecutor,
            wait,
        )

        stopping = Stop(stop.get())
        failures: list[BaseException] = []

        def start(job: Coroutine[Any, Any, T]) -> T:
            if failures:
                raise CancelledError
            stop.set(stopping)
            try:
                return run(job)
            except BaseException as error:
                failures.append(error)
                if hasty:
                    stopping.set()
                raise

        pool = ThreadPoolExecutor(min(limit, len(jobs)), thread_name_prefix="anysky")
        futures: list[Future[T]] = []
        try:
            for job in jobs:
                context = contextvars.copy_context()
                futures.append(pool.submit(context.run, start, job))  # one by one: Ctrl-C may come
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            stopping.set()
            raise
        finally:
            _end(pool, futures, PATIENCE if stopping.is_set else None)
            for job in jobs:
                with suppress(ValueError):  # it is that of a thread that was left behind
                    job.close()
        if failures:
            raise failures[0]
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


def _end(pool: Executor, futures: Sequence[Future[Any]], patience: float | None) -> None:
    """Drop what has not started, and wait for the rest.

    After Ctrl-C, a thread that waits for a server that is silent is left behind.
    """
    from concurrent.futures import wait

    pool.shutdown(wait=False, cancel_futures=True)
    wait([future for future in futures if not future.cancelled()], timeout=patience)


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
