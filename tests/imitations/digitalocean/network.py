"""VPCs, firewalls and reserved IPs."""

import ipaddress
import re
from typing import Any

from tests.imitations.base import Answer, Received, RefusedError, route
from tests.imitations.digitalocean.common import (
    Common,
    body_of,
    invalid,
    now,
    without_none,
)

_VPC_NAME = re.compile(r"[a-zA-Z0-9.-]+")
_FIREWALL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]+")
_RULE_KINDS = {"inbound_rules": "sources", "outbound_rules": "destinations"}


class Vpcs(Common):
    """`/v2/vpcs`."""

    def clear(self) -> None:
        super().clear()
        self.vpcs: dict[str, dict[str, Any]] = {}

    def default_vpc(self, region: str) -> dict[str, Any]:
        """The default VPC of a region; it is made when it is first needed."""
        for vpc in self.vpcs.values():
            if vpc["region"] == region and vpc["default"]:
                return vpc
        return self.__create(f"default-{region}", region, {})

    @route("GET", "/v2/vpcs")
    def list_vpcs(self, request: Received) -> Any:
        return self.page(request, "vpcs", self.vpcs.values())

    @route("POST", "/v2/vpcs")
    def create_vpc(self, request: Received) -> Any:
        body = body_of(request, "name", "region")
        if not _VPC_NAME.fullmatch(body["name"]):
            raise invalid("VPC name may only contain alphanumeric characters, dashes, and periods.")
        if any(vpc["name"] == body["name"] for vpc in self.vpcs.values()):
            raise invalid("VPC name already in use")
        region = self.region(body["region"], "VPC creation")["slug"]
        if body.get("ip_range"):
            self.__check_range(body["ip_range"])
        return Answer(201, {"vpc": self.__create(body["name"], region, body)})

    @route("GET", "/v2/vpcs/{vpc_id}")
    def get_vpc(self, request: Received, vpc_id: str) -> Any:
        return {"vpc": self.find(self.vpcs, vpc_id)}

    @route("PUT", "/v2/vpcs/{vpc_id}")
    def update_vpc(self, request: Received, vpc_id: str) -> Any:
        body_of(request, "name")
        return self.patch_vpc(request, vpc_id)

    @route("PATCH", "/v2/vpcs/{vpc_id}")
    def patch_vpc(self, request: Received, vpc_id: str) -> Any:
        vpc, body = self.find(self.vpcs, vpc_id), body_of(request)
        if body.get("default"):
            for other in self.vpcs.values():
                other["default"] = other["default"] and other["region"] != vpc["region"]
            vpc["default"] = True
        vpc |= {name: body[name] for name in ("name", "description") if name in body}
        return {"vpc": vpc}

    @route("DELETE", "/v2/vpcs/{vpc_id}")
    def delete_vpc(self, request: Received, vpc_id: str) -> None:
        vpc = self.find(self.vpcs, vpc_id)
        if vpc["default"]:
            raise RefusedError(403, "forbidden", "Can not delete default VPCs")
        if self.__members(vpc_id):
            raise RefusedError(403, "forbidden", "Can not delete VPC with members")
        del self.vpcs[vpc_id]

    @route("GET", "/v2/vpcs/{vpc_id}/members")
    def list_members(self, request: Received, vpc_id: str) -> Any:
        self.find(self.vpcs, vpc_id)
        kind = request.arg("resource_type") or "droplet"
        return self.page(request, "members", self.__members(vpc_id) if kind == "droplet" else [])

    def __members(self, vpc_id: str) -> list[dict[str, Any]]:
        return [
            {
                "urn": f"do:droplet:{droplet['id']}",
                "name": droplet["name"],
                "created_at": droplet["created_at"],
            }
            for droplet in self.droplets.values()
            if droplet["vpc_uuid"] == vpc_id
        ]

    def __check_range(self, text: str) -> None:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise invalid("ip_range is not a valid network") from None
        if not 16 <= network.prefixlen <= 28 or not network.is_private:
            raise invalid("VPC range must be private and between /16 and /28")
        if any(network.overlaps(ipaddress.ip_network(v["ip_range"])) for v in self.vpcs.values()):
            raise invalid("This range/size overlaps with another VPC network in your account")

    def __create(self, name: str, region: str, body: dict[str, Any]) -> dict[str, Any]:
        number = self.next_id("vpc")
        identifier = self.uuid(f"vpc-{number}")
        vpc = {
            "id": identifier,
            "urn": f"do:vpc:{identifier}",
            "name": name,
            "description": body.get("description", ""),
            "region": region,
            "ip_range": body.get("ip_range") or f"10.{100 + number}.0.0/20",
            "created_at": now(),
            "default": not any(each["region"] == region for each in self.vpcs.values()),
        }
        self.vpcs[identifier] = vpc
        return vpc


class Firewalls(Common):
    """`/v2/firewalls`."""

    def clear(self) -> None:
        super().clear()
        self.firewalls: dict[str, dict[str, Any]] = {}

    @route("GET", "/v2/firewalls")
    def list_firewalls(self, request: Received) -> Any:
        return self.page(request, "firewalls", map(self.__seen, self.firewalls.values()))

    @route("POST", "/v2/firewalls")
    def create_firewall(self, request: Received) -> Any:
        body = body_of(request, "name")
        if any(each["name"] == body["name"] for each in self.firewalls.values()):
            raise RefusedError(409, "conflict", "duplicate name")
        firewall = {"id": self.next_uuid("firewall"), "created_at": now(), **self.__content(body)}
        firewall |= {"status": "waiting", "pending_changes": _changes(firewall["droplet_ids"])}
        self.firewalls[firewall["id"]] = firewall
        return Answer(202, {"firewall": firewall})

    @route("GET", "/v2/firewalls/{firewall_id}")
    def get_firewall(self, request: Received, firewall_id: str) -> Any:
        return {"firewall": self.__seen(self.find(self.firewalls, firewall_id))}

    @route("PUT", "/v2/firewalls/{firewall_id}")
    def update_firewall(self, request: Received, firewall_id: str) -> Any:
        firewall = self.find(self.firewalls, firewall_id)
        firewall |= self.__content(body_of(request, "name"))
        return {"firewall": self.__seen(firewall)}

    @route("DELETE", "/v2/firewalls/{firewall_id}")
    def delete_firewall(self, request: Received, firewall_id: str) -> None:
        del self.firewalls[self.find(self.firewalls, firewall_id)["id"]]

    @route("POST", "/v2/firewalls/{firewall_id}/droplets")
    def add_firewall_droplets(self, request: Received, firewall_id: str) -> None:
        firewall = self.find(self.firewalls, firewall_id)
        added = self.__droplet_ids(body_of(request, "droplet_ids"))
        firewall["droplet_ids"] = list(dict.fromkeys(firewall["droplet_ids"] + added))

    @route("DELETE", "/v2/firewalls/{firewall_id}/droplets")
    def remove_firewall_droplets(self, request: Received, firewall_id: str) -> None:
        firewall = self.find(self.firewalls, firewall_id)
        gone = body_of(request, "droplet_ids")["droplet_ids"]
        firewall["droplet_ids"] = [each for each in firewall["droplet_ids"] if each not in gone]

    @route("POST", "/v2/firewalls/{firewall_id}/tags")
    def add_firewall_tags(self, request: Received, firewall_id: str) -> None:
        firewall = self.find(self.firewalls, firewall_id)
        added = self.__tags(body_of(request, "tags"))
        firewall["tags"] = list(dict.fromkeys(firewall["tags"] + added))

    @route("DELETE", "/v2/firewalls/{firewall_id}/tags")
    def remove_firewall_tags(self, request: Received, firewall_id: str) -> None:
        firewall = self.find(self.firewalls, firewall_id)
        gone = body_of(request, "tags")["tags"]
        firewall["tags"] = [each for each in firewall["tags"] if each not in gone]

    @route("POST", "/v2/firewalls/{firewall_id}/rules")
    def add_rules(self, request: Received, firewall_id: str) -> None:
        firewall, rules = self.find(self.firewalls, firewall_id), _rules(body_of(request))
        for kind in _RULE_KINDS:
            firewall[kind] += [rule for rule in rules[kind] if rule not in firewall[kind]]

    @route("DELETE", "/v2/firewalls/{firewall_id}/rules")
    def remove_rules(self, request: Received, firewall_id: str) -> None:
        firewall, rules = self.find(self.firewalls, firewall_id), _rules(body_of(request))
        for kind in _RULE_KINDS:
            firewall[kind] = [rule for rule in firewall[kind] if rule not in rules[kind]]

    @route("GET", "/v2/droplets/{droplet_id}/firewalls")
    def list_droplet_firewalls(self, request: Received, droplet_id: str) -> Any:
        droplet = self.find(self.droplets, droplet_id)
        chosen = [
            self.__seen(each)
            for each in self.firewalls.values()
            if droplet["id"] in each["droplet_ids"] or {*droplet["tags"]} & {*each["tags"]}
        ]
        return self.page(request, "firewalls", chosen)

    def __content(self, body: dict[str, Any]) -> dict[str, Any]:
        if not _FIREWALL_NAME.fullmatch(body["name"]):
            raise invalid("invalid firewall name")
        rules = _rules(body)
        if not any(rules.values()):
            raise invalid("must specify at least one rule")
        content = {"droplet_ids": self.__droplet_ids(body), "tags": self.__tags(body)}
        return {"name": body["name"], **rules, **content}

    def __droplet_ids(self, body: dict[str, Any]) -> list[int]:
        ids = without_none(body.get("droplet_ids"))
        if any(each not in self.droplets for each in ids):
            raise invalid("invalid droplet id")
        return ids

    def __tags(self, body: dict[str, Any]) -> list[str]:
        names = without_none(body.get("tags"))
        if any(name not in self.tags for name in names):
            raise invalid("tag does not exist")
        return names

    def __seen(self, firewall: dict[str, Any]) -> dict[str, Any]:
        """A firewall that is read has been applied."""
        firewall |= {"status": "succeeded", "pending_changes": []}
        return firewall


class ReservedIps(Common):
    """`/v2/reserved_ips`."""

    def clear(self) -> None:
        super().clear()
        self.reserved_ips: dict[str, dict[str, Any]] = {}

    def release_addresses(self, droplet_id: int) -> None:
        """Unassign the addresses of a droplet that goes away."""
        for address in self.reserved_ips.values():
            if address["droplet"] and address["droplet"]["id"] == droplet_id:
                address["droplet"] = None

    @route("GET", "/v2/reserved_ips")
    def list_reserved_ips(self, request: Received) -> Any:
        for ip in self.reserved_ips:
            self.settle(("reserved_ip", ip))
        return self.page(request, "reserved_ips", self.reserved_ips.values())

    @route("POST", "/v2/reserved_ips")
    def create_reserved_ip(self, request: Received) -> Any:
        body = body_of(request)
        droplet = None
        if "droplet_id" in body:
            droplet = self.find(self.droplets, body["droplet_id"])
        region = droplet["region"] if droplet else self.region(body.get("region"), "Reserved IPs")
        address = {
            "ip": f"203.0.113.{self.next_id('reserved-ip')}",
            "droplet": None,
            "region": region,
            "locked": droplet is not None,
            "project_id": self.uuid("project"),
        }
        self.reserved_ips[address["ip"]] = address
        links = self.__assign_at_once(address, droplet) if droplet else {}
        return Answer(202, {"reserved_ip": address, "links": links})

    @route("GET", "/v2/reserved_ips/{reserved_ip}")
    def get_reserved_ip(self, request: Received, ip: str) -> Any:
        address = self.find(self.reserved_ips, ip)
        self.settle(("reserved_ip", ip))
        return {"reserved_ip": address}

    @route("DELETE", "/v2/reserved_ips/{reserved_ip}")
    def delete_reserved_ip(self, request: Received, ip: str) -> None:
        address = self.find(self.reserved_ips, ip)
        if self.pending(("reserved_ip", ip)):
            raise invalid("The reserved IP already has a pending event.")
        del self.reserved_ips[address["ip"]]

    @route("GET", "/v2/reserved_ips/{reserved_ip}/actions")
    def list_reserved_ip_actions(self, request: Received, ip: str) -> Any:
        self.find(self.reserved_ips, ip)
        return self.page(request, "actions", self.actions_of(("reserved_ip", ip)))

    @route("POST", "/v2/reserved_ips/{reserved_ip}/actions")
    def act_on_reserved_ip(self, request: Received, ip: str) -> Any:
        address = self.find(self.reserved_ips, ip)
        body = body_of(request, "type")
        if self.pending(("reserved_ip", ip)):
            raise invalid("The reserved IP already has a pending event.")
        if body["type"] == "assign":
            droplet = self.find(self.droplets, body.get("droplet_id"))
            action = self.__assign(address, droplet)
        elif body["type"] == "unassign":
            action = self.__unassign(address)
        else:
            raise invalid("Type is not a valid action for this reserved IP")
        return Answer(201, {"action": action})

    @route("GET", "/v2/reserved_ips/{reserved_ip}/actions/{action_id}")
    def get_reserved_ip_action(self, request: Received, ip: str, action_id: str) -> Any:
        self.find(self.reserved_ips, ip)
        return {"action": self.action_of(("reserved_ip", ip), action_id)}

    def __assign(self, address: dict[str, Any], droplet: dict[str, Any]) -> dict[str, Any]:
        if droplet["region"]["slug"] != address["region"]["slug"]:
            raise invalid("The reserved IP and the Droplet must be in the same region.")
        others = [a for a in self.reserved_ips.values() if a["droplet"] is droplet]
        if others:
            raise invalid("The Droplet already has a reserved IP.")
        return self.__change(address, "assign_ip", droplet)

    def __unassign(self, address: dict[str, Any]) -> dict[str, Any]:
        if address["droplet"] is None:
            raise invalid("The reserved IP is not assigned to a Droplet.")
        return self.__change(address, "unassign_ip", None)

    def __change(
        self, address: dict[str, Any], kind: str, droplet: dict[str, Any] | None
    ) -> dict[str, Any]:
        def effect() -> None:
            alive = droplet is None or droplet["id"] in self.droplets
            address.update(droplet=droplet if alive else None, locked=False)

        address["locked"] = True
        resource = ("reserved_ip", address["ip"])
        action = self.begin(kind, resource, effect, address["region"])
        return action | {"project_id": address["project_id"]}

    def __assign_at_once(self, address: dict[str, Any], droplet: dict[str, Any]) -> dict[str, Any]:
        action = self.__assign(address, droplet)
        return {
            "droplets": [_link(f"{self.url}/v2/droplets", droplet["id"], "droplet")],
            "actions": [_link(f"{self.url}/v2/actions", action["id"], "assign_ip")],
        }


def _link(collection: str, number: int, rel: str) -> dict[str, Any]:
    return {"id": number, "rel": rel, "href": f"{collection}/{number}"}


def _changes(droplet_ids: list[int]) -> list[dict[str, Any]]:
    return [{"droplet_id": i, "removing": False, "status": "waiting"} for i in droplet_ids]


def _rules(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rules in both directions; "all" ports are answered as "0"."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, peer in _RULE_KINDS.items():
        found[kind] = []
        for rule in without_none(body.get(kind)):
            if rule.get("protocol") not in {"tcp", "udp", "icmp"} or peer not in rule:
                raise invalid(f"invalid rule in {kind}")
            ports = "0" if rule.get("ports") in (None, "", "all") else rule["ports"]
            found[kind].append({**rule, "ports": ports})
    return found
