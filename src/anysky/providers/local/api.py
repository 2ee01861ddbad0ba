"""How calls get to the files: as requests through all layers, to a transport that does the work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from anysky.account import Account
from anysky.backend.base import Backend, Connection
from anysky.errors import CloudError, NotFoundError
from anysky.transport.base import Body, ByteStream, Layer, Request, Response, Transport
from anysky.wire.status import error_for

from . import Local
from .containers import Root
from .failures import cloud_error
from .streams import check_in_time
from .threads import finished

__all__ = ["FileTransport", "LocalBackend", "Order", "Result"]

T = TypeVar("T")

_Work = Callable[[], Coroutine[Any, Any, Any]]


async def _nothing() -> None:
    """Stand for work that there is not."""


@dataclass(slots=True)
class Order(Request):
    """A request that carries its work with it.

    Attributes:
        work: Does it.
    """

    work: _Work = field(default=_nothing, repr=False)


@dataclass(slots=True)
class Result(Response):
    """An answer that carries what the work returned."""

    value: Any = field(default=None, repr=False)


class FileTransport:
    """Carries orders out."""

    async def send(self, request: Request) -> Response:
        """Do an order's work; what the system refuses is raised as an error of ours."""
        check_in_time()
        try:
            value = await cast("Order", request).work()
        except OSError as error:
            if isinstance(error, CloudError):
                raise
            raise cloud_error(error) from error
        stream = cast("ByteStream", value) if request.stream else None
        return Result(200, {}, stream=stream, value=value)

    async def close(self) -> None:
        """Do nothing: nothing is kept open."""


class LocalBackend(Backend):
    """What the service of local files is made of.

    Each operation is one request, so that hooks, log, spans, deadline and ledger are those of every
    provider; the innermost transport does the work that the request carries. What blocks runs in a
    thread, to its end even if the caller is cancelled: nothing goes on behind the caller's back.
    """

    account: Local
    list_lag = 0.0

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self.transport = _ending_in(connection.transport, FileTransport())
        self._root = Root(str(self.account.path))

    async def _run(self, function: Callable[[], T]) -> T:
        """Run a function that blocks."""
        return await finished(self.runtime, function)

    async def _look(
        self, operation: str, arguments: Mapping[str, str | None], function: Callable[[], T]
    ) -> T:
        """Do what changes nothing."""
        return cast("T", await self._send("GET", operation, arguments, self._job(function)))

    async def _do(
        self,
        method: str,
        operation: str,
        arguments: Mapping[str, str | None],
        function: Callable[[], T],
    ) -> T:
        """Do what changes something, with a function that blocks."""
        return cast("T", await self._send(method, operation, arguments, self._job(function)))

    async def _remove(
        self, operation: str, arguments: Mapping[str, str | None], function: Callable[[], None]
    ) -> None:
        """Remove something; that it is gone is right if the removal was tried before."""
        try:
            await self._do("DELETE", operation, arguments, function)
        except NotFoundError as error:
            if error.attempts == 1:
                raise

    async def _send(
        self,
        method: str,
        operation: str,
        arguments: Mapping[str, str | None],
        work: _Work,
        *,
        body: bytes | Body = b"",
        stream: bool = False,
    ) -> Any:
        order = Order(
            method,
            f"/storage/{operation}",
            params=[(name, value) for name, value in arguments.items() if value is not None],
            body=body,
            stream=stream,
            operation=operation,
            work=work,
        )
        response = await self.transport.send(order)
        if not isinstance(response, Result):
            raise error_for(response, "something between the driver and its files answered so")
        return response.value

    def _job(self, function: Callable[[], Any]) -> _Work:
        return partial(finished, self.runtime, function)


def _ending_in(layers: Transport, innermost: Transport) -> Transport:
    """Put a transport in place of the innermost one, below all layers."""
    if not isinstance(layers, Layer):
        return innermost
    layers.inner = _ending_in(layers.inner, innermost)
    return layers
