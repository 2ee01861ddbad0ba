# Made from aio/dns.py by tools/make_blocking.py; change that, run `make generate`.
"""DNS: zones and records of any provider.

Get a driver's class by the provider's name, make a driver, call it::

    driver = get_driver(Provider.ROUTE53)("AKIDEXAMPLE", "secret")
    zone = driver.create_zone("example.com")
    record = zone.create_record("www", RecordType.A, "192.0.2.1", {"ttl": 300})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from anysky.backend.dns import DNSBackend
from anysky.calling import bind
from anysky.errors import InvalidRequestError
from anysky.model import dns as model
from anysky.model.dns import RecordType
from anysky.names import DNSProvider as Provider
from anysky.registry import driver_class, register
from anysky.steps import OnPartialFailure
from anysky.zone_file import zone_file

from .driver import Driver

__all__ = ["DNSDriver", "Provider", "Record", "RecordType", "Zone", "get_driver", "set_driver"]


class Zone(model.Zone):
    """`anysky.model.dns.Zone` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: DNSDriver

    def __init__(
        self,
        id: str,
        domain: str,
        type: str,
        ttl: int | None,
        driver: DNSDriver,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(id, domain, type, ttl, extra or {})
        object.__setattr__(self, "driver", driver)

    def list_records(self) -> list[Record]:
        """Return all records of this zone."""
        return self.driver.list_records(self)

    def iterate_records(self) -> Iterator[Record]:
        """Yield the records of this zone, page by page."""
        yield from self.driver.iterate_records(self)

    def create_record(
        self,
        name: str | None,
        type: RecordType | str,
        data: str,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Record:
        """Make a record in this zone; see `DNSDriver.create_record`."""
        return self.driver.create_record(name, self, type, data, extra, **options)

    def update(
        self,
        domain: str | None = None,
        type: str | None = None,
        ttl: int | None = None,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Zone:
        """Change what is given and return the zone as it is then; see `DNSDriver.update_zone`."""
        return self.driver.update_zone(
            self,
            domain or self.domain,
            type or self.type,
            self.ttl if ttl is None else ttl,
            extra,
            **options,
        )

    def delete(self, **options: Any) -> bool:
        """Delete this zone; see `DNSDriver.delete_zone`."""
        return self.driver.delete_zone(self, **options)

    def export_to_bind_format(self) -> str:
        """Return this zone as a zone file for BIND."""
        return self.driver.export_zone_to_bind_format(self)

    def export_to_bind_zone_file(self, file_path: str) -> None:
        """Write this zone as a zone file for BIND."""
        self.driver.export_zone_to_bind_zone_file(self, file_path)


class Record(model.Record):
    """`anysky.model.dns.Record` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: DNSDriver
    zone: Zone

    def __init__(
        self,
        id: str,
        name: str | None,
        type: RecordType,
        data: str,
        zone: Zone,
        driver: DNSDriver,
        ttl: int | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(id, name, type, data, zone, ttl, extra or {})
        object.__setattr__(self, "driver", driver)

    def update(
        self,
        name: str | None = None,
        type: RecordType | str | None = None,
        data: str | None = None,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Record:
        """Change what is given and return the record; see `DNSDriver.update_record`."""
        return self.driver.update_record(
            self,
            self.name if name is None else name,
            type or self.type,
            self.data if data is None else data,
            extra,
            **options,
        )

    def delete(self, **options: Any) -> bool:
        """Delete this record; see `DNSDriver.delete_record`."""
        return self.driver.delete_record(self, **options)


class DNSDriver(Driver[DNSBackend]):
    """A provider's DNS service; see `Driver` for its arguments.

    Every method raises a `CloudError`. Each ``list_…`` returns all pages; its twin
    ``iterate_…`` fetches them as they are used.

    Attributes:
        RECORD_TYPE_MAP: Types of records that the provider takes, with its own names for them.
    """

    RECORD_TYPE_MAP: ClassVar[Mapping[RecordType, str]] = {}

    def list_record_types(self) -> list[RecordType]:
        """Return the types of records that the provider takes; nothing is sent."""
        return list(self.RECORD_TYPE_MAP)

    def list_zones(self) -> list[Zone]:
        """Return all zones of the account."""
        return self._collect(self._backend.list_zones, self._zone)

    def iterate_zones(self) -> Iterator[Zone]:
        """Yield what `list_zones` returns, page by page."""
        for item in self._walk(self._backend.list_zones):
            yield self._zone(item)

    def list_records(self, zone: model.Zone) -> list[Record]:
        """Return all records of a zone; one that holds many values comes as many records."""
        return self._collect(lambda cursor: self._backend.list_records(zone, cursor), self._record)

    def iterate_records(self, zone: model.Zone) -> Iterator[Record]:
        """Yield what `list_records` returns, page by page."""
        for item in self._walk(lambda cursor: self._backend.list_records(zone, cursor)):
            yield self._record(item)

    def get_zone(self, zone_id: str) -> Zone:
        """Return one zone.

        Raises:
            ZoneDoesNotExistError: There is no such zone.
        """
        return self._zone(self._call(self._backend.get_zone(zone_id)))

    def get_record(self, zone_id: str, record_id: str) -> Record:
        """Return one record.

        Raises:
            RecordDoesNotExistError: There is no such record.
        """
        return self._record(self._call(self._backend.get_record(zone_id, record_id)))

    def create_zone(
        self,
        domain: str,
        type: str = "master",
        ttl: int | None = None,
        extra: Mapping[str, Any] | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> Zone:
        """Make a zone.

        Args:
            domain: Its name, with or without the dot at the end.
            type: ``"master"`` or ``"slave"``.
            ttl: Seconds that its records may be cached if they say nothing else.
            extra: What only this provider has.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``; `extra` may hold them too.

        Raises:
            ZoneAlreadyExistsError: There is one of this name, at a provider that refuses a second.
            InvalidRequestError: The name cannot be one.
        """
        more = self._extra("create_zone", extra, options)
        name = _domain(domain)
        job = self._backend.create_zone(name, type, ttl, more)
        return self._zone(self._make(job, f"zone {name}", name, choice=on_partial_failure))

    def update_zone(
        self,
        zone: model.Zone,
        domain: str,
        type: str = "master",
        ttl: int | None = None,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Zone:
        """Change a zone and return it as it is then; see `create_zone` for the arguments."""
        more = self._extra("update_zone", extra, options)
        return self._zone(
            self._call(self._backend.update_zone(zone, _domain(domain), type, ttl, more))
        )

    def create_record(
        self,
        name: str | None,
        zone: model.Zone,
        type: RecordType | str,
        data: str,
        extra: Mapping[str, Any] | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
        **options: Any,
    ) -> Record:
        """Make a record; others of the same name and type stay.

        Args:
            name: Its name below the zone; None, empty or ``"@"`` for the zone itself.
            zone: The zone.
            type: Its type.
            data: Its value; see `Record.data`.
            extra: ``ttl``, ``priority``, ``weight``, ``port``, and what only this provider has.
                Keys that it does not know are passed over, so that another provider's records can
                be copied.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``; `extra` may hold them too.

        Raises:
            RecordAlreadyExistsError: There is such a record, at a provider that refuses a second.
            InvalidRequestError: The type or the value is wrong.
        """
        kind = self._record_type(type)
        more = self._extra("create_record", extra, options)
        below = _below(name)
        job = self._backend.create_record(below, zone, kind, data, more)
        what = f"record {kind} {below or '@'} in zone {zone.domain}"
        return self._record(
            self._make(job, what, below, zone, kind, data, choice=on_partial_failure)
        )

    def update_record(
        self,
        record: model.Record,
        name: str | None,
        type: RecordType | str,
        data: str,
        extra: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Record:
        """Change a record and return it as it is then; others of its name and type stay.

        What `extra` does not hold stays as it is. See `create_record` for the arguments.

        Raises:
            RecordDoesNotExistError: It does not exist any more.
            InvalidRequestError: The type or the value is wrong.
        """
        kind = self._record_type(type)
        more = self._extra("update_record", extra, options)
        return self._record(
            self._call(self._backend.update_record(record, _below(name), kind, data, more))
        )

    def delete_zone(self, zone: model.Zone, **options: Any) -> bool:
        """Delete a zone; returns True.

        Args:
            zone: The zone.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            ConflictError: It has records, at a provider that refuses then.
        """
        more = self._options("delete_zone", options)
        job = self._backend.delete_zone(zone, **more)
        self._make(job, f"deletion of zone {zone.domain}")
        return True

    def delete_record(self, record: model.Record, **options: Any) -> bool:
        """Delete a record, not others of the same name and type; returns True.

        Args:
            record: The record.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            RecordDoesNotExistError: It does not exist any more.
        """
        more = self._options("delete_record", options)
        self._call(self._backend.delete_record(record, **more))
        return True

    def export_zone_to_bind_format(self, zone: model.Zone) -> str:
        """Return a zone as a zone file for BIND."""
        return zone_file(zone, self.list_records(zone))

    def export_zone_to_bind_zone_file(self, zone: model.Zone, file_path: str) -> None:
        """Write a zone as a zone file for BIND.

        Raises:
            InvalidRequestError: The file cannot be written.
        """
        text = self.export_zone_to_bind_format(zone)
        try:
            Path(file_path).expanduser().write_text(text, encoding="utf-8")
        except OSError as error:
            raise InvalidRequestError(f"cannot write {file_path}: {error.strerror}") from error

    @classmethod
    def _operation_name(cls, operation: str) -> str:
        if operation.startswith("export_zone"):
            return "list_records"
        return super()._operation_name(operation.replace("iterate_", "list_", 1))

    def _extra(
        self, operation: str, extra: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Put together what is given beside the standard arguments, options of ours checked."""
        ours = {name: one for name, one in (extra or {}).items() if name.startswith("ex_")}
        checked = self._options(operation, {**ours, **options})
        return {**{name: one for name, one in (extra or {}).items() if name not in ours}, **checked}

    def _record_type(self, type: RecordType | str) -> RecordType:
        try:
            kind = RecordType(str(type).upper())
        except ValueError as error:
            raise InvalidRequestError(f"there is no type of DNS records {type!r}") from error
        if kind not in self.RECORD_TYPE_MAP:
            raise InvalidRequestError(f"{self.name} has no {kind} records")
        return kind

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        return {model.Zone: self._zone, model.Record: self._record}

    def _zone(self, data: model.Zone) -> Zone:
        return bind(data, Zone, self)

    def _record(self, data: model.Record) -> Record:
        bound = bind(data, Record, self)
        object.__setattr__(bound, "zone", self._zone(data.zone))
        return bound


def _domain(name: str) -> str:
    domain = name.rstrip(".")
    if not domain:
        raise InvalidRequestError(f"{name!r} is no name of a zone")
    return domain


def _below(name: str | None) -> str | None:
    """Return a name below a zone as backends take it: None for the zone itself."""
    return None if name in ("", "@") else name


def get_driver(provider: Provider | str) -> type[DNSDriver]:
    """Return the class of a provider's driver; making one of it sends nothing.

    Args:
        provider: A constant of `Provider`, or the name of any provider, plug-ins too.

    Raises:
        UnknownProviderError: There is no such provider.
    """
    return driver_class(DNSDriver, "dns", provider)


def set_driver(provider: str, module: str, klass: str) -> type[DNSDriver]:
    """Register a driver class of your own under a name, for `get_driver`.

    Args:
        provider: The new name.
        module: Module to import, with dots.
        klass: Name of a subclass of `DNSDriver` in it.

    Raises:
        UnknownProviderError: The name is taken, or there is no such class.
    """
    return register(DNSDriver, "dns", provider, module, klass)
