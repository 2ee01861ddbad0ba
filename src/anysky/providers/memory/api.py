"""How calls get to the cloud: as requests through all layers, which go to no network."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import msgspec

from anysky.account import Account
from anysky.backend.base import Backend, Connection
from anysky.errors import NotFoundError
from anysky.runtime.base import Runtime
from anysky.transport.base import Layer, Request, Response, Transport
from anysky.wire.status import error_for

from . import Memory
from .cloud import Call, Cloud
from .state import State

__all__ = ["MemoryBackend"]

T = TypeVar("T")

_WITH_BODY = ("POST", "PUT")


def _nothing() -> None:
    """Stand for work that there is not."""


@dataclass(slots=True)
class _Order(Request):
    """A request that carries its work with it."""

    call: Call = field(default_factory=lambda: Call("", ""), repr=False)
    work: Callable[[], Any] = field(default=_nothing, repr=False)


@dataclass(slots=True)
class _Result(Response):
    """An answer that carries what the work returned."""

    value: Any = field(default=None, repr=False)


class _CloudTransport:
    """Takes orders to a cloud in this process."""

    def __init__(self, cloud: Cloud, runtime: Runtime) -> None:
        self._cloud = cloud
        self._runtime = runtime

    async def send(self, request: Request) -> Response:
        """Carry an order out, or fail as the cloud was told to."""
        order = cast("_Order", request)
        cloud, call, runtime = self._cloud, order.call, self._runtime
        cloud.arrive(call)
        await _hook(cloud.before, call)
        await runtime.sleep(cloud.seconds_for(call))
        refusal = cloud.fault(call, is_after=False)
        if refusal is not None:
            return refusal
        value = cloud.carry_out(order.work, runtime.now(), runtime.time())
        await _hook(cloud.after, call)
        return cloud.fault(call, is_after=True) or _Result(200, {}, value=value)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


async def _hook(hook: Callable[[Call], Any] | None, call: Call) -> None:
    result = None if hook is None else hook(call)
    if inspect.isawaitable(result):
        await result


def _ending_in(layers: Transport, innermost: Transport) -> Transport:
    """Put another transport in place of the innermost one, below all layers."""
    if not isinstance(layers, Layer):
        return innermost
    layers.inner = _ending_in(layers.inner, innermost)
    return layers


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).decode()


class MemoryBackend(Backend):
    """What the services of the memory cloud share.

    Each operation is one request, so that retries, pace, hooks, log, spans and deadline are those
    of every provider. Its path is the operation's; parameters, or a body in JSON,
    are the arguments.
    """

    account: Memory

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self.cloud = self.account.cloud
        innermost = _CloudTransport(self.cloud, self.runtime)
        self.transport = _ending_in(connection.transport, innermost)

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

    async def _set(self, operation: str, arguments: Mapping[str, Any], work: Callable[[], T]) -> T:
        """Do what has the effect of once, however often it is done."""
        return await self._send("PUT", operation, arguments, work)

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
    ) -> T:
        given = {name: value for name, value in arguments.items() if value not in (None, (), {})}
        has_body = method in _WITH_BODY
        order = _Order(
            method,
            f"/{self.kind}/{operation}",
            params=() if has_body else [(name, _text(value)) for name, value in given.items()],
            body=_json({**given, **(hidden or {})}) if has_body else b"",
            operation=operation,
            call=Call(self.kind, operation, given),
            work=work,
        )
        response = await self.transport.send(order)
        if not isinstance(response, _Result):
            raise error_for(response, "the memory cloud was told to answer so")
        return copy.deepcopy(cast("T", response.value))  # nobody changes the cloud by changing it
