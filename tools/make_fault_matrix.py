"""Make ``docs/fault-matrix.md``: what becomes of a call when something fails.

The page is written from the table that the tests compare every outcome with,
``tests/faults/outcomes.py``, so it says nothing that was not tried. Run it without arguments to
write the page, with ``--check`` to compare it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.catalogue import FAULTS, Fault  # noqa: E402 - the path comes first
from tests.faults.operations import OPERATIONS, ROWS, Row  # noqa: E402 - the path comes first
from tests.faults.outcomes import (  # noqa: E402 - the path comes first
    APIS,
    DEPARTURES,
    RULES,
    Departure,
    Outcome,
    cells,
    found_again,
)

TARGET = ROOT / "docs" / "fault-matrix.md"
PROVIDERS = {"aws": "AWS", "digitalocean": "DigitalOcean"}
CLASSES = {"safe": "reads", "repeatable": "may be sent again", "once": "is sent once"}
ORDINALS = ("zeroth", "first", "second", "third", "fourth")

HEAD = """\
<!-- Made from tests/faults/outcomes.py by tools/make_fault_matrix.py; run `make generate`. -->
# When something fails: the fault matrix

What becomes of a call when its provider, or the network on the way, fails. The tests play every
fault of this page on {operations} operations of {providers}, once and for good, blocking and
with asyncio: {cells:,} cases, each with a declared outcome. An exception that is not a
`CloudError` fails them, and so does a request that was carried out twice although it may be
carried out only once.

"At once" means that nothing is sent a second time. The tries are those of the default
`RetryPolicy`: four.

## The same for every request

| what fails | if it fails once | if it lasts |
|---|---|---|
{alike}
## By what a request does

* **It reads**: it changes nothing and is sent again.
* **It may be sent again**: it has the effect of once when it is sent twice, because it names what
  it deletes or sets, or carries a token by which the provider knows it again.
* **It is sent once**: everything else. It is sent again only if nothing of it left, or if the
  provider said that it did not do it.
* **Its work can be found**: the request is sent once, but what it made is known by a mark, or what
  it changed by what it says. If the answer is lost, anysky looks for it, and the call goes on with
  what it finds. Else the error is `OutcomeUnknownError`, and its `in_doubt` says what to look for.

| what fails | it reads | it may be sent again | it is sent once | its work can be found |
|---|---|---|---|---|
{by_class}"""


def main() -> int:
    """Write or compare the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    text = page()
    old = TARGET.read_text("utf-8") if TARGET.exists() else ""
    if text == old:
        return 0
    if check:
        print(f"{TARGET.relative_to(ROOT)} is out of date: run `make generate`")
        return 1
    TARGET.write_text(text, "utf-8")
    print(f"wrote {TARGET.name}")
    return 0


def page() -> str:
    """Return the whole page."""
    rows = [row for provider in ROWS for row in ROWS[provider]]
    count = sum(len(list(cells(row))) for row in rows) * len(APIS)
    head = HEAD.format(
        operations=len(rows),
        providers=_listed(PROVIDERS.values()),
        cells=count,
        alike="".join(_alike_lines()),
        by_class="".join(_class_lines()),
    )
    return "\n".join([head, _departures(), *map(_operations, ROWS)])


def _alike_lines() -> Iterator[str]:
    for fault in FAULTS:
        pairs = _pairs(fault)
        if len(set(pairs)) == 1:
            first, lasting = pairs[0]
            if lasting == first:
                yield f"| {fault.title} | {_outcome(first)} | the same |\n"
            else:
                yield f"| {fault.title} | {_outcome(first)} | {_outcome(lasting)} |\n"


def _class_lines() -> Iterator[str]:
    for fault in FAULTS:
        pairs = _pairs(fault)
        if len(set(pairs)) > 1:
            yield f"| {fault.title} | {' | '.join(_pair(*pair) for pair in pairs)} |\n"


def _pairs(fault: Fault) -> list[tuple[Outcome, Outcome]]:
    """The outcomes if a fault strikes once, and if it lasts, for each class of requests."""
    rule = RULES[fault.name]
    first, lasting = (found_again(fault, outcome) for outcome in rule.once)
    return [rule.safe, rule.repeatable, rule.once, (first, lasting)]


def _pair(first: Outcome, lasting: Outcome) -> str:
    if first == lasting:
        return _outcome(first)
    return f"{_outcome(first)}; if it lasts, {_outcome(lasting)}"


def _outcome(outcome: Outcome) -> str:
    waited = ", after the wait that was asked for" if outcome.waited else ""
    if outcome.unnoticed:
        return "not noticed: what came is the result"
    if outcome.error is None:
        return f"{_success(outcome.sends)}{waited}"
    tries = "at once" if outcome.attempts == 1 else f"after {outcome.attempts} tries"
    when = "; `retry_at` says when to come back" if outcome.retry_in else ""
    return f"`{outcome.error.__name__}` {tries}{waited}{when}"


def _success(sends: int) -> str:
    return "found, and the call succeeds" if sends == 1 else f"the {ORDINALS[sends]} try succeeds"


def _departures() -> str:
    lines = ["## Exceptions", "", "| what fails | where | outcome | why |", "|---|---|---|---|"]
    for departure in DEPARTURES:
        titles = [fault.title for fault in FAULTS if fault.name in departure.faults]
        outcome = _pair(*departure.outcomes)
        lines.append(f"| {_listed(titles)} | {_place(departure)} | {outcome} | {departure.why} |")
    return "\n".join([*lines, ""])


def _place(departure: Departure) -> str:
    """Which calls differ from the rule."""
    provider = PROVIDERS.get(departure.provider or "", "")
    operations = departure.operations or [
        row.operation
        for rows in ROWS.values()
        for row in rows
        if departure.answer is not None and row.answer == departure.answer
    ]
    named = ", ".join(f"`{name}`" for name in operations)
    return " ".join(part for part in (provider, named) if part)


def _operations(provider: str) -> str:
    lines = [
        f"## Operations of {PROVIDERS[provider]}",
        "",
        "| operation | request that fails | it | its work can be found | cases |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS[provider]:
        found = "yes" if row.found else ""
        tried = len(list(cells(row))) * len(APIS)
        sends = CLASSES[row.sends.value]
        lines.append(f"| {_operation(row)} | `{row.request}` | {sends} | {found} | {tried} |")
    return "\n".join([*lines, ""])


def _operation(row: Row) -> str:
    return f"`{row.operation}` ({OPERATIONS[row.operation].part})"


def _listed(names: Iterable[str]) -> str:
    *first, last = list(names)
    return f"{', '.join(first)} and {last}" if first else last


if __name__ == "__main__":
    sys.exit(main())
