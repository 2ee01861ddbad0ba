"""Your own prices and discounts, applied on top of a catalogue.

A TOML file; of the entries that match a price, the first one counts::

    [[override]]
    provider = "aws"
    size = "m5.*"
    region = "eu-*"
    factor = "0.93"

    [[override]]
    provider = "aws"
    size = "m5.large"
    region = "us-east-1"
    os = "windows"
    amount = "0.15"
    currency = "USD"

``size`` and ``region`` are patterns as of the shell, ``os`` and ``term`` as well; what is left out
matches anything. ``factor`` and ``amount`` are texts, so that they are exact.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple, cast

from .errors import OverridesError
from .model import Price

__all__ = ["Overrides", "read_overrides"]

_PATTERNS = ("provider", "size", "region", "os", "term")
_KEYS = frozenset({*_PATTERNS, "factor", "amount", "currency"})


class _Entry(NamedTuple):
    patterns: tuple[re.Pattern[str], ...]
    factor: Decimal | None
    amount: Decimal | None
    currency: str

    def matches(self, names: Sequence[str]) -> bool:
        pairs = zip(self.patterns, names, strict=True)
        return all(pattern.fullmatch(name) for pattern, name in pairs)


class Overrides:
    """The entries of an overrides file.

    Args:
        path: The file, as it is named in `Price.source`.
        entries: What its table ``override`` holds.

    Raises:
        OverridesError: An entry is wrong.
    """

    def __init__(self, path: str, entries: Sequence[Mapping[str, Any]]) -> None:
        self._path = path
        self._entries = [
            _entry(f"{path}, override {n}", one) for n, one in enumerate(entries, start=1)
        ]

    def change(self, price: Price) -> Price:
        """Return a price as the entries make it."""
        entry = self._entry((price.provider, price.size, price.region, price.os, price.term))
        if entry is None:
            return price
        changed = {"source": self._path, "quality": "manual"}
        if entry.factor is not None:
            return cast("Price", price.replace(amount=price.amount * entry.factor, **changed))
        return cast("Price", price.replace(amount=entry.amount, currency=entry.currency, **changed))

    def apply(
        self,
        place: tuple[str, str, str],
        key: tuple[str, ...],
        price: Price | None,
        catalogue: str,
    ) -> Price | None:
        """Return what a price is after the entries; an amount also stands for an unknown price.

        Args:
            place: Provider, size and region that were asked for.
            key: Operating system, licence, term, upfront and tenancy.
            price: What the catalogue says.
            catalogue: Version of the catalogue.
        """
        if price is not None:
            return self.change(price)
        os_name, licence, term, upfront, tenancy = key
        entry = self._entry((*place, os_name, term))
        if entry is None or entry.amount is None:
            return None
        provider, size, region = place
        return Price(
            provider=provider, size=size, region=region, amount=entry.amount,
            currency=entry.currency, unit="hour", os=os_name, licence=licence, term=term,
            upfront=upfront, tenancy=tenancy, as_of="", source=self._path, quality="manual",
            catalogue=catalogue,
        )  # fmt: skip

    def _entry(self, names: Sequence[str]) -> _Entry | None:
        return next((entry for entry in self._entries if entry.matches(names)), None)


def read_overrides(path: str | os.PathLike[str]) -> Overrides:
    """Read an overrides file.

    Raises:
        OverridesError: It cannot be read, or is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            data = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise OverridesError(f"cannot read overrides from {os.fspath(path)}: {error}") from error
    entries: Any = data.pop("override", [])
    if data or not isinstance(entries, list):
        raise OverridesError(f"{os.fspath(path)}: only tables [[override]] are expected")
    return Overrides(os.fspath(path), cast("list[Mapping[str, Any]]", entries))


def _entry(place: str, entry: Mapping[str, Any]) -> _Entry:
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise OverridesError(f"{place}: unknown key {', '.join(unknown)}")
    if ("factor" in entry) == ("amount" in entry):
        raise OverridesError(f"{place}: give either a factor or an amount")
    if ("amount" in entry) != ("currency" in entry):
        raise OverridesError(f"{place}: an amount needs a currency, a factor has none")
    patterns = tuple(
        re.compile(fnmatch.translate(_text(place, name, entry.get(name, "*"))))
        for name in _PATTERNS
    )
    return _Entry(
        patterns,
        _number(place, "factor", entry.get("factor")),
        _number(place, "amount", entry.get("amount")),
        _text(place, "currency", entry.get("currency", "")),
    )


def _text(place: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise OverridesError(f"{place}: {name} must be a text")
    return value


def _number(place: str, name: str, value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        number = Decimal(_text(place, name, value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise OverridesError(f'{place}: {name} must be a text with a number above 0, as "0.9"')
    return number
