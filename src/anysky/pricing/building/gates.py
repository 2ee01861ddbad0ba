"""See whether the figures that an importer gives can be right, before they become a catalogue."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from anysky.pricing.model import amount_of

from .canaries import wrong_canaries
from .draft import Figure, Spec

__all__ = ["Difference", "change_of", "odd_figures", "only_one_each", "problems"]

_LOWEST, _HIGHEST = Decimal("0.0001"), Decimal(2000)  # an hour of any size, in any currency
_PER_VCPU = (Decimal("0.0004"), Decimal(2))  # the middle one of a vendor, without accelerators
_FEWER = Decimal("0.02")
_CHANGED = Decimal("0.05")
_IN_DISPUTE = Decimal("0.01")
_ODD = Decimal("0.1")
_FEWEST = 3  # sizes that make a family
_EXAMPLES = 3
_GIB = 1024

_Amounts = Mapping[tuple[str, ...], tuple[int, str]]  # billionths and currency by key


class Difference:
    """How the figures of a provider differ from those that it had.

    Attributes:
        before: How many it had on demand.
        after: How many it has.
        changed: How many have another amount.
        new: How many it had not.
        gone: How many it has no longer.
    """

    def __init__(self, before: _Amounts, after: _Amounts) -> None:
        both = before.keys() & after.keys()
        self.before = len(before)
        self.after = len(after)
        self.changed = sum(before[key] != after[key] for key in both)
        self.new = len(after) - len(both)
        self.gone = len(before) - len(both)


def change_of(before: Iterable[Figure], after: Iterable[Figure]) -> Difference:
    """Compare the figures on demand of one provider."""
    old, new = (
        {one.key: (one.nano, one.currency) for one in figures if one.term == "ondemand"}
        for figures in (before, after)
    )
    return Difference(old, new)


def only_one_each(figures: Iterable[Figure]) -> tuple[list[Figure], list[str]]:
    """Keep one figure for each key; what is in dispute is kept by none, and named."""
    found: dict[tuple[str, ...], dict[tuple[int, str], Figure]] = defaultdict(dict)
    for one in figures:
        found[one.key].setdefault((one.nano, one.currency), one)
    kept = [next(iter(one.values())) for one in found.values() if len(one) == 1]
    disputed = {key: one for key, one in found.items() if len(one) > 1}
    return kept, [_dispute(key, one) for key, one in sorted(disputed.items())]


def _dispute(key: tuple[str, ...], prices: Iterable[tuple[int, str]]) -> str:
    amounts = ", ".join(f"{amount_of(nano)} {currency}" for nano, currency in sorted(prices))
    return f"{' '.join(key[1:])}: {amounts}"


def problems(
    figures: Sequence[Figure],
    specs: Mapping[str, Spec],
    change: Difference,
    disputes: int,
) -> list[str]:
    """Say what speaks against the figures of one provider; nothing if they can be right."""
    return [
        *_none(figures),
        *wrong_canaries(figures),
        *_out_of_range(figures),
        *_wrong_unit(figures, specs),
        *_change(change),
        *_disputed(len(figures), disputes),
    ]


def _none(figures: Sequence[Figure]) -> list[str]:
    return [] if figures else ["there is no figure"]


def _out_of_range(figures: Iterable[Figure]) -> list[str]:
    odd = [one for one in figures if not _LOWEST <= amount_of(one.nano) <= _HIGHEST]
    return [
        f"{one.size} {one.region} is {amount_of(one.nano)} {one.currency} an hour"
        for one in odd[:3]
    ]


def _wrong_unit(figures: Iterable[Figure], specs: Mapping[str, Spec]) -> list[str]:
    """A price in cents, or of a month, shows in the middle price of a vCPU."""
    each: list[Decimal] = []
    for one in figures:
        spec = specs.get(one.size)
        if spec is not None and spec.vcpu and not spec.gpus:
            each.append(amount_of(one.nano) / Decimal(str(spec.vcpu)))
    if not each or _PER_VCPU[0] <= (middle := statistics.median_low(each)) <= _PER_VCPU[1]:
        return []
    return [f"a vCPU costs {middle:.6f} an hour, which cannot be: look at the unit"]


def _change(change: Difference) -> list[str]:
    if not change.before:
        return []
    found: list[str] = []
    if change.after < change.before * (1 - _FEWER):
        found.append(f"{change.after} figures in place of {change.before}")
    both = change.before - change.gone
    if both and change.changed > both * _CHANGED:
        found.append(f"{change.changed} of {both} figures changed")
    return found


def _disputed(figures: int, disputes: int) -> list[str]:
    if disputes <= figures * _IN_DISPUTE:
        return []
    return [f"{disputes} figures are in dispute beside {figures} that are not"]


def odd_figures(figures: Iterable[Figure], specs: Mapping[str, Spec]) -> list[str]:
    """Name figures that are not in proportion to those of their family.

    A family has the same name but for its numbers, and the same memory for each vCPU.
    """
    families: dict[tuple[object, ...], list[tuple[Decimal, Figure]]] = defaultdict(list)
    for one in figures:
        spec = specs.get(one.size)
        if spec is not None and spec.vcpu and spec.ram_mb and not spec.burstable:
            ratio = round(spec.ram_mb / spec.vcpu / _GIB, 1)
            name = one.size.partition(".")[0] if "." in one.size else re.sub(r"\d+", "", one.size)
            key = (name, ratio, one.region, one.os, one.term, one.currency)
            families[key].append((one.nano / Decimal(str(spec.vcpu)), one))
    return sorted(name for family in families.values() for name in _odd_ones(family))


def _odd_ones(family: Sequence[tuple[Decimal, Figure]]) -> list[str]:
    if len(family) < _FEWEST:
        return []
    middle = statistics.median_low([each for each, _ in family])
    return [
        f"{one.size} {one.region} {one.os}: {each / middle:.2f} times its family"
        for each, one in family
        if abs(each / middle - 1) > _ODD
    ]
