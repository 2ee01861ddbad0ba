"""Security groups of EC2.

Vendor's reference:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from anysky.errors import InvalidRequestError, MalformedResponseError, NotFoundError
from anysky.model.compute import Filter, Network, SecurityGroup, SecurityGroupRule
from anysky.paging import Page
from anysky.steps import MARK_TAG
from anysky.wire import xml

from .ec2 import (
    EC2Backend,
    Tagged,
    extra_of,
    filter_parameter,
    filters,
    id_of,
    tag_specification,
)

__all__ = ["EC2Firewalls"]

_ALL = "-1"
_ACTIONS = {"ingress": "Ingress", "egress": "Egress"}
_PROTOCOLS = {_ALL: "all", "58": "icmpv6"}
_NUMBERS = {name: number for number, name in _PROTOCOLS.items()}
# What "all ports" is for a protocol that has some; for ICMP the numbers are type and code.
_ALL_PORTS = {"tcp": (0, 65535), "udp": (0, 65535), "icmp": (-1, -1), "icmpv6": (-1, -1)}


class _Range(xml.Record):
    cidr: str = xml.text("cidrIp", "")
    cidr_v6: str = xml.text("cidrIpv6", "")
    description: str = xml.text("description", "")


class _Pair(xml.Record):
    group_id: str = xml.text("groupId", "")
    description: str = xml.text("description", "")


class _Permission(xml.Record):
    protocol: str = xml.text("ipProtocol", _ALL)
    from_port: int | None = xml.integer("fromPort")
    to_port: int | None = xml.integer("toPort")
    ranges: list[_Range] = xml.records("ipRanges/item", _Range)
    ranges_v6: list[_Range] = xml.records("ipv6Ranges/item", _Range)
    pairs: list[_Pair] = xml.records("groups/item", _Pair)


class _Group(Tagged):
    id: str = xml.required("groupId")
    group_name: str = xml.text("groupName", "")
    description: str = xml.text("groupDescription", "")
    vpc_id: str | None = xml.text("vpcId")
    ingress: list[_Permission] = xml.records("ipPermissions/item", _Permission)
    egress: list[_Permission] = xml.records("ipPermissionsEgress/item", _Permission)


class _Groups(xml.Record, root="DescribeSecurityGroupsResponse"):
    groups: list[_Group] = xml.records("securityGroupInfo/item", _Group)
    next_token: str | None = xml.text("nextToken")


class EC2Firewalls(EC2Backend):
    """Security groups of EC2."""

    async def list_security_groups(self, cursor: str | None, filter: Filter) -> Page[SecurityGroup]:
        """List security groups with their rules: DescribeSecurityGroups."""
        asked = filters(filter, "group-id", "sg-", name="group-name")
        answer = await self._page(cursor, "DescribeSecurityGroups", asked, _Groups)
        return Page([_security_group(one) for one in answer.groups], answer.next_token or None)

    async def create_security_group(
        self,
        name: str,
        description: str,
        network: Network | None,
        rules: Sequence[SecurityGroupRule],
        tags: dict[str, str],
    ) -> SecurityGroup:
        """Make a security group: CreateSecurityGroup, then its rules.

        A new group lets everything out; egress rules, if there are any, take that rule's place.

        Raises:
            PartialFailureError: The group exists, and not all of its rules.
        """
        for rule in rules:
            _permission(rule)  # a rule that is wrong shall leave no group behind
        async with self.ledger("create_security_group") as ledger:
            group = await ledger.step(
                f"security group {name}",
                self._create_group(name, description or name, network, tags),
                undo=self.delete_security_group,
            )
            await self._set_rules(group, rules)
        return replace(group, rules=tuple(rules))

    async def _create_group(
        self, name: str, description: str, network: Network | None, tags: dict[str, str]
    ) -> SecurityGroup:
        network_id = None if network is None else network.id
        parameters = {
            "GroupName": name,
            "GroupDescription": description,
            "VpcId": network_id,
            "TagSpecification": tag_specification(None, tags, "security-group"),
        }
        answer = await self.ask("CreateSecurityGroup", parameters)
        group_id = answer.text("groupId")
        if not group_id:
            raise MalformedResponseError("EC2 made a security group and did not tell its id")
        return SecurityGroup(group_id, name, description, (), network_id, tags=tags)

    async def delete_security_group(self, group: SecurityGroup) -> None:
        """Delete a security group: DeleteSecurityGroup."""
        await self._act("DeleteSecurityGroup", {"GroupId": group.id})

    async def add_security_group_rule(self, group: SecurityGroup, rule: SecurityGroupRule) -> None:
        """Add a rule: AuthorizeSecurityGroupIngress, AuthorizeSecurityGroupEgress."""
        await self._authorize("rule", group.id, [rule])

    async def remove_security_group_rule(
        self, group: SecurityGroup, rule: SecurityGroupRule
    ) -> None:
        """Take a rule away: RevokeSecurityGroupIngress, RevokeSecurityGroupEgress."""
        await self._change("Revoke", group, [rule])

    async def authorize_security_group_ingress(
        self,
        id: str,
        from_port: int,
        to_port: int,
        cidr_ips: Sequence[str] | None = None,
        group_pairs: Sequence[Mapping[str, str]] | None = None,
        protocol: str = "tcp",
        description: str | None = None,
    ) -> None:
        """Let something in, by the arguments of Libcloud: AuthorizeSecurityGroupIngress.

        Args:
            id: Id of the group.
            from_port: First port.
            to_port: Last port.
            cidr_ips: Address ranges at the other end.
            group_pairs: Groups at the other end, each as ``{"group_id": …}``.
            protocol: ``"tcp"``, ``"udp"``, ``"icmp"`` …
            description: Text for people.
        """
        ports = (from_port, to_port)
        rule = _pair_rule("ingress", protocol, ports, cidr_ips, group_pairs, description)
        await self._authorize("rule", id, [rule])

    async def authorize_security_group_egress(
        self,
        id: str,
        from_port: int,
        to_port: int,
        cidr_ips: Sequence[str] | None = None,
        group_pairs: Sequence[Mapping[str, str]] | None = None,
        protocol: str = "tcp",
    ) -> None:
        """Let something out; see `authorize_security_group_ingress`."""
        rule = _pair_rule("egress", protocol, (from_port, to_port), cidr_ips, group_pairs, None)
        await self._authorize("rule", id, [rule])

    async def revoke_security_group_ingress(
        self,
        id: str,
        from_port: int,
        to_port: int,
        cidr_ips: Sequence[str] | None = None,
        group_pairs: Sequence[Mapping[str, str]] | None = None,
        protocol: str = "tcp",
    ) -> None:
        """Take a rule away again; see `authorize_security_group_ingress`."""
        rule = _pair_rule("ingress", protocol, (from_port, to_port), cidr_ips, group_pairs, None)
        await self._change("Revoke", id, [rule])

    async def revoke_security_group_egress(
        self,
        id: str,
        from_port: int,
        to_port: int,
        cidr_ips: Sequence[str] | None = None,
        group_pairs: Sequence[Mapping[str, str]] | None = None,
        protocol: str = "tcp",
    ) -> None:
        """Take a rule away again; see `authorize_security_group_ingress`."""
        rule = _pair_rule("egress", protocol, (from_port, to_port), cidr_ips, group_pairs, None)
        await self._change("Revoke", id, [rule])

    async def _set_rules(self, group: SecurityGroup, rules: Sequence[SecurityGroupRule]) -> None:
        ingress = [rule for rule in rules if rule.direction == "ingress"]
        egress = [rule for rule in rules if rule.direction == "egress"]
        if ingress:
            await self._authorize("ingress rules", group.id, ingress)
        if egress:
            await self._authorize("egress rules", group.id, egress, is_closed_first=True)

    async def _close(self, group_id: str) -> None:
        """Take away the rules that let everything out; there is one for IPv6 if the VPC has it."""
        for cidr in ("0.0.0.0/0", "::/0"):
            everything = SecurityGroupRule("egress", "all", cidrs=(cidr,))
            with suppress(NotFoundError):
                await self._change("Revoke", group_id, [everything])

    async def _authorize(
        self,
        what: str,
        group_id: str,
        rules: Sequence[SecurityGroupRule],
        *,
        is_closed_first: bool = False,
    ) -> None:
        """Add rules of one direction, as a step, perhaps in place of those that a group has."""

        async def authorize() -> None:
            if is_closed_first:
                await self._close(group_id)
            await self._change("Authorize", group_id, rules)

        async with self.ledger("add_security_group_rule") as ledger:
            await ledger.step(
                f"{what} of security group {group_id}",
                authorize(),
                undo=self._revoke,
                undo_args=(group_id, list(rules)),
                find=self._find_rules,
            )

    async def _revoke(self, group_id: str, rules: Sequence[SecurityGroupRule]) -> None:
        """Take rules of one direction away."""
        await self._change("Revoke", group_id, rules)

    async def _find_rules(self, mark: str) -> list[None]:
        """Look for rules that carry a mark."""
        wanted = filter_parameter({f"tag:{MARK_TAG}": mark})
        answer = await self.ask("DescribeSecurityGroupRules", wanted)
        return [] if answer.find("securityGroupRuleSet/item") is None else [None]

    async def _change(
        self, verb: str, group: SecurityGroup | str, rules: Sequence[SecurityGroupRule]
    ) -> None:
        """Add or take away rules of one direction."""
        parameters: dict[str, Any] = {
            "GroupId": id_of(group),
            "IpPermissions": [_permission(rule) for rule in rules],
        }
        if verb == "Authorize":
            parameters["TagSpecification"] = tag_specification(None, {}, "security-group-rule")
        await self._act(f"{verb}SecurityGroup{_ACTIONS[rules[0].direction]}", parameters)


def _pair_rule(
    direction: str,
    protocol: str,
    ports: tuple[int, int],
    cidr_ips: Sequence[str] | None,
    group_pairs: Sequence[Mapping[str, str]] | None,
    description: str | None,
) -> SecurityGroupRule:
    """Make a rule of the arguments of Libcloud.

    Raises:
        InvalidRequestError: A group has no id.
    """
    if any("group_id" not in pair for pair in group_pairs or ()):
        raise InvalidRequestError("each of group_pairs needs a 'group_id'")
    groups = tuple(pair["group_id"] for pair in group_pairs or ())
    cidrs = tuple(cidr_ips or ())
    return SecurityGroupRule(direction, protocol, *ports, cidrs, groups, description or "")


def _permission(rule: SecurityGroupRule) -> dict[str, Any]:
    """Write a rule as EC2 has it.

    Raises:
        InvalidRequestError: It cannot be one of EC2's.
    """
    if rule.direction not in _ACTIONS:
        raise InvalidRequestError(f"a rule is for 'ingress' or 'egress', not {rule.direction!r}")
    if not rule.cidrs and not rule.group_ids:
        raise InvalidRequestError("a rule needs the other end: cidrs or group_ids")
    note = {"Description": rule.description or None}
    first, last = _ALL_PORTS.get(rule.protocol, (None, None))
    return {
        "IpProtocol": _NUMBERS.get(rule.protocol, rule.protocol),
        "FromPort": first if rule.from_port is None else rule.from_port,
        "ToPort": last if rule.to_port is None else rule.to_port,
        "IpRanges": [{"CidrIp": cidr, **note} for cidr in rule.cidrs if ":" not in cidr],
        "Ipv6Ranges": [{"CidrIpv6": cidr, **note} for cidr in rule.cidrs if ":" in cidr],
        "Groups": [{"GroupId": group_id, **note} for group_id in rule.group_ids],
    }


def _security_group(group: _Group) -> SecurityGroup:
    rules = (*_rules("ingress", group.ingress), *_rules("egress", group.egress))
    extra = extra_of(group.raw, {"owner_id": "ownerId", "vpc_id": "vpcId"})
    return SecurityGroup(
        group.id, group.group_name, group.description, rules, group.vpc_id, extra, group.tags
    )


def _rules(direction: str, permissions: Iterable[_Permission]) -> Iterator[SecurityGroupRule]:
    """Read rules: one for each description, which EC2 keeps with every range and group."""
    for one in permissions:
        protocol = _PROTOCOLS.get(one.protocol, one.protocol)
        ports = (one.from_port, one.to_port)
        if protocol == "all" or ports == _ALL_PORTS.get(protocol):
            ports = (None, None)
        ranges = [*one.ranges, *one.ranges_v6]
        notes = [*(each.description for each in ranges), *(each.description for each in one.pairs)]
        for note in dict.fromkeys(notes):
            yield SecurityGroupRule(
                direction,
                protocol,
                *ports,
                tuple(each.cidr or each.cidr_v6 for each in ranges if each.description == note),
                tuple(each.group_id for each in one.pairs if each.description == note),
                note,
            )
