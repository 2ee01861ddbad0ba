"""One operation for each of many things, several at a time, with an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from .errors import (
    AuthenticationError,
    CloudError,
    DeadlineExceededError,
    InvalidAccountError,
    InvalidRequestError,
    JournalError,
    PartialFailureError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)
from .ledger import Scope, current_scope, enter_scope, leave_scope
from .outcomes import Failure, Outcomes, Rollback
from .runtime.base import Runtime
from .steps import OnPartialFailure, Recorder, Step, StepState, identity, things_of
from .undoing import start_undoing, undo_steps

__all__ = ["each", "flattened", "numbered", "paired", "returning"]

_Item = TypeVar("_Item")
T = TypeVar("T")

# Where one of these came, the others would fail in the same way.
_HOPELESS = (
    AuthenticationError,
    DeadlineExceededError,
    InvalidAccountError,
    JournalError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)


class _Group(Scope):
    """What the calls for many things make, together."""

    def __init__(self) -> None:
        super().__init__()
        self.parent = current_scope()
        self.id = self.parent.id if self.parent else ""
        self.recorder: Recorder | None = self.parent.recorder if self.parent else None
        self.steps: list[Step] = []

    def admit(self, runtime: Runtime, journal: Recorder | None) -> None:
        """Ask the transaction around it."""
        if self.parent is not None:
            self.parent.admit(runtime, journal)
            self.id, self.recorder = self.parent.id, self.parent.recorder

    def adopt(self, steps: Sequence[Step]) -> bool:
        """Take the steps, for itself and the transaction around it."""
        self.steps.extend(steps)
        return self.parent is None or self.parent.adopt(steps)


async def each(
    operation: str,
    runtime: Runtime,
    items: Sequence[_Item],
    attempt: Callable[[_Item], Coroutine[Any, Any, T]],
    *,
    limit: int,
    choice: OnPartialFailure = "keep",
) -> Outcomes[T]:
    """Try something for each of many items and say what became of each.

    Args:
        operation: Name of the whole, for errors.
        runtime: Runs several at once.
        items: What it is tried for.
        attempt: Makes the coroutine for one of them.
        limit: How many run at once at the most; the first one runs alone.
        choice: Whether what was made stays if one of them fails.

    Raises:
        InvalidRequestError: The limit is less than 1.
    """
    if limit < 1:
        raise InvalidRequestError(f"limit is 1 or more, not {limit}")
    group, found = _Group(), _Attempts(items, attempt)
    token = enter_scope(group)
    try:
        await found.one(0)
        await runtime.gather([found.one(place) for place in range(1, len(items))], limit)
    except BaseException as error:
        partial = _interrupted(operation, runtime, group, error)
        if choice == "rollback":
            await runtime.finish(undo_steps(group.steps, Rollback(), partial))
        error.__cause__ = partial
        raise
    finally:
        leave_scope(token)
    outcomes = found.outcomes()
    if choice == "rollback" and outcomes.failed:
        report = await runtime.finish(undo_steps(group.steps, Rollback()))
        outcomes.undone = report.undone
        gone = {identity(thing) for thing in report.undone}
        outcomes.done = [one for one in outcomes.done if identity(one) not in gone]
    return outcomes


class _Attempts(Generic[_Item, T]):
    """What became of each item so far."""

    def __init__(
        self, items: Sequence[_Item], attempt: Callable[[_Item], Coroutine[Any, Any, T]]
    ) -> None:
        self._items = items
        self._attempt = attempt
        self._done: dict[int, T] = {}
        self._failed: dict[int, CloudError] = {}
        self._hopeless = False

    async def one(self, place: int) -> None:
        """Try one item, unless there is no hope for it."""
        if place >= len(self._items) or self._hopeless:
            return
        try:
            self._done[place] = await self._attempt(self._items[place])
        except CloudError as error:
            self._failed[place] = error
            cause = error.__cause__ if isinstance(error, PartialFailureError) else error
            self._hopeless = self._hopeless or isinstance(cause, _HOPELESS)

    def outcomes(self) -> Outcomes[T]:
        """Return what became of all, in the order of the call."""
        outcomes = Outcomes[T]()
        for place, item in enumerate(self._items):
            if place in self._done:
                outcomes.done.append(self._done[place])
            elif place in self._failed:
                outcomes.failed.append(Failure(item, self._failed[place]))
            else:
                outcomes.not_tried.append(item)
        return outcomes


async def returning(job: Coroutine[Any, Any, Any], item: T) -> T:
    """Run a job on an item and return the item."""
    await job
    return item


async def paired(
    items: Sequence[T], job: Coroutine[Any, Any, list[CloudError | None]]
) -> list[tuple[T, CloudError | None]]:
    """Run a job on several items and return each with what became of it."""
    return list(zip(items, await job, strict=True))


def flattened(
    items: Sequence[T], found: Outcomes[list[tuple[T, CloudError | None]]]
) -> Outcomes[T]:
    """Return what became of each item, from what became of batches of them.

    Args:
        items: All items, in the order of the call.
        found: What became of the batches.
    """
    errors = {id(item): error for batch in found.done for item, error in batch}
    for batch, failure in found.failed:
        errors |= {id(item): failure for item in batch}
    outcomes = Outcomes[T]()
    for item in items:
        error = errors.get(id(item))
        if error is not None:
            outcomes.failed.append(Failure(item, error))
        elif id(item) in errors:
            outcomes.done.append(item)
        else:
            outcomes.not_tried.append(item)
    return outcomes


def numbered(name: str, count: int) -> list[str]:
    """Return names for several things: ``web-1``, ``web-2`` and so on.

    Raises:
        InvalidRequestError: The count is less than 1.
    """
    if count < 1:
        raise InvalidRequestError(f"count is 1 or more, not {count}")
    return [f"{name}-{number}" for number in range(1, count + 1)]


def _interrupted(
    operation: str, runtime: Runtime, group: _Group, error: BaseException
) -> PartialFailureError | None:
    """Tell what was made before an interruption, or return None if there is nothing."""
    made = [step for step in group.steps if step.state is StepState.DONE]
    doubts = [step.doubt for step in group.steps if step.state is StepState.IN_DOUBT]
    if not made and not doubts:
        return None
    partial = PartialFailureError(
        f"{len(made)} steps were done, and {len(doubts)} perhaps, before {type(error).__name__}; "
        "`rollback()` of this error takes them back",
        operation=operation,
        created=things_of(made),
        in_doubt=doubts,
        failed_step=operation,
        undo=lambda: start_undoing(runtime, group.steps, partial),
    )
    return partial
