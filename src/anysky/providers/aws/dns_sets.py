"""Record sets of Route 53, and the records that anysky makes of them.

Route 53 keeps all values of a name and type together in a record set, which is changed only as a
whole; by its routing policies there may be several sets of a name and type, each with a set
identifier. Here each value is a record.

Sets are mappings as in Route 53's reference, ``{"Name": …, "Type": …, "TTL": …,
"ResourceRecords": [{"Value": …}]}``. Whatever is not understood in one is carried along, so that a
set is changed in what is meant and in nothing else.

Vendor's reference: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

from anysky.errors import RecordAlreadyExistsError, RecordDoesNotExistError
from anysky.model.base import lazy_extra
from anysky.model.dns import Record, RecordType, Zone
from anysky.transport.base import encode_query, quote
from anysky.wire import xml

from .dns_values import name_below, name_from_route53, read_value

__all__ = [
    "DEFAULT_TTL",
    "FoundSet",
    "RecordSet",
    "SetKey",
    "Wanted",
    "add_values",
    "changes_of",
    "drop_value",
    "extra_of",
    "key_of",
    "make_id",
    "record_of",
    "records_of",
    "replace_value",
    "routing_of",
    "same_set",
    "split_id",
    "take_values",
    "values_of",
    "wire_form",
]

RecordSet = dict[str, Any]

DEFAULT_TTL = 300

_ORDER = (
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "ContinentCode",
    "CountryCode",
    "SubdivisionCode",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "HostedZoneId",
    "DNSName",
    "EvaluateTargetHealth",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "CollectionId",
    "LocationName",
    "GeoProximityLocation",
    "AWSRegion",
    "LocalZoneGroup",
    "Coordinates",
    "Latitude",
    "Longitude",
    "Bias",
)
_NOT_ROUTING = frozenset({"Name", "Type", "TTL", "ResourceRecords", "AliasTarget"})
_LISTS = frozenset({"ResourceRecord"})
_WHOLE_NUMBERS = frozenset({"Bias", "Weight"})
_BOOLEANS = {"true": True, "false": False}
_ONE_VALUE = frozenset({"CNAME", "SOA"})


class FoundSet(xml.Record):
    """A record set in an answer."""

    name: str = xml.required("Name")
    type: str = xml.required("Type")
    identifier: str | None = xml.text("SetIdentifier")
    ttl: int | None = xml.integer("TTL")
    values: list[str] = xml.texts("ResourceRecords/ResourceRecord/Value")
    alias: str | None = xml.text("AliasTarget/DNSName")
    raw: bytes = xml.source()

    def as_set(self) -> RecordSet:
        """Return all of it."""
        return xml.parse(self.raw).to_dict(_LISTS)


class SetKey(NamedTuple):
    """What tells one record set from another: full name as Route 53 writes it, type, identifier."""

    name: str
    type: str
    identifier: str | None


def key_of(found: RecordSet) -> SetKey:
    """Return the key of a set."""
    return SetKey(found["Name"], found["Type"], found.get("SetIdentifier"))


def values_of(found: RecordSet) -> list[str]:
    """Return the values of a set; none if it is an alias."""
    return [one["Value"] for one in found.get("ResourceRecords", ())]


def same_set(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether two sets, or no set, are the same, in whatever order their values are."""
    return bool(_comparable(one) == _comparable(other))


def _comparable(found: RecordSet | None) -> Any:
    if found is None:
        return None
    texts = _as_text({key: found[key] for key in found if key not in ("Name", "ResourceRecords")})
    return name_from_route53(found["Name"]), texts, sorted(values_of(found))


def _as_text(value: Any) -> Any:
    """Write numbers and truth values as they stand in an answer."""
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, Any]", value)
        return {key: _as_text(one) for key, one in inner.items() if one is not None}
    return str(value).lower() if isinstance(value, bool) else str(value)


def wire_form(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a set as its document has it: elements in the order that Route 53 insists on."""
    ordered = {name: found[name] for name in sorted(found, key=_place)}
    for name, value in ordered.items():
        if name == "ResourceRecords":
            ordered[name] = {"ResourceRecord": value}
        elif isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            ordered[name] = wire_form(inner)
    return ordered


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


# -- records and their ids -----------------------------------------------------------------------


def make_id(
    type: str, name: str | None, identifier: str | None = None, value: str | None = None
) -> str:
    """Return the id of a record.

    ``A:www`` is the only value of its set; ``A:www?value=192.0.2.1`` is one of several,
    ``A:www?set=west`` belongs to the set with this identifier. All parts are percent-encoded.
    """
    parts = [("set", identifier), ("value", value)]
    query = encode_query([(key, text) for key, text in parts if text is not None])
    own = quote(name or "", safe="*@/:\\")
    return f"{type}:{own}?{query}" if query else f"{type}:{own}"


def split_id(record_id: str) -> tuple[str, str | None, str | None, str | None]:
    """Return type, name, set identifier and value from a record's id.

    Raises:
        RecordDoesNotExistError: It is not an id that `make_id` makes.
    """
    path, _, query = record_id.partition("?")
    type, colon, name = path.partition(":")
    try:
        parts = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        parts = {"?": ""}
    if not colon or not parts.keys() <= {"set", "value"} or type not in RecordType.__members__:
        raise RecordDoesNotExistError(
            f"{record_id[:200]!r} is no id of a record; one is, for example, 'A:www'"
        )
    return type, unquote(name) or None, parts.get("set"), parts.get("value")


def records_of(zone: Zone, found: FoundSet) -> Iterator[Record]:
    """Make a record of each value of a set, or one of an alias."""
    key = SetKey(found.name, found.type, found.identifier)
    if found.alias is not None:
        yield _record(zone, key, None, found.alias, None, _lazily(found, None))
    for value in found.values:
        own = value if len(found.values) > 1 else None
        yield _record(zone, key, own, value, found.ttl, _lazily(found, value))


def record_of(zone: Zone, changed: RecordSet, value: str | None, more: Mapping[str, Any]) -> Record:
    """Make the record of one value, or of the alias, of a set that has just been changed."""
    extra = {**extra_of(changed, value), **more}
    if value is None:
        return _record(zone, key_of(changed), None, changed["AliasTarget"]["DNSName"], None, extra)
    own = value if len(values_of(changed)) > 1 else None
    return _record(zone, key_of(changed), own, value, int(changed["TTL"]), extra)


def _record(
    zone: Zone, key: SetKey, own: str | None, value: str, ttl: int | None, extra: dict[str, Any]
) -> Record:
    """Make a record; `own` is the value where the id needs it, no `ttl` means an alias."""
    name = name_below(key.name, zone.domain)
    data = name_from_route53(value) if ttl is None else read_value(key.type, value)[0]
    id = make_id(key.type, name, key.identifier, own)
    return Record(id, name, RecordType(key.type), data, zone, ttl, extra)


def _lazily(found: FoundSet, value: str | None) -> dict[str, Any]:
    return lazy_extra(partial(_decode_extra, found.raw, value))


def _decode_extra(raw: bytes, value: str | None) -> dict[str, Any]:
    return extra_of(xml.parse(raw).to_dict(_LISTS), value)


def extra_of(found: RecordSet, value: str | None) -> dict[str, Any]:
    """Return what the record of a value, or of the alias, of a set has in `extra`."""
    extra: dict[str, Any] = {}
    if value is not None:
        extra = {"ttl": int(found["TTL"]), **read_value(found["Type"], value)[1], "value": value}
    if "AliasTarget" in found:
        extra["alias_target"] = _plain(found["AliasTarget"])
    routing = _plain(routing_of(found))
    return {**extra, "routing": routing} if routing else extra


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the texts of an answer into truth values and whole numbers, where they are such."""
    plain: dict[str, Any] = {}
    for key, one in value.items():
        if isinstance(one, Mapping):
            inner = cast("Mapping[str, Any]", one)
            plain[key] = _plain(inner)
        else:
            plain[key] = int(one) if key in _WHOLE_NUMBERS else _BOOLEANS.get(one, one)
    return plain


# -- changes of a set ----------------------------------------------------------------------------


class Wanted(NamedTuple):
    """What a record set shall hold.

    Attributes:
        key: Which set.
        values: The values; none for an alias.
        alias: The ``AliasTarget``.
        ttl: Seconds; None for what the set has, or 300.
        routing: Its other elements, as far as they are given.
    """

    key: SetKey
    values: tuple[str, ...]
    alias: Mapping[str, Any] | None
    ttl: int | None
    routing: Mapping[str, Any]

    @property
    def target(self) -> str | None:
        """The name that an alias stands for."""
        return None if self.alias is None else str(self.alias["DNSName"])

    @property
    def sets_more(self) -> bool:
        """Whether it changes more of a set that exists than its values."""
        return self.ttl is not None or any(name != "SetIdentifier" for name in self.routing)


def add_values(old: RecordSet | None, wanted: Wanted) -> RecordSet:
    """Return a set with further values, or a new one.

    Raises:
        RecordAlreadyExistsError: It has one of the values, or its type or an alias allows no more.
    """
    if old is None:
        return _new_set(wanted)
    held = values_of(old)
    if not held or wanted.alias or wanted.key.type in _ONE_VALUE or {*held} & {*wanted.values}:
        raise RecordAlreadyExistsError(f"there is {_shown(wanted.key)} already")
    ttl = {} if wanted.ttl is None else {"TTL": wanted.ttl}
    return {**old, **wanted.routing, **ttl, **_held([*held, *wanted.values])}


def drop_value(old: RecordSet | None, key: SetKey, value: str | None) -> RecordSet | None:
    """Return a set without a value; None if it was the last, or for an alias (value None).

    Raises:
        RecordDoesNotExistError: It does not hold the value.
    """
    left = [one for one in values_of(_holding(old, key, value)) if one != value]
    return {**(old or {}), **_held(left)} if left else None


def changes_of(old: RecordSet | None, wanted: Wanted) -> dict[str, list[Any]]:
    """Return what adding values changes besides: before and after, by the element's name."""
    if old is None:
        return {}
    ttl = {} if wanted.ttl is None else {"TTL": wanted.ttl}
    after = {**wanted.routing, **ttl}
    return {name: [old.get(name), after[name]] for name in after}


def take_values(
    old: RecordSet | None, values: Sequence[str], changed: Mapping[str, Sequence[Any]]
) -> RecordSet | None:
    """Return a set without values that were added to it, as it was before; None if it was new.

    What somebody else has changed since stays.

    Args:
        old: The set.
        values: The values; none of an alias.
        changed: What `changes_of` returned.
    """
    left = [one for one in values_of(old or {}) if one not in values]
    if old is None or not left:
        return None
    restored = {**old, **_held(left)}
    for name, (before, after) in changed.items():
        if _as_text(old.get(name)) == _as_text(after):
            restored[name] = before
    return {name: one for name, one in restored.items() if one is not None}


def replace_value(old: RecordSet | None, value: str | None, wanted: Wanted) -> RecordSet:
    """Return a set with one value in place of another, and otherwise as it is wanted.

    Raises:
        RecordDoesNotExistError: It does not hold the value.
        RecordAlreadyExistsError: It holds the new value as well as the old one.
    """
    found = _holding(old, wanted.key, value)
    others = [one for one in values_of(found) if one != value]
    if {*others} & {*wanted.values} or (others and wanted.alias):
        raise RecordAlreadyExistsError(f"{_shown(wanted.key)} has further values")
    filled = _new_set(wanted, int(found.get("TTL", DEFAULT_TTL)))
    if wanted.values and value is not None:
        new = wanted.values[0]
        filled.update(_held([new if one == value else one for one in values_of(found)]))
    return {**filled, **routing_of(found), **wanted.routing}


def routing_of(found: RecordSet | None) -> dict[str, Any]:
    """Return what a set has besides name, type and values."""
    if found is None:
        return {}
    return {key: found[key] for key in found if key not in _NOT_ROUTING}


def _new_set(wanted: Wanted, ttl: int = DEFAULT_TTL) -> RecordSet:
    name, type, identifier = wanted.key
    routing = dict(wanted.routing)
    if identifier is not None:
        routing["SetIdentifier"] = identifier
    if wanted.alias:
        return {"Name": name, "Type": type, **routing, "AliasTarget": dict(wanted.alias)}
    ttl = ttl if wanted.ttl is None else wanted.ttl
    return {"Name": name, "Type": type, **routing, "TTL": ttl, **_held(wanted.values)}


def _held(values: Iterable[str]) -> RecordSet:
    return {"ResourceRecords": [{"Value": value} for value in values]}


def _holding(old: RecordSet | None, key: SetKey, value: str | None) -> RecordSet:
    """Return the set if it holds a value, or if it is an alias and that is meant by None."""
    if old is None or not ("AliasTarget" in old if value is None else value in values_of(old)):
        raise RecordDoesNotExistError(f"{_shown(key)} does not exist any more, or not so")
    return old


def _shown(key: SetKey) -> str:
    name = f"{key.type} {name_from_route53(key.name)}"
    return f"{name} (set {key.identifier})" if key.identifier else name
