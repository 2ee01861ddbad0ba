"""Domains and their records.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domains and
https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from anysky.backend.base import Effect
from anysky.backend.dns import DNSBackend
from anysky.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    NotFoundError,
    RecordAlreadyExistsError,
    RecordDoesNotExistError,
    UnsupportedOperationError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)
from anysky.model.dns import Record, RecordType, Zone
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import Kinds, extra_of, segment

from .api import Listing
from .backend import DigitalOceanBackend

__all__ = ["DigitalOceanDNS"]

_ZONE_KINDS: Kinds = {
    NotFoundError: ZoneDoesNotExistError,
    AlreadyExistsError: ZoneAlreadyExistsError,
}
_NEW_RECORD_KINDS: Kinds = {
    NotFoundError: ZoneDoesNotExistError,
    AlreadyExistsError: RecordAlreadyExistsError,
}
_RECORD_KINDS: Kinds = {
    NotFoundError: RecordDoesNotExistError,
    AlreadyExistsError: RecordAlreadyExistsError,
}

_APEX = "@"
_MASTER = "master"
_HOSTS = frozenset({RecordType.CNAME, RecordType.MX, RecordType.NS, RecordType.SRV})
_SETTABLE = ("ttl", "priority", "weight", "port", "flags", "tag")
_ANSWERED = ("id", "type", "name", "data")
_IDENTIFYING = ("type", "name", "data", "priority", "weight", "port", "flags", "tag")


class _Domain(msgspec.Struct):
    name: str
    ttl: int | None = None


class _Domains(Listing, kw_only=True):
    domains: list[msgspec.Raw]


class _OneDomain(msgspec.Struct):
    domain: msgspec.Raw


class _Record(msgspec.Struct):
    id: int
    type: str
    name: str
    data: str
    ttl: int | None = None
    flags: int | None = None
    tag: str | None = None


class _Records(Listing, kw_only=True):
    domain_records: list[msgspec.Raw]


class _OneRecord(msgspec.Struct):
    domain_record: msgspec.Raw


_domain = msgspec.json.Decoder(_Domain).decode
_record_data = msgspec.json.Decoder(_Record).decode


class DigitalOceanDNS(DigitalOceanBackend, DNSBackend):
    """DigitalOcean's DNS; a zone's id is its domain."""

    RECORD_TYPE_MAP: ClassVar[Mapping[RecordType, str]] = {
        kind: kind.value
        for kind in (
            RecordType.A,
            RecordType.AAAA,
            RecordType.CAA,
            RecordType.CNAME,
            RecordType.MX,
            RecordType.NS,
            RecordType.SOA,
            RecordType.SRV,
            RecordType.TXT,
        )
    }

    # Each operation says in its own step how what it makes is found again.
    effects: ClassVar[Mapping[str, Effect]] = {
        operation: Effect(effect.undo) for operation, effect in DNSBackend.effects.items()
    }

    async def list_zones(self, cursor: str | None) -> Page[Zone]:
        """List domains: GET /v2/domains."""
        answer = await self.api.page(cursor, "/domains", _Domains)
        return Page([_zone(raw) for raw in answer.domains], answer.next)

    async def get_zone(self, zone_id: str) -> Zone:
        """Fetch a domain: GET /v2/domains/{name}."""
        answer = await self.api.call("GET", _path(zone_id), _OneDomain, kinds=_ZONE_KINDS)
        return _zone(answer.domain)

    async def create_zone(
        self, domain: str, type: str, ttl: int | None, extra: Mapping[str, Any]
    ) -> Zone:
        """Create a domain: POST /v2/domains.

        ``extra={"ip_address": …}`` makes a record for the domain itself in the same request.
        """
        if type != _MASTER:
            raise UnsupportedOperationError(f"DigitalOcean has no {type} zones, only {_MASTER}")
        if ttl is not None:
            raise UnsupportedOperationError(
                "DigitalOcean's domains take no ttl: set the ttl of each record"
            )
        _check_extra(extra, ("ip_address",))
        body = {"name": domain, **extra}
        async with self.ledger("create_zone") as ledger:
            known = await self._known(ledger, self._zones_made, domain)
            made = self._post_domain(body)
            return await ledger.step(f"zone {domain}", made, self.delete_zone, **known)

    async def delete_zone(self, zone: Zone) -> None:
        """Delete a domain with its records: DELETE /v2/domains/{name}."""
        await self.api.send("DELETE", _path(zone.id), kinds=_ZONE_KINDS)

    async def list_records(self, zone: Zone, cursor: str | None) -> Page[Record]:
        """List the records of a domain: GET /v2/domains/{name}/records."""
        path = f"{_path(zone.id)}/records"
        answer = await self.api.page(cursor, path, _Records, kinds=_ZONE_KINDS)
        return Page([_record(zone, raw) for raw in answer.domain_records], answer.next)

    async def get_record(self, zone_id: str, record_id: str) -> Record:
        """Fetch a domain and one of its records: GET /v2/domains/{name}/records/{id}."""
        zone = await self.get_zone(zone_id)
        path = _path(zone_id, record_id)
        answer = await self.api.call("GET", path, _OneRecord, kinds=_RECORD_KINDS)
        return _record(zone, answer.domain_record)

    async def create_record(
        self, name: str | None, zone: Zone, type: RecordType, data: str, extra: Mapping[str, Any]
    ) -> Record:
        """Create a record: POST /v2/domains/{name}/records."""
        body = _body(zone, name, type, data, extra)
        what = f"record {type} {name or _APEX} of zone {zone.domain}"
        async with self.ledger("create_record") as ledger:
            looked_for = (zone, *((key, body[key]) for key in _IDENTIFYING if key in body))
            known = await self._known(ledger, self._records_made, *looked_for)
            made = self._post_record(zone, body)
            return await ledger.step(what, made, self.delete_record, **known)

    async def update_record(
        self,
        record: Record,
        name: str | None,
        type: RecordType,
        data: str,
        extra: Mapping[str, Any],
    ) -> Record:
        """Change a record: PATCH /v2/domains/{name}/records/{id}.

        What `extra` does not name stays as it is; the type cannot be changed.
        """
        if type != record.type:
            raise UnsupportedOperationError(
                "DigitalOcean cannot change the type of a record: delete it and make another"
            )
        answer = await self.api.call(
            "PATCH",
            _path(record.zone.id, record.id),
            _OneRecord,
            json=_body(record.zone, name, type, data, extra),
            kinds=_RECORD_KINDS,
            repeatable=True,
        )
        return _record(record.zone, answer.domain_record)

    async def delete_record(self, record: Record) -> None:
        """Delete a record: DELETE /v2/domains/{name}/records/{id}."""
        await self.api.send("DELETE", _path(record.zone.id, record.id), kinds=_RECORD_KINDS)

    async def _post_domain(self, body: Mapping[str, Any]) -> Zone:
        answer = await self.api.call("POST", "/domains", _OneDomain, json=body, kinds=_ZONE_KINDS)
        return _zone(answer.domain)

    async def _post_record(self, zone: Zone, body: Mapping[str, Any]) -> Record:
        path = f"{_path(zone.id)}/records"
        answer = await self.api.call("POST", path, _OneRecord, json=body, kinds=_NEW_RECORD_KINDS)
        return _record(zone, answer.domain_record)

    async def _zones_made(self, _: str, domain: str) -> list[Zone]:
        """Find a domain, which the whole of DigitalOcean has only once."""
        try:
            return [await self.get_zone(domain)]
        except NotFoundError:
            return []

    async def _records_made(self, _: str, zone: Zone, *wanted: tuple[str, Any]) -> list[Record]:
        """Find the records that hold exactly this."""
        found = await all_pages(
            lambda cursor: self.list_records(zone, cursor), self.connection.limits
        )
        asked = {key: _comparable(value) for key, value in wanted}
        return [
            record
            for record in found
            if asked == {key: _comparable(record.extra.get(key)) for key in asked}
        ]


def _path(zone_id: str, record_id: str = "") -> str:
    path = f"/domains/{segment(zone_id)}"
    return f"{path}/records/{segment(record_id)}" if record_id else path


def _check_extra(extra: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in extra if key not in known]
    if unknown:
        raise UnsupportedOperationError(
            f"DigitalOcean knows no {', '.join(map(repr, unknown))} in extra, "
            f"only {', '.join(known)}"
        )


def _body(
    zone: Zone, name: str | None, type: RecordType, data: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the body that asks for a record; `extra` may be that of another record, whole."""
    _check_extra(extra, (*_SETTABLE, *_ANSWERED))
    given = {key: extra[key] for key in _SETTABLE if extra.get(key) is not None}
    body = {"type": type.value, "name": name or _APEX, **given}
    if type is RecordType.CAA:
        return body | _caa_body(data, given)
    return body | {"data": _absolute(zone, data) if type in _HOSTS else data}


def _caa_body(data: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take a CAA record's value apart: ``0 issue "ca.example"``, or flags and tag in `extra`."""
    words = data.split(None, 2)
    if len(words) == 3 and words[0].isdecimal():  # noqa: PLR2004 - flags, tag, value
        parts: dict[str, Any] = {"flags": int(words[0]), "tag": words[1]}
        value = words[2]
    elif "flags" in given and "tag" in given:
        parts, value = {"flags": given["flags"], "tag": given["tag"]}, data
    else:
        raise InvalidRequestError(
            f'the value of a CAA record looks like 0 issue "ca.example", not {data!r}'
        )
    value = value.strip('"')
    is_host = parts["tag"] in ("issue", "issuewild") and "." in value and ";" not in value
    return {**parts, "data": f"{value.rstrip('.')}." if is_host else value}


def _absolute(zone: Zone, host: str) -> str:
    """Write a host name as the API wants it, with a dot at its end.

    As in a zone file, one word is a name in the zone; with dots in it, it is a whole name.
    """
    if host == _APEX or host.endswith("."):
        return host
    return f"{host}." if "." in host else f"{host}.{zone.domain}."


def _comparable(value: Any) -> Any:
    """Return what a record holds so that two ways to write a host's name are equal."""
    return value.removesuffix(".") if isinstance(value, str) else value


def _zone(raw: msgspec.Raw) -> Zone:
    data = _domain(raw)
    return Zone(data.name, data.name, _MASTER, data.ttl, extra_of(raw))


def _record(zone: Zone, raw: msgspec.Raw) -> Record:
    data = _record_data(raw)
    kind = RecordType(data.type)
    return Record(
        id=str(data.id),
        name=None if data.name == _APEX else data.name,
        type=kind,
        data=_value(kind, data),
        zone=zone,
        ttl=data.ttl,
        extra=extra_of(raw),
    )


def _value(kind: RecordType, data: _Record) -> str:
    if kind is not RecordType.CAA or data.flags is None or data.tag is None:
        return data.data
    return f'{data.flags} {data.tag} "{data.data.rstrip(".")}"'
