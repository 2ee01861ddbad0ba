"""Droplets; the other parts of the service are modules of their own.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Droplets
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from anysky.backend.base import Effect, Option
from anysky.backend.compute import ComputeBackend
from anysky.errors import InvalidRequestError, NotFoundError, UnsupportedOperationError
from anysky.ledger import mark_tag
from anysky.model.compute import (
    Filter,
    Node,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImage,
    NodeSize,
    NodeSpec,
    NodeState,
    Subnet,
)
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import extra_of, segment
from anysky.wire.tag_words import tags_of, words_of

from .api import Action, Listing
from .firewalls import Firewalls
from .images import Images, image_key, image_of
from .keys import Keys
from .networks import Networks
from .sizes import Sizes, size_of
from .volumes import Volumes

__all__ = ["DigitalOceanCompute"]

_STATES: Mapping[str, NodeState] = {
    "new": NodeState.PENDING,
    "active": NodeState.RUNNING,
    "off": NodeState.STOPPED,
    "archive": NodeState.TERMINATED,
}


class _Address(msgspec.Struct, gc=False):
    ip_address: str
    type: str


class _Addresses(msgspec.Struct, gc=False):
    v4: list[_Address] = []
    v6: list[_Address] = []


class _SizeKey(msgspec.Struct, gc=False):
    slug: str


class _ImageKey(msgspec.Struct, gc=False):
    id: int


class _Droplet(msgspec.Struct, gc=False):
    id: int
    name: str
    status: str
    created_at: datetime
    networks: _Addresses
    size: _SizeKey
    image: _ImageKey | None = None
    tags: list[str] = []


class _Parts(msgspec.Struct):
    size: msgspec.Raw
    image: msgspec.Raw = msgspec.Raw()


class _Droplets(Listing, kw_only=True):
    droplets: list[msgspec.Raw]


class _OneDroplet(msgspec.Struct):
    droplet: msgspec.Raw


class _Region(msgspec.Struct):
    slug: str


class _Placed(msgspec.Struct):
    region: _Region


class _Actions(Listing, kw_only=True):
    actions: list[Action]


class _Account(msgspec.Struct):
    account: dict[str, Any]


_droplet = msgspec.json.Decoder(_Droplet).decode
_parts = msgspec.json.Decoder(_Parts).decode
_placed = msgspec.json.Decoder(_Placed).decode


class DigitalOceanCompute(Sizes, Images, Volumes, Keys, Networks, Firewalls):
    """DigitalOcean's Droplets and what belongs to them."""

    features: ClassVar[dict[str, list[str]]] = {"create_node": ["ssh_key"]}
    price_list = "digitalocean"
    price_currency = "USD"
    marked = frozenset({"create_node", "create_volume", "create_volume_snapshot"})
    # Each operation says in its own steps how what it makes is found again. A copied image is the
    # same one in a further region, and nothing takes it from there but deleting it everywhere.
    effects: ClassVar[Mapping[str, Effect]] = {
        **{
            operation: Effect(effect.undo)
            for operation, effect in ComputeBackend.effects.items()
            if operation != "copy_image"
        },
        "add_nodes_to_security_group": Effect("remove_nodes_from_security_group"),
    }
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "list_nodes": (Option("ex_tag_name", "str", "only Droplets with this plain tag"),),
        "create_node": (
            Option("ex_backups", "bool", "make backups of the Droplet"),
            Option("ex_ipv6", "bool", "give it an IPv6 address"),
            Option("ex_monitoring", "bool", "install the monitoring agent"),
            Option("ex_ssh_key_ids", "list[str | int]", "ids or fingerprints of SSH keys"),
            Option("ex_volumes", "list[str]", "ids of volumes to attach"),
            Option("ex_tags", "list[str]", "plain tags, besides those of `tags`"),
        ),
        **Images.options,
        **Volumes.options,
    }

    async def list_nodes(self, cursor: str | None, filter: Filter) -> Page[Node]:
        """List Droplets: GET /v2/droplets."""
        found = await self._droplets(cursor, filter)
        read = _NodeReader()
        place = filter.location
        nodes = [
            read.node(raw)
            for raw in found.items
            if place is None or _placed(raw).region.slug == place.id
        ]
        return Page(nodes, found.cursor)

    async def get_node(self, node_id: str) -> Node:
        """Fetch a Droplet: GET /v2/droplets/{id}."""
        answer = await self.api.call("GET", f"/droplets/{segment(node_id)}", _OneDroplet)
        return _NodeReader().node(answer.droplet)

    async def create_node(self, spec: NodeSpec) -> Node:
        """Create a Droplet: POST /v2/droplets.

        A public key in ``auth`` is imported first, under a name made of its fingerprint, unless
        the account has it. The Droplet is added to each security group afterwards.

        Raises:
            KeyPairDoesNotExistError: The account has no key of the name in `key_pair`.
            PartialFailureError: The key was imported, or the Droplet was made, but not all.
        """
        body = self._droplet_body(spec)
        if spec.key_pair is not None:
            body["ssh_keys"].append((await self.get_key_pair(spec.key_pair)).fingerprint)
        async with self.ledger("create_node") as ledger:
            if isinstance(spec.auth, NodeAuthSSHKey):
                key = await self._find_or_import(ledger, spec.auth.pubkey)
                body["ssh_keys"].append(key)
            made = self._create_droplet(body)
            node = await ledger.step(f"node {spec.name}", made, self.destroy_node)
            node = await self._unmark(node, ledger)
            for group in spec.security_groups:
                await self._join(ledger, group, node)
        return node

    async def reboot_node(self, node: Node) -> None:
        """Reboot a Droplet and wait for it: POST /v2/droplets/{id}/actions."""
        await self._act_on_node(node, type="reboot")

    async def start_node(self, node: Node) -> None:
        """Power a Droplet on and wait for it: POST /v2/droplets/{id}/actions."""
        await self._act_on_node(node, type="power_on")

    async def stop_node(self, node: Node) -> None:
        """Power a Droplet off and wait for it: POST /v2/droplets/{id}/actions."""
        await self._act_on_node(node, type="power_off")

    async def destroy_node(self, node: Node) -> None:
        """Destroy a Droplet: DELETE /v2/droplets/{id}."""
        await self._destroy(f"/droplets/{segment(node.id)}", node)

    async def rename_node(self, node: Node, name: str) -> Node:
        """Rename a Droplet and wait for it: POST /v2/droplets/{id}/actions."""
        await self._act_on_node(node, type="rename", name=name)
        return await self.get_node(node.id)

    async def shutdown_node(self, node: Node) -> None:
        """Ask a Droplet's system to shut down, and wait: POST /v2/droplets/{id}/actions.

        Raises:
            ConflictError: The system did not shut down; `stop_node` cuts the power.
        """
        await self._act_on_node(node, type="shutdown")

    async def resize_node(self, node: Node, size: NodeSize, disk: bool = False) -> Node:
        """Give a stopped Droplet another size and wait for it: POST /v2/droplets/{id}/actions.

        Args:
            node: The Droplet; it must be off.
            size: The new size.
            disk: Whether its disk grows, too; it can never shrink again.

        Raises:
            ConflictError: The Droplet is on.
        """
        await self._act_on_node(node, type="resize", size=size.id, disk=disk)
        return await self.get_node(node.id)

    async def rebuild_node(self, node: Node, image: NodeImage | None = None) -> Node:
        """Install a Droplet anew and wait for it: POST /v2/droplets/{id}/actions.

        Everything on its disk is lost; its addresses stay.

        Args:
            node: The Droplet.
            image: The image; None for the one that it was made from.

        Raises:
            InvalidRequestError: Neither names an image.
        """
        chosen = image or node.image
        if chosen is None:
            raise InvalidRequestError("the Droplet's own image is gone: name another one")
        await self._act_on_node(node, type="rebuild", image=image_key(chosen))
        return await self.get_node(node.id)

    async def list_node_actions(self, node: Node) -> list[Action]:
        """List what was done with a Droplet, newest first: GET /v2/droplets/{id}/actions."""
        path = f"/droplets/{segment(node.id)}/actions"

        async def fetch(cursor: str | None) -> Page[Action]:
            answer = await self.api.page(cursor, path, _Actions)
            return Page(answer.actions, answer.next)

        return await all_pages(fetch, self.connection.limits)

    async def get_action(self, action_id: int) -> Action:
        """Fetch an action: GET /v2/actions/{id}."""
        return await self.api.get_action(action_id)

    async def get_account(self) -> dict[str, Any]:
        """Fetch the account with its limits: GET /v2/account."""
        return (await self.api.call("GET", "/account", _Account)).account

    async def _droplets(self, cursor: str | None, filter: Filter) -> Page[msgspec.Raw]:
        """Fetch a page, or the one Droplet that is asked for: an account may have many pages."""
        if len(filter.ids) == 1 and filter.ids[0].isdecimal():
            path = f"/droplets/{segment(filter.ids[0])}"
            try:
                return Page([(await self.api.call("GET", path, _OneDroplet)).droplet])
            except NotFoundError:
                return Page([])
        answer = await self.api.page(cursor, "/droplets", _Droplets, _node_params(filter))
        return Page(answer.droplets, answer.next)

    async def _act_on_node(self, node: Node, **action: Any) -> None:
        await self.api.act(f"/droplets/{segment(node.id)}/actions", action)

    def _droplet_body(self, spec: NodeSpec) -> dict[str, Any]:
        """Make the body that asks for a Droplet."""
        _check_spec(spec)
        options = spec.options
        body: dict[str, Any] = {
            "name": spec.name,
            "region": self.region_of(spec.location),
            "size": spec.size.id,
            "image": image_key(spec.image),
            "ssh_keys": [*options.get("ex_ssh_key_ids", ())],
            "tags": [*words_of(spec.tags), *options.get("ex_tags", ())],
            "user_data": spec.user_data,
            "vpc_uuid": spec.network.id if spec.network else None,
            "backups": options.get("ex_backups"),
            "ipv6": options.get("ex_ipv6"),
            "monitoring": options.get("ex_monitoring"),
            "volumes": options.get("ex_volumes"),
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _create_droplet(self, body: dict[str, Any]) -> Node:
        marked = {**body, "tags": [*body["tags"], *words_of(mark_tag())]}
        given = {name: value for name, value in marked.items() if value != []}
        answer = await self.api.call("POST", "/droplets", _OneDroplet, json=given)
        return _NodeReader().node(answer.droplet)


def _check_spec(spec: NodeSpec) -> None:
    """Refuse what one request cannot make."""
    if isinstance(spec.auth, NodeAuthPassword):
        raise UnsupportedOperationError("DigitalOcean sets no passwords: pass key_pair=")
    if isinstance(spec.network, Subnet):
        raise UnsupportedOperationError("DigitalOcean's networks have no subnets: pass a network")


def _node_params(filter: Filter) -> list[tuple[str, str]]:
    """Ask for less where the API can: it filters by one tag or by name, not by both."""
    tag = filter.options.get("ex_tag_name") or next(iter(words_of(filter.tags)), None)
    if tag is not None:
        return [("tag_name", tag)]
    return [("name", filter.name)] if filter.name is not None else []


class _NodeReader:
    """Makes nodes of the Droplets of one answer.

    They mostly share a few sizes, images and sets of tags, so each of these is read once.
    """

    __slots__ = ("_images", "_sizes", "_tags_of")

    def __init__(self) -> None:
        self._sizes: dict[str, NodeSize] = {}
        self._images: dict[int, NodeImage] = {}
        self._tags_of: dict[tuple[str, ...], dict[str, str]] = {}

    def node(self, raw: msgspec.Raw) -> Node:
        data = _droplet(raw)
        public: list[str] = []
        private: list[str] = []
        for address in (*data.networks.v4, *data.networks.v6):
            (public if address.type == "public" else private).append(address.ip_address)
        return Node(
            str(data.id),
            data.name,
            _STATES.get(data.status, NodeState.UNKNOWN),
            public,
            private,
            self._size(data.size.slug, raw),
            None if data.image is None else self._image(data.image.id, raw),
            extra_of(raw),
            data.created_at,
            self._tags(data.tags),
        )

    def _size(self, slug: str, raw: msgspec.Raw) -> NodeSize:
        size = self._sizes.get(slug)
        if size is None:
            part = _parts(raw).size
            size = self._sizes[slug] = size_of(part)
        return size

    def _image(self, number: int, raw: msgspec.Raw) -> NodeImage:
        image = self._images.get(number)
        if image is None:
            image = self._images[number] = image_of(_parts(raw).image)
        return image

    def _tags(self, words: list[str]) -> dict[str, str]:
        key = tuple(words)
        tags = self._tags_of.get(key)
        if tags is None:
            tags = self._tags_of[key] = tags_of(words)
        return tags.copy()
