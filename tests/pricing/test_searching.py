"""Search, estimates, the cost of an inventory, differences."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from anysky import pricing
from anysky.errors import InvalidRequestError
from anysky.pricing import Catalogue, Item
from anysky.pricing.places import bundled_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Path]


@pytest.fixture
def catalogue(make: Make) -> Catalogue:
    return pricing.open(make())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [("small", "north", "0.5"), ("large", "north", "2")]),
        ({"vcpu": 2}, [("large", "north", "2")]),
        ({"ram_gb": 1, "limit": 1}, [("small", "north", "0.5")]),
        ({"arch": "x86_64"}, [("small", "north", "0.5")]),
        ({"burstable": False}, [("large", "north", "2")]),
        ({"geo": "sa"}, [("small", "south", "0.7")]),
        ({"region": "south"}, [("small", "south", "0.7")]),
        ({"os": "windows"}, [("small", "north", "0.9")]),
        ({"gpus": 0}, [("small", "north", "0.5"), ("large", "north", "2")]),
        ({"gpus": 1}, []),
        ({"gpu": "a16"}, []),
        ({"providers": ["acme-cloud"]}, [("small", "north", "0.5"), ("large", "north", "2")]),
        ({"providers": ["aws"]}, []),
        ({"currency": "EUR"}, []),
        ({"term": "spot"}, []),
    ],
)
def test_search(
    catalogue: Catalogue, wanted: dict[str, Any], found: list[tuple[str, str, str]]
) -> None:
    results = catalogue.search(**wanted)

    assert [(one.size.name, one.price.region, str(one.price.amount)) for one in results] == found


def test_search_in_another_currency(catalogue: Catalogue) -> None:
    (best,) = catalogue.search(currency="EUR", rates={"USD": Decimal("0.8")}, limit=1)

    assert (best.compared, best.price.currency) == (Decimal("0.40"), "USD")


@pytest.mark.parametrize("wanted", [{"geo": "mars"}, {"limit": 0}])
def test_search_for_what_cannot_be(catalogue: Catalogue, wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        catalogue.search(**wanted)


def test_search_finds_the_cheapest_of_all() -> None:
    catalogue = Catalogue(bundled_path())
    sizes = {
        (provider, name): (vcpu, ram)
        for provider, name, vcpu, ram, flags in catalogue.rows(
            "select provider, name, vcpu, ram_mb, flags from size"
        )
        if vcpu and ram and vcpu >= 4 and ram >= 16384 and not flags
    }
    european = {
        row[:2] for row in catalogue.rows("select provider, name from region where geo = 'eu'")
    }
    amounts = sorted(
        price.amount
        for size in sizes
        for price in [
            min(
                (
                    one
                    for one in catalogue.prices(*size)
                    if (one.os, one.term, one.currency) == ("linux", "ondemand", "USD")
                    and (one.provider, one.region) in european
                ),
                key=lambda one: one.amount,
                default=None,
            )
        ]
        if price
    )

    found = catalogue.search(vcpu=4, ram_gb=16, geo="eu", limit=10)

    assert [one.compared for one in found] == amounts[:10]


def test_estimate_lists_what_is_unknown(catalogue: Catalogue) -> None:
    known = Item("acme", "small", "north", count=3)
    short = Item("acme", "small", "north", hours=10)
    unknown = Item("acme", "dream", "north")

    bill = catalogue.estimate([known, short, unknown])

    assert bill.unknown == (unknown,)
    assert bill.hourly == {"USD": Decimal("2.0")}
    assert bill.monthly == {"USD": Decimal("0.5") * 3 * 672 + Decimal(5)}  # the bill is capped
    assert [line.price is None for line in bill.lines] == [False, False, True]


@pytest.mark.parametrize("wrong", [{"count": -1}, {"hours": -1}])
def test_items_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="negative"):
        Item("acme", "small", "north", **wrong)


def node(api_name: str, size: str | None, extra: dict[str, Any]) -> Any:
    return SimpleNamespace(
        name="web", size=size and SimpleNamespace(id=size), extra=extra,
        driver=SimpleNamespace(api_name=api_name),
    )  # fmt: skip


def test_cost_of_an_inventory() -> None:
    nodes = [
        node("ec2", "m5.large", {"availability": "eu-west-1a"}),
        node("ec2", "m5.large", {"placement": {"availabilityZone": "us-east-1b"}}),
        node("digitalocean", "s-1vcpu-1gb", {"region": {"slug": "ams3"}}),
        node("gce", "n2-standard-4", {"region": "us-central1"}),
        node("ec2", None, {}),
    ]

    bill = Catalogue(bundled_path()).cost_of(nodes)

    assert bill.hourly == {"USD": Decimal("0.107") + Decimal("0.096") + Decimal("0.194236")}
    assert [(item.provider, item.size, item.region) for item in bill.unknown] == [
        ("digitalocean", "s-1vcpu-1gb", "ams3"),
        ("ec2", "", ""),
    ]


def test_differences(make: Make) -> None:
    changes = pricing.diff(make("2030.01.01", "0.5"), make("2030.02.02", "0.6"))

    assert [
        (one.kind, one.old and one.old.amount, one.new and one.new.amount) for one in changes
    ] == [("changed", Decimal("0.5"), Decimal("0.6"))]


def test_new_and_gone(make: Make) -> None:
    with pricing.open(make()) as old, Catalogue(":memory:") as empty:
        assert {one.kind for one in old.diff(empty)} == {"gone"}
        assert {one.kind for one in empty.diff(old)} == {"new"}
