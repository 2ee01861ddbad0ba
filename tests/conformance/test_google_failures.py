"""The cases of failure over an imitation of Cloud Storage."""

from __future__ import annotations

import pytest

from anysky.testing import StorageSetup, failure_cases
from tests.servers.gcs_imitation import GoogleImitation


@pytest.fixture(scope="module")
def google():
    with GoogleImitation() as server:
        yield server


@pytest.mark.parametrize("case", failure_cases("storage", "google_storage"), ids=str)
def test_storage(case, google):
    settings = {"credentials": google.key_file, "endpoint": google.url, "rate": 0}
    case.run(StorageSetup(settings, patience=5.0))
