"""Write a DNS zone as BIND reads it (RFC 1035, section 5.1)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from .errors import InvalidRequestError
from .model.dns import Record, RecordType, Zone
from .wire.dns_text import read_name, read_strings, split_text, write_name, write_strings

__all__ = ["zone_file"]

_DEFAULT_TTL = 3600
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "MX": ("priority",),
    "SRV": ("priority", "weight", "port"),
}
# Where in the value the names of hosts stand.
_HOSTS: Mapping[str, tuple[int, ...]] = {
    "AFSDB": (1,),
    "CNAME": (0,),
    "DNAME": (0,),
    "HTTPS": (1,),
    "MX": (1,),
    "NAPTR": (5,),
    "NS": (0,),
    "PTR": (0,),
    "RP": (0, 1),
    "SOA": (0, 1),
    "SRV": (3,),
    "SVCB": (1,),
}
_TEXTS = frozenset({"SPF", "TXT"})
_OWN_TYPES = frozenset({"ALIAS", "GEO", "REDIRECT", "URL"})
_WORD = r'(?:"(?:[^"\\]|\\.)*+"|[^\s"();\\]|\\.)++'
_WORDS = re.compile(rf"{_WORD}(?: ++{_WORD})*+")
_FIRST_WORD = re.compile(_WORD)
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def zone_file(zone: Zone, records: Iterable[Record]) -> str:
    """Return the text of a zone file with these records.

    Records that no name server would read stand in it as comments: those of types that only some
    providers have (ALIAS, GEO, REDIRECT, URL), those whose answers the provider takes from
    elsewhere (with ``alias_target`` in `extra`), and those whose value cannot be one of their type.
    Where the provider answers with one of several sets of values, all of them stand in it.

    Raises:
        InvalidRequestError: The zone's name cannot be one.
    """
    ordered = sorted(records, key=_order)
    lines = dict.fromkeys(_line(zone, record) for record in ordered)
    ttl = zone.ttl
    if ttl is None and any(record.ttl is None for record in ordered):
        ttl = _DEFAULT_TTL
    head = [
        f"; Zone {_comment(zone.domain)}, written by anysky on {_now()}",
        f"$ORIGIN {_origin(zone)}.",
        *([f"$TTL {ttl}"] if ttl is not None else []),
        "",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _origin(zone: Zone) -> str:
    try:
        return _name(zone.domain)
    except ValueError as error:
        raise InvalidRequestError(f"a zone file cannot hold the zone: {error}") from error


def _order(record: Record) -> tuple[bool, str, str, str]:
    return (record.type is not RecordType.SOA, record.name or "", record.type, record.data)


def _line(zone: Zone, record: Record) -> str:
    name = f"{record.name}.{zone.domain}" if record.name else zone.domain
    ttl = "" if record.ttl is None else str(record.ttl)
    parts = (f"{name}.", ttl, "IN", record.type, record.data)
    try:
        if record.type not in _OWN_TYPES and record.extra.get("alias_target") is None:
            return _joined(f"{_name(name)}.", ttl, "IN", record.type, _data(record))
    except ValueError:
        pass
    return "; " + _joined(*map(_comment, parts))


def _joined(*parts: str) -> str:
    return "\t".join(part for part in parts if part)


def _comment(text: str) -> str:
    """Keep a text from ending the line."""
    return _BREAKS.sub(" ", text)


def _name(name: str) -> str:
    return write_name(read_name(name))


def _data(record: Record) -> str:
    """Return a value with its numbers in front, whole host names, and quotes round text.

    Raises:
        ValueError: It cannot be of this type, or would end the line before its time.
    """
    if record.type in _TEXTS:
        return _text(record.data)
    words = _words(record.data)
    if record.type in ("A", "AAAA"):
        address = ipaddress.IPv4Address if record.type == "A" else ipaddress.IPv6Address
        return str(address(record.data.strip()))
    numbers = _NUMBERS.get(record.type, ())
    if len(words) == 1:
        words = [*(str(record.extra.get(number, 0)) for number in numbers), *words]
    hosts = _HOSTS.get(record.type, ())
    return " ".join(_host(word) if at in hosts else word for at, word in enumerate(words))


def _words(data: str) -> list[str]:
    """Split a value at spaces outside quotes."""
    data = data.strip().replace("\t", " ")
    if _BREAKS.search(data) or not _WORDS.fullmatch(data):
        raise ValueError(f"not the value of a record: {data[:80]!r}")
    return _FIRST_WORD.findall(data)


def _host(name: str) -> str:
    """Write the name of a host; one with a dot in it is meant in full."""
    if name in (".", "@"):
        return name
    labels = read_name(name)
    return write_name(labels) + ("." if len(labels) > 1 or name.endswith(".") else "")


def _text(data: str) -> str:
    """Write a text in quotes, unless it stands in quotes already."""
    if data.startswith('"'):
        try:
            return write_strings(read_strings(data))
        except ValueError:
            pass
    return write_strings(split_text(data.encode("utf-8", "surrogatepass")))
