"""A Ceph object gateway (RGW), a strict S3 and Swift server, as a context manager.

::

    with Ceph() as gateway:
        ...                     # talk to gateway.url with gateway.access_key, gateway.secret_key

It needs Debian's packages ceph-mon, ceph-osd, radosgw, ceph-common and ceph-base, and takes about
15 seconds to start. A bucket is also a host below `gateway.virtual_url`.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

_SCRIPT = Path(__file__).with_name("start_ceph_rgw.sh")
_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool", "curl")
_START_SECONDS = 180


class Ceph:
    """One gateway with its own monitor and OSD, on free loopback ports, all in memory."""

    access_key = "AKTEST00000000000001"
    secret_key = "SKTEST00000000000000000000000000000000001"

    def __init__(self) -> None:
        self.port = 0
        self._dir: Path | None = None

    @staticmethod
    def missing() -> list[str]:
        """The programs that are not installed."""
        return [name for name in _PROGRAMS if shutil.which(name) is None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def virtual_url(self) -> str:
        """The address below which buckets are hosts; such names are this machine's own."""
        return f"http://s3.localhost:{self.port}"

    def start(self) -> Self:
        self._dir = Path(tempfile.mkdtemp(prefix="ceph-"))
        self.port, monitor = _free_port(), _monitor_port()
        try:
            subprocess.run(
                [_SCRIPT, self._dir / "ceph", str(self.port)],
                env={**os.environ, "MONPORT": str(monitor)},
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=_START_SECONDS,
            )
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the processes by their ids, and remove what they wrote."""
        directory, self._dir = self._dir, None
        if directory is None:
            return
        with contextlib.suppress(FileNotFoundError):
            groups = [int(line) for line in (directory / "ceph" / "pids").read_text().split()]
            for number in (signal.SIGTERM, signal.SIGKILL):
                groups = [group for group in groups if _signal(group, number)]
                _wait(groups)
        shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _wait(groups: list[int]) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and any(_signal(group, 0) for group in groups):
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _monitor_port() -> int:
    """A free port whose thousandth neighbour is free as well."""
    while True:
        port = _free_port()
        if port > 64_000:
            continue
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1000)):
            return port
