"""VPCs, which are the standard API's networks, and reserved IPs, its floating IPs.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/VPCs and
https://docs.digitalocean.com/reference/api/digitalocean/#tag/Reserved-IPs
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.errors import UnsupportedOperationError
from anysky.model.compute import Filter, FloatingIP, Network, Node, NodeLocation
from anysky.paging import Page
from anysky.wire.rest import extra_of, segment

from .api import DigitalOceanBackend, Listing, number_of

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
        return _network((await self.api.call("POST", "/vpcs", _OneVpc, json=body)).vpc)

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
        body = {"region": self.region_of(location)}
        answer = await self.api.call("POST", "/reserved_ips", _OneReservedIP, json=body)
        return _floating_ip(answer.reserved_ip)

    async def delete_floating_ip(self, address: FloatingIP) -> None:
        """Give a reserved IP back: DELETE /v2/reserved_ips/{ip}."""
        await self.api.send("DELETE", _path(address))

    async def attach_floating_ip(self, address: FloatingIP, node: Node) -> None:
        """Point a reserved IP to a Droplet and wait: POST /v2/reserved_ips/{ip}/actions."""
        body = {"type": "assign", "droplet_id": number_of(node.id, "Droplet")}
        await self.api.act(f"{_path(address)}/actions", body)

    async def detach_floating_ip(self, address: FloatingIP) -> None:
        """Take a reserved IP from its Droplet and wait: POST /v2/reserved_ips/{ip}/actions."""
        await self.api.act(f"{_path(address)}/actions", {"type": "unassign"})


def _refuse_tags(what: str, tags: Mapping[str, str]) -> None:
    if tags:
        raise UnsupportedOperationError(f"DigitalOcean's {what} have no tags")


def _network(raw: msgspec.Raw) -> Network:
    data = _vpc(raw)
    return Network(data.id, data.name, data.ip_range, extra_of(raw))


def _path(address: FloatingIP) -> str:
    return f"/reserved_ips/{segment(address.ip)}"


def _floating_ip(raw: msgspec.Raw) -> FloatingIP:
    data = _reserved_ip(raw)
    holder = str(data.droplet.id) if data.droplet else None
    return FloatingIP(data.ip, data.ip, holder, extra_of(raw))
