"""Deletions that fail half-way, and transactions over several services of AWS, in both APIs."""

from __future__ import annotations

import asyncio

import pytest
from tests.conformance.aws import client, settings
from tests.conformance.test_aws_compute import IMAGE
from tests.providers.aws.dns_imitation import Route53Imitation

import anysky.aio
from anysky import compute, dns, storage
from anysky.aio import compute as aio_compute
from anysky.aio import dns as aio_dns
from anysky.aio import storage as aio_storage
from anysky.errors import (
    CloudError,
    PartialFailureError,
    ProviderUnavailableError,
    ZoneDoesNotExistError,
)
from anysky.model.compute import NodeAuthSSHKey, NodeImage, NodeSize, SecurityGroupRule
from anysky.providers.aws import dns_editing
from anysky.testing.striking import FAULTS, strike
from anysky.transport.retry import RetryPolicy

MICRO = NodeSize("t3.micro", "t3.micro", 0, 0, None, None)
UBUNTU = NodeImage(IMAGE, None)
WEB = SecurityGroupRule("ingress", "tcp", 443, 443, cidrs=("198.51.100.0/24",))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE me"


class StopHereError(Exception):
    """Ends a transaction."""


# -- a zone with its records ---------------------------------------------------------------------


@pytest.fixture
def cloud():
    with Route53Imitation() as server:
        yield server


def dns_driver(cloud, **more):
    made = dns.get_driver("route53")(
        "AKIAEXAMPLE", "secret", endpoint=cloud.url, rate=0, retry=RetryPolicy(attempts=1), **more
    )
    made._backend.list_lag = 0.0
    return made


def zone_with_records(driver):
    zone = driver.create_zone("example.com")
    driver.ex_create_multi_value_record("www", zone, "A", ["192.0.2.1", "192.0.2.2"], {"ttl": 60})
    zone.create_record("alias", "A", "www.example.com", {"alias_target": {}})
    zone.create_record(None, "MX", "mail.example.com", {"priority": 10})
    return zone


def held(cloud):
    """What the server holds, in an order of its own."""
    return {
        zone.id: {key: dict(one) for key, one in zone.sets.items()} for zone in cloud.zones.values()
    }


def failure_of(call):
    try:
        call()
    except CloudError as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_deletion_that_fails_can_be_rolled_back_or_gone_on_with(
    cloud, monkeypatch, number, fault
):
    monkeypatch.setattr(dns_editing, "_BATCH_VALUES", 3)  # so that it takes two batches
    with dns_driver(cloud) as driver:
        zone = zone_with_records(driver)
        start = held(cloud)
        wire = strike(driver, pauses=False)
        wire.arm((number, fault))

        failure = failure_of(lambda: zone.delete(ex_delete_records=True))
        wire.disarm()

        if isinstance(failure, PartialFailureError):
            assert failure.created == []
            failure.rollback().raise_if_incomplete()
            failure.rollback().raise_if_incomplete()
        assert held(cloud) in (start, {})
        if cloud.zones:
            assert zone.delete(ex_delete_records=True)
        assert held(cloud) == {}


def test_what_was_deleted_is_told(cloud):
    with dns_driver(cloud) as driver:
        zone = zone_with_records(driver)
        wire = strike(driver, pauses=False)
        refused = next(one for one in FAULTS if "403" in str(one))
        wire.arm((3, refused))

        with pytest.raises(PartialFailureError) as caught:
            zone.delete(ex_delete_records=True)

    assert caught.value.message.startswith(
        "made deletion of MX example.com, A alias.example.com, A www.example.com; "
        "then delete_zone failed: "
    )


def test_a_deletion_within_a_transaction_does_not_hinder_its_rollback(cloud):
    def use(driver):
        with anysky.transaction():
            zone = zone_with_records(driver)
            zone.delete(ex_delete_records=True)
            raise StopHereError

    with dns_driver(cloud) as driver:
        with pytest.raises(StopHereError):
            use(driver)
        assert held(cloud) == {}


def test_a_record_that_is_taken_back_leaves_the_others_as_they_were(cloud):
    def use(zone):
        with anysky.transaction():
            zone.create_record("www", "A", "192.0.2.3", {"ttl": 90})
            zone.create_record("www", "AAAA", "2001:db8::1")
            zone.create_record("twin", "A", "www.example.com", {"alias_target": {}})
            raise StopHereError

    with dns_driver(cloud) as driver:
        zone = zone_with_records(driver)
        start = held(cloud)
        with pytest.raises(StopHereError):
            use(zone)
        assert [record.ttl for record in zone.list_records() if record.name == "www"] == [60, 60]
        assert {key: set(one) for key, one in held(cloud)[zone.id].items()} == {
            key: set(one) for key, one in start[zone.id].items()
        }


def test_a_record_that_somebody_has_changed_since_stays(cloud):
    def use(zone):
        with anysky.transaction():
            zone.create_record("twin", "A", "www.example.com", {"alias_target": {}})
            [twin] = [one for one in zone.list_records() if one.name == "twin"]
            twin.update(data="other.example.com")
            raise StopHereError

    with dns_driver(cloud) as driver:
        zone = zone_with_records(driver)
        with pytest.raises(StopHereError):
            use(zone)
        [twin] = [one for one in zone.list_records() if one.name == "twin"]
        assert twin.data == "other.example.com"


def test_a_zone_that_lists_no_longer_have_needs_no_rollback(cloud):
    with dns_driver(cloud) as driver:
        zone = zone_with_records(driver)
        zone.delete(ex_delete_records=True)
        with pytest.raises(ZoneDoesNotExistError):
            zone.delete(ex_delete_records=True)


@pytest.mark.parametrize("is_carried_out", [True, False])
@pytest.mark.parametrize("status", [500, 504])
def test_an_update_whose_answer_was_an_error_is_settled_by_reading(cloud, status, is_carried_out):
    failure = iter([(status, "<html>"), (status, "<html>")])

    def fail(name):
        return next(failure, None) if name == "ChangeResourceRecordSets" else None

    with dns_driver(cloud) as driver:
        record = driver.create_zone("example.com").create_record("www", "A", "192.0.2.1")
        setattr(cloud, "after" if is_carried_out else "before", fail)
        failed = failure_of(lambda: record.update(data="192.0.2.2"))
        [now] = [one for one in record.zone.list_records() if one.name == "www"]

    if is_carried_out:
        assert (failed, now.data) == (None, "192.0.2.2")
    else:
        assert (type(failed), now.data) == (ProviderUnavailableError, "192.0.2.1")


# -- several services ----------------------------------------------------------------------------


def contents(url):
    """What the three services hold, by ids and names."""
    ec2, s3, route53 = (client(name, url) for name in ("ec2", "s3", "route53"))
    reservations = ec2.describe_instances()["Reservations"]
    nodes = [one for each in reservations for one in each["Instances"]]
    addresses = ec2.describe_addresses()["Addresses"]
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    return {
        "nodes": [one["InstanceId"] for one in nodes if one["State"]["Name"] != "terminated"],
        "volumes": [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]],
        "snapshots": len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]),
        "images": [one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]],
        "keys": [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]],
        "groups": [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "networks": [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]],
        "subnets": len(ec2.describe_subnets()["Subnets"]),
        "addresses": [(one["AllocationId"], one.get("InstanceId")) for one in addresses],
        "zones": [one["Id"] for one in route53.list_hosted_zones()["HostedZones"]],
        "objects": {name: s3.list_objects_v2(Bucket=name).get("KeyCount") for name in buckets},
        "uploads": [s3.list_multipart_uploads(Bucket=name).get("Uploads") for name in buckets],
    }


async def make_much(ec2, route53, s3, box):
    """Make some of everything, each a further step."""
    network = await ec2.create_network("net", "10.9.0.0/16")
    subnet = await ec2.create_subnet(network, "sub", "10.9.1.0/24")
    group = await ec2.create_security_group("web", "web", network, [WEB])
    await ec2.create_key_pair("mine")
    node = await ec2.create_node(
        "web", MICRO, UBUNTU, auth=NodeAuthSSHKey(KEY), network=subnet, security_groups=[group]
    )
    place = node.extra["availability"]
    volume = await ec2.create_volume(5, "data", (await ec2.list_locations())[0])
    await ec2.create_volume_snapshot(volume, "copy")
    if volume.extra["zone"] == place:
        await ec2.attach_volume(node, volume)
    image = await ec2.create_image(node, "image")
    await ec2.copy_image("eu-west-1", image, "image again")
    address = await ec2.create_floating_ip()
    await ec2.attach_floating_ip(address, node)
    zone = await route53.create_zone("example.com")
    await route53.create_record("www", zone, "A", address.ip)
    await s3.upload_object_via_stream(b"new", box, "new.txt")
    other = await s3.create_container("anysky-half-way-other")
    await s3.upload_object_via_stream(b"x", other, "x.txt")


class _Awaitable:
    """A blocking driver whose methods are coroutine functions."""

    def __init__(self, driver):
        self._driver = driver

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            return getattr(self._driver, name)(*args, **kwargs)

        return call


def in_the_blocking_api(url, journal):
    given = settings(url)
    with (
        compute.get_driver("ec2")(**given) as ec2,
        dns.get_driver("route53")(**given) as route53,
        storage.get_driver("s3")(**given) as s3,
    ):
        box = s3.create_container("anysky-half-way")
        start = contents(url)
        with anysky.transaction(journal=journal) as block:
            anysky.run.run(make_much(*map(_Awaitable, (ec2, route53, s3)), box))
            made = len(block.created)
            assert contents(url) != start
            report = block.rollback()
        return start, made, report


def in_the_asyncio_api(url, journal):
    async def play():
        given = settings(url)
        async with (
            aio_compute.get_driver("ec2")(**given) as ec2,
            aio_dns.get_driver("route53")(**given) as route53,
            aio_storage.get_driver("s3")(**given) as s3,
        ):
            box = await s3.create_container("anysky-half-way")
            start = contents(url)
            async with anysky.aio.transaction(journal=journal) as block:
                await make_much(ec2, route53, s3, box)
                made = len(block.created)
                assert contents(url) != start
                report = await block.rollback()
            return start, made, report

    return asyncio.run(play())


@pytest.mark.server
@pytest.mark.parametrize("is_written_down", [False, True], ids=["", "with a journal"])
@pytest.mark.parametrize("play", [in_the_blocking_api, in_the_asyncio_api])
def test_a_transaction_over_three_services_leaves_nothing(moto, play, is_written_down, tmp_path):
    start, made, report = play(moto, tmp_path / "journal" if is_written_down else None)

    assert report.errors == []
    assert made == len(report.undone) == 16
    assert contents(moto) == start


@pytest.mark.server
def test_an_upload_that_is_cancelled_in_a_transaction_leaves_no_parts_and_no_object(moto):
    """The source gives its second part only after the task was cancelled."""

    async def source(task):
        yield bytes(9 * 1024 * 1024)
        task().cancel()
        await asyncio.sleep(0)
        yield bytes(9 * 1024 * 1024)

    async def upload(s3, box):
        async with anysky.aio.transaction():
            pieces = source(asyncio.current_task)
            await s3.upload_object_via_stream(pieces, box, "large")

    async def play():
        async with aio_storage.get_driver("s3")(**settings(moto)) as s3:
            box = await s3.create_container("anysky-half-way")
            start = contents(moto)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(upload(s3, box))
            return start

    assert asyncio.run(play()) == contents(moto)
