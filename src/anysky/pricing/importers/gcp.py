"""Prices of Google Compute Engine: https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list.

Google prices vCPUs and memory, and machine types are composed of them. Only the description says
for which family a SKU is, so that those are listed here which are known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import msgspec

from anysky.pricing.building.draft import Component, Source, Spec, Vendor
from anysky.pricing.building.gce import SERIES, SHARED, WHOLE
from anysky.pricing.building.regions import regions_of
from anysky.pricing.model import amount_of

from .base import Document, Importer, Rows, Token, region_table, with_query

__all__ = ["importer", "read"]

_URL = "https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus"
_NEWER = """
    africa-south1 af ZA|asia-south2 ap IN|australia-southeast2 ap AU|europe-central2 eu PL
    europe-north2 eu SE|europe-southwest1 eu ES|europe-west8 eu IT|europe-west9 eu FR
    europe-west10 eu DE|europe-west12 eu IT|me-central1 me QA|me-central2 me SA|me-west1 me IL
    northamerica-northeast2 na CA|northamerica-south1 na MX|southamerica-west1 sa CL
    us-east5 na US|us-south1 na US
"""
_USE = re.compile(r"(?P<kind>.+?) (?P<part>Core|Ram) running in .+")
_COMMITMENT = re.compile(
    r"Commitment(?: v1)?: (?P<kind>.*?) ?(?P<part>Cpu|Ram) in .+ for (?P<years>[13]) Years?"
)
_NOISE = re.compile(r" ?(?:Instance|Predefined)\b")
_FAMILIES = {
    "": "n1", "N1": "n1", "E2": "e2", "N2": "n2", "N2D AMD": "n2d", "Compute optimized": "c2",
    "C2D AMD": "c2d", "C3": "c3", "C3D": "c3d", "C4": "c4", "C4A Arm": "c4a", "C4D": "c4d",
    "H3": "h3", "N4": "n4", "T2A Arm": "t2a", "T2D AMD": "t2d", "Memory-optimized": "m1",
    "M3 Memory-optimized": "m3",
}  # fmt: skip
_CUSTOM = {"Custom": "n1", "N2 Custom": "n2", "N2D AMD Custom": "n2d", "N4 Custom": "n4"}
_WHOLE = {
    "Micro Instance with burstable CPU": "f1-micro", "Small Instance with 1 VCPU": "g1-small",
}  # fmt: skip
_PARTS = {"Core": ("cpu", "h"), "Cpu": ("cpu", "h"), "Ram": ("ram", "GiBy.h")}
_PREDEFINED = "predefined "  # before a family whose parts are only to be composed
_ARM = frozenset({"c4a", "t2a"})
# https://cloud.google.com/compute/docs/machine-resource: vCPUs, GiB for each of them.
_NEWER_SERIES: dict[str, tuple[tuple[int, ...], str]] = {
    "c2d-standard": ((2, 4, 8, 16, 32, 56, 112), "4"),
    "c2d-highmem": ((2, 4, 8, 16, 32, 56, 112), "8"),
    "c2d-highcpu": ((2, 4, 8, 16, 32, 56, 112), "2"),
    "c3-standard": ((4, 8, 22, 44, 88, 176), "4"),
    "c3-highmem": ((4, 8, 22, 44, 88, 176), "8"),
    "c3-highcpu": ((4, 8, 22, 44, 88, 176), "2"),
    "c3d-standard": ((4, 8, 16, 30, 60, 90, 180, 360), "4"),
    "c3d-highmem": ((4, 8, 16, 30, 60, 90, 180, 360), "8"),
    "c4-highcpu": ((2, 4, 8, 16, 32, 48, 96, 192), "2"),
    "c4-standard": ((4, 8, 16, 32, 48, 96, 192), "3.75"),
    "c4-highmem": ((4, 8, 16, 32, 48, 96, 192), "7.75"),
    "c4a-standard": ((1, 2, 4, 8, 16, 32, 48, 64, 72), "4"),
    "c4a-highmem": ((1, 2, 4, 8, 16, 32, 48, 64, 72), "8"),
    "c4a-highcpu": ((1, 2, 4, 8, 16, 32, 48, 64, 72), "2"),
    "h3-standard": ((88,), "4"),
    "n4-standard": ((2, 4, 8, 16, 32, 48, 64, 80), "4"),
    "n4-highmem": ((2, 4, 8, 16, 32, 48, 64, 80), "8"),
    "n4-highcpu": ((2, 4, 8, 16, 32, 48, 64, 80), "2"),
    "t2a-standard": ((1, 2, 4, 8, 16, 32, 48), "4"),
    "t2d-standard": ((1, 2, 4, 8, 16, 32, 48, 60), "4"),
    "m3-megamem": ((64, 128), "15.25"),
    "m3-ultramem": ((32, 64, 128), "30.5"),
}
_UNEVEN = """
    c3d-highcpu-4 8|c3d-highcpu-8 16|c3d-highcpu-16 32|c3d-highcpu-30 59|c3d-highcpu-60 118
    c3d-highcpu-90 177|c3d-highcpu-180 354|c3d-highcpu-360 708|c4-standard-2 7|c4-highmem-2 15
    c4d-standard-2 7|c4d-standard-4 15|c4d-standard-8 31|c4d-standard-16 62|c4d-standard-32 124
    c4d-standard-48 186|c4d-standard-64 248|c4d-standard-96 372|c4d-standard-192 744
    c4d-standard-384 1488|c4d-highcpu-2 3|c4d-highcpu-4 7|c4d-highcpu-8 15|c4d-highcpu-16 30
    c4d-highcpu-32 60|c4d-highcpu-48 90|c4d-highcpu-64 120|c4d-highcpu-96 180|c4d-highcpu-192 360
    c4d-highcpu-384 720|c4d-highmem-2 15|c4d-highmem-4 31|c4d-highmem-8 63|c4d-highmem-16 126
    c4d-highmem-32 252|c4d-highmem-48 378|c4d-highmem-64 504|c4d-highmem-96 756
    c4d-highmem-192 1512|c4d-highmem-384 3024|m1-megamem-96 1433.6|m1-ultramem-40 961
    m1-ultramem-80 1922|m1-ultramem-160 3844|n2-highmem-128 864
"""
_NANO = Decimal("0.000000001")
_MIB = 1024


class _Money(msgspec.Struct, rename="camel"):
    currency_code: str = ""
    units: str = "0"
    nanos: int = 0

    @property
    def amount(self) -> Decimal:
        return int(self.units) + Decimal(self.nanos).scaleb(-9)


class _Tier(msgspec.Struct, rename="camel"):
    unit_price: _Money


class _Expression(msgspec.Struct, rename="camel"):
    usage_unit: str = ""
    tiered_rates: list[_Tier] = msgspec.field(default_factory=list[_Tier])


class _Info(msgspec.Struct, rename="camel"):
    pricing_expression: _Expression


class _Category(msgspec.Struct, rename="camel"):
    resource_family: str = ""
    usage_type: str = ""


class _Sku(msgspec.Struct, rename="camel"):
    description: str
    category: _Category
    service_regions: list[str] = msgspec.field(default_factory=list[str])
    pricing_info: list[_Info] = msgspec.field(default_factory=list[_Info])

    def price(self, unit: str) -> Decimal | None:
        """Return its price for a unit, or None if it has tiers, or another unit or currency."""
        rates = [
            tier.unit_price
            for info in self.pricing_info[:1]
            for tier in info.pricing_expression.tiered_rates
            if info.pricing_expression.usage_unit == unit
        ]
        is_plain = len(rates) == 1 and rates[0].currency_code == "USD"
        return rates[0].amount if is_plain else None


class _Page(msgspec.Struct, rename="camel"):
    skus: list[_Sku]
    next_page_token: str = ""


def read(document: Document) -> Rows:
    """Read a page of SKUs; most are for something else."""
    rows = Rows("gcp")
    page = document.decode(_Page)
    for sku in page.skus:
        if sku.category.resource_family != "Compute":
            rows.leave_out("another service")
        elif sku.category.usage_type == "Preemptible":
            rows.leave_out("may be interrupted")
        else:
            _add(rows, sku, document.as_of)
    if page.next_page_token:
        rows.more.append(with_query(document.url or _FIRST, pageToken=page.next_page_token))
    return rows


def _add(rows: Rows, sku: _Sku, day: str) -> None:
    source = Source(_URL, day)
    whole = _WHOLE.get(sku.description.partition(" running in ")[0])
    if whole:
        rows.price(whole, sku.service_regions, sku.price("h"), source)
        return
    family, part, term = _meant(sku)
    if not family:
        rows.leave_out("no part of a known family")
        return
    resource, unit = _PARTS[part]
    price = sku.price(unit)
    for region in sku.service_regions:
        rows.component((region, family, resource), price, source, term=term)


def _meant(sku: _Sku) -> tuple[str, str, str]:
    """Return family, part and term of a SKU; empty if they are not known."""
    if sku.category.usage_type == "OnDemand":
        match, term = _USE.fullmatch(sku.description), "ondemand"
    else:
        match = _COMMITMENT.fullmatch(sku.description)
        term = f"commit-{match['years']}y" if match else ""
    if not match:
        return "", "", ""
    kind = _NOISE.sub("", match["kind"])
    if kind in _CUSTOM and term == "ondemand":
        return _CUSTOM[kind], match["part"], term
    known = _FAMILIES.get(kind)
    return (f"{_PREDEFINED}{known}", match["part"], term) if known else ("", "", "")


def _complete(rows: Rows) -> Rows:
    """Compose the machine types of their parts."""
    prices: dict[tuple[str, str, str, str], set[int]] = defaultdict(set)
    dates: dict[str, Source] = {}
    for one in rows.components:
        prices[one.region, one.family, one.term, one.resource].add(one.nano)
        dates[one.region] = one.source
    known = {key: amount_of(min(found)) for key, found in prices.items() if len(found) == 1}
    if disputes := len(prices) - len(known):
        rows.left_out["in dispute"] += disputes
    machines, specs = _machines(), _specs()
    places = sorted({key[:3] for key in known if key[3] == "cpu"})
    for region, family, term in places:
        memory = known.get((region, family, term, "ram"))
        if memory is None or not family.startswith(_PREDEFINED):
            continue
        core = known[region, family, term, "cpu"]
        source = Source(_URL, dates[region].as_of, "composed")
        for name, (vcpu, gib) in machines[family.removeprefix(_PREDEFINED)].items():
            price = (core * vcpu + memory * gib).quantize(_NANO, ROUND_HALF_EVEN)
            rows.price(name, [region], price, source, term=term)
    rows.components = list(_parts(rows.components))
    rows.specs |= {one.size: specs[one.size] for one in rows.figures}
    return rows


def _parts(components: list[Component]) -> Iterator[Component]:
    """Yield the parts of sizes made to measure; those of E2 cost what they do in its types."""
    for one in components:
        name = one.family.removeprefix(_PREDEFINED)
        if one.term == "ondemand" and name in (one.family, "e2"):
            yield Component("gcp", one.region, name, one.resource, one.nano, one.source)


@cache
def _machines() -> dict[str, dict[str, tuple[Decimal, Decimal]]]:
    """Return the vCPUs and GiB that are billed for each machine type, by family."""
    found: dict[str, tuple[Decimal, Decimal]] = {
        f"{series}-{vcpu}": (Decimal(vcpu), vcpu * Decimal(each))
        for series, (counts, each) in (SERIES | _NEWER_SERIES).items()
        for vcpu in counts
    }
    for entry in _UNEVEN.replace("\n", "|").split("|"):
        if entry.strip():
            name, gib = entry.split()
            found[name] = (Decimal(name.rpartition("-")[2]), Decimal(gib))
    found |= {name: (Decimal(billed), Decimal(gib)) for name, (billed, gib, _) in SHARED.items()}
    families: dict[str, dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for name, parts in found.items():
        families[name.partition("-")[0]][name] = parts
    return families


@cache
def _specs() -> dict[str, Spec]:
    shares: dict[str, float] = {name: vcpu for name, (_, _, vcpu) in SHARED.items()}
    specs = {
        name: Spec(
            shares.get(name, float(vcpu)),
            int(gib * _MIB),
            gpus=0,
            arch="arm64" if family in _ARM else "x86_64",
            burstable=name in shares,
        )
        for family, machines in _machines().items()
        for name, (vcpu, gib) in machines.items()
    }
    for name, (_, share, gib) in WHOLE.items():
        memory = int(Decimal(gib) * _MIB)
        specs[name] = Spec(share, memory, gpus=0, arch="x86_64", burstable=True)
    return specs


_FIRST = f"{_URL}?pageSize=5000&currencyCode=USD"

importer = Importer(
    Vendor("gcp", "Google Cloud", "USD", "https://cloud.google.com/pricing/list", granularity=1),
    (_FIRST,),
    read,
    _complete,
    regions=regions_of("gcp") | region_table("gcp", _NEWER),
    token=Token("GOOGLE_API_KEY", "X-Goog-Api-Key", "{}"),
)
