"""What became of the steps of an operation, and of many operations at once."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from .errors import CloudError

__all__ = ["Failure", "InDoubt", "Outcomes", "Rollback"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A step that may have been done: its answer was lost.

    Attributes:
        what: What it makes, for people.
        operation: The operation that it is a part of.
        mark: The token or tag that the thing carries, if it was made.
        look_for: What to look for, for people.
    """

    what: str
    operation: str
    mark: str
    look_for: str

    def __str__(self) -> str:
        return self.look_for


class Rollback(Awaitable["Rollback"]):
    """What became of the things that an operation had made; in the asyncio API, await it.

    Attributes:
        undone: What was removed again, in that order.
        gone: Those of them that were gone already.
        left_behind: What is still there, and steps of which that is not known (`InDoubt`).
        errors: Why, one for each of `left_behind`.
    """

    def __init__(self, job: Coroutine[Any, Any, None] | None = None) -> None:
        self.undone: list[Any] = []
        self.gone: list[Any] = []
        self.left_behind: list[Any] = []
        self.errors: list[CloudError] = []
        self._job = job

    def __await__(self) -> Generator[Any, None, Rollback]:
        job, self._job = self._job, None
        if job is not None:
            yield from job.__await__()
        return self

    def __repr__(self) -> str:
        return f"<Rollback: {len(self.undone)} undone, {len(self.left_behind)} left behind>"

    def raise_if_incomplete(self) -> None:
        """Raise the first of `errors`, if there is one."""
        if self.errors:
            raise self.errors[0]


class Failure(NamedTuple):
    """One of many that failed.

    Attributes:
        item: What was given: a model, or the name of a new one.
        error: Why.
    """

    item: Any
    error: CloudError


@dataclass(slots=True)
class Outcomes(Generic[T]):
    """What became of each of many.

    Attributes:
        done: Those that succeeded: what was made, or what was given; in the order of the call.
        failed: Those that failed, each with its error.
        not_tried: Those that were not begun, since what failed before would have failed again.
        undone: What was made and removed again, with ``on_partial_failure="rollback"``.
    """

    done: list[T] = field(default_factory=list[T])
    failed: list[Failure] = field(default_factory=list[Failure])
    not_tried: list[Any] = field(default_factory=list[Any])
    undone: list[Any] = field(default_factory=list[Any])

    def __iter__(self) -> Iterator[T]:
        """Yield those that succeeded."""
        return iter(self.done)

    def __len__(self) -> int:
        return len(self.done)

    def __bool__(self) -> bool:
        """Whether all succeeded."""
        return not (self.failed or self.not_tried)

    def raise_if_failed(self) -> None:
        """Raise if not all succeeded.

        Raises:
            CloudError: The error of the first that failed; a note counts them.
        """
        if self.failed:
            error = self.failed[0].error
            error.add_note(
                f"{len(self.done)} are done, {len(self.failed)} failed, {len(self.undone)} were "
                f"undone, {len(self.not_tried)} were not tried"
            )
            raise error
