"""Settings of services that speak S3, besides AWS's own."""

from __future__ import annotations

from typing import ClassVar

from anysky.account import Account, account, setting
from anysky.secret import Secret

__all__ = ["S3Account"]


@account
class S3Account(Account):
    """An access key for a service that speaks S3, and where that is."""

    positional: ClassVar[tuple[str, ...]] = ("access_key", "secret_key")

    access_key: str = setting("access key", env=("S3_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("S3_SECRET_KEY",), secret=True)
    token: Secret | None = setting(
        "session token of temporary keys", env=("S3_SESSION_TOKEN",), default=None, secret=True
    )
    region: str = setting("region in signatures", env=("S3_REGION",), default="us-east-1")
    addressing: str = setting(
        "how a bucket is named: path, virtual (a host), or auto for what the service prefers",
        default="auto",
    )
    endpoint: str = setting("URL of the service", env=("S3_ENDPOINT",), default="")
