"""Open the catalogue that look-ups use."""

from __future__ import annotations

import os

from .catalogue import Catalogue
from .places import OVERRIDES, POINTER, VARIABLE, choose, data_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import Price
    from .overrides import Overrides

__all__ = ["default", "open_catalogue", "price"]

_TRIES = 3  # an update may remove the file between the choice and the opening


def open_catalogue(
    path: str | os.PathLike[str] | None = None,
    *,
    overrides: str | os.PathLike[str] | None = None,
) -> Catalogue:
    """Open a price catalogue. The network is never touched.

    Args:
        path: The file; None takes what `anysky.pricing.places` says: the one that the
            environment variable `ANYSKY_PRICES` names, else the newer of the one that was
            installed by an update and the one that came with anysky.
        overrides: Your own prices, see `anysky.pricing.overrides`; None takes the file that
            `ANYSKY_PRICES_OVERRIDES` names, or ``overrides.toml`` beside the installed catalogue
            if there is one.

    Raises:
        CatalogueMissingError: The file is not there.
        CatalogueDamagedError: It is no catalogue, or not whole.
        CatalogueSchemaError: It is for another version of anysky.
        OverridesError: The overrides file is wrong.
    """
    own = _overrides(overrides)
    named = None if path is None else os.fspath(path)
    for left in reversed(range(_TRIES)):
        place, reason = choose(named)
        try:
            return Catalogue(place, reason, own)
        except FileNotFoundError as error:
            if not left:
                raise _missing(place, reason) from error
    raise AssertionError


def _missing(place: str, reason: str) -> Exception:
    from .errors import CatalogueMissingError

    return CatalogueMissingError(
        f"no price catalogue {place} is there ({reason}): run `anysky prices update --force` "
        f"or choose {VARIABLE}=bundled"
    )


def _overrides(path: str | os.PathLike[str] | None) -> Overrides | None:
    named = os.environ.get(OVERRIDES, "") if path is None else os.fspath(path)
    if not named:
        named = f"{data_dir()}/overrides.toml"
        if _stamp(named) is None:
            return None
    from .overrides import read_overrides

    return read_overrides(named)


def _stamp(path: str) -> tuple[int, int] | None:
    """Return what changes when a file is replaced, or None if there is no file."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - pathlib costs more than a look-up
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


class _Default:
    """The catalogue of `price`: opened once, and again when another one is installed or named."""

    def __init__(self) -> None:
        self._entry: tuple[object, Catalogue] | None = None

    def get(self) -> Catalogue:
        """Return it."""
        folder = data_dir()
        key = (
            os.environ.get(VARIABLE), os.environ.get(OVERRIDES), folder,
            _stamp(f"{folder}/{POINTER}"), _stamp(f"{folder}/overrides.toml"),
        )  # fmt: skip
        entry = self._entry
        if entry is None or entry[0] != key:
            entry = self._entry = (key, open_catalogue())
        return entry[1]


_default = _Default()


def default() -> Catalogue:
    """Return the catalogue that `price` reads, opened once for the whole program."""
    return _default.get()


def price(
    provider: str,
    size: str,
    region: str,
    *,
    os: str = "linux",
    term: str = "ondemand",
    require: bool = False,
) -> Price | None:
    """Return the list price of a size in a region, or None if it is unknown.

    Args:
        provider: For example ``"aws"``, or the name of a driver, as ``"ec2"``.
        size: For example ``"m5.large"``.
        region: For example ``"eu-west-1"``.
        os: Operating system that is included: linux, windows, rhel, rhel-ha, suse.
        term: ``"ondemand"``, or for example ``"commit-1y"``.
        require: Raise instead of returning None.

    Raises:
        PriceUnknownError: It is unknown, and `require` is set; says which names are near.
        CatalogueMissingError: The catalogue that `ANYSKY_PRICES` names is not there.
        CatalogueDamagedError: The file is damaged.
    """
    return _default.get().price(provider, size, region, os=os, term=term, require=require)
