"""Load balancers of any provider, and the members that they send connections to.

Get a driver's class by the provider's name, make a driver, call it::

    driver = get_driver(Provider.AWS)("AKIDEXAMPLE", "secret", region="eu-west-1")
    members = [Member(None, "10.0.0.4", 8080), Member(None, "10.0.0.5", 8080)]
    balancer = await driver.create_balancer("web", 80, "http", Algorithm.ROUND_ROBIN, members)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar

from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.calling import bind
from anysky.errors import InvalidRequestError, UnsupportedOperationError
from anysky.matching import make_filter, matches
from anysky.model import loadbalancer as model
from anysky.model.compute import Node, NodeLocation
from anysky.model.loadbalancer import Algorithm, MemberCondition, State
from anysky.names import LoadBalancerProvider as Provider
from anysky.registry import driver_class, register
from anysky.steps import OnPartialFailure

from .driver import Driver

__all__ = [
    "Algorithm",
    "LoadBalancer",
    "LoadBalancerDriver",
    "Member",
    "MemberCondition",
    "Provider",
    "State",
    "get_driver",
    "set_driver",
]

_LAST_PORT = 65535


class Member(model.Member):
    """`anysky.model.loadbalancer.Member`; bound to its driver if it came from one.

    Make one to say what a balancer shall send connections to: ``Member(None, "10.0.0.4", 8080)``,
    or ``Member(node.id, "", 8080)`` where the provider's own nodes are members.
    """

    __slots__ = ("driver",)
    driver: LoadBalancerDriver | None
    balancer: LoadBalancer | None

    def __init__(
        self,
        id: str | None,
        ip: str,
        port: int | None,
        balancer: LoadBalancer | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(id, ip, port, balancer, extra or {})
        object.__setattr__(self, "driver", None if balancer is None else balancer.driver)


class LoadBalancer(model.LoadBalancer):
    """`anysky.model.loadbalancer.LoadBalancer` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: LoadBalancerDriver

    def __init__(
        self,
        id: str,
        name: str,
        state: State,
        ip: str,
        port: int | None,
        driver: LoadBalancerDriver,
        extra: dict[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(id, name, state, ip, port, extra or {}, tags or {})
        object.__setattr__(self, "driver", driver)

    async def attach_compute_node(self, node: Node) -> Member:
        """Add a node to this balancer, on the balancer's port."""
        return await self.driver.balancer_attach_compute_node(self, node)

    async def attach_member(self, member: model.Member) -> Member:
        """Add a member to this balancer."""
        return await self.driver.balancer_attach_member(self, member)

    async def detach_member(self, member: model.Member) -> bool:
        """Take a member from this balancer; returns True."""
        return await self.driver.balancer_detach_member(self, member)

    async def list_members(self) -> list[Member]:
        """Return all members of this balancer."""
        return await self.driver.balancer_list_members(self)

    async def iterate_members(self) -> AsyncIterator[Member]:
        """Yield the members of this balancer, page by page."""
        async for member in self.driver.balancer_iterate_members(self):
            yield member

    async def update(
        self,
        *,
        name: str | None = None,
        algorithm: Algorithm | int | None = None,
        port: int | None = None,
        protocol: str | None = None,
        **options: Any,
    ) -> LoadBalancer:
        """Change what is given; see `LoadBalancerDriver.update_balancer`."""
        return await self.driver.update_balancer(
            self, name=name, algorithm=algorithm, port=port, protocol=protocol, **options
        )

    async def destroy(self) -> bool:
        """Destroy this balancer; its members stay as nodes."""
        return await self.driver.destroy_balancer(self)


class LoadBalancerDriver(Driver[LoadBalancerBackend]):
    """A provider's load balancers; see `Driver` for its arguments.

    Every method raises a `CloudError`. Each ``list_…`` returns all pages; its twin
    ``iterate_…`` fetches them as they are used.

    Attributes:
        protocols: What balancers speak, in lower case.
        algorithms: How balancers choose a member, with the provider's own names for it.
        changeable: Which of ``"name"``, ``"algorithm"``, ``"port"`` and ``"protocol"``
            `update_balancer` can change at this provider.
    """

    protocols: ClassVar[tuple[str, ...]] = ()
    algorithms: ClassVar[Mapping[Algorithm, str]] = {}
    changeable: ClassVar[frozenset[str]] = frozenset()

    def list_protocols(self) -> list[str]:
        """Return what balancers of this provider speak, in lower case; nothing is sent."""
        return list(self.protocols)

    def list_supported_algorithms(self) -> list[Algorithm]:
        """Return how balancers of this provider choose a member; nothing is sent."""
        return list(self.algorithms)

    async def list_balancers(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[LoadBalancer]:
        """Return all balancers of the account in this region, or those that match.

        Args:
            ids: Only balancers with one of these ids.
            name: Only balancers with this name.
            tags: Only balancers that have these tags with these values.
            options: Options of this provider, beginning with ``ex_``.
        """
        filter = make_filter(ids, name, tags, options=self._options("list_balancers", options))
        return await self._collect(
            lambda cursor: self._backend.list_balancers(cursor, filter), self._balancer, filter
        )

    async def iterate_balancers(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncIterator[LoadBalancer]:
        """Yield what `list_balancers` returns, page by page."""
        filter = make_filter(ids, name, tags, options=self._options("list_balancers", options))
        async for item in self._walk(lambda cursor: self._backend.list_balancers(cursor, filter)):
            if matches(item, filter):
                yield self._balancer(item)

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Return one balancer.

        Raises:
            NotFoundError: There is no such balancer.
        """
        return self._balancer(await self._call(self._backend.get_balancer(balancer_id)))

    async def create_balancer(
        self,
        name: str,
        port: int,
        protocol: str,
        algorithm: Algorithm | int | None,
        members: Sequence[model.Member] | None,
        *,
        location: NodeLocation | str | None = None,
        tags: Mapping[str, str] | None = None,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> LoadBalancer:
        """Make a balancer with its members; it is mostly pending when this returns.

        Args:
            name: Its name.
            port: Port that it listens on.
            protocol: One of `list_protocols`.
            algorithm: One of `list_supported_algorithms`; None for the provider's default.
            members: What it sends connections to; may be empty or None.
            location: Region to make it in, or its id; None for the driver's own.
            tags: Tags or labels.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            AlreadyExistsError: There is one of this name, at a provider that refuses a second.
            InvalidRequestError: Port, protocol, algorithm or a member is wrong.
            PartialFailureError: Something was made, but not all of it.
        """
        spec = model.BalancerSpec(
            name,
            _port(port),
            self._protocol(protocol),
            self._algorithm(algorithm),
            tuple(map(_checked, members or ())),
            location.id if isinstance(location, NodeLocation) else location,
            dict(tags or {}),
            self._options("create_balancer", options),
        )
        job = self._backend.create_balancer(spec)
        return self._balancer(
            await self._make(job, f"balancer {name}", name, choice=on_partial_failure)
        )

    async def update_balancer(
        self,
        balancer: model.LoadBalancer,
        *,
        name: str | None = None,
        algorithm: Algorithm | int | None = None,
        port: int | None = None,
        protocol: str | None = None,
        **options: Any,
    ) -> LoadBalancer:
        """Change what is given of a balancer and return it as it is then; its members stay.

        Args:
            balancer: The balancer.
            name: Another name.
            algorithm: One of `list_supported_algorithms`.
            port: Another port to listen on.
            protocol: One of `list_protocols`.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            UnsupportedOperationError: It cannot be changed at this provider; nothing was sent.
            InvalidRequestError: Nothing is given, or port, protocol or algorithm is wrong.
            ConflictError: It has several listeners, so that it is not clear which is meant.
        """
        given = {"name": name, "algorithm": algorithm, "port": port, "protocol": protocol}
        more = self._options("update_balancer", options)
        self._check_changes([key for key, value in given.items() if value is not None], more)
        changes = model.BalancerChanges(
            name,
            self._algorithm(algorithm),
            None if port is None else _port(port),
            None if protocol is None else self._protocol(protocol),
            more,
        )
        return self._balancer(await self._call(self._backend.update_balancer(balancer, changes)))

    async def destroy_balancer(self, balancer: model.LoadBalancer) -> bool:
        """Destroy a balancer and what was made together with it; returns True.

        Its members stay as nodes.

        Raises:
            NotFoundError: There is no such balancer.
        """
        await self._call(self._backend.destroy_balancer(balancer))
        return True

    async def balancer_list_members(self, balancer: model.LoadBalancer) -> list[Member]:
        """Return all members of a balancer."""
        return await self._collect(
            lambda cursor: self._backend.list_members(balancer, cursor), self._member
        )

    async def balancer_iterate_members(self, balancer: model.LoadBalancer) -> AsyncIterator[Member]:
        """Yield what `balancer_list_members` returns, page by page."""
        async for item in self._walk(lambda cursor: self._backend.list_members(balancer, cursor)):
            yield self._member(item)

    async def balancer_attach_member(
        self, balancer: model.LoadBalancer, member: model.Member
    ) -> Member:
        """Add a member to a balancer and return it with its id.

        Args:
            balancer: The balancer.
            member: An address with a port, or the id of a node, whichever the provider takes;
                without a port, the balancer's.

        Raises:
            AlreadyExistsError: It is one of its members already, where the provider tells.
            InvalidRequestError: It cannot be a member as it is given.
        """
        job = self._backend.attach_member(balancer, _checked(member))
        what = f"member {member.id or member.ip} of balancer {balancer.name}"
        known = (balancer, member.id, [member.ip] if member.ip else [], member.port)
        return self._member(await self._make(job, what, *known))

    async def balancer_attach_compute_node(
        self, balancer: model.LoadBalancer, node: Node
    ) -> Member:
        """Add a node to a balancer, on the balancer's port, and return it as a member.

        Args:
            balancer: The balancer.
            node: A node of a compute driver, mostly of the same provider.

        Raises:
            AlreadyExistsError: It is one of its members already, where the provider tells.
            InvalidRequestError: It has no address, at a provider that knows members by it.
        """
        job = self._backend.attach_node(balancer, node)
        what = f"node {node.id} as member of balancer {balancer.name}"
        known = (balancer, node.id, [*node.private_ips, *node.public_ips], None)
        return self._member(await self._make(job, what, *known))

    async def balancer_detach_member(
        self, balancer: model.LoadBalancer, member: model.Member
    ) -> bool:
        """Take a member from a balancer; returns True.

        Args:
            balancer: The balancer.
            member: One of its members; without an id, the one of this address and port.

        Raises:
            NotFoundError: It is none of its members.
        """
        await self._call(self._backend.detach_member(balancer, _checked(member)))
        return True

    @classmethod
    def _operation_name(cls, operation: str) -> str:
        name = operation.replace("iterate_", "list_", 1)
        if name == "balancer_attach_compute_node":
            return "attach_node"
        return super()._operation_name(name.removeprefix("balancer_"))

    def _protocol(self, protocol: str) -> str:
        name = protocol.lower()
        if self.protocols and name not in self.protocols:
            raise InvalidRequestError(
                f"balancers of {self.name} speak {', '.join(self.protocols)}, not {protocol!r}"
            )
        return name

    def _algorithm(self, algorithm: Algorithm | int | None) -> Algorithm | None:
        if algorithm is None:
            return None
        try:
            found = Algorithm(algorithm)
        except ValueError as error:
            raise InvalidRequestError(f"there is no algorithm {algorithm!r}") from error
        if found not in self.algorithms:
            known = ", ".join(one.name for one in self.algorithms)
            raise InvalidRequestError(
                f"balancers of {self.name} choose by {known}, not {found.name}"
            )
        return found

    def _check_changes(self, given: Sequence[str], options: Mapping[str, Any]) -> None:
        if not self.supports("update_balancer"):
            return  # which the backend says
        if not given and not options:
            raise InvalidRequestError("say what of the balancer shall be changed")
        fixed = [name for name in given if name not in self.changeable]
        if fixed:
            raise UnsupportedOperationError(
                f"{self.name} cannot change the {' and the '.join(fixed)} of a balancer"
            )

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        return {model.LoadBalancer: self._balancer, model.Member: self._member}

    def _balancer(self, data: model.LoadBalancer) -> LoadBalancer:
        return bind(data, LoadBalancer, self)

    def _member(self, data: model.Member) -> Member:
        bound = bind(data, Member, self)
        if data.balancer is not None:
            object.__setattr__(bound, "balancer", self._balancer(data.balancer))
        return bound


def _port(port: int) -> int:
    if not 1 <= port <= _LAST_PORT:
        raise InvalidRequestError(f"a port is 1 to {_LAST_PORT}, not {port}")
    return port


def _checked(member: model.Member) -> model.Member:
    """Return a member if it says where it is."""
    if not member.id and not member.ip:
        raise InvalidRequestError("a member needs an id or an address")
    if member.port is not None:
        _port(member.port)
    return member


def get_driver(provider: Provider | str) -> type[LoadBalancerDriver]:
    """Return the class of a provider's driver; making one of it sends nothing.

    Args:
        provider: A constant of `Provider`, or the name of any provider, plug-ins too.

    Raises:
        UnknownProviderError: There is no such provider.
    """
    return driver_class(LoadBalancerDriver, "loadbalancer", provider)


def set_driver(provider: str, module: str, klass: str) -> type[LoadBalancerDriver]:
    """Register a driver class of your own under a name, for `get_driver`.

    Args:
        provider: The new name.
        module: Module to import, with dots.
        klass: Name of a subclass of `LoadBalancerDriver` in it.

    Raises:
        UnknownProviderError: The name is taken, or there is no such class.
    """
    return register(LoadBalancerDriver, "loadbalancer", provider, module, klass)
