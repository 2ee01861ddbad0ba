"""Prices of UpCloud: https://developers.upcloud.com/1.3/4-pricing/.

Amounts are cents, in the currency of the account.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor
from anysky.pricing.errors import VendorDataError

from .base import Document, Importer, Rows, Token, region_table

__all__ = ["importer", "read"]

_URL = "https://api.upcloud.com/1.3/price"
_REGIONS = """
    au-syd1 ap AU|de-fra1 eu DE|dk-cph1 eu DK|es-mad1 eu ES|fi-hel1 eu FI|fi-hel2 eu FI
    nl-ams1 eu NL|no-svg1 eu NO|pl-waw1 eu PL|se-sto1 eu SE|sg-sin1 ap SG|uk-lon1 eu GB
    us-chi1 na US|us-nyc1 na US|us-sjo1 na US
"""
_PLAN = "server_plan_"
_SIZE = re.compile(
    r"(?P<kind>[A-Z]+-)?(?P<vcpu>\d+)xCPU-(?P<gib>\d+)GB(?:-(?P<gpus>\d+)x(?P<gpu>\w+))?"
)
_INTERRUPTED = "SPOT"
_CENT = Decimal("0.01")
_MIB = 1024
_PARTS = {"server_core": ("cpu", 1), "server_memory": ("ram", _MIB)}  # and how much of each


class _Entry(msgspec.Struct):
    amount: Decimal
    price: Decimal


class _Prices(msgspec.Struct):
    currency: str
    zone: list[dict[str, str | _Entry]]


class _Document(msgspec.Struct):
    prices: _Prices


def read(document: Document) -> Rows:
    """Read the prices of all zones."""
    rows = Rows("upcloud")
    source = Source(_URL, document.as_of)
    prices = document.decode(_Document).prices
    for zone in prices.zone:
        name = zone.get("name")
        if not isinstance(name, str):
            raise VendorDataError("a zone has no name")
        for key, entry in zone.items():
            if isinstance(entry, _Entry):
                _add(rows, (name, key), entry, source, prices.currency)
    return rows


def _add(rows: Rows, what: tuple[str, str], entry: _Entry, source: Source, currency: str) -> None:
    zone, key = what
    plan = key.removeprefix(_PLAN)
    amount = entry.price * _CENT / entry.amount
    if key in _PARTS:
        resource, size = _PARTS[key]
        place = (zone, "custom", resource)
        rows.component(place, amount * size, source, currency=currency)
    elif plan == key:
        rows.leave_out("another service")
    elif _INTERRUPTED in plan:
        rows.leave_out("may be interrupted")
    else:
        rows.price(plan, [zone], amount, source, currency=currency)
        rows.specs.setdefault(plan, _spec(plan))


def _spec(plan: str) -> Spec:
    match = _SIZE.fullmatch(plan)
    if match is None:
        return Spec()
    return Spec(
        vcpu=int(match["vcpu"]),
        ram_mb=int(match["gib"]) * _MIB,
        gpus=int(match["gpus"] or 0),
        gpu=f"NVIDIA {match['gpu']}" if match["gpu"] else None,
        arch="x86_64",
        burstable=match["kind"] == "DEV-",
    )


importer = Importer(
    Vendor(
        "upcloud", "UpCloud", "EUR", "https://upcloud.com/pricing/", monthly_cap=672,
        granularity=3600,
    ),
    (_URL,),
    read,
    regions=region_table("upcloud", _REGIONS),
    token=Token("UPCLOUD_TOKEN"),
)  # fmt: skip
