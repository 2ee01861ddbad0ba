"""Akamai Connected Cloud, once Linode: object storage."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Linode", "provider"]


@account
class Linode(S3Account):
    """Settings for Linode's object storage; make an access key in the Cloud Manager."""

    access_key: str = setting("access key", env=("LINODE_OBJ_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("LINODE_OBJ_SECRET_KEY",), secret=True)
    region: str = setting(
        "region as in the endpoint, for example eu-central-1",
        env=("LINODE_OBJ_REGION",),
        default="us-east-1",
    )


provider = Provider(
    name="linode",
    title="Akamai (Linode)",
    website="https://www.linode.com/products/object-storage/",
    account=Linode,
    services={"storage": Service("linode", "anysky.providers.linode.storage:LinodeStorage")},
)
