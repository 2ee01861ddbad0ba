"""The conformance suites over a cloud in memory."""

from __future__ import annotations

import pytest

from anysky import DriverType, get_driver
from anysky.model.loadbalancer import Algorithm, Member
from anysky.providers.memory import Cloud
from anysky.testing import ComputeSetup, DNSSetup, LoadBalancerSetup, StorageSetup, cases

KEY, SECRET = "canary-key-5f0c8e", "canary/secret+key=5f0c8e"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{:043x}"
PAGE = 4
STORAGE_LISTS = (
    "list_containers",
    "list_container_objects",
    "list_directory",
    "list_object_versions",
)
VALUES = {
    "ALIAS": ("target.example.net.", {}),
    "CERT": ("PGP 0 0 MIIB", {}),
    "DNSKEY": ("257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAe==", {}),
    "GEO": ("target.example.net.", {}),
    "KEY": ("256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3", {}),
    "NSEC": ("host.example.com. A MX RRSIG NSEC", {}),
    "OPENPGPKEY": ("mQINBFP8rfABEADwGU9x", {}),
    "REDIRECT": ("https://example.net/", {}),
    "RRSIG": ("A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv", {}),
    "URL": ("https://example.net/", {}),
    "WKS": ("192.0.2.1 TCP 25 80", {}),
}


class Shared:
    """A cloud that is new for each API's turn; drivers find it by the name `cloud`."""

    def __init__(self):
        self.cloud = Cloud(page_size=PAGE, boot_looks=1)
        self.settings = {"key": KEY, "secret": SECRET, "cloud": self.cloud}

    def reset(self):
        self.cloud = Cloud(page_size=PAGE, boot_looks=1)
        self.settings["cloud"] = self.cloud

    def driver(self, kind):
        return get_driver(kind, "memory")(cloud=self.cloud)

    def fill(self, operation, count):
        getattr(self, operation)(count)

    def list_nodes(self, count):
        driver = self.driver("compute")
        size, image = driver.list_sizes()[0], driver.list_images()[0]
        for number in range(count):
            driver.create_node(f"node-{number}", size, image)
        driver.list_nodes()  # after one look they run

    def list_volumes(self, count):
        for number in range(count):
            self.driver("compute").create_volume(10, f"volume-{number}")

    def list_key_pairs(self, count):
        driver = self.driver("compute")
        there = len(driver.list_key_pairs())
        for number in range(there, there + count):
            driver.import_key_pair_from_string(f"key-{number}", PUBLIC_KEY.format(number))

    def list_containers(self, count):
        driver = self.driver("storage")
        there = len(driver.list_containers())
        for number in range(there, there + count):
            driver.create_container(f"container-{number}")

    def list_container_objects(self, count):
        driver = self.driver("storage")
        container = next(driver.iterate_containers(), None) or driver.create_container("pages")
        there = len(container.list_objects())
        for number in range(there, there + count):
            container.upload_object_via_stream(b"", f"object-{number}")

    list_directory = list_object_versions = list_container_objects

    def list_records(self, count):
        driver = self.driver("dns")
        zone = next(driver.iterate_zones(), None) or driver.create_zone("pages.example")
        there = len(zone.list_records())
        for number in range(there, there + count):
            zone.create_record(f"name-{number}", "A", "192.0.2.1")

    def list_balancers(self, count):
        driver = self.driver("loadbalancer")
        there = len(driver.list_balancers())
        for number in range(there, there + count):
            driver.create_balancer(f"balancer-{number}", 80, "http", None, [])
        driver.list_balancers()  # after one look they run

    def balancer_list_members(self, count):
        driver = self.driver("loadbalancer")
        balancer = next(driver.iterate_balancers(), None)
        if balancer is None:
            balancer = driver.create_balancer("pages", 80, "http", None, [])
        there = len(balancer.list_members())
        for number in range(there, there + count):
            balancer.attach_member(Member(None, f"10.66.2.{number}", 80))

    def node(self):
        driver = self.driver("compute")
        return driver.create_node("member", driver.list_sizes()[0], driver.list_images()[0])


@pytest.fixture
def shared():
    return Shared()


def suite(kind, *lists):
    return pytest.mark.parametrize(
        "case", cases(kind, "memory", pages=dict.fromkeys(lists, PAGE)), ids=str
    )


@suite("compute", "list_nodes", "list_volumes", "list_key_pairs")
def test_compute(case, shared):
    case.run(
        ComputeSetup(
            shared.settings,
            size="small",
            image="debian-12",
            reset=shared.reset,
            patience=5.0,
            fill=shared.fill,
        )
    )


@suite("storage", *STORAGE_LISTS)
def test_storage(case, shared):
    case.run(
        StorageSetup(
            shared.settings,
            storage_class="COLD",
            delimiters=("-", "::", "%2F"),
            reset=shared.reset,
            patience=5.0,
            fill=shared.fill,
        )
    )


@suite("dns", "list_records")
def test_dns(case, shared):
    case.run(
        DNSSetup(
            shared.settings, reset=shared.reset, patience=5.0, fill=shared.fill, records=VALUES
        )
    )


@suite("loadbalancer", "list_balancers", "balancer_list_members")
def test_loadbalancer(case, shared):
    case.run(
        LoadBalancerSetup(
            shared.settings,
            algorithm=Algorithm.LEAST_CONNECTIONS,
            other_protocol="tcp",
            node=shared.node,
            reset=shared.reset,
            patience=5.0,
            fill=shared.fill,
        )
    )


def test_everything_is_tried_but_what_the_cloud_cannot():
    names = {case.name for kind in DriverType for case in cases(kind, "memory")}

    assert {
        "floating_ip_is_attached",
        "objects_are_copied",
        "each_type",
        "a_node_is_a_member",
    } <= names
