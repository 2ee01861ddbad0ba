r"""Names and values of records: how Route 53 writes them, and how anysky does.

Route 53 writes escapes in octal and the values of MX and SRV records with their numbers in front.
anysky writes names as zone files do, texts without quotes, and numbers in `extra`.

Vendor's references: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
and https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from anysky.errors import InvalidRequestError
from anysky.model.dns import RecordType
from anysky.wire.dns_text import (
    read_name,
    read_strings,
    split_text,
    write_name,
    write_strings,
)

__all__ = ["full_name", "name_below", "name_from_route53", "read_value", "write_value"]

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_TEXTS = frozenset({"SPF", "TXT"})
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "MX": ("priority",),
    "SRV": ("priority", "weight", "port"),
}
_ADDRESSES = {"A": ipaddress.IPv4Address, "AAAA": ipaddress.IPv6Address}
_MAX_NUMBER = 65535


def full_name(name: str | None, domain: str) -> str:
    r"""Return a name in full, as Route 53 writes it: ``\100.example.com.``.

    Args:
        name: Name below the zone; None or empty for the zone itself; with a dot at its end if it
            is given in full.
        domain: The zone's name.

    Raises:
        InvalidRequestError: It is no name, or not one within the zone.
    """
    if name and name.endswith(".") and not name.endswith("\\."):
        own, zone = _labels(name), _labels(domain)
        if own[max(len(own) - len(zone), 0) :] != zone:
            raise InvalidRequestError(f"{name} is not within the zone {domain}")
        return _route53_name(own)
    return _route53_name(_labels(f"{name}.{domain}" if name and domain else name or domain))


def _labels(name: str) -> list[bytes]:
    try:
        return [label.lower() for label in read_name(name)]
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error


def name_from_route53(name: str) -> str:
    """Return a full name that Route 53 wrote as anysky writes it, without the dot at its end.

    Raises:
        ValueError: It is no name.
    """
    return write_name(read_name(name, octal=True))


def name_below(name: str, domain: str) -> str | None:
    """Return the part of a full name, as Route 53 wrote it, that is below a zone.

    Raises:
        ValueError: It is not within the zone.
    """
    own, zone = read_name(name, octal=True), read_name(domain)
    cut = len(own) - len(zone)
    if cut < 0 or [one.lower() for one in own[cut:]] != [one.lower() for one in zone]:
        raise ValueError(f"{name!r} is not within the zone {domain!r}")
    return write_name(own[:cut]) or None


def read_value(type: str, value: str) -> tuple[str, dict[str, int]]:
    """Return the data of a value of Route 53, and the numbers that were in front of it.

    What cannot be read comes as it is.
    """
    if type in _TEXTS:
        return _read_text(value), {}
    names = _NUMBERS.get(type, ())
    parts = value.split(None, len(names))
    if not names or len(parts) <= len(names) or not all(map(_is_number, parts[:-1])):
        return value, {}
    return parts[-1], dict(zip(names, map(int, parts[:-1]), strict=True))


def write_value(type: RecordType, data: str, extra: Mapping[str, Any]) -> str:
    """Return the value for Route 53.

    Args:
        type: The type.
        data: As in `Record.data`; a text that begins with a quote is a row of quoted strings as in
            a zone file. The numbers of MX and SRV may stand in it instead of in `extra`.
        extra: The numbers.

    Raises:
        InvalidRequestError: The data cannot be of this type, or a number is missing.
    """
    if type in _TEXTS:
        return _write_text(data)
    data = data.strip()
    if not data:
        raise InvalidRequestError(f"a {type} record needs data")
    if type in _ADDRESSES:
        _check_address(type, data)
    return _with_numbers(type, data, extra) if type in _NUMBERS else data


def _route53_name(labels: list[bytes]) -> str:
    """Write a name so that it is the same however Route 53 got it."""
    written = ["".join(map(_route53_character, label)) for label in labels]
    if labels and labels[0] == b"*":
        written[0] = "*"
    return ".".join(written) + "."


def _route53_character(byte: int) -> str:
    return f"{byte:c}" if byte in _PLAIN else f"\\{byte:03o}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:6]) <= _MAX_NUMBER


def _check_address(type: RecordType, data: str) -> None:
    try:
        _ADDRESSES[type](data)
    except ValueError as error:
        raise InvalidRequestError(f"{data[:80]!r} is no address for a record {type}") from error


def _with_numbers(type: RecordType, data: str, extra: Mapping[str, Any]) -> str:
    names = _NUMBERS[type]
    *own, target = data.split()
    given: list[Any] = [*own] or [extra.get(name) for name in names]
    if len(given) != len(names) or not all(_is_number(str(number)) for number in given):
        example = ", ".join(f'"{name}": 10' for name in names)
        raise InvalidRequestError(
            f"a {type} record needs {' and '.join(names)}, whole numbers up to {_MAX_NUMBER}: "
            f"pass extra={{{example}}}"
        )
    return " ".join([*map(str, given), target])


def _read_text(value: str) -> str:
    """Return a text without quotes if it can be told from a row of strings, else that row."""
    try:
        strings = read_strings(value, octal=True)
    except ValueError:
        return value
    whole = b"".join(strings)
    if split_text(whole) == strings and not whole.startswith(b'"'):
        try:
            return whole.decode()
        except UnicodeDecodeError:
            pass
    return write_strings(strings)


def _write_text(data: str) -> str:
    if not data.startswith('"'):
        return write_strings(split_text(data.encode("utf-8", "surrogatepass")), octal=True)
    try:
        strings = read_strings(data)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
    if any(len(one) > 255 for one in strings):  # noqa: PLR2004 - RFC 1035, section 3.3
        raise InvalidRequestError("a string of a text has more than 255 bytes")
    return write_strings(strings, octal=True)
