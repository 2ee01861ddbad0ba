"""What becomes of odd, hostile and broken answers of a store, in both APIs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from datetime import UTC, datetime

import pytest
from tests.providers.aws.storage_support import Asyncio, Blocking, read
from tests.providers.openstack.cloud import DATE, Cloud, Told, entry, listing

from anysky.errors import (
    CloudError,
    ConflictError,
    ConnectionFailedError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectHashMismatchError,
    PreconditionFailedError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.providers.openstack.storage import Swift
from anysky.transport.base import Body
from anysky.transport.retry import RetryPolicy

BOX = Container("box")
CONTENT = b"content of it"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
HEADERS = {"ETag": MD5, "Last-Modified": DATE, "Content-Type": "text/plain"}
CEPH = {"swift": {"max_object_name_size": 1024}, "bulk_delete": {}}


@pytest.fixture(params=[Blocking, Asyncio])
def api(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def cloud():
    with Cloud() as server:
        yield server
        assert server.errors == []


@pytest.fixture
def driver(api, cloud):
    driver = api.get_driver("openstack_swift")(
        "user",
        "password",
        auth_url=cloud.url,
        project="project",
        retry=RetryPolicy(base=0.001, throttled_base=0.001),
    )
    yield driver
    api.do(driver.close())


def thing(name="a", **extra):
    return Object(name, len(CONTENT), MD5, extra, {}, BOX)


def test_a_list_is_followed_by_marker(api, driver, cloud, monkeypatch):
    monkeypatch.setattr(Swift, "page_size", 2)
    cloud.tell("GET", "/box", listing(entry("a"), entry("b ü")), listing(entry("c")))

    found = api.do(driver.list_container_objects(BOX, "p"))

    assert [(one.name, one.size, one.hash) for one in found] == [
        ("a", 1, "9dd4e461268c8034f5c8564e155c67a6"),
        ("b ü", 1, "9dd4e461268c8034f5c8564e155c67a6"),
        ("c", 1, "9dd4e461268c8034f5c8564e155c67a6"),
    ]
    assert found[0].extra["last_modified"] == datetime(2026, 11, 22, 21, 0, 0, 123450, UTC)
    assert [dict(one.query).get("marker") for one in cloud.sent("GET", "/box")] == [None, "b ü"]


def test_a_list_that_does_not_go_on_is_an_error(api, driver, cloud, monkeypatch):
    monkeypatch.setattr(Swift, "page_size", 2)
    cloud.tell("GET", "/box", listing(entry("a"), entry("b")))

    with pytest.raises(MalformedResponseError):
        api.do(driver.list_container_objects(BOX))

    assert len(cloud.sent("GET", "/box")) == 2


@pytest.mark.parametrize("body", [b"<html>", b'{"name": 1}', b'[{"bytes": "x"}]', b"[" * 100_000])
def test_a_list_that_is_none_is_malformed(api, driver, cloud, body):
    cloud.tell("GET", "/box", Told(200, body))

    with pytest.raises(MalformedResponseError):
        api.do(driver.list_container_objects(BOX))


def test_what_a_list_calls_empty_is_looked_at_again(api, driver, cloud):
    empty = entry("dlo", 0, "d41d8cd98f00b204e9800998ecf8427e")
    folder = {**empty, "name": "folder", "content_type": "application/directory"}
    cloud.tell("GET", "/box", listing(empty, folder))
    large = {**HEADERS, "X-Object-Manifest": "box_segments/dlo/", "ETag": '"abc"'}
    cloud.tell("HEAD", "/box/dlo", Told(200, CONTENT, large))

    found = api.do(driver.list_container_objects(BOX))

    assert [(one.name, one.size, one.hash) for one in found] == [
        ("dlo", len(CONTENT), None),
        ("folder", 0, "d41d8cd98f00b204e9800998ecf8427e"),
    ]
    assert cloud.sent("HEAD", "/box/folder") == []


def test_a_list_is_taken_as_it_is_if_the_account_says_so(api, cloud):
    cloud.tell("GET", "/box", listing(entry("e", 0, "d41d8cd98f00b204e9800998ecf8427e")))
    make = api.get_driver("openstack_swift")
    driver = make("u", "p", auth_url=cloud.url, project="x", large_objects=False)

    found = api.do(driver.list_container_objects(BOX))
    api.do(driver.close())

    assert [one.size for one in found] == [0]
    assert cloud.sent("HEAD", "/box/e") == []


def test_a_body_that_is_cut_is_an_error(api, driver, cloud):
    cloud.tell("GET", "/box/a", Told(200, CONTENT[:5], HEADERS, length=len(CONTENT)))

    with pytest.raises(ConnectionFailedError):
        read(api, driver.download_object_as_stream(thing()))


def test_a_body_that_is_another_is_an_error(api, driver, cloud):
    cloud.tell("GET", "/box/a", Told(200, CONTENT[::-1], HEADERS))

    with pytest.raises(ObjectHashMismatchError):
        read(api, driver.download_object_as_stream(thing()))


def test_the_etag_of_a_large_object_is_no_md5_of_it(api, driver, cloud):
    large = {**HEADERS, "ETag": f'"{"0" * 32}"', "X-Static-Large-Object": "True"}
    cloud.tell("GET", "/box/a", Told(200, CONTENT, large))
    cloud.tell("HEAD", "/box/a", Told(200, CONTENT, large))

    assert read(api, driver.download_object_as_stream(thing())) == CONTENT
    found = api.do(driver.get_object("box", "a"))
    assert (found.hash, found.extra["etag"], found.extra["checksums"]) == (None, "0" * 32, {})


def test_another_range_than_was_asked_for_is_an_error(api, driver, cloud):
    wrong = {**HEADERS, "Content-Range": "bytes 1-3/13"}
    cloud.tell("GET", "/box/a", Told(206, b"ont", wrong))

    with pytest.raises(MalformedResponseError):
        read(api, driver.download_object_range_as_stream(thing(), 2, 5))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, b"", ObjectHashMismatchError),
        (412, b"", PreconditionFailedError),
        (404, b"", ContainerDoesNotExistError),
        (413, b"Upload exceeds quota.", QuotaExceededError),
        (413, b"Your request is too large.", InvalidRequestError),
        (411, b"", InvalidRequestError),
        (498, b"", RateLimitedError),
        (429, b"", RateLimitedError),
        (409, b"", ConflictError),
    ],
)
def test_a_refused_upload_says_why(api, driver, cloud, status, body, kind):
    cloud.tell("PUT", "/box/a", Told(status, body))

    with pytest.raises(kind) as raised:
        api.do(driver.upload_object_via_stream(CONTENT, BOX, "a"))

    assert type(raised.value) is kind
    assert raised.value.status == status


def test_a_busy_store_is_asked_again(api, driver, cloud):
    stored = Told(201, b"", {"ETag": MD5, "Last-Modified": DATE})
    cloud.tell("PUT", "/box/a", Told(498), Told(503), stored)

    obj = api.do(driver.upload_object_via_stream(CONTENT, BOX, "a"))

    assert (obj.hash, obj.size) == (MD5, len(CONTENT))
    assert [one.body for one in cloud.sent("PUT", "/box/a")] == [CONTENT] * 3


def test_content_of_unknown_length_goes_in_chunks(api, driver, cloud):
    cloud.tell("PUT", "/box/a", Told(201, b"", {"ETag": MD5, "Last-Modified": DATE}))

    body = Body(lambda: api.source(CONTENT[:5], CONTENT[5:]))
    obj = api.do(driver.call(Swift.upload_object, BOX, body, ObjectSpec("a")))

    (sent,) = cloud.sent("PUT", "/box/a")
    assert (obj.size, obj.hash) == (len(CONTENT), MD5)
    assert (sent.body, sent.headers["transfer-encoding"]) == (CONTENT, "chunked")


def test_a_stored_object_that_is_another_is_an_error(api, driver, cloud):
    cloud.tell("PUT", "/box/a", Told(201, b"", {"ETag": "0" * 32, "Last-Modified": DATE}))

    with pytest.raises(ObjectHashMismatchError):
        api.do(driver.upload_object_via_stream(CONTENT, BOX, "a"))


@pytest.mark.parametrize(
    "options",
    [{"if_match": "x"}, {"if_none_match": "x"}, {"storage_class": "COLD"}, {"tags": {"a": "b"}}],
)
def test_what_swift_has_not_is_refused_before_sending(api, driver, cloud, options):
    with pytest.raises(UnsupportedOperationError):
        api.do(driver.upload_object_via_stream(CONTENT, BOX, "a", **options))

    assert cloud.seen == []


def test_ceph_would_pass_over_a_condition(api, driver, cloud):
    cloud.info = CEPH

    with pytest.raises(UnsupportedOperationError):
        api.do(driver.upload_object_via_stream(CONTENT, BOX, "a", if_none_match="*"))

    assert cloud.sent("PUT", "/box/a") == []


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "x" * 1025, "ü" * 513, "\ud800"])
def test_names_that_no_object_can_have_are_refused_before_sending(api, driver, cloud, name):
    with pytest.raises(InvalidRequestError):
        api.do(driver.get_object("box", name))

    assert cloud.seen == []


@pytest.mark.parametrize("name", ["", "a/b", "..", "x" * 257, "\ud800", "a\0"])
def test_names_that_no_container_can_have_are_refused_before_sending(api, driver, cloud, name):
    with pytest.raises(InvalidContainerNameError):
        api.do(driver.create_container(name))

    assert cloud.seen == []


@pytest.mark.parametrize("name", ["under_score", "ü", "a b", "a:b", ""])
def test_metadata_whose_name_would_not_come_back_is_refused(api, driver, cloud, name):
    with pytest.raises(InvalidRequestError):
        api.do(driver.upload_object_via_stream(CONTENT, BOX, "a", extra={"meta_data": {name: "x"}}))

    assert cloud.seen == []


def test_a_container_is_not_made_twice(api, driver, cloud):
    cloud.tell("GET", "/box", listing())

    with pytest.raises(ContainerAlreadyExistsError):
        api.do(driver.create_container("box"))

    assert cloud.sent("PUT", "/box") == []


def test_somebody_who_makes_the_container_at_the_same_time_has_made_it(api, driver, cloud):
    cloud.tell("PUT", "/box", Told(202))

    with pytest.raises(ContainerAlreadyExistsError):
        api.do(driver.create_container("box"))


def test_a_container_whose_answer_was_lost_is_ours(api, driver, cloud):
    cloud.tell("PUT", "/box", Told(503), Told(202))

    assert api.do(driver.create_container("box")).name == "box"


def test_a_container_of_another_region_is_not_made(api, driver, cloud):
    with pytest.raises(UnsupportedOperationError):
        api.do(driver.create_container("box", "another"))

    assert cloud.seen == []


def test_a_container_with_objects_stays(api, driver, cloud):
    cloud.tell("DELETE", "/box", Told(409))

    with pytest.raises(ContainerIsNotEmptyError):
        api.do(driver.delete_container(BOX))


def test_what_a_lost_answer_deleted_is_deleted(api, driver, cloud):
    cloud.tell("DELETE", "/box/a", Told(503), Told(404))

    assert api.do(driver.delete_object(thing(is_large=False))) is True


def test_the_segments_of_a_large_object_are_deleted_with_it(api, driver, cloud):
    cloud.tell("HEAD", "/box/a", Told(200, b"", {**HEADERS, "X-Static-Large-Object": "True"}))
    result = {"Response Status": "200 OK", "Number Deleted": 3, "Errors": []}
    cloud.tell("DELETE", "/box/a", Told(200, json.dumps(result).encode()))

    assert api.do(driver.delete_object(thing())) is True

    (sent,) = cloud.sent("DELETE", "/box/a")
    assert sent.query == (("multipart-manifest", "delete"),)


def test_a_status_200_that_is_an_error_is_an_error(api, driver, cloud):
    cloud.tell("HEAD", "/box/a", Told(200, b"", {**HEADERS, "X-Static-Large-Object": "True"}))
    result = {
        "Response Status": "400 Bad Request",
        "Number Deleted": 1,
        "Errors": [["box_segments/x", "403 Forbidden"]],
    }
    cloud.tell("DELETE", "/box/a", Told(200, json.dumps(result).encode()))

    with pytest.raises(CloudError) as raised:
        api.do(driver.delete_object(thing()))

    assert "403 Forbidden" in raised.value.message


def test_the_segments_of_an_older_version_stay(api, driver, cloud):
    versioned = {**HEADERS, "X-Static-Large-Object": "True", "X-Object-Version-Id": "1"}
    cloud.tell("HEAD", "/box/a", Told(200, b"", versioned))
    cloud.tell("DELETE", "/box/a", Told(204))

    api.do(driver.delete_object(thing()))

    (sent,) = cloud.sent("DELETE", "/box/a")
    assert sent.query == ()


def test_a_cluster_without_versions_says_so_before_anything_is_sent_to_it(api, driver, cloud):
    with pytest.raises(UnsupportedOperationError):
        api.do(driver.set_versioning(BOX, True))

    assert [one.path for one in cloud.seen] == ["/v3/auth/tokens", "/info"]


def test_a_url_is_signed_with_the_keys_of_the_container_first(api, driver, cloud):
    cloud.info = {"tempurl": {"methods": ["GET"], "allowed_digests": ["sha1", "sha256"]}}
    cloud.tell("GET", "/box", Told(200, b"[]", {"X-Container-Meta-Temp-Url-Key": "canary-key"}))

    signed = api.do(driver.presign(BOX, "a b/ü", expires=60))

    assert signed.url.startswith(f"{cloud.store}/box/a%20b/%C3%BC?temp_url_sig=")
    assert len(signed.url.partition("temp_url_sig=")[2].partition("&")[0]) == 64
    assert (signed.method, dict(signed.headers)) == ("GET", {})
    assert "temp_url_sig" not in repr(signed)
    with pytest.raises(UnsupportedOperationError):
        api.do(driver.presign(BOX, "a", "PUT"))


def test_without_a_key_no_url_is_signed(api, driver, cloud):
    cloud.info = {"tempurl": {}}
    cloud.tell("GET", "/box", listing())
    cloud.tell("GET", "", listing())

    with pytest.raises(InvalidRequestError) as raised:
        api.do(driver.presign(BOX, "a"))

    assert "set_temp_url_key" in raised.value.message


def test_ceph_tells_less_of_an_object_that_another_program_made(api, driver, cloud):
    cloud.info = CEPH
    cloud.tell("HEAD", "/box/a", Told(200, CONTENT, {**HEADERS, "X-Static-Large-Object": "True"}))

    with pytest.raises(UnsupportedOperationError):
        api.do(driver.copy_object(thing(), BOX, "b"))

    assert cloud.sent("COPY", "/box/a") == []


def test_a_cluster_that_does_not_tell_what_it_can_is_taken_for_a_plain_swift(api, driver, cloud):
    cloud.info = ["no", "info"]
    cloud.tell("COPY", "/box/a", Told(201))
    cloud.tell("HEAD", "/box/b", Told(200, CONTENT, HEADERS))

    assert api.do(driver.copy_object(thing(), BOX, "b")).size == len(CONTENT)
