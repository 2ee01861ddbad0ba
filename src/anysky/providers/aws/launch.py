"""How nodes are made: RunInstances.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.backend.base import Option
from anysky.errors import InvalidRequestError, MalformedResponseError
from anysky.ledger import Ledger, mark
from anysky.model.compute import Node, NodeAuthPassword, NodeAuthSSHKey, NodeSpec, NodeState
from anysky.steps import MARK_TAG
from anysky.waiting import wait_until

from .ec2 import filter_parameter, id_of, tag_specification
from .instances import Instances, Launched, node_of
from .keys import EC2Keys
from .networks import EC2Networks
from .volumes import EC2Volumes

__all__ = ["OPTIONS", "EC2Launch"]

_LAUNCHED_WITHIN = 120.0

OPTIONS = (
    Option("ex_keyname", "str", "name of a key pair; the same as key_pair"),
    Option("ex_userdata", "str | bytes", "text for cloud-init; the same as user_data"),
    Option("ex_security_groups", "list[str]", "names of security groups, in the default network"),
    Option("ex_security_group_ids", "list[str]", "ids of security groups"),
    Option("ex_metadata", "dict[str, str]", "further tags"),
    Option("ex_mincount", "int", "1: one call makes one node"),
    Option("ex_maxcount", "int", "1: one call makes one node"),
    Option("ex_clienttoken", "str", "token that makes the call idempotent; else a new one"),
    Option("ex_blockdevicemappings", "list[dict[str, Any]]", "disks, with EC2's own names"),
    Option("ex_iamprofile", "str", "name or ARN of an instance profile"),
    Option("ex_ebs_optimized", "bool", "bandwidth of its own for volumes"),
    Option("ex_subnet", "Subnet | str", "subnet to put it in; the same as network"),
    Option("ex_placement_group", "str", "name of a placement group"),
    Option("ex_assign_public_ip", "bool", "whether it gets a public IPv4 address"),
    Option("ex_terminate_on_shutdown", "bool", "destroy it when it shuts itself down"),
    Option("ex_spot", "bool", "order a Spot Instance"),
    Option("ex_spot_max_price", "float", "highest price of an hour for a Spot Instance"),
)


class EC2Launch(EC2Keys, EC2Networks, EC2Volumes):
    """The creation of nodes."""

    async def create_node(self, spec: NodeSpec) -> Node:
        """Launch one instance with its tags and a token in the same request: RunInstances.

        A public key in ``auth`` is imported first, under a name that is made of its digest, unless
        that has been done before.

        With a token of your own (``ex_clienttoken``) the same call may be made again, also by
        another program: EC2 then answers with the node that the first has made.

        Raises:
            PartialFailureError: The key pair was imported, and then no node was made.
        """
        _refuse(spec)
        subnet = await self._subnet_for(spec.network, spec.location)
        async with self.ledger("create_node") as ledger:
            key_name: str | None = spec.key_pair or spec.options.get("ex_keyname")
            if isinstance(spec.auth, NodeAuthSSHKey):
                key_name = await self._find_or_import(ledger, spec.auth.pubkey)
            token: str | None = spec.options.get("ex_clienttoken")
            if token is not None:
                return await self._launch_once(ledger, spec, subnet, key_name, token)
            return await self._launch(spec, subnet, key_name)

    async def destroy_node_with_volumes(self, node: Node) -> None:
        """Terminate an instance together with the volumes that were made with it.

        EC2 keeps volumes of ``ex_blockdevicemappings`` unless it is told otherwise; here it is told
        so. Volumes that were attached later stay, and so do all of a node that another program
        has made: DescribeVolumes, DescribeInstances, ModifyInstanceAttribute, TerminateInstances.
        """
        mark = node.tags.get(MARK_TAG)
        lasting = [] if mark is None else await self._lasting_devices(node.id, mark)
        if lasting:
            await self._wait_for_launch(node)
            mapping = [
                {"DeviceName": device, "Ebs": {"DeleteOnTermination": True}} for device in lasting
            ]
            parameters = {"InstanceId": node.id, "BlockDeviceMapping": mapping}
            await self._act("ModifyInstanceAttribute", parameters)
        await self.destroy_node(node)

    async def _wait_for_launch(self, node: Node) -> None:
        """Wait until an instance can be changed, which takes some seconds after its launch."""
        await wait_until(
            lambda: self.get_node(node.id),
            lambda found: found.state is not NodeState.PENDING,
            self.runtime,
            what=f"the launch of node {node.id}",
            timeout=_LAUNCHED_WITHIN,
        )

    async def _launch(
        self, spec: NodeSpec, subnet: str | None, key_name: str | None, token: str | None = None
    ) -> Node:
        parameters = _parameters(spec, subnet, key_name, token)
        answer = await self._call("RunInstances", parameters, Launched)
        if not answer.instances:
            raise MalformedResponseError("EC2 launched an instance and did not tell which")
        return node_of(answer.instances[0])

    async def _launch_once(
        self, ledger: Ledger, spec: NodeSpec, subnet: str | None, key_name: str | None, token: str
    ) -> Node:
        """Launch an instance unless an earlier call with the same token has done it."""
        launch = self._launch(spec, subnet, key_name, token)
        try:
            if await self._find_nodes(ledger.id, token):
                ledger.own = None  # what an earlier call has made is not this one's to take back
                return await launch
            return await ledger.step(
                f"node {spec.name}",
                launch,
                undo=self.destroy_node_with_volumes,
                find=self._find_nodes,
                find_args=(token,),
            )
        finally:
            launch.close()

    async def _find_nodes(self, mark: str, token: str) -> list[Node]:  # noqa: ARG002 - a token of the user's own stands in for the mark
        """Return the nodes that were launched with a token and are still there."""
        wanted = filter_parameter({"client-token": token})
        answer = await self._call("DescribeInstances", wanted, Instances)
        return [node for node in answer.nodes() if node.state is not NodeState.TERMINATED]


def _refuse(spec: NodeSpec) -> None:
    options = spec.options
    if isinstance(spec.auth, NodeAuthPassword):
        raise InvalidRequestError("EC2 sets no passwords: pass auth=NodeAuthSSHKey(…) or key_pair=")
    if spec.auth is not None and (spec.key_pair or "ex_keyname" in options):
        raise InvalidRequestError("give either auth or a key pair: a node takes one key")
    if any(options.get(name, 1) != 1 for name in ("ex_mincount", "ex_maxcount")):
        raise InvalidRequestError("one call makes one node: ex_mincount and ex_maxcount can be 1")
    if spec.network is not None and "ex_subnet" in options:
        raise InvalidRequestError("give either network or ex_subnet")
    if "ex_security_groups" in options and "ex_assign_public_ip" in options:
        raise InvalidRequestError("with ex_assign_public_ip give security groups by their ids")


def _parameters(
    spec: NodeSpec, subnet: str | None, key_name: str | None, token: str | None
) -> dict[str, Any]:
    """Write a spec as parameters of RunInstances.

    With a token of the user's own there is no mark: EC2 refuses a token with other parameters.
    """
    options = spec.options
    tags = {**spec.tags, **options.get("ex_metadata", {})}
    user_data = options.get("ex_userdata") if spec.user_data is None else spec.user_data
    return {
        "ImageId": spec.image.id,
        "InstanceType": spec.size.id,
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": key_name,
        "UserData": user_data.encode() if isinstance(user_data, str) else user_data,
        "Placement": _placement(spec),
        "BlockDeviceMapping": options.get("ex_blockdevicemappings"),
        "IamInstanceProfile": _profile(options.get("ex_iamprofile")),
        "EbsOptimized": options.get("ex_ebs_optimized"),
        "InstanceInitiatedShutdownBehavior": (
            "terminate" if options.get("ex_terminate_on_shutdown") else None
        ),
        "InstanceMarketOptions": _market(options),
        "ClientToken": mark() if token is None else token,
        "TagSpecification": tag_specification(
            spec.name, tags, "instance", "volume", is_marked=token is None
        ),
        **_connection(spec, subnet),
    }


def _connection(spec: NodeSpec, subnet: str | None) -> dict[str, Any]:
    """Return subnet and security groups: of the node, or of the interface that shall have them."""
    options = spec.options
    if "ex_subnet" in options:
        subnet = id_of(options["ex_subnet"])
    groups = [
        *(group.id for group in spec.security_groups),
        *options.get("ex_security_group_ids", ()),
    ]
    place = {"SubnetId": subnet, "SecurityGroupId": groups}
    public = options.get("ex_assign_public_ip")
    if public is None:
        return {**place, "SecurityGroup": options.get("ex_security_groups")}
    return {"NetworkInterface": [{"DeviceIndex": 0, "AssociatePublicIpAddress": public, **place}]}


def _placement(spec: NodeSpec) -> dict[str, Any]:
    return {
        "AvailabilityZone": None if spec.location is None else spec.location.id,
        "GroupName": spec.options.get("ex_placement_group"),
    }


def _profile(profile: str | None) -> dict[str, str] | None:
    if profile is None:
        return None
    return {"Arn" if profile.startswith("arn:") else "Name": profile}


def _market(options: Mapping[str, Any]) -> dict[str, Any] | None:
    if not options.get("ex_spot"):
        return None
    return {
        "MarketType": "spot",
        "SpotOptions": {"MaxPrice": options.get("ex_spot_max_price")},
    }
