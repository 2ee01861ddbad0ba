"""Sizes and regions.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Sizes and
https://docs.digitalocean.com/reference/api/digitalocean/#tag/Regions
"""

from __future__ import annotations

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.model.compute import NodeLocation, NodeSize
from anysky.paging import Page
from anysky.wire.rest import extra_of

from .api import Listing
from .backend import DigitalOceanBackend

__all__ = ["Sizes", "size_of"]


class _Size(msgspec.Struct):
    slug: str
    memory: int
    disk: int
    vcpus: int = 0
    transfer: float = 0
    price_hourly: float | None = None
    available: bool = True
    regions: list[str] = []


class _Sizes(Listing, kw_only=True):
    sizes: list[msgspec.Raw]


class _Region(msgspec.Struct):
    slug: str
    name: str
    available: bool = True


class _Regions(Listing, kw_only=True):
    regions: list[msgspec.Raw]


_size = msgspec.json.Decoder(_Size).decode
_region = msgspec.json.Decoder(_Region).decode


class Sizes(DigitalOceanBackend, ComputeBackend):
    """Sizes and regions; those that cannot be had at present are left out."""

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """List sizes that can be had: GET /v2/sizes."""
        answer = await self.api.page(cursor, "/sizes", _Sizes)
        sizes = [(_size(raw), raw) for raw in answer.sizes]
        wanted = [
            _node_size(size, raw)
            for size, raw in sizes
            if size.available and (location is None or location.id in size.regions)
        ]
        return Page(wanted, answer.next)

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:
        """List regions that take new Droplets: GET /v2/regions."""
        answer = await self.api.page(cursor, "/regions", _Regions)
        regions = [(_region(raw), raw) for raw in answer.regions]
        found = [_location(region, raw) for region, raw in regions if region.available]
        return Page(found, answer.next)


def size_of(raw: msgspec.Raw) -> NodeSize:
    """Make a size from what the API says of it."""
    return _node_size(_size(raw), raw)


def _node_size(size: _Size, raw: msgspec.Raw) -> NodeSize:
    return NodeSize(
        id=size.slug,
        name=size.slug,
        ram=size.memory,
        disk=size.disk,
        bandwidth=int(size.transfer * 1000) or None,
        price=size.price_hourly,
        extra=extra_of(raw),
        vcpus=size.vcpus or None,
    )


def _location(region: _Region, raw: msgspec.Raw) -> NodeLocation:
    return NodeLocation(region.slug, region.name, "", extra_of(raw))
