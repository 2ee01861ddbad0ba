"""Turns measurements into tables of ratios, and goals into met or missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import Measured

if TYPE_CHECKING:
    from benchmarks.cases import Case, Goal

Results = dict[str, dict[str, Measured]]

_FACTORS = {"ms": 1e3, "µs": 1e6}
_COLUMNS = (("cpu", "CPU"), ("wall", "wall"), ("peak", "peak MB"))


@dataclass(frozen=True)
class Outcome:
    """What became of a goal; `ratio` is None if one of its sides has no numbers."""

    goal: Goal
    ratio: float | None

    @property
    def word(self) -> str:
        if self.ratio is None:
            return "not measured"
        return "met" if self.ratio <= self.goal.limit else "MISSED"


def outcome(goal: Goal, results: Results) -> Outcome:
    """Compare what was measured with a goal."""
    measured = results.get(goal.case, {})

    def value(side: str | None, metric: str) -> float | None:
        if side is None or side not in measured or measured[side].error:
            return None
        return measured[side].median(metric)

    mine = value(goal.side, goal.metric)
    others = value(goal.other, goal.other_metric or goal.metric) if goal.other else goal.reference
    taken_off = value(goal.over, goal.metric) if goal.over else 0.0
    if mine is None or others is None or taken_off is None:
        return Outcome(goal, None)
    if goal.other:
        others -= taken_off
    return Outcome(goal, (mine - taken_off) / others)


def case_table(case: Case, measured: dict[str, Measured]) -> str:
    """The medians of a case, each with its ratio to the first side of anysky."""
    base = measured.get("anysky")
    factor = _FACTORS[case.unit]
    rows = [["", *[f"{title} (ratio)" for _, title in _COLUMNS]]]
    for name, side in measured.items():
        if side.error:
            rows.append([name, f"failed: {side.error}"])
            continue
        cells = [name]
        for metric, _ in _COLUMNS:
            cells.append(_cell(side, base, metric, 1 if metric == "peak" else factor))
        rows.append(cells)
    return f"{case.title} [{case.unit}]\n{_aligned(rows)}"


def _cell(side: Measured, base: Measured | None, metric: str, factor: float) -> str:
    value = side.median(metric)
    if value is None:
        return "-"
    shown = f"{value * factor:,.1f}" if value * factor < 100 else f"{value * factor:,.0f}"
    reference = base.median(metric) if base and not base.error else None
    return f"{shown} ({value / reference:.2f})" if reference else shown


def goal_table(outcomes: list[Outcome]) -> str:
    """Every goal: the ratio that was measured, the one that is wanted."""
    rows = [["case", "goal", "measured", "at most", ""]]
    for found in outcomes:
        goal = found.goal
        rows.append(
            [
                goal.case,
                _describe(goal),
                "-" if found.ratio is None else f"{found.ratio:.3f}",
                f"{goal.limit:.3f}",
                found.word,
            ]
        )
    return f"Goals\n{_aligned(rows)}"


def _describe(goal: Goal) -> str:
    other = f" / {goal.other}" if goal.other else ""
    if goal.other_metric:
        other += f" {goal.other_metric}"
    over = f", over {goal.over}" if goal.over and goal.other else ""
    note = f" ({goal.note})" if goal.note else ""
    return f"{goal.metric} {goal.side}{other}{over}{note}"


def _aligned(rows: list[list[str]]) -> str:
    """Left column to the left, the others to the right; over-long last cells stick out."""
    columns = max(len(row) for row in rows)
    full = [row for row in rows if len(row) == columns]
    widths = [max(len(row[column]) for row in full) for column in range(columns)]
    widths[0] = max(len(row[0]) for row in rows)
    left = {0, 1} if rows[0][0] else {0}
    lines = [
        "  ".join(
            cell.ljust(widths[i]) if i in left or len(row) < columns else cell.rjust(widths[i])
            for i, cell in enumerate(row)
        )
        for row in rows
    ]
    return "\n".join(f"  {line.rstrip()}" for line in lines)
