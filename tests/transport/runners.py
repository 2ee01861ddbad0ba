"""One test for both APIs: a runner makes the transport of one of them and runs coroutines."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from anysky.calling import connect_backend
from anysky.run import run
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.base import Limits, Request, Response
from anysky.transport.blocking import BlockingTransport
from anysky.transport.settings import HTTPSettings

__all__ = ["RUNNERS", "AsyncioRunner", "BlockingRunner", "connect_backend", "get", "post"]


class BlockingRunner:
    """Runs coroutines as the blocking API does."""

    name = "blocking"
    transport_class: Any = BlockingTransport
    runtime_class: Any = BlockingRuntime

    def __init__(self) -> None:
        self.transports: list[Any] = []

    def transport(self, endpoint: str, limits: Limits | None = None, **settings: Any) -> Any:
        settings = {"proxy": "", "read_timeout": 5.0, "connect_timeout": 5.0, **settings}
        made = self.transport_class(endpoint, HTTPSettings(**settings), limits or Limits())
        self.transports.append(made)
        return made

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return run(coroutine)

    def together(self, *functions: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
        """Results or errors of coroutines that run at the same time."""
        return self.run(self.runtime_class().gather([_outcome(one) for one in functions], 64))

    @contextlib.contextmanager
    def serving(self, server: Any) -> Iterator[Any]:
        """Run a server; connections are closed before it, for it waits for its clients."""
        with server:
            try:
                yield server
            finally:
                self.disconnect()

    def disconnect(self) -> None:
        while self.transports:
            self.run(self.transports.pop().close())

    def close(self) -> None:
        self.disconnect()


class AsyncioRunner(BlockingRunner):
    """Runs coroutines on one event loop; whatever the loop complains about fails the test."""

    name = "asyncio"
    transport_class = AsyncioTransport
    runtime_class = AsyncioRuntime

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.complaints: list[Any] = []
        self.runner.get_loop().set_exception_handler(lambda _, said: self.complaints.append(said))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine, context=contextvars.copy_context())

    def close(self) -> None:
        super().close()
        self.run(asyncio.sleep(0.01))
        self.runner.close()
        assert self.complaints == []


async def _outcome(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return await function()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error


RUNNERS = [BlockingRunner, AsyncioRunner]


def get(path: str = "/", **more: Any) -> Request:
    return Request("GET", path, **more)


def post(path: str = "/", body: Any = b"{}", **more: Any) -> Request:
    return Request("POST", path, body=body, **more)


def plain(response: Response) -> tuple[int, bytes]:
    return response.status, response.body
