"""The command: makes the environments, starts the server, measures and reports."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import FULL, QUICK, Case, all_cases, goals
from benchmarks.environments import PEERS, Environment, environment
from benchmarks.measure import Measured, certificates, run_case, running_server
from benchmarks.report import Outcome, Results, case_table, goal_table, outcome


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("--quick", action="store_true", help="1,000 servers and few repeats")
    made.add_argument("--json", metavar="FILE", type=Path, help="write every value to this file")
    made.add_argument(
        "--only",
        metavar="CASE",
        nargs="+",
        help="cases whose name begins so: list, small, fanout, startup, sign, list-ec2-1000 …",
    )
    made.add_argument("--refresh", action="store_true", help="make the environments anew")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; 1 if a side failed or did other work than the rest, else 0.

    A missed goal is printed, not an error: what a shared machine measures decides nothing.
    """
    options = parser().parse_args(arguments)
    size = QUICK if options.quick else FULL
    environments = {name: environment(name, refresh=options.refresh) for name in PEERS}
    print(heading(environments))
    with (
        certificates(environments["bare"].python) as folder,
        running_server(size.counts, folder) as sites,
    ):
        cases = all_cases(size, sites, str(folder / "ca.pem"))
        results = measure(chosen(cases, options.only), environments)
    outcomes = [outcome(goal, results) for goal in goals(size) if goal.case in results]
    print(goal_table(outcomes))
    if options.json:
        report = as_data(environments, results, outcomes)
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    failed = [name for sides in results.values() for name in sides if sides[name].error]
    return 1 if failed else 0


def chosen(cases: list[Case], only: list[str] | None) -> list[Case]:
    """The cases that were asked for."""
    if only is None:
        return cases
    found = [case for case in cases if case.name.startswith(tuple(only))]
    if not found:
        raise SystemExit(f"no case begins with {' or '.join(only)}")
    return found


def measure(cases: list[Case], environments: dict[str, Environment]) -> Results:
    """Run the cases and print the table of each as soon as it is there."""
    results: dict[str, dict[str, Measured]] = {}
    for case in cases:
        results[case.name] = run_case(case, environments, progress)
        progress("")
        print(f"{case_table(case, results[case.name])}\n", flush=True)
    return results


def progress(text: str) -> None:
    """Show what is running, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def heading(environments: dict[str, Environment]) -> str:
    """The machine and the versions that the numbers belong to."""
    versions = [
        f"{name} {version}"
        for each in environments.values()
        for name, version in each.versions.items()
    ]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load}\n{', '.join(versions)}\n"
        "Medians of interleaved runs; in brackets the ratio to anysky. Only ratios count.\n"
    )


def as_data(
    environments: dict[str, Environment], results: Results, outcomes: list[Outcome]
) -> dict[str, Any]:
    """Everything that was measured, for `--json`."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {name: each.versions for name, each in environments.items()},
        "results": {
            case: {
                name: {
                    "error": side.error,
                    "proof": side.proof,
                    "values": side.values,
                    "medians": {metric: side.median(metric) for metric in side.values},
                }
                for name, side in sides.items()
            }
            for case, sides in results.items()
        },
        "goals": [
            {**vars(each.goal), "measured": each.ratio, "outcome": each.word} for each in outcomes
        ],
    }
