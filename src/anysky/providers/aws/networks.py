"""Networks (VPCs), subnets and Elastic IP addresses of EC2.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anysky.errors import ConflictError, InvalidRequestError, NotFoundError
from anysky.ledger import Ledger
from anysky.model.compute import Filter, FloatingIP, Network, Node, NodeLocation, Subnet
from anysky.paging import Page
from anysky.wire import xml

from .ec2 import EC2Backend, Tagged, extra_of, filter_parameter, filters, id_of, tag_specification

__all__ = ["EC2Networks"]

_NETWORK_EXTRA = {
    "state": "state",
    "dhcp_options_id": "dhcpOptionsId",
    "instance_tenancy": "instanceTenancy",
    "is_default": "isDefault",
}
_SUBNET_EXTRA = {
    "available_ips": "availableIpAddressCount",
    "cidr_block": "cidrBlock",
    "vpc_id": "vpcId",
    "zone": "availabilityZone",
}


class _Vpc(Tagged):
    id: str = xml.required("vpcId")
    cidr: str = xml.text("cidrBlock", "")


class _Vpcs(xml.Record, root="DescribeVpcsResponse"):
    vpcs: list[_Vpc] = xml.records("vpcSet/item", _Vpc)
    next_token: str | None = xml.text("nextToken")


class _CreatedVpc(xml.Record, root="CreateVpcResponse"):
    vpcs: list[_Vpc] = xml.records("vpc", _Vpc)


class _Subnet(Tagged):
    id: str = xml.required("subnetId")
    cidr: str = xml.text("cidrBlock", "")
    vpc_id: str = xml.text("vpcId", "")
    free: int = xml.integer("availableIpAddressCount", 0)


class _Subnets(xml.Record, root="DescribeSubnetsResponse"):
    subnets: list[_Subnet] = xml.records("subnetSet/item", _Subnet)
    next_token: str | None = xml.text("nextToken")


class _CreatedSubnet(xml.Record, root="CreateSubnetResponse"):
    subnets: list[_Subnet] = xml.records("subnet", _Subnet)


class _Address(Tagged):
    # Addresses from before VPCs have no allocation.
    allocation: str = xml.text("allocationId", "")
    ip: str = xml.text("publicIp", "")
    node_id: str = xml.text("instanceId", "")
    association: str = xml.text("associationId", "")
    interface: str = xml.text("networkInterfaceId", "")
    private_ip: str = xml.text("privateIpAddress", "")


class _Addresses(xml.Record, root="DescribeAddressesResponse"):
    addresses: list[_Address] = xml.records("addressesSet/item", _Address)


class _AllocatedAddress(_Address, root="AllocateAddressResponse"):
    """The answer of AllocateAddress, which is an address."""


class EC2Networks(EC2Backend):
    """Networks, subnets and Elastic IP addresses of EC2."""

    async def list_networks(self, cursor: str | None, filter: Filter) -> Page[Network]:
        """List VPCs: DescribeVpcs."""
        asked = filters(filter, "vpc-id", "vpc-")
        answer = await self._page(cursor, "DescribeVpcs", asked, _Vpcs)
        return Page([_network(one) for one in answer.vpcs], answer.next_token or None)

    async def create_network(
        self,
        name: str,
        cidr: str | None,
        location: NodeLocation | None,  # noqa: ARG002 - a VPC is in all zones of its region
        tags: dict[str, str],
    ) -> Network:
        """Make a VPC: CreateVpc.

        Raises:
            InvalidRequestError: No range of addresses is given: EC2 does not choose one.
        """
        if cidr is None:
            raise InvalidRequestError("EC2 needs the network's range: pass cidr='10.0.0.0/16'")
        parameters = {
            "CidrBlock": cidr,
            "TagSpecification": tag_specification(name, tags, "vpc"),
        }
        answer = await self._call("CreateVpc", parameters, _CreatedVpc)
        return _network(answer.vpcs[0])

    async def delete_network(self, network: Network) -> None:
        """Delete a VPC: DeleteVpc."""
        await self._act("DeleteVpc", {"VpcId": network.id})

    async def list_subnets(
        self, cursor: str | None, network: Network | None, filter: Filter
    ) -> Page[Subnet]:
        """List subnets: DescribeSubnets."""
        asked = filters(filter, "subnet-id", "subnet-")
        if network is not None:
            asked = {"Filter": [*asked.get("Filter", ()), *_in_network(network)]}
        answer = await self._page(cursor, "DescribeSubnets", asked, _Subnets)
        return Page([_subnet(one) for one in answer.subnets], answer.next_token or None)

    async def create_subnet(
        self,
        network: Network,
        name: str,
        cidr: str,
        location: NodeLocation | None,
        tags: dict[str, str],
    ) -> Subnet:
        """Make a subnet, without a location in a zone of EC2's choice: CreateSubnet."""
        parameters = {
            "VpcId": network.id,
            "CidrBlock": cidr,
            "AvailabilityZone": None if location is None else location.id,
            "TagSpecification": tag_specification(name, tags, "subnet"),
        }
        answer = await self._call("CreateSubnet", parameters, _CreatedSubnet)
        return _subnet(answer.subnets[0])

    async def delete_subnet(self, subnet: Subnet) -> None:
        """Delete a subnet: DeleteSubnet."""
        await self._act("DeleteSubnet", {"SubnetId": subnet.id})

    async def list_floating_ips(
        self,
        cursor: str | None,  # noqa: ARG002 - there is one page
        filter: Filter,
    ) -> Page[FloatingIP]:
        """List Elastic IP addresses: DescribeAddresses."""
        asked = filters(filter, "allocation-id", "eipalloc-")
        return Page([_floating_ip(one) for one in await self._addresses(asked)])

    async def create_floating_ip(
        self,
        location: NodeLocation | None,  # noqa: ARG002 - an address is for all zones of its region
        tags: dict[str, str],
    ) -> FloatingIP:
        """Allocate an Elastic IP address: AllocateAddress."""
        parameters = {
            "Domain": "vpc",
            "TagSpecification": tag_specification(None, tags, "elastic-ip"),
        }
        answer = await self._call("AllocateAddress", parameters, _AllocatedAddress)
        address = _floating_ip(answer)
        return FloatingIP(address.id, address.ip, None, address.extra, tags)

    async def delete_floating_ip(self, address: FloatingIP) -> None:
        """Release an Elastic IP address: ReleaseAddress."""
        await self.release_address(address)

    async def attach_floating_ip(self, address: FloatingIP, node: Node) -> None:
        """Associate an Elastic IP address with a node, also in place of another: AssociateAddress.

        Args:
            address: The address.
            node: The node.
        """
        await self.associate_address_with_node(node, address)

    async def detach_floating_ip(self, address: FloatingIP) -> None:
        """Disassociate an Elastic IP address: DisassociateAddress.

        Raises:
            NotFoundError: There is no such address, or it is associated with nothing.
        """
        await self.disassociate_address(address)

    async def allocate_address(self, domain: str = "vpc") -> FloatingIP:
        """Allocate an Elastic IP address; there are no others than those of VPCs: AllocateAddress.

        Raises:
            InvalidRequestError: Another domain is wanted: EC2-Classic has been shut down.
        """
        if domain != "vpc":
            raise InvalidRequestError(f"addresses are in the domain 'vpc', not {domain!r}")
        return await self.create_floating_ip(None, {})

    async def describe_all_addresses(self, only_associated: bool = False) -> list[FloatingIP]:
        """Return all Elastic IP addresses, or those that nodes have: DescribeAddresses."""
        page = await self.list_floating_ips(None, Filter())
        return [one for one in page.items if one.node_id or not only_associated]

    async def associate_address_with_node(
        self, node: Node | str, elastic_ip: FloatingIP | str
    ) -> str:
        """Associate an address, given by itself or its allocation's id: AssociateAddress.

        Returns:
            The id of the association.
        """
        node_id, address_id = id_of(node), id_of(elastic_ip)
        async with self.ledger("associate_address_with_node") as ledger:
            try:
                return await self._associate(ledger, address_id, node_id)
            except ConflictError as error:
                if error.code != "Resource.AlreadyAssociated":
                    raise
            displaced = await self._displaced(address_id, node_id)
            return await self._associate(ledger, address_id, node_id, displaced)

    async def _associate(
        self,
        ledger: Ledger,
        address_id: str,
        node_id: str,
        displaced: Sequence[dict[str, str]] | None = None,
    ) -> str:
        """Associate an address with a node, in place of others only if they are told."""
        association = ""

        async def associate() -> None:
            nonlocal association
            parameters = {
                "InstanceId": node_id,
                "AllocationId": address_id,
                "AllowReassociation": displaced is not None,
            }
            answer = await self.ask("AssociateAddress", parameters)
            association = answer.text("associationId", "")

        await ledger.step(
            f"association of address {address_id} with node {node_id}",
            associate(),
            undo=self._put_back,
            undo_args=(address_id, node_id, list(displaced or ())),
            find=self._find_association,
            find_args=(address_id, node_id),
        )
        return association or await self._association(address_id, node_id) or ""

    async def _displaced(self, address_id: str, node_id: str) -> list[dict[str, str]]:
        """Return what must be associated again once an address has been on another node."""
        of_address = await self._addresses({"AllocationId": [address_id]})
        of_node = await self._addresses(filter_parameter({"instance-id": node_id}))
        return [
            _placed(one)
            for one in (*of_address, *of_node)
            if one.association and (one.allocation, one.node_id) != (address_id, node_id)
        ]

    async def _put_back(
        self, address_id: str, node_id: str, displaced: Sequence[Mapping[str, str]]
    ) -> None:
        """Take an address from a node, and associate again what was displaced for it.

        Raises:
            NotFoundError: It is not on that node any more, and nothing was displaced.
        """
        association = await self._association(address_id, node_id)
        if association is not None:
            await self._act("DisassociateAddress", {"AssociationId": association})
        elif not displaced:
            raise NotFoundError(f"the address {address_id} is not on node {node_id}")
        for former in displaced:
            await self._act("AssociateAddress", {**former, "AllowReassociation": False})

    async def _find_association(
        self,
        mark: str,  # noqa: ARG002 - an association carries none
        address_id: str,
        node_id: str,
    ) -> list[None]:
        """Look for an association, which is known by its two ends."""
        return [] if await self._association(address_id, node_id) is None else [None]

    async def _association(self, address_id: str, node_id: str) -> str | None:
        """Return the id of an address's association with a node, None if there is none."""
        found = await self._addresses({"AllocationId": [address_id]})
        return next((one.association for one in found if one.node_id == node_id), None) or None

    async def _addresses(self, parameters: Mapping[str, Any]) -> list[_Address]:
        answer = await self._call("DescribeAddresses", parameters, _Addresses)
        return answer.addresses

    async def disassociate_address(self, elastic_ip: FloatingIP | str) -> None:
        """Disassociate an address, given by itself or its allocation's id: DisassociateAddress.

        Raises:
            NotFoundError: There is no such address, or it is associated with nothing.
        """
        allocation = id_of(elastic_ip)
        # The association may be newer than the model.
        addresses = await self._addresses({"AllocationId": [allocation]})
        found = next((one.association for one in addresses if one.association), None)
        if found is None:
            raise NotFoundError(f"the address {allocation} is associated with nothing")
        await self._act("DisassociateAddress", {"AssociationId": found})

    async def release_address(self, elastic_ip: FloatingIP | str) -> None:
        """Release an address, given by itself or its allocation's id: ReleaseAddress."""
        await self._act("ReleaseAddress", {"AllocationId": id_of(elastic_ip)})

    async def _subnet_for(
        self, network: Network | Subnet | None, location: NodeLocation | None
    ) -> str | None:
        """Return the subnet for a node: in a whole VPC the one with most free addresses.

        Raises:
            InvalidRequestError: The VPC has none, or none in the zone.
        """
        if network is None or isinstance(network, Subnet):
            return None if network is None else network.id
        wanted = {"vpc-id": network.id, "state": "available"}
        if location is not None:
            wanted["availability-zone"] = location.id
        parameters = {**filter_parameter(wanted), "MaxResults": 1000}
        answer = await self._call("DescribeSubnets", parameters, _Subnets)
        if not answer.subnets:
            place = "" if location is None else f" in {location.id}"
            raise InvalidRequestError(f"the network {network.id} has no subnet{place}: make one")
        return max(answer.subnets, key=lambda one: one.free).id


def _in_network(network: Network) -> list[dict[str, object]]:
    return [{"Name": "vpc-id", "Value": [network.id]}]


def _network(vpc: _Vpc) -> Network:
    extra = extra_of(vpc.raw, _NETWORK_EXTRA)
    return Network(vpc.id, vpc.name or vpc.id, vpc.cidr, extra, vpc.tags)


def _subnet(subnet: _Subnet) -> Subnet:
    extra = extra_of(subnet.raw, _SUBNET_EXTRA)
    name = subnet.name or subnet.id
    return Subnet(subnet.id, name, subnet.cidr, subnet.vpc_id, extra, subnet.tags)


def _placed(address: _Address) -> dict[str, str]:
    """Return the parameters that put an address where it is."""
    place = {"NetworkInterfaceId": address.interface, "PrivateIpAddress": address.private_ip}
    if not address.interface:
        place = {"InstanceId": address.node_id}
    return {"AllocationId": address.allocation, **place}


def _floating_ip(address: _Address) -> FloatingIP:
    extra = extra_of(address.raw, {"allocation_id": "allocationId", "domain": "domain"})
    return FloatingIP(
        address.allocation or address.ip, address.ip, address.node_id or None, extra, address.tags
    )
