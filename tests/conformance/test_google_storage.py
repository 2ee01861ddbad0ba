"""The conformance suite of storage over gcp-storage-emulator."""

from __future__ import annotations

import pytest

from anysky.testing import StorageSetup, cases
from tests.servers.gcs import GCS

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def google():
    pytest.importorskip("gcp_storage_emulator", reason="gcp-storage-emulator is not installed")
    with GCS() as server:
        yield server


def settings(url):
    return {"endpoint": url, "anonymous": True, "rate": 0}


@pytest.mark.parametrize("case", cases("storage", "google_storage", failures=False), ids=str)
def test_storage(case, google):
    case.run(StorageSetup(settings(google.url), reset=google.reset))
