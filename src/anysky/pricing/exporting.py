"""Write the prices of a catalogue for other programs.

Columns are named as in FOCUS (https://focus.finops.org/); what FOCUS does not name begins with
``x_``, as it asks for. An empty cell is unknown.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from typing import IO

from .catalogue import Catalogue
from .model import Price
from .searching import sizes
from .sizes import Size

__all__ = ["COLUMNS", "export_rows", "write_csv", "write_json"]

COLUMNS = (
    "ProviderName", "RegionId", "SkuId", "InstanceType", "OperatingSystem", "ListUnitPrice",
    "PricingUnit", "PricingCurrency", "PricingCategory", "CoreCount", "MemorySize", "GpuCount",
    "x_GpuModel", "x_Architecture", "x_Term", "x_Licence", "x_Upfront", "x_Tenancy", "x_AsOf",
    "x_Source", "x_Quality",
)  # fmt: skip
"""Names of the columns; memory is in GiB."""

_UNITS = {"hour": "Hours"}
_CATEGORIES = {"ondemand": "Standard", "spot": "Dynamic"}
_GIB = 1024


def export_rows(catalogue: Catalogue, providers: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Yield every price as texts by column, in order.

    Args:
        catalogue: Where from; your overrides are left aside.
        providers: Only these.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    wanted = {catalogue.provider_name(name) for name in providers}
    names = [name for (name,) in catalogue.rows("select id from provider order by id")]
    known = {
        (one.provider, one.name): one
        for name in names
        if not wanted or name in wanted
        for one in sizes(catalogue, name)
    }
    for price in catalogue.every_price():
        size = known.get((price.provider, price.size))
        if size is not None:
            yield _row(price, size)


def _row(price: Price, size: Size) -> dict[str, str]:
    values = (
        price.provider, price.region, f"{price.provider}/{price.size}", price.size, price.os,
        f"{price.amount:f}", _UNITS.get(price.unit, price.unit), price.currency,
        _CATEGORIES.get(price.term, "Committed"), _number(size.vcpu),
        _number(None if size.ram_mb is None else size.ram_mb / _GIB), _number(size.gpus),
        size.gpu or "", size.arch or "", price.term, price.licence, price.upfront, price.tenancy,
        price.as_of, price.source, price.quality,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


def write_csv(catalogue: Catalogue, file: IO[str], providers: Collection[str] = ()) -> int:
    """Write every price as CSV; return how many there are."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in export_rows(catalogue, providers):
        writer.writerow(row.values())
        count += 1
    return count


def write_json(catalogue: Catalogue, file: IO[str], providers: Collection[str] = ()) -> int:
    """Write every price as a JSON list, one object a line; return how many there are."""
    count = 0
    for count, row in enumerate(export_rows(catalogue, providers), start=1):
        file.write(("[\n" if count == 1 else ",\n") + json.dumps(row, ensure_ascii=False))
    file.write("\n]\n" if count else "[]\n")
    return count
