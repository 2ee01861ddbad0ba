"""Blob Storage, with the account's key, a SAS, or an identity of Entra.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

from anysky.account import Account
from anysky.backend.base import Connection, Option
from anysky.backend.storage import StorageBackend
from anysky.transport.base import Response
from anysky.wire.azure_blob import BlobStorage
from anysky.wire.azure_blob_errors import is_throttling
from anysky.wire.azure_signers import AnonymousSigner, BlobSigner, KeySigner, SASSigner, TokenSigner
from anysky.wire.azure_tokens import (
    TokenCache,
    TokenSource,
    client_secret_tokens,
    managed_identity_tokens,
    workload_identity_tokens,
)

from . import Azure
from .settings import authority_of, place_of, way_of

__all__ = ["AzureBlobs"]

_RESOURCE = "https://storage.azure.com/"


class AzureBlobs(BlobStorage, StorageBackend):
    """Containers and blobs of one storage account.

    https://learn.microsoft.com/rest/api/storageservices/operations-on-blobs
    """

    account: Azure
    checksums: ClassVar[tuple[str, ...]] = ("md5",)
    list_lag = 0.0  # https://learn.microsoft.com/azure/storage/blobs/concurrency-manage
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "get_object_cdn_url": (
            Option("ex_expiry", "float", "hours for which the URL is good; 24 if None"),
        ),
    }

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:  # noqa: ARG003 - the account has read it
        """Return the URL of the account's Blob service.

        Raises:
            InvalidAccountError: Nothing names the account, or a setting cannot be right.
        """
        return place_of(cast("Azure", account)).endpoint

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> BlobSigner:
        """Return what adds the credentials.

        Raises:
            InvalidAccountError: A setting is missing or cannot be right.
        """
        azure = cast("Azure", account)
        place = place_of(azure)
        way = way_of(azure, place)
        if way == "key" and place.key:
            return KeySigner(place.name, place.key, connection.runtime)
        if way == "sas" and place.sas:
            return SASSigner(place.sas)
        if way == "anonymous":
            return AnonymousSigner()
        source = _token_source(azure, way, connection)
        tokens = TokenCache(source, connection.runtime)
        return TokenSigner(place.name, tokens, connection.runtime)

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether the service is too busy for a request, or has too many."""
        return is_throttling(response) or super().throttled(response)

    def secrets(self) -> list[str]:
        """Return the secrets of the account, and what was made of them."""
        return [*super().secrets(), *self._signer().secrets()]

    def _endpoint(self) -> str:
        return self.connection.endpoint

    def _signer(self) -> BlobSigner:
        return cast("BlobSigner", self.connection.signer)


def _token_source(account: Azure, way: str, connection: Connection) -> TokenSource:
    tenant, client = account.tenant_id or "", account.client_id or ""
    if way == "client_secret" and account.client_secret:
        return client_secret_tokens(
            connection.plain,
            authority_of(account),
            tenant,
            client,
            account.client_secret,
            _RESOURCE,
        )
    if way == "workload_identity" and account.federated_token_file:
        return workload_identity_tokens(
            connection.plain,
            connection.runtime,
            authority_of(account),
            tenant,
            client,
            account.federated_token_file,
            _RESOURCE,
        )
    return managed_identity_tokens(
        connection.direct, connection.runtime, account.client_id, _RESOURCE
    )
