"""Look-ups: exact, dated, None when unknown, safe between threads."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pytest

from anysky import pricing
from anysky.pricing import (
    Catalogue,
    CatalogueDamagedError,
    CatalogueMissingError,
    CatalogueSchemaError,
    Price,
    PriceUnknownError,
    PricingError,
)
from anysky.pricing.model import amount_of
from anysky.pricing.opening import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_price_says_everything(make: Callable[..., Path]) -> None:
    with pricing.open(make()) as catalogue:
        found = catalogue.price("acme", "small", "north")

    assert found == Price(
        provider="acme", size="small", region="north", amount=Decimal("0.5"), currency="USD",
        unit="hour", os="linux", licence="included", term="ondemand", upfront="none",
        tenancy="shared", as_of="2029-12-31", source="https://vendor.example/prices",
        quality="recorded", catalogue="2030.01.01",
    )  # fmt: skip


def test_price_cannot_be_changed_and_can_be_pickled(make: Callable[..., Path]) -> None:
    found = pricing.open(make()).price("acme", "small", "north")

    with pytest.raises(AttributeError, match="cannot be changed"):
        found.amount = Decimal(0)  # type: ignore[union-attr,misc]
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(pickle.loads(pickle.dumps(found)))


@pytest.mark.parametrize(
    ("provider", "size", "region", "os"),
    [
        ("nobody", "small", "north", "linux"),
        ("acme", "huge", "north", "linux"),
        ("acme", "small", "moon", "linux"),
        ("acme", "large", "south", "linux"),
        ("acme", "large", "north", "windows"),
        ("", "", "", ""),
    ],
)
def test_unknown_is_none(
    make: Callable[..., Path], provider: str, size: str, region: str, os: str
) -> None:
    with pricing.open(make()) as catalogue:
        assert catalogue.price(provider, size, region, os=os) is None


@pytest.mark.parametrize(
    ("wanted", "message", "near"),
    [
        (("acne", "small", "north"), "no prices of the provider 'acne'", ("acme",)),
        (("acme", "smal", "north"), "no price of the size 'smal'", ("small",)),
        (("acme", "small", "nort"), "no price of small in the region 'nort'", ("north",)),
        (("acme", "large", "north"), "for windows ondemand", ("linux ondemand",)),
    ],
)
def test_required_price_that_is_unknown_names_what_is_near(
    make: Callable[..., Path], wanted: tuple[str, str, str], message: str, near: tuple[str, ...]
) -> None:
    with (
        pricing.open(make()) as catalogue,
        pytest.raises(PriceUnknownError, match=message) as caught,
    ):
        catalogue.price(*wanted, os="windows", require=True)

    assert caught.value.near == near


def test_aliases(make: Callable[..., Path]) -> None:
    with pricing.open(make()) as catalogue:
        assert catalogue.price("acme-cloud", "s", "n") == catalogue.price("acme", "small", "north")


def test_all_prices_of_a_size(make: Callable[..., Path]) -> None:
    with pricing.open(make()) as catalogue:
        found = catalogue.prices("acme", "small")

    assert [(one.region, one.os, one.amount) for one in found] == [
        ("north", "linux", Decimal("0.5")),
        ("north", "windows", Decimal("0.9")),
        ("south", "linux", Decimal("0.7")),
    ]


@pytest.mark.parametrize(
    ("nano", "text"),
    [(1, "1E-9"), (107_000_000, "0.107"), (10**12, "1000"), (1_500_000_000, "1.5")],
)
def test_amounts_are_exact(nano: int, text: str) -> None:
    assert str(amount_of(nano)) == text


def test_nothing_is_written_and_nothing_in_the_file_runs(make: Callable[..., Path]) -> None:
    with pricing.open(make()) as catalogue, pytest.raises(CatalogueDamagedError, match="readonly"):
        catalogue.rows("delete from size")


def test_threads_share_connections(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def count(path: str) -> object:
        opened.append(path)
        return connect(path)

    monkeypatch.setattr("anysky.pricing.catalogue.connect", count)
    with Catalogue(str(make())) as catalogue:
        for _ in range(50):
            thread = threading.Thread(target=catalogue.price, args=("acme", "small", "north"))
            thread.start()
            thread.join()

    assert len(opened) == 1


def test_many_threads_at_once() -> None:
    catalogue = pricing.open("src/anysky/pricing/data/prices.db")
    wrong: list[object] = []

    def look_up() -> None:
        for _ in range(100):
            price = catalogue.price("aws", "m5.large", "eu-west-1")
            if price is None or price.amount != Decimal("0.107"):
                wrong.append(price)

    threads = [threading.Thread(target=look_up) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    catalogue.close()

    assert wrong == []


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"<html>no</html>" * 99])
def test_file_that_is_no_catalogue(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.db"
    path.write_bytes(content)

    with pytest.raises(CatalogueDamagedError, match="not an SQLite file"):
        pricing.open(path)


def test_database_of_another_program(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("create table t (a)")
    connection.close()

    with pytest.raises(CatalogueDamagedError, match="no price catalogue"):
        pricing.open(tmp_path / "other.db")


def test_truncated_file(make: Callable[..., Path]) -> None:
    path = make()
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CatalogueDamagedError, match="in place of"):
        pricing.open(path)


def test_damaged_pages(make: Callable[..., Path]) -> None:
    path = make()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)

    with pricing.open(path) as catalogue, pytest.raises(CatalogueDamagedError, match="is damaged"):
        catalogue.price("acme", "small", "north")


def test_damaged_blob(make: Callable[..., Path]) -> None:
    path = make()
    connection = sqlite3.connect(path)
    connection.execute("update size set prices = x'00ffff'")
    connection.commit()
    connection.close()

    with pricing.open(path) as catalogue:
        with pytest.raises(CatalogueDamagedError, match="malformed price blob"):
            catalogue.price("acme", "small", "north")
        with pytest.raises(CatalogueDamagedError, match="malformed price blob"):
            list(catalogue.every_price())


def test_other_schema(make: Callable[..., Path]) -> None:
    path = make()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 2")
    connection.close()

    with pytest.raises(CatalogueSchemaError, match=r"schema 2.*upgrade anysky"):
        pricing.open(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogueMissingError, match="given"):
        pricing.open(tmp_path / "none.db")
    with pytest.raises(CatalogueMissingError, match="Is a directory"):
        pricing.open(tmp_path)


def test_path_with_characters_of_a_url(make: Callable[..., Path], tmp_path: Path) -> None:
    odd = tmp_path / "50%41 ?a#b"
    odd.mkdir()
    path = make().rename(odd / "prices.db")

    with Catalogue(str(path)) as catalogue:
        assert catalogue.version == "2030.01.01"


def test_first_look_up_imports_little() -> None:
    program = (
        "import sys, _sqlite3, anysky; before = set(sys.modules)\n"
        "from anysky.pricing import price\n"
        "assert price('aws', 'm5.large', 'eu-west-1')\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    own = {name for name in done.stdout.split() if name.startswith("anysky")}
    assert own == {
        "anysky.pricing",
        "anysky.pricing.catalogue",
        "anysky.pricing.defaults",
        "anysky.pricing.model",
        "anysky.pricing.opening",
        "anysky.pricing.packing",
        "anysky.pricing.places",
    }
    # `collections.abc` is another name of a module that Python itself has imported.
    others = {"_decimal", "collections.abc", "decimal", "numbers"}
    assert set(done.stdout.split()) - own <= others


def test_random_damage_never_gives_another_error(make: Callable[..., Path]) -> None:
    path = make()
    content = path.read_bytes()
    random = Random(7)

    for _ in range(150):
        changed = bytearray(content)
        for _ in range(8):
            changed[random.randrange(100, len(changed))] = random.randrange(256)
        path.write_bytes(changed)
        with suppress(PricingError), pricing.open(path) as catalogue:
            catalogue.price("acme", "small", "north")
            catalogue.search(vcpu=1)
            pricing.info(path)
            list(catalogue.every_price())


def test_python_without_sqlite(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = make()
    monkeypatch.setitem(sys.modules, "_sqlite3", None)

    with (
        pricing.open(path) as catalogue,
        pytest.raises(PricingError, match="without the module _sqlite3"),
    ):
        catalogue.price("acme", "small", "north")
