"""Images, and snapshots of Droplets, which are images.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Images
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from anysky.backend.base import Option
from anysky.backend.compute import ComputeBackend
from anysky.errors import NotFoundError, UnsupportedOperationError
from anysky.model.compute import Filter, Node, NodeImage, NodeLocation
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import extra_of, segment

from .api import Listing
from .backend import DigitalOceanBackend

__all__ = ["Images", "image_key", "image_of"]

_PARAMS: Mapping[str, str] = {"ex_type": "type", "ex_tag_name": "tag_name"}


class _Image(msgspec.Struct):
    id: int
    name: str | None = None
    slug: str | None = None


class _Placed(msgspec.Struct):
    regions: list[str] = []


class _Images(Listing, kw_only=True):
    images: list[msgspec.Raw]


class _OneImage(msgspec.Struct):
    image: msgspec.Raw


class _Snapshot(msgspec.Struct):
    id: int
    name: str | None = None


class _Snapshots(Listing, kw_only=True):
    snapshots: list[_Snapshot]


_image = msgspec.json.Decoder(_Image).decode
_placed = msgspec.json.Decoder(_Placed).decode


class Images(DigitalOceanBackend, ComputeBackend):
    """Images; one is known by its slug if it has one, else by its number."""

    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "list_images": (
            Option("ex_type", "str", "only 'distribution' or 'application' images"),
            Option("ex_private", "bool", "only the account's own images"),
            Option("ex_tag_name", "str", "only the account's images with this tag"),
        ),
    }

    async def list_images(
        self, cursor: str | None, location: NodeLocation | None, filter: Filter
    ) -> Page[NodeImage]:
        """List images: GET /v2/images."""
        answer = await self.api.page(cursor, "/images", _Images, _image_params(filter))
        usable = [
            image_of(raw)
            for raw in answer.images
            if location is None or location.id in _placed(raw).regions
        ]
        return Page(usable, answer.next)

    async def get_image(self, image_id: str) -> NodeImage:
        """Fetch an image by number or slug: GET /v2/images/{id}."""
        answer = await self.api.call("GET", f"/images/{segment(image_id)}", _OneImage)
        return image_of(answer.image)

    async def create_image(self, node: Node, name: str, description: str | None) -> NodeImage:
        """Make a snapshot of a Droplet and wait for it: POST /v2/droplets/{id}/actions.

        The action does not tell the image, so it is looked up among the Droplet's snapshots.
        """
        _refuse_description(description)
        before = await self._snapshots(node.id, name)
        async with self.ledger("create_image") as ledger:
            # The wait is a part of the step: there is no image, and no id of one, before its end.
            return await ledger.step(
                f"image {name}",
                self._snapshot(node.id, name, *before),
                self.delete_image,
                find=self._images_made,
                find_args=(node.id, name, *before),
            )

    async def delete_image(self, image: NodeImage) -> None:
        """Delete an image of the account: DELETE /v2/images/{id}."""
        await self.api.send("DELETE", f"/images/{segment(image.id)}")

    async def copy_image(
        self,
        source_region: str,  # noqa: ARG002 - the API takes it from wherever it is
        image: NodeImage,
        name: str,
        description: str | None,
    ) -> NodeImage:
        """Bring an image to the driver's region and wait: POST /v2/images/{id}/actions.

        DigitalOcean makes no second image: the same one is then usable in both regions, so it
        keeps its name, and `source_region` need not be known.
        """
        _refuse_description(description)
        if name and name != image.name:
            raise UnsupportedOperationError(
                "DigitalOcean adds a region to the same image, which keeps its name: "
                f"pass name={image.name!r}"
            )
        region = self.region_of(None)
        await self.api.act(
            f"/images/{segment(image.id)}/actions", {"type": "transfer", "region": region}
        )
        return await self.get_image(image.id)

    async def _snapshot(self, node_id: str, name: str, *before: int) -> NodeImage:
        await self.api.act(f"{_droplet(node_id)}/actions", {"type": "snapshot", "name": name})
        found = await self._new_images(node_id, name, *before)
        if not found:
            raise NotFoundError(f"the Droplet has no snapshot {name!r} although it was just made")
        return found[-1]

    async def _images_made(self, _: str, node_id: str, name: str, *before: int) -> list[NodeImage]:
        """Find the snapshots of a name that a Droplet has got since, when none is under way."""
        await self.api.settle(_droplet(node_id))
        return await self._new_images(node_id, name, *before)

    async def _new_images(self, node_id: str, name: str, *before: int) -> list[NodeImage]:
        numbers = sorted(set(await self._snapshots(node_id, name)) - set(before))
        return [await self.get_image(str(number)) for number in numbers]

    async def _snapshots(self, node_id: str, name: str) -> list[int]:
        """Return the numbers of a Droplet's snapshots of a name."""

        async def fetch(cursor: str | None) -> Page[_Snapshot]:
            answer = await self.api.page(cursor, f"{_droplet(node_id)}/snapshots", _Snapshots)
            return Page(answer.snapshots, answer.next)

        found = await all_pages(fetch, self.connection.limits)
        return [snapshot.id for snapshot in found if snapshot.name == name]


def _droplet(node_id: str) -> str:
    return f"/droplets/{segment(node_id)}"


def image_of(raw: msgspec.Raw) -> NodeImage:
    """Make an image from what the API says of it."""
    data = _image(raw)
    return NodeImage(data.slug or str(data.id), data.name, extra_of(raw))


def image_key(image: NodeImage) -> int | str:
    """Name an image in a request: a number as such, else its slug."""
    return int(image.id) if image.id.isascii() and image.id.isdecimal() else image.id


def _image_params(filter: Filter) -> list[tuple[str, str]]:
    given = [(_PARAMS[key], value) for key, value in filter.options.items() if key in _PARAMS]
    return [*given, ("private", "true")] if filter.options.get("ex_private") else given


def _refuse_description(description: str | None) -> None:
    if description:
        raise UnsupportedOperationError("DigitalOcean's snapshots take no description")
