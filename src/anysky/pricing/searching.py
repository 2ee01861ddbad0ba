"""Find sizes across clouds, the cheapest first."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

from anysky.errors import InvalidRequestError

from .catalogue import Catalogue
from .model import Price, Record, amount_of
from .opening import damaged
from .packing import unpack
from .schema import RETIRED
from .sizes import Size

__all__ = ["Found", "SearchOptions", "search", "size_of", "sizes"]

_GEOS = frozenset({"af", "ap", "eu", "me", "na", "sa"})
_COLUMNS = (
    "provider", "name", "vcpu", "ram_mb", "disk_gb", "gpus", "gpu", "gpu_mem_mb", "arch",
    "burstable", "flags",
)  # fmt: skip
_GIB = 1024


class Found(Record):
    """One result of a search.

    Attributes:
        price: The lowest price of the size that fits, in the vendor's currency.
        size: What the size has.
        compared: The price in the currency of the search, by which results are ordered.
    """

    __slots__ = ("compared", "price", "size")
    price: Price
    size: Size
    compared: Decimal


class SearchOptions(TypedDict, total=False):
    """What `search` looks for, in a form for type checkers."""

    vcpu: float | None
    ram_gb: float | None
    gpus: float | None
    gpu: str | None
    arch: str | None
    burstable: bool | None
    geo: str | None
    region: str | None
    os: str
    term: str
    providers: Collection[str]
    currency: str
    rates: Mapping[str, Decimal] | None
    limit: int


class _Wanted(NamedTuple):
    """What prices are looked for."""

    os: str
    term: str
    rates: dict[str, Decimal]
    geo: str | None
    region: str | None


class _Place(NamedTuple):
    name: str
    geo: str | None


def search(
    catalogue: Catalogue,
    *,
    vcpu: float | None = None,
    ram_gb: float | None = None,
    gpus: float | None = None,
    gpu: str | None = None,
    arch: str | None = None,
    burstable: bool | None = None,
    geo: str | None = None,
    region: str | None = None,
    os: str = "linux",
    term: str = "ondemand",
    providers: Collection[str] = (),
    currency: str = "USD",
    rates: Mapping[str, Decimal] | None = None,
    limit: int = 10,
) -> list[Found]:
    """Return the cheapest sizes, each in its cheapest region that fits.

    A size of which something that is asked for is not known is not found. Sizes that are no
    longer sold are left out.

    Args:
        catalogue: Where to look.
        vcpu: Virtual processors at least.
        ram_gb: Memory in GiB at least.
        gpus: Accelerators at least; 0 for sizes without any.
        gpu: A part of the accelerator's name, as ``"a16"``.
        arch: ``"x86_64"`` or ``"arm64"``.
        burstable: Whether processors may, or must not, be shared.
        geo: Part of the world: eu, na, sa, ap, me, af.
        region: Name of a region.
        os: Operating system that is included.
        term: Kind of price.
        providers: Names of providers; all if empty.
        currency: Currency of the comparison.
        rates: How much of `currency` one unit of another currency is, for example
            ``{"EUR": Decimal("1.16")}``; prices in currencies without a rate are left out.
        limit: Results at the most.

    Raises:
        InvalidRequestError: There is no such part of the world, or a number is negative.
        CatalogueDamagedError: The file cannot be read.
    """
    if geo is not None and geo not in _GEOS:
        raise InvalidRequestError(f"unknown geo {geo!r}: use one of {', '.join(sorted(_GEOS))}")
    if limit < 1:
        raise InvalidRequestError(f"a limit of {limit} finds nothing")
    every_rate = {currency: Decimal(1), **(rates or {})}
    wanted = _Wanted(os, term, every_rate, geo, region)
    where, values = _conditions(vcpu, ram_gb, gpus, gpu, arch, burstable)
    if providers:
        resolved = [catalogue.provider_name(name) for name in providers]
        where.append(f"provider in ({', '.join('?' * len(resolved))})")
        values += resolved
    try:
        found = _cheapest(catalogue, wanted, " and ".join(where), values, limit)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise damaged(catalogue.path, repr(error)) from error
    return sorted(found, key=_order)


def _order(one: Found) -> tuple[Decimal, str, str]:
    return one.compared, one.price.provider, one.price.size


def _conditions(
    vcpu: float | None,
    ram_gb: float | None,
    gpus: float | None,
    gpu: str | None,
    arch: str | None,
    burstable: bool | None,
) -> tuple[list[str], list[Any]]:
    """Return the SQL conditions on what a size has, and their values."""
    candidates: list[tuple[str, Any]] = [
        ("vcpu >= ?", None if vcpu is None else float(vcpu)),
        ("ram_mb >= ?", None if ram_gb is None else float(ram_gb) * _GIB),
        ("gpus = ?" if gpus == 0 else "gpus >= ?", None if gpus is None else float(gpus)),
        ("instr(lower(gpu), lower(?)) > 0", gpu),
        ("arch = ?", arch),
        ("burstable = ?", burstable),
    ]
    used = [(condition, value) for condition, value in candidates if value is not None]
    conditions = ["lo is not null", f"flags & {RETIRED} = 0"]
    return [*conditions, *(one for one, _ in used)], [value for _, value in used]


def _cheapest(
    catalogue: Catalogue, wanted: _Wanted, where: str, values: list[Any], limit: int
) -> list[Found]:
    """Open sizes in order of their lowest price until none can be among the cheapest."""
    # Overrides may make any size cheaper, so that all have to be looked at.
    least_rate = Decimal(0) if catalogue.has_overrides else min(wanted.rates.values())
    best: list[tuple[Decimal, int, Found]] = []  # a heap, the dearest first
    order = itertools.count()
    places = _places(catalogue)
    columns = ", ".join(_COLUMNS)
    query = f"select {columns}, lo, prices from size where {where} order by lo"  # noqa: S608 - our own conditions
    for *spec, lowest, blob in catalogue.rows(query, values):
        if len(best) == limit and amount_of(lowest) * least_rate >= -best[0][0]:
            break
        price = _lowest(catalogue, wanted, places, spec[0], spec[1], blob)
        if price is None:
            continue
        compared = price.amount * wanted.rates[price.currency]
        found = Found(price=price, size=_size(spec), compared=compared)
        entry = (-compared, next(order), found)
        if len(best) < limit:
            heapq.heappush(best, entry)
        else:
            heapq.heappushpop(best, entry)
    return [found for _, _, found in best]


def _places(catalogue: Catalogue) -> dict[tuple[str, int], _Place]:
    rows = catalogue.rows("select provider, id, name, geo from region")
    return {(provider, number): _Place(name, geo) for provider, number, name, geo in rows}


def _lowest(
    catalogue: Catalogue,
    wanted: _Wanted,
    places: Mapping[tuple[str, int], _Place],
    provider: str,
    size: str,
    blob: bytes,
) -> Price | None:
    """Return the lowest price of a size that fits."""
    offers = {
        offer.id: offer
        for offer in catalogue.offers(provider)
        if (offer.os, offer.term) == (wanted.os, wanted.term) and offer.currency in wanted.rates
    }
    fitting = [
        (nano * wanted.rates[offers[offer].currency], place.name, offer, nano)
        for offer, region, nano in unpack(blob, offers)
        if _fits(place := places[provider, region], wanted)
    ]
    if not fitting:
        return None
    cheapest = fitting if catalogue.has_overrides else [min(fitting)]
    prices = [
        catalogue.override(catalogue.price_from((provider, size, name), offers[offer], nano))
        for _, name, offer, nano in cheapest
    ]
    known = [price for price in prices if price.currency in wanted.rates]
    return min(known, key=lambda one: one.amount * wanted.rates[one.currency], default=None)


def _fits(place: _Place, wanted: _Wanted) -> bool:
    return wanted.geo in (None, place.geo) and wanted.region in (None, place.name)


def _size(spec: list[Any]) -> Size:
    values = dict(zip(_COLUMNS, spec, strict=True))
    flags = values.pop("flags")
    burstable = values.pop("burstable")
    return Size(
        **values,
        burstable=None if burstable is None else bool(burstable),
        is_sold=not flags & RETIRED,
    )


def sizes(catalogue: Catalogue, provider: str) -> Iterator[Size]:
    """Yield what each size of a provider has."""
    query = f"select {', '.join(_COLUMNS)} from size where provider = ? order by name"  # noqa: S608 - our own columns
    for row in catalogue.rows(query, (catalogue.provider_name(provider),)):
        yield _size(list(row))


def size_of(catalogue: Catalogue, provider: str, name: str) -> Size | None:
    """Return what a size has, or None if there is no such size."""
    query = f"select {', '.join(_COLUMNS)} from size where provider = ? and name = ?"  # noqa: S608 - our own columns
    rows = catalogue.rows(query, (provider, name))
    return _size(list(rows[0])) if rows else None
