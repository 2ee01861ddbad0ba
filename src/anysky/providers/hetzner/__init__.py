"""Hetzner: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Hetzner", "provider"]


@account
class Hetzner(S3Account):
    """Settings for Hetzner's object storage; make S3 credentials in its console."""

    access_key: str = setting("access key", env=("HETZNER_S3_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("HETZNER_S3_SECRET_KEY",), secret=True)
    region: str = setting("location: fsn1, nbg1, hel1", env=("HETZNER_S3_REGION",), default="fsn1")


provider = Provider(
    name="hetzner",
    title="Hetzner",
    website="https://www.hetzner.com/storage/object-storage",
    account=Hetzner,
    services={"storage": Service("hetzner", "anysky.providers.hetzner.storage:HetznerStorage")},
)
