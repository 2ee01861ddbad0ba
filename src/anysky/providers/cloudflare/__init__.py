"""Cloudflare: R2, object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Cloudflare", "provider"]


@account
class Cloudflare(S3Account):
    """Settings for Cloudflare R2; an R2 API token has an access and a secret key."""

    access_key: str = setting("access key", env=("R2_ACCESS_KEY_ID",))
    secret_key: Secret = setting("secret key", env=("R2_SECRET_ACCESS_KEY",), secret=True)
    account_id: str = setting(
        "id of the account", env=("R2_ACCOUNT_ID", "CLOUDFLARE_ACCOUNT_ID"), default=""
    )
    region: str = setting("region in signatures; R2 has but one", default="auto")


provider = Provider(
    name="cloudflare",
    title="Cloudflare",
    website="https://www.cloudflare.com/developer-platform/products/r2/",
    account=Cloudflare,
    services={"storage": Service("r2", "anysky.providers.cloudflare.storage:R2Storage")},
)
