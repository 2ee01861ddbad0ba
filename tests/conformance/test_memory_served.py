"""The conformance suites over a cloud in memory that is served over HTTP."""

from __future__ import annotations

import pytest

from anysky.model.loadbalancer import Algorithm
from anysky.providers.memory import Cloud
from anysky.providers.memory.serving import serve
from anysky.testing import ComputeSetup, DNSSetup, LoadBalancerSetup, StorageSetup

from .test_memory import KEY, PAGE, SECRET, STORAGE_LISTS, VALUES, Shared, suite


class Served(Shared):
    """A server whose cloud is new for each API's turn."""

    def __init__(self, server):
        self.server = server
        self.settings = {"key": KEY, "secret": SECRET, "endpoint": server.url}
        self.reset()

    def reset(self):
        self.cloud = self.server.cloud = Cloud(page_size=PAGE, boot_looks=1)


@pytest.fixture
def served():
    with serve(Cloud()) as server:
        yield Served(server)


@suite("compute", "list_nodes", "list_volumes", "list_key_pairs")
def test_compute(case, served):
    case.run(
        ComputeSetup(
            served.settings, size="small", image="debian-12", reset=served.reset, fill=served.fill
        )
    )


@suite("storage", *STORAGE_LISTS)
def test_storage(case, served):
    case.run(
        StorageSetup(
            served.settings,
            storage_class="COLD",
            delimiters=("-", "::", "%2F"),
            reset=served.reset,
            fill=served.fill,
        )
    )


@suite("dns", "list_records")
def test_dns(case, served):
    case.run(DNSSetup(served.settings, reset=served.reset, fill=served.fill, records=VALUES))


@suite("loadbalancer", "list_balancers", "balancer_list_members")
def test_loadbalancer(case, served):
    case.run(
        LoadBalancerSetup(
            served.settings,
            algorithm=Algorithm.LEAST_CONNECTIONS,
            other_protocol="tcp",
            node=served.node,
            reset=served.reset,
            fill=served.fill,
        )
    )
