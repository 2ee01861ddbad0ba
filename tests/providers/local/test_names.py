"""Which file an object is, and which object a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anysky.errors import (
    InvalidContainerNameError,
    InvalidRequestError,
    NotFoundError,
)
from anysky.providers.local.names import escaped, is_plain, unescaped

ODD = [
    ("a//b", "a/%-/b"),
    ("/", "%-/%~"),
    ("/etc/passwd", "%-/etc/passwd"),
    ("folder/", "folder/%~"),
    ("..", "%~.."),
    (".", "%~."),
    ("../../x", "%-../%-../x"),
    ("a/./b", "a/%-./b"),
    ("nul\0byte", "%~nul%00byte"),
    (".anysky", "%~.anysky"),
    (".anysky/lock", "%-.anysky/lock"),
    (".AnySky/x", "%-.%41ny%53ky/x"),
    ("%~x", "%~%25%7Ex"),
    ("%+x/y", "%-%25%2Bx/y"),
]
PLAIN = [
    "a",
    "a b/c+d&e=f.txt",
    "100%",
    "a%20b",
    "%2E",
    "%00",
    "trailing dot.",
    "trailing space ",
    "back\\slash",
    "line\nbreak",
    "umlaut ü, 漢字, 🎈.txt",
    "CON",
    "C:x",
    "~",
    "..a/...",
    "x" * 255,
]


@pytest.mark.parametrize("name", PLAIN)
def test_ordinary_names_are_those_of_their_files(name, folder, put):
    put(name, b"content")

    assert (folder / name).read_bytes() == b"content"


@pytest.mark.parametrize(("name", "path"), ODD)
def test_names_that_no_file_can_have_are_escaped(name, path, folder, put, box, driver, files):
    obj = put(name, b"content")

    assert (folder / path).read_bytes() == b"content"
    assert [one.name for one in box.list_objects()] == [name]
    assert b"".join(box.get_object(name).as_stream()) == b"content"
    assert driver.ex_get_object_path(obj) == str(folder / path)

    obj.delete()
    assert files() == []


@pytest.mark.parametrize(
    "name", ["x" * 256, "x" * 1024, "ü" * 512, "漢" * 341, "%" * 700, "A/" + "B" * 1022, "/" * 300]
)
def test_long_names(name, put, box, files):
    obj = put(name, b"content")

    assert [one.name for one in box.list_objects()] == [name]
    assert [one.name for one in box.list_objects(prefix=name[:300])] == [name]
    assert b"".join(box.get_object(name).as_stream()) == b"content"
    assert all(len(os.fsencode(part)) <= 255 for path in files() for part in path.split("/"))

    obj.delete()
    assert files() == []


@pytest.mark.parametrize("name", ["", "x" * 1025, "ü" * 513, "a\ud800"])
def test_names_that_no_object_has_are_refused(name, put, box):
    with pytest.raises(InvalidRequestError):
        put(name)
    with pytest.raises(InvalidRequestError):
        box.get_object(name)


def test_long_names_are_listed_in_order(put, box):
    names = ["x" * 239, "x" * 241, "x" * 250 + "a", "x" * 256, "x" * 255 + "b", "x" * 300, "xy"]
    for name in names:
        put(name)

    assert [one.name for one in box.list_objects()] == sorted(names)


def test_an_object_and_others_below_it(folder, put, box, files):
    put("a", b"file")
    put("a/b", b"below")
    put("a/b/c", b"further below")

    assert files() == ["%~a", "a", "a/%~b", "a/b", "a/b/c"]
    assert [one.name for one in box.list_objects()] == ["a", "a/b", "a/b/c"]
    assert b"".join(box.get_object("a").as_stream()) == b"file"
    put("a", b"again")
    assert b"".join(box.get_object("a").as_stream()) == b"again"
    assert files() == ["%~a", "a", "a/%~b", "a/b", "a/b/c"]

    for name in ("a/b/c", "a/b", "a"):
        box.get_object(name).delete()
    assert files() == []


def test_an_object_that_is_a_directory_to_others_first(put, box, files):
    put("a/b/c")
    put("a/b")
    put("a")

    assert files() == ["%~a", "a", "a/%~b", "a/b", "a/b/c"]
    assert [one.name for one in box.list_objects()] == ["a", "a/b", "a/b/c"]


def test_files_of_other_programs_are_objects(folder, box):
    (folder / "sub").mkdir()
    (folder / "sub" / "page.html").write_bytes(b"<p>")
    (folder / "empty").mkdir()

    (obj,) = box.list_objects()

    assert (obj.name, obj.size, obj.hash, obj.meta_data) == ("sub/page.html", 3, None, {})
    assert obj.extra["content_type"] == "text/html"
    assert obj.extra["last_modified"].timestamp() == pytest.approx(
        (folder / "sub" / "page.html").stat().st_mtime
    )
    assert b"".join(obj.as_stream()) == b"<p>"


def test_files_whose_names_are_not_utf8(folder, box):
    raw = os.fsencode(folder) + b"/caf\xe9"
    Path(os.fsdecode(raw)).write_bytes(b"latin")

    (obj,) = box.list_objects()

    assert obj.name.encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert b"".join(box.get_object(obj.name).as_stream()) == b"latin"
    obj.delete()
    assert [one.name for one in folder.iterdir()] == [".anysky"]


def test_what_is_no_file_is_no_object(folder, box, put):
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/etc/passwd")

    assert box.list_objects() == []
    with pytest.raises(NotFoundError):
        box.get_object("pipe")
    put("pipe", b"an object beside it")
    assert [one.name for one in box.list_objects()] == ["pipe"]
    assert (folder / "pipe").is_fifo()


def test_names_that_look_like_ours_and_are_not(folder, box):
    (folder / "%~plain").write_bytes(b"")
    (folder / "%~%zz").write_bytes(b"")
    (folder / "%+").write_bytes(b"")

    assert [one.name for one in box.list_objects()] == ["plain"]
    (folder / "plain").write_bytes(b"newer")
    assert [(one.name, one.size) for one in box.list_objects()] == [("plain", 5)]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", ".anysky", "x" * 256, "\ud800"])
def test_names_of_containers(name, driver, root):
    with pytest.raises(InvalidContainerNameError):
        driver.create_container(name)
    with pytest.raises(NotFoundError):
        driver.get_container(name)
    assert list(root.iterdir()) == []


def test_order_is_that_of_the_bytes(put, box):
    names = ["a", "a!", "a/b", "a0", "a-b", "B", "b/", "b//", "ü", "漢", "🎈", "\uffff", "a/"]
    for name in names:
        put(name)

    listed = [one.name for one in box.list_objects()]

    assert listed == sorted(names, key=lambda name: name.encode())


@settings(max_examples=500, deadline=None)
@given(
    is_folder=st.booleans(),
    part=st.text(st.one_of(st.sampled_from("%~+.2E\0Aé"), st.characters(exclude_categories=["Cs"])))
    .filter(lambda part: "/" not in part)
    .flatmap(lambda part: st.sampled_from([part, part * 30])),
)
def test_every_part_has_one_name(part, is_folder):
    names = escaped(part, is_folder=is_folder)

    assert unescaped(names, is_folder=is_folder) == part
    assert unescaped(names, is_folder=not is_folder) is None
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    assert not any(is_plain(name) and name == part for name in names)
    assert all(name not in (".", "..") and "/" not in name for name in names)


@pytest.fixture
def folding(monkeypatch):
    """A file system that takes ``A`` for ``a``: names are looked up as it would."""
    real_open, real_stat, real_mkdir, real_rename = os.open, os.stat, os.mkdir, os.rename

    def found(name, folder):
        if folder is None or not isinstance(name, str) or "/" in name:
            return name
        there = os.listdir(folder)  # noqa: PTH208 - it is a descriptor
        return next((one for one in there if one.lower() == name.lower()), name)

    def fake_open(path, flags, mode=0o777, *, dir_fd=None):
        return real_open(found(path, dir_fd), flags, mode, dir_fd=dir_fd)

    def fake_stat(path, *, dir_fd=None, follow_symlinks=True):
        return real_stat(found(path, dir_fd), dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def fake_mkdir(path, mode=0o777, *, dir_fd=None):
        return real_mkdir(found(path, dir_fd), mode, dir_fd=dir_fd)

    def fake_rename(old, new, *, src_dir_fd=None, dst_dir_fd=None):
        new = found(new, dst_dir_fd)
        return real_rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    for name, fake in (
        ("open", fake_open), ("stat", fake_stat), ("mkdir", fake_mkdir), ("rename", fake_rename)
    ):  # fmt: skip
        monkeypatch.setattr(os, name, fake)
    monkeypatch.setattr(os, "supports_dir_fd", {fake_open, *os.supports_dir_fd})


@pytest.mark.usefixtures("folding")
def test_a_file_system_that_ignores_case(put, box, files):
    names = ["README", "readme", "Folder/x", "folder/y", "FOLDER"]
    for name in names:
        put(name, name.encode())

    assert sorted(one.name for one in box.list_objects()) == sorted(names)
    for name in names:
        assert b"".join(box.get_object(name).as_stream()) == name.encode()
    with pytest.raises(NotFoundError):
        box.get_object("ReadMe")

    for name in names:
        box.get_object(name).delete()
    assert files() == []
