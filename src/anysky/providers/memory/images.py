"""Images of nodes."""

from __future__ import annotations

from anysky.errors import PermissionDeniedError
from anysky.model.compute import Filter, Node, NodeImage, NodeLocation
from anysky.paging import Page

from .catalogue import Catalogue
from .rules import check_name
from .state import cut, numbered

__all__ = ["Images"]


class Images(Catalogue):
    """Public images, and those that the account made; they are the same in all locations."""

    async def list_images(
        self, cursor: str | None, location: NodeLocation | None, filter: Filter
    ) -> Page[NodeImage]:
        """Return a page of images: those that were made, then public ones."""
        arguments = {"cursor": cursor, "location": location and location.id, "ids": filter.ids}
        return await self._look("list_images", arguments, lambda: self._list_images(cursor))

    async def get_image(self, image_id: str) -> NodeImage:
        """Return one image.

        Raises:
            NotFoundError: There is no such image.
        """
        return await self._look(
            "get_image", {"image": image_id}, lambda: self._seen_image(image_id)
        )

    async def create_image(self, node: Node, name: str, description: str | None) -> NodeImage:
        """Make an image of a node, whatever it is doing."""

        def work() -> NodeImage:
            source = self._state.nodes.get(node.id)
            return self._new_image(name, description, {"node_id": source.id})

        return await self._do("create_image", {"node": node.id, "name": name}, work)

    async def delete_image(self, image: NodeImage) -> None:
        """Delete an image; nodes that were made from it stay.

        Raises:
            PermissionDeniedError: It is a public one.
        """

        def work() -> None:
            if any(one.id == image.id for one in self.cloud.images):
                raise PermissionDeniedError(f"the image {image.id!r} is not of this account")
            self._state.images.remove(image.id)

        await self._remove("delete_image", {"image": image.id}, work)

    async def copy_image(
        self, source_region: str, image: NodeImage, name: str, description: str | None
    ) -> NodeImage:
        """Make another image that is the same."""

        def work() -> NodeImage:
            source = self._image(image.id)
            return self._new_image(name, description, {"image_id": source.id})

        arguments = {"source_region": source_region, "image": image.id, "name": name}
        return await self._do("copy_image", arguments, work)

    def _list_images(self, cursor: str | None) -> Page[NodeImage]:
        public = [(f"public {key}", image) for key, image in numbered(self.cloud.images)]
        own = [(f"own {key}", image) for key, image in self._state.images.listed(cursor)]
        return cut([*own, *public], cursor, self.cloud.page_size)

    def _image(self, image_id: str) -> NodeImage:
        public = (one for one in self.cloud.images if one.id == image_id)
        return next(public, None) or self._state.images.get(image_id)

    def _seen_image(self, image_id: str) -> NodeImage:
        if image_id in self._state.images:
            return self._state.images.look_up(image_id)
        return self._image(image_id)

    def _new_image(self, name: str, description: str | None, extra: dict[str, str]) -> NodeImage:
        check_name(name, "image")
        id = self._state.new_id("img-")
        more = {"public": False, "description": description or "", **extra}
        return self._state.images.add(id, NodeImage(id, name, more))
