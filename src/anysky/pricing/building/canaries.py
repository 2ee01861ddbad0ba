"""Figures that are known well: a build in which one differs is held until a person has looked.

A price of these that a vendor really changed is changed here, with the reason in the commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from anysky.pricing.model import amount_of

from .draft import Figure

__all__ = ["CANARIES", "wrong_canaries"]

_Key = tuple[str, str, str, str]

_TABLE = """
    aws m5.large eu-west-1 linux 0.107
    aws m5.large eu-west-1 windows 0.199
    aws m5.xlarge eu-west-1 linux 0.214
    aws m5.large us-east-1 linux 0.096
    aws m5.large us-east-1 windows 0.188
    aws m5.large us-east-1 rhel 0.125
    aws m5.large eu-central-1 linux 0.115
    aws m5.large ap-southeast-2 linux 0.12
    aws m5.large sa-east-1 linux 0.153
    aws c5.large us-east-1 linux 0.085
    aws c5.large eu-west-1 linux 0.096
    aws r5.large us-east-1 linux 0.126
    aws t3.micro us-east-1 linux 0.0104
    aws t3.micro eu-west-1 linux 0.0114
    aws t4g.nano us-east-1 linux 0.0042
    aws m6i.large us-east-1 linux 0.096
    aws m7g.large us-east-1 linux 0.0816
    aws c7g.large us-east-1 linux 0.0725
    azure Standard_B2s eastus linux 0.0416
    azure Standard_D2s_v3 eastus linux 0.096
    azure Standard_D2s_v3 eastus windows 0.188
    azure Standard_D2s_v3 westeurope linux 0.12
    azure Standard_F2s_v2 eastus linux 0.0846
    gcp n2-standard-4 us-central1 linux 0.194236
    gcp e2-medium us-central1 linux 0.03350571
    gcp n1-standard-1 us-central1 linux 0.04749975
    gcp c2-standard-4 us-central1 linux 0.208808
    linode g6-nanode-1 id-cgk linux 0.009
    vultr vc2-1c-1gb ewr linux 0.007
    upcloud 1xCPU-1GB au-syd1 linux 0.011309
    hetzner cpx11 fsn1 linux 0.0088
    digitalocean s-1vcpu-1gb fra1 linux 0.00893
"""


def _read(table: str) -> dict[_Key, Decimal]:
    lines = [line.split() for line in table.splitlines() if line.strip()]
    return {(p, size, region, os): Decimal(amount) for p, size, region, os, amount in lines}


CANARIES = _read(_TABLE)
"""Amounts by provider, size, region and operating system, on demand."""


def wrong_canaries(figures: Iterable[Figure]) -> list[str]:
    """Say which known figures are others here; those that are not here are left."""
    wrong: list[str] = []
    for one in figures:
        if one.term == "ondemand":
            known = CANARIES.get((one.provider, one.size, one.region, one.os))
            if known is not None and known != amount_of(one.nano):
                what = f"{one.size} {one.region} {one.os}"
                wrong.append(f"{what} is {amount_of(one.nano)}, known as {known}")
    return sorted(wrong)
