"""SSH keys of the account.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/SSH-Keys
"""

from __future__ import annotations

import msgspec

from anysky.backend.compute import ComputeBackend
from anysky.errors import (
    AlreadyExistsError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
)
from anysky.model.compute import KeyPair
from anysky.paging import Page
from anysky.waiting import all_pages
from anysky.wire.rest import Kinds, extra_of, segment

from .api import DigitalOceanBackend, Listing

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
        body = {"name": name, "public_key": public_key}
        answer = await self.api.call("POST", "/account/keys", _OneKey, json=body, kinds=_KINDS)
        return _key_pair(answer.ssh_key)

    async def delete_key_pair(self, key_pair: KeyPair) -> None:
        """Delete an SSH key from the account: DELETE /v2/account/keys/{fingerprint}.

        Raises:
            KeyPairDoesNotExistError: It is not there any more.
        """
        path = f"/account/keys/{segment(key_pair.fingerprint, safe=':')}"
        await self.api.send("DELETE", path, kinds=_KINDS)


def _key_pair(raw: msgspec.Raw) -> KeyPair:
    data = _key(raw)
    return KeyPair(data.name, data.public_key, data.fingerprint, extra=extra_of(raw))
