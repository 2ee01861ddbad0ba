"""The conformance suites over the imitation of DigitalOcean."""

from __future__ import annotations

import pytest

from anysky.compute import get_driver
from anysky.testing import ComputeSetup, DNSSetup, cases

TOKEN = "dop_v1_canary5f0c8e"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{:043x}"
LISTED = {"list_nodes": "droplets", "list_key_pairs": "ssh_keys", "list_volumes": "volumes"}


@pytest.fixture
def cloud(digitalocean):
    digitalocean.token = TOKEN
    yield digitalocean
    assert digitalocean.violations == []


def settings(cloud):
    return {"key": TOKEN, "endpoint": cloud.url, "region": "fra1"}


def empty(cloud):
    """An account as DigitalOcean gives it: the first VPC of a region is there to stay."""
    cloud.clear()
    with get_driver("digitalocean")(**settings(cloud)) as driver:
        driver.create_network("default-fra1", "10.114.0.0/20")


def make_keys(cloud, operation, count):
    assert operation == "list_key_pairs"
    with get_driver("digitalocean")(**settings(cloud)) as driver:
        there = len(driver.list_key_pairs())
        for number in range(there, there + count):
            driver.import_key_pair_from_string(f"key-{number}", KEY.format(number))


def link_elsewhere(cloud, operation, url):
    body = {LISTED[operation]: [], "links": {"pages": {"next": url}}, "meta": {"total": 1}}
    cloud.fail_next(200, body=body)


@pytest.mark.parametrize(
    "case",
    cases("compute", "digitalocean", pages={"list_key_pairs": 200}, links=LISTED),
    ids=str,
)
def test_compute(case, cloud):
    case.run(
        ComputeSetup(
            settings(cloud),
            size="s-1vcpu-1gb",
            image="debian-12-x64",
            reset=lambda: empty(cloud),
            fill=lambda operation, count: make_keys(cloud, operation, count),
            link=lambda operation, url: link_elsewhere(cloud, operation, url),
        )
    )


@pytest.mark.parametrize("case", cases("dns", "digitalocean"), ids=str)
def test_dns(case, cloud):
    case.run(DNSSetup(settings(cloud), reset=cloud.clear))
