"""What all of Cloud Storage's operations share: how requests are sent and signed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, cast

from anysky.account import Account
from anysky.backend.base import Connection
from anysky.backend.storage import StorageBackend
from anysky.errors import InvalidAccountError, PermissionDeniedError
from anysky.transport.base import Response
from anysky.transport.signing import Signer
from anysky.wire.google_auth import GoogleIdentity, GoogleSigner
from anysky.wire.google_sources import World

from . import ENDPOINT, Google
from .api import StorageAPI, throttled

__all__ = ["GoogleStorageBase"]

_EMULATOR = "STORAGE_EMULATOR_HOST"
_HMAC = "GOOG"


class GoogleStorageBase(StorageBackend):
    """Credentials, endpoint and project."""

    account: Google
    hosts: ClassVar[tuple[str, ...]] = ("storage.googleapis.com",)
    list_lag = 0.0  # https://cloud.google.com/storage/docs/consistency

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the endpoint that is configured, an emulator's, or Google's.

        Raises:
            InvalidAccountError: A setting cannot be right.
        """
        if account.endpoint:
            return account.endpoint
        emulator = environ.get(_EMULATOR, "").rstrip("/")
        if not emulator:
            return ENDPOINT
        if "://" not in emulator:
            emulator = f"http://{emulator}"
        return type(account).load({"endpoint": emulator}, {}).endpoint

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> Signer | None:
        """Return what sends tokens; None for whoever wants none sent.

        Raises:
            InvalidAccountError: The credentials are for another API.
        """
        google = cast("Google", account)
        emulated = not google.endpoint and connection.runtime.environ.get(_EMULATOR)
        if google.anonymous or emulated:
            return None
        if google.credentials and google.credentials.reveal().startswith(_HMAC):
            raise InvalidAccountError(
                "this is an HMAC key, which is for Cloud Storage's API like S3's: use "
                "Provider.GOOGLE_STORAGE_HMAC"
            )
        world = World(connection.plain, connection.direct, connection.runtime, connection.endpoint)
        identity = GoogleIdentity(world, google.credentials, google.private_key, google.token)
        return GoogleSigner(identity, google.user_project or "")

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether requests come too fast; Cloud Storage says so also with status 403."""
        return throttled(response)

    def secrets(self) -> list[str]:
        """Return the settings, tokens and keys that nobody may see."""
        signer = self.connection.signer
        found = signer.secrets() if isinstance(signer, GoogleSigner) else []
        return [*super().secrets(), *found]

    @cached_property
    def _api(self) -> StorageAPI:
        return StorageAPI(self.transport, self.connection.endpoint)

    @property
    def _identity(self) -> GoogleIdentity | None:
        signer = self.connection.signer
        return signer.identity if isinstance(signer, GoogleSigner) else None

    async def _signing_identity(self) -> GoogleIdentity:
        """Return what signs URLs.

        Raises:
            PermissionDeniedError: Nobody is signed in.
        """
        if self._identity is None:
            raise PermissionDeniedError("signed URLs need the credentials of a service account")
        return self._identity

    async def _project_params(self) -> list[tuple[str, str]]:
        """Return the parameter that names the project.

        Raises:
            InvalidAccountError: Nobody knows it.
        """
        if self.account.project:
            return [("project", self.account.project)]
        if (
            self._identity is None
        ):  # an emulator needs none, and Google's answer says what is missing
            return []
        project = await self._identity.project()
        if not project:
            raise InvalidAccountError(
                "buckets are listed and made in a project: pass project= or set "
                "GOOGLE_CLOUD_PROJECT, for these credentials belong to none"
            )
        return [("project", project)]
