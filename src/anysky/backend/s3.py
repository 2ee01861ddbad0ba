"""Object storage of a service that speaks S3, with a fixed access key: a few lines for each.

::

    class Wasabi(S3Compatible):
        pattern = "https://s3.{region}.wasabisys.com"
        hosts = ("wasabisys.com",)
        prefers_hosts = True

What such a service lacks it names, so that it is refused without asking::

        lacks = ("get_object_tags", "set_object_tags")
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from string import Formatter
from typing import ClassVar, cast

from anysky.account import Account
from anysky.errors import InvalidAccountError
from anysky.transport.base import Response
from anysky.wire.aws_signing import KeySigner
from anysky.wire.s3 import S3Storage, Site, URLSigner
from anysky.wire.s3_account import S3Account
from anysky.wire.s3_errors import is_throttling

from .base import Connection, Option
from .storage import StorageBackend

__all__ = ["S3Compatible"]

_ADDRESSING = ("auto", "path", "virtual")
_PART_OF_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class S3Compatible(S3Storage, StorageBackend):
    """Buckets and objects of a service that speaks S3.

    Attributes:
        pattern: URL of the service, with settings of the account in braces; empty where only the
            account knows it.
        prefers_hosts: Whether a bucket is a host below the endpoint's, if the account does not say.
        lacks: Operations of S3 that it has not.
    """

    account: S3Account
    pattern: ClassVar[str] = ""
    prefers_hosts: ClassVar[bool] = False
    lacks: ClassVar[tuple[str, ...]] = ()
    remakes_buckets = True
    list_lag = 0.0
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "get_object_cdn_url": (
            Option("ex_expiry", "float", "hours for which the URL is good, up to 168; 24 if None"),
        ),
        "upload_object": (Option("ex_storage_class", "str", "storage class"),),
    }

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in cls.lacks:
            setattr(cls, name, getattr(StorageBackend, name))

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the endpoint of the account, else that of its region.

        Raises:
            InvalidAccountError: A setting is missing or cannot be right.
        """
        settings = cast("S3Account", account)
        if settings.addressing not in _ADDRESSING:
            raise InvalidAccountError(
                f"addressing is one of {', '.join(_ADDRESSING)}, not {settings.addressing!r}"
            )
        given = settings.endpoint.rstrip("/")
        if not given and not cls.pattern:
            raise InvalidAccountError(
                f"{type(account).__name__} needs an endpoint: the URL of the service, for example "
                "https://storage.example.com:9000"
            )
        return given or cls._regional(settings, settings.region)

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> KeySigner:
        """Return what signs with the account's key."""
        settings = cast("S3Account", account)
        return KeySigner(
            settings.access_key,
            settings.secret_key,
            settings.region,
            connection.runtime,
            settings.token,
        )

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether a request was refused for want of time: S3 says so by code, not by status."""
        return super().throttled(response) or is_throttling(response)

    @classmethod
    def _regional(cls, account: S3Account, region: str) -> str:
        """Return the URL of the service in a region.

        Raises:
            InvalidAccountError: A setting cannot be a part of a host's name.
        """
        names = [name for _, name, _, _ in Formatter().parse(cls.pattern) if name]
        values = {name: str(getattr(account, name)) for name in names} | {"region": region}
        for name in names:
            if not _PART_OF_HOST.fullmatch(values[name]):
                raise InvalidAccountError(
                    f"{type(account).__name__} needs {name!r} as a part of its host's name, and "
                    f"{values[name][:80]!r} can be none"
                )
        return cls.pattern.format_map(values)

    async def _site(self) -> Site:
        settings = self.account
        is_virtual = settings.addressing == "virtual"
        if settings.addressing == "auto":
            is_virtual = self.prefers_hosts and not settings.endpoint
        return Site(self.connection.endpoint, settings.region, is_virtual)

    def _site_in(self, site: Site, region: str) -> Site | None:
        """Return where buckets of another region are, if the service has a host for each."""
        if self.account.endpoint or "{region}" not in self.pattern:
            return dataclasses.replace(site, region=region)
        try:
            endpoint = self._regional(self.account, region)
        except InvalidAccountError:
            return None
        return dataclasses.replace(site, endpoint=endpoint, region=region)

    def _presigner(self) -> URLSigner:
        return cast("KeySigner", self.connection.signer)
