"""What both runtimes do alike."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from anysky import deadlines, interruption
from anysky.errors import DeadlineExceededError
from anysky.secret import HiddenMapping

__all__ = ["CommonRuntime", "check_sleep", "read_file", "run_process"]


class CommonRuntime:
    """Clocks and environment."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The process's environment."""
        return HiddenMapping(os.environ)

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def time(self) -> float:
        """Return Unix time in seconds."""
        return time.time()


def check_sleep(seconds: float) -> None:
    """Refuse a wait that would outlast the call's deadline, or of a call that was interrupted."""
    interruption.check()
    left = deadlines.remaining()
    if left is not None and seconds > left:
        raise DeadlineExceededError(
            f"the call would have to wait {seconds:.1f} s but has only {max(left, 0):.1f} s left"
        )


def read_file(path: str) -> bytes:
    """Return a file's content."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs time at every start
        return file.read()


def run_process(argv: Sequence[str], timeout: float) -> bytes:
    """Run a program without a shell and return what it printed."""
    import subprocess

    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, check=False)  # noqa: S603 - argv comes from the user's own settings
    except subprocess.TimeoutExpired:  # it holds what the program printed: perhaps a secret
        raise OSError(f"{argv[0]} did not end within {timeout:.0f} s") from None
    if done.returncode != 0:
        raise OSError(f"{argv[0]} ended with status {done.returncode}")
    return done.stdout
