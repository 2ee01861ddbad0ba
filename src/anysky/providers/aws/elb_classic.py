"""Elastic Load Balancing, version 1: classic load balancers, as far as to list and destroy them.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from anysky.errors import NotFoundError, UnsupportedOperationError
from anysky.matching import matches
from anysky.model.base import lazy_extra
from anysky.model.compute import Filter
from anysky.model.loadbalancer import LoadBalancer, Member, MemberCondition, State
from anysky.paging import Page
from anysky.wire import xml

from .elb_api import ELBBackend, batches

__all__ = ["ELB"]

_CHANGING = (
    "classic load balancers are listed and destroyed here, and no longer made or changed: "
    "use the driver 'alb', which makes application and network load balancers"
)


class _Listener(xml.Record):
    protocol: str = xml.text("Listener/Protocol", "")
    port: int | None = xml.integer("Listener/LoadBalancerPort")
    instance_port: int | None = xml.integer("Listener/InstancePort")


class _Balancer(xml.Record):
    name: str = xml.required("LoadBalancerName")
    dns_name: str = xml.text("DNSName", "")
    vpc: str | None = xml.text("VPCId")
    listeners: list[_Listener] = xml.records("ListenerDescriptions/member", _Listener)
    raw: bytes = xml.source()


class _Balancers(xml.Record, root="DescribeLoadBalancersResponse"):
    balancers: list[_Balancer] = xml.records(
        "DescribeLoadBalancersResult/LoadBalancerDescriptions/member", _Balancer
    )
    next_marker: str | None = xml.text("DescribeLoadBalancersResult/NextMarker")


class _Tagged(xml.Record):
    name: str = xml.text("LoadBalancerName", "")
    tags: dict[str, str] = xml.pairs("Tags/member", "Key", "Value")


class _TagDescriptions(xml.Record, root="DescribeTagsResponse"):
    balancers: list[_Tagged] = xml.records("DescribeTagsResult/TagDescriptions/member", _Tagged)


class _Instance(xml.Record):
    id: str = xml.required("InstanceId")
    state: str = xml.text("State", "")
    raw: bytes = xml.source()


class _Health(xml.Record, root="DescribeInstanceHealthResponse"):
    instances: list[_Instance] = xml.records(
        "DescribeInstanceHealthResult/InstanceStates/member", _Instance
    )


class ELB(ELBBackend):
    """Classic load balancers of AWS; the id of one is its name."""

    version = "2012-06-01"
    endpoint_setting = "ELASTIC_LOAD_BALANCING"
    protocols: ClassVar[tuple[str, ...]] = ("tcp", "ssl", "http", "https")

    async def list_balancers(self, cursor: str | None, filter: Filter) -> Page[LoadBalancer]:
        """List classic balancers: DescribeLoadBalancers, DescribeTags."""
        answer = await self._call("DescribeLoadBalancers", {"Marker": cursor}, _Balancers)
        tags = await self._tags([one.name for one in answer.balancers])
        found = [_balancer(one, tags.get(one.name, {})) for one in answer.balancers]
        return Page([one for one in found if matches(one, filter)], answer.next_marker or None)

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Fetch a classic balancer by its name: DescribeLoadBalancers, DescribeTags."""
        found = await self._found(balancer_id)
        tags = await self._tags([found.name])
        return _balancer(found, tags.get(found.name, {}))

    async def destroy_balancer(self, balancer: LoadBalancer) -> None:
        """Delete a classic balancer with its listeners: DeleteLoadBalancer."""
        await self._found(balancer.id)  # AWS deletes what is not there without a word
        await self._act("DeleteLoadBalancer", {"LoadBalancerName": balancer.id})

    async def list_members(
        self,
        balancer: LoadBalancer,
        cursor: str | None,  # noqa: ARG002 - there is one page
    ) -> Page[Member]:
        """List the instances of a classic balancer: DescribeInstanceHealth.

        ``extra["health"]`` is what AWS says of an instance, for example ``"InService"``.
        """
        found = await self._found(balancer.id)
        answer = await self._call(
            "DescribeInstanceHealth", {"LoadBalancerName": balancer.id}, _Health
        )
        ports = {one.instance_port for one in found.listeners}
        port = ports.pop() if len(ports) == 1 else None
        return Page([_member(one, port, balancer) for one in answer.instances])

    def _unsupported(self, operation: str) -> UnsupportedOperationError:
        return UnsupportedOperationError(f"{type(self).__name__} has no {operation}: {_CHANGING}")

    async def _found(self, name: str) -> _Balancer:
        wanted = {"LoadBalancerNames": [name]}
        answer = await self._call("DescribeLoadBalancers", wanted, _Balancers)
        if not answer.balancers:
            raise NotFoundError(f"there is no classic balancer {name!r}")
        return answer.balancers[0]

    async def _tags(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of balancers by their names; those that are gone are left out."""
        found = await self.runtime.gather([self._some_tags(batch) for batch in batches(names)])
        return {name: tags for some in found for name, tags in some.items()}

    async def _some_tags(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        try:
            wanted = {"LoadBalancerNames": list(names)}
            answer = await self._call("DescribeTags", wanted, _TagDescriptions)
        except NotFoundError:  # one of them is gone
            if len(names) == 1:
                return {}
            some = await self.runtime.gather([self._some_tags([name]) for name in names])
            return {name: tags for one in some for name, tags in one.items()}
        return {one.name: one.tags for one in answer.balancers}


def _balancer(found: _Balancer, tags: Mapping[str, str]) -> LoadBalancer:
    only = found.listeners[0] if len(found.listeners) == 1 else None
    port = None if only is None else only.port
    extra = lazy_extra(partial(_extra, found))
    # AWS tells no state of a classic balancer.
    return LoadBalancer(found.name, found.name, State.UNKNOWN, found.dns_name, port, extra, tags)


def _extra(found: _Balancer) -> dict[str, Any]:
    only = found.listeners[0] if len(found.listeners) == 1 else None
    protocol = None if only is None else only.protocol.lower()
    return {"vpc": found.vpc, "protocol": protocol, **xml.parse(found.raw).to_dict()}


def _member(found: _Instance, port: int | None, balancer: LoadBalancer) -> Member:
    is_serving = found.state == "InService"
    condition = MemberCondition.ENABLED if is_serving else MemberCondition.DISABLED
    extra = {**xml.parse(found.raw).to_dict(), "condition": condition, "health": found.state}
    return Member(found.id, "", port, balancer, extra)
