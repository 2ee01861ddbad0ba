"""fsspec's own tests, for a file system on Azurite."""

from __future__ import annotations

import pytest

from tests.integrations.suite import EveryTest, Fixtures
from tests.servers.azurite import Azurite, azurite_program

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(azurite_program() is None, reason="npm install azurite"),
]


@pytest.fixture(scope="module")
def azurite():
    with Azurite() as server:
        yield server


class TestAzurite(Fixtures, EveryTest):
    @pytest.fixture
    def options(self, azurite):
        keys = {"key": azurite.account, "secret": azurite.key}
        return {"provider": "azure_blobs", "endpoint": azurite.url, "rate": 0, **keys}
