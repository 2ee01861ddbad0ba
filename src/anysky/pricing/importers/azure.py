"""Prices of Azure's virtual machines: https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices.

Each region is asked for on its own, because pages of a long list shift while the data change.
"""

from __future__ import annotations

import re
import urllib.parse
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from anysky.pricing.building.azure import azure_spec
from anysky.pricing.building.draft import Source, Vendor
from anysky.pricing.building.regions import regions_of

from .base import Document, Importer, Rows, region_table

__all__ = ["importer", "read"]

_URL = "https://prices.azure.com/api/retail/prices"
_NEWER = """
    austriaeast eu AT|belgiumcentral eu BE|chilecentral sa CL|indonesiacentral ap ID
    israelcentral me IL|italynorth eu IT|jioindiacentral ap IN|jioindiawest ap IN
    malaysiawest ap MY|mexicocentral na MX|newzealandnorth ap NZ|polandcentral eu PL
    qatarcentral me QA|spaincentral eu ES|swedencentral eu SE|swedensouth eu SE|westus3 na US
"""
_SIZE = re.compile(r"(Standard|Basic)_\w+")  # others are dedicated hosts
_OTHER_PRODUCTS = ("CloudServices", "Cloud Services", "Dedicated Host")
_WINDOWS = ("Windows", " Win")
_INTERRUPTED = ("Spot", "Low Priority")
_SAVINGS = {"1 Year": "savings-1y", "3 Years": "savings-3y"}
_RESERVED = {"1 Year": ("reserved-1y", 1), "3 Years": ("reserved-3y", 3)}
_HOURS_OF_A_YEAR = 8760
_NANO = Decimal("0.000000001")


class _Plan(msgspec.Struct, rename="camel"):
    retail_price: Decimal
    term: str


class _Item(msgspec.Struct, rename="camel"):
    currency_code: str
    retail_price: Decimal
    tier_minimum_units: Decimal
    arm_region_name: str
    effective_start_date: str
    meter_name: str
    product_name: str
    sku_name: str
    service_name: str
    unit_of_measure: str
    type: str
    arm_sku_name: str | None = None
    effective_end_date: str | None = None
    is_primary_meter_region: bool = True
    reservation_term: str | None = None
    savings_plan: list[_Plan] | None = None

    @property
    def size(self) -> str:
        return self.arm_sku_name or ""

    @property
    def is_windows(self) -> bool:
        return self.product_name.endswith(_WINDOWS)


class _Page(msgspec.Struct):
    items: list[_Item] = msgspec.field(name="Items")
    next: str | None = msgspec.field(name="NextPageLink", default=None)


def read(document: Document) -> Rows:
    """Read a page of prices."""
    rows = Rows("azure")
    page = document.decode(_Page)
    for item in page.items:
        reason = _unfit(item, document.as_of)
        if reason:
            rows.leave_out(reason)
            continue
        rows.specs.setdefault(item.size, azure_spec(item.size))
        if item.type == "Reservation":
            _add_reservation(rows, item, document.as_of)
        else:
            _add_use(rows, item, document.as_of)
    if page.next:
        rows.more.append(page.next)
    return rows


def _unfit(item: _Item, day: str) -> str:
    """Say why an item is no price of a virtual machine; nothing if it is one."""
    end = item.effective_end_date or "9999"
    reasons = {
        "another service": item.service_name != "Virtual Machines"
        or any(one in item.product_name for one in _OTHER_PRODUCTS),
        "not for sale to all": item.type not in ("Consumption", "Reservation"),
        "may be interrupted": any(
            mark in name for mark in _INTERRUPTED for name in (item.sku_name, item.meter_name)
        ),
        "no size in a region": not (_SIZE.fullmatch(item.size) and item.arm_region_name),
        "not by the hour": item.unit_of_measure != "1 Hour" or item.tier_minimum_units != 0,
        "not in force": not item.effective_start_date[:10] <= day <= end[:10],
        "listed elsewhere too": not item.is_primary_meter_region,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _add_use(rows: Rows, item: _Item, day: str) -> None:
    source, currency = Source(_URL, day), item.currency_code
    size, regions = item.size, [item.arm_region_name]
    os = "windows" if item.is_windows else "linux"
    rows.price(size, regions, item.retail_price, source, currency=currency, os=os)
    if item.is_windows:
        return  # whether a plan covers the licence is not said
    for plan in item.savings_plan or ():
        if term := _SAVINGS.get(plan.term):
            rows.price(size, regions, plan.retail_price, source, currency=currency, term=term)


def _add_reservation(rows: Rows, item: _Item, day: str) -> None:
    """Add a reservation, whose price is for all of its years although its unit is an hour."""
    term, years = _RESERVED.get(item.reservation_term or "", ("", 0))
    if not term:
        rows.leave_out("unknown term")
        return
    hourly = item.retail_price / (_HOURS_OF_A_YEAR * years)
    rows.price(
        item.size,
        [item.arm_region_name],
        hourly.quantize(_NANO, ROUND_HALF_EVEN),
        Source(_URL, day, "derived"),
        currency=item.currency_code,
        term=term,
    )


_REGIONS = regions_of("azure") | region_table("azure", _NEWER)


def _url(region: str) -> str:
    wanted = (
        f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"
        " and (priceType eq 'Consumption' or priceType eq 'Reservation')"
    )
    query = {
        "api-version": "2023-01-01-preview",
        "meterRegion": "'primary'",
        "$filter": wanted,
    }
    return f"{_URL}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}"


importer = Importer(
    Vendor(
        "azure",
        "Microsoft Azure",
        "USD",
        "https://azure.microsoft.com/pricing/details/virtual-machines/",
        granularity=1,
    ),
    tuple(_url(region) for region in sorted(_REGIONS)),
    read,
    regions=_REGIONS,
    is_regional=True,
)
