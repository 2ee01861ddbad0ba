"""Load balancers."""

import re
from typing import Any

from tests.imitations.base import Answer, Received, RefusedError, route
from tests.imitations.digitalocean.common import Common, body_of, invalid, now, without_none

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*")
_PROTOCOLS = frozenset({"http", "https", "http2", "http3", "tcp", "udp"})
_ENCRYPTED = frozenset({"https", "http2", "http3"})
_HEALTH_CHECK = {
    "check_interval_seconds": 10,
    "healthy_threshold": 5,
    "path": "/",
    "port": 80,
    "protocol": "http",
    "response_timeout_seconds": 5,
    "unhealthy_threshold": 3,
}
# What is reset by a change that does not name it.
_DEFAULTS: dict[str, Any] = {
    "algorithm": "round_robin",
    "disable_lets_encrypt_dns_records": False,
    "enable_backend_keepalive": False,
    "enable_proxy_protocol": False,
    "firewall": {"allow": [], "deny": []},
    "http_idle_timeout_seconds": 60,
    "redirect_http_to_https": False,
    "size_unit": 1,
    "sticky_sessions": {"type": "none"},
}
_FIXED = ("network", "network_stack", "type", "vpc_uuid")
_RULE_DEFAULTS = {"certificate_id": "", "tls_passthrough": False}


class Balancers(Common):
    """`/v2/load_balancers`; one whose action is under way takes no change."""

    def clear(self) -> None:
        super().clear()
        self.balancers: dict[str, dict[str, Any]] = {}

    @route("GET", "/v2/load_balancers")
    def list_balancers(self, request: Received) -> Any:
        for balancer in self.balancers.values():
            self.settle(_resource(balancer))
        return self.page(request, "load_balancers", map(self.__seen, self.balancers.values()))

    @route("POST", "/v2/load_balancers")
    def create_balancer(self, request: Received) -> Any:
        body = body_of(request, "name", "region")
        region = self.region(body["region"], "Load Balancer creation")
        vpc = body.get("vpc_uuid") or self.default_vpc(region["slug"])["id"]
        balancer = {
            "id": self.next_uuid("load-balancer"),
            "ip": "",
            "status": "new",
            "created_at": now(),
            "region": region,
            "size": "lb-small",
            "network": body.get("network", "EXTERNAL"),
            "network_stack": body.get("network_stack", "IPV4"),
            "type": body.get("type", "REGIONAL"),
            "vpc_uuid": vpc,
            **self.__content(body, region["slug"], None),
        }
        self.balancers[balancer["id"]] = balancer
        address = f"192.0.2.{self.next_id('load-balancer-ip')}"
        self.begin(
            "create_load_balancer",
            _resource(balancer),
            lambda: balancer.update(status="active", ip=address),
            region,
        )
        return Answer(202, {"load_balancer": self.__seen(balancer)})

    @route("GET", "/v2/load_balancers/{lb_id}")
    def get_balancer(self, request: Received, balancer_id: str) -> Any:
        balancer = self.find(self.balancers, balancer_id)
        self.settle(_resource(balancer))
        return {"load_balancer": self.__seen(balancer)}

    @route("PUT", "/v2/load_balancers/{lb_id}")
    def update_balancer(self, request: Received, balancer_id: str) -> Any:
        balancer = self.__free(balancer_id)
        body = body_of(request, "name", "region")
        if body["region"] != balancer["region"]["slug"]:
            raise invalid("region cannot be changed")
        for name in _FIXED:
            if name in body and body[name] != balancer[name]:
                raise invalid(f"{name} cannot be changed")
        balancer |= self.__content(body, body["region"], balancer)
        self.__begin_change(balancer)
        return {"load_balancer": self.__seen(balancer)}

    @route("DELETE", "/v2/load_balancers/{lb_id}")
    def delete_balancer(self, request: Received, balancer_id: str) -> None:
        del self.balancers[self.find(self.balancers, balancer_id)["id"]]

    @route("POST", "/v2/load_balancers/{lb_id}/droplets")
    def add_balancer_droplets(self, request: Received, balancer_id: str) -> None:
        balancer = self.__free(balancer_id)
        if balancer["tag"]:
            raise invalid("Droplets cannot be added to a load balancer that has a tag")
        body = body_of(request, "droplet_ids")
        added = self.__droplet_ids(body, balancer["region"]["slug"])
        balancer["droplet_ids"] = list(dict.fromkeys(balancer["droplet_ids"] + added))
        self.__begin_change(balancer)

    @route("DELETE", "/v2/load_balancers/{lb_id}/droplets")
    def remove_balancer_droplets(self, request: Received, balancer_id: str) -> None:
        balancer = self.__free(balancer_id)
        gone = body_of(request, "droplet_ids")["droplet_ids"]
        balancer["droplet_ids"] = [each for each in balancer["droplet_ids"] if each not in gone]
        self.__begin_change(balancer)

    @route("POST", "/v2/load_balancers/{lb_id}/forwarding_rules")
    def add_forwarding_rules(self, request: Received, balancer_id: str) -> None:
        balancer = self.__free(balancer_id)
        balancer["forwarding_rules"] += _rules(body_of(request, "forwarding_rules"))
        self.__begin_change(balancer)

    @route("DELETE", "/v2/load_balancers/{lb_id}/forwarding_rules")
    def remove_forwarding_rules(self, request: Received, balancer_id: str) -> None:
        balancer = self.__free(balancer_id)
        gone = _rules(body_of(request, "forwarding_rules"))
        balancer["forwarding_rules"] = [r for r in balancer["forwarding_rules"] if r not in gone]
        self.__begin_change(balancer)

    def leave_balancers(self, droplet_id: int) -> None:
        """Take a droplet that goes away out of all balancers."""
        for balancer in self.balancers.values():
            balancer["droplet_ids"] = [i for i in balancer["droplet_ids"] if i != droplet_id]

    def __free(self, balancer_id: str) -> dict[str, Any]:
        balancer = self.find(self.balancers, balancer_id)
        self.settle(_resource(balancer))
        if self.pending(_resource(balancer)):
            message = "Load Balancer can't be updated while it processes previous actions"
            raise RefusedError(403, "forbidden", message)
        return balancer

    def __begin_change(self, balancer: dict[str, Any]) -> None:
        region = balancer["region"]
        self.begin("update_load_balancer", _resource(balancer), lambda: None, region)

    def __content(
        self, body: dict[str, Any], region: str, known: dict[str, Any] | None
    ) -> dict[str, Any]:
        """What a body says of a balancer, with the defaults of what it does not say."""
        if not _NAME.fullmatch(body["name"]):
            raise invalid("name is invalid")
        others = [each for each in self.balancers.values() if each is not known]
        if any(each["name"] == body["name"] for each in others):
            raise invalid("name is not unique")
        if body.get("tag") and body.get("droplet_ids"):
            raise invalid("droplet_ids and tag are mutually exclusive")
        tag = body.get("tag") or ""
        tagged = [n for n, each in self.droplets.items() if tag and tag in each["tags"]]
        return {
            "name": body["name"],
            "forwarding_rules": _rules(body),
            "health_check": _HEALTH_CHECK | (body.get("health_check") or {}),
            "project_id": body.get("project_id") or self.uuid("project"),
            "tag": tag,
            "droplet_ids": tagged if tag else self.__droplet_ids(body, region),
            **{name: body.get(name, default) for name, default in _DEFAULTS.items()},
        }

    def __droplet_ids(self, body: dict[str, Any], region: str) -> list[int]:
        ids = without_none(body.get("droplet_ids"))
        for each in ids:
            if self.find(self.droplets, each)["region"]["slug"] != region:
                raise invalid("Droplets must be in the same region as the load balancer")
        return ids

    def __seen(self, balancer: dict[str, Any]) -> dict[str, Any]:
        """A balancer whose members are given by a tag, with those that have it now."""
        if balancer["tag"]:
            tag = balancer["tag"]
            balancer["droplet_ids"] = [n for n, d in self.droplets.items() if tag in d["tags"]]
        return balancer


def _resource(balancer: dict[str, Any]) -> tuple[str, object]:
    return ("load_balancer", balancer["id"])


def _rules(body: dict[str, Any]) -> list[dict[str, Any]]:
    rules = [_RULE_DEFAULTS | rule for rule in without_none(body.get("forwarding_rules"))]
    if not rules:
        raise invalid("must specify at least one forwarding rule")
    for rule in rules:
        entry, target = rule["entry_protocol"], rule["target_protocol"]
        if entry not in _PROTOCOLS or target not in _PROTOCOLS - {"http3"}:
            raise invalid("forwarding rule has an invalid protocol")
        if (entry == "udp") != (target == "udp"):
            raise invalid("udp must be used on both sides of a forwarding rule")
        if entry in _ENCRYPTED and not (rule["certificate_id"] or rule["tls_passthrough"]):
            raise invalid(f"{entry} needs a certificate or tls_passthrough")
    if any(rule["entry_protocol"] == "udp" for rule in rules):
        check = body.get("health_check") or {}
        if check.get("protocol") not in {"http", "https", "tcp"}:
            raise invalid("udp needs a health check")
    return rules
