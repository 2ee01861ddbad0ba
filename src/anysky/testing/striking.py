"""A wire on which one request fails, in each way in which a request can fail."""

from __future__ import annotations

import asyncio
import copy
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from anysky.errors import CloudError, ConnectionFailedError, OutcomeUnknownError
from anysky.transport.base import Layer, Request, Response, SendClass, Transport

__all__ = [
    "FAULTS",
    "INTERRUPTIONS",
    "PASSING",
    "SLOWNESS",
    "Fault",
    "StruckWire",
    "lost",
    "refused",
    "strike",
]

Strike = Callable[[Transport, Request], Awaitable[Response]]

_SLOW = 0.03  # seconds
_WHY = "the conformance suite lets this request fail"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a request fails.

    Attributes:
        name: What happens, for people.
        strike: Takes the wire and the request, and fails in this way.
    """

    name: str
    strike: Strike

    def __str__(self) -> str:
        return self.name


def _raised(error: BaseException, *, is_sent: bool = False) -> Strike:
    async def raised(wire: Transport, request: Request) -> Response:
        if is_sent:
            await _sent(wire, request)
        raise copy.copy(error)

    return raised


async def _signalled(wire: Transport, request: Request) -> Response:
    try:
        return await wire.send(request)
    finally:
        signal.raise_signal(signal.SIGINT)


async def _cut(wire: Transport, request: Request) -> Response:
    response = await _sent(wire, request)
    body = response.body[: len(response.body) // 2] or b"<{"
    return Response(200, response.headers, body)


def _slowed(before: float, after: float) -> Strike:
    async def slowed(wire: Transport, request: Request) -> Response:
        await asyncio.sleep(before)
        try:
            return await wire.send(request)
        finally:
            await asyncio.sleep(after)

    return slowed


def _answered(status: int, *, is_sent: bool = False) -> Strike:
    async def answered(wire: Transport, request: Request) -> Response:
        if is_sent:
            await _sent(wire, request)
        return Response(status, {"content-type": "text/plain"}, _WHY.encode())

    return answered


async def _sent(wire: Transport, request: Request) -> Response:
    """Send a request whose answer does not come through."""
    try:
        response = await wire.send(request)
    except CloudError:  # a cloud in memory refuses so
        return Response(400, {})
    if response.stream is not None:
        await response.stream.close()
    return replace(response, stream=None)


_no_connection = _raised(ConnectionFailedError(_WHY))
_lost = _raised(OutcomeUnknownError(_WHY), is_sent=True)
refused = Fault("it is refused with 403", _answered(403))
lost = Fault("its answer is lost", _lost)
FAULTS = (
    Fault("no connection is made", _no_connection),
    Fault("the line breaks while it is sent", _raised(OutcomeUnknownError(_WHY))),
    refused,
    Fault("it is refused with 429", _answered(429)),
    Fault("it is answered 500 and not carried out", _answered(500)),
    lost,
    Fault("it is carried out and answered 500", _answered(500, is_sent=True)),
    Fault("it is carried out and answered 504", _answered(504, is_sent=True)),
    Fault("its answer is cut", _cut),
)
# Those that pass if the driver tries again, where it may.
PASSING = (
    Fault("no connection is made, at the first try", _no_connection),
    Fault("it is refused with 429, at the first try", _answered(429)),
    Fault("its answer is lost, at the first try", _lost),
    Fault("it is carried out and answered 504, at the first try", _answered(504, is_sent=True)),
)
INTERRUPTIONS = (
    Fault("Ctrl-C comes before it is sent", _raised(KeyboardInterrupt())),
    Fault("Ctrl-C comes after it was carried out", _raised(KeyboardInterrupt(), is_sent=True)),
    Fault("SIGINT comes while it is on the wire", _signalled),
)
SLOWNESS = (  # only in the asyncio API
    Fault("it takes its time before it is sent", _slowed(_SLOW, 0.0)),
    Fault("its answer takes its time", _slowed(0.0, _SLOW)),
)


class StruckWire:
    """A wire that counts requests and lets some of them fail.

    Attributes:
        seen: Requests so far, in order.
        strikes: What strikes which of them, by number, from 1; it is gone when it has.
    """

    def __init__(self, wire: Transport, *, pauses: bool) -> None:
        self.seen: list[Request] = []
        self.strikes: dict[int, Fault] = {}
        self._wire = wire
        self._pauses = pauses

    def arm(self, *strikes: tuple[int, Fault]) -> None:
        """Count anew, and let these requests fail."""
        self.seen.clear()
        self.strikes = dict(strikes)

    def disarm(self) -> None:
        """Let no request fail."""
        self.strikes = {}

    @property
    def changes(self) -> list[Request]:
        """Those of the requests that may change something."""
        return [one for one in self.seen if one.send_class is not SendClass.SAFE]

    async def send(self, request: Request) -> Response:
        """Send a request, or let it fail."""
        self.seen.append(request)
        fault = self.strikes.pop(len(self.seen), None)
        await self._pause()
        if fault is not None:
            return await fault.strike(self._wire, request)
        response = await self._wire.send(request)
        await self._pause()
        return response

    async def close(self) -> None:
        """Close the wire."""
        await self._wire.close()

    async def _pause(self) -> None:
        if self._pauses:  # a cloud in memory never gives the event loop a turn
            await asyncio.sleep(0)


def strike(driver: Any, *, pauses: bool) -> StruckWire:
    """Put a struck wire in place of a driver's own, below all layers, and return it."""
    layer: Layer = driver._backend.transport
    while isinstance(layer.inner, Layer):
        layer = layer.inner
    wire = StruckWire(layer.inner, pauses=pauses)
    layer.inner = wire
    return wire
