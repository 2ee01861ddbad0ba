"""A program is killed at each request that makes something; the journal knows what is left."""

import itertools
import os
import signal
import subprocess
import sys

import pytest
from tests.providers.digitalocean.test_partial_failures import World

import anysky.aio
from anysky.providers.digitalocean.backend import DigitalOceanBackend

PROGRAM = """
import sys
import anysky
from anysky.compute import NodeAuthSSHKey, SecurityGroupRule, get_driver
from anysky.dns import get_driver as get_dns_driver
from anysky.loadbalancer import Member, get_driver as get_balancer_driver

token, url, journal = sys.argv[1:]
settings = {"endpoint": url, "region": "fra1", "rate": 0, "journal": journal}
compute = get_driver("digitalocean")(token, **settings)
dns = get_dns_driver("digitalocean")(token, **settings)
balancers = get_balancer_driver("digitalocean")(token, **settings)
size, image = compute.list_sizes()[0], compute.get_image("debian-12-x64")
key = NodeAuthSSHKey(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2OfbRNsQ9kWGaS4tb8gXpm7Jn2w9jlzFPyAXAh4wrY me"
)
with anysky.transaction():
    network = compute.create_network("inner")
    rule = SecurityGroupRule("ingress", "tcp", 443, 443, ("0.0.0.0/0",))
    group = compute.create_security_group("web", rules=[rule])
    node = compute.create_node(
        "web-1", size, image, auth=key, network=network, security_groups=[group]
    )
    compute.wait_until_running([node], wait_period=0.01)
    volume = compute.create_volume(10, "data")
    compute.attach_volume(node, volume)
    compute.create_volume_snapshot(volume, "daily")
    address = compute.create_floating_ip()
    compute.attach_floating_ip(address, node)
    compute.create_image(node, "nightly")
    balancers.create_balancer("lb", 80, "http", None, [Member(node.id, "", 8080)])
    zone = dns.create_zone("example.com")
    zone.create_record("www", "A", address.ip)
"""


class Killer:
    """Kills a program at its change of a number, before or after the imitation has done it."""

    def __init__(self, cloud, monkeypatch, number, *, is_done):
        self.number, self.is_done, self.seen = number, is_done, 0
        self.child = None
        self._handle = cloud.handle
        monkeypatch.setattr(cloud, "handle", self.handle)

    def run(self, *arguments):
        """Run the program; return whether it was killed, and not over by itself."""
        self.child = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
        code = self.child.wait(60)
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def handle(self, request):
        self.seen += request.method != "GET"
        if self.seen < self.number:
            return self._handle(request)
        if self.is_done:
            self._handle(request)
        os.kill(self.child.pid, signal.SIGKILL)
        return None


@pytest.mark.slow
@pytest.mark.parametrize("is_done", [False, True], ids=["before the work", "after the work"])
def test_what_a_killed_program_has_made_is_removed(
    is_done, connect, digitalocean, monkeypatch, tmp_path
):
    monkeypatch.setattr(DigitalOceanBackend, "list_lag", 0.0)
    world = World(digitalocean, connect)
    for number in itertools.count(1):
        world.clear()
        world.compute.create_network("default-fra1")  # the first one stays
        start = world.things()
        path = tmp_path / f"{number}.db"
        with monkeypatch.context() as patch:
            killer = Killer(digitalocean, patch, number, is_done=is_done)
            if not killer.run(digitalocean.token, digitalocean.url, str(path)):
                break
        _recover(world, path)
        left = set(world.things()) - set(start)

        assert {kind for kind, _ in left} <= {"reserved_ips"}, number
        _recover(world, path)
        assert set(world.things()) - set(start) == left, number
    assert number == 18  # after 14 things and attachments, and the tags of 3 marks


def _recover(world, path):
    services = (world.compute, world.dns, world.loadbalancer)
    drivers = [getattr(one, "_driver", one) for one in services]
    journal = (anysky if world.finish.is_blocking else anysky.aio).Journal(path)
    for entry in journal.entries():
        world.finish(journal.rollback(entry.id, drivers=drivers))
