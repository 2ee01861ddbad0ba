"""Target groups of ELBv2 and what is in them.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anysky.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from anysky.model.elb import TargetGroup
from anysky.model.loadbalancer import LoadBalancer, Member
from anysky.paging import Page
from anysky.waiting import all_pages

from .ec2 import id_of
from .elb_answers import (
    Attributes,
    CreatedTargetGroups,
    FoundTarget,
    Health,
    TargetGroups,
    member_of,
    target_group_of,
)
from .elb_tags import ELBv2Tags, first, made, pairs, tag_list

__all__ = ["ELBv2Targets", "Target", "target_of"]

Target = Mapping[str, str | int]
"""What `TargetDescription` is in the reference: ``Id`` and ``Port``."""


class ELBv2Targets(ELBv2Tags):
    """Target groups, and the targets in them."""

    async def list_target_groups(
        self, balancer: LoadBalancer | str | None = None
    ) -> list[TargetGroup]:
        """Return all target groups, or those of a balancer: DescribeTargetGroups.

        Raises:
            NotFoundError: There is no such balancer.
        """
        wanted = {} if balancer is None else {"LoadBalancerArn": id_of(balancer)}
        try:
            return await self._target_groups(wanted)
        except NotFoundError as error:
            if error.code == "TargetGroupNotFound":  # the balancer has none
                return []
            raise

    async def get_target_group(self, target_group_id: str) -> TargetGroup:
        """Fetch a target group: DescribeTargetGroups.

        Raises:
            NotFoundError: There is no such target group.
        """
        found = await self._target_groups({"TargetGroupArns": [target_group_id]})
        return first(found, target_group_id)

    async def create_target_group(
        self,
        name: str,
        port: int,
        proto: str,
        vpc: str,
        health_check_interval: int | None = None,
        health_check_path: str | None = None,
        health_check_port: int | str | None = None,
        health_check_proto: str | None = None,
        health_check_timeout: int | None = None,
        health_check_matcher: str | None = None,
        healthy_threshold: int | None = None,
        unhealthy_threshold: int | None = None,
        target_type: str = "instance",
        tags: Mapping[str, str] | None = None,
    ) -> TargetGroup:
        """Make a target group: CreateTargetGroup. What is None is as AWS has it by itself.

        Args:
            name: Its name, which no other target group of the region has.
            port: Port of targets that have none of their own.
            proto: What targets speak: ``"http"``, ``"https"``, ``"tcp"``, ``"tls"``, ``"udp"``
                or ``"tcp_udp"``.
            vpc: Id of the network that the targets are in.
            health_check_interval: Seconds between two checks of a target, 5 to 300.
            health_check_path: What is asked for in checks by HTTP.
            health_check_port: Another port for the checks.
            health_check_proto: ``"http"``, ``"https"`` or ``"tcp"``.
            health_check_timeout: Seconds without an answer after which a check has failed.
            health_check_matcher: Statuses of a good answer: ``"200"``, ``"200,202"`` ….
            healthy_threshold: Good checks in a row that make a target healthy, 2 to 10.
            unhealthy_threshold: Failed checks in a row that make it unhealthy, 2 to 10.
            target_type: ``"instance"`` or ``"ip"``.
            tags: Tags.

        Raises:
            AlreadyExistsError: There is one of this name.
        """
        parameters = {
            "Name": name,
            "Port": port,
            "Protocol": proto.upper(),
            "VpcId": vpc,
            "TargetType": target_type,
            "HealthCheckIntervalSeconds": health_check_interval,
            "HealthCheckPath": health_check_path,
            "HealthCheckPort": health_check_port,
            "HealthCheckProtocol": health_check_proto and health_check_proto.upper(),
            "HealthCheckTimeoutSeconds": health_check_timeout,
            "Matcher": {"HttpCode": health_check_matcher},
            "HealthyThresholdCount": healthy_threshold,
            "UnhealthyThresholdCount": unhealthy_threshold,
        }
        if await self._groups_named(name):  # AWS would take one of the same settings for it
            raise AlreadyExistsError(f"there is a target group {name!r} already")
        return await self._make_target_group(parameters, tags or {})

    async def delete_target_group(self, target_group: TargetGroup | str) -> None:
        """Delete a target group: DeleteTargetGroup.

        Raises:
            ConflictError: A listener or rule sends connections to it.
        """
        await self._act("DeleteTargetGroup", {"TargetGroupArn": id_of(target_group)})

    async def describe_target_group_attributes(
        self, target_group: TargetGroup | str
    ) -> dict[str, str]:
        """Return the attributes of a target group: DescribeTargetGroupAttributes.

        Their names are AWS's, for example ``"deregistration_delay.timeout_seconds"``.
        """
        parameters = {"TargetGroupArn": id_of(target_group)}
        answer = await self._call("DescribeTargetGroupAttributes", parameters, Attributes)
        return answer.attributes

    async def modify_target_group_attributes(
        self, target_group: TargetGroup | str, attributes: Mapping[str, str]
    ) -> None:
        """Set attributes of a target group: ModifyTargetGroupAttributes.

        Args:
            target_group: The target group, or its id.
            attributes: Values by AWS's names, for example
                ``{"deregistration_delay.timeout_seconds": "30"}``.
        """
        await self._act(
            "ModifyTargetGroupAttributes",
            {"TargetGroupArn": id_of(target_group), "Attributes": pairs(attributes)},
        )

    async def list_targets(self, target_group: TargetGroup | str) -> list[Member]:
        """Return the targets of a group, with how they do in `extra`: DescribeTargetHealth."""
        group = await self._group(target_group)
        return [member_of(one, group, None) for one in await self._targets(group.id)]

    async def register_targets(
        self, target_group: TargetGroup | str, members: Sequence[Member] | None = None
    ) -> None:
        """Add targets to a group, as far as they are not in it: RegisterTargets.

        Args:
            target_group: The target group, or its id.
            members: Nodes by their ids, or addresses, whichever the group has.

        Raises:
            InvalidRequestError: A member is not of the group's kind.
        """
        group = await self._group(target_group)
        wanted = [target_of(one, group.target_type, group.port) for one in members or ()]
        there = await self._targets(group.id) if wanted else []
        new = [one for one in wanted if not any(_is_meant(each, one) for each in there)]
        if new:
            await self._add_targets(group.id, new)

    async def deregister_targets(
        self, target_group: TargetGroup | str, members: Sequence[Member]
    ) -> None:
        """Take targets from a group: DeregisterTargets.

        Raises:
            NotFoundError: None of them is in it.
        """
        group = await self._group(target_group)
        meant = [target_of(one, group.target_type, None) for one in members]
        await self._deregister_targets(group.id, meant)

    async def _make_target_group(
        self, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> TargetGroup:
        name = str(parameters["Name"])
        async with self.ledger("create_target_group") as ledger:
            return await ledger.step(
                f"target group {name}",
                self._create_target_group(parameters, tags),
                undo=self.delete_target_group,
                find=self._find_target_group,
                find_args=(name,),
            )

    async def _create_target_group(
        self, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> TargetGroup:
        whole = {**parameters, "Tags": tag_list(tags)}
        answer = await self._call("CreateTargetGroup", whole, CreatedTargetGroups)
        return target_group_of(made(answer.groups, "target group"))

    async def _find_target_group(self, mark: str, name: str) -> list[TargetGroup]:
        groups = await self._groups_named(name)
        marked = await self._marked([one.id for one in groups], mark)
        return [one for one in groups if one.id in marked]

    async def _add_targets(self, group_id: str, targets: Sequence[Target]) -> None:
        async with self.ledger("register_targets") as ledger:
            await ledger.step(
                "targets",
                self._register_targets(group_id, targets),
                undo=self._deregister_targets,
                undo_args=(group_id, targets),
                find=self._find_targets,
                find_args=(group_id, targets),
            )

    async def _register_targets(self, group_id: str, targets: Sequence[Target]) -> None:
        await self._act("RegisterTargets", {"TargetGroupArn": group_id, "Targets": list(targets)})

    async def _deregister_targets(self, group_id: str, targets: Sequence[Target]) -> None:
        """Take targets from a group; without a port, all of this id.

        AWS says of a target that is not there, or of one without its port, that it is done.
        """
        there = await self._targets(group_id)
        leaving = [
            _described(one) for one in there if any(_is_meant(one, target) for target in targets)
        ]
        if not leaving:
            raise NotFoundError(f"none of these targets is in the target group {group_id}")
        await self._act("DeregisterTargets", {"TargetGroupArn": group_id, "Targets": leaving})

    async def _find_targets(
        self, _mark: str, group_id: str, targets: Sequence[Target]
    ) -> list[None]:
        there = await self._targets(group_id)
        done = all(any(_is_meant(one, target) for one in there) for target in targets)
        return [None] if done else []

    async def _group(self, target_group: TargetGroup | str) -> TargetGroup:
        if isinstance(target_group, TargetGroup):
            return target_group
        return await self.get_target_group(target_group)

    async def _groups_named(self, name: str) -> list[TargetGroup]:
        try:
            return await self._target_groups({"Names": [name]})
        except NotFoundError:
            return []

    async def _target_groups(self, wanted: Mapping[str, Any]) -> list[TargetGroup]:
        async def page(marker: str | None) -> Page[TargetGroup]:
            parameters = {**wanted, "Marker": marker}
            answer = await self._call("DescribeTargetGroups", parameters, TargetGroups)
            groups = [target_group_of(one) for one in answer.groups]
            return Page(groups, answer.next_marker or None)

        return await all_pages(page, self.connection.limits)

    async def _targets(self, group_id: str) -> list[FoundTarget]:
        answer = await self._call("DescribeTargetHealth", {"TargetGroupArn": group_id}, Health)
        return answer.targets


def target_of(member: Member, target_type: str, port: int | None) -> dict[str, str | int]:
    """Write a member as a target.

    Args:
        member: The member.
        target_type: What targets of the group are.
        port: Port of a member that has none of its own; None leaves it out.

    Raises:
        InvalidRequestError: It is not of this type.
    """
    id = member.ip if target_type == "ip" else member.id
    if not id:
        needed = "an address" if target_type == "ip" else "the id of a node"
        raise InvalidRequestError(
            f"members are of the type {target_type!r} here, so that {needed} is needed of "
            f"{member.id or member.ip!r}"
        )
    target: dict[str, str | int] = {"Id": id}
    port = member.port or port
    if port is not None:
        target["Port"] = port
    return target


def _is_meant(there: FoundTarget, target: Target) -> bool:
    """Whether a target that is there, and is to stay, is the one that is given."""
    is_same = there.id == target["Id"] and target.get("Port") in (None, there.port)
    return is_same and not there.is_leaving


def _described(target: FoundTarget) -> dict[str, Any]:
    """Return how a target is told from others of its id."""
    return {"Id": target.id, "Port": target.port, "AvailabilityZone": target.zone}
