"""SSH keys of the account.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/SSH-Keys
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
)
from anysky.ledger import Ledger
from anysky.model.compute import KeyPair
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import Kinds, extra_of, segment

from .api import Listing
from .backend import DigitalOceanBackend, Known

__all__ = ["Keys"]

_KINDS: Kinds = {
    NotFoundError: KeyPairDoesNotExistError,
    AlreadyExistsError: KeyPairAlreadyExistsError,
}


class _Key(msgspec.Struct):
    name: str
    public_key: str
    fingerprint: str


class _KeysAnswer(Listing, kw_only=True):
    ssh_keys: list[msgspec.Raw]


class _OneKey(msgspec.Struct):
    ssh_key: msgspec.Raw


_key = msgspec.json.Decoder(_Key).decode


class Keys(DigitalOceanBackend, ComputeBackend):
    """Keys; names need not be unique, one public key is there only once."""

    async def list_key_pairs(self, cursor: str | None) -> Page[KeyPair]:
        """List SSH keys: GET /v2/account/keys."""
        answer = await self.api.page(cursor, "/account/keys", _KeysAnswer)
        return Page([_key_pair(raw) for raw in answer.ssh_keys], answer.next)

    async def get_key_pair(self, name: str) -> KeyPair:
        """Find an SSH key by its name, which the API cannot: GET /v2/account/keys.

        Raises:
            KeyPairDoesNotExistError: There is none of this name.
        """
        keys = await all_pages(self.list_key_pairs, self.connection.limits)
        for key in keys:
            if key.name == name:
                return key
        raise KeyPairDoesNotExistError(f"the account has no SSH key {name!r}")

    async def import_key_pair(self, name: str, public_key: str) -> KeyPair:
        """Add a public key to the account: POST /v2/account/keys.

        Raises:
            KeyPairAlreadyExistsError: The account has this public key, perhaps by another name.
        """
        async with self.ledger("import_key_pair") as ledger:
            known = await self._key_known(ledger, name, public_key)
            return await self._import(ledger, name, public_key, known)

    async def delete_key_pair(self, key_pair: KeyPair) -> None:
        """Delete an SSH key from the account: DELETE /v2/account/keys/{fingerprint}.

        Raises:
            KeyPairDoesNotExistError: It is not there any more.
        """
        path = f"/account/keys/{segment(key_pair.fingerprint, safe=':')}"
        await self.api.send("DELETE", path, kinds=_KINDS)

    async def _find_or_import(self, ledger: Ledger, public_key: str) -> str:
        """Return the fingerprint of a public key, which the account has then, by whatever name.

        Raises:
            InvalidRequestError: It is not in OpenSSH's format.
        """
        fingerprint = _fingerprint(public_key)
        if fingerprint is None:
            raise InvalidRequestError("auth is not a public key in OpenSSH's format")
        try:
            await self._key(fingerprint)
        except NotFoundError:
            name = f"anysky-{fingerprint.replace(':', '')}"
            known: Known = {"find": self._keys_made, "find_args": (name, fingerprint)}
            await self._import(ledger, name, public_key, known)
        return fingerprint

    async def _import(self, ledger: Ledger, name: str, public_key: str, known: Known) -> KeyPair:
        return await ledger.step(
            f"key pair {name}", self._post_key(name, public_key), self.delete_key_pair, **known
        )

    async def _post_key(self, name: str, public_key: str) -> KeyPair:
        body = {"name": name, "public_key": public_key}
        answer = await self.api.call("POST", "/account/keys", _OneKey, json=body, kinds=_KINDS)
        return _key_pair(answer.ssh_key)

    async def _key(self, fingerprint: str) -> KeyPair:
        path = f"/account/keys/{segment(fingerprint, safe=':')}"
        return _key_pair((await self.api.call("GET", path, _OneKey)).ssh_key)

    async def _key_known(self, ledger: Ledger, name: str, public_key: str) -> Known:
        fingerprint = _fingerprint(public_key)
        if fingerprint is None:  # which the provider says
            return {}
        return await self._known(ledger, self._keys_made, name, fingerprint)

    async def _keys_made(self, _: str, name: str, fingerprint: str) -> list[KeyPair]:
        """Find a key; the account has one public key only once, so that a second is refused."""
        try:
            key = await self._key(fingerprint)
        except NotFoundError:
            return []
        return [key] if key.name == name else []


def _key_pair(raw: msgspec.Raw) -> KeyPair:
    data = _key(raw)
    return KeyPair(data.name, data.public_key, data.fingerprint, extra=extra_of(raw))


def _fingerprint(public_key: str) -> str | None:
    """Name a public key by its MD5 fingerprint, as DigitalOcean does; None if it is no key."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        return None
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")
