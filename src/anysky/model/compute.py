"""Models of the compute service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .base import State, model

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "Architecture",
    "Filter",
    "FloatingIP",
    "KeyPair",
    "Network",
    "Node",
    "NodeAuthPassword",
    "NodeAuthSSHKey",
    "NodeImage",
    "NodeImageMemberState",
    "NodeLocation",
    "NodeSize",
    "NodeSpec",
    "NodeState",
    "SecurityGroup",
    "SecurityGroupRule",
    "StorageVolume",
    "StorageVolumeState",
    "Subnet",
    "VolumeSnapshot",
    "VolumeSnapshotState",
    "VolumeSpec",
]


class NodeState(State):
    """What a node is doing."""

    RUNNING = "running"
    STARTING = "starting"
    REBOOTING = "rebooting"
    TERMINATED = "terminated"
    PENDING = "pending"
    UNKNOWN = "unknown"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    ERROR = "error"
    PAUSED = "paused"
    RECONFIGURING = "reconfiguring"
    MIGRATING = "migrating"
    NORMAL = "normal"
    UPDATING = "updating"


class StorageVolumeState(State):
    """What a volume is doing."""

    AVAILABLE = "available"
    ERROR = "error"
    INUSE = "inuse"
    CREATING = "creating"
    DELETING = "deleting"
    DELETED = "deleted"
    BACKUP = "backup"
    ATTACHING = "attaching"
    UNKNOWN = "unknown"
    MIGRATING = "migrating"
    UPDATING = "updating"


class VolumeSnapshotState(State):
    """What a snapshot is doing."""

    AVAILABLE = "available"
    ERROR = "error"
    CREATING = "creating"
    DELETING = "deleting"
    RESTORING = "restoring"
    UNKNOWN = "unknown"
    UPDATING = "updating"


class NodeImageMemberState(State):
    """Whether an account has taken an image that is shared with it."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


class Architecture:
    """Kinds of processor."""

    I386 = 0
    X86_X64 = 1


@model
class NodeAuthSSHKey:
    """A public key that may log in to a new node."""

    pubkey: str


@model
class NodeAuthPassword:
    """A password for a new node."""

    password: str = field(repr=False)
    generated: bool = False


@model
class NodeSize:
    """A size, also called type or plan, of nodes.

    Attributes:
        id: The provider's id.
        name: Name for people.
        ram: MiB.
        disk: GB of local disk; 0 if there is none.
        bandwidth: GB of traffic a month that the price includes, or None.
        price: Price of an hour in the provider's currency, or None if unknown.
        extra: Everything else that the provider says.
        vcpus: Virtual processors, or None if unknown.
    """

    id: str
    name: str
    ram: int
    disk: int
    bandwidth: int | None
    price: Decimal | float | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    vcpus: int | None = None


@model
class NodeImage:
    """An image that nodes are made from."""

    id: str
    name: str | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class NodeLocation:
    """A region or zone; `country` is an ISO 3166 code, or empty if the provider says none."""

    id: str
    name: str
    country: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Node:
    """A virtual or bare-metal server.

    Attributes:
        id: The provider's id.
        name: Its name, or its id where it has none.
        state: What it is doing.
        public_ips: Addresses reachable from anywhere, IPv4 before IPv6.
        private_ips: Addresses within the provider's networks.
        size: Its size, as far as the answer tells.
        image: Its image, as far as the answer tells.
        extra: Everything else that the provider says.
        created_at: When it was made, with time zone.
        tags: Tags or labels; a provider that has plain words keeps each with an empty value.
    """

    id: str
    name: str
    state: NodeState
    public_ips: list[str]
    private_ips: list[str]
    size: NodeSize | None = None
    image: NodeImage | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class StorageVolume:
    """A disk that can be attached to a node; `size` in GB."""

    id: str
    name: str
    size: int
    state: StorageVolumeState | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class VolumeSnapshot:
    """A copy of a volume at one moment; `size` in GB."""

    id: str
    size: int | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    created: datetime | None = None
    state: VolumeSnapshotState | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class KeyPair:
    """An SSH key known to the provider; `private_key` only where the provider has just made it."""

    name: str
    public_key: str
    fingerprint: str
    private_key: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Network:
    """A private network (VPC); `cidr` is its address range, empty if the provider says none."""

    id: str
    name: str
    cidr: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class Subnet:
    """A part of a network."""

    id: str
    name: str
    cidr: str
    network_id: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class SecurityGroupRule:
    """What a security group lets through.

    Attributes:
        direction: ``"ingress"`` or ``"egress"``.
        protocol: ``"tcp"``, ``"udp"``, ``"icmp"``, or ``"all"``.
        from_port: First port, or None for all.
        to_port: Last port, or None for all.
        cidrs: Address ranges at the other end.
        group_ids: Security groups at the other end.
        description: Text for people.
    """

    direction: str
    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    description: str = ""


@model
class SecurityGroup:
    """A set of firewall rules for nodes."""

    id: str
    name: str
    description: str
    rules: tuple[SecurityGroupRule, ...] = ()
    network_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class FloatingIP:
    """A public address that can be moved between nodes; `node_id` is None while it is free."""

    id: str
    ip: str
    node_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class Filter:
    """What a list is narrowed to; everything given must match.

    Attributes:
        ids: Only things with one of these ids.
        name: Only things with this name.
        tags: Only things that have these tags with these values.
        location: Only things in this region or zone.
        options: Options that only this provider has, by their names.
    """

    ids: tuple[str, ...] = ()
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    location: NodeLocation | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@model
class NodeSpec:
    """What a new node shall be.

    Attributes:
        name: Name.
        size: Size.
        image: Image.
        location: Region or zone; None for the account's default.
        auth: Public key or password to log in.
        tags: Tags or labels, set in the creating call.
        user_data: Text for cloud-init.
        key_pair: Name of a key pair that the provider knows.
        network: Network or subnet to put it in.
        security_groups: Security groups that it belongs to.
        options: Options that only this provider has, by their names.
    """

    name: str
    size: NodeSize
    image: NodeImage
    location: NodeLocation | None = None
    auth: NodeAuthSSHKey | NodeAuthPassword | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    user_data: str | None = None
    key_pair: str | None = None
    network: Network | Subnet | None = None
    security_groups: Sequence[SecurityGroup] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@model
class VolumeSpec:
    """What a new volume shall be; `size` in GB."""

    size: int
    name: str
    location: NodeLocation | None = None
    snapshot: VolumeSnapshot | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
