"""The ledger: what an operation makes, step by step, so that it can be told and taken back.

The driver opens a ledger for every call that makes something. The one request of a simple
operation needs nothing more: what undoes it stands in the contract, in `Backend.effects`. A backend
that makes several things in one operation says so::

    async def create_node(self, spec):
        async with self.ledger("create_node") as ledger:
            address = await ledger.step(
                "floating IP", self._allocate(), undo=self.delete_floating_ip
            )
            node = await ledger.step("node", self._create(spec), undo=self.destroy_node)
            await ledger.step("attachment", self._assign(address, node), undo=self.…, undo_args=…)
        return node

A step is one request that makes something. Its `mark` goes into that request, as a token or tag,
so that what was made can be found again if the answer is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeVar

from . import deadlines, interruption
from .errors import (
    CloudError,
    JournalError,
    MalformedResponseError,
    OutcomeUnknownError,
    PartialFailureError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from .outcomes import Rollback
from .runtime.base import Runtime
from .steps import (
    MARK_TAG,
    Effect,
    Recorder,
    Sent,
    Step,
    StepState,
    Terms,
    things_of,
)
from .transport.base import Body, Layer, Request, Response, SendClass, Transport

__all__ = [
    "OTHER_API",
    "Ledger",
    "LedgerLayer",
    "Scope",
    "current_ledger",
    "current_scope",
    "enter_scope",
    "fresh_mark",
    "leave_scope",
    "mark",
    "mark_tag",
    "unnoted",
]

T = TypeVar("T")

OTHER_API = (
    "drivers of the asyncio API need anysky.aio.transaction(), the others anysky.transaction()"
)

_FIRST_REFUSAL, _FIRST_FAILURE, _UNAVAILABLE = 400, 500, 503
_LOOKING = 20.0  # seconds for looking, beside the time that a list may lag behind
_UNKNOWN = (OutcomeUnknownError, UnsafeResponseError, MalformedResponseError)
# The others are what reading an answer that is not as promised raises.
_LOOKED_FOR = (CloudError, LookupError, ValueError, RecursionError, ArithmeticError)


class Scope:
    """What several operations make, until it is decided whether it stays: see `transaction`.

    Attributes:
        parent: The scope that this one is in, or None.
        recorder: Where steps are written down, or None.
        id: Its id there.
    """

    def __init__(self) -> None:
        self.parent: Scope | None = None
        self.recorder: Recorder | None = None
        self.id = fresh_mark()[:12]

    def admit(self, runtime: Runtime, journal: Recorder | None) -> None:
        """Say whether a call may begin; raises what speaks against it."""

    def adopt(self, steps: Sequence[Step]) -> bool:
        """Take over the steps of an operation that is over; False if they must be undone now."""
        raise NotImplementedError


_ledger: ContextVar[Ledger | None] = ContextVar("anysky_ledger", default=None)
_step: ContextVar[Step | None] = ContextVar("anysky_step", default=None)
_scope: ContextVar[Scope | None] = ContextVar("anysky_scope", default=None)


def current_ledger() -> Ledger | None:
    """Return the ledger of the running call, or None."""
    return _ledger.get()


def current_scope() -> Scope | None:
    """Return the innermost transaction that the caller is in, or None."""
    return _scope.get()


def enter_scope(scope: Scope | None) -> Token[Scope | None]:
    """Let the calls that follow belong to a scope."""
    return _scope.set(scope)


def leave_scope(token: Token[Scope | None]) -> None:
    """End what `enter_scope` began."""
    _scope.reset(token)


def mark() -> str:
    """Return the mark of the running step, for a token or tag: 32 hexadecimal digits."""
    step = _running()
    return fresh_mark() if step is None else step.mark


def mark_tag() -> dict[str, str]:
    """Return the mark of the running step as a tag; nothing outside of a call."""
    step = _running()
    return {} if step is None else {MARK_TAG: step.mark}


@contextmanager
def unnoted() -> Generator[None]:
    """Let requests go that make nothing that lasts, or take back what a step has made."""
    token = _ledger.set(None)
    try:
        yield
    finally:
        _ledger.reset(token)


def fresh_mark() -> str:
    """Return a mark that nobody else has."""
    return os.urandom(16).hex()


def _running() -> Step | None:
    step = _step.get()
    if step is None:
        ledger = _ledger.get()
        step = None if ledger is None else ledger.own
    return step


class Ledger:
    """The steps of one call; see `Backend.ledger`.

    Args:
        backend: Whose operation it is.
        operation: Its name.
        terms: What the driver says.
        own: Whether the operation itself is a step, as `Backend.effects` has it.
        what: What it makes, for people.
        undo_args: Arguments of what undoes it; None for what was made.
        named: What the thing is known by besides its mark.
    """

    def __init__(
        self,
        backend: Any,
        operation: str,
        terms: Terms | None = None,
        *,
        own: bool = False,
        what: str = "",
        undo_args: tuple[Any, ...] | None = None,
        named: tuple[Any, ...] = (),
    ) -> None:
        self.backend = backend
        self.operation = operation
        self.terms = terms or Terms()
        self.id = fresh_mark()[:12]
        self.steps: list[Step] = []
        self.scope = _scope.get()
        self.interruption = interruption.Interruption()
        self.failed_step = ""
        self.own: Step | None = None
        effect: Effect | None = backend.effects.get(operation) if own else None
        if effect is not None:
            self.own = self._new(what or operation, effect.undo, undo_args, "", named)

    @property
    def journal(self) -> Recorder | None:
        """Where steps are written down: the transaction's journal, else the driver's."""
        scope = self.scope
        return scope.recorder if scope and scope.recorder else self.terms.journal

    async def __aenter__(self) -> Self:
        if self.scope is not None:
            self.scope.admit(self.backend.runtime, self.terms.journal)
        self._ledger_token = _ledger.set(self)
        self._step_token = _step.set(None)
        self._interruption_token = interruption.current.set(self.interruption)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interruption.current.reset(self._interruption_token)
        _step.reset(self._step_token)
        _ledger.reset(self._ledger_token)
        pending, self.interruption.pending = self.interruption.pending, None
        if pending is not None:
            error = pending
        kept = self.scope is None or self.scope.adopt(self.steps)
        if error is None and kept:
            self._close(None)
            return
        partial = await self._partial(error, undo=not kept or self.terms.choice == "rollback")
        self._close(error)
        if partial is None:
            if pending is not None:
                raise pending
            return
        if error is None or (isinstance(error, Exception) and error is not pending):
            raise partial from error
        error.__cause__ = partial
        if pending is not None:
            raise pending

    async def run(self, operation: Coroutine[Any, Any, T]) -> T:
        """Run an operation of the backend within this ledger."""
        try:
            async with self:
                if self.own is None:
                    return await operation
                await self._look_before(self.own)
                return await (self._try(self.own, operation) if self.own else operation)
        finally:
            operation.close()

    async def step(
        self,
        what: str,
        make: Coroutine[Any, Any, T],
        undo: Callable[..., Coroutine[Any, Any, Any]] | None = None,
        *,
        undo_args: tuple[Any, ...] | None = None,
        find: Callable[..., Coroutine[Any, Any, list[Any]]] | None = None,
        find_args: tuple[Any, ...] = (),
    ) -> T:
        """Do one step and note what it made.

        Args:
            what: What it makes, for people: ``"floating IP"``.
            make: Sends the request and returns the model of what was made; nothing else. For an
                operation that stands in `Backend.effects`, nothing further is needed.
            undo: Method of the backend that takes it back. It must do with models without
                `extra`, and raise `NotFoundError` for what is gone already.
            undo_args: Its arguments: models, texts, numbers; by default what `make` returned.
            find: Method of the backend that is called with the mark and `find_args` and returns
                what it finds, for when the answer is lost.
            find_args: Further arguments of `find`.

        Returns:
            What `make` returned, or what was found in its place.

        Raises:
            JournalError: The intent could not be written down; nothing was sent.
        """
        kind = getattr(make, "__name__", "")
        effect: Effect | None = self.backend.effects.get(kind)
        step = self._new(what, _name_of(undo), undo_args, _name_of(find), find_args)
        step.absent = find is not None
        if effect is not None:
            step.operation = kind
            step.undo = step.undo or effect.undo
        try:
            token = _step.set(step)
            try:
                self.intend(step)
                return await self._try(step, make)
            finally:
                _step.reset(token)
        finally:
            make.close()

    def forget(self, thing: Any) -> None:
        """Note that what a step has made is gone, or has become a part of something else."""
        for step in self.steps:
            if step.thing is thing:
                self._settle(step, StepState.UNDONE, thing)

    def intend(self, step: Step) -> None:
        """Write down that a step is about to be tried, once."""
        if step.state is not StepState.NEW:
            return
        step.journal = self.journal
        if step.journal is not None:
            step.journal.intend(self, step)
        step.state = StepState.INTENDED
        self.steps.append(step)

    def _new(
        self,
        what: str,
        undo: str,
        undo_args: tuple[Any, ...] | None,
        find: str,
        find_args: tuple[Any, ...],
    ) -> Step:
        return Step(
            what,
            self.operation,
            fresh_mark(),
            self.backend,
            self.terms,
            undo,
            undo_args,
            find,
            find_args,
            ledger_id=self.id,
        )

    async def _look_before(self, step: Step) -> None:
        """Note that there is no such thing yet, where only its name will tell that it is ours."""
        effect: Effect = self.backend.effects[step.operation]
        matters = self.scope or self.journal or self.terms.choice == "rollback"
        if effect.named and matters and step.operation not in self.backend.marked:
            with suppress(UnsupportedOperationError):
                step.absent = not await getattr(self.backend, effect.named)(*step.find_args)
                if not step.absent:
                    self.own = None  # what is there already is not ours to remove
        if effect.replaces and not step.absent:
            step.undo = ""  # nothing brings back what is replaced
            if matters:
                self.own = None

    async def _try(self, step: Step, make: Coroutine[Any, Any, T]) -> T:
        try:
            thing = await make
        except BaseException as error:  # noqa: BLE001 - it is raised again, or the thing was found
            thing = await self._failed(step, error)
        self._settle(step, StepState.DONE, thing)
        self.interruption.check()
        return thing

    async def _failed(self, step: Step, error: BaseException) -> Any:
        """Return what a failed step has made all the same, or raise its error."""
        if step.state is StepState.NEW:  # nothing was sent
            raise error
        if step.sent is Sent.NO:
            self._fail(step, StepState.NOT_MADE)
            raise error
        if self.interruption.pending is not None or not isinstance(error, _LOOKED_FOR):
            self._fail(step, StepState.IN_DOUBT)
            self.interruption.check()
            raise error
        try:
            found = await self._look(step, error)
        except BaseException:  # interrupted once more
            self._fail(step, StepState.IN_DOUBT)
            raise
        if found:
            effect: Effect | None = self.backend.effects.get(step.operation)
            if effect is None or not effect.is_told_once:
                return found[0]
            self._fail(step, StepState.DONE, found[0])
            raise error
        self._fail(step, StepState.IN_DOUBT if found is None else StepState.NOT_MADE)
        if found is None and isinstance(error, CloudError):
            error.in_doubt = [step.doubt]
        raise error

    async def _look(self, step: Step, error: BaseException) -> list[Any] | None:
        """Look for what a step may have made; None if that cannot be known."""
        from .undoing import look_for

        # An answer 500 mostly means that nothing was done: it is not worth a long wait.
        status = 0 if isinstance(error, _UNKNOWN) else getattr(error, "status", None) or 0
        lag = 0.0 if status >= _FIRST_FAILURE else self.backend.list_lag
        try:
            with deadlines.grace(lag + _LOOKING):
                found = await look_for(step, lag)
        except CloudError:
            return None
        # Where two are found, the provider has made it twice: rolling back removes both.
        return found if found is None or len(found) < 2 else None  # noqa: PLR2004

    def _fail(self, step: Step, state: StepState, thing: Any = None) -> None:
        self.failed_step = step.what
        with suppress(JournalError):  # it has the intent, and the step's own error matters more
            self._settle(step, state, thing)

    def _settle(self, step: Step, state: StepState, thing: Any) -> None:
        if step.state is not StepState.NEW:  # a call that sends nothing makes nothing
            step.state, step.thing = state, thing
            if step.journal is not None:
                step.journal.settle(step)

    async def _partial(
        self, error: BaseException | None, *, undo: bool
    ) -> PartialFailureError | None:
        from .undoing import start_undoing, undo_steps

        made = [step for step in self.steps if step.state is StepState.DONE]
        doubts = [step for step in self.steps if step.state is StepState.IN_DOUBT]
        simple = self.own is not None and len(self.steps) == 1
        if not made and (not doubts or (simple and isinstance(error, CloudError) and not undo)):
            return None
        partial = PartialFailureError(
            _message(self, made, doubts, error),
            created=things_of(made),
            in_doubt=[step.doubt for step in doubts],
            failed_step=self.failed_step or self.operation,
            journal_id=self.id if self.journal is not None else "",
            operation=self.operation,
            **_details(error),
        )
        partial._undo = lambda: start_undoing(self.backend.runtime, self.steps, partial)  # pyright: ignore[reportPrivateUsage]
        if undo:
            await self.backend.runtime.finish(undo_steps(self.steps, Rollback(), partial))
        return partial

    def _close(self, error: BaseException | None) -> None:
        if self.steps and self.steps[0].journal is not None:
            self.steps[0].journal.end(self, error)


def _name_of(method: Callable[..., Any] | None) -> str:
    return "" if method is None else str(method.__name__)


def _details(error: BaseException | None) -> dict[str, Any]:
    if not isinstance(error, CloudError):
        return {}
    return {
        "provider": error.provider,
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
        "body": error.body,
        "headers": error.headers,
    }


def _message(
    ledger: Ledger,
    made: Sequence[Step],
    doubts: Sequence[Step],
    error: BaseException | None,
) -> str:
    """Say what was made, what failed, and what to do."""
    parts: list[str] = []
    if made:
        parts.append(f"made {_listed([step.named for step in made])}")
    if doubts:
        parts.append(f"perhaps made {_listed([str(step.doubt) for step in doubts])}")
    advice = "`rollback()` of this error removes it again"
    return f"{' and '.join(parts)}; then {_failure(ledger, error)}; {advice}"


def _failure(ledger: Ledger, error: BaseException | None) -> str:
    if error is None:
        return "the transaction was over"
    if not isinstance(error, Exception):
        return f"came {type(error).__name__}"
    why = error.message if isinstance(error, CloudError) else f"{type(error).__name__}: {error}"
    return f"{ledger.failed_step or ledger.operation} failed: {why}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class LedgerLayer(Layer):
    """Notes what is sent for the running step; lies directly above the wire.

    A request that makes something is awaited to its end even if the caller is cancelled.
    """

    def __init__(self, inner: Transport, runtime: Runtime) -> None:
        super().__init__(inner)
        self._runtime = runtime

    async def send(self, request: Request) -> Response:
        """Send a request, after the intent is written down where it makes something."""
        ledger = _ledger.get()
        if ledger is None:
            return await self.inner.send(request)
        ledger.interruption.check()
        step = _step.get() or ledger.own
        if step is None or request.send_class is SendClass.SAFE:
            return await self.inner.send(request)
        ledger.intend(step)
        before, step.sent = step.sent, max(step.sent, Sent.UNKNOWN)
        sending = self.inner.send(request)
        try:
            if isinstance(request.body, Body):  # it may be long, and what it makes has a name
                response = await sending
            else:
                response = await self._runtime.to_end(sending, ledger.interruption)
        except CloudError as error:
            if not isinstance(error, _UNKNOWN):
                step.sent = before
            raise
        if response.status < _FIRST_REFUSAL:
            step.sent = Sent.ACCEPTED
        elif response.status < _FIRST_FAILURE or response.status == _UNAVAILABLE:
            step.sent = before
        return response
