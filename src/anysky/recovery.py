# Made from aio/recovery.py by tools/make_blocking.py; change that, run `make generate`.
"""The journal with its recovery, in the blocking API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from anysky.journal import JournalFile
from anysky.outcomes import Rollback
from anysky.recovering import Recovery, Resumption
from anysky.run import run

from .driver import Driver

__all__ = ["Journal"]


class Journal(JournalFile):
    """A file in which calls write down what they make, so that it is known after a crash.

    Give it to drivers or transactions as ``journal=``. It may be used by several threads, and
    the file by several processes; it is made when the first step is written down.

    Args:
        path: The file; None for that of ``ANYSKY_JOURNAL`` or else the user's own.
        on_error: What becomes of a call that makes something when the journal cannot be written:
            ``"refuse"`` it, before anything is sent, or ``"warn"`` in the log and go on.
    """

    def rollback(
        self, id: str, *, drivers: Sequence[Driver[Any]] = (), force: bool = False
    ) -> Rollback:
        """Remove what an operation has made that did not end well, the last first.

        What is in doubt is looked for by its mark or name. Nothing else is touched, and what is
        gone already is left alone, so that this may be called again. The entry is removed when
        nothing is left.

        Args:
            id: The entry's id.
            drivers: Drivers to do it with; others are made as they were, with the credentials of
                the environment.
            force: Whether to do it although its process may still run, or although the
                credentials are others than it was made with.

        Raises:
            NotFoundError: There is no such entry.
            ConflictError: Its process may still run.
            InvalidAccountError: A driver cannot be made, or it would lead elsewhere.
            JournalError: The journal, or the entry, cannot be read or written.
        """
        recovery = self._recovery(id, force)
        made: list[Driver[Any]] = []
        try:
            chosen = self._chosen(recovery, drivers, made)
            return run(recovery.undo(chosen))
        finally:
            for driver in made:
                driver.close()

    def resume(
        self, id: str, *, drivers: Sequence[Driver[Any]] = (), force: bool = False
    ) -> Resumption:
        """Keep what an operation has made that was interrupted, and find out what that is.

        What is in doubt is looked for by its mark or name. If nothing stays in doubt, the entry
        is closed as kept. The operation itself does not go on.

        Args:
            id: The entry's id.
            drivers: As for `rollback`.
            force: As for `rollback`.

        Raises:
            NotFoundError: There is no such entry.
            ConflictError: Its process may still run.
            InvalidAccountError: A driver cannot be made, or it would lead elsewhere.
            JournalError: The journal, or the entry, cannot be read or written.
        """
        recovery = self._recovery(id, force)
        made: list[Driver[Any]] = []
        try:
            chosen = self._chosen(recovery, drivers, made)
            return run(recovery.adopt(chosen))
        finally:
            for driver in made:
                driver.close()

    def _recovery(self, id: str, force: bool) -> Recovery:
        return Recovery(self, id, force=force)

    def _chosen(
        self, recovery: Recovery, drivers: Sequence[Driver[Any]], made: list[Driver[Any]]
    ) -> list[Driver[Any]]:
        """Return a driver for each that is needed, and note those that are made."""
        from .drivers import get_driver

        class_of = cast("Callable[[str, str], Callable[..., Driver[Any]]]", get_driver)
        chosen: list[Driver[Any]] = []
        for origin in recovery.origins:
            driver: Driver[Any] | None = recovery.chosen(origin, drivers)
            if driver is None:
                recovery.check_whole(origin)
                driver = class_of(origin["service"], origin["provider"])(**origin["settings"])
                made.append(driver)
                recovery.check_same(origin, driver)
            chosen.append(driver)
        return chosen
