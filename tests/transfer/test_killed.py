"""Kill -9 at random points of a large upload and of a download; then they are gone on with.

`ANYSKY_KILLS` is the number of points for each of the two, `ANYSKY_KILLED_MIB` the file's size.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import anysky.storage
from anysky.transport.tracing import Hooks
from tests.servers.moto import Moto
from tests.transfer.killed import BOX, KEY, run

POINTS = int(os.environ.get("ANYSKY_KILLS", "5"))
SIZE = int(os.environ.get("ANYSKY_KILLED_MIB", "64")) * 1024 * 1024 + 4321
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def server():
    with Moto(load_amis=False) as moto:
        yield moto


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "source"
    block = random.Random(5).randbytes(1024 * 1024)
    with path.open("wb") as file:
        for number in range(SIZE // len(block)):
            file.write(number.to_bytes(8, "big") + block[8:])
        file.write(block[: SIZE % len(block)])
    return path


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("ANYSKY_TRANSFERS", str(folder))
    return folder


@pytest.fixture
def driver(server):
    server.reset()
    with anysky.storage.get_driver("s3")("key", "secret", endpoint=server.url) as made:
        made.create_container(BOX)
        yield made


class Moved:
    """Counts the bytes of content that are asked to move."""

    def __init__(self):
        self.bytes = 0

    def request(self, request):
        if request.operation == "UploadPart":
            self.bytes += request.body.length
        if request.operation == "GetObject" and "range" in request.headers:
            first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
            self.bytes += int(last) - int(first) + 1


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start(way, api, server, path):
    """Start the program; return it when it begins to move."""
    program = [sys.executable, "-m", "tests.transfer.killed", way, api, server.url, str(path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout.readline() == b"begins\n"
    return process


def kill(process, seconds):
    """Kill the program after some time; return whether it was done by then."""
    time.sleep(seconds)
    process.kill()
    process.wait()
    with process.stdout:
        return process.stdout.read() == b"done\n"


@pytest.fixture(scope="module")
def seconds():
    """How long each way takes, by its name and the API's."""
    return {}


def duration(seconds, way, api, server, path):
    """Measure once how long a transfer takes that nobody kills."""
    if (way, api) not in seconds:
        process = start(way, api, server, path)
        begin = time.monotonic()
        assert process.stdout.read() == b"done\n"
        seconds[way, api] = time.monotonic() - begin
        process.stdout.close()
        process.wait()
    return seconds[way, api]


@pytest.mark.server
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", range(POINTS))
def test_killed_upload_is_gone_on_with(server, driver, content, state, seconds, point):
    api = ("blocking", "asyncio")[point % 2]
    box = driver.get_container(BOX)
    whole = duration(seconds, "up", api, server, content)
    for obj in box.list_objects():
        obj.delete()

    is_done = kill(start("up", api, server, content), random.uniform(0, whole * 1.05))
    begun = driver.list_multipart_uploads(box)
    there = [part for upload in begun for part in driver.ex_list_parts(upload)]
    is_complete = [one.size for one in box.list_objects()] == [SIZE]
    moved = Moved()
    run("up", api, server.url, content, hooks=Hooks(request=moved.request))

    if not is_done:
        missing = 0 if is_complete else SIZE - sum(part.size for part in there)
        assert moved.bytes <= missing  # a part may have arrived as the program was killed
    found = hashlib.sha256()
    for piece in driver.download_object_as_stream(driver.get_object(BOX, KEY)):
        found.update(piece)
    assert found.hexdigest() == digest(content)
    assert driver.list_multipart_uploads(box) == []
    assert list(state.iterdir()) == []


@pytest.mark.server
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", range(POINTS))
def test_killed_download_is_gone_on_with(server, driver, content, tmp_path, seconds, point):
    api = ("blocking", "asyncio")[point % 2]
    driver.upload_object(content, driver.get_container(BOX), KEY)
    folder = tmp_path / "folder"
    folder.mkdir()
    target = folder / "target"
    whole = duration(seconds, "down", api, server, target)
    target.unlink(missing_ok=True)

    is_done = kill(start("down", api, server, target), random.uniform(0, whole * 1.05))
    saved = sum(_saved(one) for one in folder.glob("*.state"))
    is_complete = target.exists()
    moved = Moved()
    if not is_done:
        run("down", api, server.url, target, hooks=Hooks(request=moved.request))

        assert moved.bytes == (0 if is_complete else SIZE - saved)
    assert digest(target) == digest(content)
    assert [one.name for one in folder.iterdir()] == ["target"]


def _saved(record):
    """How many bytes are on disk for sure."""
    lines = record.read_text().splitlines()[1:]
    steps = [json.loads(line) for line in lines]
    return sum(one["end"] - one["start"] for one in steps if "end" in one)
