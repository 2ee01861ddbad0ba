# Made from the providers' folders by tools/make_names.py; run `make generate`.
"""Names of the providers and services of anysky itself; plug-ins are found at run time."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = [
    "FOLDERS",
    "ComputeProvider",
    "DNSProvider",
    "DriverType",
    "LoadBalancerProvider",
    "Provider",
    "StorageProvider",
]


class DriverType(StrEnum):
    """Kinds of service."""

    COMPUTE = "compute"
    STORAGE = "storage"
    DNS = "dns"
    LOADBALANCER = "loadbalancer"


class ComputeProvider(StrEnum):
    """Providers of compute."""

    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    EC2 = "ec2"
    MEMORY = "memory"


class StorageProvider(StrEnum):
    """Providers of object storage."""

    AWS = "aws"
    AZURE = "azure"
    AZURE_BLOBS = "azure_blobs"
    BACKBLAZE = "backblaze"
    BACKBLAZE_B2 = "backblaze_b2"
    CEPH = "ceph"
    CLOUDFLARE = "cloudflare"
    DIGITALOCEAN_SPACES = "digitalocean_spaces"
    GOOGLE = "google"
    GOOGLE_STORAGE = "google_storage"
    GOOGLE_STORAGE_HMAC = "google_storage_hmac"
    HETZNER = "hetzner"
    LINODE = "linode"
    LOCAL = "local"
    MEMORY = "memory"
    MINIO = "minio"
    OPENSTACK = "openstack"
    OPENSTACK_SWIFT = "openstack_swift"
    OVH = "ovh"
    R2 = "r2"
    S3 = "s3"
    S3_AP_NORTHEAST = "s3_ap_northeast"
    S3_AP_NORTHEAST1 = "s3_ap_northeast_1"
    S3_AP_NORTHEAST2 = "s3_ap_northeast_2"
    S3_AP_SOUTH = "s3_ap_south"
    S3_AP_SOUTHEAST = "s3_ap_southeast"
    S3_AP_SOUTHEAST2 = "s3_ap_southeast2"
    S3_CA_CENTRAL = "s3_ca_central"
    S3_CN_NORTH = "s3_cn_north"
    S3_CN_NORTHWEST = "s3_cn_northwest"
    S3_COMPATIBLE = "s3_compatible"
    S3_EU_CENTRAL = "s3_eu_central"
    S3_EU_NORTH1 = "s3_eu_north_1"
    S3_EU_WEST = "s3_eu_west"
    S3_EU_WEST2 = "s3_eu_west_2"
    S3_EU_WEST3 = "s3_eu_west_3"
    S3_RGW = "s3_rgw"
    S3_SA_EAST = "s3_sa_east"
    S3_US_EAST2 = "s3_us_east_2"
    S3_US_GOV_WEST = "s3_us_gov_west"
    S3_US_WEST = "s3_us_west"
    S3_US_WEST_OREGON = "s3_us_west_oregon"
    SCALEWAY = "scaleway"
    VULTR = "vultr"
    WASABI = "wasabi"


class DNSProvider(StrEnum):
    """Providers of DNS."""

    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    MEMORY = "memory"
    ROUTE53 = "route53"


class LoadBalancerProvider(StrEnum):
    """Providers of load balancers."""

    ALB = "alb"
    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    ELB = "elb"
    MEMORY = "memory"


class Provider(StrEnum):
    """All providers, whatever their services."""

    ALB = "alb"
    AWS = "aws"
    AZURE = "azure"
    AZURE_BLOBS = "azure_blobs"
    BACKBLAZE = "backblaze"
    BACKBLAZE_B2 = "backblaze_b2"
    CEPH = "ceph"
    CLOUDFLARE = "cloudflare"
    DIGITALOCEAN_SPACES = "digitalocean_spaces"
    DIGITAL_OCEAN = "digitalocean"
    EC2 = "ec2"
    ELB = "elb"
    GOOGLE = "google"
    GOOGLE_STORAGE = "google_storage"
    GOOGLE_STORAGE_HMAC = "google_storage_hmac"
    HETZNER = "hetzner"
    LINODE = "linode"
    LOCAL = "local"
    MEMORY = "memory"
    MINIO = "minio"
    OPENSTACK = "openstack"
    OPENSTACK_SWIFT = "openstack_swift"
    OVH = "ovh"
    R2 = "r2"
    ROUTE53 = "route53"
    S3 = "s3"
    S3_AP_NORTHEAST = "s3_ap_northeast"
    S3_AP_NORTHEAST1 = "s3_ap_northeast_1"
    S3_AP_NORTHEAST2 = "s3_ap_northeast_2"
    S3_AP_SOUTH = "s3_ap_south"
    S3_AP_SOUTHEAST = "s3_ap_southeast"
    S3_AP_SOUTHEAST2 = "s3_ap_southeast2"
    S3_CA_CENTRAL = "s3_ca_central"
    S3_CN_NORTH = "s3_cn_north"
    S3_CN_NORTHWEST = "s3_cn_northwest"
    S3_COMPATIBLE = "s3_compatible"
    S3_EU_CENTRAL = "s3_eu_central"
    S3_EU_NORTH1 = "s3_eu_north_1"
    S3_EU_WEST = "s3_eu_west"
    S3_EU_WEST2 = "s3_eu_west_2"
    S3_EU_WEST3 = "s3_eu_west_3"
    S3_RGW = "s3_rgw"
    S3_SA_EAST = "s3_sa_east"
    S3_US_EAST2 = "s3_us_east_2"
    S3_US_GOV_WEST = "s3_us_gov_west"
    S3_US_WEST = "s3_us_west"
    S3_US_WEST_OREGON = "s3_us_west_oregon"
    SCALEWAY = "scaleway"
    VULTR = "vultr"
    WASABI = "wasabi"


FOLDERS: Mapping[str, Mapping[str, str]] = {
    "compute": {"aws": "aws", "ec2": "aws", "digitalocean": "digitalocean", "memory": "memory"},
    "storage": {
        "aws": "aws",
        "s3": "aws",
        "s3_ap_northeast": "aws",
        "s3_ap_northeast_1": "aws",
        "s3_ap_northeast_2": "aws",
        "s3_ap_south": "aws",
        "s3_ap_southeast": "aws",
        "s3_ap_southeast2": "aws",
        "s3_ca_central": "aws",
        "s3_cn_north": "aws",
        "s3_cn_northwest": "aws",
        "s3_eu_central": "aws",
        "s3_eu_north_1": "aws",
        "s3_eu_west": "aws",
        "s3_eu_west_2": "aws",
        "s3_eu_west_3": "aws",
        "s3_sa_east": "aws",
        "s3_us_east_2": "aws",
        "s3_us_gov_west": "aws",
        "s3_us_west": "aws",
        "s3_us_west_oregon": "aws",
        "azure": "azure",
        "azure_blobs": "azure",
        "backblaze": "backblaze",
        "backblaze_b2": "backblaze",
        "ceph": "ceph",
        "s3_rgw": "ceph",
        "cloudflare": "cloudflare",
        "r2": "cloudflare",
        "digitalocean_spaces": "digitalocean_spaces",
        "google": "google",
        "google_storage": "google",
        "google_storage_hmac": "google",
        "hetzner": "hetzner",
        "linode": "linode",
        "local": "local",
        "memory": "memory",
        "minio": "minio",
        "openstack": "openstack",
        "openstack_swift": "openstack",
        "ovh": "ovh",
        "s3_compatible": "s3_compatible",
        "scaleway": "scaleway",
        "vultr": "vultr",
        "wasabi": "wasabi",
    },
    "dns": {"aws": "aws", "route53": "aws", "digitalocean": "digitalocean", "memory": "memory"},
    "loadbalancer": {
        "aws": "aws",
        "alb": "aws",
        "elb": "aws",
        "digitalocean": "digitalocean",
        "memory": "memory",
    },
}
