"""Acme's cloud does what every provider must do, and what only it can."""

import asyncio

import pytest
from acme_server import PAGE, AcmeServer
from anysky_acme.compute import AcmeCompute

import anysky
import anysky.aio
import anysky.aio.compute
from anysky.compute import NodeImage, NodeSize, get_driver
from anysky.registry import provider_names
from anysky.testing import ComputeSetup, cases

TOKEN = "acme-canary-4711"


@pytest.fixture
def acme():
    with AcmeServer(TOKEN) as server:
        yield server


def link_elsewhere(acme, url):
    acme.foreign_link = url


@pytest.mark.parametrize(
    "case", cases("compute", "acme", pages={"list_nodes": PAGE}, links=["list_nodes"]), ids=str
)
def test_conformance(case, acme):
    case.run(
        ComputeSetup(
            {"key": TOKEN, "endpoint": acme.url},
            size="small",
            image="debian",
            reset=acme.servers.clear,
            fill=lambda _, count: [acme.add({"name": "x"}) for _ in range(count)],
            link=lambda _, url: link_elsewhere(acme, url),
        )
    )


def test_every_case_of_nodes_applies():
    names = {case.name for case in cases("compute", "acme")}

    assert {"node_life", "node_tags", "nodes_run"} <= names
    assert "volume_life" not in names


def test_the_provider_is_found_by_its_name_everywhere():
    assert "acme" in provider_names()
    blocking = anysky.get_driver(anysky.DriverType.COMPUTE, "acme")
    assert blocking is get_driver("ACME")
    assert issubclass(blocking, anysky.compute.NodeDriver)
    concurrent = anysky.aio.get_driver("compute", "acme")
    assert issubclass(concurrent, anysky.aio.compute.NodeDriver)


def test_its_own_operation_and_option_work_in_the_blocking_api(acme):
    with get_driver("acme")(TOKEN, endpoint=acme.url) as driver:
        size = NodeSize("small", "small", 1024, 10, None, None, driver)
        image = NodeImage("debian", None, driver)
        node = driver.create_node("web", size, image, ex_rack="rack-7")

        assert driver.call(AcmeCompute.blink, node, seconds=5) == "rack-7"
        assert driver.ex_blink(node) == "rack-7"
        assert node.extra["rack"] == "rack-7"


def test_its_own_operation_works_in_the_asyncio_api(acme):
    acme.add({"name": "web", "rack": "rack-9"})

    async def main():
        async with anysky.aio.compute.get_driver("acme")(TOKEN, endpoint=acme.url) as driver:
            [node] = await driver.list_nodes()
            return await driver.call(AcmeCompute.blink, node), await driver.ex_blink(node)

    assert asyncio.run(main()) == ("rack-9", "rack-9")


def test_a_wrong_token_is_refused(acme):
    driver = get_driver("acme")("wrong", endpoint=acme.url)
    with driver, pytest.raises(anysky.AuthenticationError) as caught:
        driver.list_nodes()

    assert (caught.value.provider, caught.value.operation) == ("acme", "list_nodes")
