"""What a backend may use of the world besides its transport."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol, TypeVar

from anysky.interruption import Interruption

__all__ = ["Runtime"]

T = TypeVar("T")


class Runtime(Protocol):
    """Clocks, sleep, files, processes, locks, several jobs at once.

    Attributes:
        is_blocking: Whether nothing that it offers ever suspends, so that `anysky.run.run` works.
    """

    is_blocking: ClassVar[bool]

    @property
    def environ(self) -> Mapping[str, str]:
        """The process's environment."""
        ...

    def now(self) -> float:
        """Return monotonic seconds: for waits and deadlines."""
        ...

    def time(self) -> float:
        """Return Unix time in seconds: for signatures and expiry dates only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; at once for 0 or less.

        Raises:
            DeadlineExceededError: The call's deadline comes before the end of the wait.
        """
        ...

    async def gather(
        self, jobs: Sequence[Coroutine[Any, Any, T]], limit: int = 8, *, hasty: bool = False
    ) -> list[T]:
        """Run jobs at the same time, at most `limit` of them; return results in order.

        The first failure is raised after all jobs that had started are through; jobs that had
        not started are dropped. A cancellation, or Ctrl-C, stops those that run.

        Args:
            jobs: What to run.
            limit: How many at once.
            hasty: Whether a failure stops those that run, too: tasks are cancelled, threads stop
                where they next sleep or call `anysky.interruption.check`.
        """
        ...

    async def finish(self, job: Coroutine[Any, Any, T]) -> T:
        """Run a job to its end even if the caller is cancelled meanwhile."""
        ...

    async def to_end(self, job: Coroutine[Any, Any, T], interruption: Interruption) -> T:
        """Run a job to its end, and keep a cancellation or Ctrl-C of the caller until later.

        A second one goes through at once, and so does the first after `PATIENCE` seconds.

        Args:
            job: What to run.
            interruption: Where to keep it.
        """
        ...

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function that blocks."""
        ...

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return a new lock, to be used with ``async with``."""
        ...

    async def read_file(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            OSError: It cannot be read.
        """
        ...

    async def run_process(self, argv: Sequence[str], timeout: float = 60.0) -> bytes:
        """Run a program without a shell and return what it printed.

        Raises:
            OSError: It cannot be started, ran out of time or ended with another status than 0.
        """
        ...
