"""Which process wrote something down, and whether it still runs."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["Process", "this_process"]

_STARTED = 19  # the 22nd field of /proc/PID/stat, counted from what follows the name
_STILL_ACTIVE = 259
_QUERY_LIMITED = 0x1000


@dataclass(frozen=True, slots=True)
class Process:
    """A process on some machine.

    Attributes:
        pid: Its number.
        started: What tells it from a later one of the same number; empty if the system has none.
        host: Name of the machine or container.
    """

    pid: int
    started: str
    host: str

    @property
    def is_alive(self) -> bool | None:
        """Whether it runs; None if it is, or was, on another machine."""
        if self.host != platform.node():
            return None
        if self.pid == os.getpid():
            return self.started == this_process().started
        return _runs(self.pid) and _start_of(self.pid) == self.started


def this_process() -> Process:
    """Return the process that runs this."""
    return _of(os.getpid())


@lru_cache(maxsize=1)
def _of(pid: int) -> Process:
    return Process(pid, _start_of(pid), platform.node())


def _start_of(pid: int) -> str:
    """Return when a process was started, in a form of the system's own; empty if it has none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = stat.rpartition(b")")[2].split()  # the name before it may hold anything
    return fields[_STARTED].decode("ascii", "replace") if len(fields) > _STARTED else ""


def _runs(pid: int) -> bool:
    if sys.platform == "win32":
        return _runs_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process is over, and only its parent has not asked for its exit status yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"])


def _runs_on_windows(pid: int) -> bool:
    """Ask the system; there `os.kill` would end the process."""
    import ctypes

    kernel = ctypes.__dict__["windll"].kernel32
    handle = kernel.OpenProcess(_QUERY_LIMITED, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == _STILL_ACTIVE
