"""Digests of content, as S3 sends and checks them.

Every S3 checks Content-MD5. AWS, and who follows it, also takes CRC32, CRC32C and SHA-256 in fields
of their own, in base64, and keeps them with the object. Of an object in parts such a digest is that
of the content (FULL_OBJECT, only of a CRC) or one of the parts' digests (COMPOSITE), which says
nothing about the content.

Vendor's reference:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from anysky.errors import InvalidRequestError

__all__ = [
    "FULL_OBJECT",
    "PORTABLE",
    "algorithm_of_parts",
    "checksum_headers",
    "checksum_tag",
    "checksums_of",
    "decoded",
    "encoded",
    "takes_checksums",
    "whole_checksums",
]

PORTABLE: tuple[str, ...] = ("md5",)
"""What every S3 checks."""
FULL_OBJECT = "FULL_OBJECT"

_FIELD = "x-amz-checksum-"
_NAMES = ("crc32", "crc32c", "sha256", "crc64nvme")
# Of these the digest of an object is put together from those of its parts.
_FOR_PARTS = ("crc32", "crc32c")
_BYTES: Mapping[str, int] = {"crc32": 4, "crc32c": 4, "sha256": 32, "crc64nvme": 8, "md5": 16}


def takes_checksums(known: Sequence[str]) -> bool:
    """Whether a provider that checks these digests has fields of their own for some."""
    return any(name in _NAMES for name in known)


def encoded(name: str, digest: str) -> str:
    """Return a digest in base64.

    Raises:
        InvalidRequestError: It is no digest of this kind in hex.
    """
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    if len(raw) != _BYTES[name]:
        raise InvalidRequestError(f"{digest[:80]!r} is no {name} in hex")
    return base64.b64encode(raw).decode()


def decoded(name: str, value: str) -> str | None:
    """Return a digest in hex; None if the text is none in base64, as that of parts."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == _BYTES[name] else None


def checksum_headers(checksums: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """Return the header fields by which a provider checks a body: MD5, and the best other one.

    Args:
        checksums: Digests of the body in hex, by their names.
        known: Digests that the provider checks, best one first.
    """
    best = next((name for name in known if name in _NAMES and name in checksums), None)
    headers = {} if best is None else {_FIELD + best: encoded(best, checksums[best])}
    if "md5" in known and "md5" in checksums:
        headers["content-md5"] = encoded("md5", checksums["md5"])
    return headers


def algorithm_of_parts(checksums: Mapping[str, str], known: Sequence[str]) -> str:
    """Return the digest that all parts of an upload shall have: a CRC, or an empty string.

    That which is known of the whole content comes first.
    """
    able = [name for name in known if name in _FOR_PARTS]
    return next((name for name in able if name in checksums), able[0] if able else "")


def checksum_tag(name: str) -> str:
    """Return the element that holds a digest in XML."""
    return f"Checksum{name.upper()}"


def checksums_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the digests in header fields of an answer, in hex."""
    found = {name: decoded(name, headers.get(_FIELD + name, "")) for name in _NAMES}
    return {name: digest for name, digest in found.items() if digest is not None}


def whole_checksums(headers: Mapping[str, str], md5: str | None) -> dict[str, str]:
    """Return the digests of an object's whole content that an answer tells.

    Args:
        headers: Header fields of the answer.
        md5: The MD5, if the ETag is one.
    """
    is_composite = headers.get(f"{_FIELD}type", FULL_OBJECT) != FULL_OBJECT
    found = {} if is_composite else checksums_of(headers)
    return found | ({"md5": md5} if md5 else {})
