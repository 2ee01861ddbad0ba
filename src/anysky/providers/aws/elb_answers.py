"""What ELBv2 answers, and the models that are made of it.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Types.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from anysky.model.base import lazy_extra
from anysky.model.elb import Listener, Rule, TargetGroup
from anysky.model.loadbalancer import Algorithm, LoadBalancer, Member, MemberCondition, State
from anysky.wire import xml

__all__ = [
    "ALGORITHMS",
    "Attributes",
    "Balancers",
    "CreatedBalancers",
    "CreatedListeners",
    "CreatedRules",
    "CreatedTargetGroups",
    "FoundBalancer",
    "FoundTarget",
    "Health",
    "Listeners",
    "Rules",
    "Subnets",
    "TagDescriptions",
    "TargetGroups",
    "balancer_of",
    "listener_of",
    "member_of",
    "rule_of",
    "target_group_of",
    "with_listeners",
]

ALGORITHMS: Mapping[Algorithm, str] = {
    Algorithm.ROUND_ROBIN: "round_robin",
    Algorithm.LEAST_CONNECTIONS: "least_outstanding_requests",
    Algorithm.RANDOM: "weighted_random",
}
_STATES: Mapping[str, State] = {
    "active": State.RUNNING,
    "active_impaired": State.RUNNING,  # it runs, but cannot grow
    "provisioning": State.PENDING,
    "failed": State.ERROR,
}
_CONDITIONS: Mapping[str, MemberCondition] = {
    "healthy": MemberCondition.ENABLED,
    "unavailable": MemberCondition.ENABLED,  # nobody looks at its health
    "draining": MemberCondition.DRAINING,
    "unhealthy.draining": MemberCondition.DRAINING,
}


class FoundBalancer(xml.Record):
    """A balancer."""

    id: str = xml.required("LoadBalancerArn")
    name: str = xml.required("LoadBalancerName")
    dns_name: str = xml.text("DNSName", "")
    state: str = xml.text("State/Code", "")
    vpc: str = xml.text("VpcId", "")
    raw: bytes = xml.source()


class Balancers(xml.Record, root="DescribeLoadBalancersResponse"):
    """The answer of DescribeLoadBalancers."""

    balancers: list[FoundBalancer] = xml.records(
        "DescribeLoadBalancersResult/LoadBalancers/member", FoundBalancer
    )
    next_marker: str | None = xml.text("DescribeLoadBalancersResult/NextMarker")


class CreatedBalancers(xml.Record, root="CreateLoadBalancerResponse"):
    """The answer of CreateLoadBalancer."""

    balancers: list[FoundBalancer] = xml.records(
        "CreateLoadBalancerResult/LoadBalancers/member", FoundBalancer
    )


class _FoundGroup(xml.Record):
    id: str = xml.required("TargetGroupArn")
    name: str = xml.text("TargetGroupName", "")
    protocol: str = xml.text("Protocol", "")
    port: int | None = xml.integer("Port")
    vpc: str = xml.text("VpcId", "")
    target_type: str = xml.text("TargetType", "instance")
    balancers: list[str] = xml.texts("LoadBalancerArns/member")
    raw: bytes = xml.source()


class TargetGroups(xml.Record, root="DescribeTargetGroupsResponse"):
    """The answer of DescribeTargetGroups."""

    groups: list[_FoundGroup] = xml.records(
        "DescribeTargetGroupsResult/TargetGroups/member", _FoundGroup
    )
    next_marker: str | None = xml.text("DescribeTargetGroupsResult/NextMarker")


class CreatedTargetGroups(xml.Record, root="CreateTargetGroupResponse"):
    """The answer of CreateTargetGroup."""

    groups: list[_FoundGroup] = xml.records(
        "CreateTargetGroupResult/TargetGroups/member", _FoundGroup
    )


class _Forwarding(xml.Record):
    """What actions say of target groups: one in the older form, several in the newer."""

    types: list[str] = xml.texts("Type")
    groups: list[str] = xml.texts("TargetGroupArn")
    weighted: list[str] = xml.texts("ForwardConfig/TargetGroups/member/TargetGroupArn")


class _FoundListener(xml.Record):
    id: str = xml.required("ListenerArn")
    balancer: str = xml.text("LoadBalancerArn", "")
    protocol: str = xml.text("Protocol", "")
    port: int | None = xml.integer("Port")
    actions: list[_Forwarding] = xml.records("DefaultActions/member", _Forwarding)
    raw: bytes = xml.source()


class Listeners(xml.Record, root="DescribeListenersResponse"):
    """The answer of DescribeListeners."""

    listeners: list[_FoundListener] = xml.records(
        "DescribeListenersResult/Listeners/member", _FoundListener
    )
    next_marker: str | None = xml.text("DescribeListenersResult/NextMarker")


class CreatedListeners(xml.Record, root="CreateListenerResponse"):
    """The answer of CreateListener."""

    listeners: list[_FoundListener] = xml.records(
        "CreateListenerResult/Listeners/member", _FoundListener
    )


class _Condition(xml.Record):
    """A condition: its values stand in one of several places."""

    field: str = xml.text("Field", "")
    plain: list[str] = xml.texts("Values/member")
    hosts: list[str] = xml.texts("HostHeaderConfig/Values/member")
    paths: list[str] = xml.texts("PathPatternConfig/Values/member")
    headers: list[str] = xml.texts("HttpHeaderConfig/Values/member")
    methods: list[str] = xml.texts("HttpRequestMethodConfig/Values/member")
    sources: list[str] = xml.texts("SourceIpConfig/Values/member")

    @property
    def values(self) -> list[str]:
        """The values, which may be given in two forms at once."""
        several = (self.plain, self.hosts, self.paths, self.headers, self.methods, self.sources)
        return next(filter(None, several), self.plain)


class _FoundRule(xml.Record):
    id: str = xml.required("RuleArn")
    priority: str = xml.text("Priority", "")
    is_default: bool = xml.boolean("IsDefault", False)
    conditions: list[_Condition] = xml.records("Conditions/member", _Condition)
    actions: list[_Forwarding] = xml.records("Actions/member", _Forwarding)
    raw: bytes = xml.source()


class Rules(xml.Record, root="DescribeRulesResponse"):
    """The answer of DescribeRules."""

    rules: list[_FoundRule] = xml.records("DescribeRulesResult/Rules/member", _FoundRule)
    next_marker: str | None = xml.text("DescribeRulesResult/NextMarker")


class CreatedRules(xml.Record, root="CreateRuleResponse"):
    """The answer of CreateRule."""

    rules: list[_FoundRule] = xml.records("CreateRuleResult/Rules/member", _FoundRule)


class FoundTarget(xml.Record):
    """A target of a group, and how it does."""

    id: str = xml.required("Target/Id")
    port: int | None = xml.integer("Target/Port")
    zone: str | None = xml.text("Target/AvailabilityZone")
    state: str = xml.text("TargetHealth/State", "")
    reason: str = xml.text("TargetHealth/Reason", "")
    raw: bytes = xml.source()

    @property
    def is_leaving(self) -> bool:
        """Whether it was deregistered, and only finishes what it has begun."""
        return _CONDITIONS.get(self.state) is MemberCondition.DRAINING


class Health(xml.Record, root="DescribeTargetHealthResponse"):
    """The answer of DescribeTargetHealth."""

    targets: list[FoundTarget] = xml.records(
        "DescribeTargetHealthResult/TargetHealthDescriptions/member", FoundTarget
    )


class _Tagged(xml.Record):
    id: str = xml.text("ResourceArn", "")
    tags: dict[str, str] = xml.pairs("Tags/member", "Key", "Value")


class TagDescriptions(xml.Record, root="DescribeTagsResponse"):
    """The answer of DescribeTags."""

    things: list[_Tagged] = xml.records("DescribeTagsResult/TagDescriptions/member", _Tagged)


class Attributes(xml.Record, root="DescribeTargetGroupAttributesResponse"):
    """The answer of DescribeTargetGroupAttributes."""

    attributes: dict[str, str] = xml.pairs(
        "DescribeTargetGroupAttributesResult/Attributes/member", "Key", "Value"
    )


class Subnets(xml.Record, root="DescribeSubnetsResponse"):
    """The answer of EC2's DescribeSubnets."""

    ids: list[str] = xml.texts("subnetSet/item/subnetId")
    next_token: str | None = xml.text("nextToken")


def balancer_of(found: FoundBalancer, tags: Mapping[str, str]) -> LoadBalancer:
    """Make a balancer, without what its listeners tell."""
    state = _STATES.get(found.state, State.UNKNOWN)
    extra = lazy_extra(partial(_balancer_extra, found))
    return LoadBalancer(found.id, found.name, state, found.dns_name, None, extra, tags)


def with_listeners(
    balancer: LoadBalancer, listeners: Sequence[Listener], algorithm: Algorithm | None = None
) -> LoadBalancer:
    """Add port and protocol to a balancer, which it has if it has one listener."""
    only = listeners[0] if len(listeners) == 1 else None
    known: dict[str, Any] = {
        "protocol": None if only is None else only.protocol,
        "listeners": list(listeners),
    }
    if algorithm is not None:
        known["algorithm"] = algorithm
    port = None if only is None else only.port
    return replace(balancer, port=port, extra=lazy_extra(partial(_with, balancer, known)))


def _balancer_extra(found: FoundBalancer) -> dict[str, Any]:
    return {"vpc": found.vpc, **_everything(found.raw)}


def _with(balancer: LoadBalancer, known: Mapping[str, Any]) -> dict[str, Any]:
    return {**balancer.extra, **known}


def target_group_of(found: _FoundGroup) -> TargetGroup:
    """Make a target group."""
    return TargetGroup(
        found.id,
        found.name,
        found.protocol.lower(),
        found.port,
        found.vpc,
        found.target_type,
        tuple(dict.fromkeys(found.balancers)),
        lazy_extra(partial(_everything, found.raw)),
    )


def listener_of(found: _FoundListener) -> Listener:
    """Make a listener."""
    return Listener(
        found.id,
        found.balancer,
        found.protocol.lower(),
        found.port,
        _action(found.actions),
        _groups(found.actions),
        lazy_extra(partial(_everything, found.raw)),
    )


def rule_of(found: _FoundRule) -> Rule:
    """Make a rule; which listener it is of stands in its ARN."""
    conditions: dict[str, list[str]] = {}
    for one in found.conditions:
        conditions.setdefault(one.field, []).extend(one.values)
    listener_id = found.id.rpartition("/")[0].replace(":listener-rule/", ":listener/")
    return Rule(
        found.id,
        listener_id,
        found.priority,
        found.is_default,
        conditions,
        _action(found.actions),
        _groups(found.actions),
        lazy_extra(partial(_everything, found.raw)),
    )


def member_of(found: FoundTarget, group: TargetGroup, balancer: LoadBalancer | None) -> Member:
    """Make a member of a target; its address is told where targets are addresses."""
    extra = {
        **_everything(found.raw),
        "condition": _CONDITIONS.get(found.state, MemberCondition.DISABLED),
        "health": found.state,
        "reason": found.reason,
        "target_group": group.id,
    }
    ip = found.id if group.target_type == "ip" else ""
    return Member(found.id, ip, found.port, balancer, extra)


def _action(actions: Sequence[_Forwarding]) -> str:
    """Return what is done in the end, after somebody has signed in perhaps."""
    types = [type for one in actions for type in one.types]
    return types[-1] if types else ""


def _groups(actions: Sequence[_Forwarding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for one in actions for id in (*one.groups, *one.weighted)))


def _everything(raw: bytes) -> dict[str, Any]:
    return xml.parse(raw).to_dict()
