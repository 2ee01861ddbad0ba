"""S3: AWS's own, and whatever speaks its protocol at another endpoint.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping
from typing import ClassVar, cast

from anysky.account import Account
from anysky.backend.base import Connection, Option
from anysky.backend.storage import StorageBackend
from anysky.errors import CloudError, ConnectionFailedError, InvalidAccountError
from anysky.providers.aws.backend import AWSBackend
from anysky.transport.base import Request, Response
from anysky.wire.s3 import S3Storage, Site, URLSigner
from anysky.wire.s3_checksums import PORTABLE

from . import AWS
from .api import (
    DOMAINS,
    domain_of,
    name_region,
    region_setting,
    regional_endpoint,
    service_endpoint,
)
from .signing import AWSSigner

__all__ = ["S3", "S3Signer"]

_ADDRESSING = ("auto", "path", "virtual")
_DEFAULT_REGION = "us-east-1"
_STORAGE_CLASS = Option("ex_storage_class", "str", "storage class, for example STANDARD_IA")


class S3Signer(AWSSigner):
    """Signs requests and URLs; another endpoint than AWS's has a region without being told.

    Args:
        account: The settings.
        connection: Reaches what gives credentials.
        default_region: Region where nothing names one.
    """

    def __init__(
        self, account: AWS, connection: Connection, default_region: str | None = None
    ) -> None:
        super().__init__("s3", account, connection)
        self._default_region = default_region

    async def region(self) -> str:
        """Return the account's region; see `AWSSigner.region`."""
        if self._default_region is None:
            return await super().region()
        return await self.chain.region() or self._default_region


class S3(S3Storage, AWSBackend, StorageBackend):
    """Buckets and objects of AWS S3 or, with an endpoint, of any service that speaks S3.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
    """

    account: AWS
    checksums: ClassVar[tuple[str, ...]] = ("crc32", "sha256", "md5")
    hosts: ClassVar[tuple[str, ...]] = DOMAINS
    list_lag = 0.0  # https://aws.amazon.com/s3/consistency/
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "get_object_cdn_url": (
            Option("ex_expiry", "float", "hours for which the URL is good, up to 168; 24 if None"),
        ),
        "upload_object": (_STORAGE_CLASS,),
    }

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        if connection.endpoint and not _is_aws(connection.endpoint):
            # Nobody knows which of AWS's newer digests another service takes.
            vars(self)["checksums"] = PORTABLE

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the endpoint that is configured, else that of the region, if one is named yet.

        Raises:
            InvalidAccountError: A setting cannot be right.
        """
        aws = cast("AWS", account)
        if aws.addressing not in _ADDRESSING:
            raise InvalidAccountError(
                f"addressing is one of {', '.join(_ADDRESSING)}, not {aws.addressing!r}"
            )
        configured = service_endpoint("S3", aws, environ)
        if configured:
            return configured
        region = region_setting(aws, environ)
        return regional_endpoint("s3", region) if region else ""

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> S3Signer:
        """Return what signs for the region in question."""
        endpoint = connection.endpoint
        foreign = bool(endpoint) and not _is_aws(endpoint)
        return S3Signer(cast("AWS", account), connection, _DEFAULT_REGION if foreign else None)

    async def _site(self) -> Site:
        region = await self._s3_signer().region()
        endpoint = self.connection.endpoint or regional_endpoint("s3", region)
        addressing = self.account.addressing
        is_virtual = _is_aws(endpoint) if addressing == "auto" else addressing == "virtual"
        return Site(endpoint, region, is_virtual)

    def _site_in(self, site: Site, region: str) -> Site | None:
        """Return where buckets of another region are: never off the account's partition of AWS."""
        if not _is_aws(site.endpoint):
            return dataclasses.replace(site, region=region)
        domain = domain_of(site.region)
        try:
            endpoint = regional_endpoint("s3", region)
        except InvalidAccountError:
            return None
        if domain_of(region) != domain:
            return None
        own = f".{site.region}.{domain}"
        if site.endpoint.endswith(own):  # it may be of another kind, such as dualstack
            endpoint = f"{site.endpoint.removesuffix(own)}.{region}.{domain}"
        return Site(endpoint, region, site.is_virtual)

    async def _exchange(
        self, request: Request, site: Site, subject: str, missing: type[CloudError] | None = None
    ) -> Response:
        try:
            return await super()._exchange(request, site, subject, missing)
        except ConnectionFailedError as error:
            if _is_aws(site.endpoint):
                name_region(error, site.region)
            raise

    def _presigner(self) -> URLSigner:
        return self._s3_signer()

    def _s3_signer(self) -> S3Signer:
        return cast("S3Signer", self.connection.signer)


def _is_aws(endpoint: str) -> bool:
    host = urllib.parse.urlsplit(endpoint).hostname or ""
    return any(host.endswith(f".{domain}") for domain in DOMAINS)
