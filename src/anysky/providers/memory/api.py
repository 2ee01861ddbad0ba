"""How calls get to the cloud: as requests through all layers, in this process or over HTTP."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from anysky.account import Account
from anysky.backend.base import Backend, Connection
from anysky.errors import NotFoundError
from anysky.ledger import mark_tag
from anysky.runtime.base import Runtime
from anysky.steps import MARK_TAG
from anysky.transport.base import Layer, Request, Response, Transport
from anysky.wire.status import error_for

from . import Memory
from .cloud import Call, Cloud
from .messages import ANSWER, MEDIA_TYPE, Question, read_answer
from .state import State

__all__ = ["CloudTransport", "MemoryBackend", "Order", "Result"]

T = TypeVar("T")

_Operation = Callable[..., Coroutine[Any, Any, Any]]

_WITH_BODY = ("POST", "PUT")
_REMOTE_LAG = 2.0  # seconds; what a cloud in another process was told is not known
_SECONDS_OF_A_LOOK = 2.0

_given: ContextVar[Mapping[str, Any]] = ContextVar("anysky_memory_given")


def _nothing() -> None:
    """Stand for work that there is not."""


@dataclass(slots=True)
class Order(Request):
    """A request that carries its work with it.

    Attributes:
        call: What is written down of it.
        work: Does it, in the process of the cloud.
        arguments: All arguments of the operation, for a cloud in another process.
        content: What an object shall hold.
    """

    call: Call = field(default_factory=lambda: Call("", ""), repr=False)
    work: Callable[[], Any] = field(default=_nothing, repr=False)
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    content: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Result(Response):
    """An answer that carries what the work returned."""

    value: Any = field(default=None, repr=False)


class CloudTransport:
    """Takes orders to a cloud in this process."""

    def __init__(self, cloud: Cloud, runtime: Runtime) -> None:
        self._cloud = cloud
        self._runtime = runtime

    async def send(self, request: Request) -> Response:
        """Carry an order out, or fail as the cloud was told to."""
        order = cast("Order", request)
        cloud, call, runtime = self._cloud, order.call, self._runtime
        cloud.arrive(call)
        await _hook(cloud.before, call)
        await runtime.sleep(cloud.seconds_for(call))
        refusal = cloud.fault(call, is_after=False)
        if refusal is not None:
            return refusal
        value = cloud.carry_out(order.work, runtime.now(), runtime.time())
        await _hook(cloud.after, call)
        return cloud.fault(call, is_after=True) or Result(200, {}, value=value)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class _RemoteTransport:
    """Takes orders to a cloud in another process, over HTTP."""

    def __init__(self, wire: Transport, region: str | None) -> None:
        self._wire = wire
        self._region = region

    async def send(self, request: Request) -> Response:
        """Send an order's arguments; what the cloud raises is raised here."""
        order = cast("Order", request)
        mark = mark_tag().get(MARK_TAG, "")
        question = Question(order.arguments, order.content, self._region, mark)
        response = await self._wire.send(
            Request(
                order.method,
                order.path,
                headers={"Content-Type": MEDIA_TYPE},
                body=question.write(),
                operation=order.operation,
            )
        )
        if ANSWER not in response.headers:
            return response
        return Result(response.status, {}, value=read_answer(response))

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


async def _hook(hook: Callable[[Call], Any] | None, call: Call) -> None:
    result = None if hook is None else hook(call)
    if inspect.isawaitable(result):
        await result


def _ending_in(layers: Transport, innermost: Callable[[Transport], Transport]) -> Transport:
    """Put another transport in place of the innermost one, below all layers."""
    if not isinstance(layers, Layer):
        return innermost(layers)
    layers.inner = _ending_in(layers.inner, innermost)
    return layers


def _noting(operation: _Operation) -> _Operation:
    """Let an operation keep its arguments for a cloud in another process."""

    @functools.wraps(operation)
    async def noted(self: MemoryBackend, *args: Any, **kwargs: Any) -> Any:
        if not self.account.endpoint:
            return await operation(self, *args, **kwargs)
        bound = inspect.signature(operation).bind(self, *args, **kwargs)
        token = _given.set({name: bound.arguments[name] for name in list(bound.arguments)[1:]})
        try:
            return await operation(self, *args, **kwargs)
        finally:
            _given.reset(token)

    return noted


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).decode()


class MemoryBackend(Backend):
    """What the services of the memory cloud share.

    Each operation is one request, so that retries, pace, hooks, log, spans and deadline are those
    of every provider. Its path is the operation's; parameters, or a body in JSON,
    are the arguments.

    An operation runs where the driver is. All that it does with the cloud is in the `work` that it
    hands over with its arguments: for a cloud in another process only the arguments travel, and
    the same operation is called there with them, for its work.
    """

    account: Memory

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in list(vars(cls).items()):
            if inspect.iscoroutinefunction(member) and not name.startswith("_"):
                setattr(cls, name, _noting(member))

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self.cloud = self.account.cloud
        self.transport = _ending_in(connection.transport, self._innermost)

    def _innermost(self, wire: Transport) -> Transport:
        if self.account.endpoint:
            return _RemoteTransport(wire, self.account.region)
        if isinstance(wire, CloudTransport):
            return wire
        return CloudTransport(self.cloud, self.runtime)

    if not TYPE_CHECKING:  # checkers take it for the attribute that it is in the contract

        @property
        def list_lag(self) -> float:
            """Seconds after which lists show what was made before; may change at any time."""
            if self.account.endpoint:
                return _REMOTE_LAG
            return self.cloud.list_lag + self.cloud.list_lag_looks * _SECONDS_OF_A_LOOK

    @property
    def _state(self) -> State:
        return self.cloud.state

    async def _look(self, operation: str, arguments: Mapping[str, Any], work: Callable[[], T]) -> T:
        """Do what changes nothing, and may be repeated."""
        return await self._send("GET", operation, arguments, work)

    async def _do(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        work: Callable[[], T],
        hidden: Mapping[str, Any] | None = None,
    ) -> T:
        """Do what must be done once; what is hidden is sent and not written down."""
        return await self._send("POST", operation, arguments, work, hidden)

    async def _set(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        work: Callable[[], T],
        content: bytes = b"",
    ) -> T:
        """Do what has the effect of once, however often it is done, perhaps with an object."""
        return await self._send("PUT", operation, arguments, work, content=content)

    async def _remove(
        self, operation: str, arguments: Mapping[str, Any], work: Callable[[], Any]
    ) -> None:
        """Remove a named thing; that it is gone is right if the removal was sent again."""
        try:
            await self._send("DELETE", operation, arguments, work)
        except NotFoundError as error:
            if error.attempts == 1:
                raise

    async def _send(
        self,
        method: str,
        operation: str,
        arguments: Mapping[str, Any],
        work: Callable[[], T],
        hidden: Mapping[str, Any] | None = None,
        content: bytes = b"",
    ) -> T:
        given = {name: value for name, value in arguments.items() if value not in (None, (), {})}
        has_body = method in _WITH_BODY
        order = Order(
            method,
            f"/{self.kind}/{operation}",
            params=() if has_body else [(name, _text(value)) for name, value in given.items()],
            body=_json({**given, **(hidden or {})}) if has_body else b"",
            operation=operation,
            call=Call(self.kind, operation, given),
            work=work,
            arguments=_given.get({}),
            content=content,
        )
        response = await self.transport.send(order)
        if not isinstance(response, Result):
            raise error_for(response, "the memory cloud was told to answer so")
        return copy.deepcopy(cast("T", response.value))  # nobody changes the cloud by changing it
