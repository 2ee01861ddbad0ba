"""Prices of Scaleway: https://www.scaleway.com/en/developers/api/product-catalog/public-catalog-api/."""

from __future__ import annotations

import math
import urllib.parse
from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, region_table, with_query

__all__ = ["importer", "read"]

_URL = "https://api.scaleway.com/product-catalog/v2alpha1/public-catalog/products"
_PAGE = 100
_REGIONS = """
    fr-par-1 eu FR|fr-par-2 eu FR|fr-par-3 eu FR|nl-ams-1 eu NL|nl-ams-2 eu NL|nl-ams-3 eu NL
    pl-waw-1 eu PL|pl-waw-2 eu PL|pl-waw-3 eu PL|it-mil-1 eu IT
"""
_ARCHITECTURES = {"x64": "x86_64", "arm64": "arm64"}
_PER_HOUR = {"hour": 1, "minute": 60}
_SOLD = frozenset({"general_availability", "public_beta", "preview"})
_ENDED = "retired"
_WINDOWS = "-WIN"
_SHARED = ("DEV1-", "STARDUST", "PLAY2-", "VC1")
_MIB = 1024 * 1024


class _Money(msgspec.Struct):
    currency_code: str
    units: int = 0
    nanos: int = 0

    @property
    def amount(self) -> Decimal:
        return self.units + Decimal(self.nanos).scaleb(-9)


class _Price(msgspec.Struct):
    retail_price: _Money | None = None


class _Virtual(msgspec.Struct):
    count: int = 0


class _CPU(msgspec.Struct):
    arch: str = ""
    virtual: _Virtual | None = None


class _Memory(msgspec.Struct):
    size: int = 0


class _GPU(msgspec.Struct):
    count: int = 0
    type: str = ""


class _Hardware(msgspec.Struct):
    cpu: _CPU | None = None
    ram: _Memory | None = None
    gpu: _GPU | None = None


class _Properties(msgspec.Struct):
    hardware: _Hardware | None = None


class _Locality(msgspec.Struct):
    zone: str = ""


class _Unit(msgspec.Struct):
    unit: str
    size: int = 1


class _Product(msgspec.Struct):
    product: str
    product_category: str
    locality: _Locality
    price: _Price
    unit_of_measure: _Unit
    status: str
    properties: _Properties | None = None


class _Page(msgspec.Struct):
    products: list[_Product]
    total_count: int


def read(document: Document) -> Rows:
    """Read a page of the catalogue; most products are no instances."""
    rows = Rows("scaleway")
    page = document.decode(_Page)
    rows.entries, rows.announced = len(page.products), page.total_count
    for product in page.products:
        if product.product_category != "Instance":
            rows.leave_out("another service")
        elif not product.locality.zone or product.unit_of_measure.unit not in _PER_HOUR:
            rows.leave_out("not by the hour in a zone")
        elif product.status == _ENDED:
            rows.leave_out("retired")
        else:
            _add(rows, product, Source(_URL, document.as_of))
    if document.url and _page_of(document.url) == 1:
        pages = math.ceil(page.total_count / _PAGE)
        rows.more += [with_query(document.url, page=str(one)) for one in range(2, pages + 1)]
    return rows


def _page_of(url: str) -> int:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    return int(query.get("page", ["1"])[0])


def _add(rows: Rows, product: _Product, source: Source) -> None:
    money, unit = product.price.retail_price, product.unit_of_measure
    if money is None:
        rows.leave_out("not priced")
        return
    size = product.product
    amount = money.amount * _PER_HOUR[unit.unit] / unit.size
    os = "windows" if size.endswith(_WINDOWS) else "linux"
    regions = [product.locality.zone]
    rows.price(size, regions, amount, source, currency=money.currency_code, os=os)
    rows.specs.setdefault(size, _spec(product))


def _spec(product: _Product) -> Spec:
    properties = product.properties or _Properties()
    hardware = properties.hardware or _Hardware()
    cpu, ram, gpu = hardware.cpu, hardware.ram, hardware.gpu
    return Spec(
        vcpu=cpu.virtual.count or None if cpu and cpu.virtual else None,
        ram_mb=ram.size // _MIB or None if ram else None,
        gpus=gpu.count if gpu else 0,
        gpu=gpu.type or None if gpu else None,
        arch=_ARCHITECTURES.get(cpu.arch) if cpu else None,
        burstable=product.product.startswith(_SHARED),
        is_sold=product.status in _SOLD,
    )


importer = Importer(
    Vendor("scaleway", "Scaleway", "EUR", "https://www.scaleway.com/en/pricing/", granularity=3600),
    (f"{_URL}?page_size={_PAGE}&page=1",),
    read,
    regions=region_table("scaleway", _REGIONS),
)
