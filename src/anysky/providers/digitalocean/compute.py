"""Droplets, sizes, regions, images.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Droplets
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import msgspec

from anysky.backend.base import Option
from anysky.backend.compute import ComputeBackend
from anysky.errors import InvalidRequestError
from anysky.model.base import lazy_extra
from anysky.model.compute import (
    Filter,
    Network,
    Node,
    NodeAuthSSHKey,
    NodeImage,
    NodeLocation,
    NodeSize,
    NodeSpec,
    NodeState,
)
from anysky.paging import Page
from anysky.transport.base import quote

from .api import DigitalOceanBackend, Links, extra_of

__all__ = ["DigitalOceanCompute"]

_STATES: Mapping[str, NodeState] = {
    "new": NodeState.PENDING,
    "active": NodeState.RUNNING,
    "off": NodeState.STOPPED,
    "archive": NodeState.TERMINATED,
}


class _Address(msgspec.Struct):
    ip_address: str
    type: str


class _Networks(msgspec.Struct):
    v4: list[_Address] = []
    v6: list[_Address] = []


class _Size(msgspec.Struct):
    slug: str
    memory: int
    disk: int
    vcpus: int = 0
    transfer: float = 0
    price_hourly: float | None = None
    available: bool = True
    regions: list[str] = []


class _Image(msgspec.Struct):
    id: int
    name: str | None = None
    slug: str | None = None


class _Region(msgspec.Struct):
    slug: str
    name: str
    available: bool = True


class _Droplet(msgspec.Struct):
    id: int
    name: str
    status: str
    created_at: datetime
    networks: _Networks
    size: _Size
    image: _Image | None = None
    tags: list[str] = []


class _Droplets(msgspec.Struct):
    droplets: list[msgspec.Raw]
    links: Links | None = None


class _DropletEnvelope(msgspec.Struct):
    droplet: msgspec.Raw


class _Sizes(msgspec.Struct):
    sizes: list[msgspec.Raw]
    links: Links | None = None


class _Regions(msgspec.Struct):
    regions: list[msgspec.Raw]
    links: Links | None = None


class _Images(msgspec.Struct):
    images: list[msgspec.Raw]
    links: Links | None = None


class _ImageEnvelope(msgspec.Struct):
    image: msgspec.Raw


_droplet = msgspec.json.Decoder(_Droplet).decode
_size = msgspec.json.Decoder(_Size).decode
_region = msgspec.json.Decoder(_Region).decode
_image = msgspec.json.Decoder(_Image).decode


class DigitalOceanCompute(DigitalOceanBackend, ComputeBackend):
    """DigitalOcean's Droplets and what belongs to them."""

    features: ClassVar[dict[str, list[str]]] = {"create_node": ["ssh_key"]}
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "list_nodes": (Option("ex_tag_name", "str", "only Droplets with this tag"),),
        "list_images": (
            Option("ex_type", "str", "only 'distribution' or 'application' images"),
            Option("ex_private", "bool", "only the account's own images"),
        ),
        "create_node": (
            Option("ex_backups", "bool", "make backups of the Droplet"),
            Option("ex_ipv6", "bool", "give it an IPv6 address"),
            Option("ex_monitoring", "bool", "install the monitoring agent"),
            Option("ex_ssh_key_ids", "list[str | int]", "ids or fingerprints of SSH keys"),
            Option("ex_volumes", "list[str]", "ids of volumes to attach"),
            Option("ex_tags", "list[str]", "plain tags, besides those of `tags`"),
        ),
    }

    async def list_nodes(self, cursor: str | None, filter: Filter) -> Page[Node]:
        """List Droplets: GET /v2/droplets."""
        answer = await self.page(cursor, "/droplets", _Droplets, _node_params(filter))
        return _page([_node(raw) for raw in answer.droplets], answer.links)

    async def get_node(self, node_id: str) -> Node:
        """Fetch a Droplet: GET /v2/droplets/{id}."""
        answer = await self.call("GET", f"/droplets/{quote(node_id)}", _DropletEnvelope)
        return _node(answer.droplet)

    async def create_node(self, spec: NodeSpec) -> Node:
        """Create a Droplet: POST /v2/droplets."""
        answer = await self.call("POST", "/droplets", _DropletEnvelope, json=self._droplet(spec))
        return _node(answer.droplet)

    async def reboot_node(self, node: Node) -> None:
        """Reboot a Droplet: POST /v2/droplets/{id}/actions."""
        await self._act_on(node, "reboot")

    async def start_node(self, node: Node) -> None:
        """Power a Droplet on: POST /v2/droplets/{id}/actions."""
        await self._act_on(node, "power_on")

    async def stop_node(self, node: Node) -> None:
        """Power a Droplet off: POST /v2/droplets/{id}/actions."""
        await self._act_on(node, "power_off")

    async def destroy_node(self, node: Node) -> None:
        """Destroy a Droplet: DELETE /v2/droplets/{id}."""
        await self.call_only("DELETE", f"/droplets/{quote(node.id)}")

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """List sizes: GET /v2/sizes."""
        answer = await self.page(cursor, "/sizes", _Sizes)
        sizes = [(_size(raw), raw) for raw in answer.sizes]
        wanted = [
            _node_size(size, raw)
            for size, raw in sizes
            if size.available and (location is None or location.id in size.regions)
        ]
        return _page(wanted, answer.links)

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:
        """List regions that take new Droplets: GET /v2/regions."""
        answer = await self.page(cursor, "/regions", _Regions)
        regions = [(_region(raw), raw) for raw in answer.regions]
        found = [_location(region, raw) for region, raw in regions if region.available]
        return _page(found, answer.links)

    async def list_images(
        self, cursor: str | None, location: NodeLocation | None, filter: Filter
    ) -> Page[NodeImage]:
        """List images: GET /v2/images."""
        answer = await self.page(cursor, "/images", _Images, _image_params(filter))
        found = [_node_image(raw) for raw in answer.images]
        usable = [one for one in found if location is None or location.id in one.extra["regions"]]
        return _page(usable, answer.links)

    async def get_image(self, image_id: str) -> NodeImage:
        """Fetch an image by id or slug: GET /v2/images/{id}."""
        answer = await self.call("GET", f"/images/{quote(image_id)}", _ImageEnvelope)
        return _node_image(answer.image)

    async def _act_on(self, node: Node, kind: str) -> None:
        await self.act(f"/droplets/{quote(node.id)}/actions", {"type": kind}, wait=True)

    def _droplet(self, spec: NodeSpec) -> dict[str, Any]:
        """Make the body that asks for a Droplet."""
        if spec.security_groups:
            raise InvalidRequestError(
                "DigitalOcean's firewalls apply to tags or to Droplets that exist: "
                "add the Droplet to the firewall afterwards"
            )
        options = spec.options
        body: dict[str, Any] = {
            "name": spec.name,
            "region": self.region_of(spec.location),
            "size": spec.size.id,
            "image": _image_key(spec.image.id),
            "ssh_keys": [*options.get("ex_ssh_key_ids", ()), *_keys(spec)],
            "tags": [*_words(spec.tags), *options.get("ex_tags", ())],
            "user_data": spec.user_data,
            "vpc_uuid": spec.network.id if isinstance(spec.network, Network) else None,
            "backups": options.get("ex_backups"),
            "ipv6": options.get("ex_ipv6"),
            "monitoring": options.get("ex_monitoring"),
            "volumes": options.get("ex_volumes"),
        }
        return {name: value for name, value in body.items() if value not in (None, [])}


def _page(items: Sequence[Any], links: Links | None) -> Page[Any]:
    return Page(items, links.pages.next if links and links.pages else None)


def _node_params(filter: Filter) -> list[tuple[str, str]]:
    """Ask for less where the API can: it filters by one tag or by name, not by both."""
    tag = filter.options.get("ex_tag_name") or next(iter(_words(filter.tags)), None)
    if tag is not None:
        return [("tag_name", tag)]
    return [("name", filter.name)] if filter.name is not None else []


def _image_params(filter: Filter) -> list[tuple[str, str]]:
    params = [("type", filter.options["ex_type"])] if "ex_type" in filter.options else []
    return [*params, ("private", "true")] if filter.options.get("ex_private") else params


def _keys(spec: NodeSpec) -> list[str]:
    if isinstance(spec.auth, NodeAuthSSHKey):
        raise InvalidRequestError(
            "DigitalOcean takes keys that it knows: import the key, then pass key_pair="
        )
    return [spec.key_pair] if spec.key_pair else []


def _words(tags: Mapping[str, str]) -> list[str]:
    """Write tags as DigitalOcean's plain words: ``key:value``, or the key alone."""
    return [f"{key}:{value}" if value else key for key, value in tags.items()]


def _tags(words: Sequence[str]) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition(":") for word in words)}


def _image_key(image_id: str) -> int | str:
    """Private images have numbers, public ones have slugs as well."""
    return int(image_id) if image_id.isdigit() else image_id


def _node(raw: msgspec.Raw) -> Node:
    data = _droplet(raw)
    addresses = [*data.networks.v4, *data.networks.v6]
    return Node(
        str(data.id),
        data.name,
        _STATES.get(data.status, NodeState.UNKNOWN),
        [address.ip_address for address in addresses if address.type == "public"],
        [address.ip_address for address in addresses if address.type != "public"],
        _node_size(data.size, None),
        None if data.image is None else _image_of(data.image, {}),
        lazy_extra(partial(extra_of, raw)),
        data.created_at,
        _tags(data.tags),
    )


def _node_size(size: _Size, raw: msgspec.Raw | None) -> NodeSize:
    return NodeSize(
        id=size.slug,
        name=size.slug,
        ram=size.memory,
        disk=size.disk,
        bandwidth=int(size.transfer * 1000) or None,
        price=size.price_hourly,
        extra={} if raw is None else lazy_extra(partial(extra_of, raw)),
        vcpus=size.vcpus or None,
    )


def _location(region: _Region, raw: msgspec.Raw) -> NodeLocation:
    return NodeLocation(region.slug, region.name, "", lazy_extra(partial(extra_of, raw)))


def _node_image(raw: msgspec.Raw) -> NodeImage:
    return _image_of(_image(raw), lazy_extra(partial(extra_of, raw)))


def _image_of(image: _Image, extra: dict[str, Any]) -> NodeImage:
    return NodeImage(image.slug or str(image.id), image.name, extra)
