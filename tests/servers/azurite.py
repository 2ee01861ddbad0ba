"""Azurite, Microsoft's own emulator of Blob Storage, as a context manager.

::

    with Azurite() as azure:
        ...                     # talk to azure.url with azure.account and azure.key

It checks signatures and shared access signatures; with certificates also tokens, whose signature it
does not check. Its program is `azurite-blob` of the npm package `azurite`: the environment variable
ANYSKY_AZURITE names it, else it is looked for in `node_modules/.bin` of the repository.
"""

import base64
import http.client
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

_START_SECONDS = 60
_LOCAL = Path(__file__).resolve().parents[2] / "node_modules/.bin/azurite-blob"


def azurite_program() -> str | None:
    """The path of Azurite's program; None if it is not installed."""
    named = os.environ.get("ANYSKY_AZURITE")
    return shutil.which(named or _LOCAL) if named or _LOCAL.exists() else None


class Azurite:
    """One Azurite process on a free loopback port, which keeps everything in memory.

    Args:
        certificate: PEM file of a certificate, to speak HTTPS and take tokens of Entra.
        private_key: PEM file of its key.
    """

    account = "anyskytest"

    def __init__(self, certificate: Path | None = None, private_key: Path | None = None) -> None:
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.port = 0
        self.folder = Path()
        self._secure = certificate is not None
        self._options = (
            ["--cert", str(certificate), "--key", str(private_key), "--oauth", "basic"]
            if certificate
            else []
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address to use as the endpoint of the account."""
        scheme = "https" if self._secure else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{self.account}"

    def start(self) -> Self:
        program = azurite_program()
        if program is None:
            raise RuntimeError("Azurite is not installed: npm install azurite")
        self.folder = Path(tempfile.mkdtemp(prefix="azurite-"))
        self.port = _free_port()
        place = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        quiet = ["--inMemoryPersistence", "--disableTelemetry", "--silent"]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, *place, *quiet, *self._options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{self.account}:{self.key}"},
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the process and those that it started, by the id of their group."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wait(self) -> None:
        process = self._process
        end = time.monotonic() + _START_SECONDS
        while process is not None and time.monotonic() < end and process.poll() is None:
            try:
                self._ask()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"Azurite did not start:\n{(self.folder / 'log').read_text()[-4000:]}")

    def _ask(self) -> None:
        """Send any request: an answer of any kind will do."""
        connection: http.client.HTTPConnection
        if self._secure:
            context = (
                ssl._create_unverified_context()
            )  # it is ours, and only its being there counts
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/{self.account}")
            connection.getresponse().read()
        finally:
            connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
