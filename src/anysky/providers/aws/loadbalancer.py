"""Elastic Load Balancing, version 2: application and network load balancers.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from anysky.backend.base import Effect, Option
from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.errors import AlreadyExistsError, ConflictError, InvalidRequestError, NotFoundError
from anysky.matching import matches
from anysky.model.compute import Filter, Node
from anysky.model.elb import Listener, TargetGroup
from anysky.model.loadbalancer import (
    Algorithm,
    BalancerChanges,
    BalancerSpec,
    LoadBalancer,
    Member,
    MemberCondition,
)
from anysky.paging import Page

from .ec2 import filter_parameter, id_of
from .elb_answers import (
    ALGORITHMS,
    Balancers,
    CreatedBalancers,
    FoundBalancer,
    Subnets,
    balancer_of,
    member_of,
    with_listeners,
)
from .elb_listeners import ELBv2Listeners, certificates_of
from .elb_tags import first, made, tag_list
from .elb_targets import Target, target_of
from .elb_wanted import (
    CREATE_OPTIONS,
    TLS_OPTIONS,
    TYPES,
    Wanted,
    check_algorithm,
    wanted_balancer,
)

__all__ = ["ELBv2"]

_BALANCER_TAG = "anysky-balancer"
_ALGORITHM = "load_balancing.algorithm.type"
_ARN = re.compile(
    r"arn:[a-z0-9-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/\S{1,200}"
)
_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
_KINDS = {"app": "application", "net": "network"}
_RELEASED_WITHIN = 60.0  # seconds until a target group is free whose balancer is gone
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0


class ELBv2(ELBv2Listeners):
    """Application and network load balancers of AWS; which, the protocol decides."""

    protocols: ClassVar[tuple[str, ...]] = tuple(TYPES)
    algorithms: ClassVar[Mapping[Algorithm, str]] = ALGORITHMS
    changeable: ClassVar[frozenset[str]] = frozenset({"algorithm", "port", "protocol"})
    effects: ClassVar[Mapping[str, Effect]] = {
        **LoadBalancerBackend.effects,
        "create_load_balancer": Effect("destroy_balancer"),
        "create_target_group": Effect("delete_target_group"),
        "create_listener": Effect("delete_listener"),
        "create_listener_rule": Effect("delete_rule"),
    }
    marked = frozenset(
        {
            "create_balancer",
            "create_load_balancer",
            "create_target_group",
            "create_listener",
            "create_listener_rule",
        }
    )
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "create_balancer": CREATE_OPTIONS,
        "update_balancer": TLS_OPTIONS,
    }

    async def list_balancers(self, cursor: str | None, filter: Filter) -> Page[LoadBalancer]:
        """List balancers: DescribeLoadBalancers, DescribeTags, and DescribeListeners for each.

        What their listeners say is in ``extra["listeners"]``; the algorithm is left out.
        """
        try:
            answer = await self._call("DescribeLoadBalancers", _asked(cursor, filter), Balancers)
        except NotFoundError:
            return Page([])
        tags = await self._tags([one.id for one in answer.balancers])
        tagged = [balancer_of(one, tags.get(one.id, {})) for one in answer.balancers]
        wanted = [one for one in tagged if matches(one, filter)]
        found = await self.runtime.gather([self._if_there(one) for one in wanted])
        return Page([one for some in found for one in some], answer.next_marker or None)

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Fetch a balancer: as `list_balancers`, and DescribeTargetGroupAttributes."""
        found = await self._balancer(balancer_id)
        listeners = await self.list_listeners(balancer_id)
        algorithm = await self._algorithm_of(balancer_id, listeners)
        return with_listeners(found, listeners, algorithm)

    async def create_balancer(self, spec: BalancerSpec) -> LoadBalancer:
        """Make a balancer, a target group, and a listener that sends all to this.

        CreateLoadBalancer, CreateTargetGroup, RegisterTargets, CreateListener; before them a look
        whether the names are free, and DescribeSubnets of EC2 unless ``ex_subnets`` are given.

        Raises:
            AlreadyExistsError: There is a balancer, or a target group, of this name.
            InvalidRequestError: Members are no nodes, or no addresses, where they must be; a
                certificate is missing; there is no default VPC.
        """
        wanted = wanted_balancer(spec)
        await self._check_location(spec.location)
        await self._check_free(spec.name)
        subnets = wanted.subnets or await self._default_subnets()
        async with self.ledger("create_balancer"):
            return await self._make_whole(spec, wanted, subnets)

    async def update_balancer(
        self, balancer: LoadBalancer, changes: BalancerChanges
    ) -> LoadBalancer:
        """Change its listener or algorithm: ModifyListener, ModifyTargetGroupAttributes.

        The port and protocol of its members stay.

        Raises:
            InvalidRequestError: The protocol is for balancers of the other type.
            ConflictError: It has several listeners, or none.
        """
        type = _type_of(balancer.id)
        check_algorithm(type, changes.algorithm)
        if changes.protocol is not None and TYPES[changes.protocol] != type:
            raise InvalidRequestError(f"a balancer of the type {type!r} has no {changes.protocol}")
        listener = _only(await self.list_listeners(balancer), balancer)
        modified = _modified(changes)
        if modified:
            await self._act("ModifyListener", {"ListenerArn": listener.id, **modified})
        if changes.algorithm is not None:
            for group_id in listener.target_group_ids:
                await self._set_algorithm(group_id, ALGORITHMS[changes.algorithm])
        return await self.get_balancer(balancer.id)

    async def destroy_balancer(self, balancer: LoadBalancer) -> None:
        """Delete a balancer with its listeners, and the target group made together with it.

        DeleteLoadBalancer, then DeleteTargetGroup, unless another balancer uses the group as well.
        If that fails, only the group is left, and destroying the balancer once more deletes it.

        Raises:
            ConflictError: It is protected from deletion; or it is gone and its target group is
                not released.
        """
        groups = await self._own_groups(balancer)
        try:
            await self._found({"LoadBalancerArns": [balancer.id]})
        except NotFoundError:  # AWS deletes what is not there without a word
            if not groups:
                raise
        else:
            await self._act("DeleteLoadBalancer", {"LoadBalancerArn": balancer.id})
        for group in groups:
            await self._delete_released(group)

    async def list_members(
        self,
        balancer: LoadBalancer,
        cursor: str | None,  # noqa: ARG002 - there is one page
    ) -> Page[Member]:
        """List the targets of all its target groups: DescribeTargetHealth for each.

        ``extra["health"]`` is what AWS says of a target, ``extra["target_group"]`` its group.
        """
        groups = await self.list_target_groups(balancer)
        found = await self.runtime.gather([self._targets(group.id) for group in groups])
        pairs = zip(groups, found, strict=True)
        return Page([member_of(one, group, balancer) for group, some in pairs for one in some])

    async def attach_member(self, balancer: LoadBalancer, member: Member) -> Member:
        """Add a target to its target group, on the group's port if none is given: RegisterTargets.

        AWS does not tell whether it was in it already.

        Raises:
            ConflictError: It has several target groups, or none: see `register_targets`.
        """
        group = _only_group(await self.list_target_groups(balancer), balancer)
        return await self._attach(balancer, group, member)

    async def attach_node(self, balancer: LoadBalancer, node: Node) -> Member:
        """Add a node to its target group, by id or by its private address; see `attach_member`."""
        group = _only_group(await self.list_target_groups(balancer), balancer)
        member = Member(node.id, next(iter(node.private_ips), ""), None)
        return await self._attach(balancer, group, member)

    async def detach_member(self, balancer: LoadBalancer, member: Member) -> None:
        """Take a target from its target groups, of all ports if none is given: DeregisterTargets.

        What it has begun it finishes, for five minutes at the most unless the group says otherwise.
        """
        port: Target = {} if member.port is None else {"Port": member.port}
        meant: list[Target] = [{"Id": id, **port} for id in {member.id, member.ip} if id]
        is_done = False
        for group in await self.list_target_groups(balancer):
            try:
                await self._deregister_targets(group.id, meant)
            except NotFoundError:
                continue
            is_done = True
        if not is_done:
            name = member.id or member.ip
            raise NotFoundError(f"the balancer {balancer.name!r} has no member {name!r}")

    async def create_load_balancer(
        self,
        name: str,
        type: str = "application",
        addr_type: str | None = None,
        scheme: str | None = None,
        security_groups: Sequence[Any] | None = None,
        subnets: Sequence[Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> LoadBalancer:
        """Make a balancer alone, without a listener: CreateLoadBalancer.

        Args:
            name: Its name, which no other balancer of the region has.
            type: ``"application"``, ``"network"`` or ``"gateway"``.
            addr_type: ``"ipv4"``, which is the default, or ``"dualstack"``.
            scheme: ``"internet-facing"``, which is the default, or ``"internal"``.
            security_groups: Security groups, or their ids.
            subnets: Subnets of one VPC, or their ids; None for those of the default VPC.
            tags: Tags.

        Raises:
            AlreadyExistsError: There is one of this name.
        """
        if await self._balancers_of_name(name):
            raise _taken("balancer", name)
        parameters = {
            "Name": name,
            "Type": type,
            "IpAddressType": addr_type,
            "Scheme": scheme,
            "SecurityGroups": security_groups and [id_of(one) for one in security_groups],
            "Subnets": [id_of(one) for one in subnets or await self._default_subnets()],
        }
        return await self._make_balancer(parameters, tags or {})

    # -- making ----------------------------------------------------------------------------------

    async def _make_whole(
        self, spec: BalancerSpec, wanted: Wanted, subnets: Sequence[str]
    ) -> LoadBalancer:
        """Make all parts; each is a step of the running ledger."""
        whole = {**wanted.balancer, "Subnets": list(subnets)}
        balancer = await self._make_balancer(whole, wanted.tags)
        group = await self._make_target_group(
            {**wanted.group, "VpcId": balancer.extra["vpc"]},
            {**wanted.tags, _BALANCER_TAG: balancer.id},
        )
        if wanted.algorithm is not None:
            await self._choose_algorithm(group, wanted.algorithm)
        if wanted.targets:
            await self._add_targets(group.id, wanted.targets)
        listener = await self._make_listener(balancer.id, group.id, wanted.listener, wanted.tags)
        is_application = TYPES[spec.protocol] == "application"
        algorithm = spec.algorithm or (Algorithm.ROUND_ROBIN if is_application else None)
        return with_listeners(balancer, [listener], algorithm)

    async def _make_balancer(
        self, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> LoadBalancer:
        name = str(parameters["Name"])
        async with self.ledger("create_load_balancer") as ledger:
            return await ledger.step(
                f"balancer {name}",
                self._create_load_balancer(parameters, tags),
                undo=self.destroy_balancer,
                find=self._find_balancer,
                find_args=(name,),
            )

    async def _create_load_balancer(
        self, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> LoadBalancer:
        whole = {**parameters, "Tags": tag_list(tags)}
        answer = await self._call("CreateLoadBalancer", whole, CreatedBalancers)
        return balancer_of(made(answer.balancers, "balancer"), tags)

    async def _find_balancer(self, mark: str, name: str) -> list[LoadBalancer]:
        found = await self._balancers_of_name(name)
        marked = await self._marked([one.id for one in found], mark)
        return [balancer_of(one, {}) for one in found if one.id in marked]

    async def _choose_algorithm(self, group: TargetGroup, algorithm: str) -> None:
        async with self.ledger("create_balancer") as ledger:
            await ledger.step(
                f"algorithm {algorithm}",
                self._set_algorithm(group.id, algorithm),
                undo=self._set_algorithm,
                undo_args=(group.id, "round_robin"),
                find=self._find_algorithm,
                find_args=(group.id, algorithm),
            )

    async def _set_algorithm(self, group_id: str, algorithm: str) -> None:
        await self.modify_target_group_attributes(group_id, {_ALGORITHM: algorithm})

    async def _find_algorithm(self, _mark: str, group_id: str, algorithm: str) -> list[None]:
        attributes = await self.describe_target_group_attributes(group_id)
        return [None] if attributes.get(_ALGORITHM) == algorithm else []

    async def _attach(self, balancer: LoadBalancer, group: TargetGroup, member: Member) -> Member:
        target = target_of(member, group.target_type, group.port)
        await self._register_targets(group.id, [target])
        ip = member.ip if group.target_type == "ip" else ""
        extra = {"target_group": group.id}
        return Member(str(target["Id"]), ip, member.port or group.port, balancer, extra)

    # -- looking ---------------------------------------------------------------------------------

    async def _check_location(self, location: str | None) -> None:
        region = await self._region()
        if location not in (None, region):
            raise InvalidRequestError(
                f"this driver is for the region {region}: make another for {location!r}"
            )

    async def _check_free(self, name: str) -> None:
        """Refuse names that are taken: AWS would take a thing of the same settings for the new one.

        Raises:
            AlreadyExistsError: There is a balancer, or a target group, of this name.
        """
        if await self._balancers_of_name(name):
            raise _taken("balancer", name)
        if await self._groups_named(name):
            raise _taken("target group", name)

    async def _default_subnets(self) -> list[str]:
        """Return the subnets of the default VPC, one in each zone."""
        wanted = {"default-for-az": "true", "state": "available"}
        answer = await self._ask_ec2("DescribeSubnets", filter_parameter(wanted), Subnets)
        if not answer.ids:
            raise InvalidRequestError(
                f"there is no default VPC with subnets in {await self._region()}: pass ex_subnets"
            )
        return answer.ids

    async def _balancer(self, balancer_id: str) -> LoadBalancer:
        """Fetch a balancer without its listeners."""
        found = first(await self._found({"LoadBalancerArns": [balancer_id]}), balancer_id)
        tags = await self._tags([found.id])
        return balancer_of(found, tags.get(found.id, {}))

    async def _balancers_of_name(self, name: str) -> list[FoundBalancer]:
        try:
            return await self._found({"Names": [name]})
        except NotFoundError:
            return []

    async def _found(self, wanted: Mapping[str, Any]) -> list[FoundBalancer]:
        return (await self._call("DescribeLoadBalancers", wanted, Balancers)).balancers

    async def _if_there(self, balancer: LoadBalancer) -> list[LoadBalancer]:
        """Return a balancer that was listed, with its listeners; nothing if it is gone by now."""
        try:
            return [with_listeners(balancer, await self.list_listeners(balancer))]
        except NotFoundError:
            return []

    async def _algorithm_of(
        self, balancer_id: str, listeners: Sequence[Listener]
    ) -> Algorithm | None:
        groups = {id for one in listeners for id in one.target_group_ids}
        if len(groups) != 1 or _type_of(balancer_id) != "application":
            return None
        attributes = await self.describe_target_group_attributes(groups.pop())
        value = attributes.get(_ALGORITHM)
        return next((one for one, name in ALGORITHMS.items() if name == value), None)

    async def _own_groups(self, balancer: LoadBalancer) -> list[TargetGroup]:
        """Return the target group that was made with a balancer, if it is not used by others."""
        named = await self._groups_named(balancer.name)
        alone = [one for one in named if set(one.balancer_ids) <= {balancer.id}]
        tags = await self._tags([one.id for one in alone])
        return [one for one in alone if tags.get(one.id, {}).get(_BALANCER_TAG) == balancer.id]

    async def _delete_released(self, group: TargetGroup) -> None:
        """Delete a target group as soon as AWS knows that its balancer is gone."""
        end, wait = self.runtime.now() + _RELEASED_WITHIN, _FIRST_WAIT
        while True:
            try:
                await self.delete_target_group(group)
            except ConflictError:
                if self.runtime.now() + wait > end:
                    raise
            else:
                return
            await self.runtime.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def _members_at(
        self, balancer: LoadBalancer, id: str | None, ips: Collection[str], port: int | None
    ) -> list[Member]:
        found = await super()._members_at(balancer, id, ips, port)
        return [one for one in found if one.extra["condition"] is not MemberCondition.DRAINING]


def _asked(cursor: str | None, filter: Filter) -> dict[str, Any]:
    """Return what to ask for: all, or one thing that may be; the portable class looks again."""
    if len(filter.ids) == 1 and _ARN.fullmatch(filter.ids[0]):
        return {"LoadBalancerArns": list(filter.ids)}
    if filter.name is not None and not filter.ids and _NAME.fullmatch(filter.name):
        return {"Names": [filter.name]}
    return {"Marker": cursor}


def _type_of(balancer_id: str) -> str:
    """Return the type of a balancer, which its ARN tells."""
    kind = balancer_id.partition(":loadbalancer/")[2].partition("/")[0]
    return _KINDS.get(kind, "gateway")


def _only(listeners: Sequence[Listener], balancer: LoadBalancer) -> Listener:
    if len(listeners) != 1:
        raise ConflictError(
            f"the balancer {balancer.name!r} has {len(listeners)} listeners: say which is meant, "
            "with `ask` and ModifyListener"
        )
    return listeners[0]


def _only_group(groups: Sequence[TargetGroup], balancer: LoadBalancer) -> TargetGroup:
    if len(groups) != 1:
        raise ConflictError(
            f"the balancer {balancer.name!r} has {len(groups)} target groups: say which is meant, "
            "with `register_targets`"
        )
    return groups[0]


def _modified(changes: BalancerChanges) -> dict[str, Any]:
    """Write changes as parameters of ModifyListener; none if the listener stays as it is."""
    parameters = {
        "Port": changes.port,
        "Protocol": None if changes.protocol is None else changes.protocol.upper(),
        "Certificates": certificates_of(changes.options.get("ex_ssl_cert_arn")),
        "SslPolicy": changes.options.get("ex_ssl_policy"),
    }
    return {name: value for name, value in parameters.items() if value is not None}


def _taken(what: str, name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"there is a {what} {name!r} already")
