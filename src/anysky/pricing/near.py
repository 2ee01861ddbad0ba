"""Say what is near to something that the catalogue does not know."""

from __future__ import annotations

import difflib

from .catalogue import Catalogue
from .errors import PriceUnknownError

__all__ = ["unknown"]

_CLOSE = 0.5


def unknown(
    catalogue: Catalogue, wanted: tuple[str, str, str], key: tuple[str, ...]
) -> PriceUnknownError:
    """Return the error for a price that is not there, with names that are near to it."""
    provider, size, region = wanted
    providers = _column(catalogue, "select id from provider", ())
    if provider not in providers:
        return _error(f"no prices of the provider {provider!r}", provider, providers)
    sizes = _column(catalogue, "select name from size where provider = ?", (provider,))
    if size not in sizes:
        return _error(f"{provider}: no price of the size {size!r}", size, sizes)
    regions = {price.region for price in catalogue.prices(provider, size)}
    if region not in regions:
        message = f"{provider}: no price of {size} in the region {region!r}"
        return _error(message, region, sorted(regions))
    has = {(one.os, one.term) for one in catalogue.prices(provider, size, region)}
    near = tuple(sorted(f"{os} {term}" for os, term in has))
    message = f"{provider}: no price of {size} in {region} for {key[0]} {key[2]}"
    return PriceUnknownError(f"{message}; there is {', '.join(near)}", near=near)


def _column(catalogue: Catalogue, query: str, values: tuple[str, ...]) -> list[str]:
    return [name for (name,) in catalogue.rows(query, values)]


def _error(message: str, name: str, names: list[str]) -> PriceUnknownError:
    near = tuple(difflib.get_close_matches(name, names, n=5, cutoff=_CLOSE))
    hint = f"; near: {', '.join(near)}" if near else ""
    return PriceUnknownError(message + hint, near=near)
