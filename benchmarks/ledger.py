"""Measure what a ledger costs for each step: ``python -m benchmarks.ledger``.

The same requests go to a transport that answers at once, with and without a ledger in turn; the
difference of the medians counts. The goal is less than 20 µs a step without a journal.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from anysky.journal import JournalFile
from anysky.ledger import Ledger, LedgerLayer
from anysky.model.compute import StorageVolume
from anysky.run import run
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.runtime.blocking import BlockingRuntime
from anysky.steps import Terms
from anysky.transport.base import Request, Response

STEPS = 20
REPEATS = 200
VOLUME = StorageVolume("vol-0123456789abcdef0", "data", 10)


class Wire:
    """Answers at once."""

    async def send(self, _request: Request) -> Response:
        return Response(200, {})

    async def close(self) -> None:
        pass


class Backend:
    """Makes volumes."""

    effects: ClassVar[dict[str, Any]] = {}
    marked: ClassVar[frozenset[str]] = frozenset()
    list_lag = 0.0

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime
        self.noted = LedgerLayer(Wire(), runtime)
        self.plain = Wire()

    async def make(self, transport: Any) -> StorageVolume:
        await transport.send(Request("POST", "/volumes"))
        return VOLUME

    async def destroy_volume(self, _volume: StorageVolume) -> None:
        pass

    async def without(self) -> None:
        for _ in range(STEPS):
            await self.make(self.plain)

    async def with_ledger(self, terms: Terms) -> None:
        async with Ledger(self, "create_volumes", terms) as ledger:
            for _ in range(STEPS):
                await ledger.step("volume", self.make(self.noted), undo=self.destroy_volume)


async def compared(runtime: Any, terms: Terms, repeats: int) -> float:
    """Return the microseconds that a ledger adds to one step."""
    backend = Backend(runtime)
    times: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(repeats):
        start = time.perf_counter()
        await backend.without()
        middle = time.perf_counter()
        await backend.with_ledger(terms)
        times["without"].append(middle - start)
        times["with"].append(time.perf_counter() - middle)
    extra = statistics.median(times["with"]) - statistics.median(times["without"])
    return extra / STEPS * 1e6


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        journal = JournalFile(Path(folder) / "journal.db")
        cases = {"no journal": (Terms(), REPEATS), "journal": (Terms(journal=journal), 20)}
        for name, (terms, repeats) in cases.items():
            blocking = run(compared(BlockingRuntime(), terms, repeats))
            concurrent = asyncio.run(compared(AsyncioRuntime(), terms, repeats))
            print(f"{name:12} blocking {blocking:8.1f} µs   asyncio {concurrent:8.1f} µs a step")


if __name__ == "__main__":
    main()
