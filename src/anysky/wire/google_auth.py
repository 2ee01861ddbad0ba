"""Sign in to Google's APIs.

The places where credentials are looked for, in this order; the first that has some is kept:

1. a token that was given;
2. an address and a private key that were given;
3. a file of credentials, or its text, that was given or that `GOOGLE_APPLICATION_CREDENTIALS`
   names;
4. the file that ``gcloud auth application-default login`` writes;
5. the metadata server of Compute Engine, GKE, Cloud Run …

Written from https://cloud.google.com/docs/authentication/application-default-credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from anysky.errors import AuthenticationError, CloudError, InvalidAccountError
from anysky.secret import Secret

from .google_sources import (
    AuthorizedUser,
    ExternalAccount,
    FixedToken,
    Impersonated,
    MetadataServer,
    ServiceAccount,
    Source,
    World,
)
from .jwt import RSAKey
from .oauth2 import OAuthSigner, Token, TokenCache

__all__ = ["GoogleIdentity", "GoogleSigner"]

_EXTRA = "anysky[google]"
_UNIVERSE = "googleapis.com"
_NOT_FOUND = (
    "no Google credentials were found: give the path of a JSON file of credentials, set "
    "GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, or run where a "
    "service account is attached; for public data say anonymous=True"
)
_DEEPEST = 3


class _File(msgspec.Struct, kw_only=True):
    """A file of credentials; which fields it has depends on its type."""

    type: str = ""
    universe_domain: str = _UNIVERSE
    project_id: str = ""
    quota_project_id: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""
    token_uri: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    audience: str = ""
    subject_token_type: str = ""
    token_url: str = ""
    credential_source: Any = None
    service_account_impersonation_url: str = ""
    source_credentials: msgspec.Raw = msgspec.Raw(b"{}")
    delegates: list[str] = msgspec.field(default_factory=list[str])

    def __repr__(self) -> str:
        return f"<credentials of type {self.type!r}>"


class GoogleIdentity:
    """Finds credentials on first use.

    Share one between all requests of an account.

    Args:
        world: How to reach what gives tokens.
        credentials: Path or text of a file of credentials, or the address of a service account.
        private_key: PEM of that account's key, or path or text of a file that has it.
        token: An access token, to use instead of searching.
    """

    def __init__(
        self,
        world: World,
        credentials: Secret | None = None,
        private_key: Secret | None = None,
        token: Secret | None = None,
    ) -> None:
        self._world = world
        self._credentials = credentials
        self._private_key = private_key
        self._token = token
        self._lock = world.runtime.lock()
        self._source: Source | None = None
        self.tokens = TokenCache(self._fetch, world.runtime)

    async def project(self) -> str:
        """Return the project of the credentials; empty if they belong to none."""
        source = await self._found()
        if isinstance(source, MetadataServer):
            return await source.project_id()
        return source.project

    async def billed_to(self) -> str:
        """Return the project that the credentials want requests to count for."""
        return (await self._found()).billed_to

    async def sign(self, message: bytes) -> bytes:
        """Return a signature in the name of `email`.

        Raises:
            UnsupportedOperationError: These are no credentials of a service account.
        """
        return await (await self._found()).sign(message)

    async def email(self) -> str:
        """Return the address of the service account.

        Raises:
            UnsupportedOperationError: These are no credentials of a service account.
        """
        return await (await self._found()).email()

    def secrets(self) -> list[str]:
        """Return what nobody may see of the credentials in use."""
        return [] if self._source is None else self._source.secrets()

    async def _fetch(self) -> Token:
        source = await self._found()
        try:
            return await source.token()
        except CloudError as error:
            error.redact(source.secrets())
            if isinstance(source, MetadataServer) and not isinstance(error, AuthenticationError):
                raise InvalidAccountError(_NOT_FOUND) from error
            raise

    async def _found(self) -> Source:
        if self._source is None:
            async with self._lock:
                self._source = self._source or await self._find()
        return self._source

    async def _find(self) -> Source:
        if self._token is not None:
            return FixedToken(self._token)
        if self._credentials is None and self._private_key is not None:
            return self._read(await self._text(self._private_key))
        if self._credentials is not None:
            return await self._given(self._credentials)
        text = await self._own_file()
        return MetadataServer(self._world) if text is None else self._read(text)

    async def _given(self, credentials: Secret) -> Source:
        """Return what the arguments name."""
        given = credentials.reveal()
        if self._private_key is None:
            if "@" in given and "{" not in given and "/" not in given:
                raise InvalidAccountError("the address of a service account needs a private key")
            return self._read(await self._text(credentials))
        text = await self._text(self._private_key)
        if text.reveal().lstrip().startswith("{"):
            return self._read(text)
        return ServiceAccount(self._world, given, RSAKey(text, _EXTRA), text, "", "")

    async def _text(self, given: Secret) -> Secret:
        """Return the text of a file, unless it is what was given."""
        path = given.reveal()
        if path.lstrip().startswith(("{", "-----BEGIN")):
            return given
        try:
            return Secret((await self._world.runtime.read_file(path)).decode())
        except (OSError, ValueError):
            # Not named: what was given may be a secret in place of a path.
            raise InvalidAccountError(
                "cannot read the file of Google credentials that was given"
            ) from None

    async def _own_file(self) -> Secret | None:
        environ = self._world.runtime.environ
        folder = environ.get("CLOUDSDK_CONFIG")
        if not folder and environ.get("APPDATA"):
            folder = f"{environ['APPDATA']}/gcloud"
        if not folder and environ.get("HOME"):
            folder = f"{environ['HOME']}/.config/gcloud"
        if not folder:
            return None
        path = f"{folder}/application_default_credentials.json"
        try:
            return Secret((await self._world.runtime.read_file(path)).decode())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise InvalidAccountError(f"cannot read the Google credentials in {path}") from None

    def _read(self, text: Secret, depth: int = 0) -> Source:
        try:
            file = msgspec.json.decode(text.reveal().encode(), type=_File)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            raise InvalidAccountError("the file of Google credentials is not such JSON") from None
        if file.universe_domain != _UNIVERSE:
            raise InvalidAccountError(
                f"only the universe {_UNIVERSE} is supported, not {file.universe_domain[:80]!r}"
            )
        if file.type == "service_account":
            return self._service_account(file)
        if file.type == "authorized_user":
            return self._authorized_user(file)
        if file.type == "external_account":
            return self._external_account(file)
        if file.type == "impersonated_service_account" and depth < _DEEPEST:
            source = Secret(bytes(file.source_credentials).decode())
            url = file.service_account_impersonation_url
            return Impersonated(self._world, self._read(source, depth + 1), url, file.delegates)
        raise InvalidAccountError(
            f"Google credentials of the type {file.type[:80]!r} are not supported"
        )

    def _service_account(self, file: _File) -> Source:
        if not file.client_email or not file.private_key:
            raise InvalidAccountError("the service account's file has no address or no key")
        pem = Secret(file.private_key)
        key = RSAKey(pem, _EXTRA, file.private_key_id)
        return ServiceAccount(
            self._world, file.client_email, key, pem, file.project_id, file.token_uri
        )

    def _authorized_user(self, file: _File) -> Source:
        secret, refresh = Secret(file.client_secret), Secret(file.refresh_token)
        if not file.client_id or not secret or not refresh:
            raise InvalidAccountError("the file of credentials lacks its refresh token")
        return AuthorizedUser(self._world, file.client_id, secret, refresh, file.quota_project_id)

    def _external_account(self, file: _File) -> Source:
        source: Source = ExternalAccount(
            self._world,
            file.audience,
            file.subject_token_type,
            file.token_url,
            file.credential_source,
        )
        url = file.service_account_impersonation_url
        return Impersonated(self._world, source, url, []) if url else source


class GoogleSigner(OAuthSigner):
    """Sends a token, and the project that requests count for.

    Args:
        identity: The credentials.
        user_project: Project to bill instead of the credentials' own; empty for that.
    """

    def __init__(self, identity: GoogleIdentity, user_project: str = "") -> None:
        super().__init__(identity.tokens)
        self.identity = identity
        self._user_project = user_project

    async def headers(self) -> Mapping[str, str]:
        """Return the field that names the project to bill."""
        project = self._user_project or await self.identity.billed_to()
        return {"x-goog-user-project": project} if project else {}

    def secrets(self) -> list[str]:
        """Return token, keys and the like."""
        return [*super().secrets(), *self.identity.secrets()]
