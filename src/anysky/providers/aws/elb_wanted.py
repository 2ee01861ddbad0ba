"""What `create_balancer` is asked for, checked and written as parameters of ELBv2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anysky.backend.base import Option
from anysky.errors import InvalidRequestError
from anysky.model.loadbalancer import BalancerSpec, Member

from .ec2 import id_of
from .elb_answers import ALGORITHMS
from .elb_listeners import listener_parameters
from .elb_targets import target_of

__all__ = ["CREATE_OPTIONS", "TLS_OPTIONS", "TYPES", "Wanted", "check_algorithm", "wanted_balancer"]

TYPES: Mapping[str, str] = {
    "http": "application",
    "https": "application",
    "tcp": "network",
    "tls": "network",
    "udp": "network",
    "tcp_udp": "network",
}
"""Which type of balancer speaks what."""

TLS_OPTIONS = (
    Option("ex_ssl_cert_arn", "str", "ARN of the certificate, for https and tls"),
    Option("ex_ssl_policy", "str", "name of the policy for TLS"),
)
CREATE_OPTIONS = (
    Option("ex_subnets", "list[Subnet | str]", "subnets of one VPC; else those of the default VPC"),
    Option("ex_scheme", "str", "'internet-facing', which is the default, or 'internal'"),
    Option("ex_security_groups", "list[SecurityGroup | str]", "else the VPC's default group"),
    Option("ex_ip_address_type", "str", "'ipv4', which is the default, or 'dualstack'"),
    Option("ex_target_type", "str", "what members are: 'instance' or 'ip'; else by those given"),
    Option("ex_target_protocol", "str", "what members speak; else what the balancer speaks"),
    Option("ex_health_check", "dict[str, Any]", "how members are checked, by AWS's names"),
    Option("ex_tags", "dict[str, str]", "further tags"),
    *TLS_OPTIONS,
)

_HEALTH_CHECK = frozenset(
    {
        "HealthCheckEnabled",
        "HealthCheckIntervalSeconds",
        "HealthCheckPath",
        "HealthCheckPort",
        "HealthCheckProtocol",
        "HealthCheckTimeoutSeconds",
        "HealthyThresholdCount",
        "Matcher",
        "UnhealthyThresholdCount",
    }
)
_TARGET_TYPES = ("instance", "ip")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A balancer that is wanted, as far as nothing need be asked for.

    Attributes:
        balancer: Parameters of CreateLoadBalancer without the subnets.
        subnets: Ids of the subnets that are given.
        group: Parameters of CreateTargetGroup without the VPC.
        targets: What to register.
        listener: Parameters of CreateListener without the ARNs.
        algorithm: AWS's name of the algorithm, if it is not AWS's default.
        tags: Tags of all parts.
    """

    balancer: Mapping[str, Any]
    subnets: Sequence[str]
    group: Mapping[str, Any]
    targets: Sequence[Mapping[str, str | int]]
    listener: Mapping[str, Any]
    algorithm: str | None
    tags: Mapping[str, str]


def wanted_balancer(spec: BalancerSpec) -> Wanted:
    """Check what is asked for; nothing is sent.

    Raises:
        InvalidRequestError: It cannot be.
    """
    options = spec.options
    type = TYPES[spec.protocol]
    check_algorithm(type, spec.algorithm)
    target_type = _target_type(spec.members, options.get("ex_target_type"))
    certificate, policy = options.get("ex_ssl_cert_arn"), options.get("ex_ssl_policy")
    algorithm = None if spec.algorithm is None else ALGORITHMS[spec.algorithm]
    return Wanted(
        _balancer(spec, type),
        [id_of(one) for one in options.get("ex_subnets", ())],
        _group(spec, target_type),
        [target_of(one, target_type, spec.port) for one in spec.members],
        listener_parameters(spec.port, spec.protocol, certificate, policy),
        None if algorithm == "round_robin" else algorithm,
        {**spec.tags, **options.get("ex_tags", {})},
    )


def check_algorithm(type: str, algorithm: object) -> None:
    """Refuse an algorithm for a balancer that takes none.

    Raises:
        InvalidRequestError: It is a network load balancer.
    """
    if type != "application" and algorithm is not None:
        raise InvalidRequestError(
            "a network load balancer keeps each connection at one member, by the addresses and "
            "ports of both ends: give no algorithm"
        )


def _balancer(spec: BalancerSpec, type: str) -> dict[str, Any]:
    options = spec.options
    groups = options.get("ex_security_groups")
    return {
        "Name": spec.name,
        "Type": type,
        "Scheme": options.get("ex_scheme"),
        "SecurityGroups": None if groups is None else [id_of(one) for one in groups],
        "IpAddressType": options.get("ex_ip_address_type"),
    }


def _group(spec: BalancerSpec, target_type: str) -> dict[str, Any]:
    health: Mapping[str, Any] = spec.options.get("ex_health_check", {})
    unknown = sorted(health.keys() - _HEALTH_CHECK)
    if unknown:
        known = ", ".join(sorted(_HEALTH_CHECK))
        raise InvalidRequestError(f"ex_health_check has {known}; not {', '.join(unknown)}")
    protocol: str = spec.options.get("ex_target_protocol", spec.protocol)
    return {
        "Name": spec.name,
        "Protocol": protocol.upper(),
        "Port": spec.port,
        "TargetType": target_type,
        **health,
    }


def _target_type(members: Sequence[Member], given: str | None) -> str:
    """Return what members are if nobody says so; the id of a listed address is the address."""
    if given is not None:
        if given not in _TARGET_TYPES:
            raise InvalidRequestError(f"ex_target_type is 'instance' or 'ip', not {given!r}")
        return given
    kinds = {"instance" if one.id and one.id != one.ip else "ip" for one in members}
    if len(kinds) > 1:
        raise InvalidRequestError("members are all nodes by their ids, or all addresses")
    return kinds.pop() if kinds else "instance"
