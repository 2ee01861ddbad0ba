"""Put sizes beside each other: named ones, or the cheapest equivalents of every provider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Unpack

from anysky.errors import InvalidRequestError

from .catalogue import Catalogue
from .errors import PriceUnknownError
from .estimates import Item
from .model import Price, Record
from .searching import SearchOptions, size_of
from .sizes import Size

__all__ = ["Compared", "compare"]

_GIB = 1024
_BILLIONTH = Decimal("0.000000001")
_RATIO = Decimal("0.0001")
_ONE = Decimal(1)


class Compared(Record):
    """One size of a comparison.

    Attributes:
        price: The price of one node for an hour, in the vendor's currency.
        size: What one node has, or None if it is not known.
        count: How many nodes.
        hourly: What all of them cost for an hour, in `currency`.
        monthly: What all of them cost for a month, in `currency`; see `estimate`.
        currency: The currency that was asked for, or the vendor's.
        rate: How much of `currency` one unit of the vendor's is; 1 if nothing was converted.
        ratio: The monthly price divided by that of the first in the same `currency`; None if that
            is free.
    """

    __slots__ = ("count", "currency", "hourly", "monthly", "price", "rate", "ratio", "size")
    price: Price
    size: Size | None
    count: int
    hourly: Decimal
    monthly: Decimal
    currency: str
    rate: Decimal
    ratio: Decimal | None


def compare(catalogue: Catalogue, *items: Item, **wanted: Unpack[SearchOptions]) -> list[Compared]:
    """Return sizes side by side.

    Several items stand in their order. A single one is followed by the cheapest equivalents of
    every provider: those with at least its vCPUs, memory and accelerators, of its architecture,
    operating system and term, in its part of the world, and without shared processors if it has
    none. Without items, `wanted` alone says what sizes have.

    Prices in several currencies are grouped by currency, each compared within itself, unless
    `currency` asks for one.

    Args:
        catalogue: Where prices come from.
        items: Sizes; count and hours of a single one hold for its equivalents as well.
        wanted: What equivalents have, see `anysky.pricing.searching.search`, in place of what the
            item has; `limit` is for each provider, and 1 by default. `currency` is by default
            each vendor's own; what `rates` has no rate for is left out.

    Raises:
        PriceUnknownError: There is no price of an item; says which names are near.
        InvalidRequestError: Nothing says what is wanted, or several items are given as well; or
            there is no rate for an item's currency.
        CatalogueDamagedError: The file cannot be read.
    """
    exchange = _Exchange(wanted.pop("currency", None), wanted.pop("rates", None))
    if len(items) > 1 and wanted:
        raise InvalidRequestError(f"several sizes are compared as they are: no {', '.join(wanted)}")
    if not items and wanted.get("vcpu") is None and wanted.get("ram_gb") is None:
        raise InvalidRequestError("name a size, or say how many vCPUs or how much memory")
    rows = [_row(catalogue, item, exchange) for item in items]
    if len(items) < 2:  # noqa: PLR2004 - one size, or none
        pattern = items[0] if items else _any_item(wanted)
        rows += _equivalents(catalogue, pattern, rows, exchange, wanted)
    return _with_ratios(rows)


class _Exchange:
    """Makes a vendor's currency that of the comparison."""

    def __init__(self, currency: str | None, rates: Mapping[str, Decimal] | None) -> None:
        self.currency = currency
        self.rates = dict(rates or {})

    def rate(self, currency: str) -> Decimal:
        if self.currency in (None, currency):
            return _ONE
        if currency not in self.rates:
            raise InvalidRequestError(f"there is no rate from {currency} to {self.currency}")
        return self.rates[currency]

    def searches(self, catalogue: Catalogue, provider: str) -> Iterator[SearchOptions]:
        """Yield the currencies to search a provider in, one search for each."""
        if self.currency is not None:
            yield {"currency": self.currency, "rates": self.rates}
            return
        for currency in sorted({offer.currency for offer in catalogue.offers(provider)}):
            yield {"currency": currency}


def _any_item(wanted: SearchOptions) -> Item:
    return Item("", "", "", os=wanted.get("os", "linux"), term=wanted.get("term", "ondemand"))


def _row(catalogue: Catalogue, item: Item, exchange: _Exchange) -> Compared:
    (line,) = catalogue.estimate([item]).lines
    price, hourly, monthly = line.price, line.hourly, line.monthly
    if price is None or hourly is None or monthly is None:
        catalogue.price(
            item.provider, item.size, item.region, os=item.os, term=item.term, require=True
        )
        raise PriceUnknownError(f"there is no price of {item.size}")
    rate = exchange.rate(price.currency)
    return Compared(
        price=price,
        size=size_of(catalogue, price.provider, price.size),
        count=item.count,
        hourly=_converted(hourly, rate),
        monthly=_converted(monthly, rate),
        currency=exchange.currency or price.currency,
        rate=rate,
        ratio=None,
    )


def _converted(amount: Decimal, rate: Decimal) -> Decimal:
    if rate == _ONE:
        return amount
    return (amount * rate).quantize(_BILLIONTH, ROUND_HALF_EVEN).normalize()


def _equivalents(
    catalogue: Catalogue,
    pattern: Item,
    named: list[Compared],
    exchange: _Exchange,
    wanted: SearchOptions,
) -> list[Compared]:
    """Return the cheapest sizes of each provider that are as good, the cheapest first."""
    options: dict[str, Any] = {"os": pattern.os, "term": pattern.term}
    for row in named:
        options.update(_like(catalogue, row, wanted))
    options.update(wanted)
    options.setdefault("limit", 1)
    providers = options.pop("providers", ()) or _providers(catalogue)
    places = {_place(row.price) for row in named}
    rows = [
        _row(catalogue, _item(pattern, price), exchange)
        for price in _found(catalogue, providers, exchange, options)
        if _place(price) not in places
    ]
    return sorted(rows, key=lambda row: (row.currency, row.monthly, _place(row.price)))


def _like(catalogue: Catalogue, row: Compared, wanted: SearchOptions) -> SearchOptions:
    """Return what a size has, as what is looked for."""
    size = row.size
    vcpu = None if size is None else size.vcpu
    ram_mb = None if size is None else size.ram_mb
    if size is None or vcpu is None or ram_mb is None:
        raise InvalidRequestError(
            f"{row.price.provider}: it is not known what {row.price.size} has, so that nothing can "
            "be its equivalent: say how many vCPUs and how much memory in place of it"
        )
    like: SearchOptions = {"vcpu": vcpu, "ram_gb": ram_mb / _GIB, "arch": size.arch}
    if size.gpus:
        like["gpus"] = size.gpus
    if size.burstable is False:
        like["burstable"] = False
    if wanted.get("region") is None:
        like["geo"] = _geo(catalogue, row.price)
    return like


def _geo(catalogue: Catalogue, price: Price) -> str | None:
    query = "select geo from region where provider = ? and name = ?"
    rows = catalogue.rows(query, (price.provider, price.region))
    return rows[0][0] if rows else None


def _providers(catalogue: Catalogue) -> list[str]:
    return [name for (name,) in catalogue.rows("select id from provider order by id")]


def _found(
    catalogue: Catalogue, providers: Iterable[str], exchange: _Exchange, options: dict[str, Any]
) -> Iterator[Price]:
    for provider in sorted({catalogue.provider_name(name) for name in providers}):
        for money in exchange.searches(catalogue, provider):
            search: dict[str, Any] = {**options, **money, "providers": [provider]}
            yield from (one.price for one in catalogue.search(**search))


def _item(pattern: Item, price: Price) -> Item:
    changes = {"provider": price.provider, "size": price.size, "region": price.region}
    item: Item = pattern.replace(**changes, price=price)
    return item


def _place(price: Price) -> tuple[str, str, str]:
    return price.provider, price.size, price.region


def _with_ratios(rows: list[Compared]) -> list[Compared]:
    """Group by currency, in order of their first rows, and compare within each."""
    firsts: dict[str, Compared] = {}
    for row in rows:
        firsts.setdefault(row.currency, row)
    order = list(firsts)
    return [
        row.replace(ratio=_ratio(row.monthly, firsts[row.currency].monthly))
        for row in sorted(rows, key=lambda row: order.index(row.currency))
    ]


def _ratio(amount: Decimal, first: Decimal) -> Decimal | None:
    return (amount / first).quantize(_RATIO, ROUND_HALF_EVEN) if first else None
