"""Key pairs of EC2.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from contextlib import suppress

from anysky.errors import (
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
)
from anysky.ledger import Ledger
from anysky.model.compute import Filter, KeyPair
from anysky.paging import Page
from anysky.wire import xml

from .ec2 import EC2Backend, Tagged, extra_of, filter_parameter, filters, tag_specification

__all__ = ["EC2Keys"]


class _Key(Tagged):
    name_of_key: str = xml.required("keyName")
    fingerprint: str = xml.text("keyFingerprint", "")
    public_key: str = xml.text("publicKey", "")


class _Keys(xml.Record, root="DescribeKeyPairsResponse"):
    keys: list[_Key] = xml.records("keySet/item", _Key)


class EC2Keys(EC2Backend):
    """Key pairs of EC2."""

    async def list_key_pairs(self, cursor: str | None) -> Page[KeyPair]:  # noqa: ARG002 - there is one page
        """List key pairs with their public keys: DescribeKeyPairs."""
        answer = await self._call("DescribeKeyPairs", {"IncludePublicKey": True}, _Keys)
        return Page([_key_pair(one) for one in answer.keys])

    async def get_key_pair(self, name: str) -> KeyPair:
        """Fetch a key pair: DescribeKeyPairs."""
        parameters = {"KeyName": [name], "IncludePublicKey": True}
        answer = await self._call("DescribeKeyPairs", parameters, _Keys)
        if not answer.keys:
            raise KeyPairDoesNotExistError(f"there is no key pair {name!r}")
        return _key_pair(answer.keys[0])

    async def create_key_pair(
        self, name: str, key_type: str = "rsa", key_format: str = "pem"
    ) -> KeyPair:
        """Have EC2 make a key pair: CreateKeyPair.

        Args:
            name: Its name.
            key_type: ``"rsa"`` or ``"ed25519"``, which Windows instances do not take.
            key_format: Format of the private key: ``"pem"`` or ``"ppk"``.
        """
        parameters = {
            "KeyName": name,
            "KeyType": key_type,
            "KeyFormat": key_format,
            "TagSpecification": tag_specification(None, {}, "key-pair"),
        }
        answer = await self.ask("CreateKeyPair", parameters)
        return KeyPair(
            answer.text("keyName", name),
            "",
            answer.text("keyFingerprint", ""),
            answer.text("keyMaterial"),
            {"keyPairId": answer.text("keyPairId", "")},
        )

    async def import_key_pair(self, name: str, public_key: str) -> KeyPair:
        """Give a public key to EC2: ImportKeyPair."""
        parameters = {
            "KeyName": name,
            "PublicKeyMaterial": public_key.encode(),
            "TagSpecification": tag_specification(None, {}, "key-pair"),
        }
        answer = await self.ask("ImportKeyPair", parameters)
        return KeyPair(
            answer.text("keyName", name),
            public_key,
            answer.text("keyFingerprint", ""),
            extra={"keyPairId": answer.text("keyPairId", "")},
        )

    async def delete_key_pair(self, key_pair: KeyPair) -> None:
        """Delete a key pair; EC2 does not mind if there is none: DeleteKeyPair."""
        await self._act("DeleteKeyPair", {"KeyName": key_pair.name})

    async def _find_or_import(self, ledger: Ledger, public_key: str) -> str:
        """Return the name under which EC2 knows a public key; a step imports it if it is new."""
        name = _name_of(public_key)
        known = await self._call("DescribeKeyPairs", filter_parameter({"key-name": name}), _Keys)
        if known.keys:
            return name
        with suppress(KeyPairAlreadyExistsError):  # somebody else was quicker
            await ledger.step(
                f"key pair {name}",
                self.import_key_pair(name, public_key),
                undo=self.delete_key_pair,
            )
        return name

    async def _list_key_pairs_marked(
        self,
        cursor: str | None,  # noqa: ARG002 - there is one page
        filter: Filter,
    ) -> Page[KeyPair]:
        asked = {"IncludePublicKey": True, **filters(filter, "key-pair-id", "key-")}
        answer = await self._call("DescribeKeyPairs", asked, _Keys)
        return Page([_key_pair(one) for one in answer.keys])


def _name_of(public_key: str) -> str:
    """Return the name for a key that is imported on the way: the same for the same key."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        raise InvalidRequestError(
            "a public key has OpenSSH's format: its type, then the key in base64"
        ) from None
    return f"anysky-{hashlib.sha256(blob).hexdigest()[:32]}"


def _key_pair(key: _Key) -> KeyPair:
    return KeyPair(key.name_of_key, key.public_key, key.fingerprint, extra=extra_of(key.raw))
