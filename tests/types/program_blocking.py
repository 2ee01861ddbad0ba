"""One program that uses three services; its blocking twin is the same without ``await``."""

from typing import assert_type

from anysky.compute import Node, NodeSize, StorageVolume
from anysky.compute import get_driver as get_compute
from anysky.dns import Record, Zone
from anysky.dns import get_driver as get_dns
from anysky.storage import Container, Object
from anysky.storage import get_driver as get_storage


def program(endpoint: str, image_id: str) -> list[str]:
    """Make, use and remove a node, a volume, an object and a record."""
    with get_compute("ec2")("key", "secret", region="eu-west-1", endpoint=endpoint) as ec2:
        size = assert_type(ec2.list_sizes(), list[NodeSize])[0]
        image = ec2.get_image(image_id)
        node = assert_type(ec2.create_node("web", size, image, tags={"a": "b"}), Node)
        [(node, addresses)] = ec2.wait_until_running([node], wait_period=0)
        zone = (ec2.list_locations())[0]
        volume = assert_type(ec2.create_volume(8, "data", zone), StorageVolume)
        attached = assert_type(volume.attach(node), bool)
        detached = volume.detach() and volume.destroy()
        names = [item.name for item in ec2.iterate_nodes(tags={"a": "b"})]
        destroyed = assert_type(node.destroy(), bool)
    with get_storage("s3")("key", "secret", region="eu-west-1", endpoint=endpoint) as s3:
        container = assert_type(s3.create_container("types"), Container)
        stored = container.upload_object_via_stream(b"content", "a.txt")
        content = b"".join(list(assert_type(stored, Object).as_stream()))
        deleted = stored.delete() and container.delete()
    with get_dns("route53")("key", "secret", endpoint=endpoint, rate=0) as route53:
        domain = assert_type(route53.create_zone("example.com"), Zone)
        record = domain.create_record("www", "A", addresses[0], {"ttl": 300})
        data = assert_type((assert_type(record, Record).update(data="192.0.2.9")).data, str)
    return [*names, content.decode(), data, str(attached and detached and destroyed and deleted)]
