"""Cases of storage: a move that fails half-way loses nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

from anysky.errors import CloudError, ObjectDoesNotExistError, PartialFailureError
from anysky.transport.retry import RetryPolicy

from .case import case
from .inventory import key_of
from .storage_common import OBJECTS, content_of, new_container
from .striking import FAULTS, Fault, StruckWire, strike
from .trial import Trial, check, equal, finished

__all__: list[str] = []

_CONTENT = b"precious"
_OLD, _NEW = "old name", "new name"


@dataclass(frozen=True, slots=True)
class _Mover:
    """A driver whose requests can be struck, and where it moves things.

    Attributes:
        trial: The run of the case.
        driver: The driver.
        wire: What its requests go over.
        container: Where the object is.
    """

    trial: Trial
    driver: Any
    wire: StruckWire
    container: Any

    async def move(self, *blows: tuple[int, Fault]) -> Any:
        """Move an object that is made for it, while requests are struck."""
        source = await finished(self.container.upload_object_via_stream(_CONTENT, _OLD))
        self.wire.arm(*blows)
        try:
            return await finished(self.driver.move_object(source, self.container, _NEW))
        finally:
            self.wire.disarm()

    async def fail(self, number: int, fault: Fault) -> None:
        """Let one request of a move fail, and check where the object is."""
        try:
            moved = await self.move((number, fault))
        except CloudError as error:
            self.trial.shown += [str(error), repr(error)]
            await self._check_told(error)
        else:
            names = await self._names()
            equal((moved.name, names), (_NEW, [_NEW]), "where the object is after its move")
        await self.clear()

    async def clear(self) -> None:
        """Remove the object wherever it is."""
        for obj in await finished(self.container.list_objects()):
            await finished(obj.delete())

    async def _check_told(self, error: CloudError) -> None:
        """Check that the object is there, and is so after what was made is taken back."""
        names = await self._names()
        check(names, f"the object should be somewhere after {error!r}")
        if isinstance(error, PartialFailureError):
            named = {key_of(one)[1] for one in error.created}
            doubts = len(error.in_doubt)
            check(named <= set(names), f"what {error!r} names should be there, not only {names}")
            if len(names) > 1:
                check(_NEW in named or doubts, f"{error!r} should name the copy")
            await finished(error.rollback())
        elif len(names) > 1:
            check(error.in_doubt, f"{error!r} should tell of the copy")
        check(await self._names(), f"the object should be somewhere after a rollback of {error!r}")

    async def _names(self) -> list[str]:
        """Return under which names the object is, whole."""
        found: list[str] = []
        for name in (_OLD, _NEW):
            try:
                obj = await finished(self.container.get_object(name))
            except ObjectDoesNotExistError:
                continue
            equal(await content_of(self.trial, obj), _CONTENT, f"content of {name!r}")
            found.append(name)
        return found


@case(*OBJECTS, "copy_object")
async def a_move_that_fails_loses_nothing(trial: Trial) -> None:
    """Whichever request of a move fails: the object is there, and so it is after a rollback."""
    async with _mover(trial) as mover:
        await mover.move()
        requests = len(mover.wire.seen)
        await mover.clear()
        for number, fault in product(range(1, requests + 1), FAULTS):
            try:
                await mover.fail(number, fault)
            except Exception as error:
                error.add_note(f"when this happens to request {number}: {fault}")
                raise


@asynccontextmanager
async def _mover(trial: Trial) -> AsyncGenerator[_Mover]:
    container = await new_container(trial, is_emptied=True)
    settings = {**trial.setup.settings, "rate": 0, "retry": RetryPolicy(attempts=1)}
    driver = type(trial.driver)(**settings)
    wire = strike(driver, pauses=trial.api == "asyncio")
    try:
        yield _Mover(trial, driver, wire, container)
    finally:
        await finished(driver.close())
