r"""Names and texts of DNS as zone files write them (RFC 1035, section 5.1).

In them a backslash takes a character's meaning away (``\.`` is a dot within a label), and
``\DDD`` is the byte of that number. Zone files count in decimal, Route 53 in octal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = [
    "read_name",
    "read_strings",
    "split_text",
    "write_name",
    "write_strings",
]

_MAX_LABEL = 63
_MAX_NAME = 253
_MAX_STRING = 255
_PRINTABLE = range(0x20, 0x7F)
_SPECIAL_IN_NAMES = frozenset(b' "().;\\@$')
_SPECIAL_IN_STRINGS = frozenset(b'"\\')
_STRING = re.compile(r'\s*"((?:[^"\\]|\\.)*)"(?=\s|$)', re.DOTALL)
_ESCAPE = re.compile(r"\\(\d{3}|.)|([^\\])", re.DOTALL)
_HARMLESS = re.compile("[A-Za-z0-9_-]*")
_HARMLESS_BYTES = re.compile(b"[A-Za-z0-9_-]*")
_LABEL = re.compile(r"((?:[^.\\]|\\.)*)(\.|$)", re.DOTALL)


def read_name(name: str, *, octal: bool = False) -> list[bytes]:
    r"""Return the labels of a name, with or without the dot at its end.

    Args:
        name: For example ``www.example.com``; empty for no label at all.
        octal: Whether the numbers after backslashes are octal.

    Raises:
        ValueError: A label is empty or longer than 63 bytes, the name is longer than 253, a
            backslash stands alone, or a character is not ASCII.
    """
    found: list[bytes] = []
    at = 0
    while at < len(name):
        match = _LABEL.match(name, at)
        if match is None:
            raise ValueError(f"a backslash at the end of {name!r}")
        label = _read(match[1], octal=octal)
        if not 0 < len(label) <= _MAX_LABEL:
            raise ValueError(f"a label of {name!r} is empty or longer than {_MAX_LABEL} bytes")
        found.append(label)
        at = match.end()
    if sum(map(len, found)) + len(found) - 1 > _MAX_NAME:
        raise ValueError(f"{name!r} is longer than {_MAX_NAME} bytes")
    return found


def write_name(labels: Iterable[bytes]) -> str:
    """Return a name as zone files write it, without the dot at its end."""
    return ".".join(_write(label, _SPECIAL_IN_NAMES) for label in labels)


def read_strings(text: str, *, octal: bool = False) -> list[bytes]:
    """Return the strings of a text like ``"one" "two"``.

    Raises:
        ValueError: Something stands outside quotes, a quote is not closed, a number after a
            backslash is no byte, or a character is not ASCII.
    """
    found: list[bytes] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _STRING.match(text, at)
        if match is None:
            raise ValueError(f"not a row of quoted strings: {text[:80]!r}")
        found.append(_read(match[1], octal=octal))
        at = match.end()
    return found


def write_strings(strings: Sequence[bytes], *, octal: bool = False) -> str:
    """Return strings in quotes, with a space between them."""
    quoted = (_write(one, _SPECIAL_IN_STRINGS, octal=octal) for one in strings)
    return " ".join(f'"{one}"' for one in quoted)


def split_text(text: bytes) -> list[bytes]:
    """Cut a text into strings of 255 bytes, the most that one holds; at least one string."""
    starts = range(0, len(text), _MAX_STRING)
    return [text[start : start + _MAX_STRING] for start in starts] or [b""]


def _read(text: str, *, octal: bool) -> bytes:
    if _HARMLESS.fullmatch(text):  # most are: ten times as fast
        return text.encode()
    if not text.isascii():
        raise ValueError(
            f"{text[:80]!r} is not ASCII: write names in Punycode (xn--…), bytes as \\DDD"
        )
    found = bytearray()
    for escaped, plain in _ESCAPE.findall(text):
        if len(escaped) == 3:  # noqa: PLR2004 - a number has three digits
            found.append(int(escaped, 8 if octal else 10))
        elif escaped.isdigit():
            raise ValueError(f"three digits follow a backslash, or none: {text[:80]!r}")
        else:
            found += (escaped or plain).encode()
    return bytes(found)


def _write(text: bytes, special: frozenset[int], *, octal: bool = False) -> str:
    if _HARMLESS_BYTES.fullmatch(text):
        return text.decode()
    return "".join([_character(byte, special, octal=octal) for byte in text])


def _character(byte: int, special: frozenset[int], *, octal: bool) -> str:
    if byte not in _PRINTABLE or (byte == 0x20 and byte in special):  # noqa: PLR2004 - a space
        return f"\\{byte:03o}" if octal else f"\\{byte:03d}"
    return f"\\{byte:c}" if byte in special else f"{byte:c}"
