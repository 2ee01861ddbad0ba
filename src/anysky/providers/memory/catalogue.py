"""Sizes and locations."""

from __future__ import annotations

from anysky.backend.compute import ComputeBackend
from anysky.errors import NotFoundError
from anysky.model.compute import NodeLocation, NodeSize
from anysky.paging import Page

from .api import MemoryBackend
from .places import find_location
from .state import cut, numbered

__all__ = ["Catalogue"]


class Catalogue(MemoryBackend, ComputeBackend):
    """What the cloud has to choose from, in all locations alike."""

    async def list_sizes(self, cursor: str | None, location: NodeLocation | None) -> Page[NodeSize]:
        """Return the sizes, which all locations have."""

        def work() -> Page[NodeSize]:
            self._place(location)
            return cut(numbered(self.cloud.sizes), cursor, self.cloud.page_size)

        arguments = {"location": location and location.id, "cursor": cursor}
        return await self._look("list_sizes", arguments, work)

    async def list_locations(self, cursor: str | None) -> Page[NodeLocation]:
        """Return the locations."""
        return await self._look(
            "list_locations",
            {"cursor": cursor},
            lambda: cut(numbered(self.cloud.locations), cursor, self.cloud.page_size),
        )

    def _place(self, location: NodeLocation | None) -> str:
        """Return the id of a location, of the account's own, or of the first.

        Raises:
            NotFoundError: There is none of this id.
        """
        place = self.account.region if location is None else location.id
        return find_location(self.cloud, place)

    def _size(self, size_id: str) -> NodeSize:
        for size in self.cloud.sizes:
            if size.id == size_id:
                return size
        known = ", ".join(size.id for size in self.cloud.sizes)
        raise NotFoundError(f"there is no size {size_id!r}; there are {known}")
