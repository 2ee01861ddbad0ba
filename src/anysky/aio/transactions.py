"""Transactions: a block over several drivers and clouds that is undone if it fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from anysky.errors import CloudError, InvalidRequestError, PartialFailureError
from anysky.ledger import OTHER_API, Scope, current_scope, enter_scope, leave_scope
from anysky.outcomes import Rollback
from anysky.run import arun
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.steps import PlannedUndo, Step, StepState, identity, things_of
from anysky.undoing import start_undoing, undo_steps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token
    from os import PathLike

    from anysky.journal import JournalFile
    from anysky.outcomes import InDoubt
    from anysky.runtime.base import Runtime
    from anysky.steps import Recorder

__all__ = ["Transaction", "transaction"]

_OPEN = frozenset({StepState.DONE, StepState.IN_DOUBT})


class Transaction(Scope):
    """What is made within one block; made by `transaction`."""

    def __init__(self, journal: Recorder | None) -> None:
        super().__init__()
        self.recorder = journal
        self._runtime = AsyncioRuntime()
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._is_over = False
        self._is_undone = False
        self._token: Token[Scope | None] | None = None

    async def __aenter__(self) -> Self:
        if self._token is not None or self._is_over:
            raise InvalidRequestError("a transaction is entered once: make a new one")
        self.parent = current_scope()
        if self.parent is not None:
            self.parent.admit(self._runtime, self.recorder)
            self.recorder = self.parent.recorder
        if self.recorder is not None:
            self._begin()
        self._token = enter_scope(self)  # at last: what is left by an exception has no end
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._token is not None  # noqa: S101 - it was entered
        leave_scope(self._token)
        with self._lock:
            self._is_over = True
            self._is_undone = error is not None
        failure: PartialFailureError | None = None
        if error is not None:
            failure = await self._undo_all(error)
        if self.parent is not None:
            self.parent.adopt(self._steps)
        if self.id and self.recorder is not None:
            self.recorder.end_scope(self, error)
        if failure is not None:
            if isinstance(error, Exception):
                raise failure from error
            assert error is not None  # noqa: S101 - there is no failure without it
            error.__cause__ = failure

    @property
    def created(self) -> list[Any]:
        """What was made so far and is still there, in order of creation."""
        done = (StepState.DONE, StepState.KEPT)
        return things_of([step for step in self._steps if step.state in done])

    @property
    def in_doubt(self) -> list[InDoubt]:
        """Steps whose answer was lost, and which may have been done."""
        return [step.doubt for step in self._steps if step.state is StepState.IN_DOUBT]

    def plan(self) -> list[PlannedUndo]:
        """Return what leaving the block by an exception would undo now, in that order."""
        return [PlannedUndo.of(step) for step in reversed(self._steps) if step.state in _OPEN]

    def keep(self, *things: Any) -> None:
        """Let things stay even if the block fails; without arguments all that was made so far.

        Args:
            things: What the block has made.

        Raises:
            InvalidRequestError: One of them was not made in this block.
        """
        kept = [step for step in self._steps if step.state in _OPEN]
        if things:
            wanted = [identity(thing) for thing in things]
            kept = [step for step in kept if identity(step.thing) in wanted]
            if len({identity(step.thing) for step in kept}) < len(set(wanted)):
                raise InvalidRequestError("only what this transaction has made can be kept")
        for step in kept:
            step.state = StepState.KEPT
            if step.journal is not None:
                step.journal.settle(step)

    async def rollback(self) -> Rollback:
        """Undo what was made so far, in reverse order, and go on."""
        return await arun(undo_steps(list(self._steps), Rollback()))

    @contextlib.contextmanager
    def joined(self) -> Generator[Self]:
        """Let a thread of your own take part: tasks do by themselves, threads do not."""
        token = enter_scope(self)
        try:
            yield self
        finally:
            leave_scope(token)

    def admit(self, runtime: Runtime, journal: Recorder | None) -> None:
        """Say whether a call may begin here.

        Raises:
            InvalidRequestError: The block is over, or the call is one of the other API.
        """
        if self._is_over:
            raise InvalidRequestError("the transaction is over")
        if runtime.is_blocking != self._runtime.is_blocking:
            raise InvalidRequestError(OTHER_API)
        if self.recorder is None and journal is not None:
            self.recorder = journal
            self._begin()

    def adopt(self, steps: Sequence[Step]) -> bool:
        """Take over the steps of a call that is over; False if they must be undone at once."""
        with self._lock:
            if self._is_over:
                return not self._is_undone
            self._steps.extend(steps)
            return True

    def _begin(self) -> None:
        assert self.recorder is not None  # noqa: S101 - the callers have looked
        self.recorder.begin_scope(self)

    async def _undo_all(self, error: BaseException) -> PartialFailureError | None:
        partial = error if isinstance(error, PartialFailureError) else None
        report = await arun(self._runtime.finish(undo_steps(self._steps, Rollback(), partial)))
        if not report.left_behind:
            if isinstance(error, CloudError) and partial is None:
                error.in_doubt = []  # what was in doubt has been looked for and removed
            if report.undone:
                error.add_note(f"the transaction has undone {len(report.undone)} things")
            return None
        return self._incomplete(error, report)

    def _incomplete(self, error: BaseException, report: Rollback) -> PartialFailureError:
        why = error.message if isinstance(error, CloudError) else type(error).__name__
        left = "; ".join(
            f"{thing}: {one.message}"
            for thing, one in zip(report.left_behind, report.errors, strict=True)
        )
        failure = PartialFailureError(
            f"the transaction failed ({why}), and not all of it could be undone: {left}",
            operation="transaction",
            created=things_of([step for step in self._steps if step.state is not StepState.KEPT]),
            in_doubt=self.in_doubt,
            failed_step=getattr(error, "failed_step", "") or getattr(error, "operation", ""),
            journal_id=self.id,
            undo=lambda: self._again(failure),
        )
        failure.undone, failure.left_behind = report.undone, report.left_behind
        return failure

    def _again(self, failure: PartialFailureError) -> Rollback:
        return start_undoing(self._runtime, self._steps, failure)


def transaction(*, journal: JournalFile | str | PathLike[str] | bool | None = None) -> Transaction:
    """Begin a block that is undone, over all drivers and clouds, if it is left by an exception.

    ::

        async with transaction() as tx:
            volume = await driver.create_volume(100, "data")
            await dns.create_record("www", zone, "A", "192.0.2.1")

    What calls have made within it is removed again in reverse order, then the exception goes on.
    What could not be removed is told by a `PartialFailureError` in its place. Blocks may be nested:
    what an inner one has made belongs to the outer one afterwards.

    Args:
        journal: Where steps are written down, as for drivers; by default that of the first driver
            which has one.
    """
    from anysky.journaling import find_journal

    return Transaction(find_journal(journal))
