"""Read prices from a CSV file with the columns of `anysky.pricing.exporting`."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from anysky.pricing.errors import VendorDataError
from anysky.pricing.importers.base import Rows

from .draft import Source, Spec

__all__ = ["read_table"]

_NEEDED = (
    "ProviderName", "RegionId", "InstanceType", "ListUnitPrice", "PricingUnit", "PricingCurrency",
    "x_AsOf",
)  # fmt: skip
_QUALITIES = frozenset({"recorded", "composed", "derived", "manual"})
_OURS = {"x_Licence": "included", "x_Upfront": "none", "x_Tenancy": "shared"}
_GIB = 1024

_Row = Mapping[str, str]


def read_table(path: Path) -> dict[str, Rows]:
    """Return the rows of each provider in a file.

    Needed are the columns ``ProviderName``, ``RegionId``, ``InstanceType``, ``ListUnitPrice``,
    ``PricingUnit`` (``Hours``), ``PricingCurrency`` and ``x_AsOf``; what others do not say is
    unknown, or Linux on demand.

    Raises:
        VendorDataError: The file cannot be read, or a line is wrong; it says which.
    """
    found: dict[str, Rows] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
                raise VendorDataError(f"{path} has no column {missing[0]!r}")
            for row in reader:
                name = row["ProviderName"]
                _add(found.setdefault(name, Rows(name)), row, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VendorDataError(f"cannot read {path}: {error}") from error
    if not found:
        raise VendorDataError(f"{path} has no prices")
    return found


def _add(rows: Rows, row: _Row, place: str) -> None:
    try:
        _check(row)
        amount = Decimal(row["ListUnitPrice"])
        spec = _spec(row)
        as_of = dt.date.fromisoformat(row["x_AsOf"]).isoformat()
    except (ValueError, InvalidOperation) as error:
        raise VendorDataError(f"{place}: {error}") from error
    source = Source(row.get("x_Source", ""), as_of, row.get("x_Quality") or "manual")
    rows.price(
        row["InstanceType"],
        [row["RegionId"]],
        amount,
        source,
        currency=row["PricingCurrency"],
        os=row.get("OperatingSystem") or "linux",
        term=row.get("x_Term") or "ondemand",
    )
    if rows.left_out:
        raise VendorDataError(f"{place}: {next(iter(rows.left_out))}")
    rows.specs[row["InstanceType"]] = spec


def _check(row: _Row) -> None:
    if None in row:
        raise ValueError("more cells than columns")
    for name in _NEEDED:
        if not row[name]:
            raise ValueError(f"no {name}")
    if row["PricingUnit"] != "Hours":
        raise ValueError("PricingUnit is not Hours")
    for name, ours in _OURS.items():
        if row.get(name, ours) not in ("", ours):
            raise ValueError(f"{name} is not {ours}")
    if row.get("x_Quality") and row["x_Quality"] not in _QUALITIES:
        raise ValueError("x_Quality is none that is known")


def _spec(row: _Row) -> Spec:
    memory = _number(row, "MemorySize")
    return Spec(
        vcpu=_number(row, "CoreCount"),
        ram_mb=None if memory is None else int(memory * _GIB),
        gpus=_number(row, "GpuCount"),
        gpu=row.get("x_GpuModel") or None,
        arch=row.get("x_Architecture") or None,
    )


def _number(row: _Row, column: str) -> float | None:
    text = row.get(column)
    return float(text) if text else None
