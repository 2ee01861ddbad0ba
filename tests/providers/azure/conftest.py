"""Servers for the tests of Azure."""

import os

import pytest
from tests.providers.azure import recorder as recording


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    """Forget the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def recorder():
    made = recording.start()
    try:
        yield made
        assert made.server.errors == []
    finally:
        made.server.stop()
