"""What several nodes cost together; what is unknown is listed, never counted as 0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from anysky.errors import InvalidRequestError

from .catalogue import Catalogue
from .model import Price, Record
from .opening import damaged

__all__ = ["Estimate", "Item", "Line", "cost_of", "estimate"]

_HOURS = 730


class Item(Record):
    """Nodes of one kind.

    Attributes:
        provider: For example ``"aws"``.
        size: For example ``"m5.large"``.
        region: For example ``"eu-west-1"``.
        count: How many.
        hours: Hours of a month that each runs; None for all of it.
        os: Operating system that is included.
        term: Kind of price.
        name: What the line is called.
        price: A price that is known already, in place of the catalogue's.
    """

    __slots__ = ("count", "hours", "name", "os", "price", "provider", "region", "size", "term")
    provider: str
    size: str
    region: str
    count: int
    hours: Decimal | None
    os: str
    term: str
    name: str
    price: Price | None

    def __init__(
        self,
        provider: str,
        size: str,
        region: str,
        *,
        count: int = 1,
        hours: Decimal | int | None = None,
        os: str = "linux",
        term: str = "ondemand",
        name: str = "",
        price: Price | None = None,
    ) -> None:
        if count < 0 or (hours is not None and hours < 0):
            raise InvalidRequestError("neither count nor hours can be negative")
        super().__init__(
            provider=provider, size=size, region=region, count=count,
            hours=None if hours is None else Decimal(hours), os=os, term=term, name=name,
            price=price,
        )  # fmt: skip


class Line(Record):
    """What the nodes of one item cost.

    Attributes:
        item: The item.
        price: The price of one node, or None if it is unknown.
        hourly: Price of all of them for an hour, or None.
        monthly: Price of all of them for a month, or None.
    """

    __slots__ = ("hourly", "item", "monthly", "price")
    item: Item
    price: Price | None
    hourly: Decimal | None
    monthly: Decimal | None


class Estimate(Record):
    """What several items cost.

    Attributes:
        lines: One for each item.
        hourly: Sums by currency, without what is unknown.
        monthly: Sums by currency, without what is unknown.
        unknown: Items without a price.
    """

    __slots__ = ("hourly", "lines", "monthly", "unknown")
    lines: tuple[Line, ...]
    hourly: dict[str, Decimal]
    monthly: dict[str, Decimal]
    unknown: tuple[Item, ...]

    def __hash__(self) -> int:
        return hash(self.lines)


def estimate(catalogue: Catalogue, items: Iterable[Item]) -> Estimate:
    """Add up what items cost; a month has 730 hours, or fewer where the vendor caps the bill.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    lines = tuple(_line(catalogue, item) for item in items)
    hourly: dict[str, Decimal] = {}
    monthly: dict[str, Decimal] = {}
    for line in lines:
        if line.price is not None and line.hourly is not None and line.monthly is not None:
            currency = line.price.currency
            hourly[currency] = hourly.get(currency, Decimal(0)) + line.hourly
            monthly[currency] = monthly.get(currency, Decimal(0)) + line.monthly
    unknown = tuple(line.item for line in lines if line.price is None)
    return Estimate(lines=lines, hourly=hourly, monthly=monthly, unknown=unknown)


def _line(catalogue: Catalogue, item: Item) -> Line:
    price = item.price or catalogue.price(
        item.provider, item.size, item.region, os=item.os, term=item.term
    )
    if price is None:
        return Line(item=item, price=None, hourly=None, monthly=None)
    hours = _billed(catalogue, price.provider, item.hours)
    return Line(
        item=item,
        price=price,
        hourly=price.amount * item.count,
        monthly=price.amount * item.count * hours,
    )


def _billed(catalogue: Catalogue, provider: str, hours: Decimal | None) -> Decimal:
    """Return the hours of a month that are billed."""
    query = "select hours_per_month, monthly_cap from provider where id = ?"
    rows = catalogue.rows(query, (provider,))
    month, cap = rows[0] if rows else (_HOURS, None)
    try:
        wanted = Decimal(month) if hours is None else hours
        return wanted if cap is None else min(wanted, Decimal(cap))
    except (ArithmeticError, TypeError) as error:
        raise damaged(catalogue.path, repr(error)) from error


def cost_of(catalogue: Catalogue, nodes: Iterable[Any], *, os: str = "linux") -> Estimate:
    """Estimate what the nodes of ``driver.list_nodes()`` cost, each as long as it exists.

    Args:
        catalogue: Where prices come from.
        nodes: Nodes of any drivers, in either API.
        os: Operating system that they run; the inventory does not say.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    return estimate(catalogue, [_item(node, os) for node in nodes])


def _item(node: Any, os: str) -> Item:
    size = getattr(node.size, "id", None) or ""
    provider = getattr(node.driver, "api_name", "")
    return Item(provider, str(size), _region(node), os=os, name=str(node.name))


def _region(node: Any) -> str:
    """Return a node's region, from what its provider says of its place."""
    extra: Mapping[str, Any] = node.extra or {}
    region = extra.get("region")
    if isinstance(region, Mapping):
        region = cast("Mapping[str, Any]", region).get("slug")
    if region:
        return str(region)
    placement: Any = extra.get("placement")
    zone = (
        cast("Mapping[str, Any]", placement).get("availabilityZone")
        if isinstance(placement, Mapping)
        else extra.get("availability")
    )
    return re.sub(r"(?<=\d)[a-z]$", "", str(zone or ""))
