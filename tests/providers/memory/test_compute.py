"""What the compute service of the memory cloud does, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from anysky import (
    AlreadyExistsError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
)
from anysky.compute import NodeState, SecurityGroupRule, StorageVolumeState, get_driver
from anysky.errors import KeyPairAlreadyExistsError, KeyPairDoesNotExistError
from anysky.model.compute import Filter, NodeImage, NodeLocation, NodeSize
from anysky.providers.memory import Cloud
from anysky.providers.memory.compute import MemoryCompute

SSH = SecurityGroupRule("ingress", "tcp", 22, 22, ("192.0.2.0/24",))


def test_a_node_says_what_it_was_made_of(compute, make_node):
    network = compute.create_network("office", "10.1.0.0/16")
    subnet = compute.create_subnet(network, "first", "10.1.2.0/24")
    group = compute.create_security_group("web", rules=[SSH])

    before = datetime.now(UTC)
    node = make_node(
        tags={"env": "test"}, user_data="#!/bin/sh", network=subnet, security_groups=[group]
    )

    assert (node.name, node.state) == ("web", NodeState.PENDING)
    assert (node.size.id, node.image.id) == ("small", "debian-12")
    assert node.tags == {"env": "test"}
    assert before <= node.created_at <= datetime.now(UTC)
    assert (node.public_ips, node.private_ips) == (["198.18.0.4"], ["10.1.2.4"])
    assert node.extra == {
        "location": "eu-north",
        "network_id": network.id,
        "subnet_id": subnet.id,
        "security_group_ids": [group.id],
        "key_pair": None,
        "public_key": None,
        "user_data": "#!/bin/sh",
    }


def test_ids_are_the_same_in_each_run():
    def ids(seed):
        driver = get_driver("memory")(cloud=Cloud(seed=seed))
        return [driver.create_volume(1, "data").id for _ in range(2)]

    assert ids(0) == ["vol-eb753c44a24da2747", "vol-2a8ed695e3eeddcd4"]
    assert ids(0) == ids(0)
    assert set(ids(0)).isdisjoint(ids(1))


def test_a_node_runs_after_the_seconds_it_takes(cloud, compute, make_node):
    cloud.boot_seconds = 60
    node = make_node()
    assert compute.get_node(node.id).state is NodeState.PENDING

    cloud.advance(60)

    assert compute.get_node(node.id).state is NodeState.RUNNING
    node.reboot()
    assert compute.get_node(node.id).state is NodeState.REBOOTING
    cloud.advance(60)
    node.stop_node()
    assert compute.get_node(node.id).state is NodeState.STOPPED
    node.start()
    assert compute.get_node(node.id).state is NodeState.STARTING


def test_a_node_runs_after_so_many_looks(cloud, compute, make_node):
    cloud.boot_looks = 2
    node = make_node()

    states = [compute.get_node(node.id).state, compute.list_nodes()[0].state]

    assert states == [NodeState.PENDING, NodeState.PENDING]
    assert compute.get_node(node.id).state is NodeState.RUNNING


def test_a_node_must_be_in_the_right_state(cloud, compute, make_node):
    cloud.boot_looks = 1
    node = make_node()
    for operation in (node.reboot, node.stop_node, node.start):
        with pytest.raises(ConflictError, match="is pending, not"):
            operation()

    compute.get_node(node.id)
    compute.get_node(node.id)
    with pytest.raises(ConflictError, match="is running, not stopped"):
        node.start()


def test_what_a_node_needs_must_be_there(compute, make_node):
    size, image = compute.list_sizes()[0], compute.list_images()[0]
    nowhere = compute.list_locations()[0].__class__("mars", "Mars", "", compute)
    network = compute.create_network("gone", "10.1.0.0/16")
    group = compute.create_security_group("gone")
    network.destroy()
    group.destroy()

    for missing, options in (
        ("location 'mars'", {"location": nowhere}),
        ("network 'net-", {"network": network}),
        ("security group 'sg-", {"security_groups": [group]}),
    ):
        with pytest.raises(NotFoundError, match=f"there is no {missing}"):
            make_node(**options)
    with pytest.raises(KeyPairDoesNotExistError):
        make_node(key_pair="gone")
    with pytest.raises(NotFoundError, match="there is no size 'huge'"):
        compute.create_node("web", NodeSize("huge", "", 0, 0, None, None), image)
    with pytest.raises(NotFoundError, match="there is no image 'dos'"):
        compute.create_node("web", size, NodeImage("dos", None))
    assert compute.list_nodes() == []


@pytest.mark.parametrize("name", ["", "a b", "-web", "web-", "x" * 254, "ümlaut", "a\n"])
def test_names_of_nodes_are_names_of_hosts(make_node, name):
    with pytest.raises(InvalidRequestError, match="the name of a node has"):
        make_node(name)


@pytest.mark.parametrize("tags", [{"": "x"}, {"k" * 129: ""}, {"k": "v" * 257}])
def test_tags_have_a_length(make_node, tags):
    with pytest.raises(InvalidRequestError, match="a tag has a key"):
        make_node(tags=tags)


def test_tags_have_a_number(make_node):
    with pytest.raises(InvalidRequestError, match="50 tags at the most, not 51"):
        make_node(tags={str(number): "" for number in range(51)})


def test_a_program_finds_the_sizes_and_images_of_its_provider():
    cloud = Cloud(
        sizes=[NodeSize("s-1vcpu-1gb", "Basic", 1024, 25, None, Decimal("0.00893"))],
        images=[NodeImage("debian-12-x64", "12 x64")],
        locations=[NodeLocation("fra1", "Frankfurt 1", "DE")],
    )
    driver = get_driver("memory")("token", region="fra1", cloud=cloud)

    node = driver.create_node("web", driver.list_sizes()[0], driver.get_image("debian-12-x64"))

    assert (node.size.id, node.extra["location"]) == ("s-1vcpu-1gb", "fra1")


def test_nodes_are_listed_by_location(compute, make_node):
    _, south, _ = compute.list_locations()
    there = make_node("there", location=south)
    make_node("here")

    page = compute.call(MemoryCompute.list_nodes, None, Filter(location=south))

    assert [node.id for node in page.items] == [there.id]


def test_a_volume_is_attached_to_one_node(compute, make_node):
    node, other = make_node(), make_node("other")
    volume = compute.create_volume(10, "data", tags={"a": "b"})

    volume.attach(node)

    [found] = compute.list_volumes()
    assert (found.state, found.tags) == (StorageVolumeState.INUSE, {"a": "b"})
    assert (found.extra["node_id"], found.extra["device"]) == (node.id, "/dev/vdb")
    with pytest.raises(ConflictError, match="is attached already"):
        volume.attach(other)
    with pytest.raises(ConflictError, match=f"is attached to the node '{node.id}'"):
        volume.destroy()


def test_devices_are_given_once(compute, make_node):
    node = make_node()
    volumes = [compute.create_volume(1, "data") for _ in range(3)]

    volumes[0].attach(node, "/dev/vdb")
    volumes[1].attach(node)
    with pytest.raises(ConflictError, match="no free device /dev/vdc"):
        volumes[2].attach(node, "/dev/vdc")

    devices = [volume.extra.get("device") for volume in compute.list_volumes()]
    assert devices == ["/dev/vdb", "/dev/vdc", None]


def test_a_destroyed_node_leaves_volumes_and_addresses(compute, make_node):
    node = make_node()
    volume, address = compute.create_volume(10, "data"), compute.create_floating_ip()
    volume.attach(node)
    address.attach(node)
    assert compute.get_node(node.id).public_ips == [*node.public_ips, address.ip]

    node.destroy()

    assert compute.get_volume(volume.id).state is StorageVolumeState.AVAILABLE
    assert "node_id" not in compute.get_volume(volume.id).extra
    assert [one.node_id for one in compute.list_floating_ips()] == [None]
    with pytest.raises(NotFoundError):
        node.destroy()


def test_volumes_and_nodes_are_in_one_location(compute, make_node):
    _, south, _ = compute.list_locations()
    node, volume = make_node(), compute.create_volume(10, "data", south)

    with pytest.raises(InvalidRequestError, match="in eu-south, the node in eu-north"):
        volume.attach(node)
    with pytest.raises(InvalidRequestError, match="in eu-south, the node in eu-north"):
        compute.create_floating_ip(south).attach(node)


@pytest.mark.parametrize("size", [0, -1, 16385])
def test_volumes_have_a_size(compute, size):
    with pytest.raises(InvalidRequestError, match="1 to 16384 GB"):
        compute.create_volume(size, "data")


def test_snapshots_outlive_their_volume(compute):
    volume = compute.create_volume(10, "data")
    snapshot = volume.snapshot("monday")
    volume.destroy()

    [found] = compute.list_snapshots()
    copy = compute.create_volume(20, "copy", snapshot=found)

    assert (found.id, found.name, found.size) == (snapshot.id, "monday", 10)
    assert copy.extra["snapshot_id"] == snapshot.id
    with pytest.raises(InvalidRequestError, match="10 to 16384 GB, not 9"):
        compute.create_volume(9, "small", snapshot=found)
    with pytest.raises(NotFoundError):
        volume.list_snapshots()


def test_images_of_the_account_come_first(compute, make_node):
    image = compute.create_image(make_node(), "golden", "with everything")
    copy = compute.copy_image("us-east", image, "copy")

    names = [one.name for one in compute.list_images()]

    assert names == ["golden", "copy", "Debian 12", "Debian 13", "Ubuntu 24.04"]
    assert image.extra["description"] == "with everything"
    assert compute.delete_image(copy)
    with pytest.raises(PermissionDeniedError):
        compute.delete_image(compute.get_image("debian-12"))


def test_names_of_keys_are_given_once(compute):
    key = compute.create_key_pair("me")

    with pytest.raises(KeyPairAlreadyExistsError):
        compute.create_key_pair("me")
    assert key.private_key.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert compute.get_key_pair("me").private_key is None
    other = compute.import_key_pair_from_string("copy", key.public_key)
    assert other.fingerprint == key.fingerprint


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 %%%", "ssh-rsa AAAA", "AAAA x"])
def test_what_is_no_key_is_refused(compute, text):
    with pytest.raises(InvalidRequestError, match="OpenSSH's format"):
        compute.import_key_pair_from_string("me", text)


def test_a_network_in_use_stays(compute, make_node):
    network = compute.create_network("office", "10.1.0.0/16")
    subnet = compute.create_subnet(network, "first", "10.1.0.0/24")
    node = make_node(network=subnet)

    with pytest.raises(ConflictError, match=f"in use by {node.id}"):
        subnet.destroy()
    with pytest.raises(ConflictError, match=f"in use by {subnet.id}"):
        network.destroy()
    node.destroy()
    subnet.destroy()
    network.destroy()
    assert compute.list_networks() == []


@pytest.mark.parametrize(
    ("cidr", "error"),
    [
        ("10.1.0.0/25", ConflictError),
        ("10.2.0.0/24", InvalidRequestError),
        ("10.0.0.0/8", InvalidRequestError),
        ("2001:db8::/64", InvalidRequestError),
        ("10.1.9.1/24", InvalidRequestError),
        ("nonsense", InvalidRequestError),
    ],
)
def test_subnets_lie_in_their_network_beside_each_other(compute, cidr, error):
    network = compute.create_network("office", "10.1.0.0/16")
    compute.create_subnet(network, "first", "10.1.0.0/24")

    with pytest.raises(error):
        compute.create_subnet(network, "second", cidr)


def test_a_full_subnet_takes_no_node(compute, make_node):
    network = compute.create_network("office", "10.1.0.0/16")
    tiny = compute.create_subnet(network, "tiny", "10.1.0.0/29")
    ips = [make_node(network=tiny).private_ips[0] for _ in range(3)]

    with pytest.raises(QuotaExceededError, match=r"10\.1\.0\.0/29 has no free address"):
        make_node(network=tiny)

    assert ips == ["10.1.0.4", "10.1.0.5", "10.1.0.6"]


def test_a_security_group_in_use_stays(compute, make_node):
    group = compute.create_security_group("web", "for the web", rules=[SSH])
    peers = SecurityGroupRule("ingress", "tcp", 5432, 5432, group_ids=(group.id,))
    database = compute.create_security_group("database", rules=[peers])
    node = make_node(security_groups=[group])

    with pytest.raises(ConflictError, match=f"in use by {node.id}, {database.id}"):
        group.destroy()
    node.destroy()
    database.remove_rule(peers)
    assert group.destroy()


def test_rules_are_there_once(compute):
    group = compute.create_security_group("web", rules=[SSH])

    with pytest.raises(AlreadyExistsError, match="has this rule already"):
        group.add_rule(SSH)
    with pytest.raises(AlreadyExistsError, match="there is a security group 'web' already"):
        compute.create_security_group("web")
    group.remove_rule(SSH)
    with pytest.raises(NotFoundError, match="has no such rule"):
        group.remove_rule(SSH)


@pytest.mark.parametrize(
    "rule",
    [
        SecurityGroupRule("in", "tcp", 22, 22, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "gre", None, None, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "tcp", 22, 22),
        SecurityGroupRule("ingress", "tcp", 22, 22, ("everywhere",)),
        SecurityGroupRule("ingress", "tcp", 23, 22, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "tcp", 22, None, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "tcp", 0, 65536, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "icmp", 8, 0, ("0.0.0.0/0",)),
    ],
)
def test_wrong_rules_are_refused(compute, rule):
    with pytest.raises(InvalidRequestError):
        compute.create_security_group("web", rules=[rule])
    assert compute.list_security_groups() == []


def test_an_address_in_use_stays(compute, make_node):
    address, node = compute.create_floating_ip(), make_node()
    with pytest.raises(ConflictError, match="points to no node"):
        address.detach()

    address.attach(node)

    for operation in (address.destroy, lambda: address.attach(node)):
        with pytest.raises(ConflictError, match=f"points to the node '{node.id}'"):
            operation()
    address.detach()
    assert compute.get_node(node.id).public_ips == node.public_ips
    assert address.destroy()
