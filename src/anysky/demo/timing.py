"""Time many lists against a cloud that is far away, one after the other and at the same time."""

from __future__ import annotations

import asyncio
import time

from anysky.aio.compute import get_driver as get_asyncio_driver
from anysky.compute import get_driver

__all__ = ["time_asyncio", "time_blocking"]

_REGION = "eu-west-1"


def time_blocking(endpoint: str, count: int) -> float:
    """Return the seconds that `count` lists take, one after the other."""
    with get_driver("ec2")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        start = time.perf_counter()
        for _ in range(count):
            driver.list_volumes()
        return time.perf_counter() - start


def time_asyncio(endpoint: str, count: int) -> float:
    """Return the seconds that `count` lists take, all at the same time."""

    async def lists() -> float:
        async with get_asyncio_driver("ec2")(
            "demo", "demo", region=_REGION, endpoint=endpoint
        ) as driver:
            start = time.perf_counter()
            await asyncio.gather(*(driver.list_volumes() for _ in range(count)))
            return time.perf_counter() - start

    return asyncio.run(lists())
