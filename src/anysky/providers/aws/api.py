"""What the services of AWS share: regions, endpoints, error codes.

Vendor's references: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html and
https://docs.aws.amazon.com/general/latest/gr/rande.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    InvalidAccountError,
    InvalidRequestError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.providers.aws.temporary import url_setting

if TYPE_CHECKING:
    from anysky.providers.aws import AWS

__all__ = [
    "DOMAINS",
    "ERRORS",
    "check_region",
    "configured_endpoint",
    "country_of",
    "domain_of",
    "name_region",
    "region_setting",
    "regional_endpoint",
    "service_endpoint",
]

_DOMAIN = "amazonaws.com"
# The partitions of AWS but the usual one, by how their regions' names begin.
_DOMAINS: Mapping[str, str] = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
DOMAINS: tuple[str, ...] = (_DOMAIN, *_DOMAINS.values())
"""Every domain below which services of AWS are."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")

_COUNTRIES: Mapping[str, str] = {
    "af-south-1": "ZA",
    "ap-east-1": "HK",
    "ap-east-2": "TW",
    "ap-northeast-1": "JP",
    "ap-northeast-2": "KR",
    "ap-northeast-3": "JP",
    "ap-south-1": "IN",
    "ap-south-2": "IN",
    "ap-southeast-1": "SG",
    "ap-southeast-2": "AU",
    "ap-southeast-3": "ID",
    "ap-southeast-4": "AU",
    "ap-southeast-5": "MY",
    "ap-southeast-6": "NZ",
    "ap-southeast-7": "TH",
    "ca-central-1": "CA",
    "ca-west-1": "CA",
    "cn-north-1": "CN",
    "cn-northwest-1": "CN",
    "eu-central-1": "DE",
    "eu-central-2": "CH",
    "eu-north-1": "SE",
    "eu-south-1": "IT",
    "eu-south-2": "ES",
    "eu-west-1": "IE",
    "eu-west-2": "GB",
    "eu-west-3": "FR",
    "eusc-de-east-1": "DE",
    "il-central-1": "IL",
    "me-central-1": "AE",
    "me-south-1": "BH",
    "mx-central-1": "MX",
    "sa-east-1": "BR",
    "us-east-1": "US",
    "us-east-2": "US",
    "us-gov-east-1": "US",
    "us-gov-west-1": "US",
    "us-west-1": "US",
    "us-west-2": "US",
}

ERRORS: Mapping[str, type[CloudError]] = {
    "AccessDenied": PermissionDeniedError,
    "AccessDeniedException": PermissionDeniedError,
    "AuthFailure": AuthenticationError,
    "Blocked": PermissionDeniedError,
    "ConcurrentModification": ConflictError,
    "ExpiredToken": AuthenticationError,
    "ExpiredTokenException": AuthenticationError,
    "IncompleteSignature": AuthenticationError,
    "InternalError": ProviderUnavailableError,
    "InternalFailure": ProviderUnavailableError,
    "InvalidAccessKeyId": AuthenticationError,
    "InvalidAction": InvalidRequestError,
    "InvalidClientTokenId": AuthenticationError,
    "InvalidToken": AuthenticationError,
    "MissingAuthenticationToken": AuthenticationError,
    "MissingAuthenticationTokenException": AuthenticationError,
    "NotAuthorized": PermissionDeniedError,
    "OptInRequired": PermissionDeniedError,
    "PendingVerification": PermissionDeniedError,
    "PriorRequestNotComplete": RateLimitedError,
    "RequestExpired": AuthenticationError,
    "RequestLimitExceeded": RateLimitedError,
    "RequestThrottled": RateLimitedError,
    "RequestTimeTooSkewed": AuthenticationError,
    "ServiceUnavailable": ProviderUnavailableError,
    "SignatureDoesNotMatch": AuthenticationError,
    "SlowDown": RateLimitedError,
    "Throttling": RateLimitedError,
    "ThrottlingException": RateLimitedError,
    "TokenRefreshRequired": AuthenticationError,
    "TooManyRequestsException": RateLimitedError,
    "UnauthorizedOperation": PermissionDeniedError,
    "Unavailable": ProviderUnavailableError,
    "UnrecognizedClientException": AuthenticationError,
    "VcpuLimitExceeded": QuotaExceededError,
}

"""Error codes that more than one service has, and what they mean."""


def check_region(region: str) -> str:
    """Return a region's name.

    Raises:
        InvalidAccountError: It cannot be the name of one: it would make another host's address.
    """
    if not _REGION.fullmatch(region) or len(region) > 40:  # noqa: PLR2004 - the longest has 20
        raise InvalidAccountError(
            f"{region[:80]!r} is not the name of an AWS region; one is, for example, eu-west-1"
        )
    return region


def region_setting(account: AWS, environ: Mapping[str, str]) -> str | None:
    """Return the region that needs no file to be read: of the arguments or the environment.

    Raises:
        InvalidAccountError: It cannot be the name of one.
    """
    region = account.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return check_region(region) if region else None


def country_of(region: str) -> str:
    """Return the ISO 3166 code of a region's country; empty for a region that is not known."""
    return _COUNTRIES.get(region, "")


def domain_of(region: str) -> str:
    """Return the domain of a region's services: amazonaws.com, or that of another partition."""
    found = (domain for start, domain in _DOMAINS.items() if region.startswith(start))
    return next(found, _DOMAIN)


def regional_endpoint(service: str, region: str) -> str:
    """Return the URL of a service in a region.

    Args:
        service: First part of the host's name: ``"ec2"``, ``"s3"``, ``"sts"``.
        region: The region.

    Raises:
        InvalidAccountError: It cannot be the name of a region.
    """
    return f"https://{service}.{check_region(region)}.{domain_of(region)}"


def configured_endpoint(service: str, environ: Mapping[str, str]) -> str:
    """Return the URL that the environment names for a service; empty if it names none.

    Args:
        service: Name in ``AWS_ENDPOINT_URL_<SERVICE>``: ``"EC2"``, ``"S3"``, ``"ROUTE_53"``.
        environ: The process's environment.

    Raises:
        InvalidAccountError: What it names is no URL.
    """
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return ""
    specific = url_setting(environ, f"AWS_ENDPOINT_URL_{service}")
    return specific or url_setting(environ, "AWS_ENDPOINT_URL")


def service_endpoint(service: str, account: AWS, environ: Mapping[str, str]) -> str:
    """Return the URL that is configured for a service: empty for AWS's own.

    Args:
        service: See `configured_endpoint`.
        account: The settings; their endpoint comes first.
        environ: The process's environment.

    Raises:
        InvalidAccountError: As `configured_endpoint`.
    """
    return account.endpoint.rstrip("/") or configured_endpoint(service, environ)


def name_region(error: CloudError, region: str) -> None:
    """Add to a failed connection's message that the address follows from the region, if it does.

    It does not when what failed is, say, the metadata service that gives credentials.
    """
    if f".{region}." in error.message:
        error.message += (
            f"; the address follows from the region {region!r}: is that the right name?"
        )
        error.args = (error.message, *error.args[1:])
