"""Droplets, what belongs to them and their actions."""

import re
from collections.abc import Callable
from typing import Any

from tests.imitations.base import Answer, Received, route
from tests.imitations.digitalocean.common import (
    DEFAULT_REGION,
    Common,
    body_of,
    invalid,
    not_found,
    now,
    without_none,
)

_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")
_NAMES_AT_ONCE = 10
_USER_DATA_BYTES = 64 * 1024
_BY_TAG = frozenset(
    {
        "power_cycle", "power_on", "power_off", "shutdown", "enable_ipv6", "enable_backups",
        "disable_backups", "snapshot",
    }
)  # fmt: skip
_KERNELS = [
    {"id": 7515, "name": "DigitalOcean GrubLoader v0.2 (20160714)", "version": "2016.07.13-1"}
]


class Droplets(Common):
    """`/v2/droplets` and everything below it."""

    def clear(self) -> None:
        super().clear()
        self.droplets: dict[int, dict[str, Any]] = {}
        self.user_data: dict[int, str] = {}
        self.droplet_keys: dict[int, list[int]] = {}

    def add_droplet(self, name: str, **fields: Any) -> dict[str, Any]:
        """A running droplet, made without a request; fields as in the body of a request."""
        body = {"region": DEFAULT_REGION, "size": "s-1vcpu-1gb", "image": "debian-12-x64"} | fields
        droplet = self.__create(name, body)
        self.__boot(droplet, body)
        return droplet

    @route("GET", "/v2/droplets")
    def list_droplets(self, request: Received) -> Any:
        tag, name = request.arg("tag_name"), request.arg("name")
        chosen = [
            droplet
            for droplet in self.droplets.values()
            if (tag is None or tag in droplet["tags"])
            and (name is None or droplet["name"].lower() == name.lower())
        ]
        for droplet in chosen:
            self.settle(_resource(droplet))
        return self.page(request, "droplets", chosen)

    @route("POST", "/v2/droplets")
    def create_droplets(self, request: Received) -> Any:
        body = body_of(request)
        names = body.get("names") or [body.get("name")]
        if len(names) > _NAMES_AT_ONCE:
            raise invalid(f"Up to {_NAMES_AT_ONCE} Droplets may be created this way at a time.")
        if len(self.droplets) + len(names) > self.droplet_limit:
            raise invalid("creating this/these droplet(s) will exceed your droplet limit")
        for name in names:
            self.__check(name, body)
        made = [self.__create(name, body) for name in names]
        links = {"actions": [self.__begin_create(droplet, body) for droplet in made]}
        if "names" in body:
            return Answer(202, {"droplets": made, "links": links})
        return Answer(202, {"droplet": made[0], "links": links})

    @route("DELETE", "/v2/droplets")
    def delete_by_tag(self, request: Received) -> None:
        tag = request.arg("tag_name")
        if not tag:
            raise invalid("Tag name is required")
        for droplet in [each for each in self.droplets.values() if tag in each["tags"]]:
            self.__destroy(droplet)

    @route("GET", "/v2/droplets/{droplet_id}")
    def get_droplet(self, request: Received, droplet_id: str) -> Any:
        droplet = self.find(self.droplets, droplet_id)
        self.settle(_resource(droplet))
        return {"droplet": droplet}

    @route("DELETE", "/v2/droplets/{droplet_id}")
    def delete_droplet(self, request: Received, droplet_id: str) -> None:
        self.__destroy(self.find(self.droplets, droplet_id))

    @route("GET", "/v2/droplets/{droplet_id}/kernels")
    def list_kernels(self, request: Received, droplet_id: str) -> Any:
        self.find(self.droplets, droplet_id)
        return self.page(request, "kernels", _KERNELS)

    @route("GET", "/v2/droplets/{droplet_id}/snapshots")
    def list_droplet_snapshots(self, request: Received, droplet_id: str) -> Any:
        return self.page(request, "snapshots", self.__saved(droplet_id, "snapshot_ids"))

    @route("GET", "/v2/droplets/{droplet_id}/backups")
    def list_backups(self, request: Received, droplet_id: str) -> Any:
        return self.page(request, "backups", self.__saved(droplet_id, "backup_ids"))

    @route("GET", "/v2/droplets/{droplet_id}/neighbors")
    def list_neighbors(self, request: Received, droplet_id: str) -> Any:
        self.find(self.droplets, droplet_id)
        return self.page(request, "droplets", [])

    @route("GET", "/v2/droplets/{droplet_id}/actions")
    def list_droplet_actions(self, request: Received, droplet_id: str) -> Any:
        droplet = self.find(self.droplets, droplet_id)
        return self.page(request, "actions", self.actions_of(_resource(droplet)))

    @route("GET", "/v2/droplets/{droplet_id}/actions/{action_id}")
    def get_droplet_action(self, request: Received, droplet_id: str, action_id: str) -> Any:
        droplet = self.find(self.droplets, droplet_id)
        return {"action": self.action_of(_resource(droplet), action_id)}

    @route("POST", "/v2/droplets/{droplet_id}/actions")
    def act_on_droplet(self, request: Received, droplet_id: str) -> Any:
        droplet = self.find(self.droplets, droplet_id)
        return Answer(201, {"action": self.__act(droplet, body_of(request, "type"))})

    @route("POST", "/v2/droplets/actions")
    def act_by_tag(self, request: Received) -> Any:
        body = body_of(request, "type")
        if body["type"] not in _BY_TAG:
            raise invalid(f"Type {body['type']} is not valid for Droplets by tag")
        tag = request.arg("tag_name")
        tagged = [each for each in self.droplets.values() if tag in each["tags"]]
        return Answer(201, {"actions": [self.__act(droplet, body) for droplet in tagged]})

    def __check(self, name: object, body: dict[str, Any]) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid(
                "Name Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"
            )
        size = self.sizes.get(str(body.get("size")))
        if size is None:
            raise invalid("You specified an invalid size for Droplet creation.")
        region = self.region(body.get("region", DEFAULT_REGION), "Droplet creation")
        if region["slug"] not in size["regions"]:
            raise invalid("Size is not available in this region.")
        image = self.find_image(body.get("image"))
        if image is None or image["status"] != "available":
            raise invalid("You specified an invalid image for Droplet creation.")
        if region["slug"] not in image["regions"]:
            raise invalid("Image is not available in this region.")
        self.__check_extras(region["slug"], body)

    def __check_extras(self, region: str, body: dict[str, Any]) -> None:
        unknown = [str(k) for k in without_none(body.get("ssh_keys")) if not self.find_key(k)]
        if unknown:
            plural = (
                "are invalid key identifiers"
                if len(unknown) > 1
                else "is an invalid key identifier"
            )
            raise invalid(f"{', '.join(unknown)} {plural} for Droplet creation.")
        if len(str(body.get("user_data") or "").encode()) > _USER_DATA_BYTES:
            raise invalid("User data is too long (maximum is 64 KiB)")
        for volume_id in without_none(body.get("volumes")):
            volume = self.volumes.get(volume_id)
            if volume is None or volume["region"]["slug"] != region or volume["droplet_ids"]:
                raise invalid("Failed to resolve volume")
        vpc = self.vpcs.get(body.get("vpc_uuid"))
        if body.get("vpc_uuid") and (vpc is None or vpc["region"] != region):
            raise invalid("You specified an invalid VPC for Droplet creation.")

    def __create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        region = self.regions[body.get("region", DEFAULT_REGION)]
        vpc = body.get("vpc_uuid") or self.default_vpc(region["slug"])["id"]
        switches = {"backups": "backups", "ipv6": "ipv6", "monitoring": "monitoring"}
        droplet = {
            "id": self.next_id("droplet"),
            "name": name,
            "locked": False,
            "status": "new",
            "kernel": None,
            "created_at": now(),
            "features": [*(f for key, f in switches.items() if body.get(key)), "droplet_agent"],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": dict(self.find_image(body["image"])),
            "volume_ids": [],
            **self.__sized(body["size"]),
            "networks": {"v4": [], "v6": []},
            "region": region,
            "tags": self.use_tags(without_none(body.get("tags"))),
            "vpc_uuid": vpc,
        }
        droplet["disk"] = droplet["size"]["disk"]
        self.droplets[droplet["id"]] = droplet
        self.user_data[droplet["id"]] = body.get("user_data") or ""
        keys = [self.find_key(key) for key in without_none(body.get("ssh_keys"))]
        self.droplet_keys[droplet["id"]] = [key["id"] for key in keys]
        return droplet

    def __begin_create(self, droplet: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        action = self.begin(
            "create", _resource(droplet), lambda: self.__boot(droplet, body), droplet["region"]
        )
        href = f"{self.url}/v2/actions/{action['id']}"
        return {"id": action["id"], "rel": "create", "href": href}

    def __boot(self, droplet: dict[str, Any], body: dict[str, Any]) -> None:
        droplet["status"] = "active"
        number = droplet["id"]
        droplet["networks"]["v4"] = [
            _address("private", f"10.{number >> 8 & 255}.{number & 255}.2")
        ]
        if body.get("public_networking", True):
            public = _address("public", f"198.18.{number >> 8 & 255}.{number & 255}")
            droplet["networks"]["v4"].append(public)
        if body.get("ipv6"):
            _enable_ipv6(droplet)
        for volume_id in without_none(body.get("volumes")):
            self.connect_volume(self.volumes[volume_id], droplet)

    def __destroy(self, droplet: dict[str, Any]) -> None:
        for volume_id in list(droplet["volume_ids"]):
            self.disconnect_volume(self.volumes[volume_id])
        self.release_addresses(droplet["id"])
        self.leave_balancers(droplet["id"])
        for firewall in self.firewalls.values():
            firewall["droplet_ids"] = [i for i in firewall["droplet_ids"] if i != droplet["id"]]
        for task in self.actions.values():
            if task.resource == _resource(droplet) and task.action["status"] == "in-progress":
                task.effect = lambda: None
        del self.droplets[droplet["id"]]

    def __sized(self, slug: str) -> dict[str, Any]:
        size = self.sizes[slug]
        return {
            "memory": size["memory"],
            "vcpus": size["vcpus"],
            "size": size,
            "size_slug": slug,
            "disk_info": size["disk_info"],
        }

    def __saved(self, droplet_id: str, key: str) -> list[dict[str, Any]]:
        ids = self.find(self.droplets, droplet_id)[key]
        fields = ("id", "name", "created_at", "regions", "min_disk_size", "size_gigabytes", "type")
        return [{name: self.images[number][name] for name in fields} for number in ids]

    def __act(self, droplet: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        effects = {
            "enable_backups": self.__enable_backups,
            "disable_backups": self.__disable_backups,
            "reboot": self.__reboot,
            "power_cycle": self.__set_status("active"),
            "shutdown": self.__set_status("off"),
            "power_off": self.__set_status("off"),
            "power_on": self.__set_status("active"),
            "restore": self.__change_image,
            "rebuild": self.__change_image,
            "password_reset": lambda droplet, body: lambda: None,
            "resize": self.__resize,
            "rename": self.__rename,
            "change_kernel": self.__change_kernel,
            "enable_ipv6": lambda droplet, body: lambda: _enable_ipv6(droplet),
            "snapshot": self.__snapshot,
        }
        if body["type"] not in effects:
            raise invalid("Type is not a valid action for this Droplet")
        if self.pending(_resource(droplet)):
            raise invalid("Droplet already has a pending event.")
        effect = effects[body["type"]](droplet, body)
        return self.begin(body["type"], _resource(droplet), effect, droplet["region"])

    def __set_status(self, status: str) -> Callable[..., Callable[[], None]]:
        return lambda droplet, body: lambda: droplet.update(status=status)

    def __reboot(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        if droplet["status"] != "active":
            raise invalid("Droplet is currently off. Please power it on to run this event.")
        return lambda: None

    def __rename(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        name = body.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid(
                "Name Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"
            )
        return lambda: droplet.update(name=name)

    def __resize(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        size = self.sizes.get(str(body.get("size")))
        if size is None or droplet["region"]["slug"] not in size["regions"]:
            raise invalid("You specified an invalid size.")
        if size["slug"] == droplet["size_slug"]:
            raise invalid("This size is not available because it is the current size.")
        if droplet["status"] != "off":
            raise invalid("Droplet is currently on. Please power it off to run this event.")
        if size["disk"] < droplet["disk"]:
            raise invalid("This size is not available because it has a smaller disk.")
        disk = size["disk"] if body.get("disk") else droplet["disk"]
        return lambda: droplet.update(self.__sized(size["slug"]), disk=disk)

    def __change_image(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        image = self.find_image(body.get("image"))
        if image is None:
            raise not_found()
        return lambda: droplet.update(image=dict(image), status="active")

    def __change_kernel(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        kernel = next((each for each in _KERNELS if each["id"] == body.get("kernel")), None)
        if kernel is None:
            raise not_found()
        return lambda: droplet.update(kernel=dict(kernel))

    def __snapshot(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        name = body.get("name") or f"{droplet['name']}-{droplet['id']}"

        def save() -> None:
            droplet["snapshot_ids"].append(self.save_image(droplet, name)["id"])

        return save

    def __enable_backups(self, droplet: dict[str, Any], body: dict[str, Any]) -> Callable[[], None]:
        return lambda: _add_feature(droplet, "backups")

    def __disable_backups(
        self, droplet: dict[str, Any], body: dict[str, Any]
    ) -> Callable[[], None]:
        return lambda: droplet["features"].remove("backups")


def _resource(droplet: dict[str, Any]) -> tuple[str, object]:
    return ("droplet", droplet["id"])


def _address(kind: str, address: str) -> dict[str, Any]:
    gateway = address.rsplit(".", 1)[0] + ".1"
    return {"ip_address": address, "netmask": "255.255.240.0", "gateway": gateway, "type": kind}


def _enable_ipv6(droplet: dict[str, Any]) -> None:
    _add_feature(droplet, "ipv6")
    droplet["networks"]["v6"] = [
        {
            "ip_address": f"2001:db8::{droplet['id'] >> 16:x}:{droplet['id'] & 0xFFFF:x}",
            "netmask": 64,
            "gateway": "2001:db8::1",
            "type": "public",
        }
    ]


def _add_feature(droplet: dict[str, Any], feature: str) -> None:
    if feature not in droplet["features"]:
        droplet["features"].append(feature)
