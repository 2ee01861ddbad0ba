"""Cloud firewalls, which are the standard API's security groups.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Firewalls
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.errors import InvalidRequestError, UnsupportedOperationError
from anysky.ledger import Ledger
from anysky.model.compute import Filter, Network, Node, SecurityGroup, SecurityGroupRule
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import extra_of, segment

from .api import Listing, number_of
from .backend import DigitalOceanBackend, Known, is_watched

__all__ = ["Firewalls"]

_ALL_PORTS = "0"
_PROTOCOLS = ("tcp", "udp", "icmp")
# Direction: the list that its rules stand in, and what the other end is called there.
_DIRECTIONS: Mapping[str, tuple[str, str]] = {
    "ingress": ("inbound_rules", "sources"),
    "egress": ("outbound_rules", "destinations"),
}


class _Peers(msgspec.Struct):
    addresses: list[str] = []


class _Rule(msgspec.Struct):
    protocol: str
    ports: str = _ALL_PORTS
    sources: _Peers | None = None
    destinations: _Peers | None = None


class _Firewall(msgspec.Struct):
    id: str
    name: str
    inbound_rules: list[_Rule] | None = None
    outbound_rules: list[_Rule] | None = None
    droplet_ids: list[int] | None = None


class _Firewalls(Listing, kw_only=True):
    firewalls: list[msgspec.Raw]


class _OneFirewall(msgspec.Struct):
    firewall: msgspec.Raw


_firewall = msgspec.json.Decoder(_Firewall).decode


class Firewalls(DigitalOceanBackend, ComputeBackend):
    """Firewalls; each applies to the Droplets that are added to it, and to tags.

    Tags, Droplets and load balancers at the other end of a rule have no counterpart in the
    standard API; they stand in the group's `extra`.
    """

    async def list_security_groups(
        self,
        cursor: str | None,
        filter: Filter,  # noqa: ARG002 - the API cannot filter them
    ) -> Page[SecurityGroup]:
        """List firewalls: GET /v2/firewalls."""
        answer = await self.api.page(cursor, "/firewalls", _Firewalls)
        return Page([_security_group(raw) for raw in answer.firewalls], answer.next)

    async def create_security_group(
        self,
        name: str,
        description: str,
        network: Network | None,
        rules: Sequence[SecurityGroupRule],
        tags: dict[str, str],
    ) -> SecurityGroup:
        """Create a firewall with at least one rule: POST /v2/firewalls."""
        for what, given in (("description", description), ("network", network), ("tags", tags)):
            if given:
                raise UnsupportedOperationError(f"DigitalOcean's firewalls have no {what}")
        if not rules:
            raise InvalidRequestError("DigitalOcean's firewalls need at least one rule")
        body = {"name": name, **_rules_body(rules)}
        async with self.ledger("create_security_group") as ledger:
            known = await self._known(ledger, self._groups_made, name)
            made, undo = self._post_firewall(body), self.delete_security_group
            return await ledger.step(f"security group {name}", made, undo, **known)

    async def delete_security_group(self, group: SecurityGroup) -> None:
        """Delete a firewall: DELETE /v2/firewalls/{id}."""
        await self.api.send("DELETE", _path(group.id))

    async def add_security_group_rule(self, group: SecurityGroup, rule: SecurityGroupRule) -> None:
        """Add a rule to a firewall: POST /v2/firewalls/{id}/rules."""
        body = _rules_body([rule])
        async with self.ledger("add_security_group_rule") as ledger:
            known: Known = {}
            if is_watched(ledger):
                if await self._rules_made("", group, rule):
                    return  # it is not this call that made it, nor that may take it back
                known = {"find": self._rules_made, "find_args": (group, rule)}
            await ledger.step(
                f"rule of security group {group.id}",
                self._add(group.id, "rules", body),
                self.remove_security_group_rule,
                undo_args=(group, rule),
                **known,
            )

    async def remove_security_group_rule(
        self, group: SecurityGroup, rule: SecurityGroupRule
    ) -> None:
        """Take a rule away from a firewall: DELETE /v2/firewalls/{id}/rules."""
        await self.api.send("DELETE", f"{_path(group.id)}/rules", json=_rules_body([rule]))

    async def add_nodes_to_security_group(
        self, group: SecurityGroup, nodes: Sequence[Node]
    ) -> None:
        """Let a firewall apply to Droplets: POST /v2/firewalls/{id}/droplets."""
        numbers = [number_of(node.id, "Droplet") for node in nodes]
        async with self.ledger("add_nodes_to_security_group") as ledger:
            known: Known = {}
            if is_watched(ledger):
                there = await self._members(group.id)
                numbers = [number for number in numbers if number not in there]
                if not numbers:
                    return
                known = {"find": self._members_made, "find_args": (group.id, *numbers)}
            await self._let_in(ledger, group, numbers, known)

    async def remove_nodes_from_security_group(
        self, group: SecurityGroup, nodes: Sequence[Node]
    ) -> None:
        """Let a firewall not apply to Droplets any more: DELETE /v2/firewalls/{id}/droplets."""
        await self._remove_members(group.id, *(number_of(node.id, "Droplet") for node in nodes))

    async def _join(self, ledger: Ledger, group: SecurityGroup, node: Node) -> None:
        """Let a firewall apply to a new Droplet, as a step."""
        number = number_of(node.id, "Droplet")
        known: Known = {"find": self._members_made, "find_args": (group.id, number)}
        await self._let_in(ledger, group, [number], known)

    async def _let_in(
        self, ledger: Ledger, group: SecurityGroup, numbers: Sequence[int], known: Known
    ) -> None:
        await ledger.step(
            f"security group {group.id} of node {', '.join(map(str, numbers))}",
            self._add(group.id, "droplets", {"droplet_ids": list(numbers)}),
            self._remove_members,
            undo_args=(group.id, *numbers),
            **known,
        )

    async def _add(self, group_id: str, what: str, body: Mapping[str, Any]) -> None:
        await self.api.send("POST", f"{_path(group_id)}/{what}", json=body, repeatable=True)

    async def _remove_members(self, group_id: str, *numbers: int) -> None:
        body = {"droplet_ids": list(numbers)}
        await self.api.send("DELETE", f"{_path(group_id)}/droplets", json=body)

    async def _post_firewall(self, body: Mapping[str, Any]) -> SecurityGroup:
        answer = await self.api.call("POST", "/firewalls", _OneFirewall, json=body)
        return _security_group(answer.firewall)

    async def _get_firewall(self, group_id: str) -> msgspec.Raw:
        return (await self.api.call("GET", _path(group_id), _OneFirewall)).firewall

    async def _members(self, group_id: str) -> list[int]:
        return _firewall(await self._get_firewall(group_id)).droplet_ids or []

    async def _members_made(self, _: str, group_id: str, *numbers: int) -> list[None]:
        """Tell whether a firewall applies to Droplets, which is nothing that could be returned."""
        return [None] if set(numbers) <= set(await self._members(group_id)) else []

    async def _groups_made(self, _: str, name: str) -> list[SecurityGroup]:
        """Find the firewall of a name, which no other can have."""
        found = await all_pages(
            lambda cursor: self.list_security_groups(cursor, Filter(name=name)),
            self.connection.limits,
        )
        return [group for group in found if group.name == name]

    async def _rules_made(
        self,
        _: str,
        group: SecurityGroup,
        rule: SecurityGroupRule,
    ) -> list[None]:
        """Tell whether a firewall has a rule, which is nothing that could be returned."""
        rules = _security_group(await self._get_firewall(group.id)).rules
        return [None] if any(_covers(one, rule) for one in rules) else []


def _path(group_id: str) -> str:
    return f"/firewalls/{segment(group_id)}"


def _rules_body(rules: Sequence[SecurityGroupRule]) -> dict[str, Any]:
    body: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        _check(rule)
        key, peers = _DIRECTIONS[rule.direction]
        body.setdefault(key, []).append(
            {
                "protocol": rule.protocol,
                "ports": _ports(rule),
                peers: {"addresses": list(rule.cidrs)},
            }
        )
    return body


def _check(rule: SecurityGroupRule) -> None:
    """Refuse a rule that a firewall would hold otherwise than it says."""
    if rule.direction not in _DIRECTIONS:
        raise InvalidRequestError(
            f"direction is {' or '.join(map(repr, _DIRECTIONS))}, not {rule.direction!r}"
        )
    if rule.protocol not in _PROTOCOLS:
        raise UnsupportedOperationError(
            f"DigitalOcean's firewalls have rules for {', '.join(_PROTOCOLS)}, "
            f"not for {rule.protocol!r}: make one rule for each"
        )
    if rule.group_ids or rule.description:
        raise UnsupportedOperationError(
            "rules of DigitalOcean's firewalls have no groups at the other end and no description"
        )
    if not rule.cidrs:
        raise InvalidRequestError("a rule needs cidrs; '0.0.0.0/0' and '::/0' are everywhere")


def _ports(rule: SecurityGroupRule) -> str:
    first, last = rule.from_port, rule.to_port
    if first is None:
        return _ALL_PORTS
    return str(first) if last in (None, first) else f"{first}-{last}"


def _security_group(raw: msgspec.Raw) -> SecurityGroup:
    data = _firewall(raw)
    rules = (
        *_rules("ingress", data.inbound_rules or ()),
        *_rules("egress", data.outbound_rules or ()),
    )
    return SecurityGroup(data.id, data.name, "", rules, extra=extra_of(raw))


def _rules(direction: str, rules: Sequence[_Rule]) -> Iterator[SecurityGroupRule]:
    for rule in rules:
        peers = rule.sources or rule.destinations or _Peers()
        first, last = _port_range(rule.ports)
        yield SecurityGroupRule(direction, rule.protocol, first, last, tuple(peers.addresses))


def _covers(known: SecurityGroupRule, rule: SecurityGroupRule) -> bool:
    """Whether a firewall's rule lets through all that another one does."""
    first, last = _port_range(_ports(rule))
    asked = replace(rule, from_port=first, to_port=last, cidrs=known.cidrs)
    return asked == known and set(rule.cidrs) <= set(known.cidrs)


def _port_range(ports: str) -> tuple[int | None, int | None]:
    if ports in (_ALL_PORTS, "all", ""):
        return None, None
    first, _, last = ports.partition("-")
    return int(first), int(last or first)
