"""Large objects, versions, copies and signed URLs at real servers: Swift and Ceph, both APIs."""

from __future__ import annotations

import contextlib
import secrets
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from tests.providers.aws.storage_support import Asyncio, Blocking, read
from tests.servers.ceph import Ceph
from tests.servers.keystone import Keystone
from tests.servers.swift import Swift as SwiftServer

from anysky.errors import (
    AuthenticationError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, MultipartUpload, ObjectChanges, ObjectSpec, Part
from anysky.providers.openstack.storage import Swift
from anysky.transport.base import Body

pytestmark = pytest.mark.server

NAMES = (
    "a/b",
    "a//b",
    "/leading",
    "trailing/",
    "a/./b",
    "a/../b",
    "..",
    "plus+and%20percent%",
    " spaces ",
    "ü 漢字 🎈",
    "line\nbreak",
    "ends with dots...",
    "question?and#hash",
    "x" * 1024,
    "ü" * 512,
)


@pytest.fixture(scope="module")
def swift_server():
    if why := SwiftServer.missing():
        pytest.skip(why)
    with SwiftServer() as server:
        yield {
            "key": server.username,
            "secret": server.password,
            "auth_url": server.auth_url,
        }


@pytest.fixture(scope="module")
def ceph_server():
    if missing := Ceph.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Ceph() as gateway:
        yield {
            "key": "test:swift",
            "secret": "swiftsecret",
            "auth_url": f"{gateway.url}/auth/1.0",
        }


@pytest.fixture(params=["swift", "ceph"])
def store(request):
    return request.param, request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(params=[Blocking, Asyncio])
def api(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def at(api, store):
    """A driver, a container of its own, and how to call operations of the backend."""
    kind, settings = store
    driver = api.get_driver("openstack_swift")(**settings)
    box = api.do(driver.create_container(f"box-{secrets.token_hex(4)}"))

    def call(operation, *args, **options):
        return api.do(driver.call(operation, *args, **options))

    yield SimpleNamespace(kind=kind, api=api, driver=driver, box=box, call=call, do=api.do)
    api.do(driver.close())


def body(content):
    return Body(lambda: iter([content]), len(content), replayable=True)


def send_parts(at, upload, *contents):
    return [
        at.call(Swift.upload_part, upload, number, 0, body(content), is_last=False, checksums={})
        for number, content in enumerate(contents, 1)
    ]


def store_large(at, name, *contents, **spec):
    upload = at.call(Swift.begin_multipart_upload, at.box, ObjectSpec(name, **spec))
    parts = send_parts(at, upload, *contents)
    return at.call(Swift.complete_multipart_upload, upload, parts, ObjectSpec(name, **spec))


def content_of(at, obj):
    return read(at.api, at.driver.download_object_as_stream(obj))


def segments(at):
    other = Container(f"{at.box.name}_segments")
    return [one.name for one in at.do(at.driver.list_container_objects(other))]


def test_an_object_is_made_of_parts(at):
    given = {"content_type": "text/x-large", "meta_data": {"colour": "sky"}}

    stored = store_large(at, "large ü/1", b"first,", b"second", **given)

    (listed,) = at.do(at.driver.list_container_objects(at.box))
    got = at.do(at.driver.get_object(at.box.name, "large ü/1"))
    assert content_of(at, listed) == b"first,second"
    assert (listed.name, listed.size, got.size, stored.size) == ("large ü/1", 12, 12, 12)
    assert (got.hash, stored.hash, got.extra["checksums"]) == (None, None, {})
    assert got.extra["etag"] == stored.extra["etag"] == listed.extra["etag"]
    assert got.meta_data == {"colour": "sky"}
    assert got.extra["content_type"] == "text/x-large"
    assert at.do(at.driver.list_multipart_uploads(at.box)) == []


def test_a_large_object_is_read_in_ranges(at):
    large = store_large(at, "large", b"first,", b"second")

    ranges = [(0, 3), (4, 8), (6, None), (11, 99)]

    for start, end in ranges:
        pieces = at.driver.download_object_range_as_stream(large, start, end)
        assert read(at.api, pieces) == b"first,second"[start:end]


def test_its_segments_go_with_a_large_object(at):
    large = store_large(at, "large", b"first", b"second")
    assert len(segments(at)) == 2

    at.do(at.driver.delete_object(large))

    assert segments(at) == []
    with pytest.raises(ObjectDoesNotExistError):
        at.do(at.driver.get_object(at.box.name, "large"))


def test_a_copy_of_a_large_object_lives_on_its_own(at):
    large = store_large(at, "large", b"first,", b"second", meta_data={"a": "b"})

    copied = at.do(at.driver.copy_object(large, at.box, "copy"))
    at.do(at.driver.delete_object(large))

    assert content_of(at, copied) == b"first,second"
    assert (copied.size, copied.meta_data) == (12, {"a": "b"})


def test_segments_are_copied_one_by_one_where_the_whole_is_too_large(at, monkeypatch):
    monkeypatch.setattr("anysky.wire.swift_copying._MAX_COPY", 5)
    large = store_large(at, "large", b"first,", b"second", content_type="text/x-y")

    copied = at.do(at.driver.copy_object(large, at.box, "copy", meta_data={"new": "one"}))

    got = at.do(at.driver.get_object(at.box.name, "copy"))
    assert content_of(at, copied) == b"first,second"
    assert (got.size, got.meta_data, got.extra["content_type"]) == (
        12,
        {"new": "one"},
        "text/x-y",
    )
    assert got.extra["is_large"] is True
    assert len(segments(at)) == 4


def test_a_dynamic_large_object_is_read_and_kept_dynamic(at):
    for number, piece in enumerate((b"one,", b"two")):
        at.do(at.driver.upload_object_via_stream(piece, at.box, f"dlo-parts/{number}"))
    headers = {"X-Object-Manifest": f"{at.box.name}/dlo-parts/"}
    at.do(at.driver.upload_object_via_stream(b"", at.box, "dlo", headers=headers))

    listed = at.do(at.driver.list_container_objects(at.box, "dlo"))[0]
    updated = at.do(at.driver.update_object(listed, meta_data={"a": "b"}))

    assert (listed.name, listed.size, listed.hash) == ("dlo", 7, None)
    assert content_of(at, listed) == b"one,two"
    assert (content_of(at, updated), updated.meta_data) == (b"one,two", {"a": "b"})
    copied = at.do(at.driver.copy_object(updated, at.box, "copy"))
    assert content_of(at, copied) == b"one,two"


def test_an_upload_goes_on_where_it_stopped(at):
    upload = at.call(Swift.begin_multipart_upload, at.box, ObjectSpec("ü %/large"))
    send_parts(at, upload, b"first,", b"secnd,")

    (found,) = at.do(at.driver.list_multipart_uploads(at.box, "ü"))
    again = at.call(Swift.upload_part, found, 2, 6, body(b"second"), is_last=True, checksums={})
    parts = at.call(Swift.list_parts, found)

    assert (found.name, found.upload_id) == ("ü %/large", upload.upload_id)
    assert found.initiated is not None
    assert [(part.number, part.size) for part in parts] == [(1, 6), (2, 6)]
    assert parts[1] == again
    done = at.call(Swift.complete_multipart_upload, found, parts, ObjectSpec("ü %/large"))
    assert content_of(at, done) == b"first,second"
    assert at.do(at.driver.list_multipart_uploads(at.box, "x")) == []


def test_an_upload_that_is_ended_leaves_nothing(at):
    upload = at.call(Swift.begin_multipart_upload, at.box, ObjectSpec("large"))
    send_parts(at, upload, b"first,", b"second")

    at.do(at.driver.abort_multipart_upload(upload))

    assert segments(at) == []
    for job in (
        lambda: at.do(at.driver.abort_multipart_upload(upload)),
        lambda: at.call(Swift.list_parts, upload),
        lambda: send_parts(at, upload, b"x"),
        lambda: at.call(Swift.complete_multipart_upload, upload, [], ObjectSpec("large")),
    ):
        with pytest.raises(NotFoundError):
            job()


def test_ending_an_upload_after_its_completion_leaves_the_object(at):
    """The mark of an upload stays if deleting it fails, after the object has been made."""
    large = store_large(at, "large", b"first,", b"second")
    upload_id = segments(at)[0].split("/")[2]
    other = Container(f"{at.box.name}_segments")
    mark = ObjectSpec(
        f"anysky/uploads/{upload_id}", content_type="application/vnd.anysky-upload;name=large"
    )
    at.call(Swift.upload_object, other, body(b""), mark)
    upload = MultipartUpload(at.box, "large", upload_id)

    with pytest.raises(NotFoundError):
        at.do(at.driver.abort_multipart_upload(upload))

    assert content_of(at, large) == b"first,second"
    assert at.do(at.driver.list_multipart_uploads(at.box)) == []


def test_parts_are_checked_by_their_md5(at):
    upload = at.call(Swift.begin_multipart_upload, at.box, ObjectSpec("large"))

    with pytest.raises(ObjectHashMismatchError):
        at.call(
            Swift.upload_part,
            upload,
            1,
            0,
            body(b"first"),
            is_last=True,
            checksums={"md5": "0" * 32},
        )
    with pytest.raises(InvalidRequestError):
        at.call(Swift.upload_part, upload, 0, 0, body(b""), is_last=True, checksums={})
    wrong = [Part(1, 5, "0" * 32)]
    with pytest.raises(InvalidRequestError if at.kind == "swift" else NotFoundError):
        at.call(Swift.complete_multipart_upload, upload, wrong, ObjectSpec("large"))


def test_an_upload_without_bytes_makes_an_empty_object(at):
    empty = store_large(at, "empty", b"", meta_data={"a": "b"})

    got = at.do(at.driver.get_object(at.box.name, "empty"))
    assert (empty.size, got.size, content_of(at, got)) == (0, 0, b"")
    assert got.meta_data == {"a": "b"}
    assert segments(at) == []


def test_segments_of_replaced_objects_are_found_and_deleted(at):
    store_large(at, "large", b"first,", b"second")
    newer = store_large(at, "large", b"newer,", b"second")
    upload = at.call(Swift.begin_multipart_upload, at.box, ObjectSpec("going on"))
    send_parts(at, upload, b"x")
    assert len([one for one in segments(at) if one.startswith("anysky/parts/")]) == 5

    assert at.call(Swift.delete_unused_segments, at.box) == 2

    assert content_of(at, newer) == b"newer,second"
    assert len(at.call(Swift.list_parts, upload)) == 1


def test_a_container_must_be_there_for_an_upload(at):
    missing = Container("no-such-container")

    with pytest.raises(ContainerDoesNotExistError):
        at.call(Swift.begin_multipart_upload, missing, ObjectSpec("x"))
    with pytest.raises(ContainerDoesNotExistError):
        at.do(at.driver.list_multipart_uploads(missing))


def test_names_come_back_as_they_are(at):
    for name in NAMES:
        at.do(at.driver.upload_object_via_stream(name.encode(), at.box, name))

    listed = at.do(at.driver.list_container_objects(at.box))

    assert sorted(one.name for one in listed) == sorted(NAMES)
    for one in listed:
        assert content_of(at, one) == one.name.encode()
    outcomes = at.call(Swift.delete_objects, listed)
    assert outcomes == [None] * len(NAMES)
    assert at.do(at.driver.list_container_objects(at.box)) == []


def test_directories_are_listed_page_by_page(at, monkeypatch):
    monkeypatch.setattr(Swift, "page_size", 2)
    names = ["a/1", "a/2", "b", "c//1", "c/2", "d/1/2", "e"]
    for name in names:
        at.do(at.driver.upload_object_via_stream(b"x", at.box, name))

    def directory(*given):
        return [one.name for one in at.do(at.driver.list_directory(at.box, *given))]

    assert directory() == ["a/", "b", "c/", "d/", "e"]
    assert directory("a/") == ["a/1", "a/2"]
    assert directory("c/") == ["c//", "c/2"]
    assert directory("d") == ["d/"]
    assert directory(None, "1") == ["a/1", "a/2", "b", "c//1", "c/2", "d/1", "e"]


def test_type_and_metadata_change_and_the_rest_stays(at):
    headers = {"Content-Encoding": "gzip", "Content-Disposition": "inline"}
    extra = {"meta_data": {"one": "1", "umlaut": "ü 100%25"}, "content_type": "text/plain"}
    stored = at.do(
        at.driver.upload_object_via_stream(b"x", at.box, "a", extra=extra, headers=headers)
    )

    first = at.do(at.driver.update_object(stored, content_type="text/csv"))
    second = at.do(at.driver.update_object(stored, meta_data={"two": "2"}))
    copied = at.do(at.driver.copy_object(second, at.box, "b", meta_data={"three": "3"}))

    assert first.meta_data == {"one": "1", "umlaut": "ü 100%25"}
    assert [one.meta_data for one in (second, copied)] == [{"two": "2"}, {"three": "3"}]
    for one in (first, second, copied):
        assert one.extra["content_type"] == "text/csv"
        assert one.extra["content_encoding"] == "gzip"
        assert one.extra["content_disposition"] == "inline"


def test_storage_classes_do_not_change(at):
    obj = at.do(at.driver.upload_object_via_stream(b"x", at.box, "a"))
    changes = ObjectChanges(storage_class="COLD")

    with pytest.raises(UnsupportedOperationError):
        at.call(Swift.update_object, obj, changes)
    with pytest.raises(UnsupportedOperationError):
        at.call(Swift.copy_object, obj, at.box, "b", changes)


def test_what_is_missing_in_a_copy_is_told(at):
    obj = at.do(at.driver.upload_object_via_stream(b"x", at.box, "a"))
    at.do(at.driver.delete_object(obj))

    with pytest.raises(ObjectDoesNotExistError):
        at.do(at.driver.copy_object(obj, at.box, "b"))
    kept = at.do(at.driver.upload_object_via_stream(b"x", at.box, "a"))
    with pytest.raises(ContainerDoesNotExistError):
        at.do(at.driver.copy_object(kept, Container("no-such-container"), "b"))


def test_reading_depends_on_the_etag(at):
    obj = at.do(at.driver.upload_object_via_stream(b"x", at.box, "a"))
    large = store_large(at, "large", b"first,", b"second")

    for one in (obj, large):
        etag = one.extra["etag"]
        read(at.api, at.driver.download_object_as_stream(one, if_match=etag))
        read(at.api, at.driver.download_object_as_stream(one, if_none_match="0" * 32))
        for wrong in ({"if_match": "0" * 32}, {"if_none_match": etag}):
            with pytest.raises(PreconditionFailedError):
                read(at.api, at.driver.download_object_as_stream(one, **wrong))


def test_an_object_that_is_there_is_not_replaced(at):
    at.do(at.driver.upload_object_via_stream(b"old", at.box, "a"))
    kind = PreconditionFailedError if at.kind == "swift" else UnsupportedOperationError

    with pytest.raises(kind):
        at.do(at.driver.upload_object_via_stream(b"new", at.box, "a", if_none_match="*"))

    assert content_of(at, at.do(at.driver.get_object(at.box.name, "a"))) == b"old"


def fetch(url, method="GET", data=None):
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def test_signed_urls_are_good_for_one_thing(at):
    with pytest.raises(InvalidRequestError):
        at.do(at.driver.presign(at.box, "a", expires=0))
    at.call(Swift.set_temp_url_key)

    store_it = at.do(at.driver.presign(at.box, "a ü/%", "PUT"))
    fetch_it = at.do(at.driver.presign(at.box, "a ü/%"))

    fetch(store_it.url, "PUT", b"sent by anybody")
    assert fetch(fetch_it.url) == b"sent by anybody"
    with pytest.raises(urllib.error.HTTPError):
        fetch(fetch_it.url, "PUT", b"x")
    with pytest.raises(urllib.error.HTTPError):
        fetch(fetch_it.url.replace("temp_url_expires=", "temp_url_expires=1"))


def test_a_key_that_is_changed_once_leaves_urls_good(at):
    obj = at.do(at.driver.upload_object_via_stream(b"x", at.box, "a"))
    where = () if at.kind == "ceph" else (None, at.box)
    at.call(Swift.set_temp_url_key, *where)
    signed = at.do(at.driver.presign(at.box, obj.name))

    at.call(Swift.set_temp_url_key, *where)

    assert fetch(signed.url) == b"x"


def test_a_container_is_opened_to_all(at):
    if at.kind == "ceph":
        pytest.skip("Ceph shows nothing to anybody of a user without a tenant")
    obj = at.do(at.driver.upload_object_via_stream(b"open", at.box, "a ü"))
    with pytest.raises(InvalidRequestError):
        at.do(at.driver.get_object_cdn_url(obj))

    at.do(at.driver.enable_container_cdn(at.box))
    at.do(at.driver.enable_container_cdn(at.box))

    assert fetch(at.do(at.driver.get_object_cdn_url(obj))) == b"open"
    assert at.do(at.driver.get_container_cdn_url(at.box)).endswith(f"/{at.box.name}")


def test_versions_are_kept_read_and_deleted(at):
    if at.kind == "ceph":
        with pytest.raises(UnsupportedOperationError):
            at.do(at.driver.set_versioning(at.box, True))
        return
    assert at.do(at.driver.get_versioning(at.box)) is False
    at.do(at.driver.set_versioning(at.box, True))
    for content in (b"one", b"second"):
        at.do(at.driver.upload_object_via_stream(content, at.box, "a"))
    at.do(at.driver.delete_object(at.do(at.driver.get_object(at.box.name, "a"))))

    found = at.do(at.driver.list_object_versions(at.box))

    facts = [(one.size, one.is_latest, one.is_delete_marker) for one in found]
    assert facts == [(0, True, True), (6, False, False), (3, False, False)]
    assert [content_of(at, one) for one in found[1:]] == [b"second", b"one"]
    oldest = at.do(at.driver.get_object_version(at.box.name, "a", found[2].version_id))
    assert (oldest.size, oldest.is_latest, oldest.version_id) == (3, False, found[2].version_id)
    restored = at.do(at.driver.copy_object(oldest, at.box, "a"))
    assert content_of(at, restored) == b"one"
    for one in at.do(at.driver.list_object_versions(at.box)):
        at.do(at.driver.delete_object(one))
    assert at.do(at.driver.list_object_versions(at.box)) == []


def test_versions_are_listed_page_by_page(at, monkeypatch):
    if at.kind == "ceph":
        pytest.skip("Ceph's Swift API has no versions with ids")
    monkeypatch.setattr(Swift, "page_size", 2)
    at.do(at.driver.set_versioning(at.box, True))
    for name, count in (("a", 3), ("b", 2)):
        for number in range(count):
            at.do(at.driver.upload_object_via_stream(b"x" * (number + 1), at.box, name))

    found = at.do(at.driver.list_object_versions(at.box))

    assert [(one.name, one.size) for one in found] == [
        ("a", 3),
        ("a", 2),
        ("a", 1),
        ("b", 2),
        ("b", 1),
    ]


def test_a_large_version_keeps_its_segments_until_it_is_deleted(at):
    if at.kind == "ceph":
        pytest.skip("Ceph's Swift API has no versions with ids")
    at.do(at.driver.set_versioning(at.box, True))
    large = store_large(at, "large", b"first,", b"second")

    at.do(at.driver.delete_object(large))
    older = at.do(at.driver.list_object_versions(at.box))[1]

    assert content_of(at, older) == b"first,second"
    with pytest.raises(InvalidRequestError):
        at.call(Swift.delete_unused_segments, at.box)
    at.do(at.driver.delete_object(older))
    assert segments(at) == []


@pytest.fixture(scope="module")
def keystone():
    if why := Keystone.missing() or SwiftServer.missing():
        pytest.skip(why)
    with Keystone() as found, SwiftServer(found.swift_port, found.url):
        yield found


def test_every_way_to_sign_in_at_keystone(api, keystone):
    make = api.get_driver("openstack_swift")
    first = make(keystone.username, keystone.password, auth_url=keystone.url, project="demo")
    api.do(first.list_containers())
    session = first._backend._signer().sign_in._last  # to have a token to sign in with
    ways = [
        {"token": session.token, "project": "demo"},
        {"token": session.token, "project_id": session.project_id},
        {
            "application_credential_id": keystone.application_id,
            "application_credential_secret": keystone.application_secret,
        },
        {
            "application_credential_name": "anysky",
            "application_credential_secret": keystone.application_secret,
            "username": "demo",
        },
    ]

    for way in ways:
        driver = make(auth_url=f"{keystone.url}/v3", region="RegionOne", **way)
        api.do(driver.list_containers())
        api.do(driver.close())
    api.do(first.close())


def test_keystone_refuses_a_wrong_password(api, keystone):
    driver = api.get_driver("openstack_swift")(
        "demo", "canary-wrong-word", auth_url=keystone.url, project="demo"
    )

    with pytest.raises(AuthenticationError) as raised:
        api.do(driver.list_containers())
    api.do(driver.close())

    assert "canary-wrong-word" not in str(raised.value)
