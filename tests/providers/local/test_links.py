"""Nothing outside of the directory is read or written, whatever another program does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anysky.errors import CloudError, PermissionDeniedError
from anysky.model.storage import Object
from anysky.storage import get_driver

SECRET = b"outside: must never be read"


@pytest.fixture
def outside(tmp_path):
    """A directory that is none of ours, with names as ours."""
    path = tmp_path / "outside"
    path.mkdir()
    for name in ("file", "victim"):
        (path / name).write_bytes(SECRET)
    (path / "below").mkdir()
    (path / "below" / "file").write_bytes(SECRET)
    return path


@pytest.fixture
def check_outside(outside):
    """Fails if anything outside has changed."""

    def state():
        found = sorted(path for path in outside.rglob("*"))
        return [(path, path.is_file() and path.read_bytes(), path.stat().st_ino) for path in found]

    before = state()
    yield
    assert state() == before


def model(box, name):
    return Object(name, 1, None, {}, {}, box)


@pytest.mark.usefixtures("check_outside")
@pytest.mark.parametrize("name", ["link/file", "link/below/file", "link/new", "file-link"])
def test_links_are_refused(name, box, folder, outside, driver):
    (folder / "link").symlink_to(outside)
    (folder / "file-link").symlink_to(outside / "file")
    obj = model(box, name)
    (folder / "source").write_bytes(b"ours")
    source = box.get_object("source")

    calls = [
        lambda: box.get_object(name),
        lambda: list(obj_of(driver, box, name).as_stream()),
        lambda: box.upload_object_via_stream(b"new", name),
        lambda: driver.delete_object(obj),
        lambda: driver.copy_object(obj, box, "copy"),
        lambda: driver.copy_object(source, box, name),
        lambda: driver.move_object(obj, box, "moved"),
        lambda: driver.move_object(source, box, name),
        lambda: driver.update_object(obj, content_type="text/x"),
        lambda: driver.set_object_tags(obj, {"a": "b"}),
        lambda: driver.get_object_tags(obj),
        lambda: driver.get_object_cdn_url(obj),
    ]
    for call in calls:
        with pytest.raises(PermissionDeniedError, match="symbolic link"):
            call()
    assert [one.name for one in box.list_objects()] == ["source"]
    assert box.list_objects(prefix="link/") == []
    assert [one.name for one in box.list_directory()] == ["source"]
    assert len(driver.delete_objects([obj, obj]).failed) == 2


def obj_of(driver, box, name):
    from anysky.storage import Object as Bound

    return Bound(name, 1, None, {}, {}, box, driver)


@pytest.mark.usefixtures("check_outside")
@pytest.mark.parametrize("place", [".anysky", ".anysky/tmp", ".anysky/lock", ".anysky/facts"])
def test_links_in_place_of_bookkeeping(place, box, folder, outside, put, request):
    if place.endswith("facts"):
        request.getfixturevalue("no_attributes")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(outside)

    with pytest.raises(PermissionDeniedError):
        put("a", extra={"meta_data": {"a": "b"}})
    assert box.list_objects() == []


@pytest.mark.usefixtures("check_outside")
def test_containers_that_are_links(driver, root, outside):
    (root / "link").symlink_to(outside)
    box = driver.create_container("box")
    foreign = type(box)("link", {}, driver)

    for call in (
        lambda: driver.get_container("link"),
        foreign.list_objects,
        lambda: foreign.upload_object_via_stream(b"x", "file"),
        lambda: driver.get_object("link", "file"),
        lambda: driver.delete_container(foreign),
        lambda: driver.list_multipart_uploads(foreign),
    ):
        with pytest.raises(PermissionDeniedError, match="symbolic link"):
            call()


ROUNDS = 4000

# Lets a directory and a link change places, at once, until its input ends.
SWAPPING = """
import ctypes, os, select, sys
libc, swaps = ctypes.CDLL(None, use_errno=True), 0
one, other = (os.fsencode(path) for path in sys.argv[1:])
while swaps % 2 or not select.select([sys.stdin], [], [], 0)[0]:
    if libc.renameat2(-100, one, -100, other, 2):
        sys.exit(os.strerror(ctypes.get_errno()))
    swaps += 1
print(swaps)
"""


@pytest.mark.usefixtures("check_outside")
@pytest.mark.skipif(sys.platform != "linux", reason="needs renameat2")
def test_a_directory_that_becomes_a_link_again_and_again(root, outside, tmp_path):
    place, link = root / "box" / "dir", tmp_path / "link"
    link.symlink_to(outside)
    outcomes = {"done": 0, "refused": 0}
    with get_driver("local")(root, fsync=False) as driver:
        box = driver.create_container("box")
        (place / "below").mkdir(parents=True)
        (place / "stays").touch()
        argv = [sys.executable, "-c", SWAPPING, place, link]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as swapper:
            for number in range(ROUNDS):
                attempt(driver, box, number, outcomes)
            swaps, _ = swapper.communicate(b"over")

    assert swapper.returncode == 0
    assert int(swaps) > ROUNDS
    assert outcomes["done"] > 100
    assert outcomes["refused"] > 100


def attempt(driver, box, number, outcomes):
    """Try one operation, which may fail; nothing that it returns may come from outside."""
    name = ("dir/file", "dir/below/file", "dir/victim", "dir/new")[number % 4]
    obj = obj_of(driver, box, name)
    calls = (
        lambda: box.upload_object_via_stream(b"ours", name),
        lambda: list(obj.as_stream()),
        lambda: box.get_object(name).size,
        lambda: [one.size for one in box.list_objects()],
        lambda: driver.copy_object(obj, box, "dir/copy"),
        lambda: driver.move_object(obj, box, "dir/below/file"),
        lambda: driver.set_object_tags(obj, {"a": "b"}),
        lambda: [one.name for one in box.list_directory("dir/")],
        lambda: driver.delete_object(obj),
    )
    try:
        seen = repr(calls[number % len(calls)]())
    except CloudError:
        outcomes["refused"] += 1
        return
    outcomes["done"] += 1
    assert "outside" not in seen
    assert str(len(SECRET)) not in seen
