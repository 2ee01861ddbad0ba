"""The conformance suite of storage over a directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anysky.storage import get_driver
from anysky.testing import StorageSetup, cases

PAGE = 1000


class Folder:
    """A directory that is empty for each API's turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = {"path": str(path), "fsync": False}

    def reset(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()

    def fill(self, _: str, count: int) -> None:
        """Make files as another program makes them."""
        folder = self.path / "anysky-pages"
        folder.mkdir(exist_ok=True)
        first = len(list(folder.iterdir()))
        for number in range(first, first + count):
            (folder / f"object-{number:04}").touch()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "root")


@pytest.mark.parametrize(
    "case", cases("storage", "local", pages={"list_container_objects": PAGE}), ids=str
)
def test_storage(case, folder):
    case.run(StorageSetup(folder.settings, reset=folder.reset, fill=folder.fill, patience=5.0))


def test_everything_is_tried_but_what_a_directory_cannot():
    driver = get_driver("local")
    names = {case.name for case in cases("storage", "local")}

    assert {"objects_are_copied", "odd_names"} <= names
    assert not driver.supports("presign")
    assert not driver.supports("get_versioning")
