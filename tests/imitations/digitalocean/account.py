"""Account, SSH keys, sizes, regions and tags."""

import base64
import hashlib
import re
from typing import Any

from tests.imitations.base import Answer, Received, route
from tests.imitations.digitalocean.common import Common, body_of, invalid, not_found

_TAG = re.compile(r"[a-zA-Z0-9_:-]{1,255}")
_KEY = re.compile(r"(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+( .*)?")
_TAGGED = ("droplets", "images", "volumes", "volume_snapshots", "databases")


class Account(Common):
    """`/v2/account`, `/v2/account/keys`, `/v2/sizes`, `/v2/regions`, `/v2/tags`."""

    def clear(self) -> None:
        super().clear()
        self.keys: dict[int, dict[str, Any]] = {}
        self.tags: list[str] = []

    @route("GET", "/v2/account")
    def get_account(self, request: Received) -> Any:
        return {
            "account": {
                "droplet_limit": self.droplet_limit,
                "floating_ip_limit": 5,
                "email": "sammy@example.com",
                "name": "Sammy the Shark",
                "uuid": self.uuid("account"),
                "email_verified": True,
                "status": "active",
                "status_message": "",
                "team": {"uuid": self.uuid("team"), "name": "My Team"},
            }
        }

    @route("GET", "/v2/sizes")
    def list_sizes(self, request: Received) -> Any:
        return self.page(request, "sizes", self.sizes.values())

    @route("GET", "/v2/regions")
    def list_regions(self, request: Received) -> Any:
        return self.page(request, "regions", self.regions.values())

    @route("GET", "/v2/account/keys")
    def list_keys(self, request: Received) -> Any:
        return self.page(request, "ssh_keys", self.keys.values())

    @route("POST", "/v2/account/keys")
    def create_key(self, request: Received) -> Any:
        body = body_of(request, "name", "public_key")
        fingerprint = _fingerprint(body["public_key"])
        if self.find_key(fingerprint) is not None:
            raise invalid("SSH Key is already in use on your account")
        key = {
            "id": self.next_id("key"),
            "fingerprint": fingerprint,
            "public_key": body["public_key"],
            "name": body["name"],
        }
        self.keys[key["id"]] = key
        return Answer(201, {"ssh_key": key})

    @route("GET", "/v2/account/keys/{ssh_key_identifier}")
    def get_key(self, request: Received, identifier: str) -> Any:
        return {"ssh_key": self.__key(identifier)}

    @route("PUT", "/v2/account/keys/{ssh_key_identifier}")
    def update_key(self, request: Received, identifier: str) -> Any:
        key = self.__key(identifier)
        key["name"] = body_of(request, "name")["name"]
        return {"ssh_key": key}

    @route("DELETE", "/v2/account/keys/{ssh_key_identifier}")
    def delete_key(self, request: Received, identifier: str) -> None:
        del self.keys[self.__key(identifier)["id"]]

    def find_key(self, identifier: object) -> dict[str, Any] | None:
        """A key by id or fingerprint."""
        for key in self.keys.values():
            if str(identifier) in {str(key["id"]), key["fingerprint"]}:
                return key
        return None

    def __key(self, identifier: str) -> dict[str, Any]:
        key = self.find_key(identifier)
        if key is None:
            raise not_found()
        return key

    @route("GET", "/v2/tags")
    def list_tags(self, request: Received) -> Any:
        return self.page(request, "tags", [self.__tag(name) for name in self.tags])

    @route("POST", "/v2/tags")
    def create_tag(self, request: Received) -> Any:
        name = body_of(request, "name")["name"]
        self.use_tags([name])
        return Answer(201, {"tag": self.__tag(name)})

    @route("GET", "/v2/tags/{tag_id}")
    def get_tag(self, request: Received, name: str) -> Any:
        return {"tag": self.__tag(self.__tag_name(name))}

    @route("DELETE", "/v2/tags/{tag_id}")
    def delete_tag(self, request: Received, name: str) -> None:
        name = self.__tag_name(name)
        self.tags.remove(name)
        for tables in self.tagged_tables().values():
            for each in tables.values():
                each["tags"] = [tag for tag in each["tags"] if tag != name]

    @route("POST", "/v2/tags/{tag_id}/resources")
    def tag_resources(self, request: Received, name: str) -> None:
        name = self.__tag_name(name)
        for resource in self.__resources(request):
            resource["tags"] = [*(tag for tag in resource["tags"] if tag != name), name]

    @route("DELETE", "/v2/tags/{tag_id}/resources")
    def untag_resources(self, request: Received, name: str) -> None:
        name = self.__tag_name(name)
        for resource in self.__resources(request):
            resource["tags"] = [tag for tag in resource["tags"] if tag != name]

    def use_tags(self, names: list[str]) -> list[str]:
        """Create the tags that do not exist; the names, checked."""
        for name in names:
            if not isinstance(name, str) or not _TAG.fullmatch(name):
                raise invalid(
                    "Name may only contain letters, numbers, colons, dashes, and underscores"
                )
        self.tags += [name for name in dict.fromkeys(names) if name not in self.tags]
        return list(dict.fromkeys(names))

    def tagged_tables(self) -> dict[str, dict[Any, dict[str, Any]]]:
        """What can carry tags: tables of resources by the type's name in the plural."""
        return {}

    def __tag_name(self, name: str) -> str:
        if name not in self.tags:
            raise not_found()
        return name

    def __tag(self, name: str) -> dict[str, Any]:
        tables = self.tagged_tables()
        counts = {kind: self.__tagged(tables.get(kind, {}), kind, name) for kind in _TAGGED}
        total = sum(each["count"] for each in counts.values())
        return {"name": name, "resources": {"count": total, **counts}}

    def __tagged(self, table: dict[Any, dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
        ids = [number for number, each in table.items() if name in each["tags"]]
        last = {"last_tagged_uri": f"{self.url}/v2/{kind}/{ids[-1]}"} if ids else {}
        return {"count": len(ids), **last}

    def __resources(self, request: Received) -> list[dict[str, Any]]:
        tables = self.tagged_tables()
        return [
            self.find(tables.get(f"{each['resource_type']}s", {}), str(each["resource_id"]))
            for each in body_of(request, "resources")["resources"]
        ]


def _fingerprint(public_key: str) -> str:
    if not _KEY.fullmatch(public_key.strip()):
        raise invalid("Key invalid, key should be of the format `ssh-rsa AAAA...`")
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except ValueError:
        raise invalid("Fingerprint could not be generated, please check your key") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))
