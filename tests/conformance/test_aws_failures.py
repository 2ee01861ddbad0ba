"""The cases of failure over moto, which has one image only: it takes long to make the others."""

from __future__ import annotations

import pytest

from anysky.model.compute import Node, NodeState
from anysky.testing import (
    ComputeSetup,
    DNSSetup,
    LoadBalancerSetup,
    StorageSetup,
    failure_cases,
)
from tests.conformance.aws import client, settings
from tests.servers.moto import Moto

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server():
    with Moto(tokens=True, load_amis=False) as server:
        yield server


@pytest.fixture
def aws(server):
    server.reset()
    return server.url


@pytest.fixture(scope="module")
def s3(server):
    return client("s3", server.url)


@pytest.fixture(scope="module")
def elb(server):
    return client("elbv2", server.url)


@pytest.fixture
def node(aws, image):
    """Makes a node that runs."""

    def make():
        made = client("ec2", aws).run_instances(ImageId=image, MinCount=1, MaxCount=1)
        id = made["Instances"][0]["InstanceId"]
        return Node(id, "web", NodeState.RUNNING, [], ["10.66.1.9"], None, None)

    return make


@pytest.fixture
def image(aws):
    return client("ec2", aws).register_image(Name="debian", RootDeviceName="/dev/xvda")["ImageId"]


@pytest.mark.parametrize("case", failure_cases("compute", "ec2"), ids=str)
def test_compute(case, aws, image):
    setup = ComputeSetup(
        settings(aws), size="t3.micro", image=image, location="eu-west-1a", patience=5.0
    )
    case.run(setup)


@pytest.mark.parametrize("case", failure_cases("dns", "route53"), ids=str)
def test_dns(case, aws):
    case.run(DNSSetup(settings(aws), patience=5.0))


@pytest.mark.parametrize("case", failure_cases("storage", "s3"), ids=str)
def test_storage(case, aws, s3):
    case.run(StorageSetup(settings(aws), patience=5.0, others=lambda: unfinished(s3)))


@pytest.mark.parametrize("case", failure_cases("loadbalancer", "alb"), ids=str)
def test_balancers(case, aws, elb, node):
    setup = LoadBalancerSetup(
        settings(aws),
        options={"ex_target_type": "ip"},
        node=node,
        others=lambda: parts_of_balancers(elb),
        patience=5.0,
    )
    case.run(setup)


def parts_of_balancers(elb):
    """Ids of what belongs to balancers: target groups and listeners."""
    groups = elb.describe_target_groups()["TargetGroups"]
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    listeners = [elb.describe_listeners(LoadBalancerArn=id)["Listeners"] for id in balancers]
    return [
        *(one["TargetGroupArn"] for one in groups),
        *(one["ListenerArn"] for some in listeners for one in some),
    ]


def unfinished(s3):
    """Ids of uploads in parts that were neither finished nor given up."""
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    uploads = (s3.list_multipart_uploads(Bucket=name).get("Uploads", ()) for name in buckets)
    return [upload["UploadId"] for found in uploads for upload in found]
