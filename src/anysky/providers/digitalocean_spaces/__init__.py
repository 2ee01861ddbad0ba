"""DigitalOcean Spaces: object storage, which has keys of its own."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["Spaces", "provider"]


@account
class Spaces(S3Account):
    """Settings for Spaces; make an access key under Spaces Object Storage in the control panel."""

    access_key: str = setting("access key", env=("SPACES_ACCESS_KEY_ID",))
    secret_key: Secret = setting("secret key", env=("SPACES_SECRET_ACCESS_KEY",), secret=True)
    region: str = setting("region, for example fra1", env=("SPACES_REGION",), default="nyc3")


provider = Provider(
    name="digitalocean_spaces",
    title="DigitalOcean Spaces",
    website="https://www.digitalocean.com/products/spaces",
    account=Spaces,
    services={
        "storage": Service(
            "digitalocean_spaces", "anysky.providers.digitalocean_spaces.storage:SpacesStorage"
        )
    },
)
