"""Cleaning and writing: the same input gives the same bytes, and only right figures remain."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anysky.pricing import Catalogue
from anysky.pricing.building.azure import azure_figures, azure_name, azure_spec
from anysky.pricing.building.draft import Figure, Spec, exact_nano
from anysky.pricing.building.ec2 import ec2_figures
from anysky.pricing.building.gce import gce_components, gce_figures, gce_rates
from anysky.pricing.building.libcloud import libcloud_draft
from anysky.pricing.building.writing import write_catalogue
from anysky.pricing.checking import check_catalogue
from anysky.pricing.places import BUNDLED_VERSION, bundled_path
from tests.pricing.conftest import draft

REGIONS = ("r1", "r2", "r3", "r4", "r5")
Found = dict[tuple[str, str], tuple[Decimal, str]]


def ec2(**tables: Any) -> Found:
    """Clean EC2's figures; return amount and quality by size and region."""
    figures = ec2_figures(tables, "https://x.example/", "2030-01-01")
    return {
        (one.size, f"{one.region} {one.os}"): (Decimal(one.nano).scaleb(-9), one.source.quality)
        for one in figures
    }


def family(prices: dict[str, float]) -> dict[str, dict[str, float]]:
    return {size: {"r1": price} for size, price in prices.items()}


@pytest.mark.parametrize(
    ("prices", "size", "found"),
    [
        ({"m5.large": 0.1, "m5.xlarge": 0.2}, "m5.large", (Decimal("0.1"), "recorded")),
        ({"m5.large": 0, "m5.xlarge": 0.2, "m5.2xlarge": 0.4}, "m5.large", ("0.1", "derived")),
        ({"m5.large": 0.106, "m5.xlarge": 0.2, "m5.2xlarge": 0.4}, "m5.large", ("0.1", "derived")),
        (
            {"m5.large": 0.106, "m5.xlarge": 0.212, "m5.2xlarge": 0.4},
            "m5.xlarge",
            ("0.2", "derived"),
        ),
        ({"m5.large": 0.3, "m5.xlarge": 0.2, "m5.2xlarge": 0.4}, "m5.large", None),
        ({"m5.large": 0.1}, "m5.large", None),
        ({"m5.large": 0, "m5.xlarge": 0}, "m5.large", None),
        ({"m5.metal": 4.6, "m5.large": 0.1, "m5.xlarge": 0.2}, "m5.metal", None),
        ({"p3.2xlarge": 3.06, "p3.8xlarge": 12.24}, "p3.2xlarge", None),
        ({"x1.medium": 0, "x1.large": 0.051, "x1.xlarge": 0.102}, "x1.medium", None),
    ],
)
def test_ec2_linux(prices: dict[str, float], size: str, found: tuple[Any, str] | None) -> None:
    expected = None if found is None else (Decimal(found[0]), found[1])

    assert ec2(ec2_linux=family(prices)).get((size, "r1 linux")) == expected


@pytest.mark.parametrize(
    ("figure", "found"),
    [
        (0.192, ("0.192", "recorded")),
        (0.1, ("0.192", "derived")),
        (0.092, ("0.192", "derived")),
        (0, ("0.192", "derived")),
        (0.198, ("0.192", "derived")),
        (0.5, None),
    ],
)
def test_windows_is_linux_and_a_licence(figure: float, found: tuple[str, str] | None) -> None:
    linux = {"m5.large": dict.fromkeys(REGIONS, 0.1), "m5.xlarge": dict.fromkeys(REGIONS, 0.2)}
    windows = {
        "m5.large": {**dict.fromkeys(REGIONS, 0.192), "r1": figure},
        "m5.xlarge": dict.fromkeys(REGIONS, 0.384),
    }
    expected = None if found is None else (Decimal(found[0]), found[1])

    cleaned = ec2(ec2_linux=linux, ec2_windows=windows)

    assert cleaned.get(("m5.large", "r1 windows")) == expected
    assert cleaned["m5.large", "r1 linux"] == (Decimal("0.1"), "recorded")


def test_licence_that_nothing_confirms_is_left_out() -> None:
    linux = {"m5.large": dict.fromkeys(REGIONS, 0.1), "m5.xlarge": dict.fromkeys(REGIONS, 0.2)}
    windows = {
        "m5.large": dict.fromkeys(REGIONS, 0.103),
        "m5.xlarge": dict.fromkeys(REGIONS, 0.384),
    }

    assert not [place for _, place in ec2(ec2_linux=linux, ec2_windows=windows) if "win" in place]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("standardd2sv3", "Standard_D2s_v3"),
        ("standardds1v2", "Standard_DS1_v2"),
        ("standardd1s", "Standard_DS1"),
        ("standarda2mv2", "Standard_A2m_v2"),
        ("basica0", "Basic_A0"),
        ("standardnc4ast4v3", "Standard_NC4as_T4_v3"),
        ("standarde64isv3", "Standard_E64is_v3"),
        ("standardm208msv2", "Standard_M208ms_v2"),
        ("lowpriorityd1", None),
        ("standardh8promo", None),
        ("nonsense", None),
    ],
)
def test_names_of_azure(old: str, new: str | None) -> None:
    assert azure_name(old) == new


@pytest.mark.parametrize(
    ("name", "vcpu", "ram_mb", "is_sold"),
    [
        ("Standard_D2s_v3", 2, 8192, True),
        ("Standard_DS3_v2", 4, 14336, True),
        ("Standard_B1ls", 1, 512, True),
        ("Standard_E64s_v3", 64, 432 * 1024, True),
        ("Standard_E64s_v4", None, None, True),
        ("Standard_F4s_v2", 4, 8192, True),
        ("Standard_A2", None, None, False),
        ("Standard_NC6", None, None, False),
        ("Standard_NC6s_v3", None, None, True),
    ],
)
def test_specs_of_azure(name: str, vcpu: float | None, ram_mb: int | None, is_sold: bool) -> None:
    spec = azure_spec(name)

    assert (spec.vcpu, spec.ram_mb, spec.is_sold) == (vcpu, ram_mb, is_sold)


def test_azure_leaves_out_what_cannot_be() -> None:
    linux = {"westus": 0.1, "eastus": 0.0, "westus2": 0.3, "germanycentral": 0.2}
    compute = {
        "azure_linux": {"standardd2sv3": linux},
        "azure_windows": {"standardd2sv3": {"westus": 0.2, "westus2": 0.2}},
    }

    found = azure_figures(compute, "https://x.example/", "2030-01-01")

    assert [(one.region, one.os, one.nano) for one in found] == [
        ("westus", "linux", 100_000_000),
        ("westus", "windows", 200_000_000),
    ]


def test_azure_leaves_out_what_belongs_to_another_size() -> None:
    def table(**prices: float) -> dict[str, dict[str, float]]:
        return {f"standard{name}": {"westus": price} for name, price in prices.items()}

    compute = {
        "azure_linux": table(e2dv4=0.144, e4dv4=0.288, e8dv4=0.576, e32dv4=2.304, b2ms=0.08,
                             b4ms=0.17, b8ms=0.39),
        "azure_windows": table(e2dv4=3.776, e4dv4=0.472, e8dv4=0.944, e32dv4=2.304, b2ms=0.088,
                               b4ms=0.186, b8ms=0.9),
    }  # fmt: skip

    found: dict[str, set[str]] = {"linux": set(), "windows": set()}
    for one in azure_figures(compute, "https://x.example/", "2030-01-01"):
        found[one.os].add(one.size.removeprefix("Standard_"))

    assert found == {
        "linux": {"E2d_v4", "E4d_v4", "E8d_v4", "E32d_v4", "B2ms", "B4ms"},
        "windows": {"E4d_v4", "E8d_v4", "B2ms", "B4ms"},
    }


def test_google_is_composed_of_its_parts() -> None:
    def of(price: float) -> dict[str, Any]:
        return {"on_demand": {"us-central1": {"price": price}, "europe-west6": {"price": 0}}}

    compute = {
        "gce_instances": {
            "n2": {"cpu": of(0.031611), "ram": of(0.004237)},
            "n2_custom": {"cpu": of(0.033174), "ram": of(0.004446)},
            "f1": {"cpu": of(0.0076)},
        },
        "gce_disks": {"SSD": of(0.17 / 720)},
    }
    where = ("https://x.example/", "2030-01-01")

    found = {(one.size, one.region): one for one in gce_figures(compute, *where)}

    assert found["n2-standard-4", "us-central1"].nano == 194_236_000
    assert found["n2-standard-4", "us-central1"].source.quality == "composed"
    assert found["f1-micro", "us-central1"].source.quality == "recorded"
    assert {region for _, region in found} == {"us-central1"}
    assert [(one.resource, one.nano) for one in gce_components(compute, *where)] == [
        ("cpu", 33_174_000),
        ("ram", 4_446_000),
    ]
    assert [(one.sku, one.nano) for one in gce_rates(compute, *where)] == [("pd-ssd", 170_000_000)]


@pytest.mark.parametrize("amount", ["0", "-1", "0.0000000001"])
def test_amounts_that_are_none(amount: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        exact_nano(Decimal(amount))


def test_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    made = draft()
    write_catalogue(made, tmp_path / "one.db")
    made.figures.reverse()
    made.regions = dict(reversed(made.regions.items()))
    write_catalogue(made, tmp_path / "two.db")

    assert (tmp_path / "one.db").read_bytes() == (tmp_path / "two.db").read_bytes()


def test_two_figures_for_one_key_are_refused(tmp_path: Path) -> None:
    made = draft()
    first = made.figures[0]
    made.figures.append(
        Figure(first.provider, first.size, first.region, first.nano + 1, first.source)
    )

    with pytest.raises(ValueError, match="2 figures for acme small north linux"):
        write_catalogue(made, tmp_path / "prices.db")


def test_what_is_written_is_sound_and_complete(tmp_path: Path) -> None:
    made = draft()
    write_catalogue(made, tmp_path / "prices.db")

    assert check_catalogue(tmp_path / "prices.db", rows={"acme": 4}) == "2030.01.01"
    with Catalogue(str(tmp_path / "prices.db")) as catalogue:
        assert len(list(catalogue.every_price())) == len(made.figures)


def test_bundled_catalogue_is_sound() -> None:
    assert check_catalogue(Path(bundled_path())) == BUNDLED_VERSION


def test_small_providers_without_currency_are_left_out() -> None:
    data = {"updated": 1_900_000_000, "compute": {"gogrid": {"1GB": 0.19}, "rackspace": {"1": 1}}}

    made = libcloud_draft(data, url="https://x.example/", ec2_specs={}, version="2030.01.01")

    assert made.figures == []


def test_regions_that_nobody_knows_are_left_out() -> None:
    table = {"m5.large": {"eu-west-1": 0.1, "xx-1": 0.1}, "m5.xlarge": {"eu-west-1": 0.2}}
    data = {"updated": 1_900_000_000, "compute": {"ec2_linux": table}}
    specs = {"m5.large": Spec(2, 8192)}

    made = libcloud_draft(data, url="https://x.example/", ec2_specs=specs, version="2030.01.01")

    assert {one.region for one in made.figures} == {"eu-west-1"}
    assert made.specs == {("aws", "m5.large"): specs["m5.large"]}


def test_head_of_the_file_does_not_tell_which_sqlite_wrote_it(tmp_path: Path) -> None:
    write_catalogue(draft(), tmp_path / "prices.db")

    head = (tmp_path / "prices.db").read_bytes()[:100]

    assert int.from_bytes(head[96:100], "big") == 3_000_000
    assert head[92:96] == head[24:28]
