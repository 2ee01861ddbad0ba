"""Everything from its creation to its end against the imitation, in both APIs.

The imitation compares each request with the vendor's OpenAPI document and fails the test if one
breaks it.
"""

import pytest

from anysky.compute import (
    NodeAuthSSHKey,
    NodeState,
    SecurityGroupRule,
    StorageVolumeState,
)
from anysky.dns import RecordType
from anysky.errors import (
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
    RecordDoesNotExistError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)
from anysky.providers.digitalocean.compute import DigitalOceanCompute

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2OfbRNsQ9kWGaS4tb8gXpm7Jn2w9jlzFPyAXAh4wrY me"
ANYWHERE = ("0.0.0.0/0", "::/0")


@pytest.fixture
def node(compute, digitalocean):
    """A running node of the imitation, made without a request."""
    number = digitalocean.add_droplet("web-1", region="fra1", tags=["web"])["id"]
    return compute.get_node(str(number))


def test_node(compute, digitalocean):
    size = next(one for one in compute.list_sizes() if one.id == "s-1vcpu-1gb")
    image = compute.get_image("debian-12-x64")
    compute.import_key_pair_from_string("me", PUBLIC_KEY)

    made = compute.create_node(
        "web-1",
        size,
        image,
        auth=NodeAuthSSHKey(PUBLIC_KEY),
        key_pair="me",
        tags={"env": "prod", "web": ""},
        user_data="#cloud-config\n",
        ex_ipv6=True,
        ex_monitoring=True,
    )

    assert (made.state, made.tags) == (NodeState.PENDING, {"env": "prod", "web": ""})
    ((node, addresses),) = compute.wait_until_running([made], wait_period=0.01)
    assert node.public_ips[:1] == addresses
    assert len(node.public_ips) == 2
    assert (node.size.id, node.image.id) == ("s-1vcpu-1gb", "debian-12-x64")
    assert list(digitalocean.user_data.values()) == ["#cloud-config\n"]

    compute.stop_node(node)
    assert compute.get_node(node.id).state == NodeState.STOPPED
    larger = next(one for one in compute.list_sizes() if one.id == "s-2vcpu-2gb")
    resized = compute.ex_resize_node(node, larger, disk=True)
    assert (resized.size.id, resized.extra["disk"]) == ("s-2vcpu-2gb", 60)
    compute.start_node(node)
    compute.reboot_node(node)
    assert compute.rename_node(node, "web-2").name == "web-2"
    rebuilt = compute.call(DigitalOceanCompute.rebuild_node, node)
    assert (rebuilt.state, rebuilt.image.id) == (NodeState.RUNNING, "debian-12-x64")
    compute.ex_shutdown_node(node)
    done = compute.ex_list_node_actions(node)
    assert [action.type for action in done] == [
        *("shutdown", "rebuild", "rename", "reboot", "power_on", "resize", "power_off", "create"),
    ]
    assert compute.ex_get_action(done[0].id).status == "completed"
    assert compute.ex_get_account()["droplet_limit"] == 1000

    compute.destroy_node(node)
    assert compute.list_nodes() == []
    with pytest.raises(NotFoundError):
        compute.get_node(node.id)


def test_waiting_for_an_action_looks_until_it_has_ended(compute, digitalocean, node):
    digitalocean.polls = 1
    before = len(digitalocean.requests)

    compute.reboot_node(node)

    paths = [(one.method, one.path) for one in digitalocean.requests[before:]]
    number = max(digitalocean.actions)
    assert paths == [
        ("POST", f"/v2/droplets/{node.id}/actions"),
        ("GET", f"/v2/actions/{number}"),
        ("GET", f"/v2/actions/{number}"),
    ]


def test_filters_of_nodes(compute, digitalocean):
    for name, tags in (("a", ["web", "env:prod"]), ("b", ["web"]), ("A", [])):
        digitalocean.add_droplet(name, tags=tags)

    def names(**filters):
        return [node.name for node in compute.list_nodes(**filters)]

    a, b, _ = compute.list_nodes()
    assert names(name="a") == ["a"]
    assert names(tags={"web": ""}) == ["a", "b"]
    assert names(tags={"web": "", "env": "prod"}) == ["a"]
    assert names(name="b", tags={"web": ""}) == ["b"]
    assert names(ids=[a.id, b.id]) == ["a", "b"]
    assert names(ids=[a.id]) == ["a"]
    assert names(ids=[a.id], tags={"env": "test"}) == []
    assert names(ids=["1"]) == []
    assert names(ex_tag_name="env:prod") == ["a"]


def test_more_than_two_pages_of_nodes(compute, digitalocean):
    names = [f"web-{number}" for number in range(401)]
    for name in names:
        digitalocean.add_droplet(name)

    nodes = compute.list_nodes()

    assert [node.name for node in nodes] == names
    assert [one.target for one in digitalocean.requests] == [
        "/v2/droplets?per_page=200",
        "/v2/droplets?page=2&per_page=200",
        "/v2/droplets?page=3&per_page=200",
    ]


def test_image(compute, connect, node):
    image = compute.create_image(node, "nightly")
    assert (image.name, image.extra["regions"]) == ("nightly", ["fra1"])
    assert compute.list_images(ex_private=True) == [image]

    copy = connect("compute", region="nyc3").copy_image("fra1", image, "nightly")
    assert (copy.id, copy.extra["regions"]) == (image.id, ["fra1", "nyc3"])

    compute.delete_image(image)
    assert compute.list_images(name="nightly") == []


def test_images_of_a_location_and_of_a_kind(compute):
    frankfurt = next(one for one in compute.list_locations() if one.id == "fra1")

    applications = compute.list_images(frankfurt, ex_type="application")

    assert [image.id for image in applications] == ["docker-20-04", "wordpress-20-04"]


def test_volume(compute, node):
    volume = compute.create_volume(
        10, "data", tags={"env": "prod"}, ex_filesystem_type="ext4", ex_filesystem_label="data"
    )
    assert (volume.state, volume.tags) == (StorageVolumeState.AVAILABLE, {"env": "prod"})

    compute.attach_volume(node, volume)
    assert compute.get_volume(volume.id).state == StorageVolumeState.INUSE
    compute.detach_volume(volume)
    assert compute.list_volumes(name="data", ex_region="fra1") == [volume]

    snapshot = compute.create_volume_snapshot(volume, "daily")
    assert compute.list_volume_snapshots(volume) == [snapshot]
    assert compute.list_snapshots(name="daily") == [snapshot]
    copy = compute.create_volume(20, "copy", snapshot=snapshot)
    assert copy.size == 20

    compute.destroy_volume_snapshot(snapshot)
    compute.destroy_volume(volume)
    compute.destroy_volume(copy)
    assert (compute.list_volumes(), compute.list_snapshots()) == ([], [])


def test_key_pair(compute):
    key = compute.import_key_pair_from_string("me", PUBLIC_KEY)
    assert compute.get_key_pair("me") == key
    assert compute.list_key_pairs() == [key]
    with pytest.raises(KeyPairAlreadyExistsError):
        compute.import_key_pair_from_string("again", PUBLIC_KEY)

    compute.delete_key_pair(key)

    assert compute.list_key_pairs() == []
    with pytest.raises(KeyPairDoesNotExistError):
        compute.get_key_pair("me")
    with pytest.raises(KeyPairDoesNotExistError):
        compute.delete_key_pair(key)


def test_network(compute):
    network = compute.create_network("inner", "10.20.0.0/24")
    other = compute.create_network("other")
    size, image = compute.list_sizes()[1], compute.get_image("debian-12-x64")

    node = compute.create_node("db", size, image, network=other)

    assert node.extra["vpc_uuid"] == other.id
    assert compute.list_networks(name="inner") == [network]
    compute.destroy_node(node)
    compute.delete_network(other)
    assert other not in compute.list_networks()


def test_security_group(compute, digitalocean, node):
    https = SecurityGroupRule("ingress", "tcp", 443, 443, ANYWHERE)
    high = SecurityGroupRule("ingress", "udp", 8000, 9000, ANYWHERE)
    out = SecurityGroupRule("egress", "icmp", cidrs=ANYWHERE)

    group = compute.create_security_group("web", rules=[https, out])
    assert group.rules == (https, out)
    compute.add_security_group_rule(group, high)
    compute.remove_security_group_rule(group, out)
    compute.ex_add_nodes_to_security_group(group, [node])

    (found,) = compute.list_security_groups()
    assert found.rules == (https, high)
    assert found.extra["droplet_ids"] == [int(node.id)]

    compute.ex_remove_nodes_from_security_group(group, [node])
    assert compute.list_security_groups()[0].extra["droplet_ids"] == []
    compute.delete_security_group(group)
    assert compute.list_security_groups() == []


def test_floating_ip(compute, node):
    address = compute.create_floating_ip()
    assert address.node_id is None

    compute.attach_floating_ip(address, node)
    assert [one.node_id for one in compute.list_floating_ips()] == [node.id]

    compute.detach_floating_ip(address)
    assert compute.list_floating_ips() == [address]
    compute.delete_floating_ip(address)
    assert compute.list_floating_ips() == []


def test_zone_and_records(dns):
    zone = dns.create_zone("example.com.", extra={"ip_address": "192.0.2.1"})
    assert (zone.id, zone.domain, zone.ttl) == ("example.com", "example.com", 1800)
    assert dns.list_zones() == [zone]
    with pytest.raises(ZoneAlreadyExistsError):
        dns.create_zone("example.com")
    given = {
        "A": ("www", "192.0.2.1", {"ttl": 300}),
        "AAAA": ("www", "2001:db8::1", {}),
        "CAA": (None, '0 issue "letsencrypt.org"', {}),
        "CNAME": ("a", "www.example.com", {}),
        "MX": (None, "mail.example.com", {"priority": 10}),
        "NS": ("sub", "ns1.example.org", {}),
        "SRV": ("_sip._tcp", "sip.example.com", {"priority": 0, "weight": 5, "port": 5060}),
        "TXT": (None, "v=spf1 -all", {}),
    }

    made = [
        dns.create_record(name, zone, kind, data, extra)
        for kind, (name, data, extra) in given.items()
    ]

    assert [(one.type, one.name, one.data) for one in made] == [
        (RecordType(kind), name, data) for kind, (name, data, _) in given.items()
    ]
    assert dns.list_records(zone)[5:] == made
    assert {one.type for one in dns.list_records(zone)} == set(dns.list_record_types())
    for record in made:
        data = {**record.extra, "ttl": 60}
        updated = dns.update_record(record, record.name, record.type, record.data, data)
        assert (updated.ttl, updated.data) == (60, record.data)
        assert dns.get_record(zone.id, record.id) == updated
        dns.delete_record(record)
    with pytest.raises(RecordDoesNotExistError):
        dns.get_record(zone.id, made[0].id)

    dns.delete_zone(zone)
    assert dns.list_zones() == []
    with pytest.raises(ZoneDoesNotExistError):
        dns.get_zone("example.com")
    with pytest.raises(ZoneDoesNotExistError):
        dns.create_record("www", zone, "A", "192.0.2.1")


def test_more_than_one_page_of_records(dns):
    zone = dns.create_zone("example.com")
    for number in range(205):
        dns.create_record(f"host-{number}", zone, "A", "192.0.2.1")

    records = dns.list_records(zone)

    assert [one.name for one in records if one.type == RecordType.A] == [
        f"host-{number}" for number in range(205)
    ]
