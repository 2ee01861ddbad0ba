"""Wasabi: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Wasabi", "provider"]


@account
class Wasabi(S3Account):
    """Settings for Wasabi; make an access key in its console."""

    access_key: str = setting("access key", env=("WASABI_ACCESS_KEY_ID",))
    secret_key: Secret = setting("secret key", env=("WASABI_SECRET_ACCESS_KEY",), secret=True)
    region: str = setting(
        "region, for example eu-central-1", env=("WASABI_REGION",), default="us-east-1"
    )


provider = Provider(
    name="wasabi",
    title="Wasabi",
    website="https://wasabi.com",
    account=Wasabi,
    services={"storage": Service("wasabi", "anysky.providers.wasabi.storage:WasabiStorage")},
)
