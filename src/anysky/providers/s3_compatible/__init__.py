"""Any service that speaks S3, at an endpoint."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.wire.s3_account import S3Account

__all__ = ["S3CompatibleAccount", "provider"]


@account
class S3CompatibleAccount(S3Account):
    """Settings for a service that speaks S3."""

    endpoint: str = setting(
        "URL of the service, for example https://storage.example.com:9000",
        env=("S3_ENDPOINT",),
        default="",
    )


provider = Provider(
    name="s3_compatible",
    title="S3-compatible storage",
    website="https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html",
    account=S3CompatibleAccount,
    services={
        "storage": Service(
            "s3_compatible", "anysky.providers.s3_compatible.storage:S3CompatibleStorage"
        )
    },
)
