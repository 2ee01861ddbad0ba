"""Zones and records."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from anysky.backend.dns import DNSBackend
from anysky.errors import (
    ConflictError,
    InvalidRequestError,
    RecordAlreadyExistsError,
    UnsupportedOperationError,
    ZoneAlreadyExistsError,
)
from anysky.model.dns import Record, RecordType, Zone
from anysky.paging import Page
from anysky.wire.dns_text import read_name

from .api import MemoryBackend

__all__ = ["MemoryDNS"]

_TYPES = ("master", "slave")
_LONGEST_TTL = 2**31 - 1
_LARGEST_NUMBER = 65535
_LONGEST_DATA = 65535
_SERVERS = ("ns1.memory.example.", "ns2.memory.example.")
_SOA = f"{_SERVERS[0]} hostmaster.memory.example. 1 7200 3600 1209600 3600"
_NUMBERS: Mapping[RecordType, tuple[str, ...]] = {
    RecordType.MX: ("priority",),
    RecordType.SRV: ("priority", "weight", "port"),
}
_ADDRESSES: Mapping[RecordType, Callable[[str], object]] = {
    RecordType.A: ipaddress.IPv4Address,
    RecordType.AAAA: ipaddress.IPv6Address,
}


class MemoryDNS(MemoryBackend, DNSBackend):
    """Zones of any type of record; each value of a name is a record with a TTL of its own."""

    RECORD_TYPE_MAP: ClassVar[Mapping[RecordType, str]] = {kind: kind.value for kind in RecordType}

    async def list_zones(self, cursor: str | None) -> Page[Zone]:
        """Return a page of zones."""
        return await self._look(
            "list_zones", {"cursor": cursor}, lambda: self._state.zones.page(cursor)
        )

    async def get_zone(self, zone_id: str) -> Zone:
        """Return one zone.

        Raises:
            ZoneDoesNotExistError: There is no such zone.
        """
        return await self._look(
            "get_zone", {"zone": zone_id}, lambda: self._state.zones.look_up(zone_id)
        )

    async def create_zone(
        self,
        domain: str,
        type: str,
        ttl: int | None,
        extra: Mapping[str, Any],  # noqa: ARG002 - another provider's is passed over
    ) -> Zone:
        """Make a zone with a SOA record and two NS records, which stay as they are.

        Raises:
            ZoneAlreadyExistsError: There is one of this name.
            InvalidRequestError: The name cannot be one, or the TTL is none.
        """
        arguments = {"domain": domain, "type": type, "ttl": ttl}
        return await self._do("create_zone", arguments, lambda: self._new_zone(domain, type, ttl))

    async def update_zone(
        self,
        zone: Zone,
        domain: str,
        type: str,
        ttl: int | None,
        extra: Mapping[str, Any],  # noqa: ARG002 - another provider's is passed over
    ) -> Zone:
        """Change a zone's type and TTL.

        Raises:
            UnsupportedOperationError: The domain differs, which cannot be changed.
        """
        if domain != zone.domain:
            raise UnsupportedOperationError("a zone keeps its domain: make another zone")

        def work() -> Zone:
            found = self._state.zones.get(zone.id)
            _check_zone(domain, type, ttl)
            return self._state.zones.put(
                found.id, Zone(found.id, found.domain, type, ttl, found.extra)
            )

        return await self._set("update_zone", {"zone": zone.id, "type": type, "ttl": ttl}, work)

    async def delete_zone(self, zone: Zone) -> None:
        """Delete a zone.

        Raises:
            ConflictError: It has records besides those that it was made with.
        """

        def work() -> None:
            self._state.zones.get(zone.id)
            records = self._records_of(zone.id)
            if any(not _is_own(record) for record in records):
                raise ConflictError(f"the zone {zone.domain} has records: delete them first")
            for record in records:
                self._state.records.remove(_key(zone.id, record.id))
            self._state.zones.remove(zone.id)

        await self._remove("delete_zone", {"zone": zone.id}, work)

    async def list_records(self, zone: Zone, cursor: str | None) -> Page[Record]:
        """Return a page of a zone's records.

        Raises:
            ZoneDoesNotExistError: There is no such zone.
        """

        def work() -> Page[Record]:
            self._state.zones.get(zone.id)
            return self._state.records.page(cursor, lambda one: one.zone.id == zone.id)

        return await self._look("list_records", {"zone": zone.id, "cursor": cursor}, work)

    async def get_record(self, zone_id: str, record_id: str) -> Record:
        """Return one record.

        Raises:
            RecordDoesNotExistError: There is no such record.
            ZoneDoesNotExistError: There is no such zone.
        """

        def work() -> Record:
            self._state.zones.get(zone_id)
            return self._state.records.look_up(_key(zone_id, record_id))

        return await self._look("get_record", {"zone": zone_id, "record": record_id}, work)

    async def create_record(
        self, name: str | None, zone: Zone, type: RecordType, data: str, extra: Mapping[str, Any]
    ) -> Record:
        """Make a record.

        Raises:
            RecordAlreadyExistsError: There is exactly this record.
            ConflictError: A CNAME would stand beside another record.
            InvalidRequestError: The name, the value, the TTL or a number is wrong.
        """

        def work() -> Record:
            found = self._state.zones.get(zone.id)
            id = self._state.new_id("rec-")
            record = _record(id, found, name, type, data, extra)
            self._check_neighbours(record)
            return self._state.records.add(_key(zone.id, id), record)

        arguments = {"zone": zone.id, "name": name, "type": type.value, "data": data, **extra}
        return await self._do("create_record", arguments, work)

    async def update_record(
        self,
        record: Record,
        name: str | None,
        type: RecordType,
        data: str,
        extra: Mapping[str, Any],
    ) -> Record:
        """Change a record; see `create_record` for what is refused.

        Raises:
            RecordDoesNotExistError: There is no such record.
        """

        def work() -> Record:
            found = self._own_record(record)
            changed = _record(found.id, found.zone, name, type, data, {**found.extra, **extra})
            self._check_neighbours(changed)
            return self._state.records.put(_key(found.zone.id, found.id), changed)

        arguments = {"record": record.id, "name": name, "type": type.value, "data": data, **extra}
        return await self._set("update_record", arguments, work)

    async def delete_record(self, record: Record) -> None:
        """Delete a record.

        Raises:
            RecordDoesNotExistError: There is no such record.
        """

        def work() -> None:
            found = self._own_record(record)
            self._state.records.remove(_key(found.zone.id, found.id))

        arguments = {"zone": record.zone.id, "record": record.id}
        await self._remove("delete_record", arguments, work)

    def _new_zone(self, domain: str, type: str, ttl: int | None) -> Zone:
        _check_zone(domain, type, ttl)
        if any(one.domain.lower() == domain.lower() for one in self._state.zones.items()):
            raise ZoneAlreadyExistsError(f"there is a zone {domain} already")
        id = self._state.new_id("Z")
        zone = self._state.zones.add(id, Zone(id, domain, type, ttl))
        for kind, data in ((RecordType.SOA, _SOA), *((RecordType.NS, one) for one in _SERVERS)):
            record_id = self._state.new_id("rec-")
            record = Record(record_id, None, kind, data, zone, extra={"own": True})
            self._state.records.add(_key(id, record_id), record)
        return zone

    def _records_of(self, zone_id: str) -> list[Record]:
        return [one for one in self._state.records.items() if one.zone.id == zone_id]

    def _own_record(self, record: Record) -> Record:
        """Return a record of the account, as it is kept.

        Raises:
            ConflictError: It is one that its zone was made with.
        """
        self._state.zones.get(record.zone.id)
        found = self._state.records.get(_key(record.zone.id, record.id))
        if _is_own(found):
            raise ConflictError(f"the zone's own {found.type} record stays as it is")
        return found

    def _check_neighbours(self, record: Record) -> None:
        """Refuse a record that cannot stand beside those of its name (RFC 1034, section 3.6.2)."""
        for other in self._records_of(record.zone.id):
            if other.id == record.id or _lower(other.name) != _lower(record.name):
                continue
            if _facts(other) == _facts(record):
                raise RecordAlreadyExistsError(f"there is this {record.type} record already")
            if RecordType.CNAME in (other.type, record.type):
                raise ConflictError(
                    f"a CNAME record is alone at its name; {record.name or record.zone.domain} "
                    f"has a record of type {other.type}"
                )


def _key(zone_id: str, record_id: str) -> str:
    return f"{zone_id}/{record_id}"


def _is_own(record: Record) -> bool:
    """Whether a zone was made with a record."""
    return bool(record.extra.get("own"))


def _lower(name: str | None) -> str:
    return (name or "").lower()


def _facts(record: Record) -> tuple[object, ...]:
    numbers = tuple(record.extra.get(name) for name in _NUMBERS.get(record.type, ()))
    return (record.type, record.data, *numbers)


def _check_zone(domain: str, type: str, ttl: int | None) -> None:
    _check_domain(domain)
    _check_ttl(ttl)
    if type not in _TYPES:
        raise InvalidRequestError(f"a zone is of type {' or '.join(_TYPES)}, not {type!r}")


def _check_domain(name: str) -> None:
    try:
        read_name(name)
    except ValueError as error:
        raise InvalidRequestError(f"this is no name in DNS: {error}") from None


def _check_ttl(ttl: Any) -> None:
    if ttl is not None and not (isinstance(ttl, int) and 0 < ttl <= _LONGEST_TTL):
        raise InvalidRequestError(f"a TTL is 1 to {_LONGEST_TTL} seconds, not {ttl!r}")


def _record(
    id: str, zone: Zone, name: str | None, type: RecordType, data: str, extra: Mapping[str, Any]
) -> Record:
    """Make a record of what is right; what `extra` holds besides is passed over."""
    _check_domain(f"{name}.{zone.domain}" if name else zone.domain)
    if type is RecordType.CNAME and not name:
        raise InvalidRequestError("a zone itself has no CNAME record: it has others")
    _check_data(type, data)
    ttl = extra.get("ttl")
    _check_ttl(ttl)
    kept: dict[str, Any] = {} if ttl is None else {"ttl": ttl}
    for key in _NUMBERS.get(type, ()):
        kept[key] = _number(type, key, extra.get(key))
    return Record(id, name or None, type, data, zone, ttl, kept)


def _check_data(type: RecordType, data: str) -> None:
    if not 0 < len(data) <= _LONGEST_DATA:
        raise InvalidRequestError(f"a record's value has 1 to {_LONGEST_DATA} characters")
    read = _ADDRESSES.get(type)
    if read is not None:
        try:
            read(data)
        except ValueError as error:
            raise InvalidRequestError(f"the value of a record of type {type}: {error}") from None


def _number(type: RecordType, key: str, value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
        raise InvalidRequestError(
            f"a record of type {type} needs {key} in extra, 0 to {_LARGEST_NUMBER}, not {value!r}"
        )
    return value
