"""Vultr: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Vultr", "provider"]


@account
class Vultr(S3Account):
    """Settings for Vultr; each object storage subscription has an access and a secret key."""

    access_key: str = setting("access key", env=("VULTR_S3_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("VULTR_S3_SECRET_KEY",), secret=True)
    region: str = setting(
        "cluster, first part of the host's name: ewr1, sjc1, ams1 …",
        env=("VULTR_S3_REGION",),
        default="ewr1",
    )


provider = Provider(
    name="vultr",
    title="Vultr",
    website="https://www.vultr.com/products/object-storage/",
    account=Vultr,
    services={"storage": Service("vultr", "anysky.providers.vultr.storage:VultrStorage")},
)
