"""Every request of every operation that makes something fails, in both APIs.

What is there then is what the error names, and taking it back leads to the start again.
"""

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import anysky.aio
from anysky.compute import NodeAuthSSHKey, SecurityGroupRule
from anysky.errors import CloudError, ConflictError, OutcomeUnknownError, PartialFailureError
from anysky.loadbalancer import Member
from anysky.providers.digitalocean.backend import DigitalOceanBackend
from anysky.transport.retry import RetryPolicy

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2OfbRNsQ9kWGaS4tb8gXpm7Jn2w9jlzFPyAXAh4wrY me"
SSH = SecurityGroupRule("ingress", "tcp", 22, cidrs=("192.0.2.0/24",))
WEB = SecurityGroupRule("ingress", "tcp", 443, 443, cidrs=("0.0.0.0/0",))
FAULTS = {
    "refused": {"status": 403},
    "failed": {"status": 500},
    "done, and answered 500": {"status": 500, "after_work": True},
    "done, and the answer lost": {"status": None, "after_work": True},
}
KINDS = {
    "Node": "droplets",
    "StorageVolume": "volumes",
    "VolumeSnapshot": "volume_snapshots",
    "NodeImage": "images",
    "KeyPair": "keys",
    "Network": "vpcs",
    "SecurityGroup": "firewalls",
    "FloatingIP": "reserved_ips",
    "LoadBalancer": "balancers",
    "Zone": "domains",
    "Record": "records",
}


@pytest.fixture(autouse=True)
def no_lag(monkeypatch):
    """The imitation lists at once what it has made."""
    monkeypatch.setattr(DigitalOceanBackend, "list_lag", 0.0)


class World:
    """The imitation, emptied, and a driver of each service for it."""

    def __init__(self, cloud, connect, **settings):
        self.cloud = cloud
        self.finish = connect.finish
        once = RetryPolicy(attempts=1)
        for service in ("compute", "dns", "loadbalancer"):
            setattr(self, service, connect(service, retry=once, rate=0, **settings))

    def clear(self):
        self.cloud.clear()
        self.cloud.polls = 0

    @contextmanager
    def transaction(self):
        """A transaction of the drivers' API."""
        if self.finish.is_blocking:
            with anysky.transaction() as block:
                yield block
            return
        block = anysky.aio.transaction()
        self.finish(block.__aenter__())
        try:
            yield block
        except BaseException as error:
            self.finish(block.__aexit__(type(error), error, error.__traceback__))
            raise
        self.finish(block.__aexit__(None, None, None))

    def node(self):
        number = self.cloud.add_droplet("there", region="fra1")["id"]
        return self.compute.get_node(str(number))

    def volume(self):
        return self.compute.create_volume(10, "data")

    def group(self, name="web"):
        return self.compute.create_security_group(name, rules=[WEB])

    def balancer(self):
        return self.loadbalancer.create_balancer("lb", 80, "http", None, [])

    def things(self):
        """All that the account holds: what it is attached to, by kind and id."""
        cloud = self.cloud
        tables = {
            "droplets": {n: sorted(d["tags"]) for n, d in cloud.droplets.items()},
            "volumes": {n: (v["droplet_ids"], v["tags"]) for n, v in cloud.volumes.items()},
            "volume_snapshots": {n: s["tags"] for n, s in cloud.volume_snapshots.items()},
            "images": {n: list(i["regions"]) for n, i in cloud.images.items() if not i["public"]},
            "keys": {key["fingerprint"]: key["name"] for key in cloud.keys.values()},
            "vpcs": {n: v["name"] for n, v in cloud.vpcs.items() if not v["default"]},
            "firewalls": {n: _content(f) for n, f in cloud.firewalls.items()},
            "reserved_ips": {
                ip: (a["droplet"] or {}).get("id") for ip, a in cloud.reserved_ips.items()
            },
            "balancers": {n: list(b["droplet_ids"]) for n, b in cloud.balancers.items()},
            "domains": dict.fromkeys(cloud.domains),
            "records": {
                n: record["data"]
                for records in cloud.records.values()
                for n, record in records.items()
            },
            "tags": dict.fromkeys(cloud.tags),
        }
        return {(kind, str(n)): held for kind, table in tables.items() for n, held in table.items()}


def _content(firewall):
    return (list(firewall["droplet_ids"]), list(map(str, firewall["inbound_rules"])))


@dataclass
class Making:
    """An operation: what must be there for it, the call, and what comes with what it makes."""

    name: str
    prepare: Callable[[World], list[Any]]
    call: Callable[..., Any]
    companions: tuple[str, ...] = ()

    def __str__(self):
        return self.name


def _new_node(world, *groups):
    size, image = world.compute.list_sizes()[0], world.compute.get_image("debian-12-x64")
    return world.compute.create_node(
        "web-1", size, image, auth=NodeAuthSSHKey(PUBLIC_KEY), security_groups=groups
    )


MAKINGS = [
    Making("create_node", lambda w: [w.group("web"), w.group("ssh")], _new_node),
    Making("create_volume", lambda w: [], lambda w: w.compute.create_volume(10, "data")),
    Making(
        "create_volume_snapshot",
        lambda w: [w.volume()],
        lambda w, volume: w.compute.create_volume_snapshot(volume, "daily"),
    ),
    Making(
        "attach_volume",
        lambda w: [w.node(), w.volume()],
        lambda w, node, volume: w.compute.attach_volume(node, volume),
    ),
    Making(
        "create_image",
        lambda w: [w.node()],
        lambda w, node: w.compute.create_image(node, "nightly"),
    ),
    Making(
        "import_key_pair",
        lambda w: [],
        lambda w: w.compute.import_key_pair_from_string("me", PUBLIC_KEY),
    ),
    Making("create_network", lambda w: [], lambda w: w.compute.create_network("inner")),
    Making("create_security_group", lambda w: [], lambda w: w.group()),
    Making(
        "add_security_group_rule",
        lambda w: [w.group()],
        lambda w, group: w.compute.add_security_group_rule(group, SSH),
    ),
    Making(
        "add_nodes_to_security_group",
        lambda w: [w.group(), w.node(), w.node()],
        lambda w, group, *nodes: w.compute.ex_add_nodes_to_security_group(group, nodes),
    ),
    Making("create_floating_ip", lambda w: [], lambda w: w.compute.create_floating_ip()),
    Making(
        "attach_floating_ip",
        lambda w: [w.compute.create_floating_ip(), w.node()],
        lambda w, address, node: w.compute.attach_floating_ip(address, node),
    ),
    Making(
        "create_zone",
        lambda w: [],
        lambda w: w.dns.create_zone("example.com", extra={"ip_address": "192.0.2.1"}),
        companions=("records",),
    ),
    Making(
        "create_record",
        lambda w: [w.dns.create_zone("example.com")],
        lambda w, zone: w.dns.create_record("a", zone, "CNAME", "www", {"ttl": 300}),
    ),
    Making(
        "create_balancer",
        lambda w: [w.node()],
        lambda w, node: w.loadbalancer.create_balancer(
            "lb", 80, "http", None, [Member(node.id, "", 8080)]
        ),
    ),
    Making(
        "attach_member",
        lambda w: [w.balancer(), w.node()],
        lambda w, balancer, node: w.loadbalancer.balancer_attach_compute_node(balancer, node),
    ),
]


def _each_failure(world, making):
    """Let each request fail in each way; yield what there was before, and the error or None."""
    for name, fault in FAULTS.items():
        for number in itertools.count():
            world.clear()
            prepared = making.prepare(world)
            start = world.things()
            struck = world.cloud.fail_next(skip=number, **fault)
            error = None
            try:
                making.call(world, *prepared)
            except CloudError as raised:
                error = raised
            world.cloud._faults.clear()
            if not struck.hits:
                break
            yield f"request {number + 1} {name}", start, error


def _made(world, making):
    """What the operation makes when nothing fails: how many things of each kind."""
    world.clear()
    prepared = making.prepare(world)
    start = world.things()
    making.call(world, *prepared)
    return _kinds(set(world.things()) - set(start))


def _kinds(keys):
    return Counter(kind for kind, _ in keys if kind != "tags")


def _named(error):
    """What an error says was made; members and rules are parts of what was there."""
    created = error.created if isinstance(error, PartialFailureError) else []
    names = {"KeyPair": "fingerprint"}
    kinds = [type(thing).__name__ for thing in created]
    return {
        (KINDS[kind], getattr(thing, names.get(kind, "id")))
        for kind, thing in zip(kinds, created, strict=True)
        if kind in KINDS
    }


@pytest.mark.parametrize("making", MAKINGS, ids=str)
def test_an_error_names_what_is_there_and_takes_it_back(making, connect, digitalocean):
    world = World(digitalocean, connect)
    made = _made(world, making)
    for when, start, error in _each_failure(world, making):
        new = {key for key in world.things() if key not in start}
        if error is None:
            assert _kinds(new) == made, when
            continue
        told = {key for key in new if key[0] not in making.companions}
        named = _named(error)

        assert named <= told, (when, error)
        assert len(told - named) <= len(error.in_doubt), (when, error)
        if isinstance(error, PartialFailureError):
            assert world.finish(error.rollback()).left_behind == [], (when, error)
        if isinstance(error, PartialFailureError) or not error.in_doubt:
            assert world.things() == start, (when, error)


@pytest.mark.parametrize("making", MAKINGS, ids=str)
def test_what_fails_is_taken_back_at_once(making, connect, digitalocean):
    world = World(digitalocean, connect, on_partial_failure="rollback")
    made = _made(world, making)
    for when, start, error in _each_failure(world, making):
        if error is None:
            assert _kinds(set(world.things()) - set(start)) == made, when
        elif making.name == "create_floating_ip" and getattr(error, "left_behind", []):
            assert _kinds(set(world.things()) - set(start)) <= made, when
        else:
            assert world.things() == start, (when, error)


class StoppedError(Exception):
    """Ends a transaction in which nothing has failed."""


def _stop_after(world, *calls):
    with world.transaction():
        for call in calls:
            call()
        raise StoppedError


def test_the_key_of_a_node_that_is_not_made_is_named(connect, digitalocean):
    world = World(digitalocean, connect)
    digitalocean.fail_next(422, method="POST", path="/v2/droplets")

    with pytest.raises(PartialFailureError) as caught:
        _new_node(world)

    (key,) = caught.value.created
    assert (key.name, key.public_key) == (
        "anysky-03d619edaa544a19a01bc5ba79c4260d",
        PUBLIC_KEY,
    )
    assert caught.value.failed_step == "node web-1"
    world.finish(caught.value.rollback())
    assert digitalocean.keys == {}


def test_a_key_that_is_there_already_stays(connect, digitalocean):
    world = World(digitalocean, connect, on_partial_failure="rollback")
    mine = world.compute.import_key_pair_from_string("mine", PUBLIC_KEY)
    digitalocean.fail_next(422, method="POST", path="/v2/droplets")

    with pytest.raises(CloudError):
        _new_node(world)

    assert world.compute.list_key_pairs() == [mine]


def test_the_node_is_kept_when_a_security_group_is_gone(connect, digitalocean):
    world = World(digitalocean, connect)
    web, gone = world.group("web"), world.group("gone")
    world.compute.delete_security_group(gone)

    with pytest.raises(PartialFailureError) as caught:
        _new_node(world, web, gone)

    key, node = caught.value.created
    assert (key.fingerprint, node.name) == (
        "03:d6:19:ed:aa:54:4a:19:a0:1b:c5:ba:79:c4:26:0d",
        "web-1",
    )
    (held,) = digitalocean.firewalls.values()
    assert held["droplet_ids"] == [int(node.id)]
    report = world.finish(caught.value.rollback())
    assert (report.undone, report.left_behind) == ([node, key], [])
    assert (digitalocean.droplets, digitalocean.keys, held["droplet_ids"]) == ({}, {}, [])


def test_no_tag_of_a_mark_is_left(connect, digitalocean):
    world = World(digitalocean, connect)

    node = _new_node(world)
    volume = world.volume()
    snapshot = world.compute.create_volume_snapshot(volume, "daily")

    assert digitalocean.tags == []
    assert [one.extra["tags"] for one in (node, volume, snapshot)] == [[], [], []]
    digitalocean.requests.clear()
    world.compute.destroy_node(node)
    world.compute.destroy_volume_snapshot(snapshot)
    world.compute.destroy_volume(volume)
    assert [one.path for one in digitalocean.requests] == [
        f"/v2/droplets/{node.id}",
        f"/v2/volumes/snapshots/{snapshot.id}",
        f"/v2/volumes/{volume.id}",
    ]


def test_a_tag_that_could_not_be_deleted_goes_with_its_thing(connect, digitalocean):
    world = World(digitalocean, connect)
    digitalocean.fail_next(403, method="DELETE", path="/v2/tags/.*", times=3)
    node = _new_node(world)
    volume = world.volume()
    snapshot = world.compute.create_volume_snapshot(volume, "daily")
    assert len(digitalocean.tags) == 3
    assert (node.tags, volume.tags, snapshot.tags) == ({}, {}, {})

    (listed,) = world.compute.list_nodes()
    world.compute.destroy_node(listed)
    world.compute.destroy_volume_snapshot(snapshot)
    world.compute.destroy_volume(volume)

    assert digitalocean.tags == []


def test_a_node_whose_answer_was_lost_is_found_by_its_mark(connect, digitalocean):
    world = World(digitalocean, connect)
    fault = digitalocean.fail_next(None, method="POST", path="/v2/droplets", after_work=True)

    node = _new_node(world)

    assert (fault.hits, list(digitalocean.droplets), digitalocean.tags) == (1, [int(node.id)], [])


def test_what_is_looked_for_where_nothing_tells_an_address(connect, digitalocean):
    world = World(digitalocean, connect, on_partial_failure="rollback")
    free, used = world.compute.create_floating_ip(), world.compute.create_floating_ip()
    world.compute.attach_floating_ip(used, world.node())
    digitalocean.fail_next(None, method="POST", path="/v2/reserved_ips", after_work=True)

    with pytest.raises(PartialFailureError) as caught:
        world.compute.create_floating_ip()

    (doubt,) = caught.value.left_behind
    assert doubt.look_for == f"floating IP in fra1, besides {free.ip}"
    assert len(digitalocean.reserved_ips) == 3


@pytest.mark.parametrize("operation", ["attach_volume", "attach_floating_ip"])
def test_an_attachment_that_the_provider_gives_up_is_none(operation, connect, digitalocean):
    world = World(digitalocean, connect)
    making = next(one for one in MAKINGS if one.name == operation)
    prepared = making.prepare(world)
    digitalocean.failing_actions |= {"attach_volume", "assign_ip"}
    start = world.things()

    with pytest.raises(ConflictError, match="ended with an error"):
        making.call(world, *prepared)

    assert world.things() == start


@pytest.mark.parametrize("operation", ["attach_volume", "attach_floating_ip"])
def test_what_goes_on_when_the_time_is_over_is_taken_back(operation, connect, digitalocean):
    world = World(digitalocean, connect, deadline=0.3)
    making = next(one for one in MAKINGS if one.name == operation)
    world.clear()
    digitalocean.polls = 2
    prepared = making.prepare(world)
    start = world.things()

    with pytest.raises(PartialFailureError) as caught:
        making.call(world, *prepared)

    assert isinstance(caught.value.__cause__, CloudError)
    assert world.finish(caught.value.rollback()).left_behind == []
    assert world.things() == start


def test_an_image_is_waited_for_when_the_time_is_over(connect, digitalocean):
    world = World(digitalocean, connect, deadline=0.3)
    there = world.node()
    digitalocean.polls = 1

    image = world.compute.create_image(there, "nightly")

    assert image.id in map(str, digitalocean.images)


def test_a_volume_that_is_attached_elsewhere_since_stays_there(connect, digitalocean):
    world = World(digitalocean, connect, deadline=0.3)
    first, second, volume = world.node(), world.node(), world.volume()
    digitalocean.polls = 1
    with pytest.raises(PartialFailureError) as caught:
        world.compute.attach_volume(first, volume)
    digitalocean.volumes[volume.id]["droplet_ids"] = [int(second.id)]
    digitalocean.actions.clear()

    assert world.finish(caught.value.rollback()).left_behind == []

    assert digitalocean.volumes[volume.id]["droplet_ids"] == [int(second.id)]


def test_what_was_there_before_is_not_taken_back(connect, digitalocean):
    world = World(digitalocean, connect)
    node, other, group = world.node(), world.node(), world.group()
    world.compute.ex_add_nodes_to_security_group(group, [node])

    with pytest.raises(StoppedError):
        _stop_after(
            world,
            lambda: world.compute.add_security_group_rule(group, WEB),
            lambda: world.compute.ex_add_nodes_to_security_group(group, [node, other]),
        )

    (held,) = digitalocean.firewalls.values()
    assert held["droplet_ids"] == [int(node.id)]
    assert [rule["ports"] for rule in held["inbound_rules"]] == ["443"]


def test_a_copied_image_is_never_deleted(connect, digitalocean):
    world = World(digitalocean, connect)
    image = world.compute.create_image(world.node(), "nightly")
    elsewhere = connect("compute", region="nyc3")

    with pytest.raises(StoppedError):
        _stop_after(world, lambda: elsewhere.copy_image("fra1", image, "nightly"))

    assert world.compute.get_image(image.id).extra["regions"] == ["fra1", "nyc3"]


def test_a_look_before_is_left_out_where_nobody_would_undo(connect, digitalocean):
    world = World(digitalocean, connect)

    world.compute.create_network("inner")

    assert [one.method for one in digitalocean.requests] == ["POST"]


def test_a_lost_answer_is_told_where_nobody_looked_before(connect, digitalocean):
    world = World(digitalocean, connect)
    digitalocean.fail_next(None, method="POST", path="/v2/vpcs", after_work=True)

    with pytest.raises(OutcomeUnknownError) as caught:
        world.compute.create_network("inner")

    assert [doubt.look_for for doubt in caught.value.in_doubt] == ["network inner"]
