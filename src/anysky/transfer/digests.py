"""Digests of content: which ones can be computed here, and how those of parts make that of all."""

from __future__ import annotations

import functools
import hashlib
import importlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, cast

from anysky.model.storage import Object

__all__ = [
    "Checksum",
    "best",
    "checksum",
    "combined",
    "disagreement",
    "is_available",
    "known_digests",
    "quickest",
]

_HASHES = ("sha256", "sha512", "sha1", "md5")
_POLYNOMIALS = {"crc32": 0xEDB88320, "crc32c": 0x82F63B78}
_MD5_DIGITS = 32
_TOP = 1 << 31
_BYTE = 1 << 23  # what one further byte does, as a polynomial with its bits reversed
_QUICK = ("crc32c", "crc32", "sha256", "md5", "sha1")

_Step = Callable[[bytes, int], int]


class Checksum(Protocol):
    """A digest of what it is given, piece by piece."""

    def update(self, data: bytes, /) -> None:
        """Take further bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hex."""
        ...


class _CRC:
    """A cyclic redundancy check."""

    __slots__ = ("_step", "_value")

    def __init__(self, step: _Step) -> None:
        self._step = step
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def is_available(name: str) -> bool:
    """Whether a digest can be computed here at more than a crawl."""
    return name in _HASHES or name == "crc32" or (name == "crc32c" and _crc32c() is not None)


def checksum(name: str) -> Checksum:
    """Begin a digest that is available, by its name as in `Object.extra`."""
    if name == "crc32":
        return _CRC(zlib.crc32)
    if name == "crc32c":
        return _CRC(cast("_Step", _crc32c()))
    return hashlib.new(name, usedforsecurity=False)


def best(names: Iterable[str]) -> str | None:
    """Return the first of some digests that is available; None if there is none."""
    return next((name for name in names if is_available(name)), None)


def quickest(names: Iterable[str]) -> str | None:
    """Return that of some digests which costs least here; None if none is available."""
    given = set(names)
    return best(name for name in _QUICK if name in given)


def combined(name: str, parts: Iterable[tuple[str, int]]) -> str | None:
    """Return the digest of content from the digests and sizes of its parts, in their order.

    Returns:
        None if that digest cannot be put together.
    """
    polynomial = _POLYNOMIALS.get(name)
    if polynomial is None:
        return None
    total = 0
    for digest, size in parts:
        total = _product(_shift(size, polynomial), total, polynomial) ^ int(digest, 16)
    return f"{total:08x}"


def disagreement(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Say which digest of the same content differs; an empty text if none does."""
    for name, digest in ours.items():
        other = theirs.get(name, digest).lower()
        if other != digest.lower():
            return f"its {name} is {digest}, and the provider has {other}"
    return ""


def known_digests(obj: Object, hash_type: str) -> dict[str, str]:
    """Return the digests of an object's whole content that the provider has told.

    Args:
        obj: The object.
        hash_type: What `Object.hash` is, if it is a digest of the content.
    """
    found: dict[str, str] = dict(obj.extra.get("checksums") or {})
    digest = (obj.hash or "").lower()
    if hash_type == "md5" and len(digest) == _MD5_DIGITS:
        found.setdefault("md5", digest)
    return found


@functools.cache
def _crc32c() -> _Step | None:
    """Return an implementation in C, of whichever library is installed."""
    for module, function in (("crc32c", "crc32c"), ("awscrt.checksums", "crc32c")):
        try:
            return cast("_Step", getattr(importlib.import_module(module), function))
        except (ImportError, AttributeError):
            continue
    try:
        google = importlib.import_module("google_crc32c")
    except ImportError:
        return None
    if google.implementation != "c":
        return None
    return lambda data, value: int(google.extend(value, bytes(data)))


def _shift(size: int, polynomial: int) -> int:
    """Return what appending so many bytes does to a check, as a polynomial."""
    power, square = _TOP, _BYTE
    while size:
        if size & 1:
            power = _product(square, power, polynomial)
        square = _product(square, square, polynomial)
        size >>= 1
    return power


def _product(one: int, other: int, polynomial: int) -> int:
    """Multiply two polynomials, bits reversed, modulo a third."""
    result = 0
    while one:
        if one & _TOP:
            result ^= other
        one = (one << 1) & 0xFFFFFFFF
        other = (other >> 1) ^ polynomial if other & 1 else other >> 1
    return result
