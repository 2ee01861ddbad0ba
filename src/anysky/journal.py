"""The journal: what operations make, written to disk as it happens, to survive a crash.

An SQLite file that several threads and processes may share. The intent of a step is on disk before
its request leaves, and what it made before the next one. There is no secret in it: models lose
their `extra`, and how a driver is made again is told without its credentials.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .account import Account
from .errors import CloudError
from .ledger import Ledger, Step, StepState
from .model.codec import encode

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Journal", "find_journal", "origin_of"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE operation (
    id TEXT PRIMARY KEY, parent TEXT, name TEXT NOT NULL, origin TEXT NOT NULL,
    state TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, began REAL NOT NULL,
    ended REAL, error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE step (
    operation TEXT NOT NULL REFERENCES operation (id), number INTEGER NOT NULL,
    name TEXT NOT NULL, what TEXT NOT NULL, mark TEXT NOT NULL, state TEXT NOT NULL,
    undo TEXT NOT NULL, undo_args TEXT, find TEXT NOT NULL, find_args TEXT NOT NULL,
    absent INTEGER NOT NULL, thing TEXT, error TEXT NOT NULL DEFAULT '', at REAL NOT NULL,
    PRIMARY KEY (operation, number)
) STRICT;
"""


class Journal:
    """A journal on disk; see "Journal" in the documentation.

    Args:
        path: The file; it is made when the first step is written down.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self._lock = threading.RLock()
        self._pid = 0
        self._db: sqlite3.Connection | None = None
        self._begun: set[str] = set()

    def intend(self, ledger: Ledger, step: Step) -> None:
        """Write down a step before it is tried; see `anysky.ledger.Recorder`."""
        with self._writing() as db:
            if ledger.id not in self._begun:
                parent = ledger.scope.id if ledger.scope else None
                self._begin(db, ledger.id, parent, ledger.operation, ledger.terms.origin)
                self._begun.add(ledger.id)
            db.execute(
                "INSERT INTO step VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    ledger.id,
                    step.number,
                    step.operation,
                    step.what,
                    step.mark,
                    StepState.INTENDED.value,
                    step.undo,
                    None if step.undo_args is None else encode(list(step.undo_args)),
                    step.find,
                    encode(list(step.find_args)),
                    step.absent,
                    None,
                    "",
                    time.time(),
                ),
            )

    def settle(self, step: Step) -> None:
        """Write down what became of a step; see `anysky.ledger.Recorder`."""
        thing = None if step.thing is None else encode(step.thing)
        error = "" if step.undo_error is None else step.undo_error.message
        with self._writing() as db:
            db.execute(
                "UPDATE step SET state = ?, thing = ?, error = ?, at = ?"
                " WHERE operation = ? AND number = ?",
                (step.state.value, thing, error, time.time(), step.ledger_id, step.number),
            )

    def end(self, ledger: Ledger, error: BaseException | None) -> None:
        """Write down that an operation is over; see `anysky.ledger.Recorder`."""
        state = "done" if error is None else "failed"
        message = error.message if isinstance(error, CloudError) else type(error).__name__
        with self._writing() as db:
            db.execute(
                "UPDATE operation SET state = ?, error = ?, ended = ? WHERE id = ?",
                (state, "" if error is None else message, time.time(), ledger.id),
            )
        self._begun.discard(ledger.id)


def find_journal(given: Journal | str | os.PathLike[str] | bool | None) -> Journal | None:
    """Return the journal that a driver or transaction shall use, or None."""
    if given is None or given is False:
        return None
    if given is True:
        raise NotImplementedError
    return given if isinstance(given, Journal) else Journal(given)


def origin_of(service: str, name: str, account: Account) -> dict[str, Any]:
    """Return how another process makes a driver again: everything but its secrets."""
    settings = {
        one.name: getattr(account, one.name) for one in account.settings() if not one.secret
    }
    plain = {name: value for name, value in settings.items() if isinstance(value, str | int | bool)}
    return {"service": service, "provider": name, "settings": plain}
