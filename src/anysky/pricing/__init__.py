"""List prices of cloud servers: dated, with their source, and None when unknown.

``anysky.pricing.price("aws", "m5.large", "eu-west-1")`` answers offline, from the catalogue that
comes with anysky or a newer one that ``anysky prices update`` installed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .builds import build
    from .catalogue import Catalogue
    from .comparing import PriceChange
    from .compat import (
        clear_pricing_data,
        download_pricing_file,
        get_image_price,
        get_pricing,
        get_size_price,
        invalidate_module_pricing_cache,
        invalidate_pricing_cache,
        set_pricing,
    )
    from .defaults import open_catalogue as open  # noqa: A004 - named after what it does
    from .defaults import price
    from .describing import Info
    from .equivalents import Compared
    from .errors import (
        BuildFailedError,
        CatalogueDamagedError,
        CatalogueMissingError,
        CatalogueSchemaError,
        CatalogueStoreError,
        OverridesError,
        PlotError,
        PriceUnknownError,
        PricingError,
        UpdateLockedError,
        UpdateUnavailableError,
        UpdateVerificationError,
        VendorDataError,
    )
    from .estimates import Estimate, Item, Line
    from .model import Price
    from .plotting import plot
    from .publishing import BuildReport, ProviderReport
    from .questions import compare, cost_of, diff, estimate, info, search
    from .searching import Found
    from .sizes import Size
    from .updates import pin, rollback, update, verify
    from .updating import UpdateResult

__all__ = [
    "BuildFailedError",
    "BuildReport",
    "Catalogue",
    "CatalogueDamagedError",
    "CatalogueMissingError",
    "CatalogueSchemaError",
    "CatalogueStoreError",
    "Compared",
    "Estimate",
    "Found",
    "Info",
    "Item",
    "Line",
    "OverridesError",
    "PlotError",
    "Price",
    "PriceChange",
    "PriceUnknownError",
    "PricingError",
    "ProviderReport",
    "Size",
    "UpdateLockedError",
    "UpdateResult",
    "UpdateUnavailableError",
    "UpdateVerificationError",
    "VendorDataError",
    "build",
    "clear_pricing_data",
    "compare",
    "cost_of",
    "diff",
    "download_pricing_file",
    "estimate",
    "get_image_price",
    "get_pricing",
    "get_size_price",
    "info",
    "invalidate_module_pricing_cache",
    "invalidate_pricing_cache",
    "open",
    "pin",
    "plot",
    "price",
    "rollback",
    "search",
    "set_pricing",
    "update",
    "verify",
]

_HOMES = {
    "BuildReport": "publishing",
    "Catalogue": "catalogue",
    "PriceChange": "comparing",
    "Compared": "equivalents",
    "Estimate": "estimates",
    "Found": "searching",
    "Info": "describing",
    "Item": "estimates",
    "Line": "estimates",
    "Price": "model",
    "ProviderReport": "publishing",
    "UpdateResult": "updating",
    "Size": "sizes",
    "build": "builds",
    "compare": "questions",
    "cost_of": "questions",
    "diff": "questions",
    "estimate": "questions",
    "info": "questions",
    "open": "defaults",
    "pin": "updates",
    "plot": "plotting",
    "price": "defaults",
    "rollback": "updates",
    "search": "questions",
    "update": "updates",
    "verify": "updates",
    "clear_pricing_data": "compat",
    "download_pricing_file": "compat",
    "get_image_price": "compat",
    "get_pricing": "compat",
    "get_size_price": "compat",
    "invalidate_module_pricing_cache": "compat",
    "invalidate_pricing_cache": "compat",
    "set_pricing": "compat",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a first look-up needs little of it."""
    if name not in __all__:
        raise AttributeError(f"module 'anysky.pricing' has no attribute {name!r}")
    home = __import__(f"anysky.pricing.{_HOMES.get(name, 'errors')}", fromlist=["*"])
    value = getattr(home, "open_catalogue" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
