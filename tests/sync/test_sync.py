"""Synchronise and copy, in both APIs, between directories and clouds and between clouds."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

import pytest

from anysky.aio import storage as aio_storage
from anysky.aio import transfer as aio_transfer
from anysky.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError
from anysky.providers.memory import Cloud
from anysky.storage import get_driver
from anysky.transfer import Action, TransferOptions, copy, sync

HOSTILE = ("../up", "a//b", "/etc/passwd", "nul\0byte", "..", "a/../../b", "." * 300)


class Blocking:
    """The blocking API."""

    def __init__(self, cloud: Cloud, **settings):
        self.driver = get_driver("memory")(cloud=cloud, **settings)

    def container(self, name):
        return self.driver.create_container(name)

    def sync(self, *args, **options):
        return sync(*args, **options)

    def copy(self, *args, **options):
        return copy(*args, **options)

    def close(self):
        self.driver.close()


class Asyncio:
    """The asyncio API, on an event loop of its own."""

    def __init__(self, cloud: Cloud, **settings):
        self.loop = asyncio.new_event_loop()
        self.driver = aio_storage.get_driver("memory")(cloud=cloud, **settings)

    def container(self, name):
        return self.loop.run_until_complete(self.driver.create_container(name))

    def sync(self, *args, **options):
        return self.loop.run_until_complete(aio_transfer.sync(*args, **options))

    def copy(self, *args, **options):
        return self.loop.run_until_complete(aio_transfer.copy(*args, **options))

    def close(self):
        self.loop.run_until_complete(self.driver.close())
        self.loop.close()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture(params=[Blocking, Asyncio], ids=["blocking", "asyncio"])
def api(request, cloud):
    made = request.param(cloud)
    yield made
    made.close()


@pytest.fixture
def look(cloud):
    """What is in a container, by names."""
    driver = get_driver("memory")(cloud=cloud)

    def found(name: str) -> dict[str, bytes]:
        objects = driver.get_container(name).list_objects()
        return {one.name: b"".join(one.as_stream()) for one in objects}

    return found


@pytest.fixture
def store(cloud):
    driver = get_driver("memory")(cloud=cloud)

    def stored(container: str, **contents: bytes) -> None:
        for name, content in contents.items():
            driver.get_container(container).upload_object_via_stream(content, name)

    return stored


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "source"
    (made / "a").mkdir(parents=True)
    contents = {"a/b.txt": b"deep", "a.txt": b"flat", "a-": b"before a slash", "z ü.bin": b"\0" * 9}
    for name, content in contents.items():
        (made / name).write_bytes(content)
    return made, contents


def files(root) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def facts(report) -> tuple[int, int, int, int, int]:
    failed = len(report.failed)
    return report.copied, report.unchanged, report.deleted, failed, report.not_tried


def test_a_directory_goes_up_and_comes_back(api, folder, look, tmp_path) -> None:
    root, contents = folder
    container = api.container("uploaded")

    assert facts(api.sync(root, container)) == (4, 0, 0, 0, 0)
    assert look("uploaded") == contents
    assert facts(api.sync(root, container)) == (0, 4, 0, 0, 0)

    assert facts(api.sync(container, tmp_path / "back")) == (4, 0, 0, 0, 0)
    assert files(tmp_path / "back") == contents
    assert facts(api.sync(container, tmp_path / "back")) == (0, 4, 0, 0, 0)


def test_what_is_only_in_the_target_is_deleted_if_that_is_wished(api, folder, look, store) -> None:
    root, contents = folder
    container = api.container("old")
    store("old", extra=b"1", more=b"2")

    assert facts(api.sync(root, container)) == (4, 0, 0, 0, 0)
    assert len(look("old")) == 6
    assert facts(api.sync(root, container, delete=True)) == (0, 4, 2, 0, 0)
    assert look("old") == contents


def test_files_of_the_target_are_deleted_with_their_directories(api, tmp_path, store) -> None:
    container = api.container("few")
    store("few", kept=b"1")
    (tmp_path / "here" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "here" / "deep" / "er" / "gone").write_bytes(b"2")

    assert facts(api.sync(container, tmp_path / "here", delete=True)) == (1, 0, 1, 0, 0)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["kept"]


@pytest.mark.parametrize(
    ("allowed", "fails"), [(1, True), (2, False), ("9%", True), ("20%", False)]
)
def test_not_more_is_deleted_than_is_allowed(api, look, store, allowed, fails) -> None:
    source, target = api.container("source"), api.container("target")
    names = {f"name{number}": b"1" for number in range(20)}
    store("target", **names)
    store("source", **dict(list(names.items())[2:]), new=b"2")

    if fails:
        with pytest.raises(InvalidRequestError, match="2 of the target's 20"):
            api.sync(source, target, delete=True, max_delete=allowed)
        assert look("target") == names
    else:
        report = api.sync(source, target, delete=True, max_delete=allowed)
        assert facts(report) == (1, 18, 2, 0, 0)


def test_a_dry_run_tells_and_changes_nothing(api, look, store) -> None:
    source, target = api.container("source"), api.container("target")
    store("source", new=b"1", larger=b"22")
    store("target", larger=b"2", extra=b"3")
    before = look("target")

    report = api.sync(source, target, delete=True, dry_run=True)

    assert report.actions == [
        Action("copy", "larger", 2, "size"),
        Action("copy", "new", 1, "new"),
        Action("delete", "extra", 0, "not in the source"),
    ]
    assert facts(report) == (0, 0, 0, 0, 0)
    assert look("target") == before


@pytest.mark.parametrize(
    ("compare", "copied"), [("size", 0), ("checksum", 1), ("mtime", 0), ("always", 2)]
)
def test_what_tells_objects_of_one_size_apart(api, tmp_path, look, store, compare, copied) -> None:
    container = api.container("target")
    store("target", same=b"same", other=b"this")
    for name, content in (("same", b"same"), ("other", b"that")):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (0, 0))

    report = api.sync(tmp_path, container, compare=compare)

    assert report.copied == copied
    assert look("target")["other"] == (b"that" if copied else b"this")


def test_a_newer_source_is_copied(api, tmp_path, store, look) -> None:
    container = api.container("target")
    store("target", name=b"old!")
    (tmp_path / "name").write_bytes(b"new!")
    later = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "name", (later, later))

    assert api.sync(tmp_path, container).copied == 1
    assert look("target") == {"name": b"new!"}


def test_patterns_choose_names(api, folder, look) -> None:
    root, _ = folder
    container = api.container("chosen")

    report = api.sync(root, container, include=["*.txt"], exclude=["a/*"])

    assert report.copied == 1
    assert list(look("chosen")) == ["a.txt"]


def test_hostile_names_stay_within_the_target(api, cloud, tmp_path) -> None:
    container = api.container("hostile")
    driver = get_driver("memory")(cloud=cloud)
    for name in (*HOSTILE, "good"):
        driver.get_container("hostile").upload_object_via_stream(name.encode(), name)

    refused = api.sync(container, tmp_path / "plain")
    encoded = api.sync(container, tmp_path / "encoded", encode_names=True)
    again = api.sync(container, tmp_path / "encoded", encode_names=True)

    assert sorted(failure.item for failure in refused.failed) == sorted(HOSTILE)
    assert files(tmp_path / "plain") == {"good": b"good"}
    assert facts(encoded) == (len(HOSTILE) + 1, 0, 0, 0, 0)
    assert facts(again) == (0, len(HOSTILE) + 1, 0, 0, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoded", "plain"]
    back = api.container("back")
    assert api.sync(tmp_path / "encoded", back, encode_names=True).copied == len(HOSTILE) + 1
    assert facts(api.sync(back, container, compare="checksum")) == (0, len(HOSTILE) + 1, 0, 0, 0)


def test_names_that_one_disk_may_take_for_the_same_do_not_overwrite_one_another(
    api, tmp_path, store
) -> None:
    container = api.container("cases")
    store("cases", readme=b"small", README=b"LARGE")

    report = api.sync(container, tmp_path / "plain")

    assert facts(report) == (1, 0, 0, 1, 0)
    assert files(tmp_path / "plain") == {"README": b"LARGE"}
    assert api.sync(container, tmp_path / "both", encode_names=True).copied == 2
    assert sorted(files(tmp_path / "both").values()) == [b"LARGE", b"small"]


def test_nothing_is_written_through_a_link(api, tmp_path, cloud) -> None:
    container = api.container("links")
    get_driver("memory")(cloud=cloud).get_container("links").upload_object_via_stream(b"1", "a/b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").symlink_to(tmp_path / "outside")

    report = api.sync(container, tmp_path / "target")

    assert len(report.failed) == 1
    assert files(tmp_path / "outside") == {}


def test_links_of_the_source_are_passed_over(api, tmp_path, look) -> None:
    container = api.container("links")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link").symlink_to(tmp_path / "secret")

    assert api.sync(tmp_path / "source", container).copied == 0
    assert look("links") == {}


def test_one_bad_object_does_not_stop_the_others(api, cloud, look, store) -> None:
    source, target = api.container("source"), api.container("target")
    store("source", bad=b"1", good=b"2", ugly=b"3")
    cloud.fail("copy_object", with_=PermissionDeniedError("not this one"), times=1)

    report = api.sync(source, target, delete=True, concurrency=1)

    assert [failure.item for failure in report.failed] == ["bad"]
    assert facts(report) == (2, 0, 0, 1, 0)
    assert not report
    with pytest.raises(PermissionDeniedError):
        report.raise_if_failed()
    assert sorted(look("target")) == ["good", "ugly"]
    assert facts(api.sync(source, target)) == (1, 2, 0, 0, 0)


def test_what_would_fail_again_is_not_tried_and_nothing_is_deleted(api, cloud, look, store) -> None:
    source, target = api.container("source"), api.container("target")
    store("source", a=b"1", b=b"2", c=b"3")
    store("target", extra=b"4")
    cloud.fail("copy_object", with_=AuthenticationError("who are you?"))

    report = api.sync(source, target, delete=True, concurrency=1)

    assert facts(report) == (0, 0, 0, 1, 3)
    assert list(look("target")) == ["extra"]


def test_two_clouds_are_synchronised_through_this_machine(api, tmp_path, store) -> None:
    source = api.container("here")
    store("here", small=b"small")
    driver = get_driver("memory")(cloud=api.driver.account.cloud)
    given = {"content_type": "text/csv", "meta_data": {"owner": "me"}}
    large = bytes(range(256)) * 64 * 1024
    driver.get_container("here").upload_object_via_stream(large, "large", given)
    there = Cloud()
    other = type(api)(there)
    target = other.container("there")
    try:
        how = TransferOptions(threshold=1024 * 1024, part_size=5 * 1024 * 1024)
        report = api.sync(source, target, transfer=how)
    finally:
        other.close()

    assert (facts(report), report.bytes) == ((2, 0, 0, 0, 0), 5 + len(large))
    found = get_driver("memory")(cloud=there).get_object("there", "large")
    assert b"".join(found.as_stream()) == large
    assert (found.extra["content_type"], dict(found.meta_data)) == ("text/csv", {"owner": "me"})


def test_prefixes_are_places(api, cloud, look) -> None:
    container = api.container("whole")
    driver = get_driver("memory")(cloud=cloud)
    for name in ("in/a", "in/b/c", "out/d"):
        driver.get_container("whole").upload_object_via_stream(name.encode(), name)
    prefix = driver.get_container("whole").list_directory()[0]
    target = driver.create_container("part")

    assert sync(prefix, target).copied == 2
    assert look("part") == {"a": b"in/a", "b/c": b"in/b/c"}
    with pytest.raises(InvalidRequestError, match="in one another"):
        api.sync(container, container)


def test_one_object_is_copied(api, cloud, look, store, tmp_path) -> None:
    container = api.container("one")
    store("one", name=b"content")
    (tmp_path / "file.txt").write_bytes(b"from here")

    api.copy(tmp_path / "file.txt", container)

    assert look("one")["file.txt"] == b"from here"
    obj = get_driver("memory")(cloud=cloud).get_object("one", "name")
    copy(obj, tmp_path)
    copy(obj, tmp_path / "other")
    assert (tmp_path / "name").read_bytes() == (tmp_path / "other").read_bytes() == b"content"
    with pytest.raises(InvalidRequestError, match="both are local"):
        api.copy(tmp_path / "name", tmp_path / "again")
    with pytest.raises(InvalidRequestError, match="cannot read"):
        api.copy(tmp_path / "missing", container)


def test_progress_is_told(api, folder) -> None:
    root, _ = folder
    seen: list[int] = []

    api.sync(root, api.container("told"), progress=lambda report: seen.append(report.copied))

    assert sorted(seen) == [1, 2, 3, 4]


def test_lists_in_no_order_are_sorted_here(api, cloud, store, look, monkeypatch) -> None:
    from anysky.providers.memory.storage import MemoryStorage

    source, target = api.container("source"), api.container("target")
    store("source", a=b"1", b=b"2", c=b"3")
    store("target", a=b"1", extra=b"4")
    listed = MemoryStorage.list_container_objects

    async def backwards(self, *args):
        page = await listed(self, *args)
        return type(page)(list(reversed(page.items)), page.cursor)

    monkeypatch.setattr(MemoryStorage, "list_container_objects", backwards)

    report = api.sync(source, target, delete=True)

    assert facts(report) == (2, 1, 1, 0, 0)
    monkeypatch.undo()
    assert look("target") == {"a": b"1", "b": b"2", "c": b"3"}
