"""SIGKILL at every point of "node + volume + floating IP + DNS record", then the recovery."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from anysky.cli import main
from anysky.compute import get_driver
from anysky.dns import get_driver as get_dns_driver
from anysky.providers.memory import Cloud
from anysky.providers.memory.serving import serve
from anysky.transport.base import Response

APIS = ("blocking", "asyncio")
MAKING = (
    "create_volume", "create_node", "attach_volume", "create_floating_ip", "attach_floating_ip",
    "create_record",
)  # fmt: skip
UNDOING = (
    "delete_record", "detach_floating_ip", "delete_floating_ip", "detach_volume", "destroy_node",
    "destroy_volume",
)  # fmt: skip
POINTS_OF_A_STEP = (
    "before intend", "after intend", "before send", "after answer",
    "before settle", "after settle", "before end", "after end",
)  # fmt: skip
POINTS = (*POINTS_OF_A_STEP * len(MAKING), "before end_scope", "after end_scope")
NEVER = "0"


class Scene:
    """A served cloud with things of others, and a journal for the program that is killed."""

    def __init__(self, served, path) -> None:
        self.url, self.cloud, self.path = served.url, served.cloud, path
        self.compute = get_driver("memory")(endpoint=served.url)
        self.dns = get_dns_driver("memory")(endpoint=served.url)
        self.zone = self.dns.create_zone("example.org")
        self.have_others("before")

    def have_others(self, when):
        """Make things that the program has nothing to do with, some called like its own."""
        size, image = self.compute.list_sizes()[0], self.compute.list_images()[0]
        self.compute.create_volume(1, "data")
        node = self.compute.create_node("web", size, image)
        self.compute.attach_volume(node, self.compute.create_volume(1, when))
        self.compute.attach_floating_ip(self.compute.create_floating_ip(), node)
        self.dns.create_record(when, self.zone, "A", "192.0.2.7")

    def start(self, api, point=NEVER):
        program = [sys.executable, "-m", "tests.journal.programs", api, self.url, self.path]
        return subprocess.Popen([*program, str(point)], stdout=subprocess.PIPE, text=True)

    def roll_back(self):
        """Run the command; return its exit status."""
        command = [sys.executable, "-m", "anysky", "journal", "rollback", "--path", self.path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.stderr == ""
        return done.returncode

    def keys(self):
        """Return kind and key of everything."""
        return {(kind, key) for kind, things in self.cloud.inventory().items() for key in things}

    def without(self, ours):
        """Return everything but some things."""
        return {
            kind: {key: one for key, one in things.items() if (kind, key) not in ours}
            for kind, things in self.cloud.inventory().items()
        }


@pytest.fixture
def scene(tmp_path):
    with serve(Cloud()) as served:
        one = Scene(served, str(tmp_path / "journal.db"))
        with one.compute, one.dns:
            yield one


def kill(scene, program):
    """Wait until the program is dead; return what it has made, and the points that it passed."""
    before = scene.keys()
    told, _ = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGKILL
    return scene.keys() - before, told.splitlines()


def check_recovery(scene, ours):
    """Recover, and once more: the second time nothing changes."""
    scene.have_others("between")
    expected = scene.without(ours)

    assert scene.roll_back() == 0
    assert scene.cloud.inventory() == expected
    again = CliRunner().invoke(main, ["journal", "rollback", "--path", scene.path])
    assert (again.exit_code, again.output) == (0, "nothing to roll back\n")
    assert scene.cloud.inventory() == expected


@pytest.mark.parametrize("api", APIS)
def test_without_a_kill_all_points_are_passed_and_all_stays(scene, api):
    before = scene.keys()
    told, _ = (program := scene.start(api)).communicate(timeout=60)

    assert program.returncode == 0
    assert tuple(told.splitlines()) == POINTS
    made = scene.keys() - before
    assert sorted(kind for kind, _ in made) == ["floating_ips", "nodes", "records", "volumes"]
    expected = scene.cloud.inventory()
    assert scene.roll_back() == 0
    assert scene.cloud.inventory() == expected


@pytest.mark.slow
@pytest.mark.parametrize("point", range(1, len(POINTS) + 1))
@pytest.mark.parametrize("api", APIS)
def test_killed_at_a_point(scene, api, point):
    ours, passed = kill(scene, scene.start(api, point))

    assert tuple(passed) == POINTS[: point - 1]
    is_over = POINTS[point - 1] == "after end_scope"
    check_recovery(scene, set() if is_over else ours)


@pytest.mark.slow
@pytest.mark.parametrize("operation", MAKING)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("api", APIS)
def test_killed_while_a_request_is_on_its_way(scene, api, when, operation):
    """The provider does all the same what it was asked for; nobody reads its answer."""
    before, is_done = scene.keys(), threading.Event()
    program = scene.start(api)

    def strike(call):
        if call.operation == operation:
            os.kill(program.pid, signal.SIGKILL)
            program.wait(timeout=60)

    def finish(call):
        if when == "after":
            strike(call)
        if call.operation == operation:
            is_done.set()

    scene.cloud.before, scene.cloud.after = strike if when == "before" else None, finish
    program.communicate(timeout=60)
    assert is_done.wait(60)
    scene.cloud.before = scene.cloud.after = None

    assert program.returncode == -signal.SIGKILL
    check_recovery(scene, scene.keys() - before)


@pytest.mark.slow
@pytest.mark.parametrize("operation", UNDOING)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_during_the_recovery(scene, when, operation):
    """A recovery that is killed is begun again, and ends as one that was not."""
    ours, _ = kill(scene, scene.start("blocking", len(POINTS) - 1))
    command = [sys.executable, "-m", "anysky", "journal", "rollback", "--path", scene.path]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def strike(call):
        if call.operation == operation and program.poll() is None:
            os.kill(program.pid, signal.SIGKILL)
            program.wait(timeout=60)

    setattr(scene.cloud, when, strike)
    program.communicate(timeout=60)
    setattr(scene.cloud, when, None)

    assert program.returncode == -signal.SIGKILL
    check_recovery(scene, ours)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_killed_while_the_provider_fails_and_lags(scene, seed):
    chance = random.Random(seed)
    scene.cloud.list_lag = chance.uniform(0.0, 1.0)
    scene.cloud.advance(2.0)  # what was there before is in the lists
    scene.cloud.lose_answer(chance.choice(MAKING))
    scene.cloud.lose_answer(chance.choice(MAKING), with_=Response(504, {}), skip=1)
    point = chance.randrange(1, len(POINTS) - 1)

    ours, _ = kill(scene, scene.start(chance.choice(APIS), point))

    scene.cloud.clear_faults()
    check_recovery(scene, ours)
