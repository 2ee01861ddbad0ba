"""Compare one cold look-up of a price with apache-libcloud's: ``python -m benchmarks.prices``.

Each look-up runs in a fresh process, the sides in turn; the least time counts, because everything
else is what the machine does besides.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess

from benchmarks.environments import environment

PRELUDE = """
import json, time
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
start = time.perf_counter()
"""
REPORT = """
report = {"ms": (time.perf_counter() - start) * 1000, "KiB": peak()}
print(json.dumps(report))
"""
SIDES = {
    "bare Python": ("anysky", "pass"),
    "import sqlite3": ("anysky", "import sqlite3"),
    "anysky": (
        "anysky",
        "from anysky.pricing import price\nassert price('aws', 'm5.large', 'eu-west-1')",
    ),
    "anysky, after its imports": (
        "anysky",
        (
            "import anysky, decimal, _sqlite3\n"
            "from anysky.pricing import price\n"
            "start = time.perf_counter()\n"
            "assert price('aws', 'm5.large', 'eu-west-1')"
        ),
    ),
    "anysky, search of all clouds": (
        "anysky",
        (
            "from anysky.pricing import search\n"
            "search(vcpu=4, ram_gb=16, geo='eu')\n"
            "start = time.perf_counter()\n"
            "assert len(search(vcpu=4, ram_gb=16, geo='eu')) == 10"
        ),
    ),
    "apache-libcloud": (
        "libcloud",
        (
            "from libcloud.pricing import get_size_price\n"
            "assert get_size_price('compute', 'ec2_linux', 'm5.large', 'eu-west-1')"
        ),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _ in range(repeat):
        for name, (peer, program) in SIDES.items():
            found[name].append(measure(peer, program))
    for name, reports in found.items():
        least = {key: min(one[key] for one in reports) for key in reports[0]}
        print(f"{name:30} {least['ms']:8.2f} ms {least['KiB'] / 1024:8.1f} MiB")
    ours, theirs = (min(one["ms"] for one in found[name]) for name in ("anysky", "apache-libcloud"))
    print(f"anysky is {theirs / ours:.1f} times as fast")
    return 0


def measure(peer: str, program: str) -> dict[str, float]:
    """Run one side in a fresh process, with compiled modules as users have them."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [environment(peer).python, "-c", f"{PRELUDE}\n{program}\n{REPORT}"],
        capture_output=True,
        text=True,
        check=True,
        env={**environ, "ANYSKY_PRICES": "bundled"},
    )
    report: dict[str, float] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    raise SystemExit(main())
