"""The contract of the compute service: nodes, volumes, images, keys, networks, firewalls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from anysky.errors import NotFoundError
from anysky.matching import matches
from anysky.model.compute import (
    Filter,
    FloatingIP,
    KeyPair,
    Network,
    Node,
    NodeImage,
    NodeLocation,
    NodeSize,
    NodeSpec,
    NodeState,
    SecurityGroup,
    SecurityGroupRule,
    StorageVolume,
    StorageVolumeState,
    Subnet,
    VolumeSnapshot,
    VolumeSnapshotState,
    VolumeSpec,
)
from anysky.paging import Page
from anysky.steps import MARK_TAG
from anysky.waiting import all_pages

from .base import Backend, Effect

__all__ = ["ComputeBackend", "List"]

List = Callable[[str | None, Filter], Coroutine[Any, Any, Page[Any]]]
"""What fetches a page of things that match a filter."""

_GONE = frozenset(
    {
        NodeState.TERMINATED,
        StorageVolumeState.DELETED,
        StorageVolumeState.DELETING,
        VolumeSnapshotState.DELETING,
    }
)


class ComputeBackend(Backend):
    """What a compute provider implements.

    Every list takes the cursor of the page to fetch, None for the first, and may use its
    `Filter` to ask for less; the portable class checks name, ids and tags again, so a filter that
    the provider does not know may be ignored. Options of a `Filter` or spec hold only names that
    `options` declares for the operation.

    Attributes:
        features: How a new node can be logged in to.
        price_list: Name under which the catalogue of `anysky.pricing` has its prices, or empty.
        price_currency: What `NodeSize.price` is in, where the provider tells prices itself.
    """

    kind = "compute"
    driver_attributes = ("features",)

    price_list: ClassVar[str] = ""
    price_currency: ClassVar[str] = ""

    features: ClassVar[dict[str, list[str]]] = {"create_node": []}
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_node": Effect("destroy_node"),
        "create_image": Effect("delete_image", named="_images_named"),
        "copy_image": Effect("delete_image", named="_images_named"),
        "create_volume": Effect("destroy_volume"),
        "attach_volume": Effect("detach_volume", blind=True),
        "create_volume_snapshot": Effect("destroy_volume_snapshot"),
        "create_key_pair": Effect("delete_key_pair", named="_key_pairs_named"),
        "import_key_pair": Effect("delete_key_pair", named="_key_pairs_named"),
        "create_network": Effect("delete_network"),
        "create_subnet": Effect("delete_subnet"),
        "create_security_group": Effect("delete_security_group"),
        "add_security_group_rule": Effect("remove_security_group_rule"),
        "create_floating_ip": Effect("delete_floating_ip"),
        "attach_floating_ip": Effect("detach_floating_ip", blind=True),
    }

    async def list_nodes(self, cursor: str | None, filter: Filter) -> Page[Node]:
        """Return a page of nodes; those that the provider still lists as gone are included."""
        raise self._unsupported("list_nodes")

    async def get_node(self, node_id: str) -> Node:
        """Return one node.

        Raises:
            NotFoundError: There is no such node.
        """
        raise self._unsupported("get_node")

    async def create_node(self, spec: NodeSpec) -> Node:
        """Order a node and return it as the provider's answer describes it, mostly pending.

        Tags and an idempotency token go into the same request where the provider takes them.
        """
        raise self._unsupported("create_node")

    async def reboot_node(self, node: Node) -> None:
        """Restart a node."""
        raise self._unsupported("reboot_node")

    async def start_node(self, node: Node) -> None:
        """Start a stopped node."""
        raise self._unsupported("start_node")

    async def stop_node(self, node: Node) -> None:
        """Stop a node; its disks and addresses stay."""
        raise self._unsupported("stop_node")

    async def destroy_node(self, node: Node) -> None:
        """Destroy a node for good."""
        raise self._unsupported("destroy_node")

    async def rename_node(self, node: Node, name: str) -> Node:
        """Give a node another name."""
        raise self._unsupported("rename_node")

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """Return a page of sizes, those of one location if it is given."""
        raise self._unsupported("list_sizes")

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:
        """Return a page of regions or zones in which nodes can be made."""
        raise self._unsupported("list_locations")

    async def list_images(
        self, cursor: str | None, location: NodeLocation | None, filter: Filter
    ) -> Page[NodeImage]:
        """Return a page of images: the account's own and the provider's."""
        raise self._unsupported("list_images")

    async def get_image(self, image_id: str) -> NodeImage:
        """Return one image.

        Raises:
            NotFoundError: There is no such image.
        """
        raise self._unsupported("get_image")

    async def create_image(self, node: Node, name: str, description: str | None) -> NodeImage:
        """Make an image of a node."""
        raise self._unsupported("create_image")

    async def delete_image(self, image: NodeImage) -> None:
        """Delete an image of the account."""
        raise self._unsupported("delete_image")

    async def copy_image(
        self, source_region: str, image: NodeImage, name: str, description: str | None
    ) -> NodeImage:
        """Copy an image from another region to this one and return the copy."""
        raise self._unsupported("copy_image")

    async def list_volumes(self, cursor: str | None, filter: Filter) -> Page[StorageVolume]:
        """Return a page of volumes."""
        raise self._unsupported("list_volumes")

    async def get_volume(self, volume_id: str) -> StorageVolume:
        """Return one volume.

        Raises:
            NotFoundError: There is no such volume.
        """
        raise self._unsupported("get_volume")

    async def create_volume(self, spec: VolumeSpec) -> StorageVolume:
        """Make a volume, from a snapshot if the spec has one."""
        raise self._unsupported("create_volume")

    async def attach_volume(self, node: Node, volume: StorageVolume, device: str | None) -> None:
        """Attach a volume to a node; `device` is where the node sees it, None for any."""
        raise self._unsupported("attach_volume")

    async def detach_volume(self, volume: StorageVolume) -> None:
        """Detach a volume from the node it is attached to."""
        raise self._unsupported("detach_volume")

    async def destroy_volume(self, volume: StorageVolume) -> None:
        """Destroy a volume for good."""
        raise self._unsupported("destroy_volume")

    async def list_volume_snapshots(
        self, volume: StorageVolume, cursor: str | None
    ) -> Page[VolumeSnapshot]:
        """Return a page of the snapshots of a volume."""
        raise self._unsupported("list_volume_snapshots")

    async def list_snapshots(self, cursor: str | None, filter: Filter) -> Page[VolumeSnapshot]:
        """Return a page of all volume snapshots of the account."""
        raise self._unsupported("list_snapshots")

    async def create_volume_snapshot(
        self, volume: StorageVolume, name: str | None
    ) -> VolumeSnapshot:
        """Make a snapshot of a volume."""
        raise self._unsupported("create_volume_snapshot")

    async def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> None:
        """Destroy a snapshot."""
        raise self._unsupported("destroy_volume_snapshot")

    async def list_key_pairs(self, cursor: str | None) -> Page[KeyPair]:
        """Return a page of SSH keys."""
        raise self._unsupported("list_key_pairs")

    async def get_key_pair(self, name: str) -> KeyPair:
        """Return an SSH key by its name.

        Raises:
            KeyPairDoesNotExistError: There is none of this name.
        """
        raise self._unsupported("get_key_pair")

    async def create_key_pair(self, name: str) -> KeyPair:
        """Have the provider make a key pair; the answer holds the private key, once."""
        raise self._unsupported("create_key_pair")

    async def import_key_pair(self, name: str, public_key: str) -> KeyPair:
        """Give a public key in OpenSSH's format to the provider."""
        raise self._unsupported("import_key_pair")

    async def delete_key_pair(self, key_pair: KeyPair) -> None:
        """Delete an SSH key from the provider."""
        raise self._unsupported("delete_key_pair")

    async def list_networks(self, cursor: str | None, filter: Filter) -> Page[Network]:
        """Return a page of private networks."""
        raise self._unsupported("list_networks")

    async def create_network(
        self, name: str, cidr: str | None, location: NodeLocation | None, tags: dict[str, str]
    ) -> Network:
        """Make a private network; without `cidr` the provider chooses a range, if it can."""
        raise self._unsupported("create_network")

    async def delete_network(self, network: Network) -> None:
        """Delete a private network."""
        raise self._unsupported("delete_network")

    async def list_subnets(
        self, cursor: str | None, network: Network | None, filter: Filter
    ) -> Page[Subnet]:
        """Return a page of subnets, those of one network if it is given."""
        raise self._unsupported("list_subnets")

    async def create_subnet(
        self,
        network: Network,
        name: str,
        cidr: str,
        location: NodeLocation | None,
        tags: dict[str, str],
    ) -> Subnet:
        """Make a subnet."""
        raise self._unsupported("create_subnet")

    async def delete_subnet(self, subnet: Subnet) -> None:
        """Delete a subnet."""
        raise self._unsupported("delete_subnet")

    async def list_security_groups(self, cursor: str | None, filter: Filter) -> Page[SecurityGroup]:
        """Return a page of security groups with their rules."""
        raise self._unsupported("list_security_groups")

    async def create_security_group(
        self,
        name: str,
        description: str,
        network: Network | None,
        rules: Sequence[SecurityGroupRule],
        tags: dict[str, str],
    ) -> SecurityGroup:
        """Make a security group with these rules and return it."""
        raise self._unsupported("create_security_group")

    async def delete_security_group(self, group: SecurityGroup) -> None:
        """Delete a security group."""
        raise self._unsupported("delete_security_group")

    async def add_security_group_rule(self, group: SecurityGroup, rule: SecurityGroupRule) -> None:
        """Add a rule to a security group."""
        raise self._unsupported("add_security_group_rule")

    async def remove_security_group_rule(
        self, group: SecurityGroup, rule: SecurityGroupRule
    ) -> None:
        """Take a rule away from a security group."""
        raise self._unsupported("remove_security_group_rule")

    async def list_floating_ips(self, cursor: str | None, filter: Filter) -> Page[FloatingIP]:
        """Return a page of floating addresses."""
        raise self._unsupported("list_floating_ips")

    async def create_floating_ip(
        self, location: NodeLocation | None, tags: dict[str, str]
    ) -> FloatingIP:
        """Reserve a public address."""
        raise self._unsupported("create_floating_ip")

    async def delete_floating_ip(self, address: FloatingIP) -> None:
        """Give a public address back."""
        raise self._unsupported("delete_floating_ip")

    async def attach_floating_ip(self, address: FloatingIP, node: Node) -> None:
        """Point a public address to a node."""
        raise self._unsupported("attach_floating_ip")

    async def detach_floating_ip(self, address: FloatingIP) -> None:
        """Take a public address from its node."""
        raise self._unsupported("detach_floating_ip")

    async def _price_region(self, location: NodeLocation | None) -> str:
        """Return the region whose prices count for a node there; nothing is sent."""
        return location.id if location else getattr(self.account, "region", None) or ""

    async def _find_created(
        self, operation: str, mark: str, named: Sequence[Any] | None
    ) -> list[Any] | None:
        if operation not in self.marked:
            return await super()._find_created(operation, mark, named)
        wanted = Filter(tags={MARK_TAG: mark})
        listed = self._lists()[operation]
        found = await all_pages(lambda cursor: listed(cursor, wanted), self.connection.limits)
        return [thing for thing in found if _has_mark(thing, wanted) and not _is_gone(thing)]

    def _lists(self) -> Mapping[str, List]:
        """Return what lists the things that each operation makes, for those that carry a mark."""
        return {
            "create_node": self.list_nodes,
            "create_image": self._list_images_marked,
            "copy_image": self._list_images_marked,
            "create_volume": self.list_volumes,
            "create_volume_snapshot": self.list_snapshots,
            "create_network": self.list_networks,
            "create_subnet": self._list_subnets_marked,
            "create_security_group": self.list_security_groups,
            "create_floating_ip": self.list_floating_ips,
        }

    async def _list_images_marked(self, cursor: str | None, filter: Filter) -> Page[NodeImage]:
        return await self.list_images(cursor, None, filter)

    async def _list_subnets_marked(self, cursor: str | None, filter: Filter) -> Page[Subnet]:
        return await self.list_subnets(cursor, None, filter)

    async def _images_named(self, name: str) -> list[NodeImage]:
        wanted = Filter(name=name)
        found = await all_pages(
            lambda cursor: self.list_images(cursor, None, wanted), self.connection.limits
        )
        return [image for image in found if image.name == name]

    async def _key_pairs_named(self, name: str) -> list[KeyPair]:
        try:
            return [await self.get_key_pair(name)]
        except NotFoundError:
            return []


def _has_mark(thing: Any, wanted: Filter) -> bool:
    """Whether a thing has a mark; where the model has no tags, the list itself must filter."""
    return not hasattr(thing, "tags") or matches(thing, wanted)


def _is_gone(thing: Any) -> bool:
    """Whether a thing is only listed as one that was there."""
    return getattr(thing, "state", None) in _GONE
