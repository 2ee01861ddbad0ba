"""Parts of the load balancers of AWS, which other providers do not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from .base import model

__all__ = ["Listener", "Rule", "TargetGroup"]


@model
class TargetGroup:
    """What a listener sends connections to: targets, and how their health is checked.

    Attributes:
        id: Its ARN.
        name: Its name.
        protocol: What targets speak, in lower case; empty for functions.
        port: Port of targets that have none of their own.
        vpc: Id of the network that the targets are in; empty for functions.
        target_type: What targets are: ``"instance"``, ``"ip"``, ``"lambda"`` or ``"alb"``.
        balancer_ids: Ids of the balancers whose listeners send connections to it.
        extra: Everything else that AWS says, by its names.
    """

    id: str
    name: str
    protocol: str
    port: int | None
    vpc: str
    target_type: str
    balancer_ids: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Listener:
    """A port that a balancer listens on, and where connections go that no rule decides of.

    Attributes:
        id: Its ARN.
        balancer_id: Id of the balancer.
        protocol: What it speaks, in lower case; empty for a gateway's.
        port: The port; None for a gateway's.
        action: What is done with connections: ``"forward"``, ``"redirect"`` …
        target_group_ids: Ids of the target groups that they are sent to.
        extra: Everything else that AWS says, by its names.
    """

    id: str
    balancer_id: str
    protocol: str
    port: int | None
    action: str
    target_group_ids: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Rule:
    """Where a listener sends the requests that meet conditions.

    Attributes:
        id: Its ARN.
        listener_id: Id of the listener.
        priority: Its number, as text; ``"default"`` for the rule that a listener begins with.
        is_default: Whether it is that rule.
        conditions: Values by the names of fields, for example ``{"path-pattern": ["/img/*"]}``.
        action: What is done with requests: ``"forward"``, ``"redirect"`` …
        target_group_ids: Ids of the target groups that they are sent to.
        extra: Everything else that AWS says, by its names.
    """

    id: str
    listener_id: str
    priority: str
    is_default: bool
    conditions: Mapping[str, Sequence[str]]
    action: str
    target_group_ids: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
