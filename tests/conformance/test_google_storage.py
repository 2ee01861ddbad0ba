"""The conformance suite of storage over gcp-storage-emulator, and over an imitation of our own.

The emulator knows no conditions, versions or pages; the imitation knows them, wants signed tokens
and compares each request with Google's discovery document.
"""

from __future__ import annotations

from itertools import count

import pytest

from anysky.storage import get_driver
from anysky.testing import StorageSetup, cases
from tests.servers.gcs import GCS
from tests.servers.gcs_imitation import GoogleImitation

PAGES = {"list_container_objects": 1000, "list_containers": 1000}
# Cloud Storage tells how many bytes are there, not in which parts: see test_uploads.py.
CASES = [
    case
    for case in cases("storage", "google_storage", pages=PAGES, failures=False)
    if case.name != "parts_are_put_together"
]
# What the emulator has not: versions, pages, credentials.
EMULATED = [
    case for case in CASES if not {"versions", "pages", "link", "links"} & set(case.name.split("_"))
]


@pytest.fixture(scope="module")
def emulator():
    with GCS() as server:
        yield server


@pytest.mark.server
@pytest.mark.parametrize("case", EMULATED, ids=str)
def test_emulator(case, emulator):
    settings = {"endpoint": emulator.url, "anonymous": True, "rate": 0}
    case.run(StorageSetup(settings, reset=emulator.reset, conditions=frozenset()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_imitation(case):
    with GoogleImitation() as google:
        settings = {"credentials": google.key_file, "endpoint": google.url, "rate": 0}
        filler = Filler(google, settings)
        case.run(
            StorageSetup(settings, reset=google.clear, storage_class="NEARLINE", fill=filler.fill)
        )


class Filler:
    """Makes containers and objects quickly, without a request for each."""

    def __init__(self, google, settings):
        self._google = google
        self._settings = settings
        self._numbers = count()

    def fill(self, operation, number):
        google, bucket = self._google, "anysky-pages"
        if bucket not in google.buckets:
            with get_driver("google_storage")(**self._settings) as driver:
                driver.create_container(bucket)
        for _ in range(number):
            name = f"made-{next(self._numbers):05}"
            if operation == "list_containers":
                google.buckets[name] = google.buckets[bucket] | {"name": name}
                google.versions[name] = []
            else:
                google._store(bucket, {"name": name}, b"", {})
