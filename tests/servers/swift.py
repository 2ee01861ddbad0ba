"""OpenStack's Swift, all of it on loopback, as a context manager.

::

    with Swift() as swift:                      # v1 sign-in at swift.auth_url
        ...
    with Keystone() as keystone, Swift(keystone.swift_port, keystone.url):
        ...                                     # sign-in at keystone.url
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

_SCRIPT = Path(__file__).with_name("start_swift.sh")
_START_SECONDS = 120
_PROGRAMS = ("swift-proxy-server", "swift-ring-builder", "memcached", "curl")
PORTS = 5
"""Ports that follow one another, which a Swift needs."""


class Script:
    """What a script starts in a folder of its own: process groups, whose ids are in ``pids``."""

    script: Path
    programs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.folder = Path()

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be started here; empty if it can."""
        missing = [name for name in cls.programs if shutil.which(name) is None]
        return f"not installed: {', '.join(missing)}" if missing else ""

    def arguments(self) -> list[str]:
        """Arguments of the script after the folder."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables for the script, besides the process's own."""
        return {}

    def start(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="anysky-"))
        try:
            self._run()
        except BaseException:
            self.stop()
            raise
        return self

    def _run(self) -> None:
        place = self.folder / "server"
        done = subprocess.run(
            ["bash", str(self.script), str(place), *self.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_START_SECONDS,
            env={**os.environ, **self.environment()},
            check=False,
        )
        if done.returncode:
            logs = "".join(_end_of(log) for log in sorted(place.glob("log/*")))
            raise RuntimeError(f"{self.script.name}: {done.stderr.decode()}\n{logs}")

    def stop(self) -> None:
        """End the process groups by their ids, and remove the folder."""
        pids = self.folder / "server" / "pids"
        groups = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
        for kind in (signal.SIGTERM, signal.SIGKILL):
            groups = [group for group in groups if _signal(group, kind)]
            end = time.monotonic() + 5
            while groups and time.monotonic() < end:
                time.sleep(0.05)
                groups = [group for group in groups if _signal(group, 0)]
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


class Swift(Script):
    """Swift with v1 sign-in, or with Keystone's.

    Args:
        port: Port of the proxy; free ones are looked for if it is None.
        keystone: URL of Keystone without its version.
        versions: Whether containers can keep versions.
    """

    script = _SCRIPT
    programs = _PROGRAMS
    username, password = "test:tester", "canary-key-5f0c8e"

    def __init__(self, port: int | None = None, keystone: str = "", versions: bool = True) -> None:
        super().__init__()
        self.port = port or free_ports(PORTS)
        self._keystone = keystone
        self._versions = versions

    @property
    def auth_url(self) -> str:
        """Where to sign in without Keystone."""
        return f"http://127.0.0.1:{self.port}/auth/v1.0"

    def arguments(self) -> list[str]:
        return [str(self.port), self._keystone]

    def environment(self) -> dict[str, str]:
        return {"OBJECT_VERSIONS": str(self._versions).lower()}


def free_ports(count: int) -> int:
    """Return the first of so many ports that nobody listens at."""
    for _ in range(100):
        first = random.randrange(20000, 32000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise RuntimeError("no ports are free")


def _signal(group: int, kind: int) -> bool:
    """Whether there was such a process group to send a signal to."""
    try:
        os.killpg(group, kind)
    except ProcessLookupError:
        return False
    return True


def _end_of(log: Path) -> str:
    return f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}\n"
