"""A home of its own for each test, and small catalogues to read and to install."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anysky.pricing.building.draft import Draft, Figure, Region, Source, Spec, Vendor, exact_nano
from anysky.pricing.building.writing import write_catalogue
from tests.pricing.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the catalogues and settings of the developer out of the tests, and the other way."""
    for name in ("ANYSKY_PRICES", "ANYSKY_PRICES_OVERRIDES", "ANYSKY_PRICES_URL"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    return home / "data" / "anysky" / "prices" / "v1"


def draft(version: str = "2030.01.01", price: str = "0.5") -> Draft:
    """Return a catalogue of one vendor with two sizes in two regions."""
    source = Source("https://vendor.example/prices", "2029-12-31")
    made = Draft(version, "example")
    made.providers.append(Vendor("acme", "Acme", "USD", "https://vendor.example/", 672))
    for name, geo in (("north", "eu"), ("south", "sa")):
        made.regions["acme", name] = Region("acme", name, geo, None)
    made.specs["acme", "small"] = Spec(1, 1024, 10, 0, arch="x86_64", burstable=True)
    made.specs["acme", "large"] = Spec(4, 16384, 80, 0, arch="arm64", burstable=False)
    for size, region, amount, os in (
        ("small", "north", price, "linux"),
        ("small", "south", "0.7", "linux"),
        ("small", "north", "0.9", "windows"),
        ("large", "north", "2", "linux"),
    ):
        nano = exact_nano(Decimal(amount))
        made.figures.append(Figure("acme", size, region, nano, source, os=os))
    made.aliases.append(("provider", "", "acme-cloud", "acme"))
    made.aliases.append(("size", "acme", "s", "small"))
    made.aliases.append(("region", "acme", "n", "north"))
    return made


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a small catalogue of a version, with a price of its small size in the north."""

    def write(version: str = "2030.01.01", price: str = "0.5") -> Path:
        path = tmp_path / f"{version}-{price}.db"
        path.unlink(missing_ok=True)
        write_catalogue(draft(version, price), path)
        return path

    return write


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """A publisher with a folder and a key pair of its own."""
    return Publisher(tmp_path / "published")
