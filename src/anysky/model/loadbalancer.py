"""Models of the load-balancer service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum
from typing import Any

from .base import model

__all__ = [
    "Algorithm",
    "BalancerChanges",
    "BalancerSpec",
    "LoadBalancer",
    "Member",
    "MemberCondition",
    "State",
]


class Algorithm(IntEnum):
    """How a balancer chooses the member that a connection goes to; each is equal to a number."""

    RANDOM = 0
    ROUND_ROBIN = 1
    LEAST_CONNECTIONS = 2
    WEIGHTED_ROUND_ROBIN = 3
    WEIGHTED_LEAST_CONNECTIONS = 4
    SHORTEST_RESPONSE = 5
    PERSISTENT_IP = 6
    LEAST_CONNECTIONS_MEMBER = 7
    LEAST_CONNECTIONS_NODE = 8
    OBSERVED_MEMBER = 9
    OBSERVED_NODE = 10
    PREDICTIVE_MEMBER = 11
    PREDICTIVE_NODE = 12


class State(IntEnum):
    """What a balancer is doing; each is equal to a number."""

    RUNNING = 0
    PENDING = 1
    UNKNOWN = 2
    ERROR = 3
    DELETED = 4


class MemberCondition(IntEnum):
    """Whether a member gets connections; each is equal to a number."""

    ENABLED = 0
    DISABLED = 1
    DRAINING = 2


@model
class LoadBalancer:
    """A balancer: what spreads connections over its members.

    Attributes:
        id: The provider's id.
        name: Its name.
        state: What it is doing.
        ip: Where it is reached: an address, or a name that DNS knows. Empty while the provider
            has not given it one yet.
        port: Port that it listens on; None if there are several or none.
        extra: Everything else that the provider says. ``protocol`` is as in `create_balancer`
            and ``algorithm`` an `Algorithm`, where the answer tells; both are None if there are
            several.
        tags: Tags or labels; a provider that has plain words keeps each with an empty value.
    """

    id: str
    name: str
    state: State
    ip: str
    port: int | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class Member:
    """What a balancer sends connections to.

    Attributes:
        id: The provider's id, which is the node's where nodes are members; None for a member that
            is yet to be attached by its address.
        ip: Its address; empty where the provider tells only the node's id.
        port: Port that it listens on; None for that of the balancer, or if there are several.
        balancer: The balancer that it belongs to, if it does.
        extra: Everything else that the provider says; ``condition`` is a `MemberCondition`, where
            the answer tells.
    """

    id: str | None
    ip: str
    port: int | None
    balancer: LoadBalancer | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class BalancerSpec:
    """What a new balancer shall be.

    Attributes:
        name: Name.
        port: Port that it listens on.
        protocol: One of the backend's `protocols`.
        algorithm: One of the backend's `algorithms`, or None for the provider's default.
        members: What it sends connections to; may be empty.
        location: Id of the region; None for the account's default.
        tags: Tags or labels, set in the creating call.
        options: Options that only this provider has, by their names.
    """

    name: str
    port: int
    protocol: str
    algorithm: Algorithm | None = None
    members: Sequence[Member] = ()
    location: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@model
class BalancerChanges:
    """What shall be changed of a balancer; what is None stays.

    Attributes:
        name: Name.
        algorithm: One of the backend's `algorithms`.
        port: Port that it listens on; that of its members stays.
        protocol: One of the backend's `protocols`.
        options: Options that only this provider has, by their names.
    """

    name: str | None = None
    algorithm: Algorithm | None = None
    port: int | None = None
    protocol: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
