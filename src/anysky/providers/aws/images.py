"""Images (AMIs) of EC2.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from anysky.errors import ConflictError, NotFoundError
from anysky.ledger import mark
from anysky.model.compute import Filter, Node, NodeImage, NodeLocation
from anysky.paging import Page
from anysky.wire import xml

from .ec2 import EC2Backend, Tagged, extra_of, filters, tag_specification

__all__ = ["EC2Images"]

_EXTRA = {
    "state": "imageState",
    "owner_id": "imageOwnerId",
    "owner_alias": "imageOwnerAlias",
    "is_public": "isPublic",
    "architecture": "architecture",
    "image_type": "imageType",
    "image_location": "imageLocation",
    "platform": "platform",
    "root_device_type": "rootDeviceType",
    "virtualization_type": "virtualizationType",
    "hypervisor": "hypervisor",
    "description": "description",
    "creation_date": "creationDate",
    "ena_support": "enaSupport",
}


class _Image(Tagged):
    id: str = xml.required("imageId")
    image_name: str | None = xml.text("name")


class _Images(xml.Record, root="DescribeImagesResponse"):
    images: list[_Image] = xml.records("imagesSet/item", _Image)
    next_token: str | None = xml.text("nextToken")


class _ImageSnapshots(xml.Record, root="DescribeImagesResponse"):
    ids: list[str] = xml.texts("imagesSet/item/blockDeviceMapping/item/ebs/snapshotId")


class EC2Images(EC2Backend):
    """Images of EC2."""

    async def list_images(
        self,
        cursor: str | None,
        location: NodeLocation | None,  # noqa: ARG002 - an image is in all zones of its region
        filter: Filter,
    ) -> Page[NodeImage]:
        """List images, by default the account's own and Amazon's: DescribeImages.

        Other owners' images are listed when ids, ``ex_owner``, ``ex_executableby`` or
        ``ex_image_ids`` ask for them.
        """
        asked = _images_asked(filter)
        if "ImageId" in asked:  # EC2 returns these in one page
            answer = await self._call("DescribeImages", asked, _Images)
        else:
            answer = await self._page(cursor, "DescribeImages", asked, _Images)
        return Page([_image(one) for one in answer.images], answer.next_token or None)

    async def get_image(self, image_id: str) -> NodeImage:
        """Fetch an image: DescribeImages."""
        answer = await self._call("DescribeImages", {"ImageId": [image_id]}, _Images)
        if not answer.images:
            raise NotFoundError(f"there is no image {image_id}")
        return _image(answer.images[0])

    async def create_image(self, node: Node, name: str, description: str | None) -> NodeImage:
        """Make an image of a node without stopping it: CreateImage.

        What the node has not yet written to its disks is not in the image; stop the node first if
        that matters.
        """
        parameters = {
            "InstanceId": node.id,
            "Name": name,
            "Description": description,
            "NoReboot": True,
            "TagSpecification": tag_specification(name, {}, "image"),
        }
        answer = await self.ask("CreateImage", parameters)
        return NodeImage(answer.text("imageId", ""), name)

    async def delete_image(self, image: NodeImage) -> None:
        """Deregister an image; the snapshots it was made of stay: DeregisterImage."""
        await self._act("DeregisterImage", {"ImageId": image.id})

    async def delete_image_with_snapshots(self, image: NodeImage) -> None:
        """Deregister an image and delete the snapshots it was made of: DeregisterImage.

        Snapshots that another image was made of as well stay.
        """
        parameters = {"ImageId": [image.id]}
        answer = await self._call("DescribeImages", parameters, _ImageSnapshots)
        await self._act("DeregisterImage", {"ImageId": image.id, "DeleteAssociatedSnapshots": True})
        for snapshot_id in answer.ids:  # those that EC2 has left
            with suppress(NotFoundError, ConflictError):
                await self._act("DeleteSnapshot", {"SnapshotId": snapshot_id})

    async def copy_image(
        self, source_region: str, image: NodeImage, name: str, description: str | None
    ) -> NodeImage:
        """Copy an image from another region to this one: CopyImage."""
        parameters = {
            "SourceRegion": source_region,
            "SourceImageId": image.id,
            "Name": name,
            "Description": description,
            "ClientToken": mark(),
            "TagSpecification": tag_specification(name, {}, "image"),
        }
        answer = await self.ask("CopyImage", parameters)
        return NodeImage(answer.text("imageId", ""), name)

    async def _list_images_marked(self, cursor: str | None, filter: Filter) -> Page[NodeImage]:
        own = Filter(tags=filter.tags, options={"ex_owner": "self"})
        return await self.list_images(cursor, None, own)


def _images_asked(filter: Filter) -> dict[str, Any]:
    options = filter.options
    owners, executable_by = options.get("ex_owner"), options.get("ex_executableby")
    ids = options.get("ex_image_ids")
    if not (owners or executable_by or ids or filter.ids):
        owners = ["self", "amazon"]
    asked = {
        "Owner": _listed(owners),
        "ExecutableBy": _listed(executable_by),
        "ImageId": _listed(ids),
        **filters(filter, "image-id", "ami-", name="name"),
    }
    return {name: value for name, value in asked.items() if value}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _image(image: _Image) -> NodeImage:
    return NodeImage(image.id, image.image_name, extra_of(image.raw, _EXTRA))
