"""Uploads to Cloud Storage: in one request, and in parts by resumable sessions."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
from tests.providers.google.google_support import body_of, sent

from anysky.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PartialFailureError,
    PreconditionFailedError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.model.storage import Condition, MultipartUpload, ObjectSpec
from anysky.providers.google.storage import GoogleStorage
from anysky.transfer.options import TransferOptions

KIB256 = 256 * 1024
UPLOAD = "/upload/storage/v1/b/anysky-box/o"
MD5 = hashlib.md5(b"content").hexdigest()


def begun(driver, box, spec=None):
    spec = spec or ObjectSpec("big", "text/csv", {"owner": "me"})
    return driver.call(GoogleStorage.begin_multipart_upload, box, spec)


def part(driver, upload, number, offset, content, *, is_last=False, checksums=None):
    return driver.call(
        GoogleStorage.upload_part,
        upload,
        number,
        offset,
        body_of(content),
        is_last=is_last,
        checksums=checksums or {},
    )


def complete(driver, upload, parts, spec=None):
    spec = spec or ObjectSpec("big")
    return driver.call(GoogleStorage.complete_multipart_upload, upload, parts, spec)


def test_one_request_holds_fields_and_content(box, google):
    obj = box.upload_object_via_stream(
        b"content",
        "a b/ü.csv",
        {"content_type": "text/csv", "meta_data": {"owner": "Zoë"}, "acl": "public-read"},
        headers={"Cache-Control": "no-store", "X-Goog-Custom": "1"},
        storage_class="NEARLINE",
    )

    request = google.requests[-1]
    assert (request.path, dict(request.query)) == (
        UPLOAD,
        {"uploadType": "multipart", "name": "a b/ü.csv", "predefinedAcl": "publicRead"},
    )
    assert request.headers["x-goog-custom"] == "1"
    assert "content-length" in request.headers
    assert (obj.name, obj.size, obj.hash, obj.meta_data) == (
        "a b/ü.csv",
        7,
        MD5,
        {"owner": "Zoë"},
    )
    assert (obj.extra["content_type"], obj.extra["cache_control"]) == ("text/csv", "no-store")
    assert obj.extra["storage_class"] == "NEARLINE"
    assert obj.extra["etag"] == obj.extra["version_id"] == obj.extra["generation"]
    assert obj.extra["checksums"] == {"md5": MD5, "crc32c": "61af7533"}


def test_content_with_the_look_of_a_part_is_kept(box):
    content = b"\r\n--x\r\nContent-Type: text/plain\r\n\r\n--x--\r\n"

    obj = box.upload_object_via_stream(content, "odd")

    assert b"".join(obj.as_stream()) == content


def test_digests_are_checked_by_google(driver, box):
    spec = ObjectSpec("name", md5=hashlib.md5(b"other").hexdigest())

    with pytest.raises(ObjectHashMismatchError, match="doesn't match calculated"):
        driver.call(GoogleStorage.upload_object, box, body_of(b"content"), spec)
    with pytest.raises(InvalidRequestError, match="is no crc32c in hex"):
        driver.call(
            GoogleStorage.upload_object,
            box,
            body_of(b"content"),
            ObjectSpec("name", checksums={"crc32c": "abc"}),
        )
    assert box.list_objects() == []


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\rb", "x" * 1025, "\ud800"], ids=ascii)
def test_names_that_cloud_storage_refuses_are_not_sent(box, google, name):
    with pytest.raises(InvalidRequestError):
        box.upload_object_via_stream(b"", name)
    assert google.requests == []


def test_tags_are_refused(box, google):
    with pytest.raises(UnsupportedOperationError, match="use meta_data"):
        box.upload_object_via_stream(b"", "name", tags={"a": "b"})
    assert google.requests == []


# -- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "params"),
    [
        (Condition(if_match="17"), {"ifGenerationMatch": "17"}),
        (Condition(if_match="*"), {"ifGenerationNotMatch": "0"}),
        (Condition(if_none_match="17"), {"ifGenerationNotMatch": "17"}),
        (Condition(if_none_match="*"), {"ifGenerationMatch": "0"}),
        (Condition(), {}),
    ],
)
def test_conditions_are_generations(driver, box, google, condition, params):
    google.fail_next(412, path=UPLOAD)
    with pytest.raises(PreconditionFailedError):
        driver.call(
            GoogleStorage.upload_object, box, body_of(b""), ObjectSpec("n", condition=condition)
        )

    query = dict(google.requests[-1].query)
    assert {k: v for k, v in query.items() if k.startswith("if")} == params


@pytest.mark.parametrize(
    "condition", [Condition(if_match="abc"), Condition(if_match="1", if_none_match="2")]
)
def test_conditions_that_google_has_not_are_not_sent(driver, box, google, condition):
    with pytest.raises(InvalidRequestError):
        driver.call(
            GoogleStorage.upload_object, box, body_of(b""), ObjectSpec("n", condition=condition)
        )
    assert google.requests == []


def test_a_lost_answer_is_not_taken_for_another_s_object(driver, box, google):
    google.fail_next(None, path=UPLOAD, after_work=True)

    obj = box.upload_object_via_stream(b"content", "name", if_none_match="*")

    assert (obj.size, obj.hash) == (7, MD5)
    assert [method for method, *_ in sent(google)] == ["POST", "POST", "GET"]


def test_a_lost_answer_without_a_digest_stays_in_doubt(driver, box, google):
    google.fail_next(None, path=UPLOAD, after_work=True)
    spec = ObjectSpec("name", condition=Condition(if_none_match="*"))

    with pytest.raises(OutcomeUnknownError, match="nobody can tell"):
        driver.call(GoogleStorage.upload_object, box, body_of(b"content"), spec)


# -- parts ---------------------------------------------------------------------------------------


def test_an_object_of_parts_is_there_when_it_is_completed(driver, box, google):
    content = bytes(range(256)) * 2048 + b"the end"
    upload = begun(driver, box)
    parts = [
        part(driver, upload, 1, 0, content[:KIB256]),
        part(driver, upload, 2, KIB256, content[KIB256:], is_last=True),
    ]

    assert box.list_objects() == []
    assert [(one.number, one.size) for one in parts] == [(1, KIB256), (2, KIB256 + 7)]
    assert base64.b64decode(parts[1].etag) == b"the end"
    listed = driver.call(GoogleStorage.list_parts, upload)
    assert [(one.number, one.size) for one in listed] == [(1, 2 * KIB256)]
    made = complete(driver, upload, parts)

    assert (made.name, made.size, made.meta_data) == ("big", len(content), {"owner": "me"})
    assert made.hash == hashlib.md5(content).hexdigest()
    assert b"".join(made.as_stream()) == content
    spans = [each.headers.get("content-range") for each in google.requests]
    assert [span for span in spans if span] == [
        "bytes 0-262143/*",
        "bytes 262144-524287/*",
        "bytes */*",
        "bytes 524288-524294/524295",
    ]


def test_the_address_of_a_session_is_not_shown(driver, box, google):
    upload = begun(driver, box)
    session = next(iter(google.sessions))

    assert session in upload.extra["session"]
    assert session not in repr(upload)
    assert upload.extra["session"].startswith("/upload/storage/v1/b/anysky-box/o?")


def test_errors_do_not_show_the_session(driver, box, google):
    upload = begun(driver, box)
    session = next(iter(google.sessions))
    google.fail_next(400, method="PUT", headers={"X-GUploader-UploadID": session})

    with pytest.raises(InvalidRequestError) as caught:
        driver.call(GoogleStorage.list_parts, upload)
    assert session not in str(caught.value) + repr(vars(caught.value))


def test_another_process_goes_on_with_an_upload(driver, box):
    upload = begun(driver, box)
    part(driver, upload, 1, 0, b"x" * KIB256)
    other = MultipartUpload(upload.container, "big", upload.upload_id, None, dict(upload.extra))

    there = driver.call(GoogleStorage.list_parts, other)
    last = part(driver, other, 2, KIB256, b"y", is_last=True)

    assert complete(driver, other, [*there, last]).size == KIB256 + 1


def test_bytes_that_were_not_taken_are_sent_again(driver, box, google):
    content = b"a" * KIB256 + b"b" * KIB256
    upload = begun(driver, box)
    google.fail_next(
        200,
        method="PUT",
        body=b"",
        headers={"X-HTTP-Status-Code-Override": "308", "Range": f"bytes=0-{KIB256 - 1}"},
    )
    google.sessions[next(iter(google.sessions))]["content"] = content[:KIB256]

    part(driver, upload, 1, 0, content)

    spans = [each.headers["content-range"] for each in google.requests if each.method == "PUT"]
    assert spans == ["bytes 0-524287/*", "bytes 262144-524287/*"]
    assert google.requests[-1].body == b"b" * KIB256


def test_308_means_the_same_as_the_field_that_stands_for_it(driver, box, google):
    upload = begun(driver, box)
    google.fail_next(308, method="PUT", headers={"Range": "bytes=0-262143"}, after_work=True)

    stored = part(driver, upload, 1, 0, b"x" * KIB256)

    assert (stored.size, stored.etag) == (KIB256, "")


def test_a_lost_answer_to_a_part_sends_it_again_without_harm(driver, box, google):
    upload = begun(driver, box)
    google.fail_next(None, method="PUT", after_work=True)
    first = part(driver, upload, 1, 0, b"x" * KIB256)
    last = part(driver, upload, 2, KIB256, b"end", is_last=True)
    google.fail_next(None, method="PUT", after_work=True)

    made = complete(driver, upload, [first, last])

    assert b"".join(made.as_stream()) == b"x" * KIB256 + b"end"


def test_a_gap_is_refused(driver, box):
    upload = begun(driver, box)

    with pytest.raises(ConflictError, match="has 0 bytes, not those before 262144"):
        part(driver, upload, 2, KIB256, b"x" * KIB256)


def test_an_upload_that_was_ended_is_not_found(driver, box):
    upload = begun(driver, box)
    driver.abort_multipart_upload(upload)

    with pytest.raises(NotFoundError):
        driver.call(GoogleStorage.list_parts, upload)
    with pytest.raises(NotFoundError):
        driver.abort_multipart_upload(upload)
    with pytest.raises(NotFoundError, match="it has no address"):
        driver.abort_multipart_upload(MultipartUpload(box, "big", "id"))


def test_499_says_that_an_upload_was_ended(driver, box, google):
    upload = begun(driver, box)
    google.fail_next(499, method="PUT", body=b"")

    with pytest.raises(NotFoundError, match="has been ended"):
        part(driver, upload, 1, 0, b"x" * KIB256)


def test_a_session_at_another_host_is_refused(driver, box, google):
    google.fail_next(200, body=b"", headers={"Location": "https://evil.example/upload?upload_id=1"})

    with pytest.raises(UnsafeResponseError, match="links to another host"):
        begun(driver, box)


def test_other_content_than_the_digest_says_is_deleted_again(driver, box):
    upload = begun(driver, box)
    last = part(driver, upload, 1, 0, b"content", is_last=True)
    spec = ObjectSpec("big", md5=hashlib.md5(b"other").hexdigest())

    with pytest.raises(ObjectHashMismatchError, match="other content has arrived: another md5"):
        complete(driver, upload, [last], spec)
    assert box.list_objects() == []


def test_a_condition_holds_when_the_object_is_made(driver, box):
    spec = ObjectSpec("big", condition=Condition(if_none_match="*"))
    upload = begun(driver, box, spec)
    last = part(driver, upload, 1, 0, b"parts", is_last=True)
    box.upload_object_via_stream(b"whole", "big")

    with pytest.raises(PreconditionFailedError):
        complete(driver, upload, [last], spec)
    assert b"".join(box.get_object("big").as_stream()) == b"whole"


@pytest.mark.parametrize("size", [0, 1, KIB256, KIB256 + 1, 2 * KIB256, 2 * KIB256 + 1])
@pytest.mark.parametrize("source", [bytes, io.BytesIO, lambda content: iter([content])])
def test_the_engine_uploads_in_parts(box, size, source):
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    transfer = TransferOptions(threshold=1, part_size=KIB256)

    obj = box.upload_object_via_stream(source(content), "big", transfer=transfer)

    assert (obj.size, obj.hash) == (size, hashlib.md5(content).hexdigest())
    assert b"".join(obj.as_stream()) == content


def test_a_file_goes_on_where_it_stopped(box, google, tmp_path, monkeypatch):
    monkeypatch.setenv("ANYSKY_TRANSFERS", str(tmp_path / "state"))
    content = bytes(range(251)) * 5300
    source = tmp_path / "source.bin"
    source.write_bytes(content)
    transfer = TransferOptions(threshold=1, part_size=KIB256, resume=True)
    google.fail_next(503, method="PUT", skip=2, times=4)

    with pytest.raises(PartialFailureError):
        box.upload_object(source, "big", transfer=transfer)
    first = len(google.requests)
    obj = box.upload_object(source, "big", transfer=transfer)

    assert (obj.size, obj.hash) == (len(content), hashlib.md5(content).hexdigest())
    again = google.requests[first:]
    assert sum(len(each.body) for each in again) == len(content) - 2 * KIB256
    assert len(google.sessions) == 1
