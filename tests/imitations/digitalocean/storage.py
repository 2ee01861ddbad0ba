"""Volumes, snapshots and images."""

import re
from typing import Any

from tests.imitations.base import Answer, Received, RefusedError, route
from tests.imitations.digitalocean import catalogue
from tests.imitations.digitalocean.common import (
    DEFAULT_REGION,
    Common,
    body_of,
    conflict,
    invalid,
    not_found,
    now,
    without_none,
)

_VOLUME_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MAX_GIGABYTES = 16384
_VOLUMES_PER_DROPLET = 15


class Volumes(Common):
    """`/v2/volumes`, their actions and snapshots."""

    def clear(self) -> None:
        super().clear()
        self.volumes: dict[str, dict[str, Any]] = {}
        self.volume_snapshots: dict[str, dict[str, Any]] = {}

    @route("GET", "/v2/volumes")
    def list_volumes(self, request: Received) -> Any:
        name, region = request.arg("name"), request.arg("region")
        chosen = [
            volume
            for volume in self.volumes.values()
            if (name is None or volume["name"] == name)
            and (region is None or volume["region"]["slug"] == region)
        ]
        return self.page(request, "volumes", chosen)

    @route("POST", "/v2/volumes")
    def create_volume(self, request: Received) -> Any:
        body = body_of(request, "name")
        origin = self.__origin(body)
        region = self.region(body.get("region", origin.get("region", "")), "Volume creation")
        size = body.get("size_gigabytes", origin.get("size_gigabytes", 0))
        if not _VOLUME_NAME.fullmatch(body["name"]):
            raise invalid(
                "invalid volume name: must be lowercase alphanumeric or -, starting with a letter"
            )
        if not 1 <= size <= _MAX_GIGABYTES:
            raise invalid(f"invalid size: must be between 1 and {_MAX_GIGABYTES} GiB")
        if size < origin.get("size_gigabytes", 0):
            raise invalid("invalid size: smaller than the snapshot")
        if self.__named(body["name"], region["slug"]):
            raise conflict("a volume with that name already exists in this region")
        return Answer(201, {"volume": self.__create(body, region, size)})

    @route("DELETE", "/v2/volumes")
    def delete_volume_by_name(self, request: Received) -> None:
        volume = self.__named(request.arg("name"), request.arg("region"))
        if volume is None:
            raise not_found()
        self.__delete(volume)

    @route("GET", "/v2/volumes/{volume_id}")
    def get_volume(self, request: Received, volume_id: str) -> Any:
        return {"volume": self.find(self.volumes, volume_id)}

    @route("DELETE", "/v2/volumes/{volume_id}")
    def delete_volume(self, request: Received, volume_id: str) -> None:
        self.__delete(self.find(self.volumes, volume_id))

    @route("POST", "/v2/volumes/actions")
    def act_on_named_volume(self, request: Received) -> Any:
        body = body_of(request, "type", "volume_name")
        volume = self.__named(body["volume_name"], body.get("region"))
        if volume is None:
            raise not_found()
        return Answer(202, {"action": self.__act(volume, body)})

    @route("GET", "/v2/volumes/{volume_id}/actions")
    def list_volume_actions(self, request: Received, volume_id: str) -> Any:
        self.find(self.volumes, volume_id)
        return self.page(request, "actions", self.actions_of(("volume", volume_id)))

    @route("POST", "/v2/volumes/{volume_id}/actions")
    def act_on_volume(self, request: Received, volume_id: str) -> Any:
        volume = self.find(self.volumes, volume_id)
        return Answer(202, {"action": self.__act(volume, body_of(request, "type"))})

    @route("GET", "/v2/volumes/{volume_id}/actions/{action_id}")
    def get_volume_action(self, request: Received, volume_id: str, action_id: str) -> Any:
        self.find(self.volumes, volume_id)
        return {"action": self.action_of(("volume", volume_id), action_id)}

    @route("GET", "/v2/volumes/{volume_id}/snapshots")
    def list_volume_snapshots(self, request: Received, volume_id: str) -> Any:
        self.find(self.volumes, volume_id)
        snapshots = self.volume_snapshots.values()
        chosen = [each for each in snapshots if each["resource_id"] == volume_id]
        return self.page(request, "snapshots", chosen)

    @route("POST", "/v2/volumes/{volume_id}/snapshots")
    def create_volume_snapshot(self, request: Received, volume_id: str) -> Any:
        volume = self.find(self.volumes, volume_id)
        body = body_of(request, "name")
        if any(each["name"] == body["name"] for each in self.volume_snapshots.values()):
            raise conflict("a snapshot with that name already exists")
        snapshot = {
            "id": self.next_uuid("volume-snapshot"),
            "name": body["name"],
            "regions": [volume["region"]["slug"]],
            "created_at": now(),
            "resource_id": volume_id,
            "resource_type": "volume",
            "min_disk_size": volume["size_gigabytes"],
            "size_gigabytes": 0.01,
            "tags": self.use_tags(without_none(body.get("tags"))),
        }
        self.volume_snapshots[snapshot["id"]] = snapshot
        return Answer(201, {"snapshot": snapshot})

    @route("GET", "/v2/volumes/snapshots/{snapshot_id}")
    def get_volume_snapshot(self, request: Received, snapshot_id: str) -> Any:
        return {"snapshot": self.find(self.volume_snapshots, snapshot_id)}

    @route("DELETE", "/v2/volumes/snapshots/{snapshot_id}")
    def delete_volume_snapshot(self, request: Received, snapshot_id: str) -> None:
        del self.volume_snapshots[self.find(self.volume_snapshots, snapshot_id)["id"]]

    def connect_volume(self, volume: dict[str, Any], droplet: dict[str, Any]) -> None:
        volume["droplet_ids"] = [droplet["id"]]
        droplet["volume_ids"].append(volume["id"])

    def disconnect_volume(self, volume: dict[str, Any]) -> None:
        for droplet_id in volume["droplet_ids"]:
            self.droplets[droplet_id]["volume_ids"].remove(volume["id"])
        volume["droplet_ids"] = []

    def __origin(self, body: dict[str, Any]) -> dict[str, Any]:
        """Region and size of the snapshot that a volume is made from."""
        if not body.get("snapshot_id"):
            return {}
        snapshot = self.find(self.volume_snapshots, body["snapshot_id"])
        return {"region": snapshot["regions"][0], "size_gigabytes": snapshot["min_disk_size"]}

    def __create(self, body: dict[str, Any], region: dict[str, Any], size: int) -> dict[str, Any]:
        volume = {
            "id": self.next_uuid("volume"),
            "name": body["name"],
            "created_at": now(),
            "description": body.get("description", ""),
            "droplet_ids": [],
            "region": region,
            "size_gigabytes": size,
            "filesystem_type": body.get("filesystem_type", ""),
            "filesystem_label": body.get("filesystem_label", ""),
            "tags": self.use_tags(without_none(body.get("tags"))),
        }
        self.volumes[volume["id"]] = volume
        return volume

    def __named(self, name: str | None, region: str | None) -> dict[str, Any] | None:
        for volume in self.volumes.values():
            if (volume["name"], volume["region"]["slug"]) == (name, region):
                return volume
        return None

    def __delete(self, volume: dict[str, Any]) -> None:
        if volume["droplet_ids"]:
            raise conflict(
                "A volume that's attached to a Droplet cannot be deleted. "
                "Please detach it first before deleting."
            )
        del self.volumes[volume["id"]]

    def __act(self, volume: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        effects = {"attach": self.__attach, "detach": self.__detach, "resize": self.__resize}
        if body["type"] not in effects:
            raise invalid("invalid action type")
        resource = ("volume", volume["id"])
        if self.pending(resource):
            raise conflict("Volume already has a pending event.")
        effect = effects[body["type"]](volume, body)
        return self.begin(f"{body['type']}_volume", resource, effect, volume["region"])

    def __attach(self, volume: dict[str, Any], body: dict[str, Any]) -> Any:
        droplet = self.find(self.droplets, body.get("droplet_id"))
        if volume["droplet_ids"]:
            raise invalid("Volume is already attached to a Droplet")
        if droplet["region"]["slug"] != volume["region"]["slug"]:
            raise invalid("Droplet and volume must be in the same region")
        if len(droplet["volume_ids"]) >= _VOLUMES_PER_DROPLET:
            raise invalid("Droplet has reached its limit of attached volumes")
        volume["tags"] = list(
            dict.fromkeys(volume["tags"] + self.use_tags(without_none(body.get("tags"))))
        )
        return lambda: self.connect_volume(volume, droplet)

    def __detach(self, volume: dict[str, Any], body: dict[str, Any]) -> Any:
        if body.get("droplet_id") not in volume["droplet_ids"]:
            raise invalid("Attachment not found")
        return lambda: self.disconnect_volume(volume)

    def __resize(self, volume: dict[str, Any], body: dict[str, Any]) -> Any:
        size = body.get("size_gigabytes", 0)
        if not volume["size_gigabytes"] < size <= _MAX_GIGABYTES:
            raise invalid("a volume can only be made larger, up to 16 TiB")
        return lambda: volume.update(size_gigabytes=size)


class Images(Common):
    """`/v2/images` and `/v2/snapshots`."""

    def clear(self) -> None:
        super().clear()
        self.images: dict[int, dict[str, Any]] = catalogue.images("2024-05-02T13:16:51Z")
        self.image_sources: dict[int, int] = {}

    def find_image(self, identifier: object) -> dict[str, Any] | None:
        """An image by id (number or text) or slug."""
        for image in self.images.values():
            if identifier is not None and str(identifier) in {str(image["id"]), image["slug"]}:
                return image
        return None

    def save_image(self, droplet: dict[str, Any], name: str) -> dict[str, Any]:
        """A snapshot of a droplet."""
        image = {
            "id": self.next_id("image"),
            "name": name,
            "distribution": droplet["image"]["distribution"],
            "slug": None,
            "public": False,
            "regions": [droplet["region"]["slug"]],
            "created_at": now(),
            "min_disk_size": droplet["disk"],
            "type": "snapshot",
            "size_gigabytes": 2.34,
            "description": "",
            "tags": [],
            "status": "available",
            "error_message": "",
        }
        self.images[image["id"]] = image
        self.image_sources[image["id"]] = droplet["id"]
        return image

    @route("GET", "/v2/images")
    def list_images(self, request: Received) -> Any:
        kind, tag = request.arg("type"), request.arg("tag_name")
        private = request.arg("private") == "true"
        applications = catalogue.application_ids()
        chosen = [
            image
            for image in self.images.values()
            if (not private or not image["public"])
            and (tag is None or tag in image["tags"])
            and (kind != "application" or image["id"] in applications)
            and (kind != "distribution" or (image["public"] and image["id"] not in applications))
        ]
        for image in chosen:
            self.settle(("image", image["id"]))
        return self.page(request, "images", chosen)

    @route("POST", "/v2/images")
    def create_custom_image(self, request: Received) -> Any:
        body = body_of(request, "name", "url", "region")
        region = self.region(body["region"], "Image creation")
        image = {
            "id": self.next_id("image"),
            "name": body["name"],
            "distribution": body.get("distribution", "Unknown"),
            "slug": None,
            "public": False,
            "regions": [],
            "created_at": now(),
            "min_disk_size": None,
            "type": "custom",
            "size_gigabytes": None,
            "description": body.get("description", ""),
            "tags": self.use_tags(without_none(body.get("tags"))),
            "status": "NEW",
            "error_message": "",
        }
        self.images[image["id"]] = image
        done = {
            "status": "available",
            "regions": [region["slug"]],
            "size_gigabytes": 1.0,
            "min_disk_size": 10,
        }
        self.begin("image_create", ("image", image["id"]), lambda: image.update(done), region)
        return Answer(202, {"image": dict(image)})

    @route("GET", "/v2/images/{image_id}")
    def get_image(self, request: Received, image_id: str) -> Any:
        image = self.__image(image_id)
        self.settle(("image", image["id"]))
        return {"image": image}

    @route("PUT", "/v2/images/{image_id}")
    def update_image(self, request: Received, image_id: str) -> Any:
        image = self.__own(image_id)
        body = body_of(request)
        fields = ("name", "description", "distribution")
        image |= {name: body[name] for name in fields if name in body}
        return {"image": image}

    @route("DELETE", "/v2/images/{image_id}")
    def delete_image(self, request: Received, image_id: str) -> None:
        self.__delete(self.__own(image_id))

    @route("GET", "/v2/images/{image_id}/actions")
    def list_image_actions(self, request: Received, image_id: str) -> Any:
        image = self.__image(image_id)
        return self.page(request, "actions", self.actions_of(("image", image["id"])))

    @route("POST", "/v2/images/{image_id}/actions")
    def act_on_image(self, request: Received, image_id: str) -> Any:
        image = self.__own(image_id)
        body = body_of(request, "type")
        if body["type"] == "transfer":
            slug = self.region(body.get("region"), "Image transfer")["slug"]
            if slug in image["regions"]:
                raise invalid("Image is already available in this region.")
            effect = self.__transfer(image, slug)
        elif body["type"] == "convert":
            effect = self.__convert(image)
        else:
            raise invalid("Type is not a valid action for this image")
        region = self.regions[next(iter(image["regions"]), DEFAULT_REGION)]
        resource = ("image", image["id"])
        return Answer(201, {"action": self.begin(body["type"], resource, effect, region)})

    @route("GET", "/v2/images/{image_id}/actions/{action_id}")
    def get_image_action(self, request: Received, image_id: str, action_id: str) -> Any:
        return {"action": self.action_of(("image", self.__image(image_id)["id"]), action_id)}

    @route("GET", "/v2/snapshots")
    def list_snapshots(self, request: Received) -> Any:
        kind = request.arg("resource_type")
        everything = [*map(self.__snapshot, self.image_sources), *self.volume_snapshots.values()]
        chosen = [each for each in everything if kind is None or each["resource_type"] == kind]
        return self.page(request, "snapshots", chosen)

    @route("GET", "/v2/snapshots/{snapshot_id}")
    def get_snapshot(self, request: Received, snapshot_id: str) -> Any:
        if snapshot_id in self.volume_snapshots:
            return {"snapshot": self.volume_snapshots[snapshot_id]}
        self.find(self.image_sources, snapshot_id)
        return {"snapshot": self.__snapshot(int(snapshot_id))}

    @route("DELETE", "/v2/snapshots/{snapshot_id}")
    def delete_snapshot(self, request: Received, snapshot_id: str) -> None:
        if snapshot_id in self.volume_snapshots:
            del self.volume_snapshots[snapshot_id]
            return
        self.find(self.image_sources, snapshot_id)
        self.__delete(self.images[int(snapshot_id)])

    def __image(self, identifier: str) -> dict[str, Any]:
        image = self.find_image(identifier)
        if image is None:
            raise not_found()
        return image

    def __own(self, identifier: str) -> dict[str, Any]:
        image = self.__image(identifier)
        if image["public"]:
            raise RefusedError(403, "forbidden", "You do not have access for the attempted action.")
        return image

    def __snapshot(self, image_id: int) -> dict[str, Any]:
        fields = ("name", "regions", "created_at", "min_disk_size", "size_gigabytes", "tags")
        image = self.images[image_id]
        return {
            "id": str(image_id),
            **{name: image[name] for name in fields},
            "resource_id": str(self.image_sources[image_id]),
            "resource_type": "droplet",
        }

    def __transfer(self, image: dict[str, Any], region: str) -> Any:
        return lambda: image["regions"].append(region)

    def __convert(self, image: dict[str, Any]) -> Any:
        """A backup or snapshot made permanent."""
        return lambda: image.update(type="snapshot")

    def __delete(self, image: dict[str, Any]) -> None:
        del self.images[image["id"]]
        source = self.droplets.get(self.image_sources.pop(image["id"], 0))
        if source is not None:
            source["snapshot_ids"] = [i for i in source["snapshot_ids"] if i != image["id"]]
