"""Ceph: its object gateway (RGW)."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Ceph", "provider"]


@account
class Ceph(S3Account):
    """Settings for a Ceph object gateway; the endpoint is that of your gateway."""

    access_key: str = setting("access key", env=("CEPH_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("CEPH_SECRET_KEY",), secret=True)
    region: str = setting(
        "region in signatures; gateways take any", env=("CEPH_REGION",), default="us-east-1"
    )
    endpoint: str = setting("URL of the gateway", env=("CEPH_ENDPOINT",), default="")


provider = Provider(
    name="ceph",
    title="Ceph",
    website="https://ceph.io",
    account=Ceph,
    services={"storage": Service("s3_rgw", "anysky.providers.ceph.storage:CephStorage")},
)
