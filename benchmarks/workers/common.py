"""What every worker shares: the job, the meter, the parts and the JSON answer.

A worker is started as `python workers/run_PEER.py JOB` in its peer's own environment, JOB being
one JSON object. It does one part of the benchmark once and prints one JSON object. Only the
standard library is used here, so that no environment needs anything but its peer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "dop_v1_example"
REGION = "us-east-1"
WARM_UP_CALLS = 20

Job = dict[str, Any]
Row = tuple[str, str, str]
"""Id, name and private address: the fields by which the work of two sides is compared."""


class Blocking(Protocol):
    """One peer's blocking client."""

    shared: bool
    """Whether threads may use one client together; otherwise each gets its own."""

    def __init__(self, job: Job) -> None: ...
    def list(self) -> Any: ...
    def describe(self) -> Any: ...
    def rows(self, answer: Any) -> Sequence[Row]: ...
    def close(self) -> None: ...


class Asyncio(Protocol):
    """One peer's asyncio client."""

    def __init__(self, job: Job) -> None: ...
    async def open(self) -> None: ...
    async def list(self) -> Any: ...
    async def describe(self) -> Any: ...
    def rows(self, answer: Any) -> Sequence[Row]: ...
    async def close(self) -> None: ...


class Meter:
    """Wall and CPU time (user and system, all threads) of a `with` block, in seconds."""

    def __enter__(self) -> Self:
        self.cpu = -time.process_time()
        self.wall = -time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()

    def per(self, calls: int) -> dict[str, float]:
        return {"wall": self.wall / calls, "cpu": self.cpu / calls}


def peak_memory() -> dict[str, float]:
    """The largest resident size of this process so far, in MB (10^6 bytes).

    `VmHWM` starts anew with `exec`; `ru_maxrss` would start at the size of the parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return {"peak": int(line.split()[1]) * 1024 / 1e6}
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def proof(rows: Sequence[Row]) -> dict[str, Any]:
    """How many servers were decoded, and a checksum of what was decoded."""
    text = "\n".join(sorted("|".join(row) for row in rows))
    return {"count": len(rows), "checksum": hashlib.sha256(text.encode()).hexdigest()[:16]}


def list_blocking(client_class: type[Blocking], job: Job) -> dict[str, Any]:
    """List everything once, after one small call that loads what is loaded late."""
    warm = client_class({**job, "endpoint": job["warm"]})
    warm.list()
    warm.close()
    client = client_class(job)
    with Meter() as meter:
        answer = client.list()
    peak = peak_memory()
    client.close()
    return meter.per(1) | peak | proof(client.rows(answer))


def list_asyncio(client_class: type[Asyncio], job: Job) -> dict[str, Any]:
    """As `list_blocking`, on asyncio."""

    async def main() -> dict[str, Any]:
        warm = client_class({**job, "endpoint": job["warm"]})
        await warm.open()
        await warm.list()
        await warm.close()
        client = client_class(job)
        await client.open()
        with Meter() as meter:
            answer = await client.list()
        peak = peak_memory()
        await client.close()
        return meter.per(1) | peak | proof(client.rows(answer))

    return asyncio.run(main())


def small_blocking(client_class: type[Blocking], job: Job) -> dict[str, Any]:
    """Describe one server again and again over a kept connection."""
    client = client_class(job)
    for _ in range(WARM_UP_CALLS):
        answer = client.describe()
    with Meter() as meter:
        for _ in range(job["calls"]):
            answer = client.describe()
    client.close()
    return meter.per(job["calls"]) | proof(client.rows(answer))


def small_asyncio(client_class: type[Asyncio], job: Job) -> dict[str, Any]:
    """The same with `concurrency` tasks on one client."""

    async def repeat(client: Asyncio, calls: int) -> Any:
        for _ in range(calls):
            answer = await client.describe()
        return answer

    async def main() -> dict[str, Any]:
        tasks, each = job["concurrency"], job["calls"] // job["concurrency"]
        client = client_class(job)
        await client.open()
        await asyncio.gather(*[repeat(client, 2) for _ in range(tasks)])
        with Meter() as meter:
            answers = await asyncio.gather(*[repeat(client, each) for _ in range(tasks)])
        await client.close()
        return meter.per(each * tasks) | proof(client.rows(answers[-1]))

    return asyncio.run(main())


def fanout_blocking(client_class: type[Blocking], job: Job) -> dict[str, Any]:
    """`calls` calls to a slow service, from `concurrency` threads."""
    made = [client_class(job) for _ in range(1 if client_class.shared else job["concurrency"])]
    made[0].describe()
    free = list(made)

    def call(_: int) -> tuple[float, Any]:
        client = made[0] if client_class.shared else free.pop()
        start = time.perf_counter()
        answer = client.describe()
        took = time.perf_counter() - start
        free.append(client)
        return took, answer

    with ThreadPoolExecutor(job["concurrency"]) as pool, Meter() as meter:
        answers = list(pool.map(call, range(job["calls"])))
    for client in made:
        client.close()
    return _fanout_result(meter, answers, made[0])


def fanout_asyncio(client_class: type[Asyncio], job: Job) -> dict[str, Any]:
    """`calls` calls to a slow service, all at once."""

    async def call(client: Asyncio) -> tuple[float, Any]:
        start = time.perf_counter()
        answer = await client.describe()
        return time.perf_counter() - start, answer

    async def main() -> dict[str, Any]:
        client = client_class(job)
        await client.open()
        await client.describe()
        with Meter() as meter:
            answers = await asyncio.gather(*[call(client) for _ in range(job["calls"])])
        await client.close()
        return _fanout_result(meter, answers, client)

    return asyncio.run(main())


def _fanout_result(
    meter: Meter, answers: Sequence[tuple[float, Any]], client: Blocking | Asyncio
) -> dict[str, Any]:
    rows = [row for _, answer in answers for row in client.rows(answer)]
    return meter.per(1) | {"slowest": max(took for took, _ in answers)} | proof(rows)


def sign(make_signer: Callable[[Job], Callable[[], dict[str, Any]]], job: Job) -> dict[str, Any]:
    """Sign one and the same request again and again.

    The signer returns what it signed: `method`, `path`, `query`, `headers` and `body`, with the
    `Authorization` header among the headers, so that the caller can check the signature.
    """
    signer = make_signer(job)
    for _ in range(WARM_UP_CALLS):
        signed = signer()
    with Meter() as meter:
        for _ in range(job["calls"]):
            signed = signer()
    return meter.per(job["calls"]) | {"signed": signed}


def main(
    blocking: type[Blocking] | None = None,
    asynchronous: type[Asyncio] | None = None,
    signer: Callable[[Job], Callable[[], dict[str, Any]]] | None = None,
) -> None:
    """Do the job named on the command line and print its numbers."""
    job = json.loads(sys.argv[1])
    parts = {
        "list-blocking": (list_blocking, blocking),
        "list-asyncio": (list_asyncio, asynchronous),
        "small-blocking": (small_blocking, blocking),
        "small-asyncio": (small_asyncio, asynchronous),
        "fanout-blocking": (fanout_blocking, blocking),
        "fanout-asyncio": (fanout_asyncio, asynchronous),
        "sign": (sign, signer),
    }
    part, made_from = parts[job["part"]]
    print(json.dumps(part(made_from, job)))  # type: ignore[operator]
