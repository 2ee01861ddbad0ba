"""Scaleway: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Scaleway", "provider"]


@account
class Scaleway(S3Account):
    """Settings for Scaleway; an API key has an access and a secret key."""

    access_key: str = setting("access key", env=("SCW_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("SCW_SECRET_KEY",), secret=True)
    region: str = setting(
        "region: fr-par, nl-ams, pl-waw …", env=("SCW_DEFAULT_REGION",), default="fr-par"
    )


provider = Provider(
    name="scaleway",
    title="Scaleway",
    website="https://www.scaleway.com",
    account=Scaleway,
    services={"storage": Service("scaleway", "anysky.providers.scaleway.storage:ScalewayStorage")},
)
