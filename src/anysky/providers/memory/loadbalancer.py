"""Load balancers and their members."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from anysky.model.compute import Filter, Node
from anysky.model.loadbalancer import (
    Algorithm,
    BalancerChanges,
    BalancerSpec,
    LoadBalancer,
    Member,
    MemberCondition,
    State,
)
from anysky.paging import Page

from .api import MemoryBackend
from .places import find_location, next_public_address
from .rules import check_name, check_tags, is_wanted, of_filter
from .state import Boot

__all__ = ["MemoryLoadBalancer"]


class MemoryLoadBalancer(MemoryBackend, LoadBalancerBackend):
    """Balancers of any algorithm; a member is known by its address and port.

    The id of a member is both, as in ``10.0.0.4:80``. One that is given without an address is the
    node of its id, with the private address of this before the public one.
    """

    protocols: ClassVar[tuple[str, ...]] = ("http", "https", "http2", "http3", "tcp", "tls", "udp")
    algorithms: ClassVar[Mapping[Algorithm, str]] = {one: one.name.lower() for one in Algorithm}
    changeable: ClassVar[frozenset[str]] = frozenset({"name", "algorithm", "port", "protocol"})
    marked = frozenset({"create_balancer"})

    async def list_balancers(self, cursor: str | None, filter: Filter) -> Page[LoadBalancer]:
        """Return a page of the balancers that match, which counts as a look at each."""

        def work() -> Page[LoadBalancer]:
            page = self._state.balancers.page(cursor, lambda one: is_wanted(one, filter))
            return Page([self._seen(one.id) for one in page.items], page.cursor)

        return await self._look("list_balancers", {"cursor": cursor, **of_filter(filter)}, work)

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Return one balancer, which counts as a look.

        Raises:
            NotFoundError: There is no such balancer.
        """

        def work() -> LoadBalancer:
            self._state.balancers.look_up(balancer_id)
            return self._seen(balancer_id)

        return await self._look("get_balancer", {"balancer": balancer_id}, work)

    async def create_balancer(self, spec: BalancerSpec) -> LoadBalancer:
        """Make a balancer with its members.

        It is pending, and without an address, for `boot_seconds` and `boot_looks` of the cloud.

        Raises:
            AlreadyExistsError: There is one of this name, or a member is given twice.
            NotFoundError: There is no such location, or no node of a member's id.
            InvalidRequestError: The name cannot be one, or what a member has for an address.
            QuotaExceededError: There are as many as the cloud allows.
        """
        return await self._do("create_balancer", _arguments(spec), lambda: self._new_balancer(spec))

    async def update_balancer(
        self, balancer: LoadBalancer, changes: BalancerChanges
    ) -> LoadBalancer:
        """Change a balancer and return it as it is then; its members stay.

        Raises:
            AlreadyExistsError: There is another one of this name.
            InvalidRequestError: The name cannot be one.
        """
        algorithm = None if changes.algorithm is None else changes.algorithm.name
        arguments = {
            "balancer": balancer.id,
            "name": changes.name,
            "algorithm": algorithm,
            "port": changes.port,
            "protocol": changes.protocol,
        }
        return await self._set(
            "update_balancer", arguments, lambda: self._changed(balancer.id, changes)
        )

    async def destroy_balancer(self, balancer: LoadBalancer) -> None:
        """Destroy a balancer; the nodes that were its members stay."""

        def work() -> None:
            self._state.balancers.remove(balancer.id)
            self._state.boots.pop(balancer.id, None)
            for member in self._members_of(balancer.id):
                self._state.members.remove(_key(balancer.id, member))

        await self._remove("destroy_balancer", {"balancer": balancer.id}, work)

    async def list_members(self, balancer: LoadBalancer, cursor: str | None) -> Page[Member]:
        """Return a page of a balancer's members.

        Raises:
            NotFoundError: There is no such balancer.
        """

        def work() -> Page[Member]:
            self._state.balancers.get(balancer.id)
            return self._state.members.page(cursor, lambda one: _is_in(one, balancer.id))

        arguments = {"balancer": balancer.id, "cursor": cursor}
        page = await self._look("list_members", arguments, work)
        return Page([replace(one, balancer=balancer) for one in page.items], page.cursor)

    async def attach_member(self, balancer: LoadBalancer, member: Member) -> Member:
        """Add a member to a balancer.

        Raises:
            AlreadyExistsError: It has a member of this address and port.
            NotFoundError: There is no such balancer, or no node of the member's id.
            InvalidRequestError: What it has for an address cannot be one.
        """
        arguments = {"balancer": balancer.id, **_of_member(member)}

        def work() -> Member:
            found = self._state.balancers.get(balancer.id)
            return self._keep(found.id, self._new_member(member, found))

        made = await self._do("attach_member", arguments, work)
        return replace(made, balancer=balancer)

    async def attach_node(self, balancer: LoadBalancer, node: Node) -> Member:
        """Add a node to a balancer, on the balancer's port.

        Raises:
            AlreadyExistsError: It is one of its members.
            NotFoundError: There is no such balancer, or no such node.
        """

        def work() -> Member:
            found = self._state.balancers.get(balancer.id)
            return self._keep(found.id, self._new_member(Member(node.id, "", None), found))

        made = await self._do("attach_node", {"balancer": balancer.id, "node": node.id}, work)
        return replace(made, balancer=balancer)

    async def detach_member(self, balancer: LoadBalancer, member: Member) -> None:
        """Take a member from a balancer.

        Raises:
            NotFoundError: There is no such balancer, or no such member of it.
        """

        def work() -> None:
            found = self._state.balancers.get(balancer.id)
            port = member.port or found.port
            meant = [one for one in self._members_of(found.id) if _is_meant(one, member, port)]
            if not meant:
                raise NotFoundError(
                    f"the balancer {found.id!r} has no member {member.id or member.ip!r}"
                )
            self._state.members.remove(_key(found.id, meant[0]))

        arguments = {"balancer": balancer.id, **_of_member(member)}
        await self._remove("detach_member", arguments, work)

    def _new_balancer(self, spec: BalancerSpec) -> LoadBalancer:
        state = self._state
        self._check_name(spec.name)
        location = find_location(self.cloud, spec.location or self.account.region)
        tags = check_tags(spec.tags)
        algorithm = Algorithm.ROUND_ROBIN if spec.algorithm is None else spec.algorithm
        extra = {
            "protocol": spec.protocol,
            "algorithm": algorithm,
            "location": location,
            "created_at": state.date,
        }
        id = state.new_id("lb-")
        balancer = LoadBalancer(id, spec.name, State.PENDING, "", spec.port, extra, tags)
        members = [self._new_member(one, balancer) for one in spec.members]
        _check_different(members)
        state.members.check_room(len(members))
        state.balancers.add(id, balancer)
        for member in members:
            self._keep(id, member)
        ready_at = state.now + state.behaviour.boot_seconds
        state.boots[id] = Boot(ready_at, state.behaviour.boot_looks, next_public_address(state))
        return balancer

    def _changed(self, balancer_id: str, changes: BalancerChanges) -> LoadBalancer:
        found = self._balancer(balancer_id)
        if changes.name not in (None, found.name):
            self._check_name(changes.name)
        new = {"protocol": changes.protocol, "algorithm": changes.algorithm}
        extra = {**found.extra, **{key: one for key, one in new.items() if one is not None}}
        changed = replace(
            found, name=changes.name or found.name, port=changes.port or found.port, extra=extra
        )
        return self._state.balancers.put(balancer_id, changed)

    def _check_name(self, name: str) -> None:
        check_name(name, "balancer")
        if any(one.name == name for one in self._state.balancers.items()):
            raise AlreadyExistsError(f"there is a balancer {name!r} already")

    def _balancer(self, balancer_id: str) -> LoadBalancer:
        """Return a balancer as it is now."""
        state = self._state
        balancer, boot = state.balancers.get(balancer_id), state.boots.get(balancer_id)
        if boot is None or boot.looks > 0 or state.now < boot.ready_at:
            return balancer
        del state.boots[balancer_id]
        running = replace(balancer, state=State.RUNNING, ip=boot.ip)
        return state.balancers.put(balancer_id, running)

    def _seen(self, balancer_id: str) -> LoadBalancer:
        """Return a balancer for somebody who looks at it, which counts."""
        balancer, boot = self._balancer(balancer_id), self._state.boots.get(balancer_id)
        if boot is not None:
            boot.looks -= 1
        return balancer

    def _new_member(self, member: Member, balancer: LoadBalancer) -> Member:
        """Return a member as it will be kept; nothing is kept yet."""
        extra: dict[str, Any] = {
            "balancer_id": balancer.id,
            "condition": MemberCondition.ENABLED,
        }
        ip = member.ip
        if not ip and member.id is not None:
            node = self._state.nodes.get(member.id)
            ip = next(iter([*node.private_ips, *node.public_ips]))
            extra["node_id"] = node.id
        ip, port = _address(ip), member.port or balancer.port
        return Member(_member_id(ip, port), ip, port, None, extra)

    def _keep(self, balancer_id: str, member: Member) -> Member:
        return self._state.members.add(_key(balancer_id, member), member)

    def _members_of(self, balancer_id: str) -> list[Member]:
        return [one for one in self._state.members.items() if _is_in(one, balancer_id)]


def _arguments(spec: BalancerSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "port": spec.port,
        "protocol": spec.protocol,
        "algorithm": None if spec.algorithm is None else spec.algorithm.name,
        "members": tuple(_of_member(one) for one in spec.members),
        "location": spec.location,
        "tags": dict(spec.tags),
    }


def _of_member(member: Member) -> dict[str, Any]:
    """Return what a member is known by, as arguments of a call."""
    known = {"id": member.id, "ip": member.ip, "port": member.port}
    return {name: value for name, value in known.items() if value}


def _address(ip: str) -> str:
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        raise InvalidRequestError(f"{ip!r} is no address of a member") from None


def _member_id(ip: str, port: int | None) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _is_meant(kept: Member, given: Member, port: int | None) -> bool:
    """Whether a member is the one that is given by its id, or by node or address and by port."""
    if given.id is not None and given.id == kept.id:
        return True
    if given.id is not None and given.id != kept.extra.get("node_id"):
        return False
    return kept.port == port and (given.id is not None or _address(given.ip) == kept.ip)


def _check_different(members: Sequence[Member]) -> None:
    ids = [one.id for one in members]
    twice = [id for id in ids if ids.count(id) > 1]
    if twice:
        raise AlreadyExistsError(f"the member {twice[0]!r} is given twice")


def _is_in(member: Member, balancer_id: str) -> bool:
    return bool(member.extra["balancer_id"] == balancer_id)


def _key(balancer_id: str, member: Member) -> str:
    return f"{balancer_id}/{member.id}"
