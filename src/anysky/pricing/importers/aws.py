"""Prices of Amazon EC2, from AWS's price list files.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html

A region has one CSV file of several hundred megabytes, which is read line by line. A size has many
SKUs in it: for dedicated machines, reserved capacity, own licences, hosts. Only one is the price of
a node; all the conditions below are needed to tell it from the others.
"""

from __future__ import annotations

import csv
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor
from anysky.pricing.building.regions import regions_of
from anysky.pricing.errors import VendorDataError

from .base import Document, Importer, Rows, region_table

__all__ = ["importer", "read"]

_INDEX = (
    "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/region_index.json"
)
_LARGEST = 2 * 1024**3
_REGION = re.compile(r"[a-z]+(?:-[a-z]+){1,2}-\d")  # others are zones within one
_NEWER = "ap-east-2 ap TW|ap-southeast-6 ap NZ|ap-southeast-7 ap TH"
_MARKS = ('"Shared"', '"Used"', '"OnDemand"')  # a line without one of them need not be parsed
_NEEDED = {
    "TermType": {"OnDemand"},
    "MarketOption": {"OnDemand"},
    "Unit": {"Hrs"},
    "Currency": {"USD"},
    "Product Family": {"Compute Instance", "Compute Instance (bare metal)"},
    "Location Type": {"AWS Region"},
    "Tenancy": {"Shared"},
    "CapacityStatus": {"Used"},
    "Pre Installed S/W": {"NA", ""},
    "License Model": {"No License required"},
}
_SYSTEMS = {
    "Linux": "linux",
    "Windows": "windows",
    "RHEL": "rhel",
    "Red Hat Enterprise Linux with HA": "rhel-ha",
    "SUSE": "suse",
    "Ubuntu Pro": "ubuntu-pro",
}
_HEAD_LINES = 10
_COLUMNS = frozenset(
    {*_NEEDED, "Operating System", "usageType", "Instance Type", "Region Code", "PricePerUnit"}
)
_BURSTABLE = ("t1.", "t2.", "t3.", "t3a.", "t4g.")
_DISKS = re.compile(r"(?:(\d+) x )?([\d,]+) ?(?:GB)?")
_GIB = 1024

_Row = Mapping[str, str]


class _RegionOffer(msgspec.Struct, rename="camel"):
    region_code: str
    current_version_url: str


class _Index(msgspec.Struct):
    regions: dict[str, _RegionOffer]


def read(document: Document) -> Rows:
    """Read the index of regions, which names their files, or the file of a region."""
    with document.path.open("rb") as file:
        is_index = file.read(1) == b"{"
    return _read_index(document) if is_index else _read_prices(document)


def _read_index(document: Document) -> Rows:
    rows = Rows("aws")
    for one in document.decode(_Index).regions.values():
        if _REGION.fullmatch(one.region_code):
            path = one.current_version_url.removesuffix(".json") + ".csv"
            rows.more.append(urllib.parse.urljoin(document.url or _INDEX, path))
    return rows


def _read_prices(document: Document) -> Rows:
    rows = Rows("aws")
    lines = document.lines()
    header, published = _head(document, lines)
    source = Source(_INDEX, published)
    kept = (line for line in lines if all(mark in line for mark in _MARKS))
    try:
        for values in csv.reader(kept, strict=True):
            if len(values) != len(header):
                raise VendorDataError(f"{document.name} has a line that is not whole")
            _add(rows, dict(zip(header, values, strict=True)), source)
    except csv.Error as error:
        raise VendorDataError(f"{document.name} is not as documented: {error}") from error
    return rows


def _head(document: Document, lines: Iterator[str]) -> tuple[list[str], str]:
    """Read up to the names of the columns; return them and the date of the file."""
    published = document.as_of
    for _, line in zip(range(_HEAD_LINES), lines, strict=False):
        values = next(csv.reader([line]), list[str]())
        if values[:1] == ["Publication Date"] and len(values) > 1:
            published = values[1].partition("T")[0]
        if values[:1] == ["SKU"]:
            if missing := sorted(_COLUMNS - set(values)):
                raise VendorDataError(f"{document.name} has no column {missing[0]!r}")
            return values, published
    raise VendorDataError(f"{document.name} is no price list file")


def _add(rows: Rows, row: _Row, source: Source) -> None:
    os = _SYSTEMS.get(row["Operating System"])
    usage = row["usageType"]
    is_node = "BoxUsage" in usage and "HostBoxUsage" not in usage
    fits = all(row[column] in values for column, values in _NEEDED.items())
    if os is None or not is_node or not fits:
        rows.leave_out("not the price of a node on demand")
        return
    size = row["Instance Type"]
    rows.price(size, [row["Region Code"]], _decimal(row["PricePerUnit"]), source, os=os)
    if size not in rows.specs:
        rows.specs[size] = _spec(size, row)


def _spec(size: str, row: _Row) -> Spec:
    memory = _decimal(row.get("Memory", "").removesuffix(" GiB"))
    vcpu = _decimal(row.get("vCPU", ""))
    gpus = _decimal(row.get("GPU", ""))
    processor = row.get("Physical Processor", "")
    is_arm = "Graviton" in processor or "Apple M" in processor
    return Spec(
        vcpu=None if vcpu is None else float(vcpu),
        ram_mb=None if memory is None else int(memory * _GIB),
        disk_gb=_disk(row.get("Storage", "")),
        gpus=0 if gpus is None else float(gpus),
        arch=("arm64" if is_arm else "x86_64") if processor else None,
        burstable=size.startswith(_BURSTABLE),
    )


def _disk(text: str) -> int | None:
    """Return the gigabytes of ``2 x 300 NVMe SSD`` or ``900 GB NVMe SSD``."""
    match = _DISKS.match(text)
    return int(match[1] or 1) * int(match[2].replace(",", "")) if match else None


def _decimal(text: str) -> Decimal | None:
    try:
        found = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


importer = Importer(
    Vendor(
        "aws", "Amazon Web Services", "USD", "https://aws.amazon.com/ec2/pricing/", granularity=1
    ),
    (_INDEX,),
    read,
    regions=regions_of("aws") | region_table("aws", _NEWER),
    largest=_LARGEST,
    is_regional=True,
)
