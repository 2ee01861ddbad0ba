"""Backblaze B2: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Backblaze", "provider"]


@account
class Backblaze(S3Account):
    """Settings for Backblaze B2; an application key, not the master key, which S3 does not take."""

    access_key: str = setting("id of the application key", env=("B2_APPLICATION_KEY_ID",))
    secret_key: Secret = setting("application key", env=("B2_APPLICATION_KEY",), secret=True)
    region: str = setting(
        "region of the account, for example us-west-004, as in its buckets' endpoints",
        env=("B2_REGION",),
    )


provider = Provider(
    name="backblaze",
    title="Backblaze B2",
    website="https://www.backblaze.com/cloud-storage",
    account=Backblaze,
    services={
        "storage": Service("backblaze_b2", "anysky.providers.backblaze.storage:BackblazeStorage")
    },
)
