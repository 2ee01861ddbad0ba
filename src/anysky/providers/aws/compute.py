"""Instances, types, zones and tags of EC2.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypedDict

from anysky.backend.base import Effect, Option
from anysky.backend.compute import ComputeBackend, List
from anysky.errors import NotFoundError
from anysky.model.compute import Filter, Node, NodeLocation, NodeSize
from anysky.node_prices import lazy_price
from anysky.paging import Page
from anysky.steps import MARK_TAG
from anysky.wire import xml

from .api import country_of
from .ec2 import Tagged, extra_of, filter_parameter, filters, id_of, tags_of
from .firewalls import EC2Firewalls
from .images import EC2Images
from .instances import Instances
from .launch import OPTIONS, EC2Launch

__all__ = ["EC2", "ConsoleOutput", "NodeStatus"]

_ZONE_LETTER = re.compile(r"(?<=\d)[a-z]$")
_FILTERS = Option("ex_filters", "dict[str, str | list[str]]", "EC2's own filters by their names")


class ConsoleOutput(TypedDict):
    """What a node has written to its console.

    Attributes:
        instance_id: Id of the node.
        timestamp: When it was last updated.
        output: The text.
    """

    instance_id: str
    timestamp: str
    output: str


class NodeStatus(TypedDict):
    """How a node does, as EC2 sees it.

    Attributes:
        state: State of the instance.
        instance: Result of the checks of the instance: ``"ok"``, ``"impaired"``,
            ``"initializing"``, ``"insufficient-data"`` or ``"not-applicable"``.
        system: Result of the checks of the machine it runs on.
    """

    state: str
    instance: str
    system: str


class _Type(Tagged):
    id: str = xml.required("instanceType")
    ram: int = xml.integer("memoryInfo/sizeInMiB", 0)
    vcpus: int | None = xml.integer("vCpuInfo/defaultVCpus")
    disk: int = xml.integer("instanceStorageInfo/totalSizeInGB", 0)


class _Types(xml.Record, root="DescribeInstanceTypesResponse"):
    types: list[_Type] = xml.records("instanceTypeSet/item", _Type)
    next_token: str | None = xml.text("nextToken")


class _Offerings(xml.Record, root="DescribeInstanceTypeOfferingsResponse"):
    types: list[str] = xml.texts("instanceTypeOfferingSet/item/instanceType")


class _Zone(xml.Record):
    id: str = xml.required("zoneName")
    region: str = xml.text("regionName", "")
    type: str = xml.text("zoneType", "")
    raw: bytes = xml.source()


class _Zones(xml.Record, root="DescribeAvailabilityZonesResponse"):
    zones: list[_Zone] = xml.records("availabilityZoneInfo/item", _Zone)


class _Tags(xml.Record, root="DescribeTagsResponse"):
    tags: dict[str, str] = xml.pairs("tagSet/item", "key", "value")


class _Regions(xml.Record, root="DescribeRegionsResponse"):
    names: list[str] = xml.texts("regionInfo/item/regionName")


class EC2(EC2Launch, EC2Firewalls, EC2Images):
    """Amazon EC2: instances and what belongs to them."""

    features: ClassVar[dict[str, list[str]]] = {"create_node": ["ssh_key"]}
    price_list = "aws"
    effects: ClassVar[Mapping[str, Effect]] = {
        **ComputeBackend.effects,
        "allocate_address": Effect("delete_floating_ip"),
        "copy_image": Effect("delete_image_with_snapshots"),
        "create_image": Effect("delete_image_with_snapshots"),
        "create_key_pair": Effect("delete_key_pair", is_told_once=True),
        "create_node": Effect("destroy_node_with_volumes"),
        "import_key_pair": Effect("delete_key_pair"),
    }
    marked = frozenset(
        {
            "add_security_group_rule",
            "allocate_address",
            "copy_image",
            "create_floating_ip",
            "create_image",
            "create_key_pair",
            "create_network",
            "create_node",
            "create_security_group",
            "create_subnet",
            "create_volume",
            "create_volume_snapshot",
            "import_key_pair",
        }
    )
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "list_nodes": (
            Option("ex_node_ids", "list[str]", "only these; one that does not exist is an error"),
            _FILTERS,
        ),
        "create_node": OPTIONS,
        "list_images": (
            Option("ex_image_ids", "list[str]", "only these; one that does not exist is an error"),
            Option("ex_owner", "str | list[str]", "'self', 'amazon', or ids of accounts"),
            Option("ex_executableby", "str", "only those 'self' or 'all' may launch"),
            _FILTERS,
        ),
        "list_volumes": (_FILTERS,),
        "create_volume": (
            Option("ex_volume_type", "str", "for example 'gp3'"),
            Option("ex_iops", "int", "operations a second"),
            Option("ex_throughput", "int", "MiB a second, of a gp3 volume"),
            Option("ex_encrypted", "bool", "whether it is encrypted"),
            Option("ex_kms_key_id", "str", "key to encrypt it with"),
        ),
        "list_snapshots": (
            Option("ex_owner", "str", "'self', 'amazon', or the id of an account"),
            _FILTERS,
        ),
    }

    async def list_nodes(self, cursor: str | None, filter: Filter) -> Page[Node]:
        """List instances, for an hour also those that are terminated: DescribeInstances."""
        asked = filters(filter, "instance-id", "i-")
        node_ids = filter.options.get("ex_node_ids")
        if node_ids:  # EC2 returns these in one page
            asked = {"InstanceId": list(node_ids), **asked}
            answer = await self._call("DescribeInstances", asked, Instances)
        else:
            answer = await self._page(cursor, "DescribeInstances", asked, Instances)
        return Page(answer.nodes(), answer.next_token or None)

    async def get_node(self, node_id: str) -> Node:
        """Fetch an instance: DescribeInstances."""
        answer = await self._call("DescribeInstances", {"InstanceId": [node_id]}, Instances)
        nodes = answer.nodes()
        if not nodes:
            raise NotFoundError(f"there is no node {node_id}")
        return nodes[0]

    async def reboot_node(self, node: Node) -> None:
        """Reboot an instance: RebootInstances."""
        await self._act("RebootInstances", {"InstanceId": [node.id]})

    async def start_node(self, node: Node) -> None:
        """Start an instance: StartInstances."""
        await self._act("StartInstances", {"InstanceId": [node.id]})

    async def stop_node(self, node: Node) -> None:
        """Stop an instance: StopInstances."""
        await self._act("StopInstances", {"InstanceId": [node.id]})

    async def destroy_node(self, node: Node) -> None:
        """Terminate an instance: TerminateInstances."""
        await self._act("TerminateInstances", {"InstanceId": [node.id]})

    async def rename_node(self, node: Node, name: str) -> Node:
        """Set the tag Name: CreateTags, DescribeInstances."""
        await self.create_tags(node, {"Name": name})
        found = await self.get_node(node.id)
        # A read may be a moment behind the write.
        return replace(found, name=name or node.id, tags={**found.tags, "Name": name})

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """List instance types, with a zone those it offers: DescribeInstanceTypes.

        The network and everything else is in `extra`, by AWS's names. Prices come from the
        catalogue of `anysky.pricing`, of Linux on demand in US dollars.
        """
        answer = await self._page(cursor, "DescribeInstanceTypes", {}, _Types, size=100)
        region = await self._price_region(location)
        sizes = [_size(one, region) for one in answer.types]
        if location is not None and sizes:
            offered = await self._offered(location, [size.id for size in sizes])
            sizes = [size for size in sizes if size.id in offered]
        return Page(sizes, answer.next_token or None)

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:  # noqa: ARG002 - there is one page
        """List the availability zones of the region: DescribeAvailabilityZones."""
        answer = await self._call("DescribeAvailabilityZones", {}, _Zones)
        return Page([_location(zone) for zone in answer.zones])

    async def list_regions(self) -> list[str]:
        """List the regions that the account may use: DescribeRegions."""
        answer = await self._call("DescribeRegions", {}, _Regions)
        return sorted(answer.names)

    async def change_node_size(self, node: Node | str, new_size: NodeSize | str) -> None:
        """Give a stopped node another size: ModifyInstanceAttribute.

        Raises:
            ConflictError: The node is not stopped.
        """
        size = id_of(new_size)
        await self.modify_instance_attribute(node, {"InstanceType": {"Value": size}})

    async def modify_instance_attribute(
        self, node: Node | str, attributes: Mapping[str, Any]
    ) -> None:
        """Change one attribute of a node: ModifyInstanceAttribute.

        Args:
            node: The node, or its id.
            attributes: EC2's parameter, such as ``{"DisableApiTermination": {"Value": True}}``.
        """
        await self._act("ModifyInstanceAttribute", {"InstanceId": id_of(node), **attributes})

    async def get_console_output(self, node: Node | str) -> ConsoleOutput:
        """Return what a node has written to its console: GetConsoleOutput."""
        answer = await self.ask("GetConsoleOutput", {"InstanceId": id_of(node)})
        output = base64.b64decode(answer.text("output", ""))
        return {
            "instance_id": answer.text("instanceId", ""),
            "timestamp": answer.text("timestamp", ""),
            "output": output.decode("utf-8", "replace"),
        }

    async def describe_instance_status(self, node: Node | str) -> NodeStatus:
        """Return the results of EC2's status checks of a node: DescribeInstanceStatus.

        Raises:
            NotFoundError: There is no such node.
        """
        parameters = {"InstanceId": [id_of(node)], "IncludeAllInstances": True}
        answer = await self.ask("DescribeInstanceStatus", parameters)
        found = answer.find("instanceStatusSet/item")
        if found is None:
            raise NotFoundError(f"there is no node {id_of(node)}")
        return {
            "state": found.text("instanceState/name", ""),
            "instance": found.text("instanceStatus/status", ""),
            "system": found.text("systemStatus/status", ""),
        }

    async def create_tags(self, resource: Any, tags: Mapping[str, str]) -> None:
        """Set tags of anything that EC2 has, a model or an id: CreateTags."""
        if tags:
            await self._act(
                "CreateTags", {"ResourceId": [id_of(resource)], "Tag": tags_of("", tags)}
            )

    async def delete_tags(self, resource: Any, tags: Mapping[str, str]) -> None:
        """Take tags away, each only if it has the value given: DeleteTags."""
        if tags:
            await self._act(
                "DeleteTags", {"ResourceId": [id_of(resource)], "Tag": tags_of("", tags)}
            )

    async def describe_tags(self, resource: Any) -> dict[str, str]:
        """Return the tags of anything that EC2 has, but not anysky's own: DescribeTags."""
        wanted = filter_parameter({"resource-id": id_of(resource)})
        # A thing has 50 tags at the most: there is one page.
        answer = await self._call("DescribeTags", {**wanted, "MaxResults": 1000}, _Tags)
        return {key: value for key, value in answer.tags.items() if key != MARK_TAG}

    async def _find_created(
        self, operation: str, mark: str, named: Sequence[Any] | None
    ) -> list[Any] | None:
        if operation == "add_security_group_rule":
            return await self._find_rules(mark)
        return await super()._find_created(operation, mark, named)

    def _lists(self) -> Mapping[str, List]:
        return {
            **super()._lists(),
            "allocate_address": self.list_floating_ips,
            "create_key_pair": self._list_key_pairs_marked,
            "import_key_pair": self._list_key_pairs_marked,
        }

    async def _price_region(self, location: NodeLocation | None) -> str:
        return _ZONE_LETTER.sub("", location.id) if location else await self._region()

    async def _offered(self, location: NodeLocation, types: list[str]) -> set[str]:
        kind = "region" if location.id == await self._region() else "availability-zone"
        parameters = {
            "LocationType": kind,
            "MaxResults": 1000,
            **filter_parameter({"location": location.id, "instance-type": types}),
        }
        answer = await self._call("DescribeInstanceTypeOfferings", parameters, _Offerings)
        return set(answer.types)


def _size(size: _Type, region: str) -> NodeSize:
    price, extra = lazy_price("aws", size.id, region), extra_of(size.raw)
    return NodeSize(size.id, size.id, size.ram, size.disk, None, price, extra, size.vcpus)


def _location(zone: _Zone) -> NodeLocation:
    # A local zone may be in another country than its region.
    country = country_of(zone.region) if zone.type in ("availability-zone", "") else ""
    names = {"zone_state": "zoneState", "region_name": "regionName"}
    return NodeLocation(zone.id, zone.id, country, extra_of(zone.raw, names))
