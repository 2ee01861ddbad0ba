"""The conformance suite of load balancers over moto: addresses as members, then nodes.

Pages are not among the cases: what a page tells of balancers takes further requests.
"""

from __future__ import annotations

import pytest

from anysky.model.compute import Node, NodeState
from anysky.model.loadbalancer import Algorithm, Member
from anysky.testing import LoadBalancerSetup, cases
from tests.conformance.aws import client, settings

pytestmark = pytest.mark.server

IMAGE = "ami-1e749f67"  # an Ubuntu that moto brings along


def nodes(url, count):
    """Make so many nodes, which run, and return their ids."""
    made = client("ec2", url).run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count)
    return [one["InstanceId"] for one in made["Instances"]]


def node(url):
    return Node(nodes(url, 1)[0], "web", NodeState.RUNNING, [], ["10.66.1.9"], None, None)


def two_nodes(url):
    first, second = nodes(url, 2)
    return Member(first, "", 8080), Member(second, "", 8080)


@pytest.mark.parametrize("case", cases("loadbalancer", "alb", failures=False), ids=str)
def test_application_balancers_of_addresses(case, moto, moto_server):
    case.run(
        LoadBalancerSetup(
            settings(moto),
            reset=moto_server.reset,
            options={"ex_target_type": "ip"},
            algorithm=Algorithm.LEAST_CONNECTIONS,
            node=lambda: node(moto),
        )
    )


@pytest.mark.parametrize("case", cases("loadbalancer", "alb", failures=False), ids=str)
def test_network_balancers_of_nodes(case, moto, moto_server):
    case.run(
        LoadBalancerSetup(
            settings(moto),
            reset=moto_server.reset,
            protocol="tcp",
            members=lambda: two_nodes(moto),
            node=lambda: node(moto),
        )
    )


@pytest.mark.parametrize("case", cases("loadbalancer", "elb", failures=False), ids=str)
def test_classic_balancers(case, moto, moto_server):
    case.run(LoadBalancerSetup(settings(moto), reset=moto_server.reset))
