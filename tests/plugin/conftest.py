"""A project of its own: `tests/conformance/test_plugin.py` runs its tests in this folder."""

from pathlib import Path


def pytest_ignore_collect(collection_path, config):
    return None if config.rootpath == Path(__file__).parent else True
