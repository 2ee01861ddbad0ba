"""How instances of EC2 become nodes.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from anysky.model.compute import Node, NodeImage, NodeSize, NodeState
from anysky.wire import xml

from .ec2 import Tagged, extra_of

__all__ = ["Instance", "Instances", "Launched", "node_of"]

_STATES: Mapping[str, NodeState] = {
    "pending": NodeState.PENDING,
    "running": NodeState.RUNNING,
    "shutting-down": NodeState.STOPPING,
    "terminated": NodeState.TERMINATED,
    "stopping": NodeState.STOPPING,
    "stopped": NodeState.STOPPED,
}
_EXTRA = {
    "architecture": "architecture",
    "availability": "placement/availabilityZone",
    "client_token": "clientToken",
    "dns_name": "dnsName",
    "hypervisor": "hypervisor",
    "iam_profile": "iamInstanceProfile/arn",
    "image_id": "imageId",
    "instance_id": "instanceId",
    "instance_lifecycle": "instanceLifecycle",
    "instance_tenancy": "placement/tenancy",
    "instance_type": "instanceType",
    "key_name": "keyName",
    "launch_index": "amiLaunchIndex",
    "launch_time": "launchTime",
    "monitoring": "monitoring/state",
    "platform": "platform",
    "private_dns": "privateDnsName",
    "reason": "reason",
    "root_device_name": "rootDeviceName",
    "root_device_type": "rootDeviceType",
    "source_dest_check": "sourceDestCheck",
    "status": "instanceState/name",
    "subnet_id": "subnetId",
    "virtualization_type": "virtualizationType",
    "vpc_id": "vpcId",
}
_INTERFACES = "networkInterfaceSet/item"
_PRIVATE = f"{_INTERFACES}/privateIpAddressesSet/item"


class Instance(Tagged):
    """An instance, as far as a node needs it."""

    id: str = xml.required("instanceId")
    state: str = xml.text("instanceState/name", "")
    type: str = xml.text("instanceType", "")
    image: str = xml.text("imageId", "")
    launched: datetime | None = xml.value("launchTime", datetime.fromisoformat)
    public_ip: str = xml.text("ipAddress", "")
    private_ip: str = xml.text("privateIpAddress", "")
    public_ips: list[str] = xml.texts(f"{_PRIVATE}/association/publicIp")
    private_ips: list[str] = xml.texts(f"{_PRIVATE}/privateIpAddress")
    ipv6: list[str] = xml.texts(f"{_INTERFACES}/ipv6AddressesSet/item/ipv6Address")


class _Reservation(xml.Record):
    instances: list[Instance] = xml.records("instancesSet/item", Instance)


class Instances(xml.Record, root="DescribeInstancesResponse"):
    """The answer of DescribeInstances."""

    reservations: list[_Reservation] = xml.records("reservationSet/item", _Reservation)
    next_token: str | None = xml.text("nextToken")

    def nodes(self) -> list[Node]:
        """Return all instances as nodes."""
        return [node_of(one) for each in self.reservations for one in each.instances]


class Launched(xml.Record, root="RunInstancesResponse"):
    """The answer of RunInstances."""

    instances: list[Instance] = xml.records("instancesSet/item", Instance)


def node_of(instance: Instance) -> Node:
    """Make a node of an instance; its IPv6 addresses are public ones."""
    tags = instance.tags
    return Node(
        instance.id,
        tags.get("Name") or instance.id,
        _STATES.get(instance.state, NodeState.UNKNOWN),
        [*_with(instance.public_ip, instance.public_ips), *instance.ipv6],
        _with(instance.private_ip, instance.private_ips),
        NodeSize(instance.type, instance.type, 0, 0, None, None),
        NodeImage(instance.image, None),
        extra_of(instance.raw, _EXTRA),
        instance.launched,
        tags,
    )


def _with(first: str, others: list[str]) -> list[str]:
    """Return the main address and those of further interfaces, each once."""
    if not first or (others and others[0] == first):
        return others
    return [first, *[other for other in others if other != first]]
