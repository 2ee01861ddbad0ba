"""Plays cells of the matrix: one fault, one operation of one provider, one API."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import anysky
from anysky import RetryPolicy
from anysky.errors import CloudError
from anysky.run import run
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.runtime.blocking import BlockingRuntime
from anysky.testing.trial import finished
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.base import Request, SendClass
from anysky.transport.blocking import BlockingTransport
from tests.faults.catalogue import ASKED_WAIT, LONG_WAIT, Fault
from tests.faults.clouds import Cloud
from tests.faults.operations import ONCE, OPERATIONS, Operation, Row
from tests.faults.outcomes import APIS, Outcome, cells, declared
from tests.support.certificates import Certificates
from tests.support.faults import FaultServer

__all__ = ["APIS", "Rig", "failures"]

# Seconds until a silent server is given up; a slow machine gets a second chance with more.
_PATIENCE = (0.15, 1.0)
_RETRY = RetryPolicy(base=0.0, throttled_base=0.0)


@dataclass
class Rig:
    """What the cells of one provider are played with.

    Attributes:
        cloud: The provider's stand-in.
        front: The server that forwards to it and breaks what goes through.
        elsewhere: A server that nobody may be sent to.
        certificates: For TLS.
    """

    cloud: Cloud
    front: FaultServer
    elsewhere: FaultServer
    certificates: Certificates


@dataclass
class Seen:
    """What the test saw of one call.

    Attributes:
        sends: How often the struck request was sent; for a fault that strikes before a request
            leaves, how often the first one of the call was tried.
        knocks: How often a client was about to send something to the struck server.
        waits: Seconds that the call meant to sleep.
        classes: The send classes of the struck request.
    """

    sends: int = 0
    knocks: int = 0
    waits: list[float] = field(default_factory=list)
    classes: set[SendClass] = field(default_factory=set)


def failures(rig: Rig, row: Row, api: str) -> list[str]:
    """Play all cells of a row in one API; return what is not as declared, a line for each."""
    found: list[str] = []
    for fault, lasting in cells(row):
        expected = declared(rig.cloud.provider, row, fault, lasting=lasting)
        place = f"{rig.cloud.provider} {row.operation}, {fault.name}"
        name = f"{place}{' for good' if lasting else ''}, {api}"
        if expected is None:
            found.append(f"{name}: no outcome is declared")
        elif problem := _problem(rig, row, fault, lasting, api, expected):
            found.append(f"{name}: {problem}")
    return found


def _problem(
    rig: Rig, row: Row, fault: Fault, lasting: bool, api: str, expected: Outcome
) -> str | None:
    problem = None
    for patience in _PATIENCE if fault.slow else (10.0,):
        problem = _play(rig, row, fault, lasting, api, expected, patience)
        if problem is None:
            return None
    return problem


def _play(
    rig: Rig,
    row: Row,
    fault: Fault,
    lasting: bool,
    api: str,
    expected: Outcome,
    patience: float,
) -> str | None:
    operation = OPERATIONS[row.operation]
    given = operation.given(rig.cloud)
    times = None if lasting else 1
    seen = Seen()
    rig.front.clear()
    with _standing(rig, row, fault, times) as (url, knock, hits), _watched(row, seen, url, knock):
        options = _options(rig, fault, patience)
        result = _call(api, operation, rig.cloud, url, options, given)
        struck = hits()
    if fault.door:
        seen.sends = struck + (seen.knocks > struck)  # the one that passed
    else:
        seen.sends = sum(map(row.strikes, rig.front.requests))
    if isinstance(result, Exception) and not isinstance(result, CloudError):
        return f"a foreign exception: {result!r}"
    if not struck:
        return f"the fault did not strike; the call came to {result!r}"
    return _compared(rig, row, operation, given, expected, seen, result)


@contextlib.contextmanager
def _standing(
    rig: Rig, row: Row, fault: Fault, times: int | None
) -> Iterator[tuple[str, Callable[[], None], Callable[[], int]]]:
    """Put a fault in the way; yield where clients connect to, and how often it struck."""
    if fault.door is not None:
        with fault.door(rig.certificates, rig.front.port, times) as door:
            yield door.url, door.knock, lambda: door.hits
    elif fault.action is not None:
        action = fault.action(rig.cloud, OPERATIONS[row.operation].dialect)
        script = rig.front.next(action, times=times, where=row.strikes)
        yield rig.front.url, lambda: None, lambda: script.hits


@contextlib.contextmanager
def _watched(row: Row, seen: Seen, url: str, knock: Callable[[], None]) -> Iterator[None]:
    """Note what leaves, and let the clock stand still in every wait."""

    def notice(transport: Any, request: Request) -> None:
        if (request.endpoint or transport.endpoint).startswith(url):
            seen.knocks += 1
            knock()
        if row.is_of(request):
            seen.classes.add(request.send_class)

    with contextlib.ExitStack() as stack:
        for transport in (BlockingTransport, AsyncioTransport):
            stack.enter_context(mock.patch.object(transport, "send", _noticing(transport, notice)))
        stack.enter_context(_clock(seen.waits))
        yield


@contextlib.contextmanager
def _clock(waits: list[float]) -> Iterator[None]:
    """Let every wait be over at once, with the clocks as far on as if it had been waited for."""

    async def sleep(runtime: Any, seconds: float) -> None:
        waits.append(seconds)

    def now(runtime: Any) -> float:
        return time.monotonic() + sum(waits)

    def unix_time(runtime: Any) -> float:
        return time.time() + sum(waits)

    with contextlib.ExitStack() as stack:
        for runtime in (BlockingRuntime, AsyncioRuntime):
            for name, method in (("sleep", sleep), ("now", now), ("time", unix_time)):
                stack.enter_context(mock.patch.object(runtime, name, method))
        yield


def _noticing(transport: Any, notice: Callable[[Any, Request], None]) -> Any:
    send = transport.send

    async def noticed(self: Any, request: Request) -> Any:
        notice(self, request)
        return await send(self, request)

    return noticed


def _options(rig: Rig, fault: Fault, patience: float) -> dict[str, Any]:
    return {
        "retry": _RETRY,
        "timeout": patience,
        "connect_timeout": patience,
        "deadline": 1.5 * patience if fault.drips else 60.0,
        "verify": rig.certificates.client_context(),
        "proxy_url": "",
    }


def _call(
    api: str,
    operation: Operation,
    cloud: Cloud,
    url: str,
    options: dict[str, Any],
    given: tuple[Any, ...],
) -> Any:
    """Call an operation through a driver of its own; return its result, or what it raised."""
    package = "anysky.aio" if api == "asyncio" else "anysky"
    module = importlib.import_module(f"{package}.{operation.kind}")
    make = module.get_driver(cloud.services[operation.kind])

    settings, environ = operation.settings(cloud, url)

    async def call() -> Any:
        driver = make(**settings, **options)
        try:
            with anysky.deadline(options["deadline"]):
                return await finished(operation.call(driver, *given))
        except Exception as error:  # noqa: BLE001 - what it may be is what is tested
            return error
        finally:
            await finished(driver.close())

    with mock.patch.dict(os.environ, environ):
        return asyncio.run(call()) if api == "asyncio" else run(call())


def _compared(
    rig: Rig,
    row: Row,
    operation: Operation,
    given: tuple[Any, ...],
    expected: Outcome,
    seen: Seen,
    result: Any,
) -> str | None:
    """What is not as declared, or None."""
    if seen.classes - {row.sends}:
        return f"the request is declared as {row.sends}, but is {seen.classes}"
    if row.sends is ONCE and sum(map(row.strikes, rig.front.worked)) > 1:
        return "a request that may be sent once was carried out twice"
    if isinstance(result, CloudError):
        if not operation.untouched(*given):
            return "something was left behind on this side"
        if not (result.provider and result.operation):
            return f"the error names no provider or operation: {result!r}"
        if any(secret in f"{result!r} {vars(result)!r}" for secret in rig.cloud.secrets):
            return "the error shows a secret"
    actual = _outcome(result, seen)
    if not isinstance(result, CloudError) and not operation.right(result, *given):
        actual = replace(actual, unnoticed=True)
    return None if actual == expected else f"declared: {expected}; seen: {actual} ({result!r})"


def _outcome(result: Any, seen: Seen) -> Outcome:
    waited = bool(seen.waits) and abs(ASKED_WAIT - seen.waits[0]) <= 2
    if not isinstance(result, CloudError):
        return Outcome(sends=seen.sends, attempts=0, waited=waited)
    retry_at = getattr(result, "retry_at", None)
    asked = None if retry_at is None else round(retry_at - time.time(), -1)
    return Outcome(
        error=type(result),
        sends=seen.sends,
        attempts=result.attempts,
        retryable=result.retryable,
        waited=waited,
        retry_in={None: None, LONG_WAIT: LONG_WAIT}.get(asked, ASKED_WAIT),
    )
