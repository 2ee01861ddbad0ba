"""A driver whose requests can be struck, with what must be so after a call has failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

from anysky.aio.transactions import transaction as aio_transaction
from anysky.errors import CloudError, NotFoundError, PartialFailureError
from anysky.model.storage import MultipartUpload
from anysky.outcomes import InDoubt, Rollback
from anysky.transactions import transaction
from anysky.transport.retry import RetryPolicy

from .inventory import Inventory, key_of, lists_of, take_inventory
from .making import Making, Order
from .striking import Fault, StruckWire, strike
from .trial import Trial, check, equal, finished, removal

__all__ = ["Stage", "open_stage", "open_stages"]

_NO_RETRY = RetryPolicy(attempts=1)


class Stage:
    """A driver of its own, an order to try with it, and what was there before.

    Attributes:
        trial: The run of the case.
        driver: The driver.
        wire: What its requests go over.
        start: What the account held before.
        requests: How many requests the order takes when nothing fails.
    """

    def __init__(self, trial: Trial, order: Order, **settings: Any) -> None:
        self.trial = trial
        self.driver = type(trial.driver)(**{**trial.setup.settings, "rate": 0, **settings})
        self.wire: StruckWire = strike(self.driver, pauses=trial.api == "asyncio")
        self.requests = 0
        if trial.setup.list_lag is not None:
            _set_list_lag(self.driver._backend, trial.setup.list_lag)
        self._order = order
        self._lists: list[str] = [*lists_of(self.driver), *order.lists]
        self._everything = self.start = Inventory({}, {}, frozenset())
        self._returned = ""
        self._made: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        """Make it once without a failure, to see what it takes and what it makes.

        The lists in which that shows are asked for after each failure, all of them at the end.
        """
        self.start = self._everything = await self.inventory()
        self.wire.arm()
        thing = await self.make()
        self.requests = len(self.wire.seen)
        self._returned = str(key_of(thing)[0])
        now = await self.inventory()
        self._made = Counter(now.beyond(self.start).kinds())
        await self._remove(thing)
        kinds = now.difference(self.start)
        self._lists = [*lists_of(self.driver, kinds), *self._order.lists]
        self.start = await self.inventory()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._lists = [*lists_of(self.driver), *self._order.lists]
                self.start = self._everything
                await self.check_restored("after all failures")
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the driver."""
        await finished(self.driver.close())

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        """Open a transaction of the trial's API."""
        if self.trial.api == "asyncio":
            async with aio_transaction() as block:
                yield block
        else:
            with transaction() as block:
                yield block

    async def make(self) -> Any:
        """Make it, and fail if what goes wrong is not told by a `CloudError`."""
        try:
            return await finished(self._order.make(self.driver))
        except CloudError as error:
            self._look_at(error)
            raise
        except Exception as error:
            raise AssertionError(f"{error!r} should be a CloudError") from error

    async def inventory(self) -> Inventory:
        """Return what the account holds."""
        others = self.trial.setup.others
        return await take_inventory(self.driver, self._lists, others() if others else ())

    async def fail(self, *strikes: tuple[int, Fault]) -> None:
        """Make it while requests are struck, and check what is there afterwards."""
        self.wire.arm(*strikes)
        try:
            thing = await self.make()
        except CloudError as error:
            await self.check_told(error)
        else:
            await self.check_made(thing)

    async def check_made(self, thing: Any) -> None:
        """Check that it was made just once, and remove it."""
        self.wire.disarm()

        def is_there(now: Inventory) -> bool:
            return Counter(now.beyond(self.start).kinds()) == self._made

        await self._until(is_there, f"what is made without a failure ({dict(self._made)})")
        await self._remove(thing)

    async def check_told(self, error: BaseException | None) -> None:
        """Check that an error names exactly what is there, and takes it back."""
        self.wire.disarm()
        created: list[Any] = error.created if isinstance(error, PartialFailureError) else []
        doubts = list(error.in_doubt) if isinstance(error, CloudError) else []
        if not isinstance(error, CloudError) or not (created or doubts or _is_partial(error)):
            await self.check_nothing(error)
            return
        self._check_message(error)
        await self._until(
            lambda now: self._is_told(now, created, len(doubts)),
            f"what {error!r} names ({created!r}, in doubt {doubts!r})",
        )
        await self.take_back(error, created, len(doubts))
        await self.check_restored(f"after the rollback of {error!r}")

    async def check_nothing(self, error: BaseException | None) -> None:
        """Check that nothing was made, as an error names nothing."""
        await self.check_restored(f"after {error!r}, which names nothing")

    async def take_back(self, error: CloudError, created: list[Any], doubts: int) -> None:  # noqa: ARG002 - the journal needs them
        """Roll an error back, twice; or remove what it only has in doubt."""
        if isinstance(error, PartialFailureError):
            await self._roll_back(error)
        else:
            await self._clear()

    async def check_rolled_back(self, error: BaseException | None) -> None:
        """Check that all was taken back but what an error says of which that cannot be known."""
        self.wire.disarm()
        left = error.left_behind if isinstance(error, PartialFailureError) else []
        await self.check_left(left)
        if isinstance(error, CloudError) and not _is_partial(error):
            equal(list(error.in_doubt), [], f"in_doubt of {error!r}, as all was taken back")
        await self.check_restored(f"after {error!r}")

    async def check_restored(self, when: str) -> None:
        """Check that the account holds what it held at the start."""
        await self._until(lambda now: now == self.start, f"what was there at the start, {when}")

    async def _roll_back(self, error: PartialFailureError) -> None:
        report: Rollback = await finished(error.rollback())
        equal(error.left_behind, report.left_behind, f"left_behind of {error!r}")
        await self.check_left(report.left_behind)
        sent = len(self.wire.changes)
        again: Rollback = await finished(error.rollback())
        equal(again.undone, [], f"what a second rollback of {error!r} removes")
        equal(self.wire.changes[sent:], [], f"what a second rollback of {error!r} sends")

    async def check_left(self, left: list[Any]) -> None:
        """Check that only such is left of which nobody can know whether it is ours; remove it."""
        if not left:
            return
        sure = [thing for thing in left if not isinstance(thing, InDoubt)]
        if not self._order.replaces:
            equal(sure, [], "what a rollback leaves behind")
        rest = (await self.inventory()).beyond(self.start)
        extra = len(rest.kinds()) - len(left) - sum(self._companions().values())
        check(extra <= 0, f"a rollback should leave behind no more than {left!r}, not {rest}")
        await self._clear()

    def _is_told(self, now: Inventory, named: list[Any], doubts: int) -> bool:
        keys = {key_of(thing) for thing in named}
        kinds = {key[0] for key in keys}
        rest = now.beyond(self.start)
        known = {key for key in keys if key[0] in self._made}
        has_more = doubts or self._returned in kinds
        companions = self._companions() if has_more else Counter[str]()
        unnamed = Counter([str(key_of(thing)[0]) for thing in rest.without(keys)]) - companions
        return known <= set(rest.things) and unnamed.total() <= doubts and self._is_kept(now)

    def _is_kept(self, now: Inventory) -> bool:
        return set(self.start.things) <= set(now.things) and self.start.others <= now.others

    def _companions(self) -> Counter[str]:
        """Return what the provider itself makes with it: the disk of a node, for example."""
        return self._made - Counter([self._returned])

    def _check_message(self, error: CloudError) -> None:
        check(error.operation, f"{error!r} should name its operation")
        equal(error.provider, self.driver.api_name, f"provider that {error!r} names")

    def _look_at(self, error: CloudError) -> None:
        self.trial.shown += [str(error), repr(error), repr(vars(error))]

    async def _remove(self, thing: Any) -> None:
        await finished(self._removal(thing))
        if await self.inventory() != self.start:
            await self._clear()
            await self.check_restored(f"after {thing!r} was removed")

    async def _clear(self) -> None:
        """Remove by hand whatever is there beyond the start."""
        now = await self.inventory()
        if now.changes(self.start):
            await finished(self._removal(None))
        added = now.beyond(self.start).things
        for key, thing in added.items():
            if key[-1] in added:  # it goes with what it is in
                continue
            with suppress(NotFoundError):
                await finished(self._removal(thing))

    def _removal(self, thing: Any) -> Any:
        if isinstance(thing, MultipartUpload):
            return self.driver.abort_multipart_upload(thing)
        remove = self._order.remove
        is_ours = thing is None or key_of(thing)[0] == self._returned
        return remove(self.driver, thing) if remove is not None and is_ours else removal(thing)

    async def _until(self, done: Callable[[Inventory], bool], what: str) -> None:
        end = time.monotonic() + self.trial.setup.patience
        while not done(now := await self.inventory()):
            found = f"but {now.beyond(self.start)} came in addition"
            gone = [thing for key, thing in self.start.things.items() if key not in now.things]
            changed = now.changes(self.start)
            found += f", {gone!r} is gone" if gone else ""
            found += f", {changed!r} has changed" if changed else ""
            check(time.monotonic() < end, f"there should be {what}; {found}")
            await self.trial.pause()


@asynccontextmanager
async def open_stages(
    making: Making, trial: Trial, *all_settings: dict[str, Any], kind: type[Stage] = Stage
) -> AsyncGenerator[list[Stage]]:
    """Open a stage for something with each of some settings; none if it cannot be tried."""
    order = await making.prepare(trial)
    async with AsyncExitStack() as stack:
        stages: list[Stage] = []
        if order is not None:
            for settings in all_settings:
                stage = kind(trial, order, **{"retry": _NO_RETRY, **settings})
                stages.append(await stack.enter_async_context(stage))
        yield stages


@asynccontextmanager
async def open_stage(making: Making, trial: Trial, **settings: Any) -> AsyncGenerator[Stage | None]:
    """Open the stage for something; None if the suite has nothing to try it with."""
    async with open_stages(making, trial, settings) as stages:
        yield stages[0] if stages else None


def _is_partial(error: CloudError) -> bool:
    return isinstance(error, PartialFailureError)  # perhaps of what has no model


def _set_list_lag(backend: Any, seconds: float) -> None:
    """Let a backend declare another lag, also where it computes its own."""
    cls = backend.__class__
    backend.__class__ = type(cls.__name__, (cls,), {"list_lag": seconds})
