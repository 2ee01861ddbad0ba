"""VPCs, which are the standard API's networks, and reserved IPs, its floating IPs.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/VPCs and
https://docs.digitalocean.com/reference/api/digitalocean/#tag/Reserved-IPs
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.errors import NotFoundError, UnsupportedOperationError
from anysky.ledger import Ledger
from anysky.model.compute import Filter, FloatingIP, Network, Node, NodeLocation
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import extra_of, segment

from .api import Listing, number_of
from .backend import DigitalOceanBackend, is_watched

__all__ = ["Networks"]


class _Vpc(msgspec.Struct):
    id: str
    name: str
    ip_range: str


class _Vpcs(Listing, kw_only=True):
    vpcs: list[msgspec.Raw]


class _OneVpc(msgspec.Struct):
    vpc: msgspec.Raw


class _Holder(msgspec.Struct):
    id: int


class _ReservedIP(msgspec.Struct):
    ip: str
    droplet: _Holder | None = None


class _ReservedIPs(Listing, kw_only=True):
    reserved_ips: list[msgspec.Raw]


class _OneReservedIP(msgspec.Struct):
    reserved_ip: msgspec.Raw


_vpc = msgspec.json.Decoder(_Vpc).decode
_reserved_ip = msgspec.json.Decoder(_ReservedIP).decode


class Networks(DigitalOceanBackend, ComputeBackend):
    """VPCs have no subnets; neither they nor reserved IPs have tags."""

    async def list_networks(
        self,
        cursor: str | None,
        filter: Filter,  # noqa: ARG002 - the API cannot filter them
    ) -> Page[Network]:
        """List VPCs: GET /v2/vpcs."""
        answer = await self.api.page(cursor, "/vpcs", _Vpcs)
        return Page([_network(raw) for raw in answer.vpcs], answer.next)

    async def create_network(
        self, name: str, cidr: str | None, location: NodeLocation | None, tags: dict[str, str]
    ) -> Network:
        """Create a VPC, with a range that DigitalOcean chooses if none is given: POST /v2/vpcs."""
        _refuse_tags("VPCs", tags)
        body = {"name": name, "region": self.region_of(location)}
        if cidr is not None:
            body["ip_range"] = cidr
        async with self.ledger("create_network") as ledger:
            known = await self._known(ledger, self._networks_made, name)
            what = f"network {name}"
            return await ledger.step(what, self._post_vpc(body), self.delete_network, **known)

    async def delete_network(self, network: Network) -> None:
        """Delete a VPC that holds nothing: DELETE /v2/vpcs/{id}.

        Raises:
            ConflictError: There are Droplets or other things in it.
            PermissionDeniedError: It is the default VPC of its region.
        """
        await self.api.send("DELETE", f"/vpcs/{segment(network.id)}")

    async def list_floating_ips(
        self,
        cursor: str | None,
        filter: Filter,  # noqa: ARG002 - the API cannot filter them
    ) -> Page[FloatingIP]:
        """List reserved IPs: GET /v2/reserved_ips."""
        answer = await self.api.page(cursor, "/reserved_ips", _ReservedIPs)
        return Page([_floating_ip(raw) for raw in answer.reserved_ips], answer.next)

    async def create_floating_ip(
        self, location: NodeLocation | None, tags: dict[str, str]
    ) -> FloatingIP:
        """Reserve an IPv4 address in a region: POST /v2/reserved_ips."""
        _refuse_tags("reserved IPs", tags)
        region = self.region_of(location)
        async with self.ledger("create_floating_ip") as ledger:
            # Nothing tells it from one that somebody else reserves at the same moment. So it is
            # never given back if its answer was lost; then a person has to look for it.
            free = await self._free_addresses(ledger)
            what = f"floating IP in {region}{', besides ' if free else ''}{', '.join(free)}"
            return await ledger.step(what, self._reserve(region), self.delete_floating_ip)

    async def delete_floating_ip(self, address: FloatingIP) -> None:
        """Give a reserved IP back: DELETE /v2/reserved_ips/{ip}."""
        await self.api.send("DELETE", _path(address.ip))

    async def attach_floating_ip(self, address: FloatingIP, node: Node) -> None:
        """Point a reserved IP to a Droplet and wait: POST /v2/reserved_ips/{ip}/actions."""
        action = {"type": "assign", "droplet_id": number_of(node.id, "Droplet")}
        what = f"attachment of floating IP {address.ip} to node {node.id}"
        path, ids = f"{_path(address.ip)}/actions", (address.ip, node.id)
        async with self.ledger("attach_floating_ip") as ledger:
            await self._attach(ledger, what, path, action, self._unassign, self._assigned_to, *ids)

    async def detach_floating_ip(self, address: FloatingIP) -> None:
        """Take a reserved IP from its Droplet and wait: POST /v2/reserved_ips/{ip}/actions."""
        await self.api.act(f"{_path(address.ip)}/actions", {"type": "unassign"})

    async def _post_vpc(self, body: Mapping[str, str]) -> Network:
        return _network((await self.api.call("POST", "/vpcs", _OneVpc, json=body)).vpc)

    async def _networks_made(self, _: str, name: str) -> list[Network]:
        """Find the VPC of a name, which no other can have."""
        found = await all_pages(
            lambda cursor: self.list_networks(cursor, Filter(name=name)), self.connection.limits
        )
        return [network for network in found if network.name == name]

    async def _reserve(self, region: str) -> FloatingIP:
        body = {"region": region}
        answer = await self.api.call("POST", "/reserved_ips", _OneReservedIP, json=body)
        return _floating_ip(answer.reserved_ip)

    async def _free_addresses(self, ledger: Ledger) -> list[str]:
        """Return the addresses that point nowhere, to tell people which are not the new one."""
        if not is_watched(ledger):
            return []
        found = await all_pages(
            lambda cursor: self.list_floating_ips(cursor, Filter()), self.connection.limits
        )
        return [address.ip for address in found if address.node_id is None]

    async def _assigned_to(self, _: str, ip: str, node_id: str) -> list[None]:
        """Tell whether an address points to a node, which is nothing that could be returned."""
        await self.api.settle(_path(ip))
        answer = await self.api.call("GET", _path(ip), _OneReservedIP)
        return [None] if _floating_ip(answer.reserved_ip).node_id == node_id else []

    async def _unassign(self, ip: str, node_id: str) -> None:
        """Take an address from this node, unless it points to another one since."""
        if not await self._assigned_to("", ip, node_id):
            raise NotFoundError(f"the address {ip} does not point to the node {node_id}")
        await self.api.act(f"{_path(ip)}/actions", {"type": "unassign"})


def _refuse_tags(what: str, tags: Mapping[str, str]) -> None:
    if tags:
        raise UnsupportedOperationError(f"DigitalOcean's {what} have no tags")


def _network(raw: msgspec.Raw) -> Network:
    data = _vpc(raw)
    return Network(data.id, data.name, data.ip_range, extra_of(raw))


def _path(ip: str) -> str:
    return f"/reserved_ips/{segment(ip)}"


def _floating_ip(raw: msgspec.Raw) -> FloatingIP:
    data = _reserved_ip(raw)
    holder = str(data.droplet.id) if data.droplet else None
    return FloatingIP(data.ip, data.ip, holder, extra_of(raw))
