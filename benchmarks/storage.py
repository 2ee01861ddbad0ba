"""Compare object storage with its peers: ``python -m benchmarks.storage``.

Each side does each cell in a fresh process, the sides in turn, against the same server on loopback,
which throws away what is sent and sends zeros (see `benchmarks.storage_sink`); with ``--endpoint``
against a real one, whose keys stand in BENCH_KEY and BENCH_SECRET. Printed are medians and their
ratios; only the ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import environment
from benchmarks.measure import certificates

WORKERS = Path(__file__).with_name("workers")
CELLS = ("up", "down", "small-up", "small-down", "list")
MIB = 1024**2
WORK = {
    "up": "a large object up",
    "down": "a large object down",
    "small-up": "2,000 objects of 4 KiB up",
    "small-down": "2,000 objects of 4 KiB down",
    "list": "list 100,000 keys",
}


@dataclass(frozen=True)
class Side:
    """One way to do the work: a worker, in the environment of a peer."""

    name: str
    peer: str
    worker: str
    environ: dict[str, str] = field(default_factory=dict)
    cells: tuple[str, ...] = CELLS


SIDES = (
    Side("anysky", "anysky", "storage_anysky"),
    Side("anysky asyncio", "anysky", "storage_anysky_asyncio"),
    Side("unverified", "anysky", "storage_anysky", {"BENCH_UNVERIFIED": "1"}, ("up",)),
    Side(
        "unverified async", "anysky", "storage_anysky_asyncio", {"BENCH_UNVERIFIED": "1"}, ("up",)
    ),
    Side("boto3", "boto3", "storage_boto3"),
    Side("boto3 + CRT", "boto3", "storage_crt", {}, ("up", "down")),
    Side("aiobotocore", "aiobotocore", "storage_aiobotocore"),
    Side("obstore", "obstore", "storage_obstore"),
    Side("obstore async", "obstore", "storage_obstore", {"BENCH_ASYNC": "1"}),
    Side("apache-libcloud", "libcloud", "storage_libcloud"),
)
TOOLS = ("curl", "rclone")


@dataclass(frozen=True)
class Goal:
    """`side` is to take at most `limit` times what `other` takes in `cell`."""

    cell: str
    side: str
    other: str
    limit: float


GOALS = (
    # obstore sends and checks no digests of its own accord.
    Goal("up", "unverified", "obstore", 1.0),
    Goal("up", "unverified async", "obstore async", 1.0),
    Goal("down", "anysky", "obstore", 1.0),
    Goal("down", "anysky asyncio", "obstore async", 1.0),
    *(Goal(cell, "anysky", "boto3", 0.5) for cell in ("up", "down")),
    *(Goal(cell, "anysky", "boto3", 0.2) for cell in ("small-up", "small-down", "list")),
    *(Goal(cell, "anysky asyncio", "aiobotocore", 0.2) for cell in ("small-up", "small-down")),
    *(Goal(cell, "anysky asyncio", "obstore async", 1.0) for cell in ("small-up", "small-down")),
)


def main() -> int:
    """Run the benchmark and print a table for each cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL")
    parser.add_argument("--sides", nargs="+", metavar="NAME", help="only these sides")
    parser.add_argument("--tls", action="store_true", help="over https")
    parser.add_argument("--endpoint", help="a real server; listing is left out there")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large object")
    parser.add_argument("--folder", default="/dev/shm", help="where the large file stands")
    options = parser.parse_args()
    os.environ["BENCH_SIZE"] = str(options.size * MIB)
    chosen = [one for one in SIDES if not options.sides or one.name in options.sides]
    without = options.sides or options.tls or options.endpoint
    tools = [] if without else [one for one in TOOLS if shutil.which(one)]
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        server(options.endpoint, tls=options.tls) as (endpoint, ca),
    ):
        if options.endpoint:
            prepare(options.endpoint, Path(folder, "file"))
            options.only = [cell for cell in options.only if cell != "list"]
        for cell in options.only:
            table(cell, measured(cell, chosen, tools, endpoint, ca, folder, options.repeat))
    return 0


@contextmanager
def server(endpoint: str | None, *, tls: bool) -> Iterator[tuple[str, str]]:
    """Start the server that stores nothing, unless another is named."""
    if endpoint:
        yield endpoint, ""
        return
    with certificates(environment("bare").python) as folder:
        ca = str(folder / "ca.pem") if tls else ""
        more = ["--certificate", str(folder)] if tls else []
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.storage_sink", *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), ca
        finally:
            process.terminate()
            process.wait()


def measured(
    cell: str, sides: list[Side], tools: list[str], endpoint: str, ca: str, folder: str, repeat: int
) -> dict[str, list[dict[str, float]]]:
    """Let each side do a cell so many times, in turn."""
    file = Path(folder, "file")
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(repeat):
        for side in (one for one in sides if cell in one.cells):
            fresh(file, cell)
            found.setdefault(side.name, []).append(run(side, cell, endpoint, ca, file))
        for tool in tools:
            if (command := tool_command(tool, cell, endpoint, file)) is not None:
                fresh(file, cell)
                found.setdefault(tool, []).append(run_tool(command))
    return found


def prepare(endpoint: str, file: Path) -> None:
    """Make the container of a real server, and the objects that are read."""
    fresh(file, "up")
    run(Side("preparing", "anysky", "storage_prepare"), "up", endpoint, "", file)


def fresh(file: Path, cell: str) -> None:
    file.unlink(missing_ok=True)
    if cell == "up":
        with file.open("wb") as target:
            target.truncate(size())


def run(side: Side, cell: str, endpoint: str, ca: str, file: Path) -> dict[str, float]:
    environ = clean_environ() | side.environ | ({"BENCH_CA": ca} if ca else {})
    command = [environment(side.peer).python, WORKERS / f"{side.worker}.py", cell, endpoint, file]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{side.name}, {cell}, failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return {"wall": float("nan"), "cpu": float("nan"), "MiB": float("nan")}
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return report


def size() -> int:
    return int(os.environ["BENCH_SIZE"])


def clean_environ() -> dict[str, str]:
    """The environment without what would change how Python or a peer works."""
    foreign = ("PYTHON", "AWS_", "SSL_", "HTTP_PROXY", "http_proxy")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


def tool_command(tool: str, cell: str, endpoint: str, file: Path) -> list[str] | None:
    big = f"{endpoint}/bucket/size-{size()}"
    if tool == "curl":
        commands = {"up": ["-T", str(file), big], "down": ["-o", str(file), big]}
        return ["curl", "-s", *commands[cell]] if cell in commands else None
    remote = f":s3,provider=Other,endpoint='{endpoint}',access_key_id=a,secret_access_key=b:bucket"
    commands = {
        "up": [
            "copyto",
            str(file),
            f"{remote}/size-{size()}",
            "--s3-no-check-bucket",
            "--s3-no-head",
        ],
        "down": ["copyto", f"{remote}/size-{size()}", str(file)],
    }
    return ["rclone", *commands[cell]] if cell in commands else None


def run_tool(command: list[str]) -> dict[str, float]:
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, env=clean_environ(), check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"{command[0]} failed:\n{done.stderr[-1000:]}", file=sys.stderr)
        return {"wall": float("nan"), "cpu": float("nan"), "MiB": float("nan")}
    wall, after = time.perf_counter() - began, os.times()
    used = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return {"wall": wall, "cpu": used, "MiB": float("nan")}


def table(cell: str, found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians, and how many times what anysky takes each side takes."""
    medians = {
        name: {
            key: statistics.median(one[key] for one in reports) for key in ("wall", "cpu", "MiB")
        }
        for name, reports in found.items()
    }
    base = medians.get("anysky") or next(iter(medians.values()))
    print(f"\n{WORK[cell]}\n{'':18}{'wall s':>9}{'CPU s':>9}{'MiB':>8}{'wall x':>9}{'CPU x':>9}")
    for name, one in medians.items():
        ratios = one["wall"] / base["wall"], one["cpu"] / base["cpu"]
        print(
            f"{name:18}{one['wall']:9.3f}{one['cpu']:9.3f}{one['MiB']:8.0f}"
            f"{ratios[0]:9.2f}{ratios[1]:9.2f}"
        )
    for goal in GOALS:
        if goal.cell == cell and {goal.side, goal.other} <= medians.keys():
            print(f"  goal: {goal.side} <= {goal.limit} x {goal.other}: {verdicts(goal, medians)}")
    sys.stdout.flush()


def verdicts(goal: Goal, medians: dict[str, dict[str, float]]) -> str:
    """Say by how much a goal is met or missed, by either clock."""
    found: list[str] = []
    for clock in ("wall", "cpu"):
        ratio = medians[goal.side][clock] / medians[goal.other][clock]
        verdict = "met" if ratio <= goal.limit else "missed"
        found.append(f"{clock} {ratio:.2f} {verdict}")
    return ", ".join(found)


if __name__ == "__main__":
    raise SystemExit(main())
