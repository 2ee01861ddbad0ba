"""Where AWS credentials and the region come from, and how credentials are kept fresh.

The places, in the order in which they are asked; the first that has credentials is kept:

1. the arguments;
2. the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`
   (not when a profile is given as an argument);
3. a role of the profile: `role_arn` with `source_profile` or `credential_source`;
4. web identity: `AWS_WEB_IDENTITY_TOKEN_FILE`, or the profile's `web_identity_token_file`;
5. keys of the profile in the credentials file;
6. the profile's `credential_process`;
7. keys of the profile in the config file;
8. the container: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI`;
9. the EC2 instance's metadata service, version 2 only.

Written from https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anysky.errors import AuthenticationError, CloudError, InvalidAccountError
from anysky.providers.aws.profiles import Profile, load_profiles, static_keys
from anysky.providers.aws.sts import (
    Role,
    assume_role,
    assume_role_with_web_identity,
    sts_endpoint,
)
from anysky.providers.aws.temporary import (
    Fresh,
    from_container,
    from_instance,
    from_process,
    read_text,
    unix_time,
)
from anysky.secret import Secret
from anysky.wire.aws_sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anysky.runtime.base import Runtime
    from anysky.transport.base import Transport

__all__ = ["CredentialChain"]

ADVISORY_REFRESH = 15 * 60.0
MANDATORY_REFRESH = 10 * 60.0
RETRY_AFTER_FAILED_REFRESH = 30.0
DEFAULT_STS_REGION = "us-east-1"

_NOT_FOUND = (
    "no AWS credentials were found: give key and secret, set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, name a profile of ~/.aws, or run where a role is attached"
)
_REGION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("anysky.aws")


@dataclass(frozen=True, slots=True)
class _Kept:
    """Credentials in use, and when they end by each of our own clocks.

    Both clocks count: the monotonic one survives steps of the wall clock, the wall clock survives
    a machine that was suspended.
    """

    credentials: Credentials
    lifetime: float
    ends_monotonic: float
    ends_wall: float


_Source = Callable[[], Awaitable[Fresh]]


class CredentialChain:
    """Finds credentials on first use and renews them before they end.

    Share one between all requests of an account: threads and tasks wait for one renewal instead of
    each starting its own. Temporary credentials are renewed from 15 minutes before their end on; if
    that fails they are used on, until 10 minutes before their end the failure is raised. (Both
    spans shrink to a half and a third of the lifetime of credentials that are given for less.)

    Args:
        transport: Sends to AWS STS and to metadata services; must not sign, or it would ask this
            chain in turn.
        runtime: Gives environment, files, processes and clocks.
        access_key: An access key, to use instead of searching.
        secret_key: Its secret.
        token: Its session token, for temporary credentials.
        profile: A profile to use; the default is `AWS_PROFILE`, then `default`.
        region: The region; the default is `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile's.
        sts_endpoint: URL of AWS STS; the default is `AWS_ENDPOINT_URL_STS`, then the region's.
        local_transport: Sends to metadata services on this machine; should use no proxy.
    """

    def __init__(
        self,
        transport: Transport,
        runtime: Runtime,
        *,
        access_key: str | None = None,
        secret_key: Secret | None = None,
        token: Secret | None = None,
        profile: str | None = None,
        region: str | None = None,
        sts_endpoint: str | None = None,
        local_transport: Transport | None = None,
    ) -> None:
        self._transport = transport
        self._runtime = runtime
        self._local = local_transport or transport
        self._arguments = (access_key, secret_key, token)
        self._profile = profile
        self._region = region
        self._sts_endpoint = sts_endpoint
        self._lock = runtime.lock()
        self._source: _Source | None = None
        self._kept: _Kept | None = None
        self._renewing = False
        self._try_again_at = 0.0

    async def credentials(self) -> Credentials:
        """Return credentials that are good for at least some minutes.

        Raises:
            InvalidAccountError: There are none, or settings are missing or wrong.
            AuthenticationError: What they come from was refused, or they have ended.
            CloudError: They cannot be renewed, for another reason.
        """
        kept = self._kept
        if kept is not None and not self._is_due(kept):
            return kept.credentials
        async with self._lock:
            if self._kept is None or self._is_due(self._kept):
                self._renewing = True
                try:
                    self._kept = await self._renewed(self._kept)
                finally:
                    self._renewing = False
            return self._kept.credentials

    async def region(self) -> str | None:
        """Return the region, or None if nothing names one.

        Raises:
            InvalidAccountError: A file cannot be read, or what it names cannot be a region.
        """
        region = await self._named_region()
        if region is not None and not _REGION.fullmatch(region):
            raise InvalidAccountError(f"{region[:80]!r} cannot be the name of a region")
        return region

    async def _named_region(self) -> str | None:
        environ = self._runtime.environ
        named = self._region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if named:
            return named
        profile = (await self._profiles()).get(self._profile_name())
        return profile.get("region") if profile else None

    def discard(self, credentials: Credentials) -> bool:
        """Forget credentials that AWS refused as expired; tell whether there may be others."""
        kept = self._kept
        if kept is not None and kept.credentials is credentials:
            if credentials.expires_at is None:
                return False
            self._kept = None
        return True

    # Keeping fresh

    def _is_due(self, kept: _Kept) -> bool:
        """Whether whoever asks now should renew, or wait for the renewal."""
        left = self._seconds_left(kept)
        if left >= min(ADVISORY_REFRESH, kept.lifetime / 2):
            return False
        if self._is_mandatory(kept):
            return True
        return not self._renewing and self._runtime.now() >= self._try_again_at

    def _is_mandatory(self, kept: _Kept) -> bool:
        return self._seconds_left(kept) < min(MANDATORY_REFRESH, kept.lifetime / 3)

    def _seconds_left(self, kept: _Kept) -> float:
        return min(kept.ends_monotonic - self._runtime.now(), kept.ends_wall - self._runtime.time())

    async def _renewed(self, kept: _Kept | None) -> _Kept:
        try:
            return await self._fetch()
        except CloudError as error:
            if kept is None or self._is_mandatory(kept):
                raise
            self._try_again_at = self._runtime.now() + RETRY_AFTER_FAILED_REFRESH
            _log.warning(
                "AWS credentials could not be renewed (%s); those at hand last %.0f seconds more",
                type(error).__name__,
                self._seconds_left(kept),
            )
            return kept

    async def _fetch(self) -> _Kept:
        source = self._source or await self._find()
        now, wall = self._runtime.now(), self._runtime.time()
        fresh = await source()
        _check_characters(fresh.credentials)
        ends = fresh.credentials.expires_at
        lifetime = float("inf") if ends is None else ends - fresh.clock
        if lifetime <= 0:
            raise AuthenticationError(
                "the AWS credentials have ended: sign in again, or check what renews them"
            )
        self._source = source
        return _Kept(fresh.credentials, lifetime, now + lifetime, wall + lifetime)

    # Finding

    async def _find(self) -> _Source:
        """Return the first place that has credentials."""
        if any(self._arguments):
            return self._from_arguments
        environ = self._runtime.environ
        if not self._profile and environ.get("AWS_ACCESS_KEY_ID"):
            return self._from_environment
        profiles = await self._profiles()
        name = self._profile_name()
        if name not in profiles and (self._profile or environ.get("AWS_PROFILE")):
            raise InvalidAccountError(f"there is no AWS profile {name!r} in ~/.aws")
        profile = profiles.get(name) or Profile(name)
        source = self._role_source(profiles, profile, (name,))
        source = source or self._web_identity_source(profile, with_environment=not self._profile)
        source = source or self._profile_source(profile)
        return source or self._container_source() or self._from_instance_or_nothing

    def _profile_name(self) -> str:
        return self._profile or self._runtime.environ.get("AWS_PROFILE") or "default"

    async def _profiles(self) -> dict[str, Profile]:
        return await load_profiles(self._runtime)

    async def _from_arguments(self) -> Fresh:
        access_key, secret_key, token = self._arguments
        if not access_key or not secret_key:
            raise InvalidAccountError("an AWS key needs both its id and its secret")
        return self._static(Credentials(access_key, secret_key, token))

    async def _from_environment(self) -> Fresh:
        environ = self._runtime.environ
        access_key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if not access_key or not secret:
            raise InvalidAccountError(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set"
            )
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        ends = unix_time(environ.get("AWS_CREDENTIAL_EXPIRATION"))
        return self._static(
            Credentials(access_key, Secret(secret), Secret(token) if token else None, ends)
        )

    def _static(self, credentials: Credentials) -> Fresh:
        return Fresh(credentials, self._runtime.time())

    def _profile_source(self, profile: Profile) -> _Source | None:
        """Return the place in a profile that has credentials without a role, if there is one."""
        name = profile.name
        if profile.get("sso_account_id") or profile.get("sso_role_name"):
            raise InvalidAccountError(_signs_in(name, "IAM Identity Center (SSO)"))
        keys = static_keys(name, profile.credentials)
        if keys is None and profile.get("login_session"):
            raise InvalidAccountError(_signs_in(name, "`aws login`"))
        command = profile.get("credential_process")
        if keys is None and command:
            return lambda: from_process(self._runtime, command)
        keys = keys or static_keys(name, profile.config)
        return self._constant(keys) if keys else None

    def _constant(self, credentials: Credentials) -> _Source:
        async def source() -> Fresh:
            return self._static(credentials)

        return source

    def _role_source(
        self, profiles: dict[str, Profile], profile: Profile, seen: tuple[str, ...]
    ) -> _Source | None:
        """Return the role of a profile, if it has one that another place's keys can assume."""
        if not profile.get("role_arn") or profile.get("web_identity_token_file"):
            return None
        if profile.get("mfa_serial"):
            raise InvalidAccountError(
                f"the AWS profile {profile.name!r} wants a one-time code (mfa_serial), and there "
                "is nobody to ask for it here: give the keys and token that "
                "`aws sts get-session-token` prints, or use a credential_process"
            )
        role = self._role(profile, profile.get("role_arn"), profile.get("role_session_name"))
        source = self._source_of_role(profiles, profile, seen)

        async def assumed() -> Fresh:
            base, region = await source(), await self._sts_region()
            endpoint = self._sts_endpoint or sts_endpoint(self._runtime.environ, region)
            return await assume_role(
                self._runtime, self._transport, endpoint, region, role, base.credentials
            )

        return assumed

    def _source_of_role(
        self, profiles: dict[str, Profile], profile: Profile, seen: tuple[str, ...]
    ) -> _Source:
        place, name = profile.get("credential_source"), profile.get("source_profile")
        if bool(place) == bool(name):
            raise InvalidAccountError(
                f"the AWS profile {profile.name!r} has a role_arn: it needs either source_profile "
                "or credential_source"
            )
        if place:
            return self._named_source(profile.name, place)
        source_profile = profiles.get(name or "")
        if source_profile is None:
            raise InvalidAccountError(
                f"the AWS profile {profile.name!r} has the source_profile {name!r}, which does not "
                "exist"
            )
        return self._source_in(profiles, source_profile, seen)

    def _source_in(
        self, profiles: dict[str, Profile], profile: Profile, seen: tuple[str, ...]
    ) -> _Source:
        """Return what a source_profile holds: its own keys, or a role in turn."""
        name = profile.name
        # A profile may be its own source if it has keys; through others it would never end.
        if name in seen and (name != seen[-1] or not profile.has_static_keys):
            raise InvalidAccountError(
                f"the source_profile settings go round in a circle: {' -> '.join((*seen, name))}"
            )
        source = None
        if not profile.has_static_keys:
            source = self._role_source(profiles, profile, (*seen, name))
        source = source or self._web_identity_source(profile, with_environment=False)
        source = source or self._profile_source(profile)
        if source is None:
            raise InvalidAccountError(
                f"the AWS profile {name!r} is a source but has no credentials"
            )
        return source

    def _named_source(self, profile: str, place: str) -> _Source:
        places: dict[str, _Source] = {
            "EcsContainer": self._from_container,
            "Ec2InstanceMetadata": self._from_instance,
            "Environment": self._from_environment,
        }
        if place not in places:
            raise InvalidAccountError(
                f"the AWS profile {profile!r} has the credential_source {place!r}; it must be one "
                f"of {', '.join(places)}"
            )
        return places[place]

    def _web_identity_source(self, profile: Profile, *, with_environment: bool) -> _Source | None:
        environ: Mapping[str, str] = self._runtime.environ if with_environment else {}
        path = environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or profile.get("web_identity_token_file")
        if not path:
            return None
        role = self._role(
            profile,
            environ.get("AWS_ROLE_ARN") or profile.get("role_arn"),
            environ.get("AWS_ROLE_SESSION_NAME") or profile.get("role_session_name"),
        )

        async def assumed() -> Fresh:
            endpoint = self._sts_endpoint or sts_endpoint(
                self._runtime.environ, await self._sts_region()
            )
            token = await read_text(self._runtime, path, "web identity token")
            return await assume_role_with_web_identity(
                self._runtime, self._transport, endpoint, role, token
            )

        return assumed

    def _role(self, profile: Profile, arn: str | None, session_name: str | None) -> Role:
        if not arn:
            raise InvalidAccountError(
                "a web identity token is given but no role: set AWS_ROLE_ARN or the profile's "
                "role_arn"
            )
        duration = profile.get("duration_seconds")
        if duration and not duration.isdecimal():
            raise InvalidAccountError(
                f"the AWS profile {profile.name!r} has a duration_seconds that is no number"
            )
        name = session_name or f"anysky-{int(self._runtime.time())}"
        return Role(arn, name, profile.get("external_id"), duration)

    async def _sts_region(self) -> str:
        return await self.region() or DEFAULT_STS_REGION

    def _container_source(self) -> _Source | None:
        environ = self._runtime.environ
        names = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
        return self._from_container if any(environ.get(name) for name in names) else None

    async def _from_container(self) -> Fresh:
        return await from_container(self._runtime, self._local)

    async def _from_instance(self) -> Fresh:
        return await from_instance(self._runtime, self._local)

    async def _from_instance_or_nothing(self) -> Fresh:
        """Ask the last place; if it never had credentials, there are none anywhere."""
        try:
            return await self._from_instance()
        except CloudError as error:
            if self._source is not None:
                raise
            raise InvalidAccountError(f"{_NOT_FOUND} ({error.message})") from error


def _signs_in(profile: str, how: str) -> str:
    return (
        f"the AWS profile {profile!r} signs in through {how}, which only the AWS CLI can do: sign "
        "in with it, and use a profile with credential_process = aws configure export-credentials "
        f"--format process --profile {profile}"
    )


def _check_characters(credentials: Credentials) -> None:
    """Refuse keys that no header field can hold, before an HTTP library quotes them in an error."""
    parts = (Secret(credentials.access_key), credentials.secret_key, credentials.token)
    if all(_is_plain(part) for part in parts if part is not None):
        return
    raise InvalidAccountError(
        "the AWS key, secret or token holds a space, a line break or another character that none "
        "has: check how it was copied"
    )


def _is_plain(secret: Secret) -> bool:
    text = secret.reveal()
    return text.isascii() and text.isprintable() and " " not in text
