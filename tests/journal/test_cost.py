"""What the journal costs: how often it waits for the disk, and what is on it by then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNTED = """
import ctypes, json, os, shutil, sys
import anysky
from anysky.compute import get_driver
from anysky.model.compute import VolumeSpec
from anysky.providers.memory import Cloud
from tests.journal.clouds import TwoVolumes

shim = ctypes.CDLL(None)
cloud = Cloud()
driver = get_driver("memory")(cloud=cloud, journal=sys.argv[1])
driver._backend.__class__ = TwoVolumes


def cost(job):
    before = shim.synced_count()
    job()
    return shim.synced_count() - before


def transaction():
    with anysky.transaction():
        for name in ("a", "b", "c", "d"):
            driver.create_volume(1, name)


def undone():
    try:
        with anysky.transaction():
            driver.create_volume(1, "a")
            driver.create_volume(1, "b")
            raise LookupError
    except LookupError:
        pass


"""
MEASURED = """
driver.create_volume(1, "first")
print(json.dumps({
    "one step": cost(lambda: driver.create_volume(1, "a")),
    "two steps": cost(lambda: driver.ex_create_pair("b")),
    "four in a transaction": cost(transaction),
    "two undone": cost(undone),
    "reads": cost(driver.list_volumes),
    "a hundred": cost(lambda: [driver.create_volume(1, "c") for _ in range(100)]),
}))
"""
ON_DISK = """
def look(call):
    shutil.rmtree(sys.argv[1] + ".copy", ignore_errors=True)
    shutil.copytree(os.path.dirname(sys.argv[1]), sys.argv[1] + ".copy")
    copy = sys.argv[1] + ".copy/journal.db"
    os.truncate(copy + "-wal", shim.synced_size())
    os.unlink(copy + "-shm")
    with anysky.Journal(copy) as journal:
        seen.append([(step.what, step.state) for entry in journal.entries()
                     for step in entry.steps])


seen = []
cloud.before = look
driver.ex_create_pair("pair")
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """A library that counts fsyncs of the program that it is loaded into."""
    compiler = shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("it takes gcc on Linux to count fsyncs")
    made = tmp_path_factory.mktemp("shim") / "fsyncs.so"
    source = Path(__file__).with_name("fsyncs.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.fixture
def counted(shim, path):
    def run(program):
        done = subprocess.run(
            [sys.executable, "-c", COUNTED + program, str(path)],
            env={**os.environ, "LD_PRELOAD": str(shim)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    return run


def test_a_step_waits_for_the_disk_less_than_twice(counted):
    assert counted(MEASURED) == {
        "one step": 1,
        "two steps": 3,  # and a third for the end
        "four in a transaction": 5,
        "two undone": 3,
        "reads": 0,
        "a hundred": 100,
    }


def test_what_a_power_failure_would_leave_has_the_intent(counted):
    """Of the log only what was made to be on disk counts."""
    assert counted(ON_DISK) == [
        [["volume pair-1", "intended"]],
        [["volume pair-1", "done"], ["volume pair-2", "intended"]],
    ]
