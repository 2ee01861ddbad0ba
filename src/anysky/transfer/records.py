"""Small files that say how far a transfer has come, so that it can be gone on with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from anysky.errors import ConflictError, InvalidRequestError

from .sources import reason_of

__all__ = ["VARIABLE", "Record", "name_of", "own_folder"]

VARIABLE = "ANYSKY_TRANSFERS"
"""Environment variable that names the folder for records of uploads."""

_FORMAT = 1
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
_LARGEST = 16 * 1024 * 1024
_DIGITS = 32
_TRIES = 10


def own_folder(environ: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """Return the folder that ``ANYSKY_TRANSFERS`` names, or else the user's own."""
    named = environ.get(VARIABLE, "")
    if named:
        return Path(named).expanduser()
    if system == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif system == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        given = environ.get("XDG_STATE_HOME", "")
        base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return base / "anysky" / "transfers"


def name_of(*texts: str) -> str:
    """Return a file name for what texts identify together."""
    whole = json.dumps(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()[:_DIGITS]


class Record:
    """A file of JSON, one line for what the transfer is, and one for each step of it.

    A line is on disk when the method that writes it returns; one that a crash cut off is dropped.
    While it is open, nobody else can open it; its methods block.

    Args:
        path: The file; only its owner may read it.

    Attributes:
        subject: What the transfer is that it is about; None for a new one.
        entries: The steps that were written down.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.subject: dict[str, Any] | None = None
        self.entries: list[dict[str, Any]] = []
        self._fd = -1
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open the file, or make it, and read what is in it.

        Raises:
            ConflictError: The same transfer is under way, here or in another process.
            InvalidRequestError: It cannot be written.
        """
        try:
            self._fd = _open_locked(self.path)
            self._read()
        except OSError as error:
            raise InvalidRequestError(f"cannot write {self.path}: {reason_of(error)}") from error

    def begin(self, subject: Mapping[str, Any]) -> None:
        """Forget what is written, and begin anew."""
        with self._lock:
            os.ftruncate(self._fd, 0)
        self.subject, self.entries = dict(subject), []
        self._write({"anysky": _FORMAT, **subject})

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write a step down."""
        self.entries.append(dict(entry))
        self._write(entry)

    def latest(self, key: str) -> Any:
        """Return the value of a key in the last step that has it; None if there is none."""
        return next((one[key] for one in reversed(self.entries) if key in one), None)

    def remove(self) -> None:
        """Remove the file: the transfer is over."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let others open it; may be called twice."""
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                os.write(self._fd, line)
                os.fsync(self._fd)
        except OSError as error:
            raise InvalidRequestError(f"cannot write {self.path}: {reason_of(error)}") from error

    def _read(self) -> None:
        content = b""
        while piece := os.read(self._fd, _LARGEST - len(content)):
            content += piece
        whole = content[: content.rfind(b"\n") + 1]
        lines = [_parsed(line) for line in whole.splitlines()]
        if not lines or None in lines or lines[0].get("anysky") != _FORMAT:  # type: ignore[union-attr]
            os.ftruncate(self._fd, 0)
            return
        os.ftruncate(self._fd, len(whole))
        first, *rest = cast("list[dict[str, Any]]", lines)
        del first["anysky"]
        self.subject, self.entries = first, rest


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _open_locked(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_TRIES):
        fd = os.open(path, _FLAGS, 0o600)
        try:
            _check_owner(fd, path)
            _lock(fd, path)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # whoever had it has removed it meanwhile
    raise ConflictError(f"{path} is removed again and again by somebody else")


def _check_owner(fd: int, path: Path) -> None:
    status = os.fstat(fd)
    owner = os.geteuid() if hasattr(os, "geteuid") else status.st_uid
    if not stat.S_ISREG(status.st_mode) or status.st_uid != owner:
        raise InvalidRequestError(f"{path} is no file of this user")


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _lock(fd: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, 0x7FFF0000, os.SEEK_SET)  # beyond the content
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConflictError(
            f"the same transfer is under way already: somebody else has {path}"
        ) from error
