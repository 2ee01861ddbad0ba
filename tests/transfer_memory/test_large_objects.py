"""Memory does not grow with the object: 1 GiB takes a few parts of it, in a process of its own."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from anysky.transfer.options import TransferOptions
from anysky.transfer.sizes import range_size

GIB = 1024**3
MIB = 1024**2
ROOT = Path(__file__).resolve().parent.parent.parent
ALLOWED = range_size(GIB, None) * TransferOptions().concurrency / MIB + 32

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells how large a process was"
)


@pytest.fixture(scope="module")
def sink():
    """A server that throws away what it gets, and sends zeros."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storage_sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("api", ["blocking", "asyncio"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_memory_is_flat_in_the_size_of_an_object(sink, file, api, way):
    with contextlib.ExitStack() as stack:
        if way == "up":
            stack.enter_context(file.open("wb")).truncate(GIB)
        done = subprocess.run(
            [sys.executable, "-m", "tests.transfer_memory.worker", api, way, sink, str(file)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )

    assert float(done.stdout) < ALLOWED
    if way == "down":
        assert file.stat().st_size == GIB
