"""Which catalogue is used, and your own prices on top of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from anysky import pricing
from anysky.pricing import CatalogueMissingError, OverridesError, places
from anysky.pricing.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Path]


def install(make: Make, folder: Path, version: str = "2030.01.01") -> Path:
    store = Store(str(folder))
    store.lock()
    temporary = store.temporary()
    temporary.write_bytes(make(version).read_bytes())
    return store.install(temporary, {"version": version, "sha256": "0" * 64})


def test_bundled_without_any_other() -> None:
    found = pricing.info()

    assert found.path == places.bundled_path()
    assert found.reason == "the bundled catalogue: no other is installed"


def test_newer_of_installed_and_bundled(make: Make, data_home: Path) -> None:
    path = install(make, data_home)
    assert pricing.info().path == str(path)

    install(make, data_home, "2020.01.01")
    assert pricing.info().path == places.bundled_path()
    assert "not older than the installed 2020.01.01" in pricing.info().reason


def test_environment_wins_over_what_is_installed(
    make: Make, data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(make, data_home)
    other = make("2029.01.01", "0.3")
    monkeypatch.setenv("ANYSKY_PRICES", str(other))

    price = pricing.price("acme", "small", "north", require=True)

    assert price is not None
    assert price.amount == Decimal("0.3")
    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    assert pricing.price("acme", "small", "north") is None
    assert pricing.price("aws", "m5.large", "eu-west-1") is not None


def test_given_path_wins_over_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYSKY_PRICES", "off")

    assert pricing.open(make()).version == "2030.01.01"


def test_off_means_no_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYSKY_PRICES", "off")

    assert pricing.price("aws", "m5.large", "eu-west-1") is None
    assert pricing.search(vcpu=1) == []
    assert (pricing.info().prices, pricing.info().age_days) == (0, None)
    with pytest.raises(pricing.PriceUnknownError):
        pricing.price("aws", "m5.large", "eu-west-1", require=True)


def test_what_is_named_and_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYSKY_PRICES", str(tmp_path / "none.db"))

    with pytest.raises(CatalogueMissingError, match="ANYSKY_PRICES names it"):
        pricing.price("aws", "m5.large", "eu-west-1")


@pytest.mark.parametrize(
    ("platform", "environ", "end"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/anysky/prices/v1"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "/.local/share/anysky/prices/v1"),
        ("darwin", {}, "/Library/Application Support/anysky/prices/v1"),
        ("win32", {"LOCALAPPDATA": "C:\\Local"}, "C:\\Local/anysky/prices/v1"),
    ],
)
def test_folder_of_each_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], end: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)

    assert places.data_dir(environ).endswith(end)


OVERRIDES = """
[[override]]
provider = "acme"
size = "sm*"
region = "north"
os = "linux"
factor = "0.9"

[[override]]
provider = "acme"
size = "huge"
amount = "3.5"
currency = "EUR"
"""


def test_overrides_change_and_add_prices(
    make: Make, tmp_path: Path, data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_home.mkdir(parents=True)
    file = data_home / "overrides.toml"
    file.write_text(OVERRIDES)
    monkeypatch.setenv("ANYSKY_PRICES", str(make()))

    changed = pricing.price("acme", "small", "north")
    added = pricing.price("acme", "huge", "anywhere")
    same = pricing.price("acme", "small", "south")

    assert changed is not None
    assert (changed.amount, changed.quality, changed.source) == (
        Decimal("0.45"),
        "manual",
        str(file),
    )
    assert added is not None
    assert (added.amount, added.currency) == (Decimal("3.5"), "EUR")
    assert same is not None
    assert (same.amount, same.quality) == (Decimal("0.7"), "recorded")
    assert pricing.search(vcpu=1)[0].price.amount == Decimal("0.45")
    assert pricing.info().has_overrides


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[override]", "cannot read overrides"),
        ("[other]", "only tables"),
        ("[[override]]\nsiez = 'x'", "unknown key siez"),
        ("[[override]]\nsize = 'x'", "either a factor or an amount"),
        ("[[override]]\nfactor = '1'\namount = '1'", "either a factor or an amount"),
        ("[[override]]\namount = '1'", "needs a currency"),
        ("[[override]]\nfactor = 0.9", "must be a text"),
        ("[[override]]\nfactor = '-1'", "above 0"),
        ("[[override]]\nfactor = 'NaN'", "above 0"),
        ("[[override]]\nfactor = 'x'", "above 0"),
    ],
)
def test_overrides_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "overrides.toml"
    path.write_text(text)

    with pytest.raises(OverridesError, match=message):
        pricing.open(overrides=path)


def test_overrides_that_are_named_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYSKY_PRICES_OVERRIDES", "/nowhere/overrides.toml")

    with pytest.raises(OverridesError, match="cannot read overrides"):
        pricing.price("aws", "m5.large", "eu-west-1")
