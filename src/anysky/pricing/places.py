"""Where catalogues are, and which one is used.

The order: a path that is given; `ANYSKY_PRICES` (a path, ``bundled`` or ``off``); the newer of the
one that was installed by an update and the one that came with anysky, unless one is pinned.
Neither of the first two falls back to the next: what is asked for and not there is an error.
"""

from __future__ import annotations

import os
import sys

from .opening import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BUNDLED",
    "BUNDLED_VERSION",
    "OVERRIDES",
    "POINTER",
    "VARIABLE",
    "Choice",
    "bundled_path",
    "choose",
    "data_dir",
    "read_pointer",
    "version_key",
]

VARIABLE = "ANYSKY_PRICES"
OVERRIDES = "ANYSKY_PRICES_OVERRIDES"
BUNDLED = "bundled"
BUNDLED_VERSION = "2026.11.22"
"""Version of the catalogue that comes with anysky."""

POINTER = "current"
"""Name of the file that says which catalogue is installed."""

_HERE = __file__.rpartition(os.sep)[0]

Choice = tuple[str, str]
"""The path of a catalogue and why it was chosen."""


def data_dir(environ: Mapping[str, str] = os.environ) -> str:
    """Return the folder of this user's catalogues of our schema; it need not exist."""
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib costs more than a look-up
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or f"{home}/AppData/Local"
    elif sys.platform == "darwin":
        base = f"{home}/Library/Application Support"
    else:
        base = environ.get("XDG_DATA_HOME", "")
        base = base if base.startswith("/") else f"{home}/.local/share"
    return f"{base}/anysky/prices/v1"


def bundled_path() -> str:
    """Return the path of the catalogue that came with anysky."""
    return f"{_HERE}/data/prices.db"


def choose(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Choice:
    """Return which catalogue is used and why.

    Raises:
        CatalogueDamagedError: What says which one is installed is damaged.
    """
    if path is not None:
        return _absolute(path), "the path that was given"
    named = environ.get(VARIABLE, "")
    if named == "off":
        return EMPTY, f"{VARIABLE}=off: no prices"
    if named == BUNDLED:
        return bundled_path(), f"{VARIABLE}=bundled"
    if named:
        return _absolute(named), f"{VARIABLE} names it"
    return _newer(data_dir(environ))


def _newer(folder: str) -> Choice:
    pointer = read_pointer(folder)
    version = pointer.get("version", "")
    pinned = pointer.get("pinned", "")
    ours = BUNDLED_VERSION
    if pinned == BUNDLED:
        return bundled_path(), "the bundled catalogue is pinned"
    if not version:
        return bundled_path(), "the bundled catalogue: no other is installed"
    installed = f"{folder}/{pointer['file']}"
    if pinned:
        return installed, f"version {pinned} is pinned"
    if version_key(version) > version_key(ours):
        return installed, f"installed by an update, newer than the bundled {ours}"
    return bundled_path(), f"the bundled catalogue, not older than the installed {version}"


def read_pointer(folder: str) -> dict[str, str]:
    """Read which catalogue is installed in a folder; nothing if none is.

    The file has a key and a value on each line: reading JSON would take longer than a look-up.

    Raises:
        CatalogueDamagedError: It is damaged.
    """
    path = f"{folder}/{POINTER}"
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
            text = file.read(65536)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise _bad_pointer(path, error) from error
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found[key] = value
    file_name = found.get("file", "")
    if not text.endswith("\n") or "/" in file_name or "\\" in file_name:
        raise _bad_pointer(path, "it is not whole")
    if bool(found.get("version")) != bool(file_name):
        raise _bad_pointer(path, "it is not whole")
    return found


def _bad_pointer(path: str, problem: object) -> Exception:
    from .errors import CatalogueDamagedError

    return CatalogueDamagedError(
        f"{path} is damaged: {problem}; run `anysky prices update --force`, or delete it"
    )


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions such as ``2026.11.22`` are ordered by."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - pathlib is slow
