"""The cloud that drivers share: its behaviour, its faults, and what was done with it."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from anysky.backend.compute import ComputeBackend
from anysky.backend.dns import DNSBackend
from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidRequestError, OutcomeUnknownError, ProviderUnavailableError
from anysky.model.compute import NodeImage, NodeLocation, NodeSize
from anysky.runtime.locks import ForkLock
from anysky.transport.base import Response

from .defaults import IMAGES, LOCATIONS, SIZES
from .state import Behaviour, State

__all__ = ["Call", "Cloud", "Fault"]

T = TypeVar("T")

_ANY = "*"
_CONTRACTS = (ComputeBackend, StorageBackend, DNSBackend, LoadBalancerBackend)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached the cloud; a call that is sent again is another one.

    Attributes:
        service: ``"compute"``, ``"storage"``, ``"dns"`` or ``"loadbalancer"``.
        operation: Name of the operation, for example ``"create_node"``.
        arguments: What it was called with: ids, names, numbers; no secrets and no content.
    """

    service: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Fault:
    """A rule by which calls fail.

    Attributes:
        operation: Name of the operation, or ``"*"`` for all.
        outcome: What is raised, or an answer of HTTP that takes the place of the cloud's own.
        times: How many calls fail; None for all.
        skip: How many calls work before that.
        where: Which calls it is about, or None for all of the operation.
        is_after: Whether the work is done before the call fails.
        hits: How many calls have failed by it, so that a test sees that its fault took effect.
    """

    operation: str
    outcome: BaseException | Response
    times: int | None = 1
    skip: int = 0
    where: Callable[[Call], bool] | None = None
    is_after: bool = False
    hits: int = 0

    def is_about(self, call: Call) -> bool:
        """Whether a call is one of those that this rule counts."""
        named = self.operation in (_ANY, call.operation)
        return named and (self.where is None or bool(self.where(call)))

    def takes(self) -> bool:
        """Count a call that this rule is about, and say whether it fails."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Cloud(Behaviour):
    """A cloud in memory, which several drivers, services, threads and both APIs may share.

    What is not said here is as in a strict provider: nothing is done twice, nothing that is in use
    is deleted, and names must be right. Ids depend on `seed` and the order of calls only.

    Args:
        seed: What ids are made from.
        latency: Seconds that each call takes, or seconds by operation, ``"*"`` for the others.
        page_size: See `Behaviour` for this and the next five.
        boot_seconds: How long nodes and balancers are on their way to run.
        boot_looks: The same in looks.
        list_lag: How long lists do not hold new things yet.
        list_lag_looks: The same in looks.
        lag_hides_gets: Whether that goes for getting them as well.
        sizes: Sizes of nodes, for a program that asks for those of another provider.
        images: Public images, likewise.
        locations: Locations, likewise; the first is that of what is made without one.

    Attributes:
        latency: As above; may be changed at any time, as all of `Behaviour`.
        before: Called with each `Call` before it is carried out; what it raises comes out of the
            call, which does nothing then. What it returns is awaited, if it can be.
        after: The same after it was carried out: what it raises comes out although it was.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        latency: float | Mapping[str, float] = 0.0,
        page_size: int = 100,
        boot_seconds: float = 0.0,
        boot_looks: int = 0,
        list_lag: float = 0.0,
        list_lag_looks: int = 0,
        lag_hides_gets: bool = False,
        sizes: Sequence[NodeSize] = SIZES,
        images: Sequence[NodeImage] = IMAGES,
        locations: Sequence[NodeLocation] = LOCATIONS,
    ) -> None:
        super().__init__(
            page_size, boot_seconds, boot_looks, list_lag, list_lag_looks, lag_hides_gets
        )
        self.sizes = tuple(sizes)
        self.images = tuple(images)
        self.locations = tuple(locations)
        self.latency = latency
        self.before: Callable[[Call], Any] | None = None
        self.after: Callable[[Call], Any] | None = None
        self._state = State(self, seed)
        self._lock = ForkLock()
        self._calls: list[Call] = []
        self._faults: list[Fault] = []
        self._ahead = 0.0

    def __repr__(self) -> str:
        kinds = (f"{len(things)} {kind}" for kind, things in self.inventory().items())
        return f"<Cloud: {', '.join(kinds) or 'empty'}>"

    @property
    def calls(self) -> list[Call]:
        """All calls that reached the cloud so far, in their order."""
        with self._lock:
            return list(self._calls)

    @property
    def state(self) -> State:
        """The cloud's tables, for its backends: they are safe only within `carry_out`."""
        return self._state

    def inventory(self) -> dict[str, dict[str, Any]]:
        """Return everything that exists: models by their keys, by their kind.

        Two inventories are equal if the same things exist in the same state, so that a test can
        compare what was there before and after. Kinds of which there is nothing are left out.
        """
        with self._lock:
            found = {table.kind: table.by_key() for table in self._state.tables()}
            return copy.deepcopy({kind: things for kind, things in found.items() if things})

    def quota(self, kind: str, most: int | None) -> None:
        """Allow so many things of a kind, or with None any number.

        Args:
            kind: As in `inventory`: ``"nodes"``, ``"volumes"``, ``"objects"`` …
            most: How many there may be; one more is a `QuotaExceededError`.

        Raises:
            InvalidRequestError: There is no such kind.
        """
        _check_name(kind, [table.kind for table in self._state.tables()], "kind of things")
        with self._lock:
            if most is None:
                self._state.quotas.pop(kind, None)
            else:
                self._state.quotas[kind] = most

    def fail(
        self,
        operation: str,
        *,
        times: int | None = 1,
        with_: BaseException | Response | None = None,
        skip: int = 0,
        where: Callable[[Call], bool] | None = None,
    ) -> Fault:
        """Let calls fail before anything is done.

        Args:
            operation: Name of an operation, or ``"*"`` for all.
            times: How many calls fail; None for all.
            with_: What each of them raises a copy of, a `ProviderUnavailableError` if None; or an
                answer of HTTP, which the driver repeats, waits for or makes an error of as it does
                with any provider's, for example ``Response(429, {"retry-after": "1"})``.
            skip: How many calls work before that.
            where: Says which calls of the operation it is about.

        Returns:
            The rule, whose `hits` says how many calls have failed by it.

        Raises:
            InvalidRequestError: There is no such operation.
        """
        outcome = with_ or ProviderUnavailableError("the memory cloud was told to fail")
        return self._add(Fault(operation, outcome, times, skip, where))

    def lose_answer(
        self,
        operation: str,
        *,
        times: int | None = 1,
        with_: BaseException | Response | None = None,
        skip: int = 0,
        where: Callable[[Call], bool] | None = None,
    ) -> Fault:
        """Let calls do their work and then fail, with an `OutcomeUnknownError` if not told else.

        The arguments are those of `fail`; ``with_=Response(504, {})`` is a gateway that gave up.
        What may be repeated, as reading and deleting, is sent again by the driver, as after any
        answer that was lost.
        """
        outcome = with_ or OutcomeUnknownError("the memory cloud was told to lose the answer")
        return self._add(Fault(operation, outcome, times, skip, where, is_after=True))

    def clear_faults(self) -> None:
        """Forget all rules by which calls fail."""
        with self._lock:
            self._faults.clear()

    def advance(self, seconds: float) -> None:
        """Set the cloud's clock forward, so that no test has to wait for `boot_seconds`."""
        with self._lock:
            self._ahead += seconds

    def seconds_for(self, call: Call) -> float:
        """Return how long a call takes."""
        if isinstance(self.latency, Mapping):
            return self.latency.get(call.operation, self.latency.get(_ANY, 0.0))
        return self.latency

    def arrive(self, call: Call) -> None:
        """Write down that a call has reached the cloud."""
        with self._lock:
            self._calls.append(call)

    def fault(self, call: Call, *, is_after: bool) -> Response | None:
        """Raise or return what a rule has for a call before, or after, its work."""
        with self._lock:
            rules = [rule for rule in self._faults if rule.is_after == is_after]
        about = [rule for rule in rules if rule.is_about(call)]  # may look into the cloud itself
        with self._lock:
            found = next((rule for rule in about if rule.takes()), None)
        outcome = None if found is None else copy.copy(found.outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def carry_out(self, work: Callable[[], T], now: float, time: float) -> T:
        """Do the work of one call, while no other is done.

        Args:
            work: Reads or changes the state.
            now: Monotonic seconds.
            time: Unix time in seconds.
        """
        with self._lock:
            self._state.now = now + self._ahead
            self._state.date = datetime.fromtimestamp(time + self._ahead, UTC)
            return work()

    def _add(self, fault: Fault) -> Fault:
        known = sorted({_ANY}.union(*(contract.operations() for contract in _CONTRACTS)))
        _check_name(fault.operation, known, "operation")
        with self._lock:
            self._faults.append(fault)
        return fault


def _check_name(name: str, known: list[str], what: str) -> None:
    """Refuse a name that would never mean anything."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
        raise InvalidRequestError(f"there is no {what} {name!r}{hint}")
