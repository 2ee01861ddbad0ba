"""What AWS alone can make, failing half-way at each request, in both APIs, against moto.

What every provider makes is in the conformance suites.
"""

from __future__ import annotations

import pytest
from tests.conformance.aws import client, settings
from tests.servers.moto import Moto

from anysky.model.compute import SecurityGroupRule
from anysky.model.storage import PartLimits
from anysky.testing import ComputeSetup, DNSSetup, StorageSetup
from anysky.testing.case import Case
from anysky.testing.failures import failures_of
from anysky.testing.making import Making, Order
from anysky.transfer.options import TransferOptions
from anysky.wire.s3_multipart import S3Multipart

pytestmark = pytest.mark.server

WEB = SecurityGroupRule("ingress", "tcp", 443, 443, cidrs=("198.51.100.0/24",))
MAIL = SecurityGroupRule("egress", "tcp", 25, 25, cidrs=("192.0.2.0/24",))


def cases_of(kind, provider, *prepares, is_repeatable=True):
    """Every failure of each of these, of which the case is named."""
    makings = [Making(kind, one.__name__, (), one, is_repeatable) for one in prepares]
    return [
        Case(kind, provider, name, script)
        for making in makings
        for name, script in failures_of(making)
    ]


@pytest.fixture(scope="module")
def server():
    environment = {"S3_UPLOAD_PART_MIN_SIZE": "1"}
    with Moto(tokens=True, load_amis=False, environment=environment) as running:
        yield running


@pytest.fixture
def aws(server):
    server.reset()
    return server.url


# -- EC2 -----------------------------------------------------------------------------------------


async def group_with_rules_of_both_directions(trial):
    return Order(
        lambda driver: driver.create_security_group(trial.name("group"), rules=[WEB, MAIL])
    )


async def node_with_a_volume_that_stays(trial):
    module, setup = trial.module, trial.setup
    size = module.NodeSize(setup.size, setup.size, 0, 0, None, None, trial.driver)
    image = module.NodeImage(setup.image, None, trial.driver)
    disk = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}}
    return Order(
        lambda driver: driver.create_node(
            trial.name("node"), size, image, ex_blockdevicemappings=[disk]
        ),
        lambda driver, node: driver.ex_destroy_node_with_volumes(node),
    )


async def address_by_libclouds_name(trial):
    return Order(lambda driver: driver.ex_allocate_address())


async def rule_by_libclouds_name(trial):
    group = await trial.keep(trial.driver.create_security_group(trial.name("group")))
    rule = (group.id, 80, 80, ["192.0.2.0/24"])
    return Order(
        lambda driver: driver.ex_authorize_security_group_ingress(*rule),
        lambda driver, _: driver.ex_revoke_security_group_ingress(*rule),
    )


EC2_CASES = [
    *cases_of(
        "compute",
        "ec2",
        group_with_rules_of_both_directions,
        node_with_a_volume_that_stays,
        address_by_libclouds_name,
    ),
    *cases_of("compute", "ec2", rule_by_libclouds_name, is_repeatable=False),
]


@pytest.mark.parametrize("case", EC2_CASES, ids=str)
def test_ec2(case, aws):
    image = client("ec2", aws).register_image(Name="debian", RootDeviceName="/dev/xvda")["ImageId"]
    case.run(ComputeSetup(settings(aws), size="t3.micro", image=image, patience=5.0))


# -- Route 53 ------------------------------------------------------------------------------------


async def several_records_at_once(trial):
    zone = await trial.keep(trial.driver.create_zone(f"{trial.name('zone')}.example.com"))
    values = ["192.0.2.1", "192.0.2.2"]
    return Order(
        lambda driver: driver.ex_create_multi_value_record("www", zone, "A", values),
        lambda driver, _: driver.ex_delete_all_records(zone),
    )


async def zone_that_is_waited_for(trial):
    def make(driver):
        return driver.create_zone(f"{trial.name('zone')}.example.com", ex_wait=True)

    return Order(make)


async def record_that_is_waited_for(trial):
    zone = await trial.keep(trial.driver.create_zone(f"{trial.name('zone')}.example.com"))
    return Order(
        lambda driver: driver.create_record(
            trial.name("record"), zone, "MX", "mail.example.com", {"priority": 1}, ex_wait=True
        )
    )


@pytest.mark.parametrize(
    "case",
    cases_of("dns", "route53", zone_that_is_waited_for, record_that_is_waited_for)
    + cases_of("dns", "route53", several_records_at_once, is_repeatable=False),
    ids=str,
)
def test_route53(case, aws):
    case.run(DNSSetup(settings(aws), patience=5.0))


# -- S3 ------------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(S3Multipart, "parts", PartLimits(smallest=1))


async def object_in_parts(trial):
    container = await trial.keep(trial.driver.create_container(trial.name("container")))
    return Order(
        lambda driver: driver.upload_object_via_stream(
            iter([b"0123456789abcdef+"]),
            container,
            trial.name("object"),
            transfer=TransferOptions(part_size=8, concurrency=1),
        ),
        replaces=True,
    )


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("case", cases_of("storage", "s3", object_in_parts), ids=str)
def test_s3(case, aws):
    case.run(StorageSetup(settings(aws), patience=5.0))
