"""The demonstration's program on asyncio; its blocking twin is made from it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from anysky.aio.compute import NodeDriver, NodeImage, NodeSize, SecurityGroupRule
from anysky.aio.compute import get_driver as get_compute
from anysky.aio.dns import RecordType
from anysky.aio.dns import get_driver as get_dns
from anysky.aio.storage import get_driver as get_storage

__all__ = ["run_program"]

Report = Callable[[str, str], None]

_REGION = "eu-west-1"


async def run_program(endpoint: str, report: Report) -> None:
    """Make, use and remove nodes, volumes, objects and DNS records.

    Args:
        endpoint: URL of the cloud.
        report: Called with the name of each step and what came of it.
    """
    await _compute(endpoint, report)
    await _storage(endpoint, report)
    await _dns(endpoint, report)


async def _compute(endpoint: str, report: Report) -> None:
    async with get_compute("ec2")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        network = await driver.create_network("demo", "10.0.0.0/16", tags={"demo": "yes"})
        zone = (await driver.list_locations())[0]
        subnet = await driver.create_subnet(network, "demo", "10.0.1.0/24", zone)
        rule = SecurityGroupRule("ingress", "tcp", 22, 22, cidrs=("0.0.0.0/0",))
        group = await driver.create_security_group("demo", "let SSH in", network, [rule])
        report("create network, subnet, security group", f"{network.id}, {subnet.id}, {group.id}")
        key_pair = await driver.create_key_pair("demo")
        report("create key pair", key_pair.name)
        node = await driver.create_node(
            "web-1",
            NodeSize("t3.micro", "t3.micro", 1024, 0, None, None, driver),
            NodeImage("ami-0123456789abcdef0", None, driver),
            tags={"demo": "yes"},
            key_pair=key_pair,
            network=subnet,
            security_groups=[group],
        )
        [(node, addresses)] = await driver.wait_until_running(
            [node], wait_period=0.2, ssh_interface="private_ips"
        )
        report("create node, wait until it runs", f"{node.id} at {addresses[0]}")
        await _volumes(driver, node.id, report)
        await node.destroy()
        await key_pair.delete()
        report("destroy node, delete key pair", f"{node.id}, {key_pair.name}")


async def _volumes(driver: NodeDriver, node_id: str, report: Report) -> None:
    node = await driver.get_node(node_id)
    zone = (await driver.list_locations())[0]
    volume = await driver.create_volume(8, "data", zone, tags={"demo": "yes"})
    await volume.attach(node, "/dev/sdf")
    report("create volume, attach it", f"{volume.id} as /dev/sdf")
    snapshot = await volume.snapshot("data, before")
    nodes = await driver.list_nodes(tags={"demo": "yes"})
    report("snapshot it, list nodes by tag", f"{snapshot.id}, {len(nodes)} node")
    await snapshot.destroy()
    await volume.detach()
    await volume.destroy()
    report("detach and destroy volume and snapshot", volume.id)


async def _storage(endpoint: str, report: Report) -> None:
    content = secrets.token_bytes(256 * 1024)
    async with get_storage("s3")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        container = await driver.create_container(f"demo-{secrets.token_hex(4)}")
        obj = await container.upload_object_via_stream(content, "backups/data.bin")
        report("create container, upload object", f"{obj.name}, {obj.size:,} bytes")
        pieces = [piece async for piece in obj.as_stream()]
        same = "the same" if b"".join(pieces) == content else "OTHER"
        names = [item.name for item in await container.list_objects(prefix="backups/")]
        report("list objects, download it", f"{names}, {same} bytes")
        await obj.delete()
        await container.delete()
        report("delete object and container", container.name)


async def _dns(endpoint: str, report: Report) -> None:
    async with get_dns("route53")("demo", "demo", region=_REGION, endpoint=endpoint) as driver:
        zone = await driver.create_zone("demo.example")
        await zone.create_record("www", RecordType.A, "192.0.2.10", {"ttl": 300})
        await zone.create_record("www", RecordType.A, "192.0.2.11", {"ttl": 300})
        report("create zone, two addresses for www", zone.domain)
        records = [item for item in await zone.list_records() if item.type == RecordType.A]
        report("list its records", ", ".join(f"{item.name} {item.data}" for item in records))
        for record in records:
            await record.delete()
        await zone.delete()
        report("delete records and zone", zone.domain)
