"""Cases of failure with a journal: it must name what the error names, and take it back."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anysky
import anysky.aio
from anysky.errors import CloudError, NotFoundError
from anysky.outcomes import Rollback

from .inventory import key_of
from .making import Making, Order
from .stage import Stage, open_stages
from .trial import Trial, equal, finished

__all__ = ["RecordedStage", "open_recorded_stage"]


class RecordedStage(Stage):
    """A stage whose driver has a journal, by which what was made is taken back."""

    def __init__(self, trial: Trial, order: Order, *, folder: str, **settings: Any) -> None:
        kind = anysky.aio.Journal if trial.api == "asyncio" else anysky.Journal
        self.journal: Any = kind(Path(folder, f"{trial.api}.journal"))
        super().__init__(trial, order, journal=self.journal, **settings)

    async def close(self) -> None:
        """Close the journal and the driver."""
        self.journal.close()
        await super().close()

    async def check_made(self, thing: Any) -> None:
        """Check that the journal does not keep what ended well, besides the rest."""
        equal(
            self.journal.entries(all=True), [], f"entries of the journal after {thing!r} was made"
        )
        await super().check_made(thing)

    async def take_back(self, error: CloudError, created: list[Any], doubts: int) -> None:
        """Check that the journal names the same as an error, and take it back by the journal."""
        entries = self.journal.entries(all=True)
        equal(len(entries), 1, f"number of entries of the journal after {error!r}")
        [entry] = entries
        steps = [step for step in entry.open_steps if step.state == "done"]
        things = [thing for step in steps for thing in _listed(step.thing)]
        named = {key_of(thing) for thing in things}
        equal(named, {key_of(thing) for thing in created}, f"what the journal has of {error!r}")
        equal(len(entry.open_steps) - len(steps), doubts, f"doubts of the journal after {error!r}")
        report: Rollback = await finished(
            self.journal.rollback(entry.id, drivers=[self.driver], force=True)
        )
        await self.check_left(report.left_behind)
        if report.left_behind:
            self.journal.forget(entry.id)
        equal(self.journal.entries(all=True), [], "entries of the journal after the rollback")
        await self._check_gone(entry.id)

    async def check_nothing(self, error: BaseException | None) -> None:
        """Check that the journal names nothing either."""
        equal(self.journal.entries(all=True), [], f"entries of the journal after {error!r}")
        await super().check_nothing(error)

    async def _check_gone(self, id: str) -> None:
        sent = len(self.wire.changes)
        try:
            await finished(self.journal.rollback(id, drivers=[self.driver]))
        except NotFoundError:
            equal(self.wire.changes[sent:], [], "what a second rollback by the journal sends")
        else:
            raise AssertionError("an entry that was rolled back should be gone")


@asynccontextmanager
async def open_recorded_stage(making: Making, trial: Trial) -> AsyncGenerator[Stage | None]:
    """Open a stage with a journal of its own; None if it cannot be tried."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_stages(making, trial, {"folder": folder}, kind=RecordedStage) as stages:
            yield stages[0] if stages else None


def _listed(thing: Any) -> list[Any]:
    if type(thing) is list:
        return [*thing]
    return [] if thing is None else [thing]
