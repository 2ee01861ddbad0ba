"""Clean the EC2 figures of a Libcloud price file.

The file keeps one figure for a size and region out of several: shared or dedicated tenancy,
capacity reservations (0), hosts (only the licence), own licences (no licence). Within a family
and region the price is proportional to the size, and a licence costs the same in all regions, so
that most wrong figures can be told from right ones, and replaced. What cannot is left out.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal

from .draft import Figure, Source, exact_nano

__all__ = ["ec2_figures"]

Table = Mapping[str, Mapping[str, object]]
_Cell = tuple[str, str]  # size and region
_Prices = dict[_Cell, tuple[Decimal, bool]]  # and whether it stood there as it is

_SMALL = {
    "nano": Decimal("0.25"), "micro": Decimal("0.5"), "small": Decimal(1), "medium": Decimal(2),
    "large": Decimal(4), "xlarge": Decimal(8),
}  # fmt: skip
_MULTIPLE = re.compile(r"(\d+)xlarge")
# Accelerators, hosts and bare metal: not proportional, or too dear to guess.
_LEFT_OUT = re.compile(r"(g\d|p\d|inf|trn|dl|vt|f\d|gr|mac)")
_TABLES = {
    "ec2_windows": "windows", "ec2_rhel": "rhel", "ec2_rhel_ha": "rhel-ha", "ec2_suse": "suse",
}  # fmt: skip
_EXACT = Decimal("0.007")
_DEDICATED = (Decimal("1.04"), Decimal("1.12"))
_WITNESSES = 2  # sizes of a family that have to agree
_REGIONS = 4  # in which a licence has to cost the same
_ALIKE = Decimal("0.015")
_FEWEST_DIGITS = -3
_ROUNDING = Decimal("0.002")  # beyond it, one cannot tell how AWS rounds a price


def ec2_figures(compute: Mapping[str, Table], url: str, as_of: str) -> Iterator[Figure]:
    """Yield the figures that are right, or can be put right.

    Args:
        compute: The part ``compute`` of a Libcloud price file.
        url: Where the file comes from.
        as_of: ISO date of the file.
    """
    recorded = Source(url, as_of, "recorded")
    derived = Source(url, as_of, "derived")
    linux = _linux(compute.get("ec2_linux", {}))
    tables = {"linux": linux}
    for table, os in _TABLES.items():
        tables[os] = _with_licence(_decimals(compute.get(table, {})), linux)
    for os, prices in tables.items():
        for (size, region), (price, is_recorded) in sorted(prices.items()):
            source = recorded if is_recorded else derived
            yield Figure("aws", size, region, exact_nano(price), source, os=os)


def _decimals(table: Table) -> dict[_Cell, Decimal]:
    return {
        (size, region): Decimal(str(price))
        for size, regions in table.items()
        for region, price in regions.items()
    }


def _factor(size: str) -> Decimal | None:
    """Return how much larger than ``small`` a size is, or None for one that is left out."""
    family, _, tail = size.partition(".")
    if _LEFT_OUT.match(family):
        return None
    multiple = _MULTIPLE.fullmatch(tail)
    return _SMALL["xlarge"] * int(multiple[1]) if multiple else _SMALL.get(tail)


def _linux(table: Table) -> _Prices:
    families: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for (size, region), price in _decimals(table).items():
        if _factor(size) is not None:
            families[size.partition(".")[0], region][size] = price
    return {
        (size, region): found
        for (_, region), sizes in families.items()
        for size, found in _family(sizes).items()
    }


def _family(sizes: Mapping[str, Decimal]) -> dict[str, tuple[Decimal, bool]]:
    """Return the shared-tenancy prices of one family in one region."""
    factors = {size: _factor(size) or Decimal(1) for size in sizes}
    unit = _unit([price / factors[size] for size, price in sizes.items() if price > 0])
    if unit is None:
        return {}
    expected = {size: unit * factor for size, factor in factors.items()}
    recorded = {
        size: price
        for size, price in sizes.items()
        if price > 0 and _is_close(price, expected[size])
    }
    found = {size: (price, True) for size, price in recorded.items()}
    units = {factors[size]: price / factors[size] for size, price in recorded.items()}
    digits = min(_FEWEST_DIGITS, *(_exponent(price) for price in sizes.values()))
    for size, price in sizes.items():
        if price == 0 or _is_dedicated(price, expected[size]):
            derived = _derived(factors[size], units, digits)
            if derived is not None:
                found[size] = (derived, False)
    return found


def _derived(factor: Decimal, units: Mapping[Decimal, Decimal], digits: int) -> Decimal | None:
    """Return what a size costs by the others, or None if they do not tell it exactly.

    Args:
        factor: How large it is.
        units: What the others cost for their size, by how large they are. The largest tells it
            best, because its price is rounded least; all have to agree on a size larger still.
        digits: To which AWS rounds the prices of the family.
    """
    largest = max(units, default=Decimal(0))
    used = [units[largest]] if largest >= factor else list(units.values())
    exact = [unit * factor for unit in used]
    listed = {one.quantize(Decimal(1).scaleb(digits), ROUND_HALF_UP) for one in exact}
    if len(listed) != 1:
        return None
    (price,) = listed
    return price if all(abs(price / one - 1) < _ROUNDING for one in exact) else None


def _exponent(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _unit(units: list[Decimal]) -> Decimal | None:
    """Return what most sizes cost for their size; the lower of two prices in dispute."""
    votes = [(sum(_is_close(one, other) for one in units), -other) for other in units]
    if not votes:
        return None
    most = -max(votes)[1]
    lower = [one for one in units if _is_dedicated(most, one)]
    same = [one for one in units if _is_close(one, most)]
    if len(lower) + len(same) < _WITNESSES:
        return None
    return statistics.median_low(lower or same)


def _is_close(price: Decimal, expected: Decimal) -> bool:
    return abs(price / expected - 1) < _EXACT


def _is_dedicated(price: Decimal, expected: Decimal) -> bool:
    return _DEDICATED[0] < price / expected < _DEDICATED[1]


def _with_licence(cells: Mapping[_Cell, Decimal], linux: _Prices) -> _Prices:
    """Return the prices with an operating system that costs a licence."""
    found: _Prices = {}
    for size, licence in _licences(cells, linux).items():
        for region in sorted(region for one, region in cells if one == size):
            base = linux.get((size, region))
            if base is None:
                continue
            price, expected = cells[size, region], base[0] + licence
            if price == expected:
                found[size, region] = (price, True)
            elif _is_explained(price, base[0], licence):
                found[size, region] = (expected, False)
    return found


def _licences(cells: Mapping[_Cell, Decimal], linux: _Prices) -> dict[str, Decimal]:
    """Return what the licence for each size costs, where enough regions agree."""
    differences: dict[str, Counter[Decimal]] = defaultdict(Counter)
    for (size, region), price in cells.items():
        base = linux.get((size, region))
        if base is not None and price > base[0]:
            differences[size][price - base[0]] += 1
    best = {size: max(counts.items(), key=_by_votes) for size, counts in differences.items()}
    found = {size: licence for size, (licence, votes) in best.items() if votes >= _REGIONS}
    return {size: licence for size, licence in found.items() if _is_confirmed(size, found)}


def _is_confirmed(size: str, licences: Mapping[str, Decimal]) -> bool:
    """Whether another size as large, or of the family, has a licence of this price for its size."""
    family, _, tail = size.partition(".")
    others = [one for one in licences if one != size]
    same_tail = [licences[one] for one in others if one.endswith(f".{tail}")]
    scale = _factor(size) or Decimal(1)
    same_family = [
        licences[one] / (_factor(one) or Decimal(1)) * scale
        for one in others
        if one.startswith(f"{family}.")
    ]
    return any(_is_alike(licences[size], other) for other in same_tail + same_family)


def _is_alike(price: Decimal, other: Decimal) -> bool:
    return abs(price / other - 1) < _ALIKE


def _by_votes(item: tuple[Decimal, int]) -> tuple[int, Decimal]:
    return item[1], -item[0]


def _is_explained(price: Decimal, base: Decimal, licence: Decimal) -> bool:
    """Whether a figure is that of a reservation, a host, an own licence or dedicated tenancy."""
    return price in (0, base, licence) or _is_dedicated(max(price - licence, Decimal(0)), base)
