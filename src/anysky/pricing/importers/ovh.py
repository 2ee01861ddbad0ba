"""Prices of OVHcloud's Public Cloud, from its order catalogue.

https://help.ovhcloud.com/csm/en-api-catalog?id=kb_article_view&sysparm_article=KB0062190

The catalogue of a subsidiary has one price for all regions, apart from local zones and those of
three availability zones, whose plans have names of their own and are left out. It is that of
Ireland: in euros, without tax.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, region_table

__all__ = ["importer", "read"]

_URL = "https://eu.api.ovh.com/v1/order/catalog/public/cloud?ovhSubsidiary=IE"
_REGIONS = """
    BHS5 na CA|DE1 eu DE|GRA7 eu FR|GRA9 eu FR|GRA11 eu FR|RBX-A eu FR|SBG5 eu FR|SBG7 eu FR
    SGP1 ap SG|SYD1 ap AU|UK1 eu GB|WAW1 eu PL
"""
_INSTANCE = "publiccloud-instance"
_PLAN = re.compile(r"(?P<windows>win-)?(?P<size>[a-z0-9-]+)\.consumption")
_DIGITS = -8  # prices are in 1e-8 of the currency's unit
_SHARED = ("s1-", "d2-")
_GIB = 1024


class _Pricing(msgspec.Struct, rename="camel"):
    price: int
    interval: int
    interval_unit: str
    capacities: list[str]
    commitment: int = 0
    type: str = ""


class _CPU(msgspec.Struct):
    cores: int | None = None


class _Memory(msgspec.Struct):
    size: float | None = None


class _Technical(msgspec.Struct):
    cpu: _CPU | None = None
    memory: _Memory | None = None


class _Commercial(msgspec.Struct):
    brick: str | None = None


class _Blobs(msgspec.Struct):
    technical: _Technical | None = None
    commercial: _Commercial | None = None
    tags: list[str] | None = None


class _Addon(msgspec.Struct, rename="camel"):
    plan_code: str
    product: str
    pricings: list[_Pricing]
    blobs: _Blobs | None = None


class _Locale(msgspec.Struct, rename="camel"):
    currency_code: str


class _Catalogue(msgspec.Struct):
    locale: _Locale
    addons: list[_Addon]


def read(document: Document) -> Rows:
    """Read the catalogue; most of it is for other services."""
    rows = Rows("ovh")
    source = Source(_URL, document.as_of)
    catalogue = document.decode(_Catalogue)
    for addon in catalogue.addons:
        plan = _PLAN.fullmatch(addon.plan_code)
        blobs = addon.blobs or _Blobs()
        if addon.product != _INSTANCE or plan is None:
            rows.leave_out("another service or kind of price")
            continue
        if "active" not in (blobs.tags or ()):
            rows.leave_out("not sold")
            continue
        os = "windows" if plan["windows"] else "linux"
        rows.specs.setdefault(plan["size"], _spec(plan["size"], blobs))
        currency = catalogue.locale.currency_code
        for pricing in addon.pricings:
            if _is_hourly(pricing):
                amount = Decimal(pricing.price).scaleb(_DIGITS)
                rows.price(plan["size"], importer.regions, amount, source, currency=currency, os=os)
    return rows


def _is_hourly(pricing: _Pricing) -> bool:
    return (
        (pricing.interval, pricing.interval_unit, pricing.commitment) == (1, "hour", 0)
        and "consumption" in pricing.capacities
        and pricing.type == "consumption"
    )


def _spec(size: str, blobs: _Blobs) -> Spec:
    technical = blobs.technical or _Technical()
    memory = technical.memory.size if technical.memory else None
    is_gpu = blobs.commercial is not None and blobs.commercial.brick == "gpu"
    return Spec(
        vcpu=technical.cpu.cores if technical.cpu else None,
        ram_mb=None if memory is None else int(memory * _GIB),
        gpus=None if is_gpu else 0,
        arch="x86_64",
        burstable=size.startswith(_SHARED),
    )


importer = Importer(
    Vendor(
        "ovh", "OVHcloud", "EUR", "https://www.ovhcloud.com/en-ie/public-cloud/prices/",
        granularity=1,
    ),
    (_URL,),
    read,
    regions=region_table("ovh", _REGIONS),
)  # fmt: skip
