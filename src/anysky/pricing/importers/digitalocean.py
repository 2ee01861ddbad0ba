"""Prices of DigitalOcean: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Sizes.

The list has only the sizes that the token's account may use. A month's bill ends at 672 hours.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, Token, region_table

__all__ = ["importer", "read"]

_URL = "https://api.digitalocean.com/v2/sizes"
_REGIONS = """
    nyc1 na US|nyc2 na US|nyc3 na US|sfo1 na US|sfo2 na US|sfo3 na US|ams2 eu NL|ams3 eu NL
    sgp1 ap SG|lon1 eu GB|fra1 eu DE|tor1 na CA|blr1 ap IN|syd1 ap AU|atl1 na US|ric1 na US
"""
_SHARED = "s-"  # slugs of Basic Droplets, whose processors are shared
_UNITS = {"gib": 1024, "mib": 1}


class _Amount(msgspec.Struct):
    amount: int = 0
    unit: str = "gib"


class _GPU(msgspec.Struct):
    count: int
    model: str = ""
    vram: _Amount = msgspec.field(default_factory=_Amount)


class _Size(msgspec.Struct):
    slug: str
    memory: int
    vcpus: int
    disk: int
    regions: list[str]
    available: bool
    price_hourly: Decimal | None = None
    gpu_info: _GPU | None = None


class _Pages(msgspec.Struct):
    next: str = ""


class _Links(msgspec.Struct):
    pages: _Pages = msgspec.field(default_factory=_Pages)


class _Page(msgspec.Struct):
    sizes: list[_Size]
    links: _Links = msgspec.field(default_factory=_Links)


def read(document: Document) -> Rows:
    """Read a page of sizes; one without regions is not sold."""
    rows = Rows("digitalocean")
    source = Source(_URL, document.as_of)
    page = document.decode(_Page)
    for size in page.sizes:
        if not size.regions:
            rows.leave_out("sold nowhere")
            continue
        rows.specs[size.slug] = _spec(size)
        rows.price(size.slug, size.regions, size.price_hourly, source)
    if page.links.pages.next:
        rows.more.append(page.links.pages.next)
    return rows


def _spec(size: _Size) -> Spec:
    gpu = size.gpu_info
    return Spec(
        vcpu=size.vcpus,
        ram_mb=size.memory,
        disk_gb=size.disk,
        gpus=gpu.count if gpu else 0,
        gpu=gpu.model or None if gpu else None,
        gpu_mem_mb=gpu.vram.amount * _UNITS.get(gpu.vram.unit, 0) or None if gpu else None,
        arch="x86_64",
        burstable=size.slug.startswith(_SHARED),
        is_sold=size.available,
    )


importer = Importer(
    Vendor(
        "digitalocean",
        "DigitalOcean",
        "USD",
        "https://www.digitalocean.com/pricing/droplets",
        monthly_cap=672,
        granularity=1,
    ),
    (f"{_URL}?per_page=200",),
    read,
    regions=region_table("digitalocean", _REGIONS),
    token=Token("DIGITALOCEAN_TOKEN"),
)
