# Made from the providers' folders by tools/make_names.py; run `make generate`.
"""Names of the providers and services of anysky itself; plug-ins are found at run time."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["FOLDERS", "ComputeProvider", "DNSProvider", "DriverType", "Provider", "StorageProvider"]


class DriverType(StrEnum):
    """Kinds of service."""

    COMPUTE = "compute"
    STORAGE = "storage"
    DNS = "dns"


class ComputeProvider(StrEnum):
    """Providers of compute."""

    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    EC2 = "ec2"


class StorageProvider(StrEnum):
    """Providers of object storage."""

    AWS = "aws"
    S3 = "s3"


class DNSProvider(StrEnum):
    """Providers of DNS."""

    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    ROUTE53 = "route53"


class Provider(StrEnum):
    """All providers, whatever their services."""

    AWS = "aws"
    DIGITAL_OCEAN = "digitalocean"
    EC2 = "ec2"
    ROUTE53 = "route53"
    S3 = "s3"


FOLDERS: Mapping[str, Mapping[str, str]] = {
    "compute": {"aws": "aws", "ec2": "aws", "digitalocean": "digitalocean"},
    "storage": {"aws": "aws", "s3": "aws"},
    "dns": {"aws": "aws", "route53": "aws", "digitalocean": "digitalocean"},
}
