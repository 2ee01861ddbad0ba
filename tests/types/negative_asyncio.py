"""Mistakes that type checkers must find in programs for the asyncio API."""

from anysky.aio.compute import NodeDriver, NodeImage, NodeSize
from anysky.aio.dns import DNSDriver
from anysky.aio.loadbalancer import LoadBalancerDriver
from anysky.aio.storage import StorageDriver
from anysky.backend.compute import ComputeBackend


async def compute(driver: NodeDriver, size: NodeSize, image: NodeImage) -> None:
    for node in driver.list_nodes():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        print(node)  # pyright: ignore[reportUnknownArgumentType]
    for node in driver.iterate_nodes():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        print(node)  # pyright: ignore[reportUnknownArgumentType]
    driver.list_nodes().append(1)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    await driver.lst_nodes()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    await driver.create_node(1, size, image)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.create_node("web", image, size)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.create_node("web", size)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await driver.create_volume("10", "data")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.destroy_node("i-1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.list_networks(no_such_filter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    node = await driver.get_node("i-1")
    print(node.nmae)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    node.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    await node.destroy(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await driver.call(ComputeBackend.get_node, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.call(ComputeBackend.get_node)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def drivers(driver_class: type[NodeDriver]) -> None:
    driver_class("key", "secret", timeout="long")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver_class("key", "secret", True, "host", "port")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def storage(driver: StorageDriver) -> None:
    container = await driver.get_container("name")
    await container.upload_object_via_stream("text", "name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.get_object(container, "name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def dns(driver: DNSDriver) -> None:
    zone = await driver.get_zone("id")
    await zone.create_record("www", 1, "192.0.2.1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await zone.delete(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def loadbalancer(driver: LoadBalancerDriver) -> None:
    balancer = await driver.get_balancer("id")
    await driver.create_balancer("web", "80", "http", None, [])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await driver.create_balancer("web", 80, "http")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await balancer.update("other")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await balancer.attach_member("10.0.0.4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
