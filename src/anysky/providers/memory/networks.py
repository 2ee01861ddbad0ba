"""Networks, subnets and floating IPs."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from anysky.errors import ConflictError, InvalidRequestError
from anysky.model.compute import Filter, FloatingIP, Network, Node, NodeLocation, Subnet
from anysky.paging import Page

from .machines import Machines
from .places import next_address, next_public_address
from .rules import check_name, check_tags, is_wanted, network_of, of_filter

__all__ = ["Networks"]

_DEFAULT = "10.0.0.0/8"


class Networks(Machines):
    """Networks of any range; subnets lie in their network and do not overlap."""

    async def list_networks(self, cursor: str | None, filter: Filter) -> Page[Network]:
        """Return a page of the networks that match."""

        def work() -> Page[Network]:
            return self._state.networks.page(cursor, lambda one: is_wanted(one, filter))

        return await self._look("list_networks", {"cursor": cursor, **of_filter(filter)}, work)

    async def create_network(
        self, name: str, cidr: str | None, location: NodeLocation | None, tags: dict[str, str]
    ) -> Network:
        """Make a network; without a range it gets one of 65536 addresses."""

        def work() -> Network:
            check_name(name, "network")
            extra = {"location": self._place(location)}
            whole = network_of(cidr or f"10.{self._state.count('range') % 256}.0.0/16")
            id = self._state.new_id("net-")
            network = Network(id, name, str(whole), extra, check_tags(tags))
            return self._state.networks.add(id, network)

        arguments = {"name": name, "cidr": cidr, "location": location and location.id, "tags": tags}
        return await self._do("create_network", arguments, work)

    async def delete_network(self, network: Network) -> None:
        """Delete a network.

        Raises:
            ConflictError: There are subnets, nodes or security groups in it.
        """

        def work() -> None:
            self._state.networks.get(network.id)
            subnets = [one for one in self._state.subnets.items() if one.network_id == network.id]
            groups = self._state.security_groups.items()
            owned = [one for one in groups if one.network_id == network.id]
            self._check_unused("network", network.id, [*subnets, *owned])
            self._state.networks.remove(network.id)

        await self._remove("delete_network", {"network": network.id}, work)

    async def list_subnets(
        self, cursor: str | None, network: Network | None, filter: Filter
    ) -> Page[Subnet]:
        """Return a page of the subnets that match, those of one network if it is given."""

        def work() -> Page[Subnet]:
            if network is not None:
                self._state.networks.get(network.id)
            return self._state.subnets.page(
                cursor,
                lambda one: (
                    (network is None or one.network_id == network.id) and is_wanted(one, filter)
                ),
            )

        arguments = {"network": network and network.id, "cursor": cursor, **of_filter(filter)}
        return await self._look("list_subnets", arguments, work)

    async def create_subnet(
        self,
        network: Network,
        name: str,
        cidr: str,
        location: NodeLocation | None,
        tags: dict[str, str],
    ) -> Subnet:
        """Make a subnet.

        Raises:
            ConflictError: Its range overlaps with that of another subnet.
            InvalidRequestError: Its range does not lie in the network's.
        """

        def work() -> Subnet:
            check_name(name, "subnet")
            owner = self._state.networks.get(network.id)
            extra = {"location": self._place(location)}
            part = str(self._free_part(owner, cidr))
            id = self._state.new_id("subnet-")
            subnet = Subnet(id, name, part, owner.id, extra, check_tags(tags))
            return self._state.subnets.add(id, subnet)

        place = location and location.id
        arguments = {
            "network": network.id, "name": name, "cidr": cidr, "location": place, "tags": tags
        }  # fmt: skip
        return await self._do("create_subnet", arguments, work)

    async def delete_subnet(self, subnet: Subnet) -> None:
        """Delete a subnet.

        Raises:
            ConflictError: There are nodes in it.
        """

        def work() -> None:
            self._state.subnets.get(subnet.id)
            self._check_unused("subnet", subnet.id, [])
            self._state.subnets.remove(subnet.id)

        await self._remove("delete_subnet", {"subnet": subnet.id}, work)

    async def list_floating_ips(self, cursor: str | None, filter: Filter) -> Page[FloatingIP]:
        """Return a page of the floating IPs that match."""

        def work() -> Page[FloatingIP]:
            return self._state.floating_ips.page(cursor, lambda one: is_wanted(one, filter))

        return await self._look("list_floating_ips", {"cursor": cursor, **of_filter(filter)}, work)

    async def create_floating_ip(
        self, location: NodeLocation | None, tags: dict[str, str]
    ) -> FloatingIP:
        """Reserve an address."""

        def work() -> FloatingIP:
            extra = {"location": self._place(location)}
            id, ip = self._state.new_id("ip-"), self._public_ip()
            address = FloatingIP(id, ip, None, extra, check_tags(tags))
            return self._state.floating_ips.add(id, address)

        arguments = {"location": location and location.id, "tags": tags}
        return await self._do("create_floating_ip", arguments, work)

    async def delete_floating_ip(self, address: FloatingIP) -> None:
        """Give an address back.

        Raises:
            ConflictError: It points to a node.
        """

        def work() -> None:
            self._free_address(address.id)
            self._state.floating_ips.remove(address.id)

        await self._remove("delete_floating_ip", {"floating_ip": address.id}, work)

    async def attach_floating_ip(self, address: FloatingIP, node: Node) -> None:
        """Point an address to a node of the same location.

        Raises:
            ConflictError: It points to a node already.
            InvalidRequestError: They are in two locations.
        """

        def work() -> None:
            found, target = self._free_address(address.id), self._node(node.id)
            if found.extra["location"] != target.extra["location"]:
                raise InvalidRequestError(
                    f"the address is in {found.extra['location']}, the node in "
                    f"{target.extra['location']}"
                )
            self._state.floating_ips.put(found.id, replace(found, node_id=target.id))
            ips = [*target.public_ips, found.ip]
            self._state.nodes.put(target.id, replace(target, public_ips=ips))

        arguments = {"floating_ip": address.id, "node": node.id}
        await self._do("attach_floating_ip", arguments, work)

    async def detach_floating_ip(self, address: FloatingIP) -> None:
        """Take an address from its node.

        Raises:
            ConflictError: It points to none.
        """

        def work() -> None:
            found = self._state.floating_ips.get(address.id)
            if found.node_id is None:
                raise ConflictError(f"the address {found.ip} points to no node")
            node = self._state.nodes.get(found.node_id)
            ips = [ip for ip in node.public_ips if ip != found.ip]
            self._state.nodes.put(node.id, replace(node, public_ips=ips))
            self._state.floating_ips.put(found.id, replace(found, node_id=None))

        await self._do("detach_floating_ip", {"floating_ip": address.id}, work)

    def _free_address(self, address_id: str) -> FloatingIP:
        found = self._state.floating_ips.get(address_id)
        if found.node_id is not None:
            raise ConflictError(f"the address {found.ip} points to the node {found.node_id!r}")
        return found

    def _free_part(
        self, network: Network, cidr: str
    ) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """Return the range of a new subnet."""
        whole, part = network_of(network.cidr), network_of(cidr)
        if part.version != whole.version or not _lies_in(part, whole):
            raise InvalidRequestError(f"{cidr} does not lie in {network.cidr}, the network's range")
        for other in self._state.subnets.items():
            if other.network_id == network.id and network_of(other.cidr).overlaps(part):
                raise ConflictError(f"{cidr} overlaps with {other.cidr} of the subnet {other.id!r}")
        return part

    def _check_unused(self, what: str, id: str, others: list[object]) -> None:
        """Refuse to delete what nodes or other things are in."""
        nodes = [one for one in self._state.nodes.items() if one.extra.get(f"{what}_id") == id]
        users = [str(getattr(one, "id", "")) for one in [*others, *nodes]]
        if users:
            raise ConflictError(f"the {what} {id!r} is in use by {', '.join(users)}")

    def _public_ip(self) -> str:
        return next_public_address(self._state)

    def _private_ip(self, network: Network | Subnet | None) -> str:
        return next_address(self._state, _DEFAULT if network is None else network.cidr)


def _lies_in(
    part: ipaddress.IPv4Network | ipaddress.IPv6Network,
    whole: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    return part.network_address in whole and part.broadcast_address in whole
