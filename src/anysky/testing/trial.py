"""One run of a case in one of the two APIs."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import importlib
import inspect
import secrets
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, Literal

from anysky.errors import CloudError, NotFoundError
from anysky.model.storage import MultipartUpload, Part, PresignedURL
from anysky.outcomes import Outcomes
from anysky.transport.base import Request
from anysky.transport.tracing import Hooks

__all__ = ["Trial", "check", "equal", "finished", "forms_of", "only", "removal"]

API = Literal["blocking", "asyncio"]

_UNBOUND = (MultipartUpload, Outcomes, Part, PresignedURL)
_PARTS = ("size", "image", "container", "zone", "balancer")


def check(condition: object, what: str) -> None:
    """Fail unless a condition holds; `what` says what should be."""
    if not condition:
        raise AssertionError(what)


def equal(actual: object, expected: object, what: str) -> None:
    """Fail unless two values are equal; `what` says what they are."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def only(items: list[Any], what: str) -> Any:
    """Return the one item of a list; fail if there is another number of them."""
    equal(len(items), 1, f"number of {what} in {items!r}")
    return items[0]


async def finished(result: Any) -> Any:
    """Return what a call of either API comes to; a list for an iterator."""
    if hasattr(result, "__anext__"):
        return [item async for item in result]
    if hasattr(result, "__next__"):
        return list(result)
    return await result if inspect.isawaitable(result) else result


def forms_of(secret: str) -> list[str]:
    """Return how a secret may show: as it is, in base64, percent-encoded."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return list(dict.fromkeys([secret, encoded, urllib.parse.quote(secret, safe="")]))


class Trial:
    """What a case works with: a driver of one API and helpers that fit both.

    A case is one ``async def`` for both APIs: it passes what a driver returns to `do`, which
    awaits it where there is something to await.

    Attributes:
        api: ``"blocking"`` or ``"asyncio"``.
        driver: The driver.
        module: The API's module of the service: `anysky.compute`, `anysky.aio.compute` …
        setup: What the suite was given.
        requests: Every request that was sent, in order.
        shown: Text in which no secret may stand.
    """

    def __init__(self, api: API, kind: str, provider: str, setup: Any) -> None:
        self.api = api
        self.setup = setup
        self.requests: list[Request] = []
        self.shown: list[str] = []
        package = "anysky.aio" if api == "asyncio" else "anysky"
        self.module: Any = importlib.import_module(f"{package}.{kind}")
        hooks = Hooks(request=self.requests.append)
        self.driver: Any = self.module.get_driver(provider)(**{**setup.settings, "hooks": hooks})
        self._kept: list[Any] = []

    def name(self, what: str) -> str:
        """Return a name for something to make that nothing else has."""
        return f"anysky-{what}-1{secrets.token_hex(4)}"

    async def do(self, result: Any) -> Any:
        """Return what a call comes to, after a look at it: bound, hashable, without secrets."""
        value = await finished(result)
        self._look_at(value)
        return value

    async def keep(self, result: Any) -> Any:
        """Return what a creating call comes to, and destroy it when the case is over."""
        thing = await self.do(result)
        self._kept.append(thing)
        return thing

    async def drop(self, thing: Any) -> None:
        """Destroy or delete a thing now, by its own method."""
        self._kept = [kept for kept in self._kept if not _same(kept, thing)]
        equal(await self.do(removal(thing)), True, f"result of destroying {thing!r}")

    async def fails(self, kind: type[CloudError], call: Callable[[], Any]) -> CloudError:
        """Call and return the error, which must be of a kind and name provider and operation."""
        try:
            value = await finished(call())
        except CloudError as error:
            self.shown += [str(error), repr(error), repr(vars(error))]
            check(isinstance(error, kind), f"{kind.__name__} was expected, not {error!r}")
            if error.status is not None:
                equal(error.provider, self.driver.api_name, f"provider that {error!r} names")
                check(error.operation, f"{error!r} should name its operation")
            return error
        raise AssertionError(f"{kind.__name__} was expected, but the call returned {value!r}")

    async def silent(self, kind: type[CloudError], call: Callable[[], Any], what: str) -> None:
        """Call, expect an error of a kind, and see to it that nothing was sent."""
        before = len(self.requests)
        try:
            await self.fails(kind, call)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error
        sent = self.requests[before:]
        check(not sent, f"{what}: nothing should be sent, but {sent!r} was")

    async def first(self, iterator: Any) -> Any:
        """Return the first item of an iterator and leave the rest."""
        if hasattr(iterator, "__anext__"):
            item = await anext(iterator)
            await iterator.aclose()
        else:
            item = next(iterator)
            iterator.close()
        return item

    async def until(self, look: Callable[[], Any], done: Callable[[Any], bool], what: str) -> Any:
        """Look again and again until `done` says that it is so."""
        end = time.monotonic() + self.setup.patience
        while True:
            value = await self.do(look())
            if done(value):
                return value
            check(time.monotonic() < end, f"{what}: not so after a while, but still {value!r}")
            await self.pause()

    async def gone(self, look: Callable[[], Any], what: str) -> None:
        """Look again and again until there is nothing to be found."""
        end = time.monotonic() + self.setup.patience
        while True:
            try:
                value = await finished(look())
            except NotFoundError as error:
                self.shown.append(str(error))
                return
            check(time.monotonic() < end, f"{what}: still there after a while: {value!r}")
            await self.pause()

    async def close(self, *, failed: bool) -> None:
        """Remove what was kept, and close the driver."""
        self.shown += [repr(self.driver), repr(self.driver.account)]
        self.shown += [f"{one!r} {one.params!r} {dict(one.headers)!r}" for one in self.requests]
        try:
            await self._remove_kept(failed=failed)
        finally:
            await finished(self.driver.close())

    async def _remove_kept(self, *, failed: bool) -> None:
        for thing in reversed(self._kept):
            try:
                await finished(removal(thing))
            except CloudError:
                if not failed:
                    raise

    async def pause(self) -> None:
        """Wait between two looks."""
        if self.api == "asyncio":
            await asyncio.sleep(self.setup.interval)
        else:
            time.sleep(self.setup.interval)  # noqa: ASYNC251 - no loop runs in the blocking API

    def _look_at(self, value: Any) -> None:
        self.shown += [repr(value), str(value)]
        items: list[Any] = [*value] if isinstance(value, list | tuple) else [value]
        for item in items:
            if isinstance(item, list | tuple):
                self._look_at(item)
            elif dataclasses.is_dataclass(item) and not isinstance(item, _UNBOUND):
                self._look_at_model(item)

    def _look_at_model(self, item: Any) -> None:
        parts = [item, *(getattr(item, name, None) for name in _PARTS)]
        for part in filter(dataclasses.is_dataclass, parts):
            bound = getattr(part, "driver", None) is self.driver
            check(bound, f"{part!r} should be bound to its driver")
        equal(hash(item), hash(item), f"hash of {item!r}")
        equal(item, item, "a model compared with itself")
        extra = getattr(item, "extra", {})
        check(type(extra) is dict, f"extra of {item!r} should be a dict, not {type(extra)}")


def _same(one: Any, other: Any) -> bool:
    """Whether two objects mean the same thing, perhaps at two times."""
    return type(one) is type(other) and hash(one) == hash(other)


def removal(thing: Any) -> Any:
    """Call what destroys or deletes a thing, by its own method; a member is detached."""
    if hasattr(thing, "detach_member") or not hasattr(thing, "balancer"):
        return thing.destroy() if hasattr(thing, "destroy") else thing.delete()
    return thing.balancer.detach_member(thing)
