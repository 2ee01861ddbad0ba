"""Servers for the tests of Azure."""

import pytest
from tests.providers.azure import recorder as recording


@pytest.fixture
def recorder():
    made = recording.start()
    try:
        yield made
        assert made.server.errors == []
    finally:
        made.server.stop()
