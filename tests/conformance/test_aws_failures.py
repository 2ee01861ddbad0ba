"""The cases of failure over moto, which has one image only: it takes long to make the others."""

from __future__ import annotations

import pytest

from anysky.testing import ComputeSetup, DNSSetup, StorageSetup, failure_cases
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


def unfinished(s3):
    """Ids of uploads in parts that were neither finished nor given up."""
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    uploads = (s3.list_multipart_uploads(Bucket=name).get("Uploads", ()) for name in buckets)
    return [upload["UploadId"] for found in uploads for upload in found]
