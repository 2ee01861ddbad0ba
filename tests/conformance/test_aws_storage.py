"""The conformance suite of storage over moto."""

from __future__ import annotations

import pytest

from anysky.storage import get_driver
from anysky.testing import StorageSetup, cases
from tests.conformance.aws import settings

pytestmark = pytest.mark.server


def make_objects(url, count):
    with get_driver("s3")(**settings(url)) as driver:
        there = driver.list_containers()
        container = there[0] if there else driver.create_container("anysky-pages")
        first = len(container.list_objects())
        for number in range(first, first + count):
            container.upload_object_via_stream(b"", f"object-{number:04}")


@pytest.mark.parametrize(
    "case",
    cases("storage", "s3", pages={"list_container_objects": 1000}, failures=False),
    ids=str,
)
def test_storage(case, moto, moto_server):
    case.run(
        StorageSetup(
            settings(moto),
            reset=moto_server.reset,
            fill=lambda _, count: make_objects(moto, count),
            storage_class="STANDARD_IA",
            checks_digests=False,
            checks_signatures=False,
        )
    )
