"""Mistakes that type checkers must find in programs for the blocking API."""

from anysky.backend.compute import ComputeBackend
from anysky.compute import NodeDriver, NodeImage, NodeSize
from anysky.dns import DNSDriver
from anysky.loadbalancer import LoadBalancerDriver
from anysky.storage import StorageDriver


async def awaited(driver: NodeDriver) -> None:
    await driver.list_nodes()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await driver.destroy_node(driver.get_node("i"))  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]


def compute(driver: NodeDriver, size: NodeSize, image: NodeImage) -> None:
    driver.iterate_nodes()[0]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    driver.lst_nodes()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    driver.create_node(1, size, image)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.create_node("web", image, size)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.create_node("web", size)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    driver.create_volume("10", "data")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.destroy_node("i-1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.list_networks(no_such_filter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    node = driver.get_node("i-1")
    print(node.nmae)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    node.name = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    node.destroy(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    driver.call(ComputeBackend.get_node, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.call(ComputeBackend.get_node)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def drivers(driver_class: type[NodeDriver]) -> None:
    driver_class("key", "secret", timeout="long")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver_class("key", "secret", True, "host", "port")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def storage(driver: StorageDriver) -> None:
    container = driver.get_container("name")
    container.upload_object_via_stream(1, "name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.get_object(container, "name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def dns(driver: DNSDriver) -> None:
    zone = driver.get_zone("id")
    zone.create_record("www", 1, "192.0.2.1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    zone.delete(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def loadbalancer(driver: LoadBalancerDriver) -> None:
    balancer = driver.get_balancer("id")
    driver.create_balancer("web", "80", "http", None, [])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    driver.create_balancer("web", 80, "http")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    balancer.update("other")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    balancer.attach_member("10.0.0.4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
