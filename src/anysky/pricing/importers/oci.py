"""Prices of Oracle Cloud Infrastructure: https://docs.oracle.com/iaas/Content/Billing/Tasks/signingup_topic-Estimating_Costs.htm.

Prices are the same in all commercial regions. Sizes are made to measure of OCPUs and memory; some
are composed here and named after both, as ``VM.Standard.E5.Flex.2.32``: 2 OCPUs, 32 GiB.
"""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal

import msgspec

from anysky.pricing.building.draft import Source, Spec, Vendor
from anysky.pricing.model import amount_of

from .base import Document, Importer, Rows, region_table

__all__ = ["importer", "read"]

_URL = "https://apexapps.oracle.com/pls/apex/cetools/api/v1/products/?currencyCode=USD"
_REGIONS = """
    af-johannesburg-1 af ZA|ap-batam-1 ap ID|ap-chuncheon-1 ap KR|ap-hyderabad-1 ap IN
    ap-melbourne-1 ap AU|ap-mumbai-1 ap IN|ap-osaka-1 ap JP|ap-seoul-1 ap KR|ap-singapore-1 ap SG
    ap-singapore-2 ap SG|ap-sydney-1 ap AU|ap-tokyo-1 ap JP|ca-montreal-1 na CA|ca-toronto-1 na CA
    eu-amsterdam-1 eu NL|eu-frankfurt-1 eu DE|eu-madrid-1 eu ES|eu-marseille-1 eu FR
    eu-milan-1 eu IT|eu-paris-1 eu FR|eu-stockholm-1 eu SE|eu-zurich-1 eu CH|il-jerusalem-1 me IL
    me-abudhabi-1 me AE|me-dubai-1 me AE|me-jeddah-1 me SA|me-riyadh-1 me SA|mx-monterrey-1 na MX
    mx-queretaro-1 na MX|sa-bogota-1 sa CO|sa-santiago-1 sa CL|sa-saopaulo-1 sa BR
    sa-valparaiso-1 sa CL|sa-vinhedo-1 sa BR|uk-cardiff-1 eu GB|uk-london-1 eu GB|us-ashburn-1 na US
    us-chicago-1 na US|us-phoenix-1 na US|us-sanjose-1 na US
"""
_NAME = re.compile(
    r"(?:(?:OCI|Oracle Cloud Infrastructure) - )?Compute - Standard - "
    r"(?P<family>[A-Z]\d+) - (?P<part>OCPU|Memory)"
)
_METRICS = {"OCPU": ("cpu", "OCPU Per Hour"), "Memory": ("ram", "Gigabyte Per Hour")}
# Shape, vCPUs of an OCPU, architecture.
_SHAPES = {
    "A1": ("VM.Standard.A1.Flex", 1, "arm64"),
    "A2": ("VM.Standard.A2.Flex", 2, "arm64"),
    "E3": ("VM.Standard.E3.Flex", 2, "x86_64"),
    "E4": ("VM.Standard.E4.Flex", 2, "x86_64"),
    "E5": ("VM.Standard.E5.Flex", 2, "x86_64"),
    "E6": ("VM.Standard.E6.Flex", 2, "x86_64"),
    "X9": ("VM.Standard3.Flex", 2, "x86_64"),
}
_OCPUS = (1, 2, 4, 8, 16, 32)
_GIB_PER_OCPU = (4, 8, 16)
_MIB = 1024


class _Price(msgspec.Struct):
    model: str
    value: Decimal


class _Localization(msgspec.Struct, rename="camel"):
    currency_code: str
    prices: list[_Price]


class _Item(msgspec.Struct, rename="camel"):
    display_name: str
    metric_name: str | None = None
    currency_code_localizations: list[_Localization] = msgspec.field(
        default_factory=list[_Localization]
    )

    def price(self) -> Decimal | None:
        """Return the price on demand, beyond what is free; None if it has several."""
        found = [
            price.value
            for one in self.currency_code_localizations
            if one.currency_code == "USD"
            for price in one.prices
            if price.model == "PAY_AS_YOU_GO" and price.value > 0
        ]
        return found[0] if len(found) == 1 else None


class _Products(msgspec.Struct):
    items: list[_Item]


def read(document: Document) -> Rows:
    """Read the products; most are for other services."""
    rows = Rows("oci")
    source = Source(_URL, document.as_of)
    for item in document.decode(_Products).items:
        match = _NAME.fullmatch(item.display_name)
        if match is None or match["family"] not in _SHAPES:
            rows.leave_out("no part of a known family")
            continue
        resource, metric = _METRICS[match["part"]]
        if item.metric_name != metric:
            rows.leave_out("another unit")
            continue
        shape = _SHAPES[match["family"]][0]
        for region in importer.regions:
            rows.component((region, shape, resource), item.price(), source)
    return rows


def _complete(rows: Rows) -> Rows:
    """Compose sizes of the shapes whose parts are both known."""
    prices: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for one in rows.components:
        prices[one.family, one.region][one.resource] = amount_of(one.nano)
    composed = Source(_URL, max((one.source.as_of for one in rows.components), default=""),
                      "composed")  # fmt: skip
    for shape, vcpus, arch in _SHAPES.values():
        for ocpus in _OCPUS:
            for each in _GIB_PER_OCPU:
                gib = ocpus * each
                size = f"{shape}.{ocpus}.{gib}"
                for region in importer.regions:
                    parts = prices.get((shape, region), {})
                    if parts.keys() == {"cpu", "ram"}:
                        amount = parts["cpu"] * ocpus + parts["ram"] * gib
                        rows.price(size, [region], amount, composed)
                        rows.specs[size] = Spec(
                            ocpus * vcpus, gib * _MIB, gpus=0, arch=arch, burstable=False
                        )
    return rows


importer = Importer(
    Vendor(
        "oci", "Oracle Cloud Infrastructure", "USD", "https://www.oracle.com/cloud/price-list/",
        granularity=1,
    ),
    (_URL,),
    read,
    _complete,
    regions=region_table("oci", _REGIONS),
)  # fmt: skip
