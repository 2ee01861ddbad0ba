"""Compose the prices of Google's machine types from those of their vCPUs and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from .draft import Component, Figure, Rate, Source, Spec, exact_nano

__all__ = ["SERIES", "SHARED", "WHOLE", "gce_components", "gce_figures", "gce_rates", "gce_specs"]

# https://cloud.google.com/compute/docs/machine-resource: vCPUs, GiB for each of them.
SERIES: dict[str, tuple[tuple[int, ...], str]] = {
    "e2-standard": ((2, 4, 8, 16, 32), "4"),
    "e2-highmem": ((2, 4, 8, 16), "8"),
    "e2-highcpu": ((2, 4, 8, 16, 32), "1"),
    "n1-standard": ((1, 2, 4, 8, 16, 32, 64, 96), "3.75"),
    "n1-highmem": ((2, 4, 8, 16, 32, 64, 96), "6.5"),
    "n1-highcpu": ((2, 4, 8, 16, 32, 64, 96), "0.9"),
    "n2-standard": ((2, 4, 8, 16, 32, 48, 64, 80, 96, 128), "4"),
    "n2-highmem": ((2, 4, 8, 16, 32, 48, 64, 80, 96), "8"),
    "n2-highcpu": ((2, 4, 8, 16, 32, 48, 64, 80, 96), "1"),
    "n2d-standard": ((2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224), "4"),
    "n2d-highmem": ((2, 4, 8, 16, 32, 48, 64, 80, 96), "8"),
    "n2d-highcpu": ((2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224), "1"),
    "c2-standard": ((4, 8, 16, 30, 60), "4"),
}
# vCPUs that are billed, GiB, vCPUs that a node has.
SHARED = {
    "e2-micro": ("0.25", "1", 2), "e2-small": ("0.5", "2", 2), "e2-medium": ("1", "4", 2),
}  # fmt: skip
WHOLE = {"f1-micro": ("f1", 0.2, "0.6"), "g1-small": ("g1", 0.5, "1.7")}
_TERMS = {
    "on_demand": "ondemand", "1yr_commitment": "commit-1y", "3yr_commitment": "commit-3y",
}  # fmt: skip
_CUSTOM = {"e2_custom": "e2", "n1_custom": "n1", "n2_custom": "n2", "n2d_custom": "n2d"}
_DISKS = {
    "Standard": "pd-standard", "SSD": "pd-ssd", "Regional Standard": "regional-pd-standard",
    "Regional SSD": "regional-pd-ssd", "Local SSD": "local-ssd",
}  # fmt: skip
_HOURS = 720  # by which the file divides a month's price
_DISK_DIGITS = Decimal("0.000001")
_NANO_DIGITS = Decimal("0.000000001")
_MIB = 1024

Prices = Mapping[str, Any]


def gce_figures(compute: Mapping[str, Prices], url: str, as_of: str) -> Iterator[Figure]:
    """Yield the figures of machine types whose parts all have a price.

    A sum is rounded to a billionth, as Google's own list rounds it further.
    """
    instances = compute.get("gce_instances", {})
    composed, recorded = Source(url, as_of, "composed"), Source(url, as_of)
    for name, (vcpu, gib) in _parts().items():
        family = instances.get(name.partition("-")[0], {})
        for term, term_name in _TERMS.items():
            cores, memory = (_of(family, part, term) for part in ("cpu", "ram"))
            for region in sorted(cores.keys() & memory.keys()):
                price = cores[region] * vcpu + memory[region] * gib
                nano = exact_nano(price.quantize(_NANO_DIGITS, ROUND_HALF_EVEN))
                yield Figure("gcp", name, region, nano, composed, term=term_name)
    for name, (family_name, _, _) in WHOLE.items():
        for region, price in sorted(
            _of(instances.get(family_name, {}), "cpu", "on_demand").items()
        ):
            yield Figure("gcp", name, region, exact_nano(price), recorded)


def _parts() -> dict[str, tuple[Decimal, Decimal]]:
    """Return the vCPUs and GiB of each machine type that are billed."""
    found = {
        f"{series}-{vcpu}": (Decimal(vcpu), vcpu * Decimal(each))
        for series, (counts, each) in SERIES.items()
        for vcpu in counts
    }
    for name, (billed, gib, _) in SHARED.items():
        found[name] = (Decimal(billed), Decimal(gib))
    return found


def _of(family: Prices, part: str, term: str) -> dict[str, Decimal]:
    """Return the prices of one part by region, without those of 0."""
    regions = family.get(part, {}).get(term, {})
    prices = {name: Decimal(str(entry["price"])) for name, entry in regions.items()}
    return {name: price for name, price in prices.items() if price > 0}


def gce_specs() -> dict[str, Spec]:
    """Return what each machine type has."""
    specs = {
        name: Spec(float(vcpu), int(gib * _MIB), gpus=0, arch="x86_64", burstable=False)
        for name, (vcpu, gib) in _parts().items()
    }
    for name, (_, gib, vcpu) in SHARED.items():
        memory = int(Decimal(gib) * _MIB)
        specs[name] = Spec(vcpu, memory, gpus=0, arch="x86_64", burstable=True)
    for name, (_, share, gib) in WHOLE.items():
        memory = int(Decimal(gib) * _MIB)
        specs[name] = Spec(share, memory, gpus=0, arch="x86_64", burstable=True)
    return specs


def gce_components(compute: Mapping[str, Prices], url: str, as_of: str) -> Iterator[Component]:
    """Yield the prices of the parts of machine types made to measure."""
    source = Source(url, as_of)
    instances = compute.get("gce_instances", {})
    for table, family in _CUSTOM.items():
        for part in ("cpu", "ram"):
            for region, price in _of(instances.get(table, {}), part, "on_demand").items():
                yield Component("gcp", region, family, part, exact_nano(price), source)


def gce_rates(compute: Mapping[str, Prices], url: str, as_of: str) -> Iterator[Rate]:
    """Yield the monthly prices of a GiB of disk."""
    source = Source(url, as_of)
    for table, sku in _DISKS.items():
        for region, entry in (
            compute.get("gce_disks", {}).get(table, {}).get("on_demand", {}).items()
        ):
            month = (Decimal(str(entry["price"])) * _HOURS).quantize(_DISK_DIGITS)
            if month > 0:
                nano = exact_nano(month)
                yield Rate("gcp", region, "block-storage", sku, "gib-month", nano, source)
