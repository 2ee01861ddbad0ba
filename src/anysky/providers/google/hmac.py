"""Cloud Storage with an HMAC key, by its API like S3's.

Vendor's reference: https://cloud.google.com/storage/docs/interoperability
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from anysky.account import Account
from anysky.backend.base import Connection
from anysky.backend.s3 import S3Compatible
from anysky.errors import InvalidAccountError
from anysky.wire.aws_signing import KeySigner
from anysky.wire.s3 import Site

from . import ENDPOINT, Google

__all__ = ["GoogleStorageHMAC"]

_REGION = "auto"


class GoogleStorageHMAC(S3Compatible):
    """Buckets and objects by an access key and its secret, as programs for S3 have them.

    It has what both APIs have in common: no versions, tags or deletions of many.
    """

    hosts = ("storage.googleapis.com",)
    lacks = (
        "delete_objects",
        "get_object_tags",
        "get_object_version",
        "list_object_versions",
        "set_object_tags",
    )
    bulk = 0

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:  # noqa: ARG003 - it has no variables
        """Return the endpoint that is configured, or Google's."""
        return account.endpoint.rstrip("/") or ENDPOINT

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> KeySigner:
        """Return what signs with the key.

        Raises:
            InvalidAccountError: Key or secret is missing.
        """
        google = cast("Google", account)
        if google.credentials is None or google.private_key is None:
            raise InvalidAccountError("an HMAC key has an id and a secret: give both")
        key_id = google.credentials.reveal()
        return KeySigner(key_id, google.private_key, _REGION, connection.runtime, None)

    async def _site(self) -> Site:
        return Site(self.connection.endpoint, _REGION)

    def _site_in(self, site: Site, region: str) -> Site | None:  # noqa: ARG002 - one for all regions
        return None
