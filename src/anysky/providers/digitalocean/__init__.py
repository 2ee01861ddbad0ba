"""DigitalOcean: Droplets and what belongs to them, load balancers, DNS.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

from typing import ClassVar

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret

__all__ = ["DigitalOcean", "provider"]


@account
class DigitalOcean(Account):
    """Settings for DigitalOcean; make a token under API in its control panel."""

    positional: ClassVar[tuple[str, ...]] = ("token",)

    token: Secret = setting(
        "personal access token",
        env=("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"),
        secret=True,
    )
    region: str | None = setting(
        "region for what is made without a location, for example fra1",
        env=("DIGITALOCEAN_REGION",),
        default=None,
    )
    endpoint: str = setting(
        "URL of the API",
        env=("DIGITALOCEAN_ENDPOINT",),
        default="https://api.digitalocean.com",
    )


_CONSTANTS = {"digitalocean": "DIGITAL_OCEAN"}

provider = Provider(
    name="digitalocean",
    title="DigitalOcean",
    website="https://www.digitalocean.com",
    account=DigitalOcean,
    services={
        "compute": Service(
            "digitalocean",
            "anysky.providers.digitalocean.compute:DigitalOceanCompute",
            constants=_CONSTANTS,
        ),
        "dns": Service(
            "digitalocean",
            "anysky.providers.digitalocean.dns:DigitalOceanDNS",
            constants=_CONSTANTS,
        ),
        "loadbalancer": Service(
            "digitalocean",
            "anysky.providers.digitalocean.loadbalancer:DigitalOceanLoadBalancer",
            constants=_CONSTANTS,
        ),
    },
)
