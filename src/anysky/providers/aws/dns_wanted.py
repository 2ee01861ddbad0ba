"""What the arguments of an operation ask for, as a record set of Route 53."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, cast

from anysky.errors import InvalidRequestError
from anysky.model.dns import Record, RecordType, Zone

from .dns_sets import SetKey, Wanted, split_id
from .dns_values import full_name, write_value

__all__ = ["value_of", "wanted_instead", "wanted_set"]

_MAX_TTL = 2**31 - 1
_ROUTING = (
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
)
_ALIAS = ("HostedZoneId", "DNSName", "EvaluateTargetHealth")
_NUMBERS = ("priority", "weight", "port")


def wanted_set(
    zone: Zone, name: str | None, type: RecordType, data: list[str], extra: Mapping[str, Any]
) -> Wanted:
    """Return what a new record asks for.

    Args:
        zone: The zone.
        name: Name below it.
        type: The type.
        data: The values; for an alias the one name that it stands for.
        extra: ``ttl``, ``priority``, ``weight``, ``port``, ``alias_target``, ``routing``.

    Raises:
        InvalidRequestError: Something of it is wrong.
    """
    routing = _mapping(extra, "routing", _ROUTING)
    alias = _mapping(extra, "alias_target", _ALIAS)
    identifier: str | None = routing.get("SetIdentifier")
    key = SetKey(full_name(name, zone.domain), type.value, identifier)
    if extra.get("alias_target") is not None:
        return Wanted(key, (), _alias(zone, data[0], alias), None, routing)
    values = tuple(write_value(type, one, extra) for one in data)
    if not values or len({*values}) < len(values):
        raise InvalidRequestError("a record needs values, each once")
    return Wanted(key, values, None, _ttl(extra), routing)


def wanted_instead(
    record: Record, name: str | None, type: RecordType, data: str, extra: Mapping[str, Any]
) -> Wanted:
    """Return what an update asks for: what is not given stays as the record has it.

    Raises:
        InvalidRequestError: Something of it is wrong.
    """
    kept: dict[str, Any] = {}
    if type == record.type:
        kept = {key: record.extra[key] for key in _NUMBERS if key in record.extra}
    if record.extra.get("alias_target") is not None:
        old = cast("Mapping[str, Any]", record.extra["alias_target"])
        kept["alias_target"] = {key: one for key, one in old.items() if key != "DNSName"}
    identifier = split_id(record.id)[2]
    if identifier is not None:
        kept["routing"] = {"SetIdentifier": identifier}
    given = dict(extra)
    if isinstance(given.get("routing"), Mapping):
        given["routing"] = {**kept.get("routing", {}), **given["routing"]}
    return wanted_set(record.zone, name, type, [data], {**kept, **given})


def value_of(record: Record) -> str | None:
    """Return the value of Route 53 that a record stands for; None for an alias.

    Raises:
        InvalidRequestError: The record has no data that could be one.
    """
    if record.extra.get("alias_target") is not None:
        return None
    value = split_id(record.id)[3] or record.extra.get("value")
    return value or write_value(record.type, record.data, record.extra)


def _alias(zone: Zone, data: str, alias: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole ``AliasTarget``: by default in the same zone, whatever its health."""
    return {
        "HostedZoneId": alias.get("HostedZoneId", zone.id),
        "DNSName": full_name(f"{data.rstrip('.')}.", ""),
        "EvaluateTargetHealth": alias.get("EvaluateTargetHealth", False),
    }


def _mapping(extra: Mapping[str, Any], name: str, known: tuple[str, ...]) -> dict[str, Any]:
    given = extra.get(name)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidRequestError(f"extra[{name!r}] holds elements by name, as {known[0]!r}")
    elements = dict(cast("Mapping[str, Any]", given))
    for key in elements:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
            raise InvalidRequestError(f"extra[{name!r}] has no element {key!r}{hint}")
    return elements


def _ttl(extra: Mapping[str, Any]) -> int | None:
    ttl = extra.get("ttl")
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 0 <= ttl <= _MAX_TTL:
        raise InvalidRequestError(f"a ttl is a whole number of seconds, not {ttl!r}")
    return ttl
