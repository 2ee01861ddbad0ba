"""Sizes, locations and public images."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from anysky.backend.compute import ComputeBackend
from anysky.errors import NotFoundError
from anysky.model.compute import NodeImage, NodeLocation, NodeSize
from anysky.paging import Page

from .api import MemoryBackend
from .state import cut

__all__ = ["IMAGES", "Catalogue"]

_LOCATIONS: Mapping[str, NodeLocation] = {
    one.id: one
    for one in (
        NodeLocation("eu-north", "Reykjavik", "IS"),
        NodeLocation("eu-south", "Lisbon", "PT"),
        NodeLocation("us-east", "Montreal", "CA"),
    )
}
_SIZES: Mapping[str, NodeSize] = {
    one.id: one
    for one in (
        NodeSize("small", "Small", 1024, 25, 1000, Decimal("0.01"), vcpus=1),
        NodeSize("medium", "Medium", 4096, 80, 4000, Decimal("0.04"), vcpus=2),
        NodeSize("large", "Large", 16384, 320, 5000, Decimal("0.16"), vcpus=8),
    )
}
IMAGES: Mapping[str, NodeImage] = {
    one.id: one
    for one in (
        NodeImage("debian-12", "Debian 12", {"public": True}),
        NodeImage("debian-13", "Debian 13", {"public": True}),
        NodeImage("ubuntu-24-04", "Ubuntu 24.04", {"public": True}),
    )
}


class Catalogue(MemoryBackend, ComputeBackend):
    """What the cloud has to choose from, in all locations alike."""

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """Return the sizes, which all locations have."""

        def work() -> Page[NodeSize]:
            self._place(location)
            return cut(_SIZES.items(), cursor, self.cloud.page_size)

        return await self._look(
            "list_sizes", {"location": location and location.id, "cursor": cursor}, work
        )

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:
        """Return the locations."""
        return await self._look(
            "list_locations",
            {"cursor": cursor},
            lambda: cut(_LOCATIONS.items(), cursor, self.cloud.page_size),
        )

    def _place(self, location: NodeLocation | None) -> str:
        """Return the id of a location, or of the account's own.

        Raises:
            NotFoundError: There is none of this id.
        """
        place = self.account.region if location is None else location.id
        if place not in _LOCATIONS:
            raise NotFoundError(
                f"there is no location {place!r}; there are {', '.join(_LOCATIONS)}"
            )
        return place

    def _size(self, size_id: str) -> NodeSize:
        if size_id not in _SIZES:
            raise NotFoundError(f"there is no size {size_id!r}; there are {', '.join(_SIZES)}")
        return _SIZES[size_id]
