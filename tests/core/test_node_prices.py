"""Prices in the API: of sizes, of nodes to be, and a limit before anything is made."""

from decimal import Decimal

import pytest

from anysky.compute import NodeImage, NodeSize, get_driver
from anysky.errors import InvalidRequestError, PriceLimitError
from anysky.model.base import lazy
from anysky.model.compute import NodeSize as SizeModel
from anysky.node_prices import lazy_price
from anysky.providers.memory import Cloud
from tests.core.both import both


@pytest.fixture
def cloud():
    return Cloud()


def ec2_size(driver, name):
    return NodeSize(name, name, 8192, 0, None, None, driver)


async def kinds(api, driver):
    return (await api.do(driver.list_sizes()))[0], (await api.do(driver.list_images()))[0]


@both
async def test_the_providers_own_price_counts(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    size, image = await kinds(api, driver)

    found = await api.do(driver.estimate_node(size, image, count=2))

    [line] = found.lines
    assert (size.price, line.price.amount) == (Decimal("0.01"), Decimal("0.01"))
    assert (line.hourly, found.monthly) == (Decimal("0.02"), {"USD": Decimal("14.60")})
    assert (line.price.quality, line.price.currency, found.unknown) == ("recorded", "USD", ())


@both
async def test_nodes_within_the_limit_are_made(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    size, image = await kinds(api, driver)

    await api.do(driver.create_node("web", size, image, max_monthly=Decimal("7.30")))
    made = await api.do(driver.create_nodes("db", size, image, count=2, max_monthly="14.6"))

    assert (len(made), len(cloud.inventory()["nodes"])) == (2, 3)


@both
@pytest.mark.parametrize("most", [Decimal("7.29"), 7, 0, -1])
async def test_dearer_nodes_are_refused_before_anything_is_sent(api, cloud, most):
    driver = api.driver("compute", cloud=cloud)
    size, image = await kinds(api, driver)
    calls = len(cloud.calls)

    with pytest.raises(PriceLimitError, match=r"7\.3 USD a month, more than max_monthly"):
        await api.do(driver.create_node("web", size, image, max_monthly=most))
    with pytest.raises(PriceLimitError, match=r"21\.9 USD a month"):
        await api.do(driver.create_nodes("web", size, image, count=3, max_monthly=most))

    assert len(cloud.calls) == calls


@both
async def test_an_unknown_price_is_refused(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    _, image = await kinds(api, driver)
    size = SizeModel("odd", "Odd", 1024, 10, None, None)

    found = await api.do(driver.estimate_node(size))
    with pytest.raises(PriceLimitError, match="the price of odd in an unknown region is unknown"):
        await api.do(driver.create_node("web", size, image, max_monthly=1000))

    assert (found.monthly, [item.size for item in found.unknown]) == ({}, ["odd"])


@both
async def test_a_limit_that_is_no_amount_is_refused(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    size, image = await kinds(api, driver)

    with pytest.raises(InvalidRequestError, match="max_monthly is an amount, not 'much'"):
        await api.do(driver.create_node("web", size, image, max_monthly="much"))


def test_the_catalogue_counts_where_the_provider_tells_nothing(monkeypatch):
    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    driver = get_driver("ec2")("AKIDEXAMPLE", "secret", region="eu-west-1")
    size = ec2_size(driver, "m5.large")

    assert driver.estimate_node(size).monthly == {"USD": Decimal("78.110")}
    assert driver.estimate_node(size, hours=100).monthly == {"USD": Decimal("10.700")}
    windows = driver.estimate_node(size, os="windows")
    assert windows.hourly["USD"] > Decimal("0.107")
    with pytest.raises(PriceLimitError, match=r"78\.11 USD a month"):
        driver.create_node("web", size, NodeImage("ami-1", "", driver), max_monthly=78)


def test_a_zone_has_the_prices_of_its_region(monkeypatch):
    from anysky.compute import NodeLocation

    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    driver = get_driver("ec2")("AKIDEXAMPLE", "secret", region="us-east-1")
    zone = NodeLocation("eu-west-1b", "eu-west-1b", "IE", driver)

    found = driver.estimate_node(ec2_size(driver, "m5.large"), location=zone)

    assert found.lines[0].price.region == "eu-west-1"


def test_prices_of_sizes_are_looked_up_when_they_are_read(monkeypatch):
    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    price = lazy_price("aws", "m5.large", "eu-west-1")
    size = SizeModel("m5.large", "m5.large", 8192, 0, None, price)

    assert size.price == Decimal("0.107")
    assert "price=Decimal('0.107')" in repr(size)


def test_a_price_is_none_where_no_catalogue_can_be_read(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("ANYSKY_PRICES", str(tmp_path / "none.db"))
    size = SizeModel("m5.large", "", 8192, 0, None, lazy_price("aws", "m5.large", "eu-west-1"))

    assert size.price is None
    assert "no prices: no price catalogue" in caplog.text


def test_a_lazy_value_is_made_once():
    made = []
    size = SizeModel("one", "", 1, 0, None, lazy(lambda: made.append(1) or Decimal(1)))

    assert (size.price, size.price, made) == (Decimal(1), Decimal(1), [1])
