"""Objects of S3 in parts: each step by itself."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import md5
from zlib import crc32

import pytest
from tests.wire.s3_support import BUCKET, Backend, Script, answer, error

from anysky.errors import (
    ContainerDoesNotExistError,
    MalformedResponseError,
    NotFoundError,
    ObjectHashMismatchError,
    PermissionDeniedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from anysky.model.storage import Condition, MultipartUpload, ObjectSpec, Part
from anysky.run import run
from anysky.transfer.sources import memory_body

CURRENT = ("crc32", "sha256", "md5")
BEGUN = answer(
    body="<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>"
)
COMPLETED = answer(
    body='<CompleteMultipartUploadResult><ETag>"all-2"</ETag></CompleteMultipartUploadResult>'
)
UPLOAD = MultipartUpload(BUCKET, "k", "u/1")
CHECKED = MultipartUpload(BUCKET, "k", "u/1", None, {"checksum": "crc32"})
SPEC = ObjectSpec("k", "text/x", {"m": "1"})
CONTENT = b"0123456789"
MD5 = md5(CONTENT).hexdigest()
CRC32 = f"{crc32(CONTENT):08x}"
CRC32_BASE64 = b64encode(bytes.fromhex(CRC32)).decode()
PARTS = [Part(1, 5, '"a"', {"crc32": "00000001"}), Part(2, 3, '"b"', {"crc32": "00000002"})]


def sent(backend):
    return dict(backend.script.sent[-1].headers)


def upload_part(backend, upload=UPLOAD, **checksums):
    return run(
        backend.upload_part(
            upload, 2, 5, memory_body([memoryview(CONTENT)]), is_last=True, checksums=checksums
        )
    )


def test_an_upload_is_begun_with_all_that_describes_the_object():
    backend = Backend(BEGUN)
    spec = ObjectSpec(
        "k",
        "text/x",
        {"m": "1"},
        storage_class="STANDARD_IA",
        tags={"a": "b c", "d": "e"},
        condition=Condition(if_none_match="*"),
    )

    upload = run(backend.begin_multipart_upload(BUCKET, spec))

    assert (upload, upload.extra) == (UPLOAD, {})
    assert backend.lines == ["POST /box/k?uploads="]
    assert sent(backend) == {
        "content-type": "text/x",
        "x-amz-meta-m": "1",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-tagging": "a=b%20c&d=e",
    }


@pytest.mark.parametrize(
    ("known", "checksums", "agreed"),
    [
        (CURRENT, {}, "crc32"),
        (("crc32c", *CURRENT), {}, "crc32c"),
        (("crc32c", *CURRENT), {"crc32": CRC32}, "crc32"),
        (("sha256", "md5"), {}, ""),
    ],
)
def test_all_parts_have_the_digest_that_was_agreed_on(known, checksums, agreed):
    backend = Backend(BEGUN, checksums=known)

    upload = run(backend.begin_multipart_upload(BUCKET, ObjectSpec("k", checksums=checksums)))

    assert upload.extra == ({"checksum": agreed} if agreed else {})
    assert backend.lines == ["POST /box/k?uploads="]
    assert sent(backend).get("x-amz-checksum-algorithm", "") == agreed.upper()
    assert sent(backend).get("x-amz-checksum-type") == ("FULL_OBJECT" if agreed else None)


def test_an_upload_without_an_id_is_malformed():
    nameless = answer(body="<InitiateMultipartUploadResult/>")

    with pytest.raises(MalformedResponseError, match="without giving its id"):
        run(Backend(nameless).begin_multipart_upload(BUCKET, SPEC))


def test_an_upload_to_no_bucket():
    with pytest.raises(ContainerDoesNotExistError):
        run(Backend(error("NoSuchBucket", 404)).begin_multipart_upload(BUCKET, SPEC))


def test_a_part_has_the_md5_that_is_known():
    backend = Backend(answer(etag=f'"{MD5}"'))

    part = upload_part(backend, md5=MD5)

    assert part == Part(2, 10, f'"{MD5}"', {"md5": MD5})
    assert backend.lines == ["PUT /box/k?partNumber=2&uploadId=u%2F1"]
    assert sent(backend) == {"content-md5": b64encode(bytes.fromhex(MD5)).decode()}
    assert backend.script.bodies == [CONTENT]


@pytest.mark.parametrize("given", [{}, {"crc32": CRC32}, {"sha256": "0" * 64}])
def test_a_part_has_the_agreed_digest_whatever_is_known(given):
    backend = Backend(answer(etag='"x"', x_amz_checksum_crc32=CRC32_BASE64), checksums=CURRENT)

    part = upload_part(backend, CHECKED, **given)

    assert (part.etag, part.checksums["crc32"]) == ('"x"', CRC32)
    assert backend.lines
    assert sent(backend) == {"x-amz-checksum-crc32": CRC32_BASE64}


@pytest.mark.parametrize(
    "told", [{"etag": f'"{"0" * 32}"'}, {"etag": '"x"', "x_amz_checksum_crc32": "AAAAAA=="}]
)
def test_a_part_that_arrived_with_other_bytes(told):
    with pytest.raises(ObjectHashMismatchError, match=r"part 2 was sent with the .* arrived"):
        upload_part(Backend(answer(**told)), CHECKED, md5=MD5, crc32=CRC32)


def test_a_part_that_the_provider_refuses_as_damaged():
    with pytest.raises(ObjectHashMismatchError):
        upload_part(Backend(error("BadDigest")), md5=MD5)


def test_an_etag_of_encrypted_content_is_not_compared():
    encrypted = answer(etag=f'"{"0" * 32}"', x_amz_server_side_encryption="aws:kms")

    assert upload_part(Backend(encrypted), md5=MD5).checksums == {"md5": MD5}


def test_a_part_without_an_etag_is_malformed():
    with pytest.raises(MalformedResponseError, match="the answer to part 2 has no ETag"):
        upload_part(Backend(answer()))


def test_a_part_that_is_sent_twice_replaces_itself():
    backend = Backend(answer(etag='"x"', status=200), answer(etag='"x"'))

    assert upload_part(backend) == upload_part(backend)
    assert backend.lines[0] == backend.lines[1]


def test_a_part_of_an_upload_that_has_ended():
    with pytest.raises(NotFoundError):
        upload_part(Backend(error("NoSuchUpload", 404)))


def test_parts_are_listed_by_pages():
    page = """<ListPartsResult><IsTruncated>{0}</IsTruncated>
<NextPartNumberMarker>{1}</NextPartNumberMarker><Part><PartNumber>{1}</PartNumber>
<Size>5</Size><ETag>"{2}"</ETag>{3}</Part></ListPartsResult>"""
    checked = f"<ChecksumCRC32>{CRC32_BASE64}</ChecksumCRC32>"
    backend = Backend(
        answer(body=page.format("true", 1, MD5, checked)),
        answer(body=page.format("false", 7, "x", "")),
    )

    found = run(backend.list_parts(UPLOAD))

    assert found == [Part(1, 5, f'"{MD5}"', {"crc32": CRC32, "md5": MD5}), Part(7, 5, '"x"', {})]
    assert backend.lines == [
        "GET /box/k?uploadId=u%2F1&max-parts=1000",
        "GET /box/k?uploadId=u%2F1&max-parts=1000&part-number-marker=1",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "<IsTruncated>true</IsTruncated>",
        "<Part><Size>5</Size><ETag>x</ETag></Part>",
        "<Part><PartNumber>x</PartNumber><Size>5</Size></Part>",
    ],
)
def test_a_list_of_parts_that_cannot_be(body):
    with pytest.raises(MalformedResponseError):
        run(Backend(answer(body=f"<ListPartsResult>{body}</ListPartsResult>")).list_parts(UPLOAD))


def test_parts_are_put_together_in_their_order():
    backend = Backend(COMPLETED)

    stored = run(backend.complete_multipart_upload(UPLOAD, PARTS[::-1], SPEC))

    assert (stored.name, stored.size, stored.hash) == ("k", 8, "all-2")
    assert stored.meta_data == {"m": "1"}
    assert stored.extra == {"content_type": "text/x", "etag": '"all-2"'}
    assert backend.lines == ["POST /box/k?uploadId=u%2F1"]
    assert backend.script.bodies[0].decode() == (
        '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>&quot;b&quot;</ETag></Part>"
        "</CompleteMultipartUpload>"
    )


def test_the_digest_of_the_whole_is_checked_where_the_provider_does():
    body = f"""<CompleteMultipartUploadResult><ETag>"all-2"</ETag>
<ChecksumCRC32>{CRC32_BASE64}</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType>
</CompleteMultipartUploadResult>"""
    backend = Backend(answer(body=body), checksums=CURRENT)
    spec = ObjectSpec("k", checksums={"crc32": CRC32}, condition=Condition(if_match='"e"'))

    stored = run(backend.complete_multipart_upload(CHECKED, PARTS, spec))

    assert stored.extra["checksums"] == {"crc32": CRC32}
    assert backend.lines
    assert sent(backend) == {
        "if-match": '"e"',
        "x-amz-checksum-crc32": CRC32_BASE64,
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    assert "<ChecksumCRC32>AAAAAQ==</ChecksumCRC32></Part>" in backend.script.bodies[0].decode()


def test_an_error_in_the_good_answer_to_completing():
    failed = " \n<Error><Code>InternalError</Code><Message>Later.</Message></Error>"
    refused = "<Error><Code>AccessDenied</Code></Error>"
    backend = Backend(answer(body=failed), COMPLETED)

    assert run(backend.complete_multipart_upload(UPLOAD, PARTS, SPEC)).hash == "all-2"
    with pytest.raises(PermissionDeniedError):
        run(Backend(answer(body=refused)).complete_multipart_upload(UPLOAD, PARTS, SPEC))


def test_a_whole_that_is_not_what_was_sent():
    backend = Backend(error("BadDigest"), checksums=CURRENT)

    with pytest.raises(ObjectHashMismatchError):
        run(backend.complete_multipart_upload(CHECKED, PARTS, SPEC))


GONE = error("NoSuchUpload", 404)
GONE.attempts = 2


def test_completing_whose_answer_was_lost_is_found():
    parts = [Part(1, 4, f'"{md5(b"0123").hexdigest()}"'), Part(2, 1, f'"{md5(b"4").hexdigest()}"')]
    digest = md5(md5(b"0123").digest() + md5(b"4").digest()).hexdigest()
    found = Backend(GONE, answer(content_length="5", etag=f'"{digest}-2"'))
    lost = Backend(GONE, answer(content_length="5", etag='"somebody-elses"'))

    stored = run(found.complete_multipart_upload(UPLOAD, parts, SPEC))
    with pytest.raises(NotFoundError):
        run(lost.complete_multipart_upload(UPLOAD, parts, SPEC))

    assert (stored.size, stored.hash) == (5, f"{digest}-2")


HEAD = answer(content_length="1", etag='"e"')


@pytest.mark.parametrize(
    ("condition", "there", "is_met"),
    [
        (Condition(if_none_match="*"), HEAD, False),
        (Condition(if_none_match="*"), error("", 404), True),
        (Condition(if_none_match='"e"'), HEAD, False),
        (Condition(if_none_match='"other"'), HEAD, True),
        (Condition(if_match='"e"'), HEAD, True),
        (Condition(if_match='"other"'), HEAD, False),
        (Condition(if_match='"e"'), error("", 404), False),
    ],
)
def test_conditions_are_looked_at_before_completing_where_the_provider_may_not(
    condition, there, is_met
):
    looks = [there] if there is HEAD else [there, answer()]
    backend = Backend(*looks, COMPLETED)
    spec = ObjectSpec("k", condition=condition)

    if is_met:
        run(backend.complete_multipart_upload(UPLOAD, PARTS, spec))
    else:
        with pytest.raises(PreconditionFailedError):
            run(backend.complete_multipart_upload(UPLOAD, PARTS, spec))

    assert backend.lines[0] == "HEAD /box/k"
    assert len(backend.lines) == len(looks) + is_met


def test_tags_are_set_afterwards_where_the_provider_may_lose_them():
    old, current = Backend(COMPLETED, answer()), Backend(COMPLETED, checksums=CURRENT)
    spec = ObjectSpec("k", tags={"a": "b"})

    for backend in (old, current):
        run(backend.complete_multipart_upload(UPLOAD, PARTS, spec))

    assert old.lines == ["POST /box/k?uploadId=u%2F1", "PUT /box/k?tagging="]
    assert current.lines == ["POST /box/k?uploadId=u%2F1"]


def test_a_customers_key_goes_with_each_step_and_is_not_written_down():
    key = {"x-amz-server-side-encryption-customer-key": "c2VjcmV0"}
    backend = Backend(BEGUN, answer(etag='"x"'), COMPLETED, answer(etag='"x"'))
    spec = ObjectSpec("k", headers={**key, "Cache-Control": "no-store"})

    upload = run(backend.begin_multipart_upload(BUCKET, spec))
    upload_part(backend, upload)
    run(backend.complete_multipart_upload(upload, PARTS, spec))
    upload_part(backend, upload)

    assert "c2VjcmV0" not in str(upload.extra)
    assert [dict(request.headers) for request in backend.script.sent] == [
        {"content-type": "application/octet-stream", "cache-control": "no-store", **key},
        key,
        key,
        {},
    ]


def test_an_upload_is_ended():
    gone = error("NoSuchUpload", 404)
    backend = Backend(answer(204), GONE, gone)

    run(backend.abort_multipart_upload(UPLOAD))
    run(backend.abort_multipart_upload(UPLOAD))  # an earlier try, whose answer was lost, ended it
    with pytest.raises(NotFoundError):
        run(backend.abort_multipart_upload(UPLOAD))

    assert backend.lines == ["DELETE /box/k?uploadId=u%2F1"] * 3


def test_an_upload_that_is_listed_can_be_gone_on_with():
    body = """<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>a+b</Key>
<UploadId>u</UploadId><Initiated>2026-03-04T05:06:07Z</Initiated>
<ChecksumAlgorithm>CRC32</ChecksumAlgorithm></Upload></ListMultipartUploadsResult>"""

    found = run(Backend(answer(body=body)).list_multipart_uploads(BUCKET, None, None))

    begun = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert found.items == [MultipartUpload(BUCKET, "a b", "u", begun)]
    assert (found.items[0].extra, found.cursor) == ({"checksum": "crc32"}, None)


def test_an_upload_with_tags_where_there_are_none():
    class Untagged(Backend):
        @classmethod
        def supports(cls, operation):
            return operation != "set_object_tags" and super().supports(operation)

    backend = Untagged()

    with pytest.raises(UnsupportedOperationError, match="no tags"):
        run(backend.begin_multipart_upload(BUCKET, ObjectSpec("k", tags={"a": "b"})))
    assert isinstance(backend.script, Script)
    assert backend.script.sent == []
