"""Amazon Web Services: EC2, S3 (and whatever speaks its protocol), Route 53, load balancers.

Vendor's references: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/,
https://docs.aws.amazon.com/AmazonS3/latest/API/,
https://docs.aws.amazon.com/Route53/latest/APIReference/ and
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
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
    addressing: str = setting(
        "how S3 names a bucket: path, virtual (a host), or auto for virtual at AWS's own endpoints",
        default="auto",
    )
    endpoint: str = setting(
        "URL of the service, for another than AWS's own; else AWS_ENDPOINT_URL_EC2, _S3, "
        "_ROUTE_53, _ELASTIC_LOAD_BALANCING_V2, _ELASTIC_LOAD_BALANCING or AWS_ENDPOINT_URL",
        default="",
    )


# Names and constants that programs written for Libcloud use for one region each.
_S3_REGIONS = {
    "s3_ap_northeast": "ap-northeast-1",
    "s3_ap_northeast_1": "ap-northeast-1",
    "s3_ap_northeast_2": "ap-northeast-2",
    "s3_ap_south": "ap-south-1",
    "s3_ap_southeast": "ap-southeast-1",
    "s3_ap_southeast2": "ap-southeast-2",
    "s3_ca_central": "ca-central-1",
    "s3_cn_north": "cn-north-1",
    "s3_cn_northwest": "cn-northwest-1",
    "s3_eu_central": "eu-central-1",
    "s3_eu_north_1": "eu-north-1",
    "s3_eu_west": "eu-west-1",
    "s3_eu_west_2": "eu-west-2",
    "s3_eu_west_3": "eu-west-3",
    "s3_sa_east": "sa-east-1",
    "s3_us_east_2": "us-east-2",
    "s3_us_gov_west": "us-gov-west-1",
    "s3_us_west": "us-west-1",
    "s3_us_west_oregon": "us-west-2",
}
_S3_CONSTANTS = {
    "s3_ap_northeast_1": "S3_AP_NORTHEAST1",
    "s3_ap_northeast_2": "S3_AP_NORTHEAST2",
    "s3_eu_north_1": "S3_EU_NORTH1",
    "s3_eu_west_2": "S3_EU_WEST2",
    "s3_eu_west_3": "S3_EU_WEST3",
    "s3_us_east_2": "S3_US_EAST2",
}

provider = Provider(
    name="aws",
    title="Amazon Web Services",
    website="https://aws.amazon.com",
    account=AWS,
    services={
        "compute": Service("ec2", "anysky.providers.aws.compute:EC2"),
        "storage": Service(
            "s3",
            "anysky.providers.aws.storage:S3",
            presets={name: {"region": region} for name, region in _S3_REGIONS.items()},
            constants=_S3_CONSTANTS,
        ),
        "dns": Service("route53", "anysky.providers.aws.dns:Route53"),
        "loadbalancer": Service(
            "alb",
            "anysky.providers.aws.loadbalancer:ELBv2",
            others=(Service("elb", "anysky.providers.aws.elb_classic:ELB"),),
        ),
    },
)
