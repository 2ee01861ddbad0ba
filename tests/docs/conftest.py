"""The clouds that the examples of the documentation talk to, all on this machine."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.imitations.digitalocean import DigitalOceanImitation

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS_OF_CLOUDS = re.compile(
    r"(AWS|AZURE|DIGITALOCEAN|GOOGLE|IDENTITY|OS|ST|XDG)_|ANYSKY_(?!OPENAPI_DIR)"
    r"|(HTTPS?|ALL|NO)_PROXY$",
    re.IGNORECASE,
)


@pytest.fixture
def clouds(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty clouds, their addresses and credentials in the environment, an empty home."""
    for name in [name for name in os.environ if SETTINGS_OF_CLOUDS.match(name)]:
        monkeypatch.delenv(name)
    with DigitalOceanImitation(token="token") as digitalocean:
        environment = {
            "AWS_ENDPOINT_URL": moto,
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
        yield
