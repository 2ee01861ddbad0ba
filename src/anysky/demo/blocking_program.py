# Made from demo/asyncio_program.py by tools/make_blocking.py; change that, run `make generate`.
"""The demonstration's program in the blocking API."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from anysky.compute import NodeDriver, NodeImage, NodeSize, SecurityGroupRule
from anysky.compute import get_driver as get_compute
from anysky.dns import RecordType
from anysky.dns import get_driver as get_dns
from anysky.storage import get_driver as get_storage

__all__ = ["run_program"]

Report = Callable[[str, str], None]

_REGION = "eu-west-1"


def run_program(endpoint: str, report: Report) -> None:
    """Make, use and remove nodes, volumes, objects and DNS records.

    Args:
        endpoint: URL of the cloud.
        report: Called with the name of each step and what came of it.
    """
    _compute(endpoint, report)
    _storage(endpoint, report)
    _dns(endpoint, report)


def _compute(endpoint: str, report: Report) -> None:
    with get_compute("ec2")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        network = driver.create_network("demo", "10.0.0.0/16", tags={"demo": "yes"})
        zone = (driver.list_locations())[0]
        subnet = driver.create_subnet(network, "demo", "10.0.1.0/24", zone)
        rule = SecurityGroupRule("ingress", "tcp", 22, 22, cidrs=("0.0.0.0/0",))
        group = driver.create_security_group("demo", "let SSH in", network, [rule])
        report("create network, subnet, security group", f"{network.id}, {subnet.id}, {group.id}")
        key_pair = driver.create_key_pair("demo")
        report("create key pair", key_pair.name)
        node = driver.create_node(
            "web-1",
            NodeSize("t3.micro", "t3.micro", 1024, 0, None, None, driver),
            NodeImage("ami-0123456789abcdef0", None, driver),
            tags={"demo": "yes"},
            key_pair=key_pair,
            network=subnet,
            security_groups=[group],
        )
        [(node, addresses)] = driver.wait_until_running(
            [node], wait_period=0.2, ssh_interface="private_ips"
        )
        report("create node, wait until it runs", f"{node.id} at {addresses[0]}")
        _volumes(driver, node.id, report)
        node.destroy()
        key_pair.delete()
        report("destroy node, delete key pair", f"{node.id}, {key_pair.name}")


def _volumes(driver: NodeDriver, node_id: str, report: Report) -> None:
    node = driver.get_node(node_id)
    zone = (driver.list_locations())[0]
    volume = driver.create_volume(8, "data", zone, tags={"demo": "yes"})
    volume.attach(node, "/dev/sdf")
    report("create volume, attach it", f"{volume.id} as /dev/sdf")
    snapshot = volume.snapshot("data, before")
    nodes = driver.list_nodes(tags={"demo": "yes"})
    report("snapshot it, list nodes by tag", f"{snapshot.id}, {len(nodes)} node")
    snapshot.destroy()
    volume.detach()
    volume.destroy()
    report("detach and destroy volume and snapshot", volume.id)


def _storage(endpoint: str, report: Report) -> None:
    content = secrets.token_bytes(256 * 1024)
    with get_storage("s3")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        container = driver.create_container(f"demo-{secrets.token_hex(4)}")
        obj = container.upload_object_via_stream(content, "backups/data.bin")
        report("create container, upload object", f"{obj.name}, {obj.size:,} bytes")
        pieces = list(obj.as_stream())
        same = "the same" if b"".join(pieces) == content else "OTHER"
        names = [item.name for item in container.list_objects(prefix="backups/")]
        report("list objects, download it", f"{names}, {same} bytes")
        obj.delete()
        container.delete()
        report("delete object and container", container.name)


def _dns(endpoint: str, report: Report) -> None:
    with get_dns("route53")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        zone = driver.create_zone("demo.example")
        zone.create_record("www", RecordType.A, "192.0.2.10", {"ttl": 300})
        zone.create_record("www", RecordType.A, "192.0.2.11", {"ttl": 300})
        report("create zone, two addresses for www", zone.domain)
        records = [item for item in zone.list_records() if item.type == RecordType.A]
        report("list its records", ", ".join(f"{item.name} {item.data}" for item in records))
        for record in records:
            record.delete()
        zone.delete()
        report("delete records and zone", zone.domain)
