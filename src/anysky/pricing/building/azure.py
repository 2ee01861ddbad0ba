"""Take Azure's figures from a Libcloud price file, and give the sizes Azure's own names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from statistics import median

from .draft import Figure, Source, Spec, exact_nano

__all__ = ["azure_aliases", "azure_figures", "azure_name", "azure_spec"]

Table = Mapping[str, Mapping[str, object]]

_NAME = re.compile(
    r"(?P<tier>standard|basic)(?P<family>[a-z]+?)(?P<number>\d+)"
    r"(?P<features>[a-z]*?)(?P<gpu>t4)?(?P<version>v\d)?"
)
_CLOSED_REGIONS = frozenset({"germanycentral", "germanynortheast"})  # Azure Germany ended in 2021
# https://learn.microsoft.com/azure/virtual-machines/sizes/retirement/retired-sizes-list
_RETIRED = re.compile(
    r"Basic_A\d|Standard_(A\d+|NC\d+r?|NC\d+r?s_v2|ND\d+r?s|NV\d+|HB60rs|H\d+m?r?|PB\d+s)"
)
# Memory in GiB for each vCPU; families whose number is that of their vCPUs.
_PER_VCPU = {
    "Dv3": 4, "Dsv3": 4, "Dv4": 4, "Dsv4": 4, "Ddv4": 4, "Ddsv4": 4, "Dav4": 4, "Dasv4": 4,
    "Ev3": 8, "Esv3": 8, "Ev4": 8, "Esv4": 8, "Edv4": 8, "Edsv4": 8, "Eav4": 8, "Easv4": 8,
    "F": 2, "Fs": 2, "Fsv2": 2, "Av2": 2, "Amv2": 8, "Ls": 8, "Lsv2": 8,
}  # fmt: skip
_NEWER = re.compile(r"(?P<kind>Dl|D|E)(?P<features>[adps]*)v[56]")
_PER_VCPU_NEWER = {"Dl": 2, "D": 4, "E": 8}
_LARGEST_NEWER = 64  # vCPUs up to which newer families are in proportion
_MOST_MEMORY = {("Ev3", 64): 432, ("Esv3", 64): 432, ("Eiv3", 64): 432, ("Eisv3", 64): 432}
_FEWER = frozenset({"Ev4", "Esv4", "Edv4", "Edsv4", "Eav4", "Easv4"})
_LARGEST_PLAIN = 48  # vCPUs up to which the E families of version 4 have 8 GiB for each
# vCPUs and GiB of families whose number is only a rank.
_SMALLER: dict[int, tuple[float, float]] = {
    1: (1, 3.5), 2: (2, 7), 3: (4, 14), 4: (8, 28), 11: (2, 14), 12: (4, 28), 13: (8, 56),
    14: (16, 112),
}  # fmt: skip
_LARGER: dict[int, tuple[float, float]] = {**_SMALLER, 5: (16, 56), 15: (20, 140)}
_RANKED = {"D": _SMALLER, "DS": _SMALLER, "Dv2": _LARGER, "DSv2": _LARGER}
_BURSTABLE: dict[str, tuple[float, float]] = {
    "B1ls": (1, 0.5), "B1s": (1, 1), "B1ms": (1, 2), "B2s": (2, 4), "B2ms": (2, 8),
    "B4ms": (4, 16), "B8ms": (8, 32), "B12ms": (12, 48), "B16ms": (16, 64), "B20ms": (20, 80),
}  # fmt: skip
_MIB = 1024
_SPREAD = 2  # how far a licence for a vCPU may be from the middle one of its family and region
_AGREEMENT = Decimal("0.02")
_FEWEST = 3  # sizes of a family that can tell which of them is odd

Cells = Mapping[tuple[str, str], Decimal]
"""Prices by size and region."""


def azure_name(name: str) -> str | None:
    """Return Azure's name for a size, for example ``Standard_D2s_v3`` for ``standardd2sv3``.

    None for low-priority and promotional offers, which are not prices of a size.
    """
    match = _NAME.fullmatch(name)
    if match is None or name.endswith("promo"):
        return None
    family, features = match["family"].upper(), match["features"]
    if (family, features, match["version"]) == ("D", "s", None):  # the calculator's name for DS
        family, features = "DS", ""
    parts = [match["tier"].capitalize(), f"{family}{match['number']}{features}"]
    parts += [part for part in (match["gpu"] and match["gpu"].upper(), match["version"]) if part]
    return "_".join(parts)


def azure_figures(compute: Mapping[str, Table], url: str, as_of: str) -> Iterator[Figure]:
    """Yield the figures for Linux and Windows.

    Left out are those of 0, of closed regions, both where Windows costs less than Linux, and
    those that belong to another size, as their licence tells.
    """
    source = Source(url, as_of, "recorded")
    linux, windows = (_cells(compute.get(f"azure_{os}", {})) for os in ("linux", "windows"))
    cheaper = {key for key in linux.keys() & windows.keys() if windows[key] < linux[key]}
    odd = _odd_licences(linux, windows)
    doubtful = {"linux": cheaper | (odd - _proportional(linux)), "windows": cheaper | odd}
    for os, cells in (("linux", linux), ("windows", windows)):
        for (name, region), amount in cells.items():
            if amount > 0 and region not in _CLOSED_REGIONS and (name, region) not in doubtful[os]:
                yield Figure("azure", name, region, exact_nano(amount), source, os=os)


def _odd_licences(linux: Cells, windows: Cells) -> set[tuple[str, str]]:
    """Return where Windows costs far more or less for a vCPU than in the rest of the family."""
    both = linux.keys() & windows.keys()
    odd: set[tuple[str, str]] = set()
    for family in _by_family({key: windows[key] - linux[key] for key in both}):
        middle = median(family.values())
        if len(family) >= _FEWEST:
            odd |= {
                key
                for key, licence in family.items()
                if not middle / _SPREAD <= licence <= middle * _SPREAD
            }
    return odd


def _proportional(cells: Cells) -> set[tuple[str, str]]:
    """Return what another size of the same family and region confirms."""
    return {
        key
        for family in _by_family(cells)
        for key, amount in family.items()
        if any(
            other != key and abs(amount - found) <= found * _AGREEMENT
            for other, found in family.items()
        )
    }


def _by_family(cells: Cells) -> list[dict[tuple[str, str], Decimal]]:
    """Return the prices of a vCPU, those of a family and region together."""
    families: dict[tuple[str, str], dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for (name, region), amount in cells.items():
        vcpu = azure_spec(name).vcpu
        if vcpu:
            family = re.sub(r"\d+", "", name, count=1)
            families[family, region][name, region] = amount / Decimal(vcpu)
    return list(families.values())


def _cells(table: Table) -> dict[tuple[str, str], Decimal]:
    """Return a table's prices by Azure's name of the size and region."""
    return {
        (name, region): Decimal(str(price))
        for size, regions in table.items()
        if (name := azure_name(size)) is not None
        for region, price in regions.items()
    }


def azure_aliases(compute: Mapping[str, Table]) -> list[tuple[str, str, str, str]]:
    """Return Libcloud's names of sizes beside Azure's."""
    names = {size: azure_name(size) for size in compute.get("azure_linux", {})}
    return [("size", "azure", old, new) for old, new in sorted(names.items()) if new]


def azure_spec(name: str) -> Spec:
    """Return what a size has, as far as its name and family tell."""
    is_sold = not _RETIRED.fullmatch(name)
    short = name.partition("_")[2].replace("_", "")
    if short in _BURSTABLE:
        vcpu, gib = _BURSTABLE[short]
        return Spec(vcpu, int(gib * _MIB), arch="x86_64", gpus=0, burstable=True)
    match = re.fullmatch(r"([A-Z]+)(\d+)([a-z]*)((?:v\d)?)", short)
    found = _vcpu_and_gib(match[1] + match[3] + match[4], int(match[2])) if match else None
    if found is None:
        return Spec(is_sold=is_sold)
    vcpu, gib = found
    is_arm = re.search(r"_[A-Z]+\d+[a-z]*p[a-z]*(_|$)", name) is not None
    arch = "arm64" if is_arm else "x86_64"
    return Spec(vcpu, int(gib * _MIB), arch=arch, gpus=0, burstable=False, is_sold=is_sold)


def _vcpu_and_gib(family: str, number: int) -> tuple[float, float] | None:
    if family in _RANKED:
        return _RANKED[family].get(number)
    if (family, number) in _MOST_MEMORY:
        return number, _MOST_MEMORY[family, number]
    newer = _NEWER.fullmatch(family)
    if newer is not None and number <= _LARGEST_NEWER:
        return number, number * _PER_VCPU_NEWER[newer["kind"]]
    if family not in _PER_VCPU or (family in _FEWER and number > _LARGEST_PLAIN):
        return None
    return number, number * _PER_VCPU[family]
