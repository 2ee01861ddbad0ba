"""The conformance suite of storage over a Ceph object gateway, a strict S3 server."""

from __future__ import annotations

import socket

import pytest

from anysky.storage import get_driver
from anysky.testing import StorageSetup, cases
from tests.servers.ceph import Ceph

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(Ceph.missing()), reason=f"Ceph lacks {', '.join(Ceph.missing())}"),
]


@pytest.fixture(scope="module")
def ceph():
    with Ceph() as gateway:
        yield gateway


@pytest.fixture
def buckets_as_hosts(monkeypatch):
    """Lets all names below localhost be this machine, which not every resolver knows."""
    real = socket.getaddrinfo

    def getaddrinfo(host, *rest, **named):
        is_local = isinstance(host, str) and host.endswith(".localhost")
        return real("127.0.0.1" if is_local else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def failures(kind, provider):
    """The cases in which every request fails in turn."""
    others = {case.name for case in cases(kind, provider, failures=False)}
    return [case for case in cases(kind, provider) if case.name not in others]


def settings(ceph, **others):
    return {
        "key": ceph.access_key,
        "secret": ceph.secret_key,
        "endpoint": ceph.url,
        "rate": 0,
        **others,
    }


def empty(ceph):
    """Delete every bucket with all versions, delete markers and unfinished uploads in it."""
    with get_driver("ceph")(**settings(ceph)) as driver:
        for container in driver.list_containers():
            driver.delete_objects(driver.list_object_versions(container))
            for upload in driver.list_multipart_uploads(container):
                driver.abort_multipart_upload(upload)
            container.delete()


def make_objects(ceph, count):
    with get_driver("ceph")(**settings(ceph)) as driver:
        there = driver.list_containers()
        container = there[0] if there else driver.create_container("anysky-pages")
        first = len(container.list_objects())
        for number in range(first, first + count):
            container.upload_object_via_stream(b"", f"object-{number:04}")


@pytest.mark.parametrize(
    "case",
    cases("storage", "ceph", pages={"list_container_objects": 1000}, failures=False),
    ids=str,
)
def test_storage(case, ceph):
    case.run(
        StorageSetup(
            settings(ceph),
            reset=lambda: empty(ceph),
            fill=lambda _, count: make_objects(ceph, count),
        )
    )


@pytest.mark.usefixtures("buckets_as_hosts")
@pytest.mark.parametrize("case", cases("storage", "s3_compatible", failures=False), ids=str)
def test_storage_with_buckets_as_hosts(case, ceph):
    given = settings(ceph, endpoint=ceph.virtual_url, addressing="virtual")
    case.run(StorageSetup(given, reset=lambda: empty(ceph)))


@pytest.mark.parametrize("case", failures("storage", "ceph"), ids=str)
def test_failures(case, ceph):
    case.run(
        StorageSetup(
            settings(ceph),
            reset=lambda: empty(ceph),
            patience=5.0,
        )
    )
