"""Nodes; the other parts of the service are modules of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from anysky.model.compute import Filter, Network, Node, NodeAuthSSHKey, NodeSpec, NodeState, Subnet
from anysky.paging import Page

from .firewalls import Firewalls
from .images import Images
from .keys import Keys
from .rules import check_host_name, check_tags, is_wanted, of_filter
from .volumes import Volumes

__all__ = ["MemoryCompute"]


class MemoryCompute(Firewalls, Volumes, Images, Keys):
    """Nodes in memory and what belongs to them."""

    features: ClassVar[dict[str, list[str]]] = {"create_node": ["ssh_key", "password"]}
    price_list = "memory"
    price_currency = "USD"
    marked = frozenset(
        {
            "create_floating_ip",
            "create_network",
            "create_node",
            "create_security_group",
            "create_subnet",
            "create_volume",
            "create_volume_snapshot",
        }
    )

    async def list_nodes(self, cursor: str | None, filter: Filter) -> Page[Node]:
        """Return a page of the nodes that match, which counts as a look at each."""

        def work() -> Page[Node]:
            page = self._state.nodes.page(cursor, lambda one: is_wanted(one, filter))
            return Page([self._seen(node.id) for node in page.items], page.cursor)

        return await self._look("list_nodes", {"cursor": cursor, **of_filter(filter)}, work)

    async def get_node(self, node_id: str) -> Node:
        """Return one node, which counts as a look.

        Raises:
            NotFoundError: There is no such node.
        """

        def work() -> Node:
            self._state.nodes.look_up(node_id)
            return self._seen(node_id)

        return await self._look("get_node", {"node": node_id}, work)

    async def create_node(self, spec: NodeSpec) -> Node:
        """Make a node, which is pending for `boot_seconds` and `boot_looks` of the cloud.

        Raises:
            NotFoundError: There is no such size, image, location, network, subnet or security
                group.
            KeyPairDoesNotExistError: There is no key pair of the name in `key_pair`.
            QuotaExceededError: There are as many as the cloud allows, or no free address.
        """
        hidden = {} if spec.user_data is None else {"user_data": spec.user_data}
        return await self._do("create_node", _arguments(spec), lambda: self._new_node(spec), hidden)

    async def reboot_node(self, node: Node) -> None:
        """Restart a node that runs.

        Raises:
            ConflictError: It does not run.
        """

        def work() -> None:
            self._boot(self._node_in(node.id, NodeState.RUNNING), NodeState.REBOOTING)

        await self._do("reboot_node", {"node": node.id}, work)

    async def start_node(self, node: Node) -> None:
        """Start a node that is stopped.

        Raises:
            ConflictError: It is not stopped.
        """

        def work() -> None:
            self._boot(self._node_in(node.id, NodeState.STOPPED), NodeState.STARTING)

        await self._do("start_node", {"node": node.id}, work)

    async def stop_node(self, node: Node) -> None:
        """Stop a node that runs, at once.

        Raises:
            ConflictError: It does not run.
        """

        def work() -> None:
            running = self._node_in(node.id, NodeState.RUNNING)
            self._state.nodes.put(node.id, replace(running, state=NodeState.STOPPED))

        await self._do("stop_node", {"node": node.id}, work)

    async def destroy_node(self, node: Node) -> None:
        """Destroy a node; its volumes and floating IPs become free and stay."""
        await self._remove("destroy_node", {"node": node.id}, lambda: self._end(node.id))

    async def rename_node(self, node: Node, name: str) -> Node:
        """Give a node another name."""

        def work() -> Node:
            check_host_name(name)
            return self._state.nodes.put(node.id, replace(self._node(node.id), name=name))

        return await self._set("rename_node", {"node": node.id, "name": name}, work)

    def _new_node(self, spec: NodeSpec) -> Node:
        check_host_name(spec.name)
        size, image = self._size(spec.size.id), self._image(spec.image.id)
        extra, tags = self._extra(spec), check_tags(spec.tags)
        id = self._state.new_id("i-")
        node = Node(
            id=id,
            name=spec.name,
            state=NodeState.PENDING,
            public_ips=[self._public_ip()],
            private_ips=[self._private_ip(self._network(spec))],
            size=size,
            image=image,
            extra=extra,
            created_at=self._state.date,
            tags=tags,
        )
        return self._boot(self._state.nodes.add(id, node), NodeState.PENDING)

    def _extra(self, spec: NodeSpec) -> dict[str, Any]:
        """Return where a new node will be, and what it belongs to."""
        state, network = self._state, self._network(spec)
        groups = [state.security_groups.get(group.id).id for group in spec.security_groups]
        if spec.key_pair is not None:
            state.key_pairs.get(spec.key_pair)
        subnet = network if isinstance(network, Subnet) else None
        return {
            "location": self._place(spec.location),
            "network_id": subnet.network_id if subnet else network and network.id,
            "subnet_id": subnet and subnet.id,
            "security_group_ids": groups,
            "key_pair": spec.key_pair,
            "public_key": spec.auth.pubkey if isinstance(spec.auth, NodeAuthSSHKey) else None,
            "user_data": spec.user_data,
        }

    def _network(self, spec: NodeSpec) -> Network | Subnet | None:
        """Return the network or subnet that a new node will be in, as it is kept."""
        if spec.network is None:
            return None
        if isinstance(spec.network, Subnet):
            return self._state.subnets.get(spec.network.id)
        return self._state.networks.get(spec.network.id)

    def _end(self, node_id: str) -> None:
        state = self._state
        state.nodes.remove(node_id)
        state.boots.pop(node_id, None)
        for volume in self._volumes_of(node_id):
            self._release_volume(volume)
        for address in state.floating_ips.items():
            if address.node_id == node_id:
                state.floating_ips.put(address.id, replace(address, node_id=None))


def _arguments(spec: NodeSpec) -> Mapping[str, Any]:
    """Return what a node is made with, but for what may be secret."""
    return {
        "name": spec.name,
        "size": spec.size.id,
        "image": spec.image.id,
        "location": spec.location and spec.location.id,
        "tags": dict(spec.tags),
        "key_pair": spec.key_pair,
        "network": spec.network and spec.network.id,
        "security_groups": tuple(group.id for group in spec.security_groups),
    }
