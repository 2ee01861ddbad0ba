"""fsspec's own tests, to be run for the file system of a provider."""

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
