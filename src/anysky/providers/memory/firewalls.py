"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anysky.errors import AlreadyExistsError, ConflictError, InvalidRequestError, NotFoundError
from anysky.model.compute import Filter, Network, SecurityGroup, SecurityGroupRule
from anysky.paging import Page

from .networks import Networks
from .rules import check_name, check_tags, is_wanted, network_of, of_filter

__all__ = ["Firewalls"]

_DIRECTIONS = ("ingress", "egress")
_PROTOCOLS = ("tcp", "udp", "icmp", "all")
_WITH_PORTS = ("tcp", "udp")
_LAST_PORT = 65535


class Firewalls(Networks):
    """Security groups, whose names are given once."""

    async def list_security_groups(self, cursor: str | None, filter: Filter) -> Page[SecurityGroup]:
        """Return a page of the groups that match."""

        def work() -> Page[SecurityGroup]:
            return self._state.security_groups.page(cursor, lambda one: is_wanted(one, filter))

        arguments = {"cursor": cursor, **of_filter(filter)}
        return await self._look("list_security_groups", arguments, work)

    async def create_security_group(
        self,
        name: str,
        description: str,
        network: Network | None,
        rules: Sequence[SecurityGroupRule],
        tags: dict[str, str],
    ) -> SecurityGroup:
        """Make a group with its rules.

        Raises:
            AlreadyExistsError: There is one of this name, or a rule is there twice.
            NotFoundError: There is no such network, or no group that a rule names.
        """

        def work() -> SecurityGroup:
            check_name(name, "security group")
            if any(one.name == name for one in self._state.security_groups.items()):
                raise AlreadyExistsError(f"there is a security group {name!r} already")
            owner = None if network is None else self._state.networks.get(network.id).id
            found: tuple[SecurityGroupRule, ...] = ()
            for rule in rules:
                found = self._with_rule(found, rule)
            id = self._state.new_id("sg-")
            group = SecurityGroup(id, name, description, found, owner, {}, check_tags(tags))
            return self._state.security_groups.add(id, group)

        arguments = {
            "name": name,
            "description": description,
            "network": network and network.id,
            "rules": tuple(rules),
            "tags": tags,
        }
        return await self._do("create_security_group", arguments, work)

    async def delete_security_group(self, group: SecurityGroup) -> None:
        """Delete a group.

        Raises:
            ConflictError: A node belongs to it, or a rule of another group names it.
        """

        def work() -> None:
            self._state.security_groups.get(group.id)
            users = self._users_of(group.id)
            if users:
                raise ConflictError(
                    f"the security group {group.id!r} is in use by {', '.join(users)}"
                )
            self._state.security_groups.remove(group.id)

        await self._remove("delete_security_group", {"group": group.id}, work)

    async def add_security_group_rule(self, group: SecurityGroup, rule: SecurityGroupRule) -> None:
        """Add a rule to a group.

        Raises:
            AlreadyExistsError: It has this rule, whatever its description.
        """

        def work() -> None:
            found = self._state.security_groups.get(group.id)
            rules = self._with_rule(found.rules, rule)
            self._state.security_groups.put(group.id, replace(found, rules=rules))

        arguments = {"group": group.id, "rule": rule}
        await self._do("add_security_group_rule", arguments, work)

    async def remove_security_group_rule(
        self, group: SecurityGroup, rule: SecurityGroupRule
    ) -> None:
        """Take a rule away from a group, whatever its description.

        Raises:
            NotFoundError: The group has no such rule.
        """

        def work() -> None:
            found = self._state.security_groups.get(group.id)
            left = tuple(one for one in found.rules if _facts(one) != _facts(rule))
            if len(left) == len(found.rules):
                raise NotFoundError(f"the security group {group.id!r} has no such rule")
            self._state.security_groups.put(group.id, replace(found, rules=left))

        arguments = {"group": group.id, "rule": rule}
        await self._remove("remove_security_group_rule", arguments, work)

    def _with_rule(
        self, rules: tuple[SecurityGroupRule, ...], rule: SecurityGroupRule
    ) -> tuple[SecurityGroupRule, ...]:
        _check(rule)
        for group_id in rule.group_ids:
            self._state.security_groups.get(group_id)
        if any(_facts(one) == _facts(rule) for one in rules):
            raise AlreadyExistsError("the security group has this rule already")
        return (*rules, replace(rule, cidrs=tuple(rule.cidrs), group_ids=tuple(rule.group_ids)))

    def _users_of(self, group_id: str) -> list[str]:
        nodes = self._state.nodes.items()
        users = [one.id for one in nodes if group_id in one.extra["security_group_ids"]]
        others = [one for one in self._state.security_groups.items() if one.id != group_id]
        users += [one.id for one in others if any(group_id in rule.group_ids for rule in one.rules)]
        return users


def _facts(rule: SecurityGroupRule) -> tuple[object, ...]:
    """Return what makes a rule the same as another."""
    peers = (frozenset(rule.cidrs), frozenset(rule.group_ids))
    return (rule.direction, rule.protocol, rule.from_port, rule.to_port, *peers)


def _check(rule: SecurityGroupRule) -> None:
    if rule.direction not in _DIRECTIONS or rule.protocol not in _PROTOCOLS:
        raise InvalidRequestError(
            f"a rule is for {' or '.join(_DIRECTIONS)} and one of {', '.join(_PROTOCOLS)}, not for "
            f"{rule.direction!r} and {rule.protocol!r}"
        )
    if not rule.cidrs and not rule.group_ids:
        raise InvalidRequestError("a rule needs cidrs or group_ids; 0.0.0.0/0 is everywhere")
    for cidr in rule.cidrs:
        network_of(cidr)
    _check_ports(rule)


def _check_ports(rule: SecurityGroupRule) -> None:
    first, last = rule.from_port, rule.to_port
    if first is None and last is None:
        return
    if rule.protocol not in _WITH_PORTS:
        raise InvalidRequestError(f"{rule.protocol} has no ports")
    if first is None or last is None or not 0 <= first <= last <= _LAST_PORT:
        raise InvalidRequestError(f"{first} to {last} is no range of ports")
