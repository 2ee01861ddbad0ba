"""Check detached signatures in the form of minisign (https://jedisct1.github.io/minisign/)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from anysky.errors import InvalidRequestError

from .ed25519 import verify
from .errors import UpdateVerificationError

__all__ = ["PublicKey", "check_signature", "parse_key"]

_KEY_BYTES = 42
_SIGNATURE_BYTES = 74
_GLOBAL_BYTES = 64
_PLAIN, _HASHED = b"Ed", b"ED"
_COMMENT = "trusted comment: "
_LINES = 4


class PublicKey(NamedTuple):
    """A public key: its id, which only helps to find it, and its 32 bytes."""

    id: bytes
    key: bytes


def parse_key(text: str) -> PublicKey:
    """Read a public key: the line that minisign prints, or the content of its file.

    Raises:
        InvalidRequestError: It is none.
    """
    lines = [line for line in text.splitlines() if line and not line.startswith("untrusted")]
    data = _decode(lines[0] if len(lines) == 1 else "")
    if len(data) != _KEY_BYTES or data[:2] != _PLAIN:
        raise InvalidRequestError(f"{text[:80]!r} is no public key of minisign")
    return PublicKey(data[2:10], data[10:])


def check_signature(content: bytes, signature: bytes, keys: Sequence[PublicKey]) -> str:
    """See that content was signed by one of the keys; return the signed comment.

    Raises:
        UpdateVerificationError: It was not, or the signature is none.
    """
    lines = signature.decode("utf-8", "replace").splitlines()
    if len(lines) < _LINES or not lines[2].startswith(_COMMENT):
        raise UpdateVerificationError("the signature is not one of minisign")
    data, whole = _decode(lines[1]), _decode(lines[3])
    if len(data) != _SIGNATURE_BYTES or len(whole) != _GLOBAL_BYTES:
        raise UpdateVerificationError("the signature is not one of minisign")
    form, key_id, signed = data[:2], data[2:10], data[10:]
    key = next((key.key for key in keys if key.id == key_id), None)
    if key is None:
        shown = key_id[::-1].hex().upper()
        raise UpdateVerificationError(
            f"signed by the unknown key {shown}: give the publisher's key if you trust it"
        )
    if form == _HASHED:
        content = hashlib.blake2b(content).digest()
    comment = lines[2].removeprefix(_COMMENT)
    if form not in (_PLAIN, _HASHED) or not verify(key, content, signed):
        raise UpdateVerificationError("the signature is wrong: the content was changed")
    if not verify(key, signed + comment.encode(), whole):
        raise UpdateVerificationError("the signature's comment was changed")
    return comment


def _decode(line: str) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
