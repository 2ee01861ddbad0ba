"""The conformance suite of storage over Swift, by both ways to sign in, and over Ceph."""

from __future__ import annotations

import pytest

from anysky.providers.openstack.storage import Swift as Backend
from anysky.testing import StorageSetup, cases
from tests.conformance.swift import PAGE, empty, fill, with_key
from tests.servers.ceph import Ceph
from tests.servers.keystone import Keystone
from tests.servers.swift import Swift

pytestmark = pytest.mark.server

# An upload in parts makes the container of segments, which stays: the suite has no name for it.
CASES = [
    case
    for case in cases("storage", "openstack_swift", pages={"list_container_objects": PAGE})
    if not str(case).startswith("object_in_parts_")
]
# What Ceph's Swift API has not, which its /info tells to the driver.
CEPH_LACKS = frozenset(
    {"get_versioning", "set_versioning", "list_object_versions", "get_object_version"}
)
# The driver asks for /info at the first copy only, so that later ones have a request less.
CEPH_CASES = [
    case
    for case in CASES
    if CEPH_LACKS.isdisjoint(getattr(case.script, "needs", ()))
    and not str(case).endswith("_copy_is_timed_out")
    and str(case) != "copied_object_is_timed_out"
]


@pytest.fixture(scope="module")
def swift():
    if why := Swift.missing():
        pytest.skip(why)
    with Swift() as server:
        yield with_key(
            {
                "key": server.username,
                "secret": server.password,
                "auth_url": server.auth_url,
                "rate": 0,
            }
        )


@pytest.fixture(scope="module")
def swift_with_keystone():
    if why := Keystone.missing() or Swift.missing():
        pytest.skip(why)
    with Keystone() as keystone, Swift(keystone.swift_port, keystone.url):
        yield with_key(
            {
                "key": keystone.username,
                "secret": keystone.password,
                "project": keystone.project,
                "auth_url": keystone.url,
                "rate": 0,
            }
        )


@pytest.fixture(scope="module")
def ceph():
    if missing := Ceph.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Ceph() as gateway:
        yield with_key(
            {
                "key": "test:swift",
                "secret": "swiftsecret",
                "auth_url": f"{gateway.url}/auth/1.0",
                "rate": 0,
            }
        )


def run(case, settings, monkeypatch, conditions=("put-if-none-match",)):
    monkeypatch.setattr(Backend, "page_size", PAGE)
    case.run(
        StorageSetup(
            settings,
            reset=lambda: empty(settings),
            fill=lambda name, count: fill(settings, name, count),
            list_lag=0.2,
            conditions=frozenset({"get-if-match", "get-if-none-match", *conditions}),
        )
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_v1(case, swift, monkeypatch):
    run(case, swift, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_keystone(case, swift_with_keystone, monkeypatch):
    run(case, swift_with_keystone, monkeypatch)


@pytest.mark.parametrize("case", CEPH_CASES, ids=str)
def test_ceph(case, ceph, monkeypatch):
    has = Backend.supports
    supports = classmethod(lambda _, name: name not in CEPH_LACKS and has(name))
    monkeypatch.setattr(Backend, "supports", supports)
    run(case, ceph, monkeypatch, ())
