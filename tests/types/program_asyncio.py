"""One program that uses three services; its blocking twin is the same without ``await``."""

from typing import assert_type

from anysky.aio.compute import Node, NodeSize, StorageVolume
from anysky.aio.compute import get_driver as get_compute
from anysky.aio.dns import Record, Zone
from anysky.aio.dns import get_driver as get_dns
from anysky.aio.storage import Container, Object
from anysky.aio.storage import get_driver as get_storage


async def program(endpoint: str, image_id: str) -> list[str]:
    """Make, use and remove a node, a volume, an object and a record."""
    async with get_compute("ec2")("key", "secret", region="eu-west-1", endpoint=endpoint) as ec2:
        size = assert_type(await ec2.list_sizes(), list[NodeSize])[0]
        image = await ec2.get_image(image_id)
        node = assert_type(await ec2.create_node("web", size, image, tags={"a": "b"}), Node)
        [(node, addresses)] = await ec2.wait_until_running([node], wait_period=0)
        zone = (await ec2.list_locations())[0]
        volume = assert_type(await ec2.create_volume(8, "data", zone), StorageVolume)
        attached = assert_type(await volume.attach(node), bool)
        detached = await volume.detach() and await volume.destroy()
        names = [item.name async for item in ec2.iterate_nodes(tags={"a": "b"})]
        destroyed = assert_type(await node.destroy(), bool)
    async with get_storage("s3")("key", "secret", region="eu-west-1", endpoint=endpoint) as s3:
        container = assert_type(await s3.create_container("types"), Container)
        stored = await container.upload_object_via_stream(b"content", "a.txt")
        content = b"".join([piece async for piece in assert_type(stored, Object).as_stream()])
        deleted = await stored.delete() and await container.delete()
    async with get_dns("route53")("key", "secret", endpoint=endpoint, rate=0) as route53:
        domain = assert_type(await route53.create_zone("example.com"), Zone)
        record = await domain.create_record("www", "A", addresses[0], {"ttl": 300})
        data = assert_type((await assert_type(record, Record).update(data="192.0.2.9")).data, str)
    return [*names, content.decode(), data, str(attached and detached and destroyed and deleted)]
