"""Figures that vendors' public addresses were recorded to give, by hand."""

from __future__ import annotations

from decimal import Decimal

from .draft import Draft, Figure, Source, Spec, Vendor, exact_nano
from .regions import regions_of

__all__ = ["add_recorded"]

_PROVIDERS = (
    Vendor("linode", "Akamai Linode", "USD", "https://www.linode.com/pricing/", 672, 3600),
    Vendor("upcloud", "UpCloud", "EUR", "https://upcloud.com/pricing/", 672, 3600),
    Vendor("vultr", "Vultr", "USD", "https://www.vultr.com/pricing/", 672, 3600),
)
_YEAR = "2026-01-01"  # the recordings tell no more than the year
_URLS = {
    "linode": ("https://api.linode.com/v4/linode/types", _YEAR),
    "upcloud": ("https://api.upcloud.com/1.3/price", _YEAR),
    "vultr": ("https://api.vultr.com/v2/plans", _YEAR),
}
_SPECS = {
    ("linode", "g6-nanode-1"): Spec(1, 1024, 25, 0, arch="x86_64", burstable=True),
    ("upcloud", "1xCPU-1GB"): Spec(1, 1024, 25, 0, arch="x86_64", burstable=False),
    ("vultr", "vc2-1c-1gb"): Spec(1, 1024, 25, 0, arch="x86_64", burstable=True),
    ("vultr", "vcg-a16-2c-16g-4vram"): Spec(
        2, 16384, 80, 0.25, "NVIDIA A16", 4096, "x86_64", burstable=False
    ),
}
# Provider, size, price, currency, regions.
_BASE = (
    "us-east us-central us-west ca-central eu-west eu-central ap-south ap-northeast ap-west"
    " ap-southeast"
)
_FIGURES = (
    ("linode", "g6-nanode-1", "0.0075", "USD", _BASE),
    ("linode", "g6-nanode-1", "0.009", "USD", "id-cgk"),
    ("upcloud", "1xCPU-1GB", "0.011309", "EUR", "au-syd1"),
    ("vultr", "vc2-1c-1gb", "0.007", "USD", "ewr ord"),
    ("vultr", "vc2-1c-1gb", "0.01", "USD", "sao"),
    ("vultr", "vcg-a16-2c-16g-4vram", "0.118", "USD", "ewr fra"),
)


def add_recorded(draft: Draft) -> None:
    """Add the recorded figures to a catalogue."""
    draft.providers += _PROVIDERS
    draft.specs |= _SPECS
    for provider, size, price, currency, names in _FIGURES:
        source = Source(*_URLS[provider])
        nano = exact_nano(Decimal(price))
        for region in names.split():
            draft.regions[provider, region] = regions_of(provider)[region]
            draft.figures.append(Figure(provider, size, region, nano, source, currency))
