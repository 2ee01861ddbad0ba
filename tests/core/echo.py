"""A provider of the tests whose operations do little: one backend, a driver in both APIs."""

import asyncio
import contextvars
from typing import ClassVar

import anysky.aio.compute
import anysky.compute
from anysky.account import Account, account, setting
from anysky.backend.compute import ComputeBackend
from anysky.model.compute import KeyPair
from anysky.paging import Page
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.transport.base import Request
from anysky.transport.signing import BearerSigner
from anysky.waiting import wait_until
from anysky.wire.status import error_for


@account
class EchoAccount(Account):
    positional: ClassVar[tuple[str, ...]] = ("token",)

    token: Secret = setting("token", env=("ECHO_TOKEN",), secret=True)
    password: Secret | None = setting("password", default=None, secret=True)
    region: str | None = setting("region", env=("ECHO_REGION",), default=None)
    strict: bool = setting("strict", env=("ECHO_STRICT",), default=False)
    project: int | None = setting("project", env=("ECHO_PROJECT",), default=None)
    endpoint: str = setting("URL", env=("ECHO_ENDPOINT",), default="https://echo.example.com")


class EchoCompute(ComputeBackend):
    @classmethod
    def signer(cls, account, connection):
        return BearerSigner(account.token.reveal())

    async def echo(self, word, method="GET"):
        response = await self.transport.send(
            Request(method, f"/{word}", (("q", "1"),), operation="echo")
        )
        if response.status != 200:
            raise error_for(response, response.body.decode("latin-1"))
        return response.body.decode()

    async def left(self):
        from anysky import deadlines

        return deadlines.remaining()

    async def sleep(self, seconds):
        await self.runtime.sleep(seconds)

    async def many(self, *words):
        return await self.runtime.gather([self.echo(word) for word in words])

    async def wait(self, word):
        return await wait_until(
            lambda: self.echo(word), lambda _: False, self.runtime, what="the end", interval=0.05
        )

    async def fail(self, error):
        raise error

    async def list_key_pairs(self, cursor):
        number = int(cursor or 0)
        await self.echo(f"page{number}")
        pair = KeyPair(str(number), "", "", extra={})
        return Page([pair], str(number + 1) if number < 50 else None)


PROVIDER = Provider(
    "echo", "Echo", "https://example.com", EchoAccount, {"compute": Service("echo", "")}
)
_NAMES = {"_provider": PROVIDER, "_backend_class": EchoCompute, "api_name": "echo"}
BlockingEcho = type("BlockingEcho", (anysky.compute.NodeDriver,), dict(_NAMES))
AsyncioEcho = type("AsyncioEcho", (anysky.aio.compute.NodeDriver,), dict(_NAMES))


class BlockingApi:
    """Runs one call of a driver and returns its result."""

    name = "blocking"
    driver_class = BlockingEcho

    def __init__(self):
        self.drivers = []

    def driver(self, url, token="token-for-tests", **settings):
        driver = self.driver_class(token, endpoint=url, proxy_url="", **settings)
        self.drivers.append(driver)
        return driver

    def run(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def close(self):
        while self.drivers:
            self.run(self.drivers.pop().close)


class AsyncioApi(BlockingApi):
    name = "asyncio"
    driver_class = AsyncioEcho

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()

    def run(self, function, *args, **kwargs):
        async def call():
            return await function(*args, **kwargs)

        return self.runner.run(call(), context=contextvars.copy_context())

    def close(self):
        super().close()
        self.run(asyncio.sleep, 0.01)
        self.runner.close()


APIS = [BlockingApi, AsyncioApi]
