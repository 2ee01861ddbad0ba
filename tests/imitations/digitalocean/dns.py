"""Domains and their records."""

import ipaddress
import re
from typing import Any

from tests.imitations.base import Answer, Received, route
from tests.imitations.digitalocean.common import Common, body_of, invalid

_NAME = re.compile(r"(?=.{4,253}$)([a-zA-Z0-9_]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63}")
_FIELDS = ("type", "name", "data", "priority", "port", "ttl", "weight", "flags", "tag")
_NAME_SERVERS = ("ns1.digitalocean.com", "ns2.digitalocean.com", "ns3.digitalocean.com")
# Types whose data is a host name, and the further fields that each type needs.
_HOSTS = frozenset({"CNAME", "MX", "NS", "SRV"})
_NEEDED = {
    "A": ("name", "data"),
    "AAAA": ("name", "data"),
    "CAA": ("name", "data", "flags", "tag"),
    "CNAME": ("name", "data"),
    "MX": ("name", "data", "priority"),
    "NS": ("name", "data"),
    "SOA": (),
    "SRV": ("name", "data", "priority", "port", "weight"),
    "TXT": ("name", "data"),
}


class Domains(Common):
    """`/v2/domains` and `/v2/domains/{domain_name}/records`."""

    def clear(self) -> None:
        super().clear()
        self.domains: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[int, dict[str, Any]]] = {}

    @route("GET", "/v2/domains")
    def list_domains(self, request: Received) -> Any:
        return self.page(request, "domains", map(self.__domain, self.domains))

    @route("POST", "/v2/domains")
    def create_domain(self, request: Received) -> Any:
        body = body_of(request, "name")
        name = str(body["name"]).lower()
        if not _NAME.fullmatch(name):
            raise invalid(
                "Name Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"
            )
        if name in self.domains:
            raise invalid("Name already exists")
        self.domains[name] = {"name": name, "ttl": 1800}
        self.records[name] = {}
        self.__add(name, {"type": "SOA", "name": "@", "data": "1800"})
        for server in _NAME_SERVERS:
            self.__add(name, {"type": "NS", "name": "@", "data": server})
        if body.get("ip_address"):
            address = _checked_address(body["ip_address"])
            kind = "A" if address.version == 4 else "AAAA"
            self.__add(name, {"type": kind, "name": "@", "data": str(address)})
        # The zone is written later: the answer of the creating call has no zone file yet.
        return Answer(201, {"domain": {"name": name, "ttl": 1800, "zone_file": None}})

    @route("GET", "/v2/domains/{domain_name}")
    def get_domain(self, request: Received, name: str) -> Any:
        self.find(self.domains, name)
        return {"domain": self.__domain(name)}

    @route("DELETE", "/v2/domains/{domain_name}")
    def delete_domain(self, request: Received, name: str) -> None:
        self.find(self.domains, name)
        del self.domains[name], self.records[name]

    @route("GET", "/v2/domains/{domain_name}/records")
    def list_records(self, request: Received, name: str) -> Any:
        records = self.find(self.records, name).values()
        if (full_name := request.arg("name")) is not None:
            records = [r for r in records if _full_name(r["name"], name) == full_name]
        if (kind := request.arg("type")) is not None:
            records = [r for r in records if r["type"] == kind]
        return self.page(request, "domain_records", records)

    @route("POST", "/v2/domains/{domain_name}/records")
    def create_record(self, request: Received, name: str) -> Any:
        self.find(self.domains, name)
        body = body_of(request, "type")
        if body["type"] == "SOA":
            raise invalid("Type SOA records cannot be created")
        self.__check(name, body)
        return Answer(201, {"domain_record": self.__add(name, body)})

    @route("GET", "/v2/domains/{domain_name}/records/{domain_record_id}")
    def get_record(self, request: Received, name: str, record_id: str) -> Any:
        return {"domain_record": self.__record(name, record_id)}

    @route("PATCH", "/v2/domains/{domain_name}/records/{domain_record_id}")
    def patch_record(self, request: Received, name: str, record_id: str) -> Any:
        record = self.__record(name, record_id)
        body = body_of(request, "type")
        if body["type"] != record["type"]:
            raise invalid("Type cannot be changed")
        changes = {field: body[field] for field in _FIELDS if body.get(field) is not None}
        stored = record | {"data": _with_dot(record["type"], record["data"])}
        self.__check(name, stored | changes, ignored=record["id"])
        record |= changes
        record["data"] = _stored_data(record["type"], record["data"])
        return {"domain_record": record}

    @route("PUT", "/v2/domains/{domain_name}/records/{domain_record_id}")
    def update_record(self, request: Received, name: str, record_id: str) -> Any:
        return self.patch_record(request, name, record_id)

    @route("DELETE", "/v2/domains/{domain_name}/records/{domain_record_id}")
    def delete_record(self, request: Received, name: str, record_id: str) -> None:
        record = self.__record(name, record_id)
        if record["type"] == "SOA":
            raise invalid("SOA records cannot be deleted")
        del self.records[name][record["id"]]

    def __domain(self, name: str) -> dict[str, Any]:
        return self.domains[name] | {"zone_file": _zone_file(name, self.records[name].values())}

    def __record(self, domain: str, record_id: str) -> dict[str, Any]:
        return self.find(self.find(self.records, domain), record_id)

    def __add(self, domain: str, fields: dict[str, Any]) -> dict[str, Any]:
        record = {"id": self.next_id("record")} | {name: fields.get(name) for name in _FIELDS}
        record["ttl"] = fields.get("ttl") or 1800
        record["data"] = _stored_data(record["type"], record["data"])
        self.records[domain][record["id"]] = record
        return record

    def __check(self, domain: str, record: dict[str, Any], ignored: int | None = None) -> None:
        kind = record["type"]
        if kind not in _NEEDED:
            raise invalid("Type is not included in the list")
        for field in _NEEDED[kind]:
            if record.get(field) in (None, ""):
                raise invalid(f"{field.capitalize()} can't be blank")
        if (record.get("ttl") or 1800) < 30:
            raise invalid("TTL must be greater than or equal to 30")
        _check_data(kind, str(record.get("data")))
        self.__check_alias(domain, record, ignored)

    def __check_alias(self, domain: str, record: dict[str, Any], ignored: int | None) -> None:
        for other in self.records[domain].values():
            if other["id"] == ignored or other["name"] != record.get("name"):
                continue
            if "CNAME" in {other["type"], record["type"]}:
                raise invalid("CNAME records cannot share a name with other records")


def _check_data(kind: str, data: str) -> None:
    if kind in _HOSTS and data != "@" and not data.endswith("."):
        raise invalid("Data needs to end with a dot (.)")
    if kind in {"A", "AAAA"}:
        version = 4 if kind == "A" else 6
        example = "127.0.0.1" if kind == "A" else "2001:db8::1"
        try:
            matches = ipaddress.ip_address(data).version == version
        except ValueError:
            matches = False
        if not matches:
            raise invalid(f"IP address did not match IPv{version} format (e.g. {example}).")


def _checked_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise invalid("Data needs to be a valid IP address") from None


def _stored_data(kind: str, data: Any) -> Any:
    """Host names lose their final dot; "@", the domain itself, stays."""
    return data.removesuffix(".") if kind in _HOSTS else data


def _with_dot(kind: str, data: str) -> str:
    return f"{data}." if kind in _HOSTS and data != "@" else data


def _full_name(name: str, domain: str) -> str:
    return domain if name == "@" else f"{name}.{domain}"


def _zone_file(domain: str, records: Any) -> str:
    lines = [f"$ORIGIN {domain}.", "$TTL 1800"]
    for record in records:
        name, kind, data = _full_name(record["name"], domain), record["type"], record["data"]
        if kind == "SOA":
            data = f"ns1.digitalocean.com. hostmaster.{domain}. 1600000000 10800 3600 604800 {data}"
        numbers = [record[f] for f in ("flags", "tag", "priority", "weight", "port")]
        rdata = " ".join(map(str, [*(n for n in numbers if n is not None), _with_dot(kind, data)]))
        lines.append(f"{name}. {record['ttl']} IN {kind} {rdata}")
    return "\n".join(lines) + "\n"
