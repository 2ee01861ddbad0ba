"""Types of the asyncio API, as a program sees them."""

from collections.abc import AsyncIterator, Mapping
from typing import assert_type

import anysky.aio
from anysky import DriverType
from anysky.aio.compute import (
    FloatingIP,
    KeyPair,
    Network,
    Node,
    NodeDriver,
    NodeImage,
    NodeLocation,
    NodeSize,
    Provider,
    SecurityGroup,
    StorageVolume,
    Subnet,
    VolumeSnapshot,
    get_driver,
    set_driver,
)
from anysky.aio.dns import DNSDriver, Record, RecordType, Zone
from anysky.aio.dns import get_driver as get_dns_driver
from anysky.aio.loadbalancer import (
    Algorithm,
    LoadBalancer,
    LoadBalancerDriver,
    Member,
    State,
)
from anysky.aio.loadbalancer import get_driver as get_loadbalancer_driver
from anysky.aio.storage import Container, Object, StorageDriver
from anysky.aio.storage import get_driver as get_storage_driver
from anysky.backend.compute import ComputeBackend
from anysky.model import compute as model
from anysky.model.compute import Filter, NodeState
from anysky.paging import Page


async def drivers() -> None:
    assert_type(get_driver(Provider.EC2), type[NodeDriver])
    assert_type(get_driver("acme")("token", region="x", timeout=5.0), NodeDriver)
    assert_type(set_driver("mine", "mine.driver", "Mine"), type[NodeDriver])
    assert_type(anysky.aio.get_driver(DriverType.COMPUTE, "ec2"), type[NodeDriver])
    assert_type(anysky.aio.get_driver(DriverType.STORAGE, "s3"), type[StorageDriver])
    assert_type(anysky.aio.get_driver("dns", "route53"), type[DNSDriver])
    assert_type(get_storage_driver("s3"), type[StorageDriver])
    assert_type(get_dns_driver("route53"), type[DNSDriver])
    assert_type(anysky.aio.get_driver("loadbalancer", "aws"), type[LoadBalancerDriver])
    assert_type(anysky.aio.get_driver(DriverType.LOADBALANCER, "aws"), type[LoadBalancerDriver])
    assert_type(get_loadbalancer_driver("aws"), type[LoadBalancerDriver])
    async with get_driver("ec2")("key", "secret") as driver:
        assert_type(driver, NodeDriver)
        assert_type(driver.supports("create_node"), bool)
        assert_type(driver.type, str)
        assert_type(driver.features, Mapping[str, list[str]])


async def compute(driver: NodeDriver, size: NodeSize, image: NodeImage) -> None:
    assert_type(await driver.list_nodes(), list[Node])
    assert_type(await driver.list_nodes(ids=["i"], tags={"a": "b"}, ex_any=1), list[Node])
    assert_type(driver.iterate_nodes(), AsyncIterator[Node])
    assert_type(await driver.list_sizes(), list[NodeSize])
    assert_type(await driver.list_locations(), list[NodeLocation])
    assert_type(await driver.list_images(), list[NodeImage])
    node = assert_type(await driver.create_node("web", size, image, ex_any=1), Node)
    assert_type(node.driver, NodeDriver)
    assert_type(node.state, NodeState)
    assert_type(node.public_ips, list[str])
    assert_type(node.size, NodeSize | None)
    assert_type(node.uuid, str)
    assert_type(await node.destroy(), bool)
    assert_type(await node.reboot(), bool)
    assert_type(await driver.wait_until_running([node]), list[tuple[Node, list[str]]])
    volume = assert_type(await driver.create_volume(10, "data"), StorageVolume)
    assert_type(await volume.attach(node, "/dev/sdf"), bool)
    assert_type(await volume.snapshot("before"), VolumeSnapshot)
    assert_type(await volume.list_snapshots(), list[VolumeSnapshot])
    assert_type(await driver.create_key_pair("mine"), KeyPair)
    network = assert_type(await driver.create_network("net", "10.0.0.0/16"), Network)
    assert_type(await network.list_subnets(), list[Subnet])
    assert_type(await driver.list_security_groups(), list[SecurityGroup])
    assert_type(await driver.list_floating_ips(), list[FloatingIP])


async def operations_of_the_backend(driver: NodeDriver) -> None:
    page = await driver.call(ComputeBackend.list_nodes, None, Filter())
    assert_type(page, Page[model.Node])
    assert_type(await driver.call(ComputeBackend.get_node, "i-1"), model.Node)


async def storage(driver: StorageDriver) -> None:
    container = assert_type(await driver.create_container("name"), Container)
    assert_type(await driver.list_containers(), list[Container])
    assert_type(container.iterate_objects(prefix="a"), AsyncIterator[Object])
    stored = assert_type(await container.upload_object("file", "name"), Object)
    assert_type(stored.container, Container)
    assert_type(stored.as_stream(), AsyncIterator[bytes])
    assert_type(await stored.download("file"), bool)
    assert_type(await driver.get_object("container", "name"), Object)


async def dns(driver: DNSDriver) -> None:
    zone = assert_type(await driver.create_zone("example.com"), Zone)
    assert_type(await driver.list_zones(), list[Zone])
    assert_type(zone.iterate_records(), AsyncIterator[Record])
    record = assert_type(await zone.create_record("www", RecordType.A, "192.0.2.1"), Record)
    assert_type(await record.update(data="192.0.2.2"), Record)
    assert_type(record.zone, Zone)
    assert_type(await zone.export_to_bind_format(), str)
    assert_type(driver.list_record_types(), list[RecordType])


async def loadbalancer(driver: LoadBalancerDriver, node: Node) -> None:
    assert_type(driver.list_protocols(), list[str])
    assert_type(driver.list_supported_algorithms(), list[Algorithm])
    members = [Member(None, "10.0.0.4", 80), Member(node.id, "", None)]
    balancer = assert_type(
        await driver.create_balancer("web", 80, "http", Algorithm.ROUND_ROBIN, members, ex_any=1),
        LoadBalancer,
    )
    assert_type(await driver.create_balancer("empty", 80, "tcp", None, []), LoadBalancer)
    assert_type(balancer.driver, LoadBalancerDriver)
    assert_type(balancer.state, State)
    assert_type(balancer.port, int | None)
    assert_type(await driver.list_balancers(name="web"), list[LoadBalancer])
    assert_type(driver.iterate_balancers(), AsyncIterator[LoadBalancer])
    member = assert_type(await balancer.attach_compute_node(node), Member)
    assert_type(member.balancer, LoadBalancer | None)
    assert_type(member.driver, LoadBalancerDriver | None)
    assert_type(await balancer.attach_member(members[0]), Member)
    assert_type(await balancer.list_members(), list[Member])
    assert_type(balancer.iterate_members(), AsyncIterator[Member])
    assert_type(await balancer.detach_member(member), bool)
    assert_type(await balancer.update(port=81, algorithm=2, ex_any=1), LoadBalancer)
    assert_type(await balancer.destroy(), bool)
