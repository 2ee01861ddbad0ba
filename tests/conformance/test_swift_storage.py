"""The conformance suite of storage over Swift, by both ways to sign in, and over Ceph."""

from __future__ import annotations

import pytest

from anysky.providers.openstack.storage import Swift as Backend
from anysky.testing import StorageSetup, cases
from tests.conformance.swift import PAGE, empty, fill
from tests.servers.ceph import Ceph
from tests.servers.keystone import Keystone
from tests.servers.swift import Swift

pytestmark = pytest.mark.server

CASES = cases("storage", "openstack_swift", pages={"list_container_objects": PAGE})


@pytest.fixture(scope="module")
def swift():
    if why := Swift.missing():
        pytest.skip(why)
    with Swift() as server:
        yield {
            "key": server.username,
            "secret": server.password,
            "auth_url": server.auth_url,
            "rate": 0,
        }


@pytest.fixture(scope="module")
def swift_with_keystone():
    if why := Keystone.missing() or Swift.missing():
        pytest.skip(why)
    with Keystone() as keystone, Swift(keystone.swift_port, keystone.url):
        yield {
            "key": keystone.username,
            "secret": keystone.password,
            "project": keystone.project,
            "auth_url": keystone.url,
            "rate": 0,
        }


@pytest.fixture(scope="module")
def ceph():
    if missing := Ceph.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Ceph() as gateway:
        yield {
            "key": "test:swift",
            "secret": "swiftsecret",
            "auth_url": f"{gateway.url}/auth/1.0",
            "rate": 0,
        }


def run(case, settings, monkeypatch):
    monkeypatch.setattr(Backend, "page_size", PAGE)
    case.run(
        StorageSetup(
            settings,
            reset=lambda: empty(settings),
            fill=lambda name, count: fill(settings, name, count),
            list_lag=0.2,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_v1(case, swift, monkeypatch):
    run(case, swift, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_keystone(case, swift_with_keystone, monkeypatch):
    run(case, swift_with_keystone, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ceph(case, ceph, monkeypatch):
    run(case, ceph, monkeypatch)
