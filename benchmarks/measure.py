"""Runs the sides of a case in turn, each time in a fresh process, and keeps what they report."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.cases import LATENCY, Case, Side
from benchmarks.environments import ROOT, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = ROOT / "benchmarks" / "workers"
METRICS = ("wall", "cpu", "peak", "slowest")
TIME_LIMIT = 300
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

_PRINT_PEAK = """
import sys
if sys.platform == "linux":
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


class SideFailedError(Exception):
    """A worker ended with an error; the text is the last line that it wrote."""


@dataclass
class Measured:
    """The numbers of one side: a list of values for each metric, or why there are none."""

    values: dict[str, list[float]] = field(default_factory=dict)
    proof: tuple[int, str] | None = None
    error: str | None = None

    def add(self, report: dict[str, Any]) -> None:
        for metric in METRICS:
            if metric in report:
                self.values.setdefault(metric, []).append(report[metric])
        if "checksum" in report:
            self.proof = (report["count"], report["checksum"])

    def median(self, metric: str) -> float | None:
        values = self.values.get(metric)
        return statistics.median(values) if values else None


@contextmanager
def running_server(counts: tuple[int, ...], certificates: Path) -> Iterator[dict[str, str]]:
    """The server with the canned answers; yields the address of each of its sites."""
    command = [sys.executable, "-m", "benchmarks.server", "--latency", str(LATENCY), "--counts"]
    command += [str(count) for count in counts]
    command += ["--certificate", str(certificates / "server.pem")]
    command += ["--key", str(certificates / "server.key")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            started = process.stdout.readline()
            if not started:
                raise SystemExit("the server with the canned answers did not start")
            yield json.loads(started)
        finally:
            process.stdin.close()
            process.wait(10)


@contextmanager
def certificates(python: Path) -> Iterator[Path]:
    """A folder with a fresh certificate authority and a server certificate."""
    with TemporaryDirectory() as folder:
        script = ROOT / "benchmarks" / "certificates.py"
        subprocess.run([str(python), str(script), folder], check=True)
        yield Path(folder)


def run_case(
    case: Case, environments: dict[str, Environment], progress: Callable[[str], None]
) -> dict[str, Measured]:
    """Measure every side `repeats` times, in turns: A B C A B C …"""
    measured = {side.name: Measured() for side in case.sides}
    for turn in range(case.repeats + 1):
        for side in case.sides:
            mine = measured[side.name]
            if mine.error:
                continue
            progress(f"{case.name} {turn}/{case.repeats} {side.name}")
            try:
                report = run_side(side, environments[side.environment])
            except SideFailedError as error:
                mine.error = str(error)
            else:
                # The first turn fills caches: compiled modules, pages of the disk.
                if turn:
                    mine.add(report)
    if case.compared:
        _compare(measured)
    return measured


def _compare(measured: dict[str, Measured]) -> None:
    """Mark sides that did not decode what the most of them decoded."""
    proofs = [side.proof for side in measured.values() if side.proof]
    if not proofs:
        return
    usual = statistics.mode(proofs)
    for side in measured.values():
        if side.proof and side.proof != usual:
            side.error = f"decoded {side.proof}, the others {usual}"


def run_side(side: Side, environment: Environment) -> dict[str, Any]:
    """One run of one side.

    Raises:
        SideFailedError: The process failed, took too long or signed wrongly.
    """
    if side.code is not None:
        return _whole_process(environment.python, side.code)
    worker = WORKERS / f"run_{side.environment}.py"
    report: dict[str, Any] = json.loads(
        _finish([str(environment.python), str(worker), json.dumps(side.job)])
    )
    if "signed" in report:
        _check_signature(report["signed"])
    return report


def _whole_process(python: Path, code: str) -> dict[str, Any]:
    """Wall and CPU time of a process from start to end, and its largest resident size."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = -time.perf_counter()
    output = _finish([str(python), "-c", code + _PRINT_PEAK])
    wall += time.perf_counter()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report: dict[str, Any] = {"wall": wall, "cpu": cpu}
    if output.strip():
        report["peak"] = int(output.split()[1]) * 1024 / 1e6
    return report


def _finish(command: list[str]) -> str:
    """The output of a worker, started without the caller's cloud settings and proxies."""
    with TemporaryDirectory() as home:
        clean = {"PATH": os.environ.get("PATH", ""), "HOME": home, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                env=clean,
                cwd=home,
                timeout=TIME_LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise SideFailedError(f"still running after {TIME_LIMIT} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SideFailedError(lines[-1])
    return done.stdout


def _check_signature(signed: dict[str, Any]) -> None:
    """Compute the signature once more from what was signed.

    Raises:
        SideFailedError: It is another one.
    """
    headers = {name.lower(): value for name, value in signed["headers"].items()}
    scope, names, signature = _authorization(headers["authorization"])
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";"))
    payload = hashlib.sha256(signed["body"].encode()).hexdigest()
    canonical = (
        f"{signed['method']}\n{signed['path']}\n{signed['query']}\n{lines}\n{names}\n{payload}"
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature):
        raise SideFailedError("the signature is wrong")


def _authorization(header: str) -> tuple[str, str, str]:
    """Scope, names of the signed headers and signature."""
    fields = dict(part.strip().split("=", 1) for part in header.partition(" ")[2].split(","))
    scope = fields["Credential"].partition("/")[2]
    return scope, fields["SignedHeaders"], fields["Signature"]
