"""Prices of Exoscale: https://www.exoscale.com/pricing/, in a form for programs.

They are the same in all zones, and do not include the disk. Those in euros are taken.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor

from .base import Document, Importer, Rows, region_table

__all__ = ["importer", "read"]

_URL = "https://portal.exoscale.com/api/pricing/opencompute"
_REGIONS = """
    at-vie-1 eu AT|at-vie-2 eu AT|bg-sof-1 eu BG|ch-dk-2 eu CH|ch-gva-2 eu CH|de-fra-1 eu DE
    de-muc-1 eu DE|hr-zag-1 eu HR
"""
_SIZES = "micro|tiny|small|medium|large|extra_large|huge|mega|titan|jumbo|colossus"
_KEY = re.compile(rf"running_(?:(?P<family>[a-z0-9]+)_)?(?P<size>{_SIZES})")
# vCPUs and MiB of the family that has no name in the list.
_STANDARD = {
    "micro": (1, 512), "tiny": (1, 1024), "small": (2, 2048), "medium": (2, 4096),
    "large": (4, 8192), "extra-large": (4, 16384), "huge": (8, 32768), "mega": (12, 65536),
    "titan": (16, 131072),
}  # fmt: skip


class _Prices(msgspec.Struct):
    eur: dict[str, str | float]


def read(document: Document) -> Rows:
    """Read the list."""
    rows = Rows("exoscale")
    source = Source(_URL, document.as_of)
    for key, text in document.decode(_Prices).eur.items():
        match = _KEY.fullmatch(key)
        if match is None and key != "volume":
            rows.leave_out("another service")
            continue
        amount = _decimal(text)
        if amount is None:
            rows.leave_out("no number")
        elif match is None:
            for region in importer.regions:
                place = (region, "block-storage", "volume")
                rows.rate(place, "gib-hour", amount, source, currency="EUR")
        else:
            family, size = match["family"] or "standard", match["size"].replace("_", "-")
            name = f"{family}.{size}"
            rows.price(name, importer.regions, amount, source, currency="EUR")
            rows.specs[name] = _spec(family, size)
    return rows


def _decimal(text: str | float) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _spec(family: str, size: str) -> Spec:
    is_gpu = family.startswith("gpu")
    vcpu, memory = _STANDARD.get(size, (None, None)) if family == "standard" else (None, None)
    return Spec(vcpu, memory, gpus=None if is_gpu else 0, arch="x86_64", burstable=False)


importer = Importer(
    Vendor("exoscale", "Exoscale", "EUR", "https://www.exoscale.com/pricing/", granularity=1),
    (_URL,),
    read,
    regions=region_table("exoscale", _REGIONS),
)
