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
    from .defaults import cost_of, diff, estimate, info, price, search
    from .defaults import open_catalogue as open  # noqa: A004 - named after what it does
    from .describing import Info
    from .errors import (
        BuildFailedError,
        CatalogueDamagedError,
        CatalogueMissingError,
        CatalogueSchemaError,
        CatalogueStoreError,
        OverridesError,
        PriceUnknownError,
        PricingError,
        UpdateLockedError,
        UpdateUnavailableError,
        UpdateVerificationError,
        VendorDataError,
    )
    from .estimates import Estimate, Item, Line
    from .model import Price, Size
    from .publishing import BuildReport, ProviderReport
    from .searching import Found
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
    "Estimate",
    "Found",
    "Info",
    "Item",
    "Line",
    "OverridesError",
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
    "Estimate": "estimates",
    "Found": "searching",
    "Info": "describing",
    "Item": "estimates",
    "Line": "estimates",
    "Price": "model",
    "ProviderReport": "publishing",
    "UpdateResult": "updating",
    "Size": "model",
    "build": "builds",
    "cost_of": "defaults",
    "diff": "defaults",
    "estimate": "defaults",
    "info": "defaults",
    "open": "defaults",
    "pin": "updates",
    "price": "defaults",
    "rollback": "updates",
    "search": "defaults",
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
