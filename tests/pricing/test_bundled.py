"""The catalogue that comes with anysky: every figure right, or absent."""

from __future__ import annotations

import gzip
import re
import sqlite3
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from anysky.pricing import Catalogue, Price
from anysky.pricing.places import BUNDLED_VERSION, bundled_path

PUBLISHED = {
    "us-east-1": Path(__file__).with_name("ec2_us_east_1.txt"),
    "us-gov-west-1": Path(__file__).with_name("ec2_us_gov_west_1.txt"),
}
FACTORS = {"medium": 2, "large": 4, "xlarge": 8}
CANARIES = """
aws m5.large eu-west-1 linux 0.107
aws m5.large eu-west-1 windows 0.199
aws m5.xlarge eu-west-1 linux 0.214
aws m5.large us-east-1 linux 0.096
aws m5.large us-east-1 windows 0.188
aws m5.large us-east-1 rhel 0.125
aws m5.large eu-central-1 linux 0.115
aws m5.large ap-southeast-2 linux 0.12
aws m5.large sa-east-1 linux 0.153
aws c5.large us-east-1 linux 0.085
aws c5.large eu-west-1 linux 0.096
aws r5.large us-east-1 linux 0.126
aws t3.micro us-east-1 linux 0.0104
aws t3.micro eu-west-1 linux 0.0114
aws t3.medium us-east-1 windows 0.06
aws t4g.nano us-east-1 linux 0.0042
aws m6i.large us-east-1 linux 0.096
aws m7g.large us-east-1 linux 0.0816
aws c7g.large us-east-1 linux 0.0725
aws i3.large us-east-1 linux 0.156
azure Standard_B2s eastus linux 0.0416
azure Standard_D2s_v3 eastus linux 0.096
azure Standard_D2s_v3 eastus windows 0.188
azure Standard_D2s_v3 westeurope linux 0.12
azure Standard_F2s_v2 eastus linux 0.0846
azure Standard_E4s_v3 eastus linux 0.252
gcp n2-standard-4 us-central1 linux 0.194236
gcp e2-standard-2 us-central1 linux 0.06701142
gcp e2-medium us-central1 linux 0.03350571
gcp n1-standard-1 us-central1 linux 0.04749975
gcp c2-standard-4 us-central1 linux 0.208808
gcp f1-micro us-central1 linux 0.0076
linode g6-nanode-1 eu-west linux 0.0075
vultr vc2-1c-1gb ewr linux 0.007
upcloud 1xCPU-1GB au-syd1 linux 0.011309
""".strip().splitlines()


@pytest.fixture(scope="module")
def bundled() -> Catalogue:
    return Catalogue(bundled_path())


@pytest.fixture(scope="module")
def prices(bundled: Catalogue) -> list[Price]:
    return list(bundled.every_price())


@pytest.mark.parametrize("canary", CANARIES)
def test_canary(bundled: Catalogue, canary: str) -> None:
    provider, size, region, os, amount = canary.split()

    price = bundled.price(provider, size, region, os=os, require=True)

    assert price is not None
    assert price.amount == Decimal(amount)


@pytest.mark.parametrize(("region", "least"), [("us-east-1", 130), ("us-gov-west-1", 100)])
def test_ec2_agrees_with_what_aws_publishes(bundled: Catalogue, region: str, least: int) -> None:
    text = PUBLISHED[region].read_text()
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    published = {name: Decimal(amount) for name, amount in lines}
    found = {name: bundled.price("aws", name, region) for name in published}
    known = {name: price.amount for name, price in found.items() if price}

    wrong = {name: amount for name, amount in known.items() if amount != published[name]}

    assert len(known) >= least
    assert wrong == {}


def test_one_figure_for_each_key(prices: list[Price]) -> None:
    keys = Counter(
        (one.provider, one.size, one.region, one.os, one.licence, one.term, one.upfront)
        for one in prices
    )

    assert [key for key, count in keys.items() if count > 1] == []


def test_nothing_is_free_or_absurd(prices: list[Price]) -> None:
    assert [one for one in prices if not Decimal("0.001") < one.amount < 500] == []


def test_every_figure_says_where_it_comes_from(prices: list[Price]) -> None:
    assert {one.quality for one in prices} == {"recorded", "composed", "derived"}
    assert all(one.source.startswith("https://") for one in prices)
    assert all("2020-01-01" <= one.as_of <= BUNDLED_VERSION.replace(".", "-") for one in prices)
    assert {one.currency for one in prices} == {"USD", "EUR"}
    assert {one.unit for one in prices} == {"hour"}


def test_no_windows_figure_under_a_linux_name(prices: list[Price]) -> None:
    by_place: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(dict)
    for one in prices:
        if one.term == "ondemand":
            by_place[one.provider, one.size, one.region][one.os] = one.amount

    dearer = {
        place: found
        for place, found in by_place.items()
        if "linux" not in found or any(found["linux"] > amount for amount in found.values())
    }
    same = [place for place, found in by_place.items() if found["linux"] == found.get("windows")]

    assert dearer == {}
    # Azure asks nothing for Windows on its smallest sizes of the first generation.
    assert {place[:2] for place in same} == {("azure", "Basic_A0"), ("azure", "Standard_A0")}


def test_licences_of_azure_are_alike_within_a_family(
    bundled: Catalogue, prices: list[Price]
) -> None:
    vcpus = dict(bundled.rows("select name, vcpu from size where provider = 'azure' and vcpu > 0"))
    linux = {(one.size, one.region): one.amount for one in prices if one.os == "linux"}
    licences: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for one in prices:
        if one.provider == "azure" and one.os == "windows" and one.size in vcpus:
            family = re.sub(r"\d+", "", one.size, count=1)
            licence = one.amount - linux[one.size, one.region]
            licences[family, one.region].append(licence / Decimal(vcpus[one.size]))

    odd = [key for key, found in licences.items() if len(found) > 2 and max(found) > 4 * min(found)]

    assert len(licences) > 700
    assert odd == []


def test_ec2_prices_are_proportional_within_a_family(prices: list[Price]) -> None:
    units: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for one in prices:
        family, _, tail = one.size.partition(".")
        if one.provider == "aws" and one.os == "linux":
            multiple = tail.removesuffix("xlarge")
            factor = 8 * int(multiple) if multiple.isdecimal() else FACTORS.get(tail)
            if factor:
                units[family, one.region].append(one.amount / factor)

    odd = [key for key, found in units.items() if max(found) / min(found) > Decimal("1.02")]

    assert odd == []


def test_coverage_is_not_less_than_it_was(bundled: Catalogue) -> None:
    meta = bundled.meta()

    assert int(meta["prices.aws"]) > 55_000
    assert int(meta["prices.azure"]) > 16_500
    assert int(meta["prices.gcp"]) > 2_300
    assert int(meta["prices"]) == sum(
        int(count) for key, count in meta.items() if key.startswith("prices.")
    )


def test_version_is_the_one_that_the_code_names(bundled: Catalogue) -> None:
    assert bundled.version == BUNDLED_VERSION


def test_file_is_small_and_whole() -> None:
    content = Path(bundled_path()).read_bytes()
    connection = sqlite3.connect(f"file:{bundled_path()}?mode=ro", uri=True)

    assert len(gzip.compress(content, mtime=0)) < 1_000_000
    assert connection.execute("pragma quick_check").fetchall() == [("ok",)]
    connection.close()


def test_regions_say_where_they_are(bundled: Catalogue) -> None:
    assert (
        bundled.rows("select provider, name from region where geo is null or country is null") == []
    )


def test_sizes_of_ec2_and_google_say_what_they_have(bundled: Catalogue) -> None:
    query = "select name from size where provider <> 'azure' and (vcpu is null or ram_mb is null)"

    assert bundled.rows(query) == []
