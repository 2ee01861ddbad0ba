"""Recovery: take back, or adopt, what a journal says of an operation that did not end well."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import deadlines
from .errors import CloudError, ConflictError, InvalidAccountError, JournalError
from .journal import Entry, JournalFile, RecordedStep, check_idle
from .journaling import origin_of
from .outcomes import InDoubt, Rollback
from .steps import Step, StepState, identity
from .undoing import is_blind, look_for, undo_steps

__all__ = ["Recovery", "Resumption"]

_LONG_AGO = 3600.0  # seconds after which no request of a process that is over can arrive any more
_LOOKING = 60.0  # seconds for looking, beside the time that a list may lag behind
_PLACE = ("service", "provider", "endpoint")

Origin = Mapping[str, Any]


@dataclass(slots=True)
class Resumption:
    """What an operation that was interrupted has made, and which stays.

    Attributes:
        created: Models of what is there, in order of creation, bound to their drivers.
        in_doubt: Steps of which it cannot be told; the entry stays in the journal as it was.
        errors: Why, where looking for them failed.
    """

    created: list[Any] = field(default_factory=list[Any])
    in_doubt: list[InDoubt] = field(default_factory=list[InDoubt])
    errors: list[CloudError] = field(default_factory=list[CloudError])

    def raise_if_incomplete(self) -> None:
        """Raise an error if something is still in doubt."""
        if self.errors:
            raise self.errors[0]
        if self.in_doubt:
            looked = "; ".join(str(one) for one in self.in_doubt)
            raise CloudError(f"it cannot be told whether these were made: {looked}")


class Recovery:
    """The recovery of one entry.

    Args:
        journal: Where it is.
        id: Its id.
        force: Whether to go on although its process may still run, or although the credentials
            are others than those that it was made with.

    Raises:
        NotFoundError: There is no such entry.
        ConflictError: Its process may still run.
        JournalError: The journal, or the entry, cannot be read.
    """

    def __init__(self, journal: JournalFile, id: str, *, force: bool) -> None:
        self.entry: Entry = journal.get(id)
        self._journal = journal
        self._force = force
        if self.entry.state == "damaged":
            raise JournalError(
                f"entry {id} of the journal {journal.path} is {self.entry.error}: see what it "
                f"made with `anysky journal show {id}`, remove that by hand, then forget it"
            )
        check_idle(self.entry, force=force)

    @property
    def origins(self) -> list[Origin]:
        """How the drivers are made again that are needed, each once."""
        found: list[Origin] = []
        for step in self.entry.open_steps:
            if step.origin not in found:
                found.append(step.origin)
        return found

    def chosen(self, origin: Origin, drivers: Sequence[Any]) -> Any:
        """Return the one of the caller's drivers that fits, or None."""
        for driver in drivers:
            own = origin_of(driver._backend, driver.type)
            if all(own[name] == origin.get(name) for name in _PLACE):
                return driver
        return None

    def check_whole(self, origin: Origin) -> None:
        """Refuse to make a driver again of which the journal does not know enough.

        Raises:
            JournalError: It was given what cannot be written down.
        """
        if not origin.get("is_whole"):
            raise JournalError(
                f"the driver of {origin.get('provider')!r} cannot be made again from the "
                "journal: give it as one of drivers="
            )

    def check_same(self, origin: Origin, driver: Any) -> None:
        """Refuse a driver that leads elsewhere: there, nothing would be found and all be forgotten.

        Raises:
            InvalidAccountError: Its endpoint, or its credentials, are others.
        """
        own, name = origin_of(driver._backend, driver.type), origin.get("provider")
        if own["endpoint"] != origin.get("endpoint"):
            raise InvalidAccountError(
                f"{self.entry.id} was made by {name!r} at {origin.get('endpoint')!r}, but the "
                f"settings lead to {own['endpoint']!r}: set the region as it was, or give drivers="
            )
        known = own["credentials"] and origin.get("credentials")  # neither if files have them
        if known and own["credentials"] != known and not self._force:
            raise InvalidAccountError(
                f"{self.entry.id} was made by {name!r} with other credentials; if these are of "
                "the same account, force it"
            )

    async def undo(self, drivers: Sequence[Any]) -> Rollback:
        """Take back what the entry has made, the last first.

        Args:
            drivers: One for each of `origins`.
        """
        report = Rollback()
        steps = self._steps(drivers)
        ours = [identity(thing) for step in steps for thing in step.things]
        unsure = [step for step in steps if _may_be_of_others(step, ours)]
        await undo_steps([step for step in steps if step not in unsure], report)
        for step in unsure:
            self._leave(step, report)
        self._journal.close_entry(self.entry.id, "failed")
        return report

    async def adopt(self, drivers: Sequence[Any]) -> Resumption:
        """Look for what is in doubt, and let all that is there stay.

        Args:
            drivers: One for each of `origins`.
        """
        report = Resumption()
        for step in self._steps(drivers):
            if step.state is StepState.IN_DOUBT:
                await self._look(step, report)
            if step.state is StepState.DONE:
                report.created += step.things
            elif step.state is StepState.IN_DOUBT:
                report.in_doubt.append(step.doubt)
        if not report.in_doubt:
            self._journal.close_entry(self.entry.id, "kept")
        return report

    async def _look(self, step: Step, report: Resumption) -> None:
        lag = step.backend.list_lag if step.lag is None else step.lag
        try:
            with step.terms.guard(step.operation), deadlines.grace(lag + _LOOKING):
                found = await look_for(step, lag)
        except CloudError as error:
            report.errors.append(error)
            return
        if found is None or len(found) > 1:
            return
        step.state = StepState.DONE if found else StepState.NOT_MADE
        step.thing = found[0] if found else None
        with suppress(JournalError):
            self._journal.settle(step)

    def _leave(self, step: Step, report: Rollback) -> None:
        """Report a step that is left alone."""
        step.undo_error = ConflictError(
            f"it cannot be told whether this was done: {step.what}; see for yourself, and forget it"
        )
        report.left_behind.append(step.doubt)
        report.errors.append(step.undo_error)
        with suppress(JournalError):  # it warns, and tries again with what comes next
            self._journal.settle(step)

    def _steps(self, drivers: Sequence[Any]) -> list[Step]:
        origins = self.origins
        return [
            self._step(recorded, drivers[origins.index(recorded.origin)])
            for recorded in self.entry.open_steps
        ]

    def _step(self, recorded: RecordedStep, driver: Any) -> Step:
        is_done = recorded.state == StepState.DONE.value
        is_old = time.time() - recorded.at.timestamp() > _LONG_AGO
        return Step(
            recorded.what,
            recorded.operation,
            recorded.mark,
            driver._backend,
            driver._terms,
            recorded.undo,
            recorded.undo_args,
            recorded.find,
            recorded.find_args,
            recorded.absent,
            StepState.DONE if is_done else StepState.IN_DOUBT,
            recorded.thing,
            journal=self._journal,
            ledger_id=recorded.entry,
            lag=0.0 if is_old else None,
            is_recovered=True,
        )


def _may_be_of_others(step: Step, ours: Sequence[Any]) -> bool:
    """Whether undoing a step could take apart what others have put together since.

    If a volume was there before, and nobody knows whether attaching it was even begun, then it may
    as well be attached to something else now.
    """
    if step.state is StepState.DONE or not is_blind(step):
        return False
    return not any(identity(thing) in ours for thing in step.undo_args or ())
