"""OVHcloud: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["OVH", "provider"]


@account
class OVH(S3Account):
    """Settings for OVHcloud; an S3 user of a Public Cloud project has both keys."""

    access_key: str = setting("access key", env=("OVH_S3_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("OVH_S3_SECRET_KEY",), secret=True)
    region: str = setting(
        "region in lower case: gra, sbg, de, uk, waw, bhs …", env=("OVH_S3_REGION",), default="gra"
    )


provider = Provider(
    name="ovh",
    title="OVHcloud",
    website="https://www.ovhcloud.com",
    account=OVH,
    services={"storage": Service("ovh", "anysky.providers.ovh.storage:OVHStorage")},
)
