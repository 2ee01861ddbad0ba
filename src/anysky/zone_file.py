"""Write a DNS zone as BIND reads it (RFC 1035, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from .model.dns import Record, RecordType, Zone

__all__ = ["zone_file"]

_TARGETS = frozenset({"ALIAS", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV"})


def zone_file(zone: Zone, records: Sequence[Record]) -> str:
    """Return the text of a zone file with these records.

    Records of types that only some providers have (ALIAS, GEO, REDIRECT, URL) stand in it as
    comments, since no name server reads them.
    """
    lines = [
        f"; Zone {zone.domain}, written by anysky on {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"$ORIGIN {zone.domain}.",
        *([f"$TTL {zone.ttl}"] if zone.ttl else []),
        "",
        *(_line(zone, record) for record in sorted(records, key=_order)),
    ]
    return "\n".join(lines) + "\n"


def _order(record: Record) -> tuple[bool, str, str, str]:
    return (record.type is not RecordType.SOA, record.name or "", record.type, record.data)


def _line(zone: Zone, record: Record) -> str:
    name = f"{record.name}.{zone.domain}." if record.name else f"{zone.domain}."
    ttl = str(record.ttl) if record.ttl else ""
    line = "\t".join(part for part in (name, ttl, "IN", record.type, _data(record)) if part)
    return f"; {line}" if record.type in _OWN_TYPES else line


_OWN_TYPES = frozenset({"ALIAS", "GEO", "REDIRECT", "URL"})


def _data(record: Record) -> str:
    """Return a value with its numbers in front, a dot after host names, and quotes round text."""
    data = record.data.replace("\r", "").replace("\n", " ")
    if record.type in ("TXT", "SPF") and not data.startswith('"'):
        data = _quoted(data)
    if record.type in _TARGETS and " " not in data and "." in data and not data.endswith("."):
        data += "."
    numbers = [
        str(record.extra[key]) for key in ("priority", "weight", "port") if _has(record, key)
    ]
    return " ".join([*numbers, data])


def _has(record: Record, key: str) -> bool:
    """Whether a number that belongs before the value is kept beside it."""
    if record.extra.get(key) is None or " " in record.data:
        return False
    return record.type == "SRV" or (record.type == "MX" and key == "priority")


def _quoted(text: str) -> str:
    """Quote a text in strings of 255 bytes at the most."""
    escaped = [character if character not in '\\"' else f"\\{character}" for character in text]
    pieces = [escaped[start : start + 255] for start in range(0, len(escaped), 255)] or [[]]
    return " ".join('"' + "".join(piece) + '"' for piece in pieces)
