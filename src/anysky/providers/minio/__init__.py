"""MinIO: object storage of one's own."""

from __future__ import annotations

from anysky.account import account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret
from anysky.wire.s3_account import S3Account

__all__ = ["MinIO", "provider"]


@account
class MinIO(S3Account):
    """Settings for MinIO; the endpoint is that of your server."""

    access_key: str = setting("access key", env=("MINIO_ACCESS_KEY",))
    secret_key: Secret = setting("secret key", env=("MINIO_SECRET_KEY",), secret=True)
    region: str = setting(
        "region of the server, if it was given one", env=("MINIO_REGION",), default="us-east-1"
    )
    endpoint: str = setting("URL of the server", env=("MINIO_ENDPOINT",), default="")


provider = Provider(
    name="minio",
    title="MinIO",
    website="https://min.io",
    account=MinIO,
    services={"storage": Service("minio", "anysky.providers.minio.storage:MinIOStorage")},
)
