"""A backend with scripted answers, and drivers of both APIs for the imitation."""

import asyncio
import inspect
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

import anysky.aio.compute
import anysky.aio.dns
import anysky.aio.loadbalancer
import anysky.compute
import anysky.dns
import anysky.loadbalancer
from anysky.backend.base import Connection
from anysky.providers.digitalocean import DigitalOcean
from anysky.transport.base import Limits, Request, Response

ENDPOINT = "https://api.digitalocean.com"


@dataclass
class Script:
    """A transport that records requests and gives answers in order."""

    answers: deque[Response] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def answer(self, *bodies: Any, status: int = 200) -> None:
        """Add answers: sent as JSON, or as they are if bytes; a pair has a status of its own."""
        for given in bodies:
            code, body = given if isinstance(given, tuple) else (status, given)
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.answers.append(Response(code, {"content-type": "application/json"}, raw))

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.popleft()

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def sent(self) -> list[tuple[Any, ...]]:
        """Method, path with query, and the decoded body where there is one."""
        return [
            (one.method, one.target, *([json.loads(one.body)] if one.body else []))
            for one in self.requests
        ]


class Clock:
    """A runtime in which waits take no time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return sum(self.slept)

    def time(self) -> float:
        return 1_767_225_600.0  # 2026-01-01T00:00:00Z

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def backend_of(script):
    """Make a backend of a class, with settings of the account, that talks to the script."""

    def make(cls, **settings):
        account = DigitalOcean.load({"token": "dop_v1_secret", **settings}, {})
        clock: Any = Clock()
        return cls(account, Connection(script, script, script, clock, Limits(), ENDPOINT))

    return make


class Awaited:
    """An asyncio driver whose coroutines are run to their end, so that one test serves both."""

    def __init__(self, driver: Any, runner: asyncio.Runner) -> None:
        self._driver = driver
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._driver, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            return self._runner.run(result) if inspect.iscoroutine(result) else result

        return call


async def _awaited(result: Any) -> Any:
    return await result


@pytest.fixture(params=["blocking", "asyncio"])
def connect(request, digitalocean):
    """Make a driver of a service, such as ``"compute"``, for the imitation.

    `connect.finish` takes what must be awaited in the asyncio API, and returns what comes of it.
    """
    digitalocean.polls = 0
    opened = []
    runner = asyncio.Runner() if request.param == "asyncio" else None

    def make(service, token=None, **settings):
        settings = {"endpoint": digitalocean.url, "region": "fra1", **settings}
        module = getattr(anysky if runner is None else anysky.aio, service)
        driver = module.get_driver("digitalocean")(token or digitalocean.token, **settings)
        opened.append(driver if runner is None else Awaited(driver, runner))
        return opened[-1]

    def finish(result):
        return result if runner is None else runner.run(_awaited(result))

    finish.is_blocking = runner is None
    make.finish = finish
    yield make
    for driver in opened:
        driver.close()
    if runner is not None:
        runner.close()


@pytest.fixture
def compute(connect):
    return connect("compute")


@pytest.fixture
def dns(connect):
    return connect("dns")


@pytest.fixture
def loadbalancer(connect):
    return connect("loadbalancer")
