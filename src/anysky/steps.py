"""Steps: what an operation makes one by one, what is known of each, and what takes it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from .errors import CloudError, InvalidRequestError
from .outcomes import InDoubt
from .runtime.base import Runtime

if TYPE_CHECKING:
    from .ledger import Ledger, Scope

__all__ = [
    "MARK_TAG",
    "Effect",
    "OnPartialFailure",
    "PlannedUndo",
    "Recorder",
    "Sent",
    "Step",
    "StepState",
    "Terms",
    "Undoable",
    "check_choice",
    "identity",
    "things_of",
]

T = TypeVar("T")

OnPartialFailure = Literal["keep", "rollback"]

MARK_TAG = "anysky-op"

_MODELS = "anysky.model."


@dataclass(frozen=True, slots=True)
class Effect:
    """What takes back what an operation makes, and how that is found again.

    Attributes:
        undo: Operation that takes it back; it gets what was made, or arguments of its own.
        named: Coroutine method that returns the things of a name, as a list, for things without
            a mark; they are looked for only if there were none before.
        replaces: Whether the operation replaces a thing of the same name: then it is a step only
            if there was none before.
        blind: Whether `undo` may be called without knowing that the step was done, as it does no
            harm then.
        is_told_once: Whether the answer holds what is told only once, such as a private key: what
            is found again does not stand in for it, and the operation has failed.
    """

    undo: str
    named: str = ""
    replaces: bool = False
    blind: bool = False
    is_told_once: bool = False


class StepState(Enum):
    """What is known of a step."""

    NEW = "new"
    INTENDED = "intended"
    DONE = "done"
    IN_DOUBT = "in doubt"
    NOT_MADE = "not made"
    UNDONE = "undone"
    KEPT = "kept"


class Sent(IntEnum):
    """What became of the requests of a step."""

    NO = 0  # or refused
    UNKNOWN = 1
    ACCEPTED = 2


class Undoable(Protocol):
    """A backend, as far as steps need it."""

    @property
    def runtime(self) -> Runtime:
        """Clock, sleep, and whether it is blocking."""
        ...

    @property
    def effects(self) -> Mapping[str, Effect]:
        """What its operations make."""
        ...

    async def _find_created(
        self, operation: str, mark: str, named: Sequence[Any] | None
    ) -> list[Any] | None: ...


class Recorder(Protocol):
    """What writes steps down as they happen: the journal."""

    def intend(self, ledger: Ledger, step: Step) -> None:
        """Write down that a step is about to be tried; it is on disk when this returns.

        Raises:
            JournalError: It could not be written: the step must not be tried.
        """
        ...

    def settle(self, step: Step) -> None:
        """Write down what became of a step.

        Raises:
            JournalError: It could not be written.
        """
        ...

    def end(self, ledger: Ledger, error: BaseException | None) -> None:
        """Write down that an operation is over."""
        ...

    def begin_scope(self, scope: Scope) -> None:
        """Write down that a transaction begins."""
        ...

    def end_scope(self, scope: Scope, error: BaseException | None) -> None:
        """Write down that a transaction is over."""
        ...


def _same(thing: T) -> T:
    return thing


@dataclass(frozen=True, slots=True)
class Terms:
    """What a driver says about the ledgers of its calls.

    Attributes:
        bind: Binds a model to the driver.
        guard: Surrounds an undoing call, so that its error names provider and operation.
        choice: Whether what was made stays when the operation fails.
        journal: Where steps are written down, or None.
        origin: Tells how another process makes the driver again; no secrets.
    """

    bind: Callable[[Any], Any] = _same
    guard: Callable[[str], AbstractContextManager[Any]] = nullcontext
    choice: OnPartialFailure = "keep"
    journal: Recorder | None = None
    origin: Callable[[], Mapping[str, Any]] = dict[str, Any]


@dataclass(slots=True, eq=False)
class Step:
    """One thing that an operation makes.

    Attributes:
        what: What it makes, for people.
        operation: The operation that it is a part of, or is.
        mark: Token or tag by which the thing can be found.
        backend: Whose step it is.
        terms: What its driver says.
        undo: Method of the backend that takes it back, or empty.
        undo_args: Its arguments; None for the thing that was made.
        find: Method of the backend that looks for the thing by mark and `find_args`, or empty.
        find_args: What the thing is known by besides its mark.
        absent: Whether there was no such thing before.
        state: What is known of it.
        thing: What was made.
        undo_error: Why it could not be taken back.
        journal: Where it is written down, or None.
        ledger_id: Id of its operation there.
        lag: Seconds after which a list shows what it has made; None for the backend's figure.
        is_gone: Whether there was nothing left of it when it was to be taken back.
        is_recovered: Whether it comes from a journal: what took it back may have been killed.
    """

    what: str
    operation: str
    mark: str
    backend: Any
    terms: Terms
    undo: str = ""
    undo_args: tuple[Any, ...] | None = None
    find: str = ""
    find_args: tuple[Any, ...] = ()
    absent: bool = False
    state: StepState = StepState.NEW
    thing: Any = None
    undo_error: CloudError | None = None
    journal: Recorder | None = None
    ledger_id: str = ""
    lag: float | None = None
    is_gone: bool = False
    is_recovered: bool = False
    sent: Sent = Sent.NO

    @property
    def bound(self) -> Any:
        """What was made, bound to the driver."""
        return self.terms.bind(self.thing)

    @property
    def things(self) -> list[Any]:
        """What was made, one by one: a request may make several things at once."""
        if self.thing is None:
            return []
        several = isinstance(self.thing, list)
        return cast("list[Any]", self.bound) if several else [self.bound]

    @property
    def named(self) -> str:
        """What it makes, with the id of what was made."""
        id = getattr(self.thing, "id", None)
        return f"{self.what} ({id})" if id else self.what

    @property
    def doubt(self) -> InDoubt:
        """This step, for whoever has to look for it."""
        where = self.what
        if self.operation in getattr(self.backend, "marked", ()):
            where += f", {self.backend.marked_as}={self.mark}"
        return InDoubt(self.what, self.operation, self.mark, where)


def identity(thing: Any) -> tuple[Any, ...]:
    """Return what tells a thing from others of its kind, bound to a driver or not."""
    place = getattr(thing, "zone", None) or getattr(thing, "container", None)
    name = getattr(thing, "id", None) or getattr(thing, "name", None)
    kind = next((cls for cls in type(thing).__mro__ if cls.__module__.startswith(_MODELS)), None)
    return kind, id(thing) if name is None else name, place and identity(place)


def things_of(steps: Sequence[Step]) -> list[Any]:
    """Return what steps have made, bound to their drivers, each thing once."""
    found = {identity(thing): thing for step in steps for thing in step.things}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class PlannedUndo:
    """What leaving a transaction by an exception would do.

    Attributes:
        what: What it removes, for people.
        thing: The model, or None for a step that makes none or is in doubt.
        operation: The operation that removes it, for example ``"destroy_node"``.
        in_doubt: Whether the thing must be looked for first.
    """

    what: str
    thing: Any
    operation: str
    in_doubt: bool

    @classmethod
    def of(cls, step: Step) -> PlannedUndo:
        """Make the plan for a step."""
        thing = None if step.thing is None else step.bound
        return cls(step.named, thing, step.undo, step.state is StepState.IN_DOUBT)


def check_choice(choice: OnPartialFailure) -> OnPartialFailure:
    """Return a choice.

    Raises:
        InvalidRequestError: It is none.
    """
    if choice not in ("keep", "rollback"):
        raise InvalidRequestError(f"on_partial_failure is 'keep' or 'rollback', not {choice!r}")
    return choice
