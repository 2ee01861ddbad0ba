"""The fixture `anysky` is there for every test where anysky is installed, and new for each."""

from __future__ import annotations

import subprocess
import sys

import anysky.aio.compute
import anysky.aio.dns
import anysky.aio.loadbalancer
import anysky.aio.storage
import anysky.compute
import anysky.dns
import anysky.loadbalancer
import anysky.storage
from anysky.testing.pytest_plugin import Clouds

TESTS = """
import asyncio

def test_first(anysky):
    anysky.compute.create_volume(1, "data")
    assert len(anysky.cloud.inventory()) == 1

def test_second(anysky):
    assert anysky.cloud.inventory() == {}
    assert asyncio.run(anysky.aio.compute.list_volumes()) == []
"""


def test_drivers_are_those_of_both_apis(request):
    clouds = request.getfixturevalue("anysky")

    assert isinstance(clouds, Clouds)
    kinds = {
        clouds.compute: anysky.compute.NodeDriver,
        clouds.storage: anysky.storage.StorageDriver,
        clouds.dns: anysky.dns.DNSDriver,
        clouds.loadbalancer: anysky.loadbalancer.LoadBalancerDriver,
        clouds.aio.compute: anysky.aio.compute.NodeDriver,
        clouds.aio.storage: anysky.aio.storage.StorageDriver,
        clouds.aio.dns: anysky.aio.dns.DNSDriver,
        clouds.aio.loadbalancer: anysky.aio.loadbalancer.LoadBalancerDriver,
    }
    for driver, kind in kinds.items():
        assert isinstance(driver, kind)
        assert driver.account.cloud is clouds.cloud
    assert clouds.compute is clouds.compute


def test_a_test_elsewhere_finds_it(tmp_path):
    (tmp_path / "test_program.py").write_text(TESTS)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr
