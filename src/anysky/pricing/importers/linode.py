"""Prices of Akamai Linode: https://techdocs.akamai.com/linode-api/reference/get-linode-types.

A price holds in all regions but those that have their own. A month's bill has a limit.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Figure, Source, Spec, Vendor

from .base import Document, Importer, Rows, region_in, region_table, with_query

__all__ = ["importer", "read"]

_TYPES = "https://api.linode.com/v4/linode/types"
_REGIONS = "https://api.linode.com/v4/regions"
_EVERYWHERE = ""  # in place of a region until all regions are known
# Names of regions, for a build without their list.
_TABLE = """
    us-east na US|us-central na US|us-west na US|us-southeast na US|us-iad na US|us-ord na US
    us-sea na US|us-mia na US|us-lax na US|ca-central na CA|eu-west eu GB|eu-central eu DE
    gb-lon eu GB|de-fra-2 eu DE|fr-par eu FR|nl-ams eu NL|se-sto eu SE|es-mad eu ES|it-mil eu IT
    ap-south ap SG|ap-northeast ap JP|ap-west ap IN|ap-southeast ap AU|in-maa ap IN|in-bom-2 ap IN
    jp-osa ap JP|jp-tyo-3 ap JP|id-cgk ap ID|sg-sin-2 ap SG|au-mel ap AU|br-gru sa BR
"""
_SHARED = frozenset({"nanode", "standard"})
_ELSEWHERE = frozenset({"gpu", "premium", "accelerated"})  # classes that few regions have
_CORE = "core"
_MIB = 1024


class _Price(msgspec.Struct):
    hourly: Decimal | None = None


class _RegionPrice(msgspec.Struct):
    id: str
    hourly: Decimal | None = None


class _Entry(msgspec.Struct, rename={"kind": "class"}):
    """A type, or a region."""

    id: str
    kind: str = ""
    vcpus: int = 0
    memory: int = 0
    disk: int = 0
    gpus: int = 0
    price: _Price | None = None
    region_prices: list[_RegionPrice] = msgspec.field(default_factory=list[_RegionPrice])
    country: str = ""
    capabilities: list[str] = msgspec.field(default_factory=list[str])
    site_type: str = _CORE


class _Page(msgspec.Struct):
    data: list[_Entry]
    page: int
    pages: int


def read(document: Document) -> Rows:
    """Read a page of types or of regions."""
    rows = Rows("linode")
    page = document.decode(_Page)
    for entry in page.data:
        if entry.price is not None:
            _add_type(rows, entry, document.as_of)
        elif entry.country and entry.site_type == _CORE:
            rows.regions[entry.id] = region_in("linode", entry.id, entry.country)
    if page.page < page.pages:
        rows.more.append(with_query(document.url or _TYPES, page=str(page.page + 1)))
    return rows


def _add_type(rows: Rows, entry: _Entry, day: str) -> None:
    if entry.kind in _ELSEWHERE:
        rows.leave_out("not in all regions")
        return
    source = Source(_TYPES, day)
    hourly = None if entry.price is None else entry.price.hourly
    rows.specs[entry.id] = Spec(
        vcpu=entry.vcpus,
        ram_mb=entry.memory,
        disk_gb=entry.disk // _MIB,
        gpus=entry.gpus,
        arch="x86_64",
        burstable=entry.kind in _SHARED,
    )
    rows.price(entry.id, [_EVERYWHERE], hourly, source)
    for one in entry.region_prices:
        rows.price(entry.id, [one.id], one.hourly, source)


def _complete(rows: Rows) -> Rows:
    """Give each price to the regions in which it holds."""
    regions = rows.regions or importer.regions
    own = {(one.size, one.region) for one in rows.figures}
    figures: list[Figure] = []
    for one in rows.figures:
        if one.region != _EVERYWHERE:
            figures.append(one)
            continue
        figures += [
            replace(one, region=name) for name in sorted(regions) if (one.size, name) not in own
        ]
    rows.figures = figures
    return rows


importer = Importer(
    Vendor(
        "linode", "Akamai Linode", "USD", "https://www.linode.com/pricing/", monthly_cap=672,
        granularity=3600,
    ),
    (f"{_TYPES}?page_size=500", f"{_REGIONS}?page_size=500"),
    read,
    _complete,
    regions=region_table("linode", _TABLE),
)  # fmt: skip
