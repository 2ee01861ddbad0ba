"""Google Cloud: Cloud Storage.

Vendor's reference: https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

from typing import ClassVar

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret

__all__ = ["ENDPOINT", "Google", "provider"]

ENDPOINT = "https://storage.googleapis.com"


@account
class Google(Account):
    """Settings for Google Cloud; without any, credentials come from where its SDKs look."""

    positional: ClassVar[tuple[str, ...]] = ("credentials", "private_key")

    credentials: Secret | None = setting(
        "path or text of a JSON file of credentials, or the address of a service account",
        env=("GOOGLE_APPLICATION_CREDENTIALS",),
        default=None,
        secret=True,
    )
    private_key: Secret | None = setting(
        "private key of that service account: PEM, or the path of a file with it",
        default=None,
        secret=True,
    )
    token: Secret | None = setting(
        "access token, in place of credentials",
        env=("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
        default=None,
        secret=True,
    )
    project: str | None = setting(
        "project in which buckets are listed and made; else that of the credentials",
        env=("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
        default=None,
    )
    user_project: str | None = setting(
        "project to bill for requests, as for buckets whose requester pays", default=None
    )
    anonymous: bool = setting("send no credentials: for public data", default=False)
    endpoint: str = setting(
        "URL of the service, for another than Google's own; else STORAGE_EMULATOR_HOST, which "
        "gets no credentials",
        default="",
    )


provider = Provider(
    name="google",
    title="Google Cloud",
    website="https://cloud.google.com",
    account=Google,
    services={
        "storage": Service(
            "google_storage",
            "anysky.providers.google.storage:GoogleStorage",
            others=(
                Service("google_storage_hmac", "anysky.providers.google.hmac:GoogleStorageHMAC"),
            ),
        ),
    },
)
