"""Compare one cold look-up of a price with apache-libcloud's: ``python -m benchmarks.prices``.

Each look-up runs in a fresh process, the sides in turn; the least time counts, because everything
else is what the machine does besides. Then a file of AWS is made, as large as that of a large
region, and imported.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import tempfile
from pathlib import Path

from anysky.pricing.places import bundled_path
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
REGION_BYTES = 300_000_000
OTHERS = 39
"""Lines about anything else for each one that is the price of a node."""

REGION_HEAD = (
    ("FormatVersion", "v1.0"),
    ("Disclaimer", "made to measure"),
    ("Publication Date", "2026-09-21T19:47:12Z"),
    ("Version", "20260921194712"),
    ("OfferCode", "AmazonEC2"),
)
REGION_LINE = {
    "SKU": "AAAAAAAAAAAAAAA1",
    "OfferTermCode": "JRTCKXETXF",
    "TermType": "OnDemand",
    "PriceDescription": "$0.107 per On Demand Linux m5.large Instance Hour",
    "EffectiveDate": "2026-09-01",
    "Unit": "Hrs",
    "PricePerUnit": "0.1070000000",
    "Currency": "USD",
    "Product Family": "Compute Instance",
    "serviceCode": "AmazonEC2",
    "Location": "EU (Ireland)",
    "Location Type": "AWS Region",
    "Instance Type": "m5.large",
    "vCPU": "2",
    "Memory": "8 GiB",
    "Tenancy": "Shared",
    "Operating System": "Linux",
    "License Model": "No License required",
    "usageType": "EU-BoxUsage:m5.large",
    "operation": "RunInstances",
    "CapacityStatus": "Used",
    "Pre Installed S/W": "NA",
    "MarketOption": "OnDemand",
    "Region Code": "eu-west-1",
}
IMPORT = """
from pathlib import Path
from anysky.pricing.importers import Document, load
assert load("aws").read(Document(Path({path!r}), "2026-11-22")).figures
"""


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
    bare, sqlite, ours, theirs = (
        min(found[name], key=lambda one: one["ms"])
        for name in ("bare Python", "import sqlite3", "anysky", "apache-libcloud")
    )
    print(f"anysky is {theirs['ms'] / ours['ms']:.1f} times as fast")
    print(f"beyond import sqlite3: {ours['ms'] - sqlite['ms']:.2f} ms")
    print(f"memory over bare Python: {(ours['KiB'] - bare['KiB']) / 1024:.1f} MiB", end=", ")
    print(f"apache-libcloud {(theirs['KiB'] - bare['KiB']) / 1024:.1f} MiB")
    packed = len(gzip.compress(Path(bundled_path()).read_bytes(), 9))
    print(f"bundled catalogue in the wheel: {packed / 1000:.0f} kB")
    import_region()
    return 0


def import_region() -> None:
    """Make a file of AWS and import it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "region.csv")
        size = write_region(path)
        report = measure("anysky", IMPORT.format(path=str(path)))
    megabytes, seconds = size / 1e6, report["ms"] / 1000
    print(
        f"import of {megabytes:.0f} MB of AWS: {report['KiB'] / 1024:.0f} MiB in all, "
        f"{megabytes / seconds:.0f} MB a second"
    )


def write_region(path: Path) -> int:
    """Write a region's file of `REGION_BYTES`; return its size."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([*REGION_HEAD, REGION_LINE])
        number = 0
        while file.tell() < REGION_BYTES:
            size = f"m{number % 100}.{number % 30}xlarge"
            shared = {**REGION_LINE, "Instance Type": size, "usageType": f"EU-BoxUsage:{size}"}
            dedicated = {**shared, "Tenancy": "Dedicated"}
            writer.writerow(shared.values())
            writer.writerows([dedicated.values()] * OTHERS)
            number += 1
        return file.tell()


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
