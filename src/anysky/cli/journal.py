"""``anysky journal``: show what was interrupted, and remove or keep what it made."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from anysky.cli.output import plain, table
from anysky.errors import CloudError, NotFoundError
from anysky.journal import Entry, RecordedStep
from anysky.recovery import Journal

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_HEADER = ("id", "operation", "state", "provider", "began", "there", "perhaps")
_STEP_HEADER = ("step", "state", "id", "provider", "undone by", "error")
_NONE = "-"
_PARTLY_EXIT = 7


def _options(*, writes: bool = False, drives: bool = False) -> Callable[[F], F]:
    """Add what the commands have in common."""
    kinds = click.Choice(["table", "json"])
    options = [
        click.option("--path", metavar="FILE", help="The journal, in place of your own."),
        click.option("-o", "--output", type=kinds, default="table", show_default=True),
    ]
    if writes:
        force = "Do it although the process may still run, or the credentials are others."
        options += [
            click.option("--yes", is_flag=True, help="Don't ask."),
            click.option("--force", is_flag=True, help=force),
        ]
    if drives:
        options.append(click.option("--dry-run", is_flag=True, help="Only say what would be done."))

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


@click.group("journal")
def command() -> None:
    """Show what was interrupted, and remove or keep what it made.

    The journal is the one that --path names, else the one of ANYSKY_JOURNAL, else your own.
    Credentials come from the environment, as for any driver.

    Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage, 3 no such entry, 7 partly done.
    """


@command.command("list")
@_options()
@click.option("--all", "all_", is_flag=True, help="What failed and was kept, too.")
def list_(path: str | None, output: str, all_: bool) -> None:
    """List what is unfinished, or could not be undone."""
    with Journal(path) as journal:
        found = journal.entries(all=all_)
    if output == "json":
        _print_json([_entry(entry) for entry in found])
    elif found:
        click.echo(table(_HEADER, [_row(entry) for entry in found]))
    else:
        click.echo(f"nothing is unfinished in {plain(str(journal.path))}")


@command.command("show")
@click.argument("id")
@_options()
def show(id: str, path: str | None, output: str) -> None:
    """Show what an operation has made."""
    with Journal(path) as journal:
        entry = journal.get(id)
    if output == "json":
        _print_json(_entry(entry))
        return
    click.echo(table(_HEADER, [_row(entry)]))
    if entry.error:
        click.echo(f"\n{plain(entry.error)}")
    if entry.steps:
        click.echo(f"\n{table(_STEP_HEADER, [_step_row(step) for step in entry.steps])}")


@command.command("resume")
@click.argument("id")
@_options(writes=True, drives=True)
def resume(id: str, path: str | None, output: str, yes: bool, force: bool, dry_run: bool) -> None:
    """Keep what an interrupted operation has made, and find out what that is."""
    with Journal(path) as journal:
        entry = journal.get(id)
        plan = [_resuming(step) for step in entry.open_steps]
        if not _go_on([entry], plan, output, yes=yes, dry_run=dry_run):
            return
        report = journal.resume(id, force=force)
    doubts = [str(doubt) for doubt in report.in_doubt]
    errors = [str(error) for error in report.errors]
    if output == "json":
        kept = [_thing(thing) for thing in report.created]
        _print_json({"id": id, "kept": kept, "in_doubt": doubts, "errors": errors})
    else:
        _say("kept", [_name(thing) for thing in report.created])
        _say("still in doubt", doubts)
        _say("error", errors)
    sys.exit(_PARTLY_EXIT if doubts else 0)


@command.command("rollback")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_options(writes=True, drives=True)
def rollback(
    ids: tuple[str, ...], path: str | None, output: str, yes: bool, force: bool, dry_run: bool
) -> None:
    """Remove what operations have made; without an ID, of all whose process is over."""
    with Journal(path) as journal:
        entries = [journal.get(id) for id in ids] if ids else _unfinished(journal)
        plan = [_undoing(step) for entry in entries for step in reversed(entry.open_steps)]
        if not _go_on(entries, plan, output, yes=yes, dry_run=dry_run):
            return
        outcomes = [_roll_back(journal, entry, force=force) for entry in reversed(entries)]
    if output == "json":
        _print_json(outcomes)
    else:
        _tell(outcomes)
    sys.exit(_worst(outcomes))


@command.command("forget")
@click.argument("ids", nargs=-1, metavar="ID...", required=True)
@_options(writes=True)
def forget(ids: tuple[str, ...], path: str | None, output: str, yes: bool, force: bool) -> None:
    """Take operations out of the journal; what they made stays where it is."""
    with Journal(path) as journal:
        entries = [journal.get(id) for id in ids]
        plan = [f"forget {step.look_for}" for entry in entries for step in entry.open_steps]
        if not _go_on(entries, plan, output, yes=yes, dry_run=False):
            return
        for entry in entries:
            journal.forget(entry.id, force=force)
    if output == "json":
        _print_json({"forgotten": list(ids)})
    else:
        _say("forgotten", ids)


def _unfinished(journal: Journal) -> list[Entry]:
    """Return what was interrupted, and say what is passed over."""
    found: list[Entry] = []
    for entry in journal.entries():
        if entry.state == "interrupted" or (entry.state == "failed" and entry.alive is False):
            found.append(entry)
        else:
            where = f"process {entry.pid} on {entry.host}"
            state = entry.error if entry.state == "damaged" else f"{entry.state}, {where}"
            click.echo(f"passed over: {entry.name} {entry.id} ({plain(state)})", err=True)
    return found


def _go_on(
    entries: Sequence[Entry], plan: Sequence[str], output: str, *, yes: bool, dry_run: bool
) -> bool:
    """Show what will be done, and whether it shall be."""
    if dry_run and output == "json":
        _print_json({"ids": [entry.id for entry in entries], "plan": list(plan)})
    elif dry_run:
        click.echo("\n".join(map(plain, plan)) or "nothing to do")
    elif plan and not yes and _is_interactive():
        click.echo("\n".join(map(plain, plan)), err=True)
        click.confirm("Go on?", abort=True, err=True)
    return not dry_run


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _roll_back(journal: Journal, entry: Entry, *, force: bool) -> dict[str, Any]:
    """Roll one entry back, and return what became of it."""
    outcome: dict[str, Any] = {"id": entry.id, "undone": [], "gone": [], "left_behind": []}
    try:
        report = journal.rollback(entry.id, force=force)
    except NotFoundError:  # another process was faster
        return outcome
    except CloudError as error:
        return {**outcome, "error": str(error)}
    gone = [id(thing) for thing in report.gone]
    for thing in report.undone:
        outcome["gone" if id(thing) in gone else "undone"].append(_thing(thing))
    outcome["left_behind"] = [
        {**_thing(thing), "error": str(error)}
        for thing, error in zip(report.left_behind, report.errors, strict=True)
    ]
    return outcome


def _tell(outcomes: Sequence[dict[str, Any]]) -> None:
    if not outcomes:
        click.echo("nothing to roll back")
    for outcome in outcomes:
        _say("removed", [one["name"] for one in outcome["undone"]])
        _say("was gone", [one["name"] for one in outcome["gone"]])
        left = [f"{one['name']}: {one['error']}" for one in outcome["left_behind"]]
        _say("left behind", left)
        if "error" in outcome:
            click.echo(f"anysky: {plain(outcome['error'])}", err=True)
        elif not left:
            _say("rolled back", [outcome["id"]])


def _worst(outcomes: Sequence[dict[str, Any]]) -> int:
    if any(outcome["left_behind"] for outcome in outcomes):
        return _PARTLY_EXIT
    failed = [outcome for outcome in outcomes if "error" in outcome]
    if failed:
        return 1 if len(failed) == len(outcomes) else _PARTLY_EXIT
    return 0


def _row(entry: Entry) -> list[str]:
    states = [step.state for step in entry.steps]
    return [
        entry.id, entry.name, entry.state, entry.provider or _NONE, _when(entry),
        str(states.count("done")), str(states.count("intended") + states.count("in doubt")),
    ]  # fmt: skip


def _step_row(step: RecordedStep) -> list[str]:
    ids = ", ".join(step.ids) or _NONE
    return [step.what, step.state, ids, step.provider, step.undo or _NONE, step.error]


def _when(entry: Entry) -> str:
    return entry.began.astimezone().isoformat(" ", "seconds")


def _undoing(step: RecordedStep) -> str:
    if step.state == "done":
        return f"remove {step.look_for}"
    return f"look for {step.look_for}, and remove it"


def _resuming(step: RecordedStep) -> str:
    return f"keep {step.look_for}" if step.state == "done" else f"look for {step.look_for}"


def _say(what: str, names: Sequence[str]) -> None:
    for name in names:
        click.echo(f"{what}: {plain(name)}")


def _thing(thing: Any) -> dict[str, Any]:
    return {"kind": type(thing).__name__, "id": getattr(thing, "id", None), "name": _name(thing)}


def _name(thing: Any) -> str:
    """Return what a thing is called, for people."""
    names = [getattr(thing, attribute, None) for attribute in ("name", "id")]
    told = [str(name) for name in names if name]
    return f"{type(thing).__name__} {' '.join(told)}" if told else str(thing)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "state": entry.state,
        "provider": entry.provider,
        "service": entry.service,
        "began": entry.began.isoformat(),
        "pid": entry.pid,
        "host": entry.host,
        "alive": entry.alive,
        "error": entry.error,
        "steps": [_step(step) for step in entry.steps],
    }


def _step(step: RecordedStep) -> dict[str, Any]:
    return {
        "what": step.what,
        "operation": step.operation,
        "state": step.state,
        "ids": step.ids,
        "mark": step.mark,
        "at": step.at.isoformat(),
        "provider": step.provider,
        "service": step.service,
        "endpoint": step.origin.get("endpoint", ""),
        "undo": step.undo,
        "error": step.error,
    }


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
