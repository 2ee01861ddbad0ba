"""Which journal a driver uses, and how one that wrote in it is made again."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend.base import Backend
    from .journal import JournalFile

__all__ = ["VARIABLE", "find_journal", "origin_of", "own_path"]

VARIABLE = "ANYSKY_JOURNAL"

_OFF = frozenset({"", "0", "off"})
_ON = frozenset({"1", "on"})
_PLAIN = (str, int, bool)

_shared: weakref.WeakValueDictionary[str, JournalFile] = weakref.WeakValueDictionary()


def find_journal(given: JournalFile | str | os.PathLike[str] | bool | None) -> JournalFile | None:
    """Return the journal that a driver or transaction shall use, or None.

    Args:
        given: A journal; the path of one; True for that of ``ANYSKY_JOURNAL``, or else the user's
            own; None for that of ``ANYSKY_JOURNAL`` (a path, ``1`` for the user's own, or ``off``),
            or else none; False for none.
    """
    if given is False or (given is None and os.environ.get(VARIABLE, "") in _OFF):
        return None
    from .journal import JournalFile

    if isinstance(given, JournalFile):
        return given
    journal = JournalFile(own_path() if given is None or given is True else given)
    return _shared.setdefault(str(journal.path), journal)


def own_path(environ: Mapping[str, str] = os.environ, system: str = sys.platform) -> str:
    """Return the path of the journal that ``ANYSKY_JOURNAL`` names, or else of the user's own."""
    named = environ.get(VARIABLE, "")
    if named not in _OFF and named not in _ON:
        return named
    home = os.path.expanduser("~")  # noqa: PTH111 - every driver imports this module
    if system == "win32":
        base = environ.get("LOCALAPPDATA") or f"{home}/AppData/Local"
    elif system == "darwin":
        base = f"{home}/Library/Application Support"
    else:
        base = environ.get("XDG_STATE_HOME", "")
        base = base if base.startswith("/") else f"{home}/.local/state"
    return f"{base}/anysky/journal.db"


def origin_of(backend: Backend, name: str) -> dict[str, Any]:
    """Return how another process makes a driver again: everything but its credentials.

    Args:
        backend: The driver's backend.
        name: Name of the provider, as `get_driver` takes it.
    """
    account = backend.account
    shown = [one.name for one in account.settings() if not one.secret]
    given = {name: getattr(account, name) for name in shown}
    given = {name: value for name, value in given.items() if value is not None}
    plain = {name: value for name, value in given.items() if isinstance(value, _PLAIN)}
    return {
        "service": backend.kind,
        "provider": name,
        "settings": {key: plain[key] for key in plain if key not in account.positional},
        "endpoint": backend.connection.endpoint,
        "credentials": _fingerprint(account.secrets()),
        "is_whole": plain.keys() == given.keys(),
    }


def _fingerprint(secrets: Sequence[str]) -> str:
    """Return what mostly tells other credentials, and tells nothing of these: 16 bits."""
    import hashlib

    text = "\0".join(secrets).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=2).hexdigest() if secrets else ""
