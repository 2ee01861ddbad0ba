"""Amazon Web Services: EC2, S3 (and whatever speaks its protocol), Route 53.

Vendor's references: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/,
https://docs.aws.amazon.com/AmazonS3/latest/API/ and https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from typing import ClassVar

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret

__all__ = ["AWS", "provider"]


@account
class AWS(Account):
    """Settings for AWS; without any, credentials and region come from where its SDKs look."""

    positional: ClassVar[tuple[str, ...]] = ("access_key_id", "secret_access_key")

    access_key_id: str | None = setting("access key ID", default=None)
    secret_access_key: Secret | None = setting("secret access key", default=None, secret=True)
    token: Secret | None = setting("session token", default=None, secret=True)
    profile: str | None = setting("profile in ~/.aws, in place of AWS_PROFILE", default=None)
    region: str | None = setting(
        "region, for example eu-west-1; else AWS_REGION, AWS_DEFAULT_REGION or the profile's",
        default=None,
    )
    endpoint: str = setting(
        "URL of the service, for another than AWS's own; else AWS_ENDPOINT_URL_EC2, _S3, "
        "_ROUTE_53 or AWS_ENDPOINT_URL",
        default="",
    )


provider = Provider(
    name="aws",
    title="Amazon Web Services",
    website="https://aws.amazon.com",
    account=AWS,
    services={
        "compute": Service("ec2", "anysky.providers.aws.compute:EC2"),
        "storage": Service("s3", "anysky.providers.aws.storage:S3"),
        "dns": Service("route53", "anysky.providers.aws.dns:Route53"),
    },
)
