"""What tests of local files share."""

from __future__ import annotations

import subprocess

import pytest

from anysky.storage import get_driver


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def driver(root):
    with get_driver("local")(root, fsync=False) as driver:
        yield driver


@pytest.fixture
def box(driver):
    return driver.create_container("box")


@pytest.fixture
def folder(root, box):
    """The container's directory."""
    return root / "box"


@pytest.fixture
def put(box):
    """Stores an object: ``put(name, content)``."""

    def put(name, content=b"x", **options):
        return box.upload_object_via_stream(content, name, **options)

    return put


@pytest.fixture
def files(folder):
    """Returns the paths of all files and directories in it that are not hidden."""

    def files():
        found, waiting = [], [folder]
        while waiting:
            for path in waiting.pop().iterdir():
                if path.name != ".anysky":
                    found.append(path.relative_to(folder).as_posix())
                    waiting += [path] if path.is_dir() else []
        return sorted(found)

    return files


@pytest.fixture
def no_attributes(monkeypatch):
    """A system, or a file system, without extended attributes."""
    for name in ("getxattr", "setxattr", "removexattr"):
        monkeypatch.delattr(f"os.{name}", raising=False)


@pytest.fixture
def mounted(tmp_path):
    """A file system of 4 MiB in memory."""
    path = tmp_path / "disk"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.fixture
def remount(mounted):
    """Mounts it in another way: ``remount("ro")``."""

    def remount(how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(mounted)], check=True)

    return remount
