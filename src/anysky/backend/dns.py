"""The contract of the DNS service: zones and records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from anysky.model.dns import Record, RecordType, Zone
from anysky.paging import Page
from anysky.waiting import all_pages

from .base import Backend, Effect

__all__ = ["DNSBackend"]


class DNSBackend(Backend):
    """What a DNS provider implements.

    `extra` holds what the caller gives beside the standard arguments. Options that `options` lists
    for an operation are in it; other keys that begin with ``ex_`` were refused before. What a
    backend does not know it passes over: a caller may hand over the `extra` of another provider's
    record. For `delete_zone` and `delete_record`, the options that a backend lists are keyword
    arguments that it adds.

    Attributes:
        RECORD_TYPE_MAP: Types of records that the provider takes, with its own names for them.
    """

    kind = "dns"

    driver_attributes = ("RECORD_TYPE_MAP",)
    RECORD_TYPE_MAP: ClassVar[Mapping[RecordType, str]] = {}
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_zone": Effect("delete_zone", named="_zones_named"),
        "create_record": Effect("delete_record", named="_records_like"),
    }

    async def list_zones(self, cursor: str | None) -> Page[Zone]:
        """Return a page of zones."""
        raise self._unsupported("list_zones")

    async def get_zone(self, zone_id: str) -> Zone:
        """Return one zone.

        Raises:
            ZoneDoesNotExistError: There is no such zone.
        """
        raise self._unsupported("get_zone")

    async def create_zone(
        self, domain: str, type: str, ttl: int | None, extra: Mapping[str, Any]
    ) -> Zone:
        """Make a zone.

        Raises:
            ZoneAlreadyExistsError: There is one of this name.
        """
        raise self._unsupported("create_zone")

    async def update_zone(
        self, zone: Zone, domain: str, type: str, ttl: int | None, extra: Mapping[str, Any]
    ) -> Zone:
        """Change a zone and return it as it is then.

        Raises:
            UnsupportedOperationError: What differs cannot be changed; nothing was sent.
        """
        raise self._unsupported("update_zone")

    async def delete_zone(self, zone: Zone) -> None:
        """Delete a zone.

        Raises:
            ZoneDoesNotExistError: There is no such zone.
            ConflictError: It has records, and the provider refuses then.
        """
        raise self._unsupported("delete_zone")

    async def list_records(self, zone: Zone, cursor: str | None) -> Page[Record]:
        """Return a page of a zone's records; one that holds many values comes as many records."""
        raise self._unsupported("list_records")

    async def get_record(self, zone_id: str, record_id: str) -> Record:
        """Return one record.

        Raises:
            RecordDoesNotExistError: There is no such record.
        """
        raise self._unsupported("get_record")

    async def create_record(
        self, name: str | None, zone: Zone, type: RecordType, data: str, extra: Mapping[str, Any]
    ) -> Record:
        """Make a record; other values of the same name and type stay.

        Args:
            name: Its name below the zone; None for the zone itself.
            zone: The zone.
            type: One of `RECORD_TYPE_MAP`.
            data: As in `Record.data`.
            extra: ``ttl``, ``priority``, ``weight``, ``port`` and what only this provider has.

        Raises:
            RecordAlreadyExistsError: There is exactly this record.
            InvalidRequestError: The data or something in `extra` is wrong.
        """
        raise self._unsupported("create_record")

    async def update_record(
        self,
        record: Record,
        name: str | None,
        type: RecordType,
        data: str,
        extra: Mapping[str, Any],
    ) -> Record:
        """Change a record and return it as it is then; see `create_record` for the arguments.

        What `extra` does not hold stays; so do other values of the same name and type.

        Raises:
            RecordDoesNotExistError: There is no such record.
            InvalidRequestError: The data or something in `extra` is wrong.
        """
        raise self._unsupported("update_record")

    async def delete_record(self, record: Record) -> None:
        """Delete a record; other values of the same name and type stay.

        Raises:
            RecordDoesNotExistError: There is no such record.
        """
        raise self._unsupported("delete_record")

    async def _zones_named(self, domain: str) -> list[Zone]:
        zones = await all_pages(self.list_zones, self.connection.limits)
        return [zone for zone in zones if zone.domain == domain]

    async def _records_like(
        self, name: str | None, zone: Zone, type: RecordType, data: str
    ) -> list[Record]:
        records = await all_pages(
            lambda cursor: self.list_records(zone, cursor), self.connection.limits
        )
        wanted = (name or "", type, _comparable(data))
        return [
            one for one in records if (one.name or "", one.type, _comparable(one.data)) == wanted
        ]


def _comparable(data: str) -> str:
    """Return a record's value so that two ways to write the name of a host are equal."""
    return data.rstrip(".").lower()
