"""gcp-storage-emulator, which stands in for Google Cloud Storage, as a context manager.

::

    with GCS() as google:
        ...                     # talk to google.url without credentials
"""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

_START_SECONDS = 60
_PROGRAM = Path(__file__).with_name("gcs_emulator.py")


class GCS:
    """One process of the emulator on a free loopback port, its content in memory."""

    def __init__(self) -> None:
        self.port = 0
        self.log = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address to use as Google's endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        handle, name = tempfile.mkstemp(prefix="gcs-", suffix=".log")
        self.log = Path(name)
        self.port = _free_port()
        with os.fdopen(handle, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the process by its id; its log goes with it unless it failed to start."""
        process, self._process = self._process, None
        if process is None:
            return
        failed = process.poll() is not None
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not failed:
            self.log.unlink(missing_ok=True)

    def reset(self) -> None:
        """Forget everything."""
        self._get("/wipe")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wait(self) -> None:
        process = self._process
        end = time.monotonic() + _START_SECONDS
        while process is not None and process.poll() is None and time.monotonic() < end:
            try:
                self._get("/")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the emulator did not start:\n{self.log.read_text()[-4000:]}")

    def _get(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"the emulator answers {status} to GET {path}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
