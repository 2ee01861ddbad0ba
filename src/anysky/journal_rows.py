"""What a journal's rows mean: entries and their steps, each with a digest against damage."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from .errors import JournalError, MalformedResponseError
from .model.codec import decode, encode
from .processes import Process, this_process
from .steps import Step, StepState

__all__ = [
    "OPEN",
    "Entry",
    "EntryRow",
    "RecordedStep",
    "family",
    "put_entry",
    "put_step",
    "read_entry",
    "roots",
    "step_row",
    "update_step",
]

OPEN = frozenset({StepState.INTENDED.value, StepState.DONE.value, StepState.IN_DOUBT.value})
"""States of a step that stands for a thing which is there, or may be."""

_SECOND = 10**9
_STATES = frozenset(state.value for state in StepState)
_ENTRY_STATES = frozenset({"running", "done", "kept", "failed"})
_FAMILY = """
    WITH RECURSIVE family (id) AS (
        SELECT ? UNION SELECT entry.id FROM entry JOIN family ON entry.parent = family.id
    )
    SELECT id FROM family
"""
_FAMILY_ENTRIES = """
    WITH RECURSIVE family (id) AS (
        SELECT ? UNION SELECT entry.id FROM entry JOIN family ON entry.parent = family.id
    )
    SELECT id, parent, name, origin, pid, started, host, began, digest, state, ended, error
    FROM entry WHERE id IN family
"""
_FAMILY_STEPS = """
    WITH RECURSIVE family (id) AS (
        SELECT ? UNION SELECT entry.id FROM entry JOIN family ON entry.parent = family.id
    )
    SELECT entry, seq, mark, what, operation, undo, undo_args, find, find_args, absent, state,
        thing, error, digest
    FROM step WHERE entry IN family ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One thing that an operation made, or may have made.

    Attributes:
        entry: Id of its operation in the journal.
        what: What it is, for people.
        operation: The operation that it is a part of.
        state: ``"intended"`` (its request may have left), ``"done"``, ``"in doubt"`` (its answer
            was lost), ``"not made"``, ``"undone"`` or ``"kept"``.
        thing: The model of what was made, bound to no driver; a list of several, or None.
        at: When it was begun.
        provider: Name of its driver's provider.
        service: Its driver's service.
        error: Why it could not be undone, or empty.
        mark: The token or tag by which the thing can be found.
        undo: Operation of the backend that takes it back.
        undo_args: Arguments of that; None for the thing.
        find: Operation of the backend that looks for it, or empty.
        find_args: What it is known by besides the mark.
        absent: Whether there was no such thing before.
        origin: How its driver is made again.
    """

    entry: str
    what: str
    operation: str
    state: str
    thing: Any
    at: datetime
    provider: str
    service: str
    error: str
    mark: str
    undo: str
    undo_args: tuple[Any, ...] | None
    find: str
    find_args: tuple[Any, ...]
    absent: bool
    origin: Mapping[str, Any]

    @property
    def is_open(self) -> bool:
        """Whether the thing is there, or may be."""
        return self.state in OPEN

    @property
    def ids(self) -> list[str]:
        """The ids of what was made; a request may make several things at once."""
        several = isinstance(self.thing, list)
        things = cast("list[Any]", self.thing) if several else [self.thing]
        ids = [getattr(one, "id", None) for one in things]
        return [str(id) for id in ids if id is not None]

    @property
    def look_for(self) -> str:
        """What it is called, for people: with the id of the thing, or the mark to look for."""
        if self.ids:
            return f"{self.what} ({', '.join(self.ids)})"
        return self.what if self.state == "done" else f"{self.what} (mark {self.mark})"


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation or transaction in the journal.

    Attributes:
        id: What it is called in the journal.
        name: The operation; ``"transaction"`` for a block over several of them.
        state: ``"running"``; ``"interrupted"``: the process ended before the operation did;
            ``"failed"``: something could not be undone; ``"kept"``: it failed, which the program
            was told, and what it made stays; ``"damaged"``.
        provider: Name of the provider, or several, separated by commas.
        service: The service, or several.
        began: When it began.
        pid: The process that it runs in.
        host: The machine of the process.
        alive: Whether that process runs; None on another machine, where it cannot be known.
        error: What it failed with, or what is damaged.
        steps: What it made, in that order.
    """

    id: str
    name: str
    state: str
    provider: str
    service: str
    began: datetime
    pid: int
    host: str
    alive: bool | None
    error: str
    steps: tuple[RecordedStep, ...]

    @property
    def open_steps(self) -> list[RecordedStep]:
        """What is there, or may be, and would be undone."""
        return [step for step in self.steps if step.is_open]


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of the table of entries, as far as it never changes."""

    id: str
    parent: str | None
    name: str
    origin: str
    process: Process
    began: int

    def digest(self) -> str:
        """Return what a changed bit changes; the parent may change."""
        one = self.process
        return _digest(
            [self.id, self.name, self.origin, one.pid, one.started, one.host, self.began]
        )


def put_entry(
    db: sqlite3.Connection, id: str, parent: str | None, name: str, origin: Mapping[str, Any],
    began: int,
) -> None:  # fmt: skip
    """Write an entry, unless it is there."""
    text = json.dumps(origin, sort_keys=True)
    row = EntryRow(id, parent, name, text, this_process(), began)
    one = row.process
    db.execute(
        "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,'running',NULL,'')"
        " ON CONFLICT (id) DO NOTHING",
        (id, parent, name, text, one.pid, one.started, one.host, began, row.digest()),
    )


def step_row(step: Step, state: StepState) -> list[Any]:
    """Return what is written of a step, from its mark on, without the digest.

    Raises:
        JournalError: It holds what cannot be written.
    """
    error = "" if step.undo_error is None else step.undo_error.message
    try:
        return [
            step.mark,
            _plain(step.what),
            step.operation,
            step.undo,
            None if step.undo_args is None else encode(list(step.undo_args)),
            step.find,
            encode(list(step.find_args)),
            int(step.absent),
            state.value,
            None if step.thing is None else encode(step.thing),
            _plain(error),
        ]
    except (TypeError, ValueError) as problem:
        raise JournalError(
            f"{step.what!r} of {step.operation!r} cannot be written down: {problem}"
        ) from problem


def put_step(db: sqlite3.Connection, entry: str, seq: int, row: Sequence[Any]) -> None:
    """Write a step."""
    db.execute(
        "INSERT INTO step VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (entry, seq, *row, _digest([entry, *row])),
    )


def update_step(db: sqlite3.Connection, entry: str, row: Sequence[Any]) -> bool:
    """Write a step again; False if there is none any more."""
    state, thing, error = row[-3:]
    changed = db.execute(
        "UPDATE step SET state = ?, thing = ?, error = ?, digest = ? WHERE entry = ? AND mark = ?",
        (state, thing, error, _digest([entry, *row]), entry, row[0]),
    )
    return changed.rowcount > 0


def family(db: sqlite3.Connection, id: str) -> list[str]:
    """Return the id of an entry and those of all that belong to it."""
    return [str(one) for (one,) in db.execute(_FAMILY, (id,))]


def roots(db: sqlite3.Connection) -> list[str]:
    """Return the ids of the entries that belong to no other, the oldest first."""
    found = db.execute("SELECT id FROM entry WHERE parent IS NULL ORDER BY began, id")
    return [str(one) for (one,) in found]


def read_entry(db: sqlite3.Connection, id: str) -> Entry | None:
    """Return an entry with the steps of all that belong to it, or None."""
    rows = db.execute(_FAMILY_ENTRIES, (id,)).fetchall()
    own = next((row for row in rows if row[0] == id), None)
    if own is None:
        return None
    problems: list[str] = []
    origins = {row[0]: _origin(row, problems) for row in rows}
    steps: list[RecordedStep] = []
    for row in db.execute(_FAMILY_STEPS, (id,)):
        step = _read_step(row, origins[row[0]])
        if step is None:
            problems.append(f"a step of {row[0]}")
        else:
            steps.append(step)
    return _entry(own, origins[id], steps, problems)


def _entry(
    row: Sequence[Any],
    origin: Mapping[str, Any],
    steps: list[RecordedStep],
    problems: list[str],
) -> Entry:
    id, _, name, _, pid, started, host, began, _, state, _, error = row
    is_sound = isinstance(pid, int) and isinstance(began, int)
    alive = Process(pid, str(started), str(host)).is_alive if is_sound else None
    if state == "running" and alive is False:
        state = "interrupted"
    if problems:
        state, error = "damaged", f"damaged: {', '.join(problems)}"
    origins = [origin, *(step.origin for step in steps)]
    return Entry(
        id,
        str(name),
        str(state),
        _joined(origins, "provider"),
        _joined(origins, "service"),
        _time(began if is_sound else 0),
        pid if is_sound else 0,
        str(host),
        alive,
        str(error),
        tuple(steps),
    )


def _origin(row: Sequence[Any], problems: list[str]) -> Mapping[str, Any]:
    """Return how the driver of an entry is made again; note if the row is damaged."""
    id, parent, name, origin, pid, started, host, began, digest, state = row[:10]
    row_read = EntryRow(id, parent, name, origin, Process(pid, started, host), began)
    try:
        if row_read.digest() == digest and state in _ENTRY_STATES:
            found: Mapping[str, Any] = json.loads(origin)
            return found
    except (TypeError, ValueError):  # it holds what nobody has written
        pass
    problems.append(f"entry {id}")
    return {}


def _read_step(row: Sequence[Any], origin: Mapping[str, Any]) -> RecordedStep | None:
    """Make a step of a row; None if it is damaged."""
    entry, seq, mark, what, operation, undo, undo_args, find, find_args = row[:9]
    absent, state, thing, error, digest = row[9:]
    try:
        if _digest([entry, *row[2:-1]]) != digest or state not in _STATES:
            return None
        return RecordedStep(
            entry,
            what,
            operation,
            state,
            None if thing is None else decode(thing),
            _time(seq),
            str(origin.get("provider", "")),
            str(origin.get("service", "")),
            error,
            mark,
            undo,
            None if undo_args is None else tuple(decode(undo_args)),
            find,
            tuple(decode(find_args)),
            bool(absent),
            origin,
        )
    except (TypeError, ValueError, OverflowError, MalformedResponseError):
        return None


def _joined(origins: Sequence[Mapping[str, Any]], name: str) -> str:
    found = {str(origin[name]): None for origin in origins if name in origin}
    return ", ".join(found)


def _time(nanoseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(nanoseconds / _SECOND, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)


def _digest(values: Sequence[Any]) -> str:
    text = json.dumps(values)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(text: str) -> str:
    """Return a text as one that can be encoded."""
    return text.encode("utf-8", "backslashreplace").decode()
