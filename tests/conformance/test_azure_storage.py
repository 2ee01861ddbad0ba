"""The conformance suite of storage over Azurite, Microsoft's emulator of Blob Storage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from anysky.secret import Secret
from anysky.storage import get_driver
from anysky.testing import StorageSetup, cases, failure_cases
from anysky.wire.azure_shared_key import signature
from tests.servers.azurite import Azurite, azurite_program

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(azurite_program() is None, reason="npm install azurite"),
]

# What Azure itself would change in a name is refused: see test_names.py.
NAMES = tuple(
    name
    for name in StorageSetup(settings={}).odd_names
    if "\\" not in name and not any(part.endswith(".") for part in name.split("/"))
)
# Azurite refuses wrong digests with a code of its own: see test_azurite.py.
SETUP = StorageSetup(settings={}, odd_names=NAMES, storage_class="Cool", checks_digests=False)
CASES = cases("storage", "azure_blobs", failures=False)
# A SAS cannot sign another one, and Azurite knows no batches by the SAS of an account.
NOT_BY_SIGNATURE = ("link", "deleted_together")
BY_SIGNATURE = [case for case in CASES if not any(name in case.name for name in NOT_BY_SIGNATURE)]


@pytest.fixture(scope="module")
def azurite():
    with Azurite() as server:
        yield server


def settings(azurite):
    return {"key": azurite.account, "secret": azurite.key, "endpoint": azurite.url, "rate": 0}


def account_sas(azurite, hours=1):
    """Return a SAS for all that there is in an account, as the portal makes it."""
    ends = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {
        "sv": "2020-08-04",
        "ss": "b",
        "srt": "sco",
        "sp": "rwdlacupt",
        "se": ends,
        "spr": "https,http",
    }
    order = ["sp", "ss", "srt", "", "se", "", "spr", "sv"]
    text = "\n".join([azurite.account, *(fields.get(name, "") for name in order), ""])
    return urlencode({**fields, "sig": signature(Secret(azurite.key), text)})


def empty(azurite):
    with get_driver("azure_blobs")(**settings(azurite)) as driver:
        for container in driver.list_containers():
            driver.delete_objects(container.list_objects())
            container.delete()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_storage_by_key(case, azurite):
    case.run(replace(SETUP, settings=settings(azurite), reset=lambda: empty(azurite)))


@pytest.mark.parametrize("case", BY_SIGNATURE, ids=str)
def test_storage_by_signature(case, azurite):
    given = {"key": azurite.account, "sas_token": account_sas(azurite), "endpoint": azurite.url}
    case.run(replace(SETUP, settings={**given, "rate": 0}, reset=lambda: empty(azurite)))


@pytest.mark.parametrize("case", failure_cases("storage", "azure_blobs"), ids=str)
def test_failures(case, azurite):
    case.run(replace(SETUP, settings=settings(azurite), reset=lambda: empty(azurite)))
