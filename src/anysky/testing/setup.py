"""What a suite needs to know of the server it is run against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anysky.model.compute import Node
from anysky.model.loadbalancer import Algorithm, Member

__all__ = [
    "ComputeSetup",
    "DNSSetup",
    "LoadBalancerSetup",
    "Setup",
    "StorageCondition",
    "StorageSetup",
]


@dataclass(frozen=True)
class Setup:
    """What the cases of every service need.

    Attributes:
        settings: Arguments of the driver's class by name: credentials, endpoint, region …
        reset: Empties the server; called before each API's turn. None leaves it as it is, which
            is right for a real cloud: every case removes what it made.
        interval: Seconds between two looks at something that takes time.
        patience: Seconds after which waiting is given up.
        fill: Makes so many more of what an operation lists, for the cases of page borders:
            ``fill("list_nodes", 200)``. Called with 0 first, to make the zone, container or
            balancer that records, objects or members are listed in. Needed with
            ``cases(…, pages=…)``, like `reset`.
        list_lag: Seconds after which the server's lists show what was made, for the cases of
            failure; None for what the provider declares, which is right for a real cloud.
        others: Returns ids of what the server holds and the standard API does not list, for the
            cases of failure: target groups, unfinished uploads …
        link: Lets the server's next answer to a list be a page that links to a URL:
            ``link("list_nodes", "http://…")``. Needed with ``cases(…, links=…)``.
    """

    settings: Mapping[str, Any]
    reset: Callable[[], None] | None = field(default=None, kw_only=True)
    interval: float = field(default=0.0, kw_only=True)
    patience: float = field(default=30.0, kw_only=True)
    fill: Callable[[str, int], None] | None = field(default=None, kw_only=True)
    link: Callable[[str, str], None] | None = field(default=None, kw_only=True)
    list_lag: float | None = field(default=0.0, kw_only=True)
    others: Callable[[], Collection[Hashable]] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class ComputeSetup(Setup):
    """What the cases of compute may make.

    Attributes:
        size: Id of the size of nodes.
        image: Id of the image of nodes.
        location: Id of the region or zone, or None for the driver's own.
        node_options: Further arguments of `create_node`.
        volume_size: GB of a volume.
        cidr: Address range of a network.
        subnet_cidr: Address range of a subnet of it.
        interface: Where `wait_until_running` looks for an address.
    """

    size: str
    image: str
    location: str | None = None
    node_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    volume_size: int = 10
    cidr: str = "10.66.0.0/16"
    subnet_cidr: str = "10.66.1.0/24"
    interface: str = "public_ips"


StorageCondition = Literal["put-if-match", "put-if-none-match", "get-if-match", "get-if-none-match"]

_CONDITIONS: frozenset[StorageCondition] = frozenset(
    {"put-if-match", "put-if-none-match", "get-if-match", "get-if-none-match"}
)


@dataclass(frozen=True, kw_only=True)
class StorageSetup(Setup):
    """What the cases of storage may make, and what the server can of what a provider can.

    Attributes:
        odd_names: Names of objects, beyond letters and digits, that must come back as they are.
        longest_name: Bytes of a name at the most, which are tried, and one more; None tries none.
        delimiters: What parts names besides ``"/"``, for `list_directory`.
        storage_class: Storage class to store, copy and update objects with; None tries none.
        conditions: Which conditions of uploads (``put-…``) and of downloads (``get-…``) there are.
        checks_digests: Whether the server compares content with the digests that are sent along.
        checks_signatures: Whether the server refuses a presigned address that was changed.
    """

    odd_names: tuple[str, ...] = (
        "a folder/and a file.txt",
        "plus+and&equals=question?hash#percent%20.txt",
        "umlaut ü, 漢字, 🎈.txt",
        "quote'double\"less<greater>.txt",
        "tilde~star*bracket(1)[2]{3}!$,;:@.txt",
        "two//slashes///three",
        "/slash in front",
        "slash at the end/",
        "dots at the end...",
        "dots/../and/./more",
        "percent%2Fslash%",
        " space at both ends ",
        "back\\slash|and`tick^.txt",
        "composed caf\u00e9",
        "decomposed cafe\u0301",
    )
    longest_name: int | None = 1024
    delimiters: tuple[str, ...] = ("-",)
    storage_class: str | None = None
    conditions: frozenset[StorageCondition] = _CONDITIONS
    checks_digests: bool = True
    checks_signatures: bool = True


@dataclass(frozen=True, kw_only=True)
class DNSSetup(Setup):
    """What the cases of DNS may make.

    Attributes:
        domain: Domain below which zones are made; nobody is asked about it.
        records: For types whose values a provider restricts: value and `extra` to try.
    """

    domain: str = "example.com"
    records: Mapping[str, tuple[str, Mapping[str, Any]]] = field(
        default_factory=dict[str, tuple[str, Mapping[str, Any]]]
    )


def _two_addresses() -> tuple[Member, Member]:
    return Member(None, "10.66.1.4", 8080), Member(None, "10.66.1.5", 8080)


@dataclass(frozen=True, kw_only=True)
class LoadBalancerSetup(Setup):
    """What the cases of load balancers may make.

    Attributes:
        protocol: What balancers speak.
        port: Port that they listen on; the next one must be free as well.
        algorithm: How they choose; None for the provider's default.
        other_protocol: What a balancer speaks after it was changed; None tries no such change.
        location: Id of the region, or None for the driver's own.
        options: Further arguments of `create_balancer`.
        has_tags: Whether the provider's balancers have tags.
        members: Returns two different things that balancers may send connections to; it makes
            them first if need be, as `reset` may have emptied the server. By default addresses.
        node: Returns a node that may be a member, made likewise; None tries none.
    """

    protocol: str = "http"
    port: int = 8080
    algorithm: Algorithm | None = None
    other_protocol: str | None = None
    location: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    has_tags: bool = True
    members: Callable[[], tuple[Member, Member]] = _two_addresses
    node: Callable[[], Node] | None = None
