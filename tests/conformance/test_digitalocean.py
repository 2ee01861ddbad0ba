"""The conformance suites over the imitation of DigitalOcean."""

from __future__ import annotations

import base64

import pytest

from anysky.compute import get_driver
from anysky.dns import get_driver as get_dns_driver
from anysky.loadbalancer import Member
from anysky.loadbalancer import get_driver as get_balancer_driver
from anysky.testing import ComputeSetup, DNSSetup, LoadBalancerSetup, cases

TOKEN = "dop_v1_canary5f0c8e"
# How the answers of lists name their items.
LISTED = {"list_nodes": "droplets", "list_key_pairs": "ssh_keys", "list_volumes": "volumes"}
LISTED_BY_DNS = {"list_zones": "domains", "list_records": "domain_records"}
LISTED_BY_BALANCERS = {"list_balancers": "load_balancers"}


@pytest.fixture
def cloud(digitalocean):
    digitalocean.token = TOKEN
    yield digitalocean
    assert digitalocean.violations == []


def settings(cloud):
    return {"key": TOKEN, "endpoint": cloud.url, "region": "fra1"}


def clear(cloud):
    """Empty the server; the cases of failure send more requests than an account may in an hour."""
    cloud.clear()
    cloud.polls = 0
    cloud.rate_limit = cloud.rate_remaining = 1_000_000


def empty(cloud):
    """An account as DigitalOcean gives it: the first VPC of a region is there to stay."""
    assert cloud.violations == []
    clear(cloud)
    with get_driver("digitalocean")(**settings(cloud)) as driver:
        driver.create_network("default-fra1", "10.114.0.0/20")


def make_keys(cloud, count):
    with get_driver("digitalocean")(**settings(cloud)) as driver:
        there = len(driver.list_key_pairs())
        for number in range(there, there + count):
            driver.import_key_pair_from_string(f"key-{number}", key(number))


def key(number):
    """A public key that no other number has, in OpenSSH's format."""
    kind, value = b"ssh-ed25519", number.to_bytes(32, "big")
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, value))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def make_records(cloud, count):
    with get_dns_driver("digitalocean")(**settings(cloud)) as driver:
        zone = (driver.list_zones() or [driver.create_zone("pages.example")])[0]
        there = len(zone.list_records())
        for number in range(there, there + count):
            zone.create_record(f"name-{number}", "A", "192.0.2.1", {"ttl": 60})


def make_balancers(cloud, count):
    with get_balancer_driver("digitalocean")(**settings(cloud)) as driver:
        there = len(driver.list_balancers())
        for number in range(there, there + count):
            driver.create_balancer(f"balancer-{number}", 80, "http", None, [])


def make_node(cloud):
    number = cloud.add_droplet("member", region="fra1")["id"]
    with get_driver("digitalocean")(**settings(cloud)) as driver:
        return driver.get_node(str(number))


def two_members(cloud):
    return tuple(Member(make_node(cloud).id, "", 8080) for _ in range(2))


def link_elsewhere(cloud, listed, url):
    cloud.fail_next(200, body={listed: [], "links": {"pages": {"next": url}}, "meta": {"total": 1}})


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
            patience=5.0,
            fill=lambda _, count: make_keys(cloud, count),
            link=lambda operation, url: link_elsewhere(cloud, LISTED[operation], url),
        )
    )


@pytest.mark.parametrize(
    "case",
    cases("dns", "digitalocean", pages={"list_records": 200}, links=LISTED_BY_DNS),
    ids=str,
)
def test_dns(case, cloud):
    case.run(
        DNSSetup(
            settings(cloud),
            reset=lambda: clear(cloud),
            fill=lambda _, count: make_records(cloud, count),
            link=lambda operation, url: link_elsewhere(cloud, LISTED_BY_DNS[operation], url),
        )
    )


@pytest.mark.parametrize(
    "case",
    cases("loadbalancer", "digitalocean", pages={"list_balancers": 200}, links=LISTED_BY_BALANCERS),
    ids=str,
)
def test_loadbalancer(case, cloud):
    case.run(
        LoadBalancerSetup(
            settings(cloud),
            other_protocol="tcp",
            has_tags=False,
            members=lambda: two_members(cloud),
            node=lambda: make_node(cloud),
            reset=lambda: clear(cloud),
            fill=lambda _, count: make_balancers(cloud, count),
            link=lambda operation, url: link_elsewhere(cloud, LISTED_BY_BALANCERS[operation], url),
        )
    )
