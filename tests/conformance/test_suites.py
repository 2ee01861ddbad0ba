"""The suites find what is wrong with a provider: each break of a rule fails the case it should."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace

import pytest

from anysky.compute import get_driver
from anysky.model.compute import Node, NodeState
from anysky.paging import Page
from anysky.providers.digitalocean.compute import DigitalOceanCompute
from anysky.runtime.blocking import BlockingRuntime
from anysky.testing import Case, ComputeSetup, Trial, cases
from anysky.transport.base import Request

TOKEN = "dop_v1_canary5f0c8e"
CASES = {case.name: case for case in cases("compute", "digitalocean")}
REAL = {name: getattr(DigitalOceanCompute, name) for name in ("list_nodes", "create_node")}


@pytest.fixture
def setup(digitalocean):
    digitalocean.token = TOKEN
    return ComputeSetup(
        {"key": TOKEN, "endpoint": digitalocean.url, "region": "fra1"},
        size="s-1vcpu-1gb",
        image="debian-12-x64",
        reset=digitalocean.clear,
        patience=0.5,
    )


async def leaves_it(self, node):
    """Destroy nothing."""


async def forgets_the_tags(self, spec):
    return await REAL["create_node"](self, replace(spec, tags={}))


async def tells_a_secret(self, cursor, filter):
    page = await REAL["list_nodes"](self, cursor, filter)
    return Page([changed(node, name=f"{node.name} {TOKEN}") for node in page.items], page.cursor)


async def logs_a_secret(self, cursor, filter):
    logging.getLogger("anysky.test").debug("signing in with %s", TOKEN)
    return await REAL["list_nodes"](self, cursor, filter)


async def asks_twice_in_one_api(self, cursor, filter):
    if isinstance(self.runtime, BlockingRuntime):
        await self.transport.send(Request("GET", "/v2/account"))
    return await REAL["list_nodes"](self, cursor, filter)


async def has_no_state(self, cursor, filter):
    page = await REAL["list_nodes"](self, cursor, filter)
    return Page([changed(node, state=NodeState.UNKNOWN) for node in page.items], page.cursor)


async def sends_before_it_refuses(self, cursor, network, filter):
    await self.transport.send(Request("GET", "/v2/vpcs"))
    raise self._unsupported("list_subnets")


sends_before_it_refuses.__module__ = "anysky.backend.compute"  # as if it were not overridden


def changed(node, **changes):
    fields = {name: getattr(node, name) for name in Node.__slots__}
    return Node(**{**fields, **changes})


@pytest.mark.parametrize(
    ("operation", "broken", "case", "message"),
    [
        ("destroy_node", leaves_it, "node_life", "end of the node: not so after a while"),
        ("create_node", forgets_the_tags, "node_tags", "tags of the node: expected"),
        ("list_nodes", tells_a_secret, "nodes_run", r"a secret shows in: .*\*\*\*"),
        ("list_nodes", logs_a_secret, "node_life", "a secret shows in: signing in with"),
        ("list_nodes", asks_twice_in_one_api, "node_life", "what the asyncio API sent"),
        ("list_nodes", has_no_state, "node_life", "state running: not so"),
        (
            "list_subnets",
            sends_before_it_refuses,
            "unsupported_operations_send_nothing",
            "list_subnets: nothing should be sent",
        ),
    ],
)
def test_a_broken_provider_fails(monkeypatch, setup, operation, broken, case, message):
    monkeypatch.setattr(DigitalOceanCompute, operation, broken)

    with pytest.raises(AssertionError, match=message) as caught:
        CASES[case].run(setup)

    assert TOKEN not in str(caught.value)


async def fails_in_asyncio(trial: Trial) -> None:
    assert trial.api == "blocking", "only the one"


def test_a_failure_names_the_api(setup):
    with pytest.raises(AssertionError, match="only the one") as caught:
        Case("compute", "digitalocean", "mine", fails_in_asyncio).run(setup)

    assert caught.value.__notes__ == ["in the asyncio API of digitalocean"]


async def leaves_a_node(trial: Trial) -> None:
    size = trial.module.NodeSize("s-1vcpu-1gb", "small", 1, 1, None, None, trial.driver)
    image = trial.module.NodeImage("debian-12-x64", None, trial.driver)
    node = await trial.keep(trial.driver.create_node(trial.name("left"), size, image))
    await trial.do(trial.driver.wait_until_running([node], wait_period=0))
    raise AssertionError("half-way")


def test_what_a_failed_case_made_is_removed(setup):
    with pytest.raises(AssertionError, match="half-way"):
        Case("compute", "digitalocean", "mine", leaves_a_node).run(setup)

    with get_driver("digitalocean")(**setup.settings) as driver:
        assert driver.list_nodes() == []


def test_cases_are_those_that_the_provider_supports():
    assert {"node_life", "volume_is_attached", "key_pair_is_imported"} <= set(CASES)
    assert "subnet_life" not in CASES
    assert "key_pair_is_made" not in CASES


@pytest.mark.parametrize("kind", ["compute", "storage", "dns"])
def test_every_case_says_what_it_is_about(kind):
    provider = {"compute": "ec2", "storage": "s3", "dns": "route53"}[kind]
    found = cases(kind, provider)

    assert len({case.name for case in found}) == len(found)
    assert all(case.script.__doc__ for case in found)
    assert [str(case) for case in found] == [case.name for case in found]


def test_the_suites_need_no_pytest():
    code = "import sys; sys.modules['pytest'] = None; from anysky.testing import cases; "
    code += "print(len(cases('dns', 'digitalocean')) > 0)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
