"""Answers of Blob Storage that Azurite does not give: pages, versions, lost and broken ones."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from tests.providers.azure.recorder import ACCOUNT, CONTENT, ETAG, KEY

from anysky import deadline
from anysky.errors import (
    ConflictError,
    ContainerAlreadyExistsError,
    DeadlineExceededError,
    MalformedResponseError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    RateLimitedError,
)
from anysky.model.storage import Condition, Container, Object, ObjectSpec
from anysky.run import run
from anysky.storage import get_driver
from anysky.transport.base import Body
from anysky.transport.retry import RetryPolicy

BOX = Container("box")
OBJECT = Object("name", 1, None, {}, {}, BOX)
QUICK = RetryPolicy(base=0.0, throttled_base=0.0)


@pytest.fixture
def driver(recorder):
    with get_driver("azure_blobs")(ACCOUNT, KEY, endpoint=recorder.url, retry=QUICK) as made:
        yield made


def blob(name, *, version="", current=False, encoded=False):
    kind = ' Encoded="true"' if encoded else ""
    versions = f"<VersionId>{version}</VersionId>" if version else ""
    versions += "<IsCurrentVersion>true</IsCurrentVersion>" if current else ""
    return (
        f"<Blob><Name{kind}>{name}</Name>{versions}<Properties><Etag>0x1</Etag>"
        "<Last-Modified>Sun, 22 Nov 2026 12:00:00 GMT</Last-Modified>"
        "<Content-Length>5</Content-Length><AccessTier>Hot</AccessTier></Properties></Blob>"
    )


def listing(*items, marker=""):
    blobs = f"<Blobs>{''.join(items)}</Blobs><NextMarker>{marker}</NextMarker>"
    return 200, {}, f"<EnumerationResults>{blobs}</EnumerationResults>"


def content(text=CONTENT):
    return Body(lambda: iter([text]), len(text), replayable=True)


def upload(driver, **spec):
    given = ObjectSpec("name", **spec)
    return run(driver._backend.upload_object(BOX, content(), given))


def refusal(status, code, text=""):
    message = f"{text or code}\nRequestId:1\nTime:2"
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, {"x-ms-error-code": code}, body


# -- lists ---------------------------------------------------------------------------------------


def test_a_list_goes_on_until_there_is_no_marker(recorder, driver):
    pages = [listing(blob("a"), marker="m/1"), listing(marker="m/2"), listing(blob("b"))]
    recorder.answers["GET", "list", False] = pages

    names = [obj.name for obj in driver.list_container_objects(BOX)]

    assert names == ["a", "b"]
    assert [request.arg("marker") for request in recorder.seen] == [None, "m/1", "m/2"]


def test_a_list_that_does_not_go_on_is_refused(recorder, driver):
    recorder.answers["GET", "list", False] = [listing(marker="m"), listing(marker="m")]

    with pytest.raises(MalformedResponseError):
        driver.list_container_objects(BOX)


def test_an_object_of_a_list_knows_its_etag_as_conditions_take_it(recorder, driver):
    recorder.answers["GET", "list", False] = listing(blob("a"))

    (obj,) = driver.list_container_objects(BOX)

    assert obj.extra == {
        "etag": '"0x1"',
        "last_modified": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "storage_class": "Hot",
    }


def test_names_that_xml_cannot_hold_are_decoded(recorder, driver):
    odd = "line\ufffe break"
    prefix = f'<BlobPrefix><Name Encoded="true">{quote(odd)}%2F</Name></BlobPrefix>'
    items = [blob("a%20b"), blob(quote(odd), encoded=True), prefix]
    recorder.answers["GET", "list", False] = listing(*items)

    names = [entry.name for entry in driver.list_directory(BOX)]

    assert names == ["a%20b", odd, f"{odd}/"]


def test_versions_come_newest_first_also_over_pages(recorder, driver):
    one, two, three = (f"2026-11-2{day}T12:00:00.0000000Z" for day in (0, 1, 2))
    recorder.answers["GET", "list", False] = [
        listing(blob("a", version=one), blob("b", version=one), marker="m"),
        listing(blob("b", version=two), marker="n"),
        listing(blob("b", version=three, current=True), blob("c", version=one, current=True)),
    ]

    versions = driver.list_object_versions(BOX)

    assert [(item.name, item.version_id, item.is_latest) for item in versions] == [
        ("a", one, False),
        ("b", three, True),
        ("b", two, False),
        ("b", one, False),
        ("c", one, True),
    ]


@pytest.mark.parametrize("body", ["<EnumerationResults>", "<html/>", "<!DOCTYPE x []><a/>", "x"])
def test_what_is_no_list_is_refused(recorder, driver, body):
    recorder.answers["GET", "list", False] = (200, {}, body)

    with pytest.raises(MalformedResponseError):
        driver.list_container_objects(BOX)


def test_a_container_is_looked_into_also_where_there_are_no_versions(recorder, driver):
    without = refusal(409, "FeatureNotSupportedForAccount")
    recorder.answers["GET", "list", False] = [without, listing()]

    assert driver.delete_container(BOX)

    sent = [(request.method, request.arg("include")) for request in recorder.seen]
    assert sent == [("GET", "snapshots,versions"), ("GET", "snapshots"), ("DELETE", None)]


# -- refusals ------------------------------------------------------------------------------------


def test_a_busy_service_is_asked_again(recorder, driver):
    recorder.answers["GET", "list", False] = [refusal(503, "ServerBusy"), listing()]
    assert driver.list_container_objects(BOX) == []

    recorder.answers["GET", "list", False] = refusal(503, "ServerBusy")
    with pytest.raises(RateLimitedError) as caught:
        driver.list_container_objects(BOX)

    assert caught.value.attempts == 4


def test_an_error_says_what_the_service_says(recorder, driver):
    text = "This request is not authorized."
    recorder.answers["GET", "list", False] = refusal(403, "AuthorizationFailure", text)

    with pytest.raises(PermissionDeniedError) as caught:
        driver.list_container_objects(BOX)

    error = caught.value
    assert (error.message, error.code, error.status) == (text, "AuthorizationFailure", 403)
    assert error.request_id == "00000000-0000-0000-0000-000000000000"


# -- lost answers --------------------------------------------------------------------------------


FAILED = (500, {}, "")


def test_a_container_made_by_the_lost_try_is_ours(recorder, driver):
    taken = refusal(409, "ContainerAlreadyExists")
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    recorder.answers["PUT", "", False] = [FAILED, taken]
    recorder.answers["HEAD", "", False] = (200, {"Last-Modified": now}, "")

    assert driver.create_container("box").name == "box"


def test_a_container_that_was_there_before_is_not(recorder, driver):
    recorder.answers["PUT", "", False] = [FAILED, refusal(409, "ContainerAlreadyExists")]

    with pytest.raises(ContainerAlreadyExistsError):
        driver.create_container("box")


def test_an_upload_stored_by_the_lost_try_is_ours(recorder, driver):
    md5 = "f4c5ef9f2c8a5e2e0b8d1f3c4b5a6978"
    recorder.answers["PUT", "", True] = [FAILED, refusal(409, "BlobAlreadyExists")]
    once = Condition(if_none_match="*")

    with pytest.raises(PreconditionFailedError):
        upload(driver, condition=once, md5=md5)
    recorder.answers["PUT", "", True] = [FAILED, refusal(409, "BlobAlreadyExists")]
    with pytest.raises(OutcomeUnknownError):
        upload(driver, condition=once)
    recorder.answers["PUT", "", True] = [FAILED, refusal(409, "BlobAlreadyExists")]
    there = driver.get_object("box", "name")
    assert upload(driver, condition=once, md5=there.hash).hash == there.hash


def test_a_condition_on_nothing_is_not_met(recorder, driver):
    recorder.answers["PUT", "", True] = refusal(404, "BlobNotFound")

    with pytest.raises(PreconditionFailedError):
        upload(driver, condition=Condition(if_match=ETAG))


def test_a_blob_deleted_by_the_lost_try_is_deleted(recorder, driver):
    recorder.answers["DELETE", "", True] = [FAILED, refusal(404, "BlobNotFound")]

    assert driver.delete_object(OBJECT)


def test_a_change_made_by_the_lost_try_is_made(recorder, driver):
    unmet = refusal(412, "ConditionNotMet")
    there = {"x-ms-meta-owner": "sky", "Content-Type": "text/csv"}
    recorder.answers["HEAD", "", True] = [(200, {}, ""), *[(200, there, "")] * 4]
    recorder.answers["PUT", "metadata", True] = [FAILED, unmet]
    recorder.answers["PUT", "properties", True] = [FAILED, unmet]

    changed = driver.update_object(OBJECT, content_type="text/csv", meta_data={"Owner": "sky"})
    recorder.answers["PUT", "metadata", True] = [FAILED, unmet]
    with pytest.raises(PreconditionFailedError):
        driver.update_object(OBJECT, meta_data={"owner": "else"})

    assert (changed.meta_data, changed.extra["content_type"]) == ({"owner": "sky"}, "text/csv")


# -- copies --------------------------------------------------------------------------------------


PENDING = {"x-ms-copy-id": "copy-1", "x-ms-copy-status": "pending"}


def copying(recorder, *states):
    """Let a copy be under way, and the blob say these states of it one after the other."""
    told = [{**PENDING, "x-ms-copy-status": state} for state in states]
    known = {"Content-Type": "text/plain"}
    recorder.answers["PUT", "", True] = (202, PENDING, "")
    recorder.answers["HEAD", "", True] = [
        (200, known, ""),
        *((200, {**known, **state}, "") for state in told),
    ]


def test_a_copy_is_waited_for(recorder, driver):
    copying(recorder, "pending", "pending", "success")

    copy = driver.copy_object(OBJECT, BOX, "copy")

    assert (copy.name, copy.size, copy.extra["etag"]) == ("copy", len(CONTENT), ETAG)
    assert [request.method for request in recorder.seen] == ["HEAD", "PUT", "HEAD", "HEAD", "HEAD"]


def test_a_copy_that_fails_is_deleted(recorder, driver):
    copying(recorder, "failed", "failed")

    with pytest.raises(ProviderUnavailableError, match="ended the copy: failed"):
        driver.copy_object(OBJECT, BOX, "copy")

    assert [request.method for request in recorder.seen][-2:] == ["HEAD", "DELETE"]


def test_a_copy_that_is_not_waited_for_is_ended(recorder, driver):
    copying(recorder, *["pending"] * 20)

    with deadline(0.6), pytest.raises((DeadlineExceededError, PartialFailureError)):
        driver.copy_object(OBJECT, BOX, "copy")

    methods = [(request.method, request.arg("comp")) for request in recorder.seen]
    assert methods[-2:] == [("PUT", "copy"), ("DELETE", None)]


def test_another_blob_in_the_place_of_a_copy_stays(recorder, driver):
    copying(recorder, "pending")
    recorder.answers["HEAD", "", True][1][1]["x-ms-copy-id"] = "copy-2"

    with pytest.raises(ConflictError, match="somebody else"):
        driver.copy_object(OBJECT, BOX, "copy")

    assert "DELETE" not in [request.method for request in recorder.seen]


# -- batches -------------------------------------------------------------------------------------


def batch(*answers):
    parts = [
        f"Content-ID: {number}\r\n\r\nHTTP/1.1 {status} X\r\n"
        f"x-ms-error-code: {code}\r\n\r\n{code}\r\n"
        for number, (status, code) in enumerate(answers)
    ]
    body = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
    return 202, {"Content-Type": 'multipart/mixed; boundary="b"'}, body


def objects(count):
    return [Object(f"name {number}", 1, None, {}, {}, BOX) for number in range(count)]


def test_a_batch_tells_of_each_blob(recorder, driver):
    answers = [(202, ""), (404, "BlobNotFound"), (409, "SnapshotsPresent")]
    recorder.answers["POST", "batch", False] = batch(*answers)

    outcomes = driver.delete_objects(objects(3))

    failed = [(failure.item.name, failure.error.code) for failure in outcomes.failed]
    assert failed == [("name 1", "BlobNotFound"), ("name 2", "SnapshotsPresent")]


def test_what_failed_in_passing_is_tried_again(recorder, driver):
    recorder.answers["POST", "batch", False] = [
        batch((202, ""), (503, "ServerBusy")),
        batch((202, "")),
    ]

    assert driver.delete_objects(objects(2)).failed == []
    assert b"name%200" not in recorder.seen[1].body


@pytest.mark.parametrize(
    "answer",
    [
        batch((202, "")),
        (202, {"Content-Type": "text/plain"}, "x"),
        (202, {"Content-Type": "multipart/mixed; boundary=b"}, "--b\r\n\r\n\r\nHELLO\r\n--b--"),
        (202, {"Content-Type": "multipart/mixed; boundary=b"}, ""),
    ],
    ids=["too few", "no parts", "no status", "empty"],
)
def test_what_is_no_answer_to_a_batch_is_refused(recorder, driver, answer):
    recorder.answers["POST", "batch", False] = answer

    outcomes = driver.delete_objects(objects(2))

    kinds = {type(failure.error) for failure in outcomes.failed}
    assert (len(outcomes.failed), kinds) == (2, {MalformedResponseError})
