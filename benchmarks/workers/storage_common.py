"""What the workers of the storage benchmark share.

A worker is started as ``python storage_PEER.py CELL ENDPOINT FILE``, does the cell's work once
after a small warm-up and prints wall time, CPU time (user and system) and peak memory as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = int(os.environ.get("BENCH_SIZE") or 1024**3)
SMALL = 4096
COUNT = 2000
THREADS = 16
TASKS = 32
KEYS = 100_000
KEY = os.environ.get("BENCH_KEY") or "AKIDEXAMPLE"
SECRET = os.environ.get("BENCH_SECRET") or "secret"
REGION, BUCKET = "us-east-1", "bucket"
BIG_NAME = f"size-{SIZE}"
SMALL_NAME = f"size-{SMALL}"


def cpu() -> float:
    own, children = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def report(wall: float, used: float) -> None:
    print(json.dumps({"wall": wall, "cpu": used, "MiB": peak()}))


def arguments() -> tuple[str, str, str]:
    cell, endpoint, file = sys.argv[1:4]
    return cell, endpoint, file


def measure(warm: Callable[[], Any], work: Callable[[], Any]) -> None:
    warm()
    used, began = cpu(), time.perf_counter()
    work()
    report(time.perf_counter() - began, cpu() - used)


async def measure_async(warm: Callable[[], Any], work: Callable[[], Any]) -> None:
    await warm()
    used, began = cpu(), time.perf_counter()
    await work()
    report(time.perf_counter() - began, cpu() - used)


def threads(job: Callable[[int], Any]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(job, range(COUNT)):
            pass


async def tasks(job: Callable[[int], Any]) -> None:
    gate = asyncio.Semaphore(TASKS)

    async def one(number: int) -> None:
        async with gate:
            await job(number)

    await asyncio.gather(*(one(number) for number in range(COUNT)))
