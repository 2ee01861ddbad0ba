"""The clouds that the examples of the documentation talk to, all on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.imitations.digitalocean import DigitalOceanImitation

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS_OF_CLOUDS = re.compile(
    r"(AWS|DIGITALOCEAN|XDG)_|ANYSKY_(?!OPENAPI_DIR)|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE
)


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a moto server, an imitation of AWS, that runs for the whole session."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _announced_address(server, log)
    finally:
        server.terminate()
        server.wait(timeout=10)


def _announced_address(server: subprocess.Popen[bytes], log: Path) -> str:
    while True:
        text = log.read_text(errors="replace")
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", text):
            return found[1]
        try:
            server.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"moto did not start:\n{text}")


@pytest.fixture
def clouds(
    moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Empty clouds, their addresses and credentials in the environment, an empty home."""
    reset = urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=10).close()
    for name in [name for name in os.environ if SETTINGS_OF_CLOUDS.match(name)]:
        monkeypatch.delenv(name)
    with DigitalOceanImitation(token="token") as digitalocean:
        environment = {
            "AWS_ENDPOINT_URL": moto_url,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "DIGITALOCEAN_ENDPOINT": digitalocean.url,
            "DIGITALOCEAN_TOKEN": "token",
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield environment
