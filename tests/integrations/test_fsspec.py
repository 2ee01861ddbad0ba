"""fsspec's own tests, for file systems on several providers, and the libraries that use them."""

from __future__ import annotations

import secrets

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

from anysky.integrations.fsspec import AnyskyFileSystem
from anysky.providers.memory import Cloud


class Fixtures(AbstractFixtures):
    """A file system with a container of its own for each test."""

    @pytest.fixture
    def options(self):
        raise NotImplementedError

    @pytest.fixture
    def fs(self, options):
        return AnyskyFileSystem(**options, skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self, fs):
        name = f"anysky-{secrets.token_hex(6)}"
        fs.mkdir(name)
        yield name
        fs.rm(name, recursive=True)

    @pytest.fixture
    def fs_join(self):
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def supports_empty_directories(self):
        return False


class EveryTest(
    AbstractCopyTests, AbstractGetTests, AbstractOpenTests, AbstractPipeTests, AbstractPutTests
):
    """All of fsspec's own tests."""


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


@pytest.mark.server
class TestMoto(Fixtures, EveryTest):
    @pytest.fixture
    def options(self, moto):
        key = {"access_key_id": "any", "secret_access_key": "any"}
        return {"provider": "s3", "region": "us-east-1", "endpoint": moto, **key}
