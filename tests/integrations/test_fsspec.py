"""fsspec's own tests, for file systems in memory and on a local disk."""

from __future__ import annotations

import pytest

from anysky.providers.memory import Cloud
from tests.integrations.suite import EveryTest, Fixtures


class TestMemory(Fixtures, EveryTest):
    @pytest.fixture
    def options(self):
        return {"provider": "memory", "cloud": Cloud()}


class TestLocal(Fixtures, EveryTest):
    @pytest.fixture
    def options(self, tmp_path):
        root = tmp_path / "root"
        root.mkdir()
        return {"provider": "local", "path": str(root)}
