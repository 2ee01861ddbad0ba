"""Compare two catalogues."""

from __future__ import annotations

from .catalogue import Catalogue
from .model import Price, Record

__all__ = ["PriceChange", "diff"]


class PriceChange(Record):
    """A price that differs between two catalogues.

    Attributes:
        old: The price in the first, or None if it is new.
        new: The price in the second, or None if it is gone.
    """

    __slots__ = ("new", "old")
    old: Price | None
    new: Price | None

    @property
    def kind(self) -> str:
        """``"new"``, ``"gone"`` or ``"changed"``."""
        if self.old is None:
            return "new"
        return "gone" if self.new is None else "changed"


def diff(old: Catalogue, new: Catalogue) -> list[PriceChange]:
    """Return the prices that are new, gone or have another amount, in order.

    Overrides are left aside.

    Raises:
        CatalogueDamagedError: A file cannot be read.
    """
    before = {_key(price): price for price in old.every_price()}
    after = {_key(price): price for price in new.every_price()}
    return [
        PriceChange(old=before.get(key), new=after.get(key))
        for key in sorted(before.keys() | after.keys())
        if _amount(before.get(key)) != _amount(after.get(key))
    ]


def _key(price: Price) -> tuple[str, ...]:
    return (
        price.provider, price.size, price.region, price.os, price.licence, price.term,
        price.upfront, price.tenancy, price.currency, price.unit,
    )  # fmt: skip


def _amount(price: Price | None) -> object:
    return None if price is None else price.amount
