"""What a directory does as object storage, beyond what every provider does."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
from pathlib import Path

import pytest

from anysky.errors import (
    AlreadyExistsError,
    ConflictError,
    ConnectionFailedError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidAccountError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    UnsupportedOperationError,
)
from anysky.model.storage import Condition, Object, ObjectSpec
from anysky.run import run
from anysky.storage import get_driver
from anysky.transport.base import Body
from anysky.transport.retry import RetryPolicy


def content_of(obj):
    return b"".join(obj.as_stream())


def body_of(content):
    return Body(lambda: iter([content]), len(content), replayable=True)


def spec_of(name, **given):
    return ObjectSpec(name, **given)


@pytest.fixture
def backend(driver):
    return driver._backend


# -- settings -------------------------------------------------------------------------------------


def test_the_directory_may_be_a_path_or_text(root):
    (root / "box").mkdir()

    for path in (root, str(root)):
        with get_driver("local")(path) as driver:
            assert [one.name for one in driver.list_containers()] == ["box"]


def test_the_directory_stays_the_same_when_the_program_goes_elsewhere(root, monkeypatch):
    (root / "box").mkdir()
    monkeypatch.chdir(root.parent)
    driver = get_driver("local")("root")
    monkeypatch.chdir("/")

    assert [one.name for one in driver.list_containers()] == ["box"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"path": ""}, {"path": "a\0"}, {"path": 7}, {"path": "/tmp", "endpoint": "http://x"}],
)
def test_wrong_settings(settings):
    with pytest.raises(InvalidAccountError):
        get_driver("local")(**settings)


def test_a_directory_that_is_not_there(root):
    driver = get_driver("local")(root / "missing")

    with pytest.raises(InvalidAccountError, match="there is no directory"):
        driver.list_containers()


# -- containers -----------------------------------------------------------------------------------


def test_containers_are_directories(driver, root):
    (root / "made-by-others").mkdir()
    (root / "file").write_bytes(b"")
    (root / "link").symlink_to("/etc")
    (root / ".anysky").mkdir()
    driver.create_container("ours")

    assert [one.name for one in driver.list_containers()] == ["made-by-others", "ours"]
    assert (root / "ours").is_dir()
    with pytest.raises(AlreadyExistsError):
        driver.create_container("file")
    for name in ("file", "missing"):
        with pytest.raises(ContainerDoesNotExistError):
            driver.get_container(name)
    with pytest.raises(PermissionDeniedError, match="symbolic link"):
        driver.get_container("link")


def test_a_container_with_nothing_but_bookkeeping_is_empty(driver, box, folder, put, backend):
    put("a/b/c").delete()
    run(backend.begin_multipart_upload(box, spec_of("unfinished")))
    (folder / "empty" / "directory").mkdir(parents=True)

    box.delete()

    assert not folder.exists()


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to("/etc")])
def test_a_container_with_anything_else_is_not_deleted(folder, box, make):
    (folder / "sub").mkdir()
    make(folder / "sub" / "thing")

    with pytest.raises(ContainerIsNotEmptyError):
        box.delete()
    assert os.path.lexists(folder / "sub" / "thing")


def test_there_are_no_locations(driver):
    with pytest.raises(UnsupportedOperationError):
        driver.create_container("box", "eu-west-1")


# -- what is known of objects ---------------------------------------------------------------------


@pytest.fixture(params=["attributes", "files"])
def kept(request):
    """Where the facts are: in extended attributes, or in files of their own."""
    if request.param == "files":
        request.getfixturevalue("no_attributes")
    return request.param


def test_facts_are_kept(kept, box, folder, driver):
    given = {"content_type": "text/x-test", "meta_data": {"Owner": "Zoë", "empty": ""}}
    stored = box.upload_object_via_stream(
        b"content", "a/b", extra={**given, "acl": "private"}, tags={"k": "v"}
    )

    found = box.get_object("a/b")
    (listed,) = box.list_objects()

    md5 = hashlib.md5(b"content").hexdigest()
    for obj in (stored, found, listed):
        assert (obj.name, obj.size, obj.hash) == ("a/b", 7, md5)
        assert obj.meta_data == given["meta_data"]
        assert obj.extra == {
            "content_type": "text/x-test",
            "acl": "private",
            "etag": stored.extra["etag"],
            "checksums": {"sha256": hashlib.sha256(b"content").hexdigest(), "md5": md5},
            "last_modified": stored.extra["last_modified"],
        }
    assert driver.get_object_tags(found) == {"k": "v"}
    assert (folder / "a" / "b").read_bytes() == b"content"


def test_facts_go_with_the_file(kept, box, put, driver, folder):
    obj = put("old", extra={"meta_data": {"a": "b"}, "content_type": "text/x"}, tags={"k": "v"})
    other = driver.create_container("other")

    moved = driver.move_object(obj, other, "new/name")
    copied = driver.copy_object(moved, box, "copy", meta_data={"c": "d"})

    assert (moved.meta_data, moved.extra["content_type"]) == ({"a": "b"}, "text/x")
    assert other.get_object("new/name").meta_data == {"a": "b"}
    assert driver.get_object_tags(moved) == {"k": "v"}
    assert (copied.meta_data, copied.extra["content_type"]) == ({"c": "d"}, "text/x")
    assert copied.hash == moved.hash == obj.hash
    assert copied.extra["etag"] != moved.extra["etag"] == obj.extra["etag"]
    assert [one.name for one in box.list_objects()] == ["copy"]


def test_facts_are_changed_and_the_content_is_not(kept, box, put, driver):
    obj = put("a", extra={"meta_data": {"a": "b"}})

    changed = driver.update_object(obj, meta_data={"c": "d"}, content_type="text/x")
    driver.set_object_tags(obj, {"k": "v"})
    found = box.get_object("a")

    assert (changed.meta_data, changed.extra["content_type"]) == ({"c": "d"}, "text/x")
    assert found.extra == changed.extra
    assert found.extra["etag"] == obj.extra["etag"]
    assert found.extra["last_modified"] == obj.extra["last_modified"]
    assert driver.get_object_tags(obj) == {"k": "v"}


def test_facts_of_files_of_other_programs(kept, box, folder, driver):
    (folder / "a.html").write_bytes(b"<p>")
    obj = box.get_object("a.html")

    changed = driver.update_object(obj, meta_data={"c": "d"})

    assert changed.extra["content_type"] == "text/html"
    assert changed.extra["etag"] == obj.extra["etag"]
    assert box.get_object("a.html").meta_data == {"c": "d"}


def test_large_facts_are_kept_beside(box, put, driver):
    large = {f"key-{number}": "v" * 100 for number in range(400)}

    obj = put("a", extra={"meta_data": large})
    assert box.get_object("a").meta_data == large
    driver.update_object(obj, meta_data={"small": "1"})
    assert box.get_object("a").meta_data == {"small": "1"}
    driver.update_object(obj, meta_data=large)
    assert box.get_object("a").meta_data == large
    with pytest.raises(InvalidRequestError):
        put("b", extra={"meta_data": {"k": "v" * 70_000}})


def test_files_of_facts_go_with_their_objects(no_attributes, box, put, folder, driver):
    for number in range(3):
        put("a", str(number).encode())
    put("b")
    facts = folder / ".anysky" / "facts"

    assert len(list(facts.iterdir())) == 2
    driver.delete_objects([box.get_object("a"), box.get_object("b")])
    assert list(facts.iterdir()) == []


def test_a_file_changed_by_another_program(kept, box, put, folder):
    obj = put("a", b"content", extra={"meta_data": {"a": "b"}})
    (folder / "a").write_bytes(b"changed!")

    found = box.get_object("a")

    assert (found.size, found.hash, "checksums" in found.extra) == (8, None, False)
    assert found.extra["etag"] != obj.extra["etag"]
    assert content_of(found) == b"changed!"


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"\xff", b'{"etag": 1}', b"[" * 5000])
def test_what_others_write_in_place_of_facts(box, put, folder, junk):
    put("a", b"content")
    os.setxattr(folder / "a", "user.anysky", junk[:3000])

    found = box.get_object("a")

    assert (found.size, found.meta_data) == (7, {})
    assert content_of(found) == b"content"


# -- content --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_digests_are_checked(backend, box, size):
    content = b"x" * size
    right = {"md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest()}

    stored = run(backend.upload_object(box, body_of(content), spec_of("a", checksums=right)))
    assert stored.extra["checksums"] == right
    for wrong in ({"sha256": "0" * 64}, {"md5": "0" * 32}, {"crc32": "deadbeef"}):
        with pytest.raises(ObjectHashMismatchError):
            run(backend.upload_object(box, body_of(b"other"), spec_of("a", checksums=wrong)))
    assert content_of(box.get_object("a")) == content


def test_a_source_of_another_length(backend, box, files):
    for promised in (3, 9_000_000):
        body = Body(lambda: iter([b"12345"]), promised)
        with pytest.raises(InvalidRequestError, match="did it change meanwhile"):
            run(backend.upload_object(box, body, spec_of("a")))
    assert files() == []


def test_a_damaged_file_is_noticed(box, put, folder):
    obj = put("a", b"content")
    status = (folder / "a").stat()
    (folder / "a").write_bytes(b"CONTENT")
    os.utime(folder / "a", ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(ObjectHashMismatchError):
        content_of(obj)


def test_a_file_that_changes_while_it_is_read(backend, box, folder):
    (folder / "a").write_bytes(b"x" * 100)
    stream = run(backend.open_object(box.get_object("a"), None, None))
    assert run(stream.read(10)) == b"x" * 10

    with (folder / "a").open("r+b") as file:
        file.write(b"y" * 50)
    os.utime(folder / "a", ns=(1, 1))
    run(stream.read(90))
    with pytest.raises(ConflictError, match="another program has changed"):
        run(stream.read(1))
    run(stream.close())

    stream = run(backend.open_object(box.get_object("a"), 0, 80))
    os.truncate(folder / "a", 50)
    run(stream.read(50))
    with pytest.raises(ConnectionFailedError, match="30 bytes shorter while it was read"):
        run(stream.read(50))
    run(stream.close())


def test_what_is_read_stays_though_it_is_replaced(box, put):
    obj = put("a", b"old content")
    stream = obj.as_stream(chunk_size=4)
    first = next(stream)

    put("a", b"new")
    assert first + b"".join(stream) == b"old content"
    assert content_of(obj) == b"new"


@pytest.mark.parametrize(("start", "end"), [(7, None), (8, 9), (-1, 2), (3, 2)])
def test_ranges_that_are_none(put, start, end):
    with pytest.raises(InvalidRequestError):
        list(put("a", b"content").range_as_stream(start, end))


def test_times_of_content(put, driver):
    obj = put("a", b"content")

    (etag,) = {obj.extra["etag"], driver.get_object("box", "a").extra["etag"]}
    assert list(driver.download_object_as_stream(obj, if_match=etag)) == [b"content"]
    with pytest.raises(PreconditionFailedError):
        list(driver.download_object_as_stream(obj, if_none_match=etag))
    put("a", b"CONTENT")
    with pytest.raises(PreconditionFailedError):
        list(driver.download_object_as_stream(obj, if_match=etag))


def test_storing_on_conditions(put, box):
    first = put("a/b", b"1", if_none_match="*")
    with pytest.raises(PreconditionFailedError):
        put("a/b", b"2", if_none_match="*")
    second = put("a/b", b"2", if_match=first.extra["etag"])
    with pytest.raises(PreconditionFailedError):
        put("a/b", b"3", if_match=first.extra["etag"])
    with pytest.raises(PreconditionFailedError):
        put("missing/x", b"3", if_match=first.extra["etag"])

    assert content_of(box.get_object("a/b")) == b"2"
    assert second.extra["etag"] != first.extra["etag"]
    assert [one.name for one in box.list_objects()] == ["a/b"]


def test_the_same_bytes_are_another_object(put):
    etags = {put("a", b"same").extra["etag"] for _ in range(50)}

    assert len(etags) == 50


def test_nothing_is_left_of_what_failed(put, folder, files):
    def pieces():
        yield b"x" * 5_000_000
        raise OSError(errno.EIO, "the source broke")

    with pytest.raises(InvalidRequestError, match="the source broke"):
        put("a/b/c", pieces())
    assert files() == []
    assert not any(path.is_file() for path in (folder / ".anysky").rglob("*"))


def test_drafts_of_killed_processes_are_removed_after_a_day(put, folder):
    put("a")
    drafts = folder / ".anysky" / "tmp"
    for name, hours in (("old", 25), ("new", 1)):
        (drafts / name).touch()
        now = (folder / "a").stat().st_mtime
        os.utime(drafts / name, (now - hours * 3600,) * 2)

    put("b")
    assert [path.name for path in drafts.iterdir()] == ["new"]


def test_what_the_files_cannot_have(put, driver):
    with pytest.raises(UnsupportedOperationError):
        put("a", storage_class="COLD")
    with pytest.raises(UnsupportedOperationError):
        driver.update_object(put("a"), storage_class="COLD")
    assert not any(map(driver.supports, ("presign", "get_versioning", "list_object_versions")))


# -- lists ----------------------------------------------------------------------------------------


def test_directories_are_listed_level_by_level(put, box, folder):
    for name in ("a.txt", "a/x", "a/y/z", "a//", "b/", "ab", "c-d", "c-e/f"):
        put(name)
    (folder / "empty" / "below").mkdir(parents=True)

    def names(*args):
        return [one.name for one in box.list_directory(*args)]

    assert names() == ["a.txt", "a/", "ab", "b/", "c-d", "c-e/"]
    assert names("a/") == ["a//", "a/x", "a/y/"]
    assert names("a") == ["a.txt", "a/", "ab"]
    assert names("b/") == ["b/"]
    assert names("none/") == names("empty/") == []
    assert names(None, "-") == ["a.txt", "a//", "a/x", "a/y/z", "ab", "b/", "c-"]
    assert names("c-", "/f") == ["c-d", "c-e/f"]


def test_long_lists_have_pages(box, folder, backend):
    names = [f"{number % 7}/{number:05}" for number in range(2500)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    assert [one.name for one in box.list_objects()] == sorted(names)
    assert len(run(backend.list_container_objects(box, None, None)).items) == 1000
    prefixes = ["0", *(f"{number}/0" for number in range(1, 7))]
    assert [one.name for one in box.list_directory(None, "0")] == prefixes
    files = [one.name for one in box.list_directory("3/")]
    assert files == sorted(name for name in names if name.startswith("3/"))
    with pytest.raises(InvalidRequestError):
        box.list_directory(None, "")


# -- uploads in parts -----------------------------------------------------------------------------


def upload_parts(backend, upload, *parts):
    stored, offset = [], 0
    for number, content in parts:
        job = backend.upload_part(
            upload, number, offset, body_of(content), is_last=False, checksums={}
        )
        stored.append(run(job))
        offset += len(content)
    return stored


def test_parts_are_written_where_they_belong(backend, box, folder):
    spec = spec_of("a/b", content_type="text/x", meta_data={"k": "v"}, tags={"t": "1"})
    upload = run(backend.begin_multipart_upload(box, spec))
    contents = [b"1" * 10, b"2" * 20, b"3" * 5]
    jobs = [(3, 30), (1, 0), (2, 10)]
    parts = [
        run(
            backend.upload_part(
                upload, n, offset, body_of(contents[n - 1]), is_last=n == 3, checksums={}
            )
        )
        for n, offset in jobs
    ]

    assert box.list_objects() == []
    assert run(backend.list_parts(upload)) == sorted(parts, key=lambda part: part.number)
    assert run(backend.list_multipart_uploads(box, "a/", None)).items == [upload]
    assert run(backend.list_multipart_uploads(box, "b", None)).items == []

    made = run(backend.complete_multipart_upload(upload, run(backend.list_parts(upload)), spec))

    assert (made.name, made.size, made.meta_data) == ("a/b", 35, {"k": "v"})
    assert (folder / "a" / "b").read_bytes() == b"".join(contents)
    assert run(backend.list_multipart_uploads(box, None, None)).items == []
    for job in (backend.list_parts(upload), backend.abort_multipart_upload(upload)):
        with pytest.raises(NotFoundError):
            run(job)


def test_some_of_the_parts(backend, box):
    spec = spec_of("a")
    upload = run(backend.begin_multipart_upload(box, spec))
    parts = upload_parts(backend, upload, (1, b"one"), (2, b"two"), (5, b"five"))

    made = run(backend.complete_multipart_upload(upload, [parts[0], parts[2]], spec))

    assert made.size == 7
    assert content_of(box.get_object("a")) == b"onefive"


def test_parts_that_do_not_fit(backend, box):
    spec = spec_of("a")
    upload = run(backend.begin_multipart_upload(box, spec))
    old = upload_parts(backend, upload, (1, b"one"))
    first, second = upload_parts(backend, upload, (1, b"uno"), (2, b"two"))

    for parts in (old, [second, first], [first, first], []):
        with pytest.raises(InvalidRequestError):
            run(backend.complete_multipart_upload(upload, parts, spec))
    wrong = spec_of("a", checksums={"md5": "0" * 32})
    with pytest.raises(ObjectHashMismatchError):
        run(backend.complete_multipart_upload(upload, [first, second], wrong))
    condition = spec_of("a", condition=Condition(if_match="other"))
    with pytest.raises(PreconditionFailedError):
        run(backend.complete_multipart_upload(upload, [first, second], condition))

    right = spec_of("a", checksums={"md5": hashlib.md5(b"unotwo").hexdigest()})
    assert run(backend.complete_multipart_upload(upload, [first, second], right)).size == 6


def test_parts_in_the_same_place(backend, box):
    spec = spec_of("a")
    upload = run(backend.begin_multipart_upload(box, spec))
    first = upload_parts(backend, upload, (1, b"12345"))
    upload_parts(backend, upload, (2, b"xx"))

    with pytest.raises(ConflictError, match="written to the same place"):
        run(backend.complete_multipart_upload(upload, first, spec))


def test_wrong_digests_of_parts(backend, box):
    upload = run(backend.begin_multipart_upload(box, spec_of("a")))
    wrong = {"sha256": "0" * 64}

    with pytest.raises(ObjectHashMismatchError):
        run(backend.upload_part(upload, 1, 0, body_of(b"x"), is_last=True, checksums=wrong))
    assert run(backend.list_parts(upload)) == []


@pytest.mark.parametrize("id", ["", "..", "../../x", "0" * 32, "a/b"])
def test_uploads_that_are_none(backend, box, id):
    from anysky.model.storage import MultipartUpload

    upload = MultipartUpload(box, "a", id)
    with pytest.raises(NotFoundError):
        run(backend.abort_multipart_upload(upload))


def test_large_objects_go_in_parts(box, tmp_path):
    content = os.urandom(40 * 1024 * 1024)
    (tmp_path / "source").write_bytes(content)

    obj = box.upload_object(tmp_path / "source", "large")
    obj.download(tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == content
    assert obj.driver.list_multipart_uploads(box) == []


# -- what the system refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, QuotaExceededError),
        (errno.EDQUOT, QuotaExceededError),
        (errno.EROFS, PermissionDeniedError),
        (errno.EACCES, PermissionDeniedError),
        (errno.EIO, ProviderUnavailableError),
    ],
)
def test_writing_fails(put, box, files, monkeypatch, number, kind):
    put("a", b"old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.pwrite", fail)
    with pytest.raises(kind) as told:
        put("a", b"new")

    assert told.value.code == errno.errorcode[number]
    assert content_of(box.get_object("a")) == b"old"
    assert files() == ["a"]


@pytest.mark.parametrize("where", ["os.fsync", "os.rename"])
def test_publishing_fails(root, box, put, files, monkeypatch, where):
    put("a", b"old")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "full")

    with get_driver("local")(root) as durable:
        monkeypatch.setattr(where, fail)
        for name in ("a", "new/folder/x"):
            with pytest.raises(QuotaExceededError):
                durable.get_container("box").upload_object_via_stream(b"new", name)
    monkeypatch.undo()

    assert content_of(box.get_object("a")) == b"old"
    assert files() == ["a"]


def test_a_full_disk(tmp_path, mounted):
    with get_driver("local")(mounted) as driver:
        box = driver.create_container("box")
        old = box.upload_object_via_stream(b"old", "a")
        with pytest.raises(QuotaExceededError):
            box.upload_object_via_stream(io.BytesIO(b"x" * 8 * 1024 * 1024), "a")
        assert content_of(old) == b"old"
        assert len(list((mounted / "box" / ".anysky" / "tmp").iterdir())) == 0


def test_a_read_only_disk(mounted, remount):
    with get_driver("local")(mounted) as driver:
        box = driver.create_container("box")
        obj = box.upload_object_via_stream(b"old", "a")
        remount("ro")
        with pytest.raises(PermissionDeniedError):
            box.upload_object_via_stream(b"new", "a")
        with pytest.raises(PermissionDeniedError):
            obj.delete()
        assert content_of(box.get_object("a")) == b"old"
        assert [one.name for one in box.list_objects()] == ["a"]


def test_addresses(put, box, driver, folder):
    obj = put("a b/ü//x")

    assert box.get_cdn_url() == str(folder)
    assert obj.get_cdn_url() == str(folder / "a b" / "ü" / "%-" / "x")
    missing = Object("missing", 0, None, {}, {}, box)
    with pytest.raises(NotFoundError):
        driver.get_object_cdn_url(missing)


def test_two_file_systems(root, mounted, box, put, driver):
    (mounted / "there").mkdir()
    obj = put("a", b"content", extra={"meta_data": {"a": "b"}})
    (root / "other").mkdir()
    subprocess.run(["mount", "--bind", mounted, root / "other"], check=True)
    try:
        other = driver.get_container("other")
        with pytest.raises(InvalidRequestError, match="from one file system to another"):
            driver.move_object(obj, other, "new/a")
        with pytest.raises(ConflictError):
            driver.delete_container(other)
        copied = driver.copy_object(obj, other, "new/a")
        assert (copied.meta_data, content_of(copied)) == ({"a": "b"}, b"content")
        assert content_of(box.get_object("a")) == b"content"
        assert [one.name for one in other.list_objects()] == ["new/a"]
        copied.delete()
    finally:
        subprocess.run(["umount", root / "other"], check=True)


def test_the_disk_fails_after_the_renaming(root, box, monkeypatch):
    real = os.fsync

    def fail(fd):
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(errno.EIO, "broken")
        real(fd)

    monkeypatch.setattr("os.fsync", fail)
    durable = get_driver("local")(root, retry=RetryPolicy(attempts=1)).get_container("box")
    with pytest.raises(OutcomeUnknownError, match="may not be on disk"):
        durable.upload_object_via_stream(b"new", "a")
    assert content_of(box.get_object("a")) == b"new"


def test_a_system_that_has_no_openat(driver, monkeypatch):
    monkeypatch.setattr("os.supports_dir_fd", frozenset())

    with pytest.raises(UnsupportedOperationError, match="as POSIX has it"):
        driver.list_containers()
