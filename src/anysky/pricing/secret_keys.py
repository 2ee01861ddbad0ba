"""Make and use secret keys in the form of minisign, which publishers sign their manifests with.

A key's file has a comment and a line of base64: the kind of key (2 bytes), of encryption (2) and
of checksum (2), salt (32), two limits of scrypt (8 each), and, hidden by the password if there is
one, the key's id (8), secret (32), public key (32) and checksum (32).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from anysky.errors import InvalidRequestError

from .ed25519 import public_key, sign
from .errors import CatalogueStoreError

__all__ = ["SecretKey", "make_key", "read_key"]

_KIND, _SCRYPT, _OPEN, _CHECKSUM = b"Ed", b"Sc", b"\0\0", b"B2"
_LENGTH = 158
_SALT, _OPERATIONS, _MEMORY, _HIDDEN = slice(6, 38), slice(38, 46), slice(46, 54), slice(54, 158)
_ID, _SEED, _PUBLIC, _SUM = slice(0, 8), slice(8, 40), slice(40, 72), slice(72, 104)
_MOST_MEMORY = 1 << 30  # what minisign itself asks for
_BLOCK = 8
_LARGEST_FILE = 4096


class SecretKey(NamedTuple):
    """A secret key: its id and its 32 bytes."""

    id: bytes
    seed: bytes

    def __repr__(self) -> str:
        return f"SecretKey({self.shown_id})"

    @property
    def shown_id(self) -> str:
        """Its id as minisign shows it."""
        return self.id[::-1].hex().upper()

    @property
    def public(self) -> str:
        """The public key, as it is given to ``anysky prices update --key``."""
        return base64.b64encode(_KIND + self.id + public_key(self.seed)).decode()

    def sign(self, content: bytes, comment: str) -> bytes:
        """Return the signature file of some content; the comment, of one line, is signed too."""
        signed = sign(self.seed, hashlib.blake2b(content).digest())
        whole = sign(self.seed, signed + comment.encode())
        lines = (
            "untrusted comment: signature of an anysky price catalogue",
            base64.b64encode(b"ED" + self.id + signed).decode(),
            f"trusted comment: {comment}",
            base64.b64encode(whole).decode(),
        )
        return "".join(f"{line}\n" for line in lines).encode()


def make_key(path: Path) -> SecretKey:
    """Make a key pair: a file of the secret key, and one of the public key with ``.pub``.

    The secret key has no password; only its owner may read the file.

    Raises:
        CatalogueStoreError: A file is there already, or cannot be written.
    """
    key = SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))
    public = base64.b64decode(key.public)[10:]
    checked = hashlib.blake2b(_KIND + key.id + key.seed + public, digest_size=32).digest()
    head = _KIND + _OPEN + _CHECKSUM + bytes(_HIDDEN.start - _SALT.start)
    content = base64.b64encode(head + key.id + key.seed + public + checked).decode()
    _create(path, f"untrusted comment: anysky secret key {key.shown_id}\n{content}\n", 0o600)
    public_path = path.with_name(f"{path.name}.pub")
    text = f"untrusted comment: anysky public key {key.shown_id}\n{key.public}\n"
    _create(public_path, text, 0o644)
    return key


def _create(path: Path, text: str, mode: int) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise CatalogueStoreError(f"cannot write {path}: {error.strerror}") from error


def read_key(path: Path, password: Callable[[], str] | None = None) -> SecretKey:
    """Read a secret key that `make_key` or minisign made.

    Args:
        path: Its file.
        password: Asks for the password if it has one, which may need a gigabyte of memory.

    Raises:
        InvalidRequestError: It is no secret key, or needs another password.
    """
    try:
        with path.open("rb") as file:
            lines = file.read(_LARGEST_FILE).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise InvalidRequestError(f"cannot read the key {path}: {error.strerror}") from error
    data = _decode(lines[1] if len(lines) > 1 else "")
    if len(data) != _LENGTH or data[:2] != _KIND or data[4:6] != _CHECKSUM:
        raise InvalidRequestError(f"{path} is no secret key of minisign")
    hidden = data[_HIDDEN]
    if data[2:4] == _SCRYPT:
        hidden = _uncover(data, password, path)
    elif data[2:4] != _OPEN:
        raise InvalidRequestError(f"{path} is encrypted in an unknown way")
    checked = hashlib.blake2b(_KIND + hidden[: _SUM.start], digest_size=32).digest()
    key = SecretKey(hidden[_ID], hidden[_SEED])
    is_whole = hmac.compare_digest(checked, hidden[_SUM])
    if not is_whole or public_key(key.seed) != hidden[_PUBLIC]:
        raise InvalidRequestError(f"the password of {path} is wrong, or the file is damaged")
    return key


def _decode(line: str) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _uncover(data: bytes, password: Callable[[], str] | None, path: Path) -> bytes:
    if password is None:
        raise InvalidRequestError(f"{path} needs its password")
    operations = int.from_bytes(data[_OPERATIONS], "little")
    memory = int.from_bytes(data[_MEMORY], "little")
    if not 0 < memory <= _MOST_MEMORY or not 0 < operations <= _MOST_MEMORY:
        raise InvalidRequestError(f"{path} asks for more than a gigabyte of memory")
    log_n, parallel = _scrypt_cost(operations, memory)
    stream = hashlib.scrypt(
        password().encode(), salt=data[_SALT], n=1 << log_n, r=_BLOCK, p=parallel,
        maxmem=2 * _MOST_MEMORY - 1, dklen=_HIDDEN.stop - _HIDDEN.start,
    )  # fmt: skip
    return bytes(one ^ other for one, other in zip(data[_HIDDEN], stream, strict=True))


def _scrypt_cost(operations: int, memory: int) -> tuple[int, int]:
    """Return the cost (a power of two) and parallelism that libsodium takes for two limits."""
    operations = max(operations, 32768)
    few = operations < memory // 32
    most = operations // (_BLOCK * 4) if few else memory // (_BLOCK * 128)
    log_n = next(power for power in range(1, 64) if 1 << power > most // 2)
    if few:
        return log_n, 1
    return log_n, max(1, min(operations // 4 >> log_n, 0x3FFFFFFF) // _BLOCK)
