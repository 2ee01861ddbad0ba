"""The file of a journal: made, checked, read and written, by several threads and processes.

It is an SQLite database with a write-ahead log. What must survive a power failure is written with
``full=True``: one fsync. The rest survives the end of the process at once, and is on disk with the
next full write.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from .errors import JournalError

__all__ = ["Store"]

T = TypeVar("T")

_APPLICATION = 0x616E796A  # "anyj"
_VERSION = 1
_SMALLEST = 512  # bytes of a page of SQLite
_BUSY = 10.0  # seconds to wait for another process
_FOREIGN_WRITE = stat.S_IWGRP | stat.S_IWOTH
_TABLES: dict[str, str] = {
    "entry": (
        "CREATE TABLE entry (id TEXT PRIMARY KEY,"
        " parent TEXT REFERENCES entry (id) ON DELETE CASCADE, name TEXT NOT NULL,"
        " origin TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL, host TEXT NOT NULL,"
        " began INTEGER NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, ended INTEGER,"
        " error TEXT NOT NULL) WITHOUT ROWID"
    ),
    "child": "CREATE INDEX child ON entry (parent) WHERE parent IS NOT NULL",
    "step": (
        "CREATE TABLE step (entry TEXT NOT NULL REFERENCES entry (id) ON DELETE CASCADE,"
        " seq INTEGER NOT NULL, mark TEXT NOT NULL, what TEXT NOT NULL, operation TEXT NOT NULL,"
        " undo TEXT NOT NULL, undo_args TEXT, find TEXT NOT NULL, find_args TEXT NOT NULL,"
        " absent INTEGER NOT NULL, state TEXT NOT NULL, thing TEXT, error TEXT NOT NULL,"
        " digest TEXT NOT NULL, PRIMARY KEY (entry, seq)) WITHOUT ROWID"
    ),
}

_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_making = threading.Lock()


class Store:
    """A journal's file; it is opened when it is first needed, and made if there is none.

    Args:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - links stay
        self.lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._is_full = True
        self._inode: tuple[int, int] = (0, 0)
        _stores.add(self)

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return os.path.lexists(self.path)

    def open(self) -> None:
        """Open the file now.

        Raises:
            JournalError: It cannot be used.
        """
        with self.lock:
            self._attempt("opened", self._opened)

    def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job that reads, on one state of the file.

        Raises:
            JournalError: It cannot be read.
        """

        def reading() -> T:
            db = self._opened()
            _check(db, self.path)
            db.execute("BEGIN")
            try:
                return job(db)
            finally:
                db.execute("ROLLBACK")

        with self.lock:
            return self._attempt("read", reading)

    def write(self, job: Callable[[sqlite3.Connection], T], *, full: bool) -> T:
        """Run a job that writes: all of it is done or nothing.

        Args:
            job: Gets the connection, and is called once.
            full: Whether it must be on disk when this returns.

        Raises:
            JournalError: It cannot be written.
        """

        def writing() -> T:
            db = self._opened()
            if full is not self._is_full:
                db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
                self._is_full = full
            db.execute("BEGIN IMMEDIATE")
            result = job(db)
            db.execute("COMMIT")
            return result

        with self.lock:
            return self._attempt("written", writing)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self.lock:
            db, self._db = self._db, None
            if db is not None:
                with suppress(sqlite3.Error):
                    db.close()

    def __del__(self) -> None:
        self.close()

    def _attempt(self, what: str, job: Callable[[], T]) -> T:
        try:
            return job()
        except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
            self._undo()
            raise _told(self.path, what, error) from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        """Forget what was begun; the file is opened anew the next time."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        self.close()

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None:
            if self._identity() == self._inode:
                return self._db
            self.close()
            raise JournalError(f"the journal {self.path} was removed or replaced while it was used")
        with _making:
            if not self.exists:
                _make_file(self.path)
        _check_file(self.path)
        inode = self._identity()
        db = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", timeout=_BUSY, isolation_level=None,
            check_same_thread=False, uri=True,
        )  # fmt: skip
        try:
            _prepare(db, self.path)
        except BaseException:
            db.close()
            raise
        self._db, self._is_full, self._inode = db, True, inode
        return db

    def _identity(self) -> tuple[int, int]:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return (0, 0)
        return found.st_dev, found.st_ino


def _make_file(path: Path) -> None:
    """Make an empty file for this user alone, and its folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another process was faster
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_file(path: Path) -> None:
    """Refuse what others could have written: what is in it may be deleted, and gets credentials.

    The file is not opened for it: closing it again would end SQLite's locks of this process.

    Raises:
        JournalError: It is none of ours, or it is cut.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise JournalError(f"the journal {path} is not a plain file")
    if hasattr(os, "geteuid"):
        if found.st_uid != os.geteuid():
            raise JournalError(f"the journal {path} belongs to another user")
        if found.st_mode & _FOREIGN_WRITE:
            raise JournalError(f"others may write the journal {path}: run `chmod 600` on it")
    if 0 < found.st_size < _SMALLEST:  # SQLite would take some of these for empty ones
        raise JournalError(f"{path} is not a journal of anysky, or only the beginning of one")
    if not found.st_size and _size(f"{path}-wal"):
        raise JournalError(f"the journal {path} was cut to nothing, but its log {path}-wal was not")


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Set a connection up, and make the tables of a new journal."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    if _tables(db, path):
        _check(db, path)
    else:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if not _tables(db, path):  # another process was not faster
            for table in _TABLES.values():
                db.execute(table)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
        _sync_folder(path.parent)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA fullfsync = ON")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 4194304")


def _tables(db: sqlite3.Connection, path: Path) -> bool:
    """Whether a file has our tables; not so if it is a new one.

    Raises:
        JournalError: It is something else.
    """
    application = _one(db, "PRAGMA application_id")
    version = _one(db, "PRAGMA user_version")
    found: Sequence[tuple[str, str]] = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    if not found and not application and not version:
        return False
    if application != _APPLICATION:
        raise JournalError(f"{path} is not a journal of anysky")
    if isinstance(version, int) and version > _VERSION:
        raise JournalError(f"the journal {path} is of a newer anysky; this one cannot use it")
    if version != _VERSION or dict(found) != _TABLES:
        raise JournalError(f"the journal {path} is damaged: its tables are not as they should be")
    return True


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Look the whole file through; it is small, as what ended well is not kept."""
    result = _one(db, "PRAGMA integrity_check(1)")
    lost = db.execute("PRAGMA foreign_key_check").fetchone()
    if result != "ok" or lost:
        why = f"a row of {lost[0]!r} belongs to none" if lost else result
        raise JournalError(f"the journal {path} is damaged: {why}")


def _one(db: sqlite3.Connection, query: str) -> Any:
    with closing(db.execute(query)) as rows:
        return rows.fetchone()[0]


def _told(path: Path, what: str, error: Exception) -> JournalError:
    hints = {
        "SQLITE_BUSY": "another process holds it",
        "SQLITE_NOTADB": "it is not a journal of anysky",
        "SQLITE_FULL": "the disk is full",
        "SQLITE_READONLY": "it is read-only",
        "SQLITE_CORRUPT": "it is damaged",
    }
    name = getattr(error, "sqlite_errorname", "")
    hint = next((text for start, text in hints.items() if name.startswith(start)), "")
    reason = f"{hint}: {error}" if hint else f"{error}"
    return JournalError(f"the journal {path} cannot be {what}: {reason}")


def _close_all() -> None:
    """Before a fork: SQLite's connections must not go into the child."""
    for store in list(_stores):
        store.lock.acquire()
        store.close()


def _release_all() -> None:
    for store in list(_stores):
        with suppress(RuntimeError):  # made by another thread since
            store.lock.release()


def _renew_all() -> None:
    for store in list(_stores):
        store.lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_close_all, after_in_parent=_release_all, after_in_child=_renew_all)
