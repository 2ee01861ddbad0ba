"""Sizes beside each other: named ones, and the cheapest equivalents of every provider."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from anysky import pricing
from anysky.cli import main
from anysky.errors import InvalidRequestError
from anysky.pricing import Compared, Item, PriceUnknownError
from anysky.pricing.building.draft import Figure, Region, Source, Spec, Vendor, exact_nano
from anysky.pricing.building.writing import write_catalogue
from tests.pricing.conftest import draft

if TYPE_CHECKING:
    from pathlib import Path

RATES = """<Envelope><Cube><Cube time='2030-01-02'>
<Cube currency='USD' rate='1.25'/></Cube></Cube></Envelope>"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Beside acme, a vendor in euros: as good as acme's large, and better."""
    made = draft()
    source = Source("https://other.example/prices", "2029-12-30")
    made.providers.append(Vendor("other", "Other", "EUR", "https://other.example/"))
    made.regions["other", "west"] = Region("other", "west", "eu", None)
    for size, arch, burstable, amount in (
        ("big", "arm64", False, "1.6"),
        ("bigger", "arm64", False, "1.7"),
        ("shared", "arm64", True, "0.1"),
        ("intel", "x86_64", False, "0.2"),
    ):
        made.specs["other", size] = Spec(4, 16384, 80, 0, arch=arch, burstable=burstable)
        nano = exact_nano(Decimal(amount))
        made.figures.append(Figure("other", size, "west", nano, source, currency="EUR"))
    written = tmp_path / "two.db"
    write_catalogue(made, written)
    return written


def brief(rows: list[Compared]) -> list[tuple[str, str, str, str]]:
    return [(row.price.size, f"{row.hourly:f}", row.currency, str(row.ratio)) for row in rows]


LARGE = Item("acme", "large", "north")


@pytest.mark.parametrize(
    ("items", "wanted", "rows"),
    [
        ([LARGE], {}, [("large", "2", "USD", "1.0000"), ("big", "1.6", "EUR", "1.0000")]),
        (
            [LARGE],
            {"limit": 2, "currency": "USD", "rates": {"EUR": Decimal("1.25")}},
            [
                ("large", "2", "USD", "1.0000"),
                ("big", "2", "USD", "1.0863"),  # acme bills 672 hours of a month at the most
                ("bigger", "2.125", "USD", "1.1542"),
            ],
        ),
        ([LARGE], {"providers": ["acme"]}, [("large", "2", "USD", "1.0000")]),
        ([LARGE], {"currency": "USD"}, [("large", "2", "USD", "1.0000")]),
        (
            [Item("acme", "small", "north", count=3), LARGE],
            {},
            [("small", "1.5", "USD", "1.0000"), ("large", "2", "USD", "1.3333")],
        ),
        ([], {"vcpu": 2}, [("shared", "0.1", "EUR", "1.0000"), ("large", "2", "USD", "1.0000")]),
        ([], {"ram_gb": 1, "os": "windows"}, [("small", "0.9", "USD", "1.0000")]),
    ],
)
def test_compare(
    path: Path, items: list[Item], wanted: Any, rows: list[tuple[str, str, str, str]]
) -> None:
    with pricing.open(path) as catalogue:
        assert brief(catalogue.compare(*items, **wanted)) == rows


@pytest.mark.parametrize(
    ("items", "wanted", "says"),
    [
        ([], {}, "name a size"),
        ([LARGE, LARGE], {"vcpu": 2}, "as they are: no vcpu"),
        ([LARGE], {"currency": "EUR"}, "no rate from USD to EUR"),
    ],
)
def test_comparisons_that_cannot_be(path: Path, items: list[Item], wanted: Any, says: str) -> None:
    with pricing.open(path) as catalogue, pytest.raises(InvalidRequestError, match=says):
        catalogue.compare(*items, **wanted)


def test_a_size_without_a_price(path: Path) -> None:
    with pricing.open(path) as catalogue, pytest.raises(PriceUnknownError, match="near: large"):
        catalogue.compare(Item("acme", "larg", "north"))


def test_the_table_says_that_currencies_are_not_ranked_together(path: Path) -> None:
    result = CliRunner().invoke(
        main, ["prices", "compare", "acme/large/north", "--prices", str(path)]
    )

    assert [line.split() for line in result.stdout.splitlines()[2:]] == [
        ["acme", "large", "north", "4", "16", "2", "1344.00", "USD", "1.00", "2029-12-31"],
        ["other", "big", "west", "4", "16", "1.6", "1168.00", "EUR", "1.00", "2029-12-30"],
    ]
    assert result.stderr == (
        "prices are in USD and EUR: each currency is compared within itself; --currency converts\n"
    )


def test_the_command_converts_and_says_by_which_rates(path: Path, tmp_path: Path) -> None:
    rates = tmp_path / "rates.xml"
    rates.write_text(RATES)

    result = CliRunner().invoke(
        main,
        ["prices", "compare", "--vcpu", "4", "--no-burstable", "--currency", "eur",
         "--rates", str(rates), "--provider", "acme", "--provider", "nobody",
         "--prices", str(path), "-o", "json"],
    )  # fmt: skip

    (row,) = json.loads(result.stdout)
    assert (row["hourly"], row["currency"], row["rate"], row["rate_as_of"]) == (
        "1.6", "EUR", "0.8", "2030-01-02",
    )  # fmt: skip
    assert row["price"]["currency"] == "USD"
    assert "converted by the rates of 2030-01-02" in result.stderr
    assert "nothing that fits is known of nobody" in result.stderr
