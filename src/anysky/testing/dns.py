"""Cases of DNS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.errors import (
    InvalidRequestError,
    RecordDoesNotExistError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)
from anysky.model.dns import RecordType

from .case import case
from .trial import Trial, check, equal, only

__all__: list[str] = []

ZONES = ("create_zone", "list_zones", "get_zone", "delete_zone")
RECORDS = (*ZONES, "create_record", "list_records", "delete_record")

_TTL = {"ttl": 3600}
_TARGET = "target.example.net."
_VALUES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "A": ("192.0.2.1", {}),
    "AAAA": ("2001:db8::1", {}),
    "AFSDB": (f"1 {_TARGET}", {}),
    "CAA": ('0 issue "ca.example.net"', {}),
    "CNAME": (_TARGET, {}),
    "DNAME": (_TARGET, {}),
    "DS": ("60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", {}),
    "HINFO": ('"VAX-11/780" "UNIX"', {}),
    "HTTPS": ('1 . alpn="h2"', {}),
    "LOC": ("52 14 05 N 00 08 50 E 10m", {}),
    "MX": (_TARGET, {"priority": 10}),
    "NAPTR": (f'100 50 "s" "z3950+I2L+I2C" "" {_TARGET}', {}),
    "NS": (_TARGET, {}),
    "PTR": (_TARGET, {}),
    "RP": (f"mailbox.example.net. {_TARGET}", {}),
    "SPF": ("v=spf1 -all", {}),
    "SRV": (_TARGET, {"priority": 10, "weight": 20, "port": 5060}),
    "SSHFP": ("2 1 123456789abcdef67890123456789abcdef67890", {}),
    "SVCB": (f"1 {_TARGET}", {}),
    "TLSA": ("3 1 1 " + "5c" * 32, {}),
    "TXT": ("v=test; a text with spaces", {}),
}
_SET_BY_THE_PROVIDER = {RecordType.SOA}


@case(*ZONES)
async def zone_life(trial: Trial) -> None:
    """A zone is made, got, listed, and deleted."""
    name = _domain(trial)
    zone = await trial.keep(trial.driver.create_zone(f"{name}."))
    equal((zone.domain, zone.type), (name, "master"), "domain and type of the zone")

    got = await trial.do(trial.driver.get_zone(zone.id))
    equal((got.id, got.domain), (zone.id, name), "id and domain of the zone")
    listed = [one.id for one in await trial.do(trial.driver.list_zones()) if one.domain == name]
    equal(listed, [zone.id], "ids of zones of this domain")

    await trial.drop(zone)
    await trial.fails(ZoneDoesNotExistError, lambda: trial.driver.get_zone(zone.id))
    await trial.fails(ZoneDoesNotExistError, lambda: trial.driver.list_records(zone))
    await trial.fails(ZoneDoesNotExistError, lambda: trial.driver.delete_zone(zone))


@case(*ZONES)
async def zones_of_one_domain_are_kept_apart(trial: Trial) -> None:
    """A second zone of a domain is refused, or is another zone."""
    zone = await _zone(trial)
    try:
        second = await trial.keep(trial.driver.create_zone(zone.domain))
    except ZoneAlreadyExistsError as error:
        trial.shown.append(str(error))
    else:
        check(second.id != zone.id, "two zones should have different ids")
        await trial.drop(second)
    equal((await trial.do(trial.driver.get_zone(zone.id))).id, zone.id, "id of the first zone")


@case(*RECORDS)
async def record_life(trial: Trial) -> None:
    """A record is made, listed with its zone, and deleted; the zone's others stay."""
    zone = await _zone(trial)
    before = await trial.do(zone.list_records())
    record = await trial.do(zone.create_record("www", RecordType.A, "192.0.2.1", _TTL))
    facts = (record.name, record.type, record.data, record.ttl)
    equal(facts, ("www", RecordType.A, "192.0.2.1", 3600), "name, type, value, TTL")
    equal(record.zone.id, zone.id, "zone of the record")
    check(record.zone.driver is trial.driver, "the record's zone should be bound")

    equal(_facts(await trial.do(zone.list_records())), _facts([*before, record]), "records")
    if trial.driver.supports("get_record"):
        got = await trial.do(trial.driver.get_record(zone.id, record.id))
        equal(_facts([got]), _facts([record]), "the record, got by its id")

    await trial.drop(record)
    equal(_facts(await trial.do(zone.list_records())), _facts(before), "records after deleting")


@case(*RECORDS, "get_record")
async def record_errors(trial: Trial) -> None:
    """A record that is gone has an error of its own."""
    zone = await _zone(trial)
    record = await trial.do(zone.create_record("www", "A", "192.0.2.1", _TTL))
    await trial.drop(record)

    get = trial.driver.get_record
    await trial.fails(RecordDoesNotExistError, lambda: get(zone.id, record.id))
    await trial.fails(RecordDoesNotExistError, lambda: trial.driver.delete_record(record))


@case(*RECORDS)
async def each_type(trial: Trial) -> None:
    """Values of every type that the provider takes come back as they were given."""
    zone = await _zone(trial)
    values = {**_VALUES, **trial.setup.records}
    types = [kind for kind in trial.driver.list_record_types() if kind not in _SET_BY_THE_PROVIDER]
    equal([kind for kind in types if kind not in values], [], "types without a value to try")

    for kind in types:
        data, extra = values[kind]
        name = f"_sip._tcp.{kind.lower()}" if kind == RecordType.SRV else f"type-{kind.lower()}"
        await trial.do(zone.create_record(name, kind, data, {**_TTL, **extra}))
        listed = [one for one in await trial.do(zone.list_records()) if one.name == name]
        record = only(listed, f"{kind} records of the name {name}")
        equal(
            (record.type, _value(record.data)), (kind, _value(data)), f"value of the {kind} record"
        )
        kept = {key: record.extra.get(key) for key in extra}
        equal(kept, dict(extra), f"extra of the {kind} record")
        await trial.drop(record)


@case(*RECORDS)
async def unknown_types_send_nothing(trial: Trial) -> None:
    """A type that does not exist is refused before anything is sent."""
    zone = await _zone(trial)

    await trial.silent(
        InvalidRequestError, lambda: zone.create_record("www", "NOSUCH", "x"), "create_record"
    )


@case(*RECORDS)
async def two_values_of_one_name(trial: Trial) -> None:
    """Two values of one name and type are two records, and one is deleted without the other."""
    zone = await _zone(trial)
    first = await trial.do(zone.create_record("www", "A", "192.0.2.1", _TTL))
    second = await trial.do(zone.create_record("www", "A", "192.0.2.2", _TTL))
    check(first.id != second.id, "two records should have different ids")
    equal(await _addresses(trial, zone), ["192.0.2.1", "192.0.2.2"], "values of the name")

    await trial.drop(first)
    equal(await _addresses(trial, zone), ["192.0.2.2"], "values after one was deleted")
    await trial.drop(second)
    equal(await _addresses(trial, zone), [], "values after both were deleted")


@case(*RECORDS, "update_record")
async def one_of_two_values_is_changed(trial: Trial) -> None:
    """A record is changed; another value of its name and type stays."""
    zone = await _zone(trial)
    first = await trial.do(zone.create_record("www", "A", "192.0.2.1", _TTL))
    await trial.do(zone.create_record("www", "A", "192.0.2.2", _TTL))

    changed = await trial.do(first.update(data="192.0.2.3"))

    equal((changed.name, changed.data, changed.ttl), ("www", "192.0.2.3", 3600), "the record")
    equal(await _addresses(trial, zone), ["192.0.2.2", "192.0.2.3"], "values of the name")
    await trial.drop(changed)
    equal(await _addresses(trial, zone), ["192.0.2.2"], "values after deleting the changed one")
    await _empty(trial, zone)


@case(*RECORDS, "update_record")
async def time_to_live_is_changed(trial: Trial) -> None:
    """A record gets another TTL and keeps its value."""
    zone = await _zone(trial)
    record = await trial.do(zone.create_record("www", "A", "192.0.2.1", _TTL))

    changed = await trial.do(record.update(extra={"ttl": 7200}))

    equal((changed.data, changed.ttl), ("192.0.2.1", 7200), "value and TTL of the record")
    listed = [one for one in await trial.do(zone.list_records()) if one.name == "www"]
    equal([one.ttl for one in listed], [7200], "TTLs in the list")
    await _empty(trial, zone)


@case(*RECORDS)
async def records_of_the_zone_itself(trial: Trial) -> None:
    """A record without a name belongs to the zone itself."""
    zone = await _zone(trial)
    for name in (None, ""):
        record = await trial.do(zone.create_record(name, "TXT", "apex", _TTL))
        check(not record.name, f"{record!r} should have no name")
        texts = [one for one in await trial.do(zone.list_records()) if one.type == RecordType.TXT]
        check(not only(texts, "TXT records").name, "the listed record should have no name")
        await trial.drop(record)


@case(*RECORDS)
async def zone_file(trial: Trial) -> None:
    """A zone is exported as a zone file."""
    zone = await _zone(trial)
    await trial.do(zone.create_record("www", "A", "192.0.2.1", _TTL))

    lines = (await trial.do(zone.export_to_bind_format())).splitlines()

    words = [line.split() for line in lines]
    check(["$ORIGIN", f"{zone.domain}."] in words, "the file should name its origin")
    addresses = [line for line in words if "192.0.2.1" in line]
    fields = only(addresses, "lines of the record")
    check(fields[0] in ("www", f"www.{zone.domain}."), f"{fields} should begin with the name")
    equal(fields[-4:], ["3600", "IN", "A", "192.0.2.1"], "TTL, class, type, value")
    await _empty(trial, zone)


async def _zone(trial: Trial) -> Any:
    """Make a zone, which is deleted when the case is over; it must be empty by then."""
    return await trial.keep(trial.driver.create_zone(_domain(trial)))


def _domain(trial: Trial) -> str:
    return f"{trial.name('zone')}.{trial.setup.domain}"


async def _empty(trial: Trial, zone: Any) -> None:
    """Delete what a case has left in a zone, since some providers delete only empty ones."""
    for record in await trial.do(zone.list_records()):
        if record.name == "www":
            await trial.drop(record)


async def _addresses(trial: Trial, zone: Any) -> list[str]:
    records = await trial.do(zone.list_records())
    found = [one for one in records if one.name == "www"]
    check(all(one.type == RecordType.A for one in found), f"{found} should be A records")
    return sorted(one.data for one in found)


def _facts(records: list[Any]) -> list[tuple[object, ...]]:
    """Return what counts of records, in an order of its own."""
    return sorted((one.id, one.name or "", str(one.type), one.data) for one in records)


def _value(data: str) -> str:
    """Write a value so that it is equal whether its host name ends in a dot or not."""
    return data.removesuffix(".").lower()
