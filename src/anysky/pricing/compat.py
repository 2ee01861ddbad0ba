"""The functions of Libcloud's old pricing module, over the catalogue.

They keep names, arguments and the form of what they return, floats included. What Libcloud has as 0
because nobody knows it is missing here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, cast

from anysky.errors import InvalidRequestError, MalformedResponseError

from .defaults import default
from .errors import CatalogueStoreError
from .updates import update

__all__ = [
    "clear_pricing_data",
    "download_pricing_file",
    "get_image_price",
    "get_pricing",
    "get_size_price",
    "invalidate_module_pricing_cache",
    "invalidate_pricing_cache",
    "set_pricing",
]

_TYPES = ("compute", "storage")
_LARGEST_FILE = 64 * 1024 * 1024
# Libcloud's names of tables: provider, operating system, and the region where it is a single one.
_TABLES: Mapping[str, tuple[str, str, str]] = {
    "azure_linux": ("azure", "linux", ""),
    "azure_windows": ("azure", "windows", ""),
    "ec2_linux": ("aws", "linux", ""),
    "ec2_rhel": ("aws", "rhel", ""),
    "ec2_rhel_ha": ("aws", "rhel-ha", ""),
    "ec2_suse": ("aws", "suse", ""),
    "ec2_windows": ("aws", "windows", ""),
    "gce_instances": ("gcp", "linux", ""),
    "ec2_ap_northeast": ("aws", "linux", "ap-northeast-1"),
    "ec2_ap_south_1": ("aws", "linux", "ap-south-1"),
    "ec2_ap_southeast": ("aws", "linux", "ap-southeast-1"),
    "ec2_ap_southeast_2": ("aws", "linux", "ap-southeast-2"),
    "ec2_ca_central_1": ("aws", "linux", "ca-central-1"),
    "ec2_eu_central": ("aws", "linux", "eu-central-1"),
    "ec2_eu_west": ("aws", "linux", "eu-west-1"),
    "ec2_eu_west_2": ("aws", "linux", "eu-west-2"),
    "ec2_eu_west_3": ("aws", "linux", "eu-west-3"),
    "ec2_eu_west_london": ("aws", "linux", "eu-west-2"),
    "ec2_sa_east": ("aws", "linux", "sa-east-1"),
    "ec2_us_east": ("aws", "linux", "us-east-1"),
    "ec2_us_east_ohio": ("aws", "linux", "us-east-2"),
    "ec2_us_govwest": ("aws", "linux", "us-gov-west-1"),
    "ec2_us_west": ("aws", "linux", "us-west-1"),
    "ec2_us_west_oregon": ("aws", "linux", "us-west-2"),
}
_PREMIUM = ("rhel", "sles", "sql", "windows")

Prices = dict[str, Any]


class _Own:
    """What a program has set, for this process; the old module has it as a global, too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tables: dict[tuple[str, str], Prices] = {}

    def get(self, driver_type: str, driver_name: str) -> Prices | None:
        with self._lock:
            return self._tables.get((driver_type, driver_name))

    def put(self, driver_type: str, driver_name: str, pricing: Prices | None) -> None:
        with self._lock:
            if pricing is None:
                self._tables.pop((driver_type, driver_name), None)
            else:
                self._tables[driver_type, driver_name] = pricing

    def clear(self) -> None:
        with self._lock:
            self._tables.clear()


_own = _Own()


def get_pricing(
    driver_type: str,
    driver_name: str,
    pricing_file_path: str | os.PathLike[str] | None = None,
    cache_all: bool = False,  # noqa: ARG001 - the catalogue is never read whole
) -> Prices:
    """Return the prices of an hour of a table, by size, mostly by region below it.

    Args:
        driver_type: ``"compute"`` or ``"storage"``.
        driver_name: Libcloud's name of the table, such as ``"ec2_linux"``; or the name of a
            provider, such as ``"aws"``, for Linux.
        pricing_file_path: A price file of Libcloud to read, in place of the catalogue.
        cache_all: Taken for the sake of old programs.

    Raises:
        AttributeError: There is no such type.
        KeyError: There is no such table.
        MalformedResponseError: The file is no price file.
    """
    _check_type(driver_type)
    own = _own.get(driver_type, driver_name)
    if own is not None:
        return own
    if pricing_file_path is not None:
        return _table(_read(pricing_file_path), driver_type, driver_name)
    provider, system, region = _TABLES.get(driver_name, (driver_name, "linux", ""))
    found = _from_catalogue(provider, system, region) if driver_type == "compute" else {}
    if not found:
        raise KeyError(driver_name)
    return found


def get_size_price(
    driver_type: str, driver_name: str, size_id: str | int, region: str | None = None
) -> float | None:
    """Return the price of an hour of a size, or None if it is unknown.

    Args:
        driver_type: ``"compute"`` or ``"storage"``.
        driver_name: As for `get_pricing`.
        size_id: The size.
        region: The region, for tables that have several.
    """
    _check_type(driver_type)
    own = _own.get(driver_type, driver_name)
    if own is not None:
        return _price_in(own, size_id, region)
    provider, system, only = _TABLES.get(driver_name, (driver_name, "linux", ""))
    place = region or only
    if driver_type != "compute" or not place:
        return None
    found = default().price(provider, str(size_id), place, os=system)
    return None if found is None else float(found.amount)


def get_image_price(
    driver_name: str, image_name: str, size_name: str | None = None, cores: int = 1
) -> float | None:
    """Return what an image costs for an hour beside the node: 0 for one without a licence.

    Args:
        driver_name: ``"gce_images"``; other providers have the licence in the size's price.
        image_name: Full name of the image.
        size_name: Name of the size; the prices that `set_pricing` gave may depend on it.
        cores: Processors of the node; the same.

    Returns:
        The price, or None for an image with a licence whose price is unknown.
    """
    if driver_name != "gce_images" or not any(word in image_name for word in _PREMIUM):
        return 0.0
    own = _own.get("compute", driver_name) or {}
    prices: Any = own.get(_family(image_name))
    if not isinstance(prices, Mapping):
        return None
    found = _price_for(cast("Mapping[str, Any]", prices), image_name, size_name or "", cores)
    return None if found is None else float(found)


def set_pricing(driver_type: str, driver_name: str, pricing: Prices) -> None:
    """Use prices of your own for a table, in this process; for files see overrides.

    Args:
        driver_type: ``"compute"`` or ``"storage"``.
        driver_name: Name of the table.
        pricing: Prices by size, or by size and region.
    """
    _check_type(driver_type)
    _own.put(driver_type, driver_name, pricing)


def clear_pricing_data() -> None:
    """Forget what `set_pricing` has set."""
    _own.clear()


def invalidate_pricing_cache() -> None:
    """Forget what `set_pricing` has set."""
    _own.clear()


def invalidate_module_pricing_cache(driver_type: str, driver_name: str) -> None:
    """Forget what `set_pricing` has set for one table."""
    _check_type(driver_type)
    _own.put(driver_type, driver_name, None)


def download_pricing_file(
    file_url: str | None = None, file_path: str | os.PathLike[str] | None = None
) -> None:
    """Install a newer catalogue for this user, or save a price file of Libcloud.

    Args:
        file_url: Address of a price file of Libcloud, which is cleaned and converted; None for
            the catalogue that the project publishes.
        file_path: Where to save the price file as it is, for `get_pricing`'s
            `pricing_file_path`, in place of installing it.

    Raises:
        ValueError: The folder of `file_path` does not exist, or it is a folder itself.
        PricingError: What came cannot be used or kept; see ``anysky.pricing.update``.
    """
    if file_path is None:
        if file_url is None:
            update()
        else:
            update(file_url, format="libcloud", allow_unsigned=True)
        return
    if file_url is None:
        raise InvalidRequestError("file_path= saves a price file of Libcloud: give its file_url=")
    path = Path(file_path)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder, or has none")
    content = _fetch(file_url)
    _checked(content)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CatalogueStoreError(f"cannot write {path}: {error}") from error


def _check_type(driver_type: str) -> None:
    if driver_type not in _TYPES:
        raise AttributeError(f"there is no type of driver {driver_type!r}, only {_TYPES}")


def _from_catalogue(provider: str, system: str, region: str) -> Prices:
    """Return all on-demand prices of a provider: by size and region, or by size alone."""
    catalogue = default()
    name = catalogue.provider_name(provider)
    found: Prices = {}
    for price in catalogue.every_price(name):
        if (price.os, price.term) != (system, "ondemand"):
            continue
        amount = float(catalogue.override(price).amount)
        if not region:
            found.setdefault(price.size, {})[price.region] = amount
        elif price.region == region:
            found[price.size] = amount
    return found


def _price_in(table: Prices, size_id: str | int, region: str | None) -> float | None:
    try:
        price = table[cast("str", size_id)]
        return float(price[region] if region else price)
    except (KeyError, TypeError):
        return None


def _read(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise InvalidRequestError(f"cannot read the price file {path}: {error}") from error
    return _checked(content)


def _checked(content: bytes) -> Mapping[str, Any]:
    """Return the data of a price file.

    Raises:
        MalformedResponseError: It is none.
    """
    try:
        data = json.loads(content) if len(content) <= _LARGEST_FILE else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or "updated" not in data:
        raise MalformedResponseError("this is no price file of Libcloud")
    return cast("dict[str, Any]", data)


def _table(data: Mapping[str, Any], driver_type: str, driver_name: str) -> Prices:
    part = data.get(driver_type)
    if not isinstance(part, dict) or driver_name not in part:
        raise KeyError(driver_name)
    return cast("Prices", part[driver_name])


def _fetch(url: str) -> bytes:
    from anysky.run import run
    from anysky.runtime.blocking import BlockingRuntime
    from anysky.transport.blocking import BlockingTransport
    from anysky.transport.settings import HTTPSettings

    from .fetching import Fetcher

    async def fetch() -> bytes:
        fetcher = Fetcher(BlockingTransport, HTTPSettings(), BlockingRuntime())
        try:
            return (await fetcher.read(url, _LARGEST_FILE)).content or b""
        finally:
            await fetcher.close()

    return run(fetch())


def _family(image_name: str) -> str:
    """Return under which name Libcloud has the licence of an image of Google's."""
    is_sap = "sap" in image_name
    if "sql" in image_name:
        return "SQL Server"
    if "windows" in image_name:
        return "Windows Server"
    if "rhel" in image_name:
        return "RHEL with Update Services" if is_sap else "RHEL"
    return "SLES for SAP" if is_sap else "SLES"


def _price_for(
    prices: Mapping[str, Any], image_name: str, size_name: str, cores: int
) -> float | None:
    """Choose among the prices of a licence by edition, kind of size, or processors."""
    kind = next((one for one in ("f1", "g1") if one in size_name), "any")
    fitting = [
        prices.get(kind),
        prices.get("any"),
        *(entry for name, entry in prices.items() if name in image_name or _covers(name, cores)),
    ]
    for entry in fitting:
        if isinstance(entry, Mapping) and "price" in entry:
            return float(cast("Mapping[str, Any]", entry)["price"])
    return None


def _covers(name: str, cores: int) -> bool:
    """Whether ``"4vcpu or less"``, ``"6vcpu or more"`` or ``"3-4vcpu"`` holds for so many."""
    if "vcpu" not in name:
        return False
    figures = name.split("vcpu", maxsplit=1)[0].split("-")
    if not all(figure.isdecimal() for figure in figures):
        return False
    first, last = int(figures[0]), int(figures[-1])
    if "or less" in name:
        return cores <= last
    if "or more" in name:
        return cores >= first
    return first <= cores <= last
