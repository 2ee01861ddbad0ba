"""The journal: what operations make, written to disk as it happens, to survive a crash.

The intent of a step is on disk before its request leaves, and what it made is written down before
the next one. There is no secret in it: models lose their `extra`, and how a driver is made again
is told without its credentials. What ended well is not kept.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from .errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    JournalError,
    NotFoundError,
)
from .journal_rows import (
    Entry,
    RecordedStep,
    family,
    put_entry,
    put_step,
    read_entry,
    roots,
    step_row,
    update_step,
)
from .journal_store import Store
from .journaling import own_path
from .ledger import Ledger, Scope
from .steps import Step, StepState

__all__ = ["Entry", "JournalFile", "OnError", "RecordedStep", "check_idle"]

OnError = Literal["refuse", "warn"]

_OPEN = frozenset({StepState.DONE, StepState.IN_DOUBT})
_MOST_OWED = 1000

_log = logging.getLogger("anysky.journal")


class JournalFile:
    """A journal on disk; ``anysky.Journal`` and ``anysky.aio.Journal`` add the recovery.

    It may be used by several threads, and the file by several processes.

    Args:
        path: The file, which is made when the first step is written down; None for that of
            ``ANYSKY_JOURNAL`` or else the user's own.
        on_error: What becomes of a call that makes something when the journal cannot be written:
            ``"refuse"`` it, before anything is sent, or ``"warn"`` in the log and go on.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, on_error: OnError = "refuse"
    ) -> None:
        if on_error not in ("refuse", "warn"):
            raise InvalidRequestError(f"on_error is 'refuse' or 'warn', not {on_error!r}")
        self._store = Store(own_path() if path is None else path)
        self._warns = on_error == "warn"
        self._last = 0
        self._over: weakref.WeakSet[Scope] = weakref.WeakSet()
        self._owed: list[Callable[[sqlite3.Connection], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), str(self.path), "warn" if self._warns else "refuse")

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        self._store.close()

    def entries(self, *, all: bool = False) -> list[Entry]:
        """Return what is unfinished, or could not be undone; the oldest first.

        Args:
            all: Return as well what failed and was kept, which the program was told.

        Raises:
            JournalError: The file cannot be read.
        """

        def reading(db: sqlite3.Connection) -> list[Entry]:
            found = [read_entry(db, id) for id in roots(db)]
            return [entry for entry in found if entry and (all or entry.state != "kept")]

        return self._store.read(reading) if self._store.exists else []

    def get(self, id: str) -> Entry:
        """Return an entry by its id, as `PartialFailureError.journal_id` has it.

        Raises:
            NotFoundError: There is none; what ended well, or was undone, is not kept.
            JournalError: The file cannot be read.
        """
        entry = self._store.read(lambda db: read_entry(db, id)) if self._store.exists else None
        if entry is None:
            raise NotFoundError(f"the journal {self.path} has no entry {id!r}")
        return entry

    def forget(self, id: str, *, force: bool = False) -> None:
        """Remove an entry from the journal; what it made stays where it is.

        Args:
            id: Its id.
            force: Whether to do so although its process may still run.

        Raises:
            NotFoundError: There is none.
            ConflictError: It is still running.
            JournalError: The file cannot be written.
        """
        check_idle(self.get(id), force=force)
        self._store.write(lambda db: db.execute("DELETE FROM entry WHERE id = ?", (id,)), full=True)

    def begin_scope(self, scope: Scope) -> None:  # noqa: ARG002 - its first step writes it down
        """Refuse a transaction early if the file cannot be used; see `anysky.steps.Recorder`."""
        try:
            self._store.open()
        except JournalError as error:
            self._fail(error)

    def intend(self, ledger: Ledger, step: Step) -> None:
        """Write down a step before it is tried; see `anysky.steps.Recorder`."""
        with self._store.lock:
            self._last = seq = max(self._last + 1, time.time_ns())
        scopes = _scopes(ledger.scope, self._over)
        try:
            row = step_row(step, StepState.INTENDED)

            def writing(db: sqlite3.Connection) -> None:
                parent = None
                for scope in scopes:
                    put_entry(db, scope.id, parent, "transaction", {}, seq)
                    parent = scope.id
                put_entry(db, ledger.id, parent, ledger.operation, ledger.terms.origin(), seq)
                put_step(db, ledger.id, seq, row)

            self._write(writing, full=True, owe=self._warns)
        except JournalError as error:
            self._fail(error)

    def settle(self, step: Step) -> None:
        """Write down what became of a step; see `anysky.steps.Recorder`."""
        try:
            row = step_row(step, step.state)
            is_left = step.state in _OPEN and step.undo_error is None

            def writing(db: sqlite3.Connection) -> None:
                if not update_step(db, step.ledger_id, row):
                    _log.warning("the journal %s has lost %s", self.path, step.doubt)
                if not is_left:
                    _mark(db, step.ledger_id, "failed", "kept")
                    _clean(db, step.ledger_id)

            self._write(writing, full=not _is_findable(step), owe=True)
        except JournalError as error:
            self._fail(error)

    def end(self, ledger: Ledger, error: BaseException | None) -> None:
        """Write down that an operation is over; see `anysky.steps.Recorder`."""
        message = "" if error is None else _message(error, ledger.backend)
        left = any(one.undo_error is not None and one.state in _OPEN for one in ledger.steps)
        state = "failed" if left else "kept"

        def writing(db: sqlite3.Connection) -> None:
            if error is None and _parent(db, ledger.id) is None:
                db.execute("DELETE FROM entry WHERE id = ?", (ledger.id,))
                return
            over = "done" if error is None else state
            _mark(db, ledger.id, over, "running", error=message)
            _clean(db, ledger.id)

        matters = error is not None or len(ledger.steps) > 1
        with suppress(JournalError):  # what was made is told all the same
            self._write(writing, full=matters and ledger.scope is None, owe=True)

    def end_scope(self, scope: Scope, error: BaseException | None) -> None:
        """Write down that a transaction is over; see `anysky.steps.Recorder`."""
        self._over.add(scope)
        message = "" if error is None else _message(error, None)
        is_inner = scope.parent is not None

        def writing(db: sqlite3.Connection) -> None:
            if error is None and not is_inner:
                _let_go(db, scope.id)
                db.execute("DELETE FROM entry WHERE id = ?", (scope.id,))
                return
            over = "done" if error is None else "failed"
            _mark(db, scope.id, over, "running", error=message)
            _clean(db, scope.id)

        with suppress(JournalError):
            self._write(writing, full=not is_inner, owe=True)

    def close_entry(self, id: str, state: Literal["kept", "failed"]) -> None:
        """Write down what is left of an entry after a recovery; nothing if nothing is.

        Raises:
            JournalError: It could not be written.
        """

        def writing(db: sqlite3.Connection) -> None:
            for one in reversed(family(db, id)):
                _mark(db, one, state if one == id else "done", "running", "kept", "failed")
                _clean(db, one)

        self._write(writing, full=True)

    def _write(
        self, job: Callable[[sqlite3.Connection], None], *, full: bool, owe: bool = False
    ) -> None:
        """Write, and before it what could not be written earlier."""
        with self._store.lock:
            owed = list(self._owed)

            def writing(db: sqlite3.Connection) -> None:
                for one in (*owed, job):
                    one(db)

            try:
                self._store.write(writing, full=full)
            except JournalError as error:
                if owe and len(owed) < _MOST_OWED:
                    self._owed.append(job)
                    _log.warning("to be written with what comes next: %s", error.message)
                raise
            self._owed.clear()

    def _fail(self, error: JournalError) -> None:
        if not self._warns:
            raise error
        _log.warning("going on without a journal: %s", error.message)


def check_idle(entry: Entry, *, force: bool) -> None:
    """Refuse to touch an entry whose process may still run.

    Raises:
        ConflictError: It may.
    """
    if entry.state != "running" or force:
        return
    where = f"process {entry.pid}"
    if entry.alive is None:
        raise ConflictError(
            f"{entry.name} {entry.id} belongs to {where} on {entry.host}, which may still run; "
            "if it does not, force it"
        )
    raise ConflictError(f"{entry.name} {entry.id} still runs in {where}")


def _again(kind: type[JournalFile], path: str, on_error: OnError) -> JournalFile:
    """Make a journal anew, in another process."""
    return kind(path, on_error=on_error)


def _scopes(scope: Scope | None, over: weakref.WeakSet[Scope]) -> list[Scope]:
    """Return the transactions that an operation is in, the outermost first."""
    found: list[Scope] = []
    while scope is not None:
        if scope not in over:
            found.append(scope)
        scope = scope.parent
    return found[::-1]


def _is_findable(step: Step) -> bool:
    """Whether what a step made can be found if all that is known of it is lost."""
    effect = step.backend.effects.get(step.operation)
    named = effect is not None and (effect.blind or (effect.named and step.absent))
    return bool(step.find or named or step.operation in getattr(step.backend, "marked", ()))


def _message(error: BaseException, backend: Any) -> str:
    """Return what an operation failed with, without secrets."""
    if not isinstance(error, CloudError):
        return type(error).__name__
    if backend is not None:
        error.redact(backend.secrets())
    return error.message


def _parent(db: sqlite3.Connection, id: str) -> str | None:
    """Return the id of the entry that an entry belongs to, or None."""
    row = db.execute("SELECT parent FROM entry WHERE id = ?", (id,)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def _mark(
    db: sqlite3.Connection, id: str, state: str, *before: str, error: str | None = None
) -> None:
    """Give an entry another state, if it is in one of those before."""
    for one in before:
        db.execute(
            "UPDATE entry SET state = ?, ended = ?, error = coalesce(?, error)"
            " WHERE id = ? AND state = ?",
            (state, time.time_ns(), error, id, one),
        )


def _clean(db: sqlite3.Connection, id: str) -> None:
    """Remove an entry that is over and has nothing left, and then those that it belonged to."""
    current: str | None = id
    while current is not None:
        parent = _parent(db, current)
        gone = db.execute(
            "DELETE FROM entry WHERE id = :id AND state <> 'running'"
            " AND NOT EXISTS (SELECT 1 FROM step WHERE entry = :id"
            " AND state IN ('intended', 'done', 'in doubt'))"
            " AND NOT EXISTS (SELECT 1 FROM entry AS child WHERE child.parent = :id)",
            {"id": current},
        )
        current = parent if gone.rowcount else None


def _let_go(db: sqlite3.Connection, id: str) -> None:
    """Let operations that still run outlive the transaction that they began in."""
    for one in family(db, id):
        if one != id:
            db.execute("UPDATE entry SET parent = NULL WHERE id = ? AND state = 'running'", (one,))
