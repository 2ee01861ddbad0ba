"""SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from anysky.backend.compute import ComputeBackend
from anysky.errors import InvalidRequestError
from anysky.model.compute import KeyPair
from anysky.paging import Page

from .api import MemoryBackend
from .rules import check_name

__all__ = ["Keys"]

_TYPE = b"ssh-ed25519"
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, section 7


class Keys(MemoryBackend, ComputeBackend):
    """Keys by their names; those that the cloud makes have the right form and open nothing."""

    async def list_key_pairs(self, cursor: str | None) -> Page[KeyPair]:
        """Return a page of keys."""
        return await self._look(
            "list_key_pairs", {"cursor": cursor}, lambda: self._state.key_pairs.page(cursor)
        )

    async def get_key_pair(self, name: str) -> KeyPair:
        """Return a key by its name.

        Raises:
            KeyPairDoesNotExistError: There is none of this name.
        """
        return await self._look(
            "get_key_pair", {"name": name}, lambda: self._state.key_pairs.look_up(name)
        )

    async def create_key_pair(self, name: str) -> KeyPair:
        """Make up a key pair; the answer holds the private key, once.

        Raises:
            KeyPairAlreadyExistsError: The name is taken.
        """

        def work() -> KeyPair:
            seed = self._state.new_id("key-").encode()
            private, public = (hashlib.sha256(seed + end).digest() for end in (b"1", b"2"))
            key = self._new_key(name, _openssh(public))
            return KeyPair(key.name, key.public_key, key.fingerprint, _pem(private))

        return await self._do("create_key_pair", {"name": name}, work)

    async def import_key_pair(self, name: str, public_key: str) -> KeyPair:
        """Keep a public key.

        Raises:
            KeyPairAlreadyExistsError: The name is taken.
            InvalidRequestError: It is no key in OpenSSH's format.
        """
        return await self._do(
            "import_key_pair", {"name": name}, lambda: self._new_key(name, public_key)
        )

    async def delete_key_pair(self, key_pair: KeyPair) -> None:
        """Delete a key.

        Raises:
            KeyPairDoesNotExistError: There is none of its name.
        """
        name = key_pair.name
        await self._remove(
            "delete_key_pair", {"name": name}, lambda: self._state.key_pairs.remove(name)
        )

    def _new_key(self, name: str, public_key: str) -> KeyPair:
        check_name(name, "key pair")
        key = KeyPair(name, public_key, _fingerprint(public_key))
        return self._state.key_pairs.add(name, key)


def _fingerprint(public_key: str) -> str:
    """Return the MD5 of a key, as providers write it."""
    try:
        kind, content = public_key.split()[:2]
        blob = base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        kind, blob = "", b""
    if not blob.startswith(_text(kind.encode())) or not kind:
        raise InvalidRequestError(
            "a public key has OpenSSH's format: its type, then the key in base64"
        )
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


def _openssh(public: bytes) -> str:
    blob = _text(_TYPE) + _text(public)
    return f"{_TYPE.decode()} {base64.b64encode(blob).decode()}"


def _text(content: bytes) -> bytes:
    """Write a string as SSH does (RFC 4251, section 5)."""
    return len(content).to_bytes(4, "big") + content


def _pem(private: bytes) -> str:
    body = base64.b64encode(_PKCS8 + private).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
