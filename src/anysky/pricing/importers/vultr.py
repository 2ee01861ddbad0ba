"""Prices of Vultr: https://www.vultr.com/api/#tag/plans. A month's bill has a limit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, region_table, with_query

__all__ = ["importer", "read"]

_URL = "https://api.vultr.com/v2/plans"
_REGIONS = """
    ams eu NL|atl na US|blr ap IN|bom ap IN|cdg eu FR|del ap IN|dfw na US|ewr na US|fra eu DE
    hnl na US|icn ap KR|itm ap JP|jnb af ZA|lax na US|lhr eu GB|mad eu ES|man eu GB|mel ap AU
    mex na MX|mia na US|nrt ap JP|ord na US|sao sa BR|scl sa CL|sea na US|sgp ap SG|sjc na US
    sto eu SE|syd ap AU|tlv me IL|waw eu PL|yto na CA
"""
_SHARED = frozenset({"vc2", "vhf", "vhp"})
_GIB = 1024


class _Cost(msgspec.Struct):
    hourly_cost: Decimal | None = None


class _Plan(msgspec.Struct):
    id: str
    type: str
    vcpu_count: int
    ram: int
    disk: int
    locations: list[str]
    hourly_cost: Decimal | None = None
    location_cost: dict[str, _Cost] | list[object] = msgspec.field(default_factory=dict[str, _Cost])
    disk_count: int = 1
    gpu_type: str | None = None
    gpu_vram_gb: int | None = None
    gpu_count: str | int | None = None
    deploy_ondemand: bool = True


class _Links(msgspec.Struct):
    next: str = ""


class _Meta(msgspec.Struct):
    total: int = 0
    links: _Links = msgspec.field(default_factory=_Links)


class _Page(msgspec.Struct):
    plans: list[_Plan]
    meta: _Meta = msgspec.field(default_factory=_Meta)


def read(document: Document) -> Rows:
    """Read a page of plans; some locations have prices of their own."""
    rows = Rows("vultr")
    source = Source(_URL, document.as_of)
    page = document.decode(_Page)
    rows.entries, rows.announced = len(page.plans), page.meta.total
    for plan in page.plans:
        own = plan.location_cost if isinstance(plan.location_cost, dict) else {}
        if not plan.deploy_ondemand:
            rows.leave_out("not on demand")
            continue
        if not plan.locations and not own:
            rows.leave_out("sold nowhere")
            continue
        rows.specs[plan.id] = _spec(plan)
        plain = [one for one in plan.locations if one not in own]
        rows.price(plan.id, plain, plan.hourly_cost, source)
        for location, cost in own.items():
            rows.price(plan.id, [location], cost.hourly_cost, source)
    if page.meta.links.next:
        rows.more.append(with_query(document.url or _FIRST, cursor=page.meta.links.next))
    return rows


def _spec(plan: _Plan) -> Spec:
    gpus = float(Fraction(plan.gpu_count or 0))  # such as "1/4"
    return Spec(
        vcpu=plan.vcpu_count,
        ram_mb=plan.ram,
        disk_gb=plan.disk * plan.disk_count,
        gpus=gpus,
        gpu=(plan.gpu_type or "").replace("_", " ") or None if gpus else None,
        gpu_mem_mb=(plan.gpu_vram_gb or 0) * _GIB or None if gpus else None,
        arch="x86_64",
        burstable=plan.type in _SHARED,
    )


_FIRST = f"{_URL}?per_page=500"

importer = Importer(
    Vendor(
        "vultr", "Vultr", "USD", "https://www.vultr.com/pricing/", monthly_cap=672,
        granularity=3600,
    ),
    (_FIRST,),
    read,
    regions=region_table("vultr", _REGIONS),
)  # fmt: skip
