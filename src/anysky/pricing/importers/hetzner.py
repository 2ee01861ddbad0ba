"""Prices of Hetzner Cloud: https://docs.hetzner.cloud/reference/cloud#server-types.

All are net, in the currency of the account, which is the euro. They differ between locations.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, Token, region_table, with_query

__all__ = ["importer", "read"]

_URL = "https://api.hetzner.cloud/v1/server_types"
_CURRENCY = "EUR"
_REGIONS = "fsn1 eu DE|nbg1 eu DE|hel1 eu FI|ash na US|hil na US|sin ap SG"
_ARCHITECTURES = {"x86": "x86_64", "arm": "arm64"}
_GIB = 1024


class _Money(msgspec.Struct):
    net: Decimal


class _Price(msgspec.Struct):
    location: str
    price_hourly: _Money


class _ServerType(msgspec.Struct):
    name: str
    architecture: str
    cores: int
    cpu_type: str
    memory: Decimal
    disk: int
    prices: list[_Price]
    deprecated: bool | None = False


class _Pagination(msgspec.Struct):
    next_page: int | None = None


class _Meta(msgspec.Struct):
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)


class _Page(msgspec.Struct):
    server_types: list[_ServerType]
    meta: _Meta = msgspec.field(default_factory=_Meta)


def read(document: Document) -> Rows:
    """Read a page of server types."""
    rows = Rows("hetzner")
    source = Source(_URL, document.as_of)
    page = document.decode(_Page)
    for one in page.server_types:
        rows.specs[one.name] = _spec(one)
        for price in one.prices:
            amount = price.price_hourly.net
            rows.price(one.name, [price.location], amount, source, currency=_CURRENCY)
    if page.meta.pagination.next_page:
        rows.more.append(
            with_query(document.url or importer.urls[0], page=str(page.meta.pagination.next_page))
        )
    return rows


def _spec(one: _ServerType) -> Spec:
    return Spec(
        vcpu=one.cores,
        ram_mb=int(one.memory * _GIB),
        disk_gb=one.disk,
        gpus=0,
        arch=_ARCHITECTURES.get(one.architecture),
        burstable=one.cpu_type == "shared",
        is_sold=not one.deprecated,
    )


importer = Importer(
    Vendor(
        "hetzner",
        "Hetzner Cloud",
        _CURRENCY,
        "https://www.hetzner.com/cloud/",
        monthly_cap=624,  # a month's price is that of 624 hours
        granularity=3600,
    ),
    (f"{_URL}?per_page=50",),
    read,
    regions=region_table("hetzner", _REGIONS),
    token=Token("HCLOUD_TOKEN"),
)
