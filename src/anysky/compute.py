# Made from aio/compute.py by tools/make_blocking.py; change that, run `make generate`.
"""Compute: nodes, volumes, images, keys, networks and firewalls of any provider.

Get a driver's class by the provider's name, make a driver, call it::

    driver = get_driver(Provider.EC2)("AKIDEXAMPLE", "secret", region="eu-west-1")
    nodes = driver.list_nodes()
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from anysky.backend.compute import ComputeBackend
from anysky.bulk import numbered
from anysky.calling import RunningCall, bind
from anysky.catalogue_cache import CatalogueCache
from anysky.errors import InvalidRequestError
from anysky.matching import make_filter, matches
from anysky.model import compute as model
from anysky.model.compute import (
    Architecture,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImageMemberState,
    NodeState,
    SecurityGroupRule,
    StorageVolumeState,
    VolumeSnapshotState,
)
from anysky.names import ComputeProvider as Provider
from anysky.node_prices import check_monthly, estimate_node
from anysky.node_waiting import address_reader, wait_until_nodes_run
from anysky.outcomes import Outcomes
from anysky.paging import Page
from anysky.registry import driver_class, register
from anysky.run import run
from anysky.steps import OnPartialFailure

from .driver import Driver

if TYPE_CHECKING:
    from decimal import Decimal

    from anysky.pricing import Estimate

__all__ = [
    "Architecture",
    "FloatingIP",
    "KeyPair",
    "Network",
    "Node",
    "NodeAuthPassword",
    "NodeAuthSSHKey",
    "NodeDriver",
    "NodeImage",
    "NodeImageMemberState",
    "NodeLocation",
    "NodeSize",
    "NodeState",
    "Provider",
    "SecurityGroup",
    "SecurityGroupRule",
    "StorageVolume",
    "StorageVolumeState",
    "Subnet",
    "VolumeSnapshot",
    "VolumeSnapshotState",
    "get_driver",
    "set_driver",
]

T = TypeVar("T")
U = TypeVar("U")

_MOST_PARTS = 256


class NodeSize(model.NodeSize):
    """`anysky.model.compute.NodeSize` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self,
        id: str,
        name: str,
        ram: int,
        disk: int,
        bandwidth: int | None,
        price: Decimal | float | None,
        driver: NodeDriver,
        extra: dict[str, Any] | None = None,
        vcpus: int | None = None,
    ) -> None:
        super().__init__(id, name, ram, disk, bandwidth, price, extra or {}, vcpus)
        object.__setattr__(self, "driver", driver)


class NodeImage(model.NodeImage):
    """`anysky.model.compute.NodeImage` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self, id: str, name: str | None, driver: NodeDriver, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(id, name, extra or {})
        object.__setattr__(self, "driver", driver)


class NodeLocation(model.NodeLocation):
    """`anysky.model.compute.NodeLocation` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self,
        id: str,
        name: str,
        country: str,
        driver: NodeDriver,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(id, name, country, extra or {})
        object.__setattr__(self, "driver", driver)


class Node(model.Node):
    """`anysky.model.compute.Node` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver
    size: NodeSize | None
    image: NodeImage | None

    def __init__(
        self,
        id: str,
        name: str,
        state: NodeState,
        public_ips: list[str],
        private_ips: list[str],
        driver: NodeDriver,
        size: NodeSize | None = None,
        image: NodeImage | None = None,
        extra: dict[str, Any] | None = None,
        created_at: datetime | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            id,
            name,
            state,
            public_ips,
            private_ips,
            size,
            image,
            extra or {},
            created_at,
            tags or {},
        )
        object.__setattr__(self, "driver", driver)

    @property
    def uuid(self) -> str:
        """A name for this node that no node of another provider has."""
        return self.get_uuid()

    def get_uuid(self) -> str:
        """Return a name for this node that no node of another provider has."""
        text = f"{self.id}:{self.driver.type}"
        import hashlib

        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def reboot(self) -> bool:
        """Restart this node."""
        return self.driver.reboot_node(self)

    def start(self) -> bool:
        """Start this node."""
        return self.driver.start_node(self)

    def stop_node(self) -> bool:
        """Stop this node; its disks and addresses stay."""
        return self.driver.stop_node(self)

    def destroy(self) -> bool:
        """Destroy this node for good."""
        return self.driver.destroy_node(self)


class StorageVolume(model.StorageVolume):
    """`anysky.model.compute.StorageVolume` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self,
        id: str,
        name: str,
        size: int,
        driver: NodeDriver,
        state: StorageVolumeState | None = None,
        extra: dict[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(id, name, size, state, extra or {}, tags or {})
        object.__setattr__(self, "driver", driver)

    def list_snapshots(self) -> list[VolumeSnapshot]:
        """Return the snapshots of this volume."""
        return self.driver.list_volume_snapshots(self)

    def attach(self, node: Node, device: str | None = None) -> bool:
        """Attach this volume to a node; `device` is where the node sees it."""
        return self.driver.attach_volume(node, self, device)

    def detach(self) -> bool:
        """Detach this volume from its node."""
        return self.driver.detach_volume(self)

    def snapshot(self, name: str | None = None) -> VolumeSnapshot:
        """Make a snapshot of this volume."""
        return self.driver.create_volume_snapshot(self, name)

    def destroy(self) -> bool:
        """Destroy this volume for good."""
        return self.driver.destroy_volume(self)


class VolumeSnapshot(model.VolumeSnapshot):
    """`anysky.model.compute.VolumeSnapshot` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self,
        id: str,
        driver: NodeDriver,
        size: int | None = None,
        extra: dict[str, Any] | None = None,
        created: datetime | None = None,
        state: VolumeSnapshotState | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(id, size, extra or {}, created, state, name, tags or {})
        object.__setattr__(self, "driver", driver)

    def destroy(self) -> bool:
        """Destroy this snapshot."""
        return self.driver.destroy_volume_snapshot(self)


class KeyPair(model.KeyPair):
    """`anysky.model.compute.KeyPair` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def __init__(
        self,
        name: str,
        public_key: str,
        fingerprint: str,
        driver: NodeDriver,
        private_key: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, public_key, fingerprint, private_key, extra or {})
        object.__setattr__(self, "driver", driver)

    def delete(self) -> bool:
        """Delete this key from the provider."""
        return self.driver.delete_key_pair(self)


class Network(model.Network):
    """`anysky.model.compute.Network` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def list_subnets(self) -> list[Subnet]:
        """Return the subnets of this network."""
        return self.driver.list_subnets(self)

    def destroy(self) -> bool:
        """Delete this network."""
        return self.driver.delete_network(self)


class Subnet(model.Subnet):
    """`anysky.model.compute.Subnet` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def destroy(self) -> bool:
        """Delete this subnet."""
        return self.driver.delete_subnet(self)


class SecurityGroup(model.SecurityGroup):
    """`anysky.model.compute.SecurityGroup` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def add_rule(self, rule: SecurityGroupRule) -> bool:
        """Add a rule to this group."""
        return self.driver.add_security_group_rule(self, rule)

    def remove_rule(self, rule: SecurityGroupRule) -> bool:
        """Take a rule away from this group."""
        return self.driver.remove_security_group_rule(self, rule)

    def destroy(self) -> bool:
        """Delete this group."""
        return self.driver.delete_security_group(self)


class FloatingIP(model.FloatingIP):
    """`anysky.model.compute.FloatingIP` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: NodeDriver

    def attach(self, node: Node) -> bool:
        """Point this address to a node."""
        return self.driver.attach_floating_ip(self, node)

    def detach(self) -> bool:
        """Take this address from its node."""
        return self.driver.detach_floating_ip(self)

    def destroy(self) -> bool:
        """Give this address back."""
        return self.driver.delete_floating_ip(self)


class NodeDriver(Driver[ComputeBackend]):
    """A provider's compute service; see `Driver` for its arguments.

    Every method raises a `CloudError`; an operation or option that the provider does not have
    raises `UnsupportedOperationError` and sends nothing. Each ``list_…`` returns all pages;
    where there is a twin ``iterate_…``, it fetches them as they are used.

    Attributes:
        features: How a new node can be logged in to: ``ssh_key``, ``password``,
            ``generates_password`` under ``create_node``.
    """

    features: ClassVar[Mapping[str, list[str]]] = {"create_node": []}

    @functools.cached_property
    def _catalogue(self) -> CatalogueCache:
        return CatalogueCache()

    @functools.cached_property
    def _parts(self) -> dict[int, tuple[Any, Any]]:
        """Sizes and images that were bound lately, by the id of their data."""
        return {}

    def list_nodes(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[Node]:
        """Return all nodes of the account in this region, or those that match.

        Args:
            ids: Only nodes with one of these ids.
            name: Only nodes with this name.
            tags: Only nodes that have these tags with these values.
            options: Options of this provider, beginning with ``ex_``.
        """
        filter = make_filter(ids, name, tags, options=self._options("list_nodes", options))
        return self._collect(
            lambda cursor: self._backend.list_nodes(cursor, filter), self._node, filter
        )

    def iterate_nodes(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterator[Node]:
        """Yield what `list_nodes` returns, page by page."""
        filter = make_filter(ids, name, tags, options=self._options("list_nodes", options))
        for item in self._walk(lambda cursor: self._backend.list_nodes(cursor, filter)):
            if matches(item, filter):
                yield self._node(item)

    def get_node(self, node_id: str) -> Node:
        """Return one node.

        Raises:
            NotFoundError: There is no such node.
        """
        return self._node(self._call(self._backend.get_node(node_id)))

    def create_node(
        self,
        name: str,
        size: model.NodeSize,
        image: model.NodeImage,
        location: model.NodeLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        user_data: str | None = None,
        key_pair: model.KeyPair | str | None = None,
        network: model.Network | model.Subnet | None = None,
        security_groups: Sequence[model.SecurityGroup] = (),
        max_monthly: Decimal | int | str | None = None,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> Node:
        """Make a node and return it, mostly still pending; see `wait_until_running`.

        Args:
            name: Its name.
            size: Its size, from `list_sizes`.
            image: Its image, from `list_images` or `get_image`.
            location: Region or zone; None for the driver's own.
            auth: Public key or password to log in with, where `features` has it.
            tags: Tags or labels, set in the same request where the provider can.
            user_data: Text for cloud-init.
            key_pair: A key pair of the provider, or its name.
            network: Network or subnet to put it in.
            security_groups: Security groups that it belongs to.
            max_monthly: Most that it may cost in a month, in the currency of its price.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            PartialFailureError: Something was made, but not all of it.
            PriceLimitError: It would cost more than `max_monthly`, or nobody knows how much;
                nothing was sent.
            QuotaExceededError: A limit is reached, or the provider has no capacity.
            UnsupportedOperationError: The provider does not know an option; nothing was sent.
        """
        spec = self._spec(
            name,
            size,
            image,
            location,
            auth,
            tags,
            user_data,
            key_pair,
            network,
            security_groups,
            options,
        )
        self._check_price(size, location, 1, max_monthly)
        job = self._backend.create_node(spec)
        return self._node(self._make(job, f"node {name}", choice=on_partial_failure))

    def estimate_node(
        self,
        size: model.NodeSize,
        image: model.NodeImage | None = None,  # noqa: ARG002 - lists of images tell no licence
        location: model.NodeLocation | None = None,
        *,
        count: int = 1,
        hours: Decimal | int | None = None,
        os: str = "linux",
        term: str = "ondemand",
    ) -> Estimate:
        """Estimate what nodes of a size cost, without disks, addresses and traffic.

        The price is what the provider tells with its sizes, else that of the catalogue of
        `anysky.pricing`. What is unknown is in `unknown`, never counted as 0. Nothing is sent.

        Args:
            size: The size.
            image: Taken beside `size` as in `create_node`; what it includes, `os` says.
            location: Region or zone; None for the driver's own.
            count: How many nodes.
            hours: Hours of a month that each runs; None for all of it.
            os: Operating system that is included: linux, windows, rhel, rhel-ha, suse.
            term: ``"ondemand"``, or for example ``"commit-1y"``.

        Raises:
            PricingError: The catalogue cannot be read.
        """
        region = self._price_region(location)
        return estimate_node(
            self._backend, size, region, count=count, hours=hours, os=os, term=term
        )

    def create_nodes(
        self,
        name: str,
        size: model.NodeSize,
        image: model.NodeImage,
        location: model.NodeLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        *,
        count: int,
        limit: int = 8,
        tags: Mapping[str, str] | None = None,
        user_data: str | None = None,
        key_pair: model.KeyPair | str | None = None,
        network: model.Network | model.Subnet | None = None,
        security_groups: Sequence[model.SecurityGroup] = (),
        max_monthly: Decimal | int | str | None = None,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> Outcomes[Node]:
        """Make several nodes alike and say what became of each.

        They are called ``name-1``, ``name-2`` and so on.

        Nothing is raised for a node that fails; see `Outcomes.raise_if_failed`. After an error
        that the others would meet as well, such as a quota, no further one is tried.

        Args:
            name: Beginning of their names.
            size: As in `create_node`, which has the other arguments, too.
            image: As in `create_node`.
            location: As in `create_node`.
            auth: As in `create_node`.
            count: How many.
            limit: How many are made at once at the most.
            tags: As in `create_node`.
            user_data: As in `create_node`.
            key_pair: As in `create_node`.
            network: As in `create_node`.
            security_groups: As in `create_node`.
            max_monthly: Most that all of them may cost together in a month.
            on_partial_failure: ``"rollback"`` removes all of them if one fails.
            options: Options of this provider, beginning with ``ex_``.
        """
        spec = self._spec(
            name,
            size,
            image,
            location,
            auth,
            tags,
            user_data,
            key_pair,
            network,
            security_groups,
            options,
        )

        def attempt(one: str) -> Coroutine[Any, Any, model.Node]:
            job = self._backend.create_node(replace(spec, name=one))
            return self._making(job, self._terms, f"node {one}")

        names = numbered(name, count)
        self._check_price(size, location, count, max_monthly)
        found = self._each("create_nodes", names, attempt, limit, on_partial_failure)
        nodes = [self._node(node) for node in found.done]
        return Outcomes(nodes, found.failed, found.not_tried, found.undone)

    def destroy_nodes(self, nodes: Sequence[model.Node], *, limit: int = 8) -> Outcomes[model.Node]:
        """Destroy nodes for good and say what became of each; nothing is raised for one that fails.

        Args:
            nodes: The nodes.
            limit: How many are destroyed at once at the most.
        """

        def attempt(node: model.Node) -> Coroutine[Any, Any, model.Node]:
            return self._doing(self._backend.destroy_node(node), node)

        return self._each("destroy_nodes", nodes, attempt, limit, "keep")

    def rename_node(self, node: model.Node, name: str) -> Node:
        """Give a node another name and return it as it is then."""
        return self._node(self._call(self._backend.rename_node(node, name)))

    def reboot_node(self, node: model.Node) -> bool:
        """Restart a node; returns True."""
        self._call(self._backend.reboot_node(node))
        return True

    def start_node(self, node: model.Node) -> bool:
        """Start a stopped node; returns True."""
        self._call(self._backend.start_node(node))
        return True

    def stop_node(self, node: model.Node) -> bool:
        """Stop a node, whose disks and addresses stay; returns True."""
        self._call(self._backend.stop_node(node))
        return True

    def destroy_node(self, node: model.Node) -> bool:
        """Destroy a node for good; returns True."""
        self._call(self._backend.destroy_node(node))
        return True

    def wait_until_running(
        self,
        nodes: Sequence[model.Node],
        wait_period: float = 5,
        timeout: float = 600,
        ssh_interface: str = "public_ips",
        force_ipv4: bool = True,
        ex_list_nodes_kwargs: Mapping[str, Any] | None = None,
    ) -> list[tuple[Node, list[str]]]:
        """Wait until nodes run and have an address; return each with its addresses.

        Args:
            nodes: The nodes.
            wait_period: Seconds between two looks.
            timeout: Seconds in all.
            ssh_interface: ``"public_ips"`` or ``"private_ips"``: where an address must be.
            force_ipv4: Whether only IPv4 addresses count.
            ex_list_nodes_kwargs: Options for `list_nodes` of this provider.

        Raises:
            DeadlineExceededError: The time was not enough.
            ConflictError: A node ended in a state from which it will not run.
        """
        ids = list(dict.fromkeys(node.id for node in nodes))
        options = self._options("list_nodes", ex_list_nodes_kwargs or {})
        found = self._transfer(
            wait_until_nodes_run(
                self._backend,
                ids,
                address_reader(ssh_interface, force_ipv4),
                filter=make_filter(ids, options=options),
                timeout=timeout,
                interval=wait_period,
            )
        )
        return [(self._node(node), addresses) for node, addresses in found]

    def list_sizes(self, location: model.NodeLocation | None = None) -> list[NodeSize]:
        """Return the sizes that nodes can have, those of one location if it is given.

        The list comes from the provider and is kept for an hour.
        """
        place = None if location is None else location.id
        found = self._cached(
            ("sizes", place), lambda cursor: self._backend.list_sizes(cursor, location)
        )
        return [self._size(item) for item in found]

    def list_locations(self) -> list[NodeLocation]:
        """Return the regions or zones in which nodes can be made.

        The list comes from the provider and is kept for an hour.
        """
        found = self._cached(("locations",), self._backend.list_locations)
        return [self._location(item) for item in found]

    def list_images(
        self,
        location: model.NodeLocation | None = None,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> list[NodeImage]:
        """Return the images that nodes can be made from, or those that match.

        Args:
            location: Only images that can be used there.
            ids: Only images with one of these ids.
            name: Only images with this name.
            options: Options of this provider, beginning with ``ex_``.
        """
        return list(self.iterate_images(location, ids=ids, name=name, **options))

    def iterate_images(
        self,
        location: model.NodeLocation | None = None,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Iterator[NodeImage]:
        """Yield what `list_images` returns, page by page."""
        filter = make_filter(ids, name, options=self._options("list_images", options))
        for item in self._walk(lambda cursor: self._backend.list_images(cursor, location, filter)):
            if (not filter.ids or item.id in filter.ids) and name in (None, item.name):
                yield self._image(item)

    def get_image(self, image_id: str) -> NodeImage:
        """Return one image.

        Raises:
            NotFoundError: There is no such image.
        """
        return self._image(self._call(self._backend.get_image(image_id)))

    def create_image(
        self,
        node: model.Node,
        name: str,
        description: str | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> NodeImage:
        """Make an image of a node."""
        job = self._backend.create_image(node, name, description)
        return self._image(self._make(job, f"image {name}", name, choice=on_partial_failure))

    def delete_image(self, node_image: model.NodeImage) -> bool:
        """Delete an image of the account; returns True."""
        self._call(self._backend.delete_image(node_image))
        return True

    def copy_image(
        self,
        source_region: str,
        node_image: model.NodeImage,
        name: str,
        description: str | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> NodeImage:
        """Copy an image from another region to this driver's own and return the copy."""
        job = self._backend.copy_image(source_region, node_image, name, description)
        return self._image(self._make(job, f"image {name}", name, choice=on_partial_failure))

    def list_volumes(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[StorageVolume]:
        """Return all volumes of the account in this region, or those that match.

        Args:
            ids: Only volumes with one of these ids.
            name: Only volumes with this name.
            tags: Only volumes that have these tags with these values.
            options: Options of this provider, beginning with ``ex_``.
        """
        filter = make_filter(ids, name, tags, options=self._options("list_volumes", options))
        return self._collect(
            lambda cursor: self._backend.list_volumes(cursor, filter), self._volume, filter
        )

    def iterate_volumes(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterator[StorageVolume]:
        """Yield what `list_volumes` returns, page by page."""
        filter = make_filter(ids, name, tags, options=self._options("list_volumes", options))
        for item in self._walk(lambda cursor: self._backend.list_volumes(cursor, filter)):
            if matches(item, filter):
                yield self._volume(item)

    def get_volume(self, volume_id: str) -> StorageVolume:
        """Return one volume.

        Raises:
            NotFoundError: There is no such volume.
        """
        return self._volume(self._call(self._backend.get_volume(volume_id)))

    def create_volume(
        self,
        size: int,
        name: str,
        location: model.NodeLocation | None = None,
        snapshot: model.VolumeSnapshot | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> StorageVolume:
        """Make a volume.

        Args:
            size: GB.
            name: Its name.
            location: Region or zone; None for the driver's own.
            snapshot: Snapshot whose content it gets.
            tags: Tags or labels, set in the same request where the provider can.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``.
        """
        spec = model.VolumeSpec(
            size=size,
            name=name,
            location=location,
            snapshot=snapshot,
            tags=dict(tags or {}),
            options=self._options("create_volume", options),
        )
        job = self._backend.create_volume(spec)
        return self._volume(self._make(job, f"volume {name}", choice=on_partial_failure))

    def attach_volume(
        self, node: model.Node, volume: model.StorageVolume, device: str | None = None
    ) -> bool:
        """Attach a volume to a node, as `device` if it is given; returns True."""
        job = self._backend.attach_volume(node, volume, device)
        what = f"attachment of volume {volume.id} to node {node.id}"
        self._make(job, what, undo_args=(volume,))
        return True

    def detach_volume(self, volume: model.StorageVolume) -> bool:
        """Detach a volume from its node; returns True."""
        self._call(self._backend.detach_volume(volume))
        return True

    def destroy_volume(self, volume: model.StorageVolume) -> bool:
        """Destroy a volume for good; returns True."""
        self._call(self._backend.destroy_volume(volume))
        return True

    def list_volume_snapshots(self, volume: model.StorageVolume) -> list[VolumeSnapshot]:
        """Return the snapshots of a volume."""
        return self._collect(
            lambda cursor: self._backend.list_volume_snapshots(volume, cursor), self._snapshot
        )

    def iterate_volume_snapshots(self, volume: model.StorageVolume) -> Iterator[VolumeSnapshot]:
        """Yield what `list_volume_snapshots` returns, page by page."""
        for item in self._walk(lambda cursor: self._backend.list_volume_snapshots(volume, cursor)):
            yield self._snapshot(item)

    def list_snapshots(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[VolumeSnapshot]:
        """Return all volume snapshots of the account in this region, or those that match.

        Args:
            ids: Only volume snapshots with one of these ids.
            name: Only volume snapshots with this name.
            tags: Only volume snapshots that have these tags with these values.
            options: Options of this provider, beginning with ``ex_``.
        """
        filter = make_filter(ids, name, tags, options=self._options("list_snapshots", options))
        return self._collect(
            lambda cursor: self._backend.list_snapshots(cursor, filter), self._snapshot, filter
        )

    def iterate_snapshots(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterator[VolumeSnapshot]:
        """Yield what `list_snapshots` returns, page by page."""
        filter = make_filter(ids, name, tags, options=self._options("list_snapshots", options))
        for item in self._walk(lambda cursor: self._backend.list_snapshots(cursor, filter)):
            if matches(item, filter):
                yield self._snapshot(item)

    def create_volume_snapshot(
        self,
        volume: model.StorageVolume,
        name: str | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> VolumeSnapshot:
        """Make a snapshot of a volume and return it, mostly still in the making."""
        job = self._backend.create_volume_snapshot(volume, name)
        what = f"snapshot {name or ''} of volume {volume.id}"
        return self._snapshot(self._make(job, what, choice=on_partial_failure))

    def destroy_volume_snapshot(self, snapshot: model.VolumeSnapshot) -> bool:
        """Destroy a snapshot; returns True."""
        self._call(self._backend.destroy_volume_snapshot(snapshot))
        return True

    def list_key_pairs(self) -> list[KeyPair]:
        """Return the SSH keys that the provider knows."""
        return self._collect(self._backend.list_key_pairs, self._key_pair)

    def iterate_key_pairs(self) -> Iterator[KeyPair]:
        """Yield what `list_key_pairs` returns, page by page."""
        for item in self._walk(self._backend.list_key_pairs):
            yield self._key_pair(item)

    def get_key_pair(self, name: str) -> KeyPair:
        """Return an SSH key by its name.

        Raises:
            KeyPairDoesNotExistError: There is none of this name.
        """
        return self._key_pair(self._call(self._backend.get_key_pair(name)))

    def create_key_pair(self, name: str) -> KeyPair:
        """Have the provider make a key pair; its `private_key` is told this once.

        Raises:
            KeyPairAlreadyExistsError: There is one of this name.
        """
        job = self._backend.create_key_pair(name)
        return self._key_pair(self._make(job, f"key pair {name}", name))

    def import_key_pair_from_string(self, name: str, key_material: str) -> KeyPair:
        """Give a public key in OpenSSH's format to the provider.

        Raises:
            KeyPairAlreadyExistsError: There is one of this name.
        """
        job = self._backend.import_key_pair(name, key_material.strip())
        return self._key_pair(self._make(job, f"key pair {name}", name))

    def import_key_pair_from_file(self, name: str, key_file_path: str) -> KeyPair:
        """Give the public key in a file to the provider.

        Raises:
            InvalidRequestError: The file cannot be read.
            KeyPairAlreadyExistsError: There is one of this name.
        """
        from pathlib import Path

        path = Path(key_file_path).expanduser()
        try:
            material = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequestError(f"cannot read the public key {path}: {error}") from error
        return self.import_key_pair_from_string(name, material)

    def delete_key_pair(self, key_pair: model.KeyPair) -> bool:
        """Delete an SSH key from the provider; returns True."""
        self._call(self._backend.delete_key_pair(key_pair))
        return True

    def list_networks(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[Network]:
        """Return all private networks of the account in this region, or those that match.

        Args:
            ids: Only private networks with one of these ids.
            name: Only private networks with this name.
            tags: Only private networks that have these tags with these values.
        """
        filter = make_filter(ids, name, tags)
        return self._collect(
            lambda cursor: self._backend.list_networks(cursor, filter), self._network, filter
        )

    def iterate_networks(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[Network]:
        """Yield what `list_networks` returns, page by page."""
        filter = make_filter(ids, name, tags)
        for item in self._walk(lambda cursor: self._backend.list_networks(cursor, filter)):
            if matches(item, filter):
                yield self._network(item)

    def create_network(
        self,
        name: str,
        cidr: str | None = None,
        location: model.NodeLocation | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> Network:
        """Make a private network; without `cidr` the provider chooses a range, if it can."""
        job = self._backend.create_network(name, cidr, location, dict(tags or {}))
        return self._network(self._make(job, f"network {name}", choice=on_partial_failure))

    def delete_network(self, network: model.Network) -> bool:
        """Delete a private network; returns True."""
        self._call(self._backend.delete_network(network))
        return True

    def list_subnets(
        self,
        network: model.Network | None = None,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[Subnet]:
        """Return the subnets of the account, of one network if it is given, or those that match.

        Args:
            network: Only its subnets.
            ids: Only subnets with one of these ids.
            name: Only subnets with this name.
            tags: Only subnets that have these tags with these values.
        """
        filter = make_filter(ids, name, tags)
        return self._collect(
            lambda cursor: self._backend.list_subnets(cursor, network, filter), self._subnet, filter
        )

    def create_subnet(
        self,
        network: model.Network,
        name: str,
        cidr: str,
        location: model.NodeLocation | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> Subnet:
        """Make a subnet of a network."""
        job = self._backend.create_subnet(network, name, cidr, location, dict(tags or {}))
        return self._subnet(self._make(job, f"subnet {name}", choice=on_partial_failure))

    def delete_subnet(self, subnet: model.Subnet) -> bool:
        """Delete a subnet; returns True."""
        self._call(self._backend.delete_subnet(subnet))
        return True

    def list_security_groups(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[SecurityGroup]:
        """Return all security groups of the account in this region, or those that match.

        Args:
            ids: Only security groups with one of these ids.
            name: Only security groups with this name.
            tags: Only security groups that have these tags with these values.
        """
        filter = make_filter(ids, name, tags)
        return self._collect(
            lambda cursor: self._backend.list_security_groups(cursor, filter),
            self._security_group,
            filter,
        )

    def iterate_security_groups(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[SecurityGroup]:
        """Yield what `list_security_groups` returns, page by page."""
        filter = make_filter(ids, name, tags)
        for item in self._walk(lambda cursor: self._backend.list_security_groups(cursor, filter)):
            if matches(item, filter):
                yield self._security_group(item)

    def create_security_group(
        self,
        name: str,
        description: str = "",
        network: model.Network | None = None,
        rules: Sequence[SecurityGroupRule] = (),
        *,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> SecurityGroup:
        """Make a security group with rules.

        Raises:
            PartialFailureError: The group was made, but not all of its rules.
        """
        job = self._backend.create_security_group(
            name, description, network, tuple(rules), dict(tags or {})
        )
        what = f"security group {name}"
        return self._security_group(self._make(job, what, choice=on_partial_failure))

    def delete_security_group(self, group: model.SecurityGroup) -> bool:
        """Delete a security group; returns True."""
        self._call(self._backend.delete_security_group(group))
        return True

    def add_security_group_rule(self, group: model.SecurityGroup, rule: SecurityGroupRule) -> bool:
        """Add a rule to a security group; returns True."""
        job = self._backend.add_security_group_rule(group, rule)
        self._make(job, f"rule of security group {group.id}", undo_args=(group, rule))
        return True

    def remove_security_group_rule(
        self, group: model.SecurityGroup, rule: SecurityGroupRule
    ) -> bool:
        """Take a rule away from a security group; returns True."""
        self._call(self._backend.remove_security_group_rule(group, rule))
        return True

    def list_floating_ips(
        self,
        *,
        ids: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[FloatingIP]:
        """Return the floating addresses of the account in this region, or those that match.

        Args:
            ids: Only addresses with one of these ids.
            tags: Only addresses that have these tags with these values.
        """
        filter = make_filter(ids, None, tags)
        return self._collect(
            lambda cursor: self._backend.list_floating_ips(cursor, filter),
            self._floating_ip,
            filter,
        )

    def create_floating_ip(
        self,
        location: model.NodeLocation | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> FloatingIP:
        """Reserve a public address; None for the driver's own region."""
        job = self._backend.create_floating_ip(location, dict(tags or {}))
        return self._floating_ip(self._make(job, "floating IP", choice=on_partial_failure))

    def delete_floating_ip(self, address: model.FloatingIP) -> bool:
        """Give a floating address back; returns True."""
        self._call(self._backend.delete_floating_ip(address))
        return True

    def attach_floating_ip(self, address: model.FloatingIP, node: model.Node) -> bool:
        """Point a floating address to a node; returns True."""
        job = self._backend.attach_floating_ip(address, node)
        what = f"attachment of floating IP {address.ip} to node {node.id}"
        self._make(job, what, undo_args=(address,))
        return True

    def detach_floating_ip(self, address: model.FloatingIP) -> bool:
        """Take a floating address from its node; returns True."""
        self._call(self._backend.detach_floating_ip(address))
        return True

    def _price_region(self, location: model.NodeLocation | None) -> str:
        with RunningCall(self, self._backend, "estimate_node", self._deadline):
            return run(self._backend._price_region(location))  # pyright: ignore[reportPrivateUsage]

    def _check_price(
        self,
        size: model.NodeSize,
        location: model.NodeLocation | None,
        count: int,
        most: Decimal | int | str | None,
    ) -> None:
        """Refuse nodes that cost more than they may, before anything is sent."""
        if most is not None:
            check_monthly(self.estimate_node(size, location=location, count=count), most)

    def _spec(
        self,
        name: str,
        size: model.NodeSize,
        image: model.NodeImage,
        location: model.NodeLocation | None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None,
        tags: Mapping[str, str] | None,
        user_data: str | None,
        key_pair: model.KeyPair | str | None,
        network: model.Network | model.Subnet | None,
        security_groups: Sequence[model.SecurityGroup],
        options: Mapping[str, Any],
    ) -> model.NodeSpec:
        return model.NodeSpec(
            name=name,
            size=size,
            image=image,
            location=location,
            auth=auth,
            tags=dict(tags or {}),
            user_data=user_data,
            key_pair=key_pair.name if isinstance(key_pair, model.KeyPair) else key_pair,
            network=network,
            security_groups=tuple(security_groups),
            options=self._options("create_node", options),
        )

    @classmethod
    def _operation_name(cls, operation: str) -> str:
        imports = ("import_key_pair_from_string", "import_key_pair_from_file")
        if operation in imports:
            return "import_key_pair"
        shared = {
            "wait_until_running": "list_nodes",
            "estimate_node": "create_node",
            "create_nodes": "create_node",
            "destroy_nodes": "destroy_node",
        }
        if operation in shared:
            return shared[operation]
        return super()._operation_name(operation.replace("iterate_", "list_", 1))

    def _cached(
        self,
        key: tuple[str | None, ...],
        fetch: Callable[[str | None], Coroutine[Any, Any, Page[T]]],
    ) -> list[T]:
        """Return a list from the catalogue's cache, or fetch and keep it."""
        kept = self._catalogue.get(key)
        if kept is None:
            kept = self._collect(fetch, _itself)
            self._catalogue.put(key, kept)
        return kept

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        return {
            model.Node: self._node,
            model.NodeSize: self._size,
            model.NodeImage: self._image,
            model.NodeLocation: self._location,
            model.StorageVolume: self._volume,
            model.VolumeSnapshot: self._snapshot,
            model.KeyPair: self._key_pair,
            model.Network: self._network,
            model.Subnet: self._subnet,
            model.SecurityGroup: self._security_group,
            model.FloatingIP: self._floating_ip,
        }

    def _node(self, data: model.Node) -> Node:
        node = bind(data, Node, self)
        if data.size is not None:
            object.__setattr__(node, "size", self._shared(data.size, self._size))
        if data.image is not None:
            object.__setattr__(node, "image", self._shared(data.image, self._image))
        return node

    def _shared(self, data: T, bound: Callable[[T], U]) -> U:
        """Bind what many nodes of a list share once; the data is kept, so that its id stays."""
        kept = self._parts.get(id(data))
        if kept is None:
            if len(self._parts) >= _MOST_PARTS:
                self._parts.clear()
            kept = self._parts[id(data)] = (data, bound(data))
        part: U = kept[1]
        return part

    def _size(self, data: model.NodeSize) -> NodeSize:
        return bind(data, NodeSize, self)

    def _image(self, data: model.NodeImage) -> NodeImage:
        return bind(data, NodeImage, self)

    def _location(self, data: model.NodeLocation) -> NodeLocation:
        return bind(data, NodeLocation, self)

    def _volume(self, data: model.StorageVolume) -> StorageVolume:
        return bind(data, StorageVolume, self)

    def _snapshot(self, data: model.VolumeSnapshot) -> VolumeSnapshot:
        return bind(data, VolumeSnapshot, self)

    def _key_pair(self, data: model.KeyPair) -> KeyPair:
        return bind(data, KeyPair, self)

    def _network(self, data: model.Network) -> Network:
        return bind(data, Network, self)

    def _subnet(self, data: model.Subnet) -> Subnet:
        return bind(data, Subnet, self)

    def _security_group(self, data: model.SecurityGroup) -> SecurityGroup:
        return bind(data, SecurityGroup, self)

    def _floating_ip(self, data: model.FloatingIP) -> FloatingIP:
        return bind(data, FloatingIP, self)


def get_driver(provider: Provider | str) -> type[NodeDriver]:
    """Return the class of a provider's driver; making one of it sends nothing.

    Args:
        provider: A constant of `Provider`, or the name of any provider, plug-ins too.

    Raises:
        UnknownProviderError: There is no such provider.
    """
    return driver_class(NodeDriver, "compute", provider)


def set_driver(provider: str, module: str, klass: str) -> type[NodeDriver]:
    """Register a driver class of your own under a name, for `get_driver`.

    Args:
        provider: The new name.
        module: Module to import, with dots.
        klass: Name of a subclass of `NodeDriver` in it.

    Raises:
        UnknownProviderError: The name is taken, or there is no such class.
    """
    return register(NodeDriver, "compute", provider, module, klass)


def _itself(data: T) -> T:
    return data
