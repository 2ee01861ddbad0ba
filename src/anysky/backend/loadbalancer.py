"""The contract of the load-balancer service: balancers and their members."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from anysky.matching import matches
from anysky.model.compute import Filter, Node
from anysky.model.loadbalancer import (
    Algorithm,
    BalancerChanges,
    BalancerSpec,
    LoadBalancer,
    Member,
)
from anysky.paging import Page
from anysky.steps import MARK_TAG
from anysky.waiting import all_pages

from .base import Backend, Effect

__all__ = ["LoadBalancerBackend"]


class LoadBalancerBackend(Backend):
    """What a load-balancer provider implements.

    Name, port, protocol and algorithm were checked against the tables below before an operation
    is called, and so were the names of options.

    Attributes:
        protocols: What balancers speak, in lower case: ``"http"``, ``"tcp"`` …
        algorithms: How balancers choose, with the provider's own names for it.
        changeable: Which of ``"name"``, ``"algorithm"``, ``"port"`` and ``"protocol"``
            `update_balancer` can change.
    """

    kind = "loadbalancer"
    driver_attributes = ("protocols", "algorithms", "changeable")

    protocols: ClassVar[tuple[str, ...]] = ()
    algorithms: ClassVar[Mapping[Algorithm, str]] = {}
    changeable: ClassVar[frozenset[str]] = frozenset()
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_balancer": Effect("destroy_balancer", named="_balancers_named"),
        "attach_member": Effect("_detach_made", named="_members_at"),
        "attach_node": Effect("_detach_made", named="_members_at"),
    }

    async def list_balancers(self, cursor: str | None, filter: Filter) -> Page[LoadBalancer]:
        """Return a page of balancers.

        The filter may be used to ask for less; the portable class checks name, ids and tags again.
        """
        raise self._unsupported("list_balancers")

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Return one balancer.

        Raises:
            NotFoundError: There is no such balancer.
        """
        raise self._unsupported("get_balancer")

    async def create_balancer(self, spec: BalancerSpec) -> LoadBalancer:
        """Make a balancer with its members and return it as it is then, mostly pending.

        A member that has an id is the node of this id where the provider knows members by it.
        A member without a port listens on the balancer's.

        Raises:
            AlreadyExistsError: There is one of this name, at a provider that refuses a second.
            InvalidRequestError: Members cannot be as they are given: none of the provider's own
                nodes, or of several ports where all must have one.
            PartialFailureError: Something was made, but not all of it.
        """
        raise self._unsupported("create_balancer")

    async def update_balancer(
        self, balancer: LoadBalancer, changes: BalancerChanges
    ) -> LoadBalancer:
        """Change a balancer and return it as it is then; its members stay.

        Only what stands in `changeable` is given.

        Raises:
            NotFoundError: There is no such balancer.
            ConflictError: It has several listeners, so that it is not clear which is meant.
        """
        raise self._unsupported("update_balancer")

    async def destroy_balancer(self, balancer: LoadBalancer) -> None:
        """Destroy a balancer, and what was made together with it; its members stay as nodes.

        Raises:
            NotFoundError: There is no such balancer.
        """
        raise self._unsupported("destroy_balancer")

    async def list_members(self, balancer: LoadBalancer, cursor: str | None) -> Page[Member]:
        """Return a page of a balancer's members; each has an id, and `balancer` as given.

        Raises:
            NotFoundError: There is no such balancer.
        """
        raise self._unsupported("list_members")

    async def attach_member(self, balancer: LoadBalancer, member: Member) -> Member:
        """Add a member to a balancer and return it as `list_members` does.

        Raises:
            NotFoundError: There is no such balancer, or no such node.
            AlreadyExistsError: It is one of its members already, where the provider tells.
            InvalidRequestError: It cannot be a member as it is given.
        """
        raise self._unsupported("attach_member")

    async def attach_node(self, balancer: LoadBalancer, node: Node) -> Member:
        """Add a node to a balancer, on the balancer's port, and return it as a member.

        Raises:
            NotFoundError: There is no such balancer, or no such node.
            AlreadyExistsError: It is one of its members already, where the provider tells.
        """
        raise self._unsupported("attach_node")

    async def detach_member(self, balancer: LoadBalancer, member: Member) -> None:
        """Take a member from a balancer.

        It is known by its id, or by address and port if it has none.

        Raises:
            NotFoundError: There is no such balancer, or it is none of its members.
        """
        raise self._unsupported("detach_member")

    async def _detach_made(self, member: Member) -> None:
        """Take back what `attach_member` or `attach_node` has made."""
        if member.balancer is not None:
            await self.detach_member(member.balancer, member)

    async def _find_created(
        self, operation: str, mark: str, named: Sequence[Any] | None
    ) -> list[Any] | None:
        if operation != "create_balancer" or operation not in self.marked:
            return await super()._find_created(operation, mark, named)
        return await self._balancers(Filter(tags={MARK_TAG: mark}))

    async def _balancers_named(self, name: str) -> list[LoadBalancer]:
        return await self._balancers(Filter(name=name))

    async def _balancers(self, filter: Filter) -> list[LoadBalancer]:
        found = await all_pages(
            lambda cursor: self.list_balancers(cursor, filter), self.connection.limits
        )
        return [one for one in found if matches(one, filter)]

    async def _members_at(
        self, balancer: LoadBalancer, id: str | None, ips: Collection[str], port: int | None
    ) -> list[Member]:
        members = await all_pages(
            lambda cursor: self.list_members(balancer, cursor), self.connection.limits
        )
        return [
            one
            for one in members
            if (one.id == id or one.ip in ips) and (port is None or one.port in (None, port))
        ]
