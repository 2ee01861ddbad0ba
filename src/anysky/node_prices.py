"""What nodes of a driver cost: prices of sizes, estimates, and a limit before something is made."""

from __future__ import annotations

import logging
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import InvalidRequestError, PriceLimitError
from .model import compute as model
from .model.base import lazy

if TYPE_CHECKING:
    from anysky.pricing import Estimate, Price

__all__ = ["check_monthly", "estimate_node", "known_price", "lazy_price"]

_log = logging.getLogger("anysky.pricing")


def lazy_price(provider: str, size: str, region: str) -> Decimal | None:
    """Return a stand-in for the price of a size, looked up in the catalogue when it is read.

    Args:
        provider: Name of the provider in the catalogue.
        size: Id of the size.
        region: Id of the region.
    """
    made: Decimal | None = lazy(partial(_look_up, provider, size, region))
    return made


def _look_up(provider: str, size: str, region: str) -> Decimal | None:
    """Return the price of an hour, or None if it is unknown or no catalogue can be read."""
    from anysky.pricing import PricingError, price

    try:
        found = price(provider, size, region)
    except PricingError as error:
        _log.warning("no prices: %s", error.message)
        return None
    return None if found is None else found.amount


def known_price(provider: str, currency: str, size: model.NodeSize, region: str) -> Price | None:
    """Return the price that a provider itself tells with a size, or None.

    Args:
        provider: Name of the provider in the catalogue.
        currency: What it tells prices in; empty if it tells none.
        size: The size.
        region: Id of the region.
    """
    if not currency or size.price is None:
        return None
    import datetime as dt

    from anysky.pricing import Price

    return Price(
        provider=provider,
        size=size.id,
        region=region,
        amount=Decimal(str(size.price)),
        currency=currency,
        unit="hour",
        os="linux",
        licence="included",
        term="ondemand",
        upfront="none",
        tenancy="shared",
        as_of=dt.datetime.now(dt.UTC).date().isoformat(),
        source="the provider's list of sizes",
        quality="recorded",
        catalogue="",
    )


def estimate_node(
    backend: Any,
    size: model.NodeSize,
    region: str,
    *,
    count: int,
    hours: Decimal | int | None,
    os: str,
    term: str,
) -> Estimate:
    """Estimate what nodes of a size cost; see `anysky.compute.NodeDriver.estimate_node`.

    Args:
        backend: Its `price_list` and `price_currency` say where prices come from.
        size: The size.
        region: Id of the region.
        count: How many.
        hours: Hours of a month that each runs; None for all of it.
        os: Operating system that is included.
        term: Kind of price.
    """
    from anysky.pricing import Item, estimate

    provider: str = backend.price_list
    price = None
    if (os, term) == ("linux", "ondemand"):
        price = known_price(provider, backend.price_currency, size, region)
    item = Item(provider, size.id, region, count=count, hours=hours, os=os, term=term, price=price)
    return estimate([item])


def check_monthly(found: Estimate, most: Decimal | int | str) -> None:
    """Refuse what costs more in a month.

    Raises:
        PriceLimitError: It costs more, or its price is unknown.
        InvalidRequestError: The limit is no amount.
    """
    try:
        limit = Decimal(most)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise InvalidRequestError(f"max_monthly is an amount, not {most!r}") from error
    if found.unknown:
        item = found.unknown[0]
        raise PriceLimitError(
            f"the price of {item.size} in {item.region or 'an unknown region'} is unknown, so that "
            f"it cannot be kept to max_monthly={limit}; nothing was sent"
        )
    for currency, amount in found.monthly.items():
        if amount > limit:
            raise PriceLimitError(
                f"this costs {amount.normalize():f} {currency} a month, more than "
                f"max_monthly={limit}; nothing was sent"
            )
