"""Ask the catalogue that look-ups use for more than one price."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .defaults import default, open_catalogue
from .describing import Info
from .describing import info as describe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Unpack

    from .comparing import PriceChange
    from .equivalents import Compared
    from .estimates import Estimate, Item
    from .searching import Found, SearchOptions

__all__ = ["compare", "cost_of", "diff", "estimate", "info", "search"]


def search(**wanted: Unpack[SearchOptions]) -> list[Found]:
    """Find sizes, the cheapest first; see `anysky.pricing.searching.search`."""
    return default().search(**wanted)


def compare(*items: Item, **wanted: Unpack[SearchOptions]) -> list[Compared]:
    """Put sizes beside each other; see `anysky.pricing.equivalents.compare`."""
    return default().compare(*items, **wanted)


def estimate(items: Iterable[Item]) -> Estimate:
    """Add up what nodes cost; see `anysky.pricing.estimates.estimate`."""
    return default().estimate(items)


def cost_of(nodes: Iterable[Any], *, os: str = "linux") -> Estimate:
    """Price the nodes of ``driver.list_nodes()``; see `anysky.pricing.estimates.cost_of`."""
    return default().cost_of(nodes, os=os)


def diff(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> list[PriceChange]:
    """Compare two catalogues; see `anysky.pricing.comparing.diff`.

    Raises:
        CatalogueMissingError: A file is not there.
        CatalogueDamagedError: A file is no catalogue, or not whole.
    """
    with open_catalogue(old) as before, open_catalogue(new) as after:
        return before.diff(after)


def info(path: str | os.PathLike[str] | None = None) -> Info:
    """Say which catalogue is used, and why; see `anysky.pricing.describing.Info`.

    Args:
        path: A file, in place of the one that look-ups use.

    Raises:
        CatalogueMissingError: The file is not there.
        CatalogueDamagedError: It is no catalogue, or not whole.
    """
    with open_catalogue(path) as catalogue:
        return describe(catalogue)
