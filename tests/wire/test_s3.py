"""S3's requests and answers as data, over a transport that plays a script."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.s3_support import (
    BUCKET,
    ENDPOINT,
    KEY,
    PATH,
    Backend,
    Stream,
    answer,
    body_of,
    error,
    thing,
)

from anysky.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec
from anysky.run import run
from anysky.transport.base import Response
from anysky.wire.s3 import Site
from anysky.wire.s3_requests import upload_headers

# -- addresses and names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "bucket", "key", "address"),
    [
        (Site(ENDPOINT, "x"), "box", "", (ENDPOINT, "/box")),
        (Site(ENDPOINT, "x"), "box", KEY, (ENDPOINT, PATH)),
        (Site(ENDPOINT, "x"), "A_b/c", "k", (ENDPOINT, "/A_b%2Fc/k")),
        (Site(ENDPOINT, "x", True), "box", "", ("https://box.objects.example.com", "/")),
        (Site(ENDPOINT, "x", True), "box", "/a//b", ("https://box.objects.example.com", "//a//b")),
        (Site(ENDPOINT, "x", True), "box", "../..", ("https://box.objects.example.com", "/../..")),
        (Site(ENDPOINT, "x", True), "my.box", "k", (ENDPOINT, "/my.box/k")),
        (Site("http://local:80", "x", True), "my.box", "k", ("http://my.box.local:80", "/k")),
        (Site(ENDPOINT, "x", True), "Not-A-Host", "k", (ENDPOINT, "/Not-A-Host/k")),
        (Site(ENDPOINT, "x", True), "evil.com/", "k", (ENDPOINT, "/evil.com%2F/k")),
    ],
)
def test_address_of_a_bucket_or_object(site, bucket, key, address):
    assert site.address(bucket, key) == address


@pytest.mark.parametrize(
    "name", ["", "ab", "A-b-c", "a_b_c", "-abc", "abc-", "a..b", "10.0.0.1", "a" * 64]
)
def test_name_that_no_bucket_can_have_is_not_sent(name):
    backend = Backend()

    with pytest.raises(InvalidContainerNameError, match="cannot be the name of a container"):
        run(backend.create_container(name, None))

    assert backend.script.sent == []


@pytest.mark.parametrize("key", ["", "é" * 513, "\ud800"])
def test_key_that_no_object_can_have_is_not_sent(key):
    backend = Backend()

    for call in (
        backend.get_object("box", key),
        backend.delete_object(thing(key)),
        backend.open_object(thing(key), None, None),
        backend.upload_object(BUCKET, body_of(length=0), ObjectSpec(key)),
        backend.copy_object(thing(), BUCKET, key),
        backend.copy_object(thing(key), BUCKET, "copy"),
        backend.presign(BUCKET, key),
    ):
        with pytest.raises(InvalidRequestError):
            run(call)

    assert backend.script.sent == []


def test_bucket_without_a_name_is_not_sent():
    backend = Backend()

    with pytest.raises(InvalidContainerNameError):
        run(backend.delete_container(Container("")))

    assert backend.script.sent == []


# -- containers ------------------------------------------------------------------------------------


def test_list_containers_by_pages():
    page = """<?xml version="1.0" encoding="UTF-8"?>
<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets>
  <Bucket><Name>{0}</Name><CreationDate>2026-03-04T05:06:07.000Z</CreationDate>{1}</Bucket>
</Buckets><Owner><ID>x</ID></Owner>{2}</ListAllMyBucketsResult>"""
    backend = Backend(
        answer(
            body=page.format(
                "box",
                "<BucketRegion>eu-west-1</BucketRegion>",
                "<ContinuationToken>t+/=</ContinuationToken>",
            )
        ),
        answer(body=page.format("other", "", "")),
    )

    first = run(backend.list_containers(None))
    second = run(backend.list_containers(first.cursor))

    created = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert (first.items, first.cursor) == ([Container("box")], "t+/=")
    assert first.items[0].extra == {"creation_date": created, "region": "eu-west-1"}
    assert (second.items, second.cursor) == ([Container("other")], None)
    assert second.items[0].extra == {"creation_date": created}
    assert backend.lines == [
        "GET /?max-buckets=1000",
        "GET /?max-buckets=1000&continuation-token=t%2B%2F%3D",
    ]


@pytest.mark.parametrize(
    ("region", "location", "sent"),
    [
        ("us-east-1", None, None),
        ("auto", None, None),
        ("eu-west-1", None, "eu-west-1"),
        ("us-east-1", "eu-west-1", "eu-west-1"),
        ("eu-west-1", "us-east-1", None),
    ],
)
def test_create_container_names_the_region(region, location, sent):
    backend = Backend(answer(), region=region)

    made = run(backend.create_container("box", location))

    assert (made, made.extra) == (BUCKET, {"region": location or region})
    assert backend.lines == ["PUT /box"]
    assert backend.script.bodies[0].decode() == (
        '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<LocationConstraint>{sent}</LocationConstraint></CreateBucketConfiguration>"
        if sent
        else ""
    )


def test_create_container_where_the_region_is_for_signatures_only():
    backend = Backend(error("InvalidLocationConstraint"), answer(), region="somewhere")

    made = run(backend.create_container("box", None))

    assert (made, made.extra) == (BUCKET, {})
    assert backend.script.bodies[1] == b""


@pytest.mark.parametrize("look", [answer(404), error("AccessDenied", 403), answer()])
def test_container_that_the_service_would_make_twice_is_looked_for(look):
    class Remaking(Backend):
        remakes_buckets = True

    backend = Remaking(look, answer())

    if look.status == 200:
        with pytest.raises(ContainerAlreadyExistsError):
            run(backend.create_container("box", None))
    else:
        assert run(backend.create_container("box", None)) == BUCKET

    assert backend.lines == ["HEAD /box", "PUT /box"][: 1 + (look.status != 200)]


def test_container_that_a_lost_answer_had_made_is_made():
    retried = error("BucketAlreadyOwnedByYou", 409)
    retried.attempts = 2

    assert run(Backend(retried).create_container("box", None)) == BUCKET
    with pytest.raises(ContainerAlreadyExistsError):
        run(Backend(error("BucketAlreadyOwnedByYou", 409)).create_container("box", None))


def test_container_that_a_lost_answer_had_deleted_is_deleted():
    retried = error("NoSuchBucket", 404)
    retried.attempts = 2

    run(Backend(retried).delete_container(BUCKET))

    with pytest.raises(ContainerDoesNotExistError):
        run(Backend(error("NoSuchBucket", 404)).delete_container(BUCKET))


# -- objects ---------------------------------------------------------------------------------------

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>box</Name>
<IsTruncated>{0}</IsTruncated>{1}<EncodingType>{2}</EncodingType>
<Contents><Key>{3}</Key><LastModified>2026-03-04T05:06:07.000Z</LastModified>
<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>10</Size>
<StorageClass>GLACIER</StorageClass></Contents></ListBucketResult>"""


def test_list_objects_by_pages_and_decode_their_keys():
    backend = Backend(
        answer(
            body=LISTING.format(
                "true",
                "<NextContinuationToken>1/=</NextContinuationToken>",
                "url",
                "a+b/%C3%A9%2B%2520%0A",
            )
        ),
        answer(
            body=LISTING.format(
                "false", "<NextContinuationToken>9</NextContinuationToken>", "", "a+b%20"
            )
        ),
    )

    first = run(backend.list_container_objects(BUCKET, "a b/", None))
    second = run(backend.list_container_objects(BUCKET, "a b/", first.cursor))

    digest = "d41d8cd98f00b204e9800998ecf8427e"
    assert first.items == [Object("a b/é+%20\n", 10, digest, {}, {}, BUCKET)]
    assert first.items[0].extra == {
        "last_modified": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "etag": f'"{digest}"',
        "storage_class": "GLACIER",
    }
    assert [item.name for item in second.items] == ["a+b%20"]
    assert (first.cursor, second.cursor) == ("1/=", None)
    line = "GET /box?list-type=2&max-keys=1000&encoding-type=url&prefix=a%20b%2F"
    assert backend.lines == [line, f"{line}&continuation-token=1%2F%3D"]


@pytest.mark.parametrize(
    "body",
    [
        LISTING.format("true", "", "url", "a"),
        "<html><body>Welcome</body></html>",
        "<Error><Code>InternalError</Code></Error>",
        "",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
    ],
)
def test_list_that_is_not_whole_is_an_error(body):
    with pytest.raises(MalformedResponseError):
        run(Backend(answer(body=body)).list_container_objects(BUCKET, None, None))


def test_get_object_reads_the_header_fields():
    backend = Backend(
        answer(
            content_length="12",
            content_type="text/plain",
            etag='"0123"',
            last_modified="Wed, 04 Mar 2026 05:06:07 GMT",
            x_amz_meta_colour="blue",
            x_amz_meta_city="=?UTF-8?B?WsO8cmljaA==?=",
            x_amz_meta_odd="=?nonsense?=",
            x_amz_version_id="v1",
            x_amz_storage_class="GLACIER",
            server="AmazonS3",
        )
    )

    found = run(backend.get_object("box", KEY))

    meta = {"colour": "blue", "city": "Zürich", "odd": "=?nonsense?="}
    assert found == Object(KEY, 12, "0123", {}, meta, BUCKET)
    assert found.extra == {
        "content_type": "text/plain",
        "etag": '"0123"',
        "last_modified": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "storage_class": "GLACIER",
        "version_id": "v1",
    }
    assert backend.lines == [f"HEAD {PATH}"]


@pytest.mark.parametrize("length", ["", "-1", "1, 1", "x"])
def test_object_of_unknown_length_is_malformed(length):
    with pytest.raises(MalformedResponseError, match="how long"):
        run(Backend(answer(content_length=length)).get_object("box", KEY))


def test_missing_object_and_missing_bucket_are_told_apart():
    with pytest.raises(ObjectDoesNotExistError, match="there is no 'k' in 'box'"):
        run(Backend(answer(404), answer()).get_object("box", "k"))
    with pytest.raises(ObjectDoesNotExistError):
        run(Backend(answer(404), answer(403)).get_object("box", "k"))
    with pytest.raises(ContainerDoesNotExistError, match="there is no 'box'"):
        run(Backend(answer(404), answer(404)).get_object("box", "k"))


def test_copy_object():
    body = """<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<LastModified>2026-03-04T05:06:07.000Z</LastModified><ETag>"0123"</ETag></CopyObjectResult>"""
    backend = Backend(answer(body=body, content_type="application/xml", x_amz_version_id="v2"))

    copy = run(backend.copy_object(thing(content_type="text/x"), Container("other"), "c"))

    assert copy == Object("c", 10, "0123", {}, {}, Container("other"))
    assert copy.extra == {
        "content_type": "text/x",
        "etag": '"0123"',
        "last_modified": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "version_id": "v2",
    }
    assert backend.lines == ["PUT /other/c"]
    assert backend.script.sent[0].headers == {"x-amz-copy-source": PATH[1:]}


def test_error_in_a_good_answer_is_tried_again_and_then_raised():
    body = " \n<Error><Code>{}</Code><Message>Later.</Message></Error>"
    good = '<CopyObjectResult><ETag>"0123"</ETag></CopyObjectResult>'
    passing = Backend(answer(body=body.format("SlowDown")), answer(body=good))
    lasting = Backend(*[answer(body=body.format("InternalError"))] * 3)
    final = Backend(answer(body=body.format("AccessDenied")))

    assert run(passing.copy_object(thing(), BUCKET, "c")).hash == "0123"
    with pytest.raises(ProviderUnavailableError, match="Later"):
        run(lasting.copy_object(thing(), BUCKET, "c"))
    with pytest.raises(PermissionDeniedError):
        run(final.copy_object(thing(), BUCKET, "c"))
    assert (passing.runtime.waits, lasting.runtime.waits) == ([1.0], [1.0, 2.0])


def test_tags():
    body = """<Tagging><TagSet><Tag><Key>a</Key><Value>b &amp; c</Value></Tag></TagSet></Tagging>"""
    backend = Backend(answer(body=body), answer())

    assert run(backend.get_object_tags(thing())) == {"a": "b & c"}
    run(backend.set_object_tags(thing(), {"a": "b & c"}))

    assert backend.lines == [f"GET {PATH}?tagging=", f"PUT {PATH}?tagging="]
    assert backend.script.bodies[1].decode() == (
        '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key>'
        "<Value>b &amp; c</Value></Tag></TagSet></Tagging>"
    )


# -- reading ---------------------------------------------------------------------------------------


def read_all(backend, start=None, end=None):
    stream = run(backend.open_object(thing(), start, end))
    pieces = []
    while piece := run(stream.read(100)):
        pieces.append(piece)
    run(stream.close())
    return b"".join(pieces)


def content(*pieces, status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, stream=Stream(*pieces))


@pytest.mark.parametrize(
    ("start", "end", "field", "span"),
    [
        (0, 4, "bytes=0-3", "bytes 0-3/10"),
        (3, None, "bytes=3-", "bytes 3-9/10"),
        (8, 100, "bytes=8-99", "bytes 8-9/10"),
        (None, 4, "bytes=0-3", "bytes 0-3/*"),
    ],
)
def test_range(start, end, field, span):
    first, last = (int(part) for part in span.split(" ")[1].split("/")[0].split("-"))
    expected = b"0123456789"[first : last + 1]
    backend = Backend(content(expected, status=206, content_range=span))

    assert read_all(backend, start, end) == expected
    assert backend.lines == [f"GET {PATH}"]
    assert backend.script.sent[0].headers == {"range": field}


@pytest.mark.parametrize(("start", "end"), [(None, None), (0, None)])
def test_whole_object_is_asked_for_without_a_range(start, end):
    backend = Backend(content(b"01234", b"56789", content_length="10"))

    assert read_all(backend, start, end) == b"0123456789"
    assert backend.script.sent[0].headers == {}


def test_empty_range_is_not_asked_for():
    assert read_all(Backend(), 3, 3) == b""


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4), (None, -1)])
def test_range_that_cannot_be(start, end):
    with pytest.raises(InvalidRequestError, match="no range"):
        run(Backend().open_object(thing(), start, end))


def test_range_beyond_the_end():
    backend = Backend(error("InvalidRange", 416))

    with pytest.raises(InvalidRequestError, match="ends before byte 10"):
        run(backend.open_object(thing(), 10, 20))


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"content_length": "10"}),
        (206, {}),
        (206, {"content_range": "bytes 0-3/10"}),
        (206, {"content_range": "bytes 2-4/10"}),
        (206, {"content_range": "bytes 2-9/10"}),
        (206, {"content_range": "items 2-3/10"}),
        (206, {"content_range": "bytes 2-x/10"}),
        (206, {"content_range": "bytes 2-3/10", "content_length": "3"}),
    ],
)
def test_answer_that_is_not_the_range_asked_for(status, headers):
    backend = Backend(content(b"0123456789", status=status, **headers))
    stream = backend.script.answers[0].stream

    with pytest.raises(MalformedResponseError):
        run(backend.open_object(thing(), 2, 4))

    assert stream.closed


def test_part_in_place_of_the_whole():
    with pytest.raises(MalformedResponseError, match="in place of the whole"):
        run(Backend(content(b"0", status=206)).open_object(thing(), None, None))


def test_content_that_is_shorter_or_longer_than_announced():
    with pytest.raises(ConnectionFailedError, match="ended 2 bytes early"):
        read_all(Backend(content(b"01234567", content_length="10")))
    with pytest.raises(MalformedResponseError, match="more bytes"):
        read_all(Backend(content(b"0123456789", b"0", content_length="10")))
    with pytest.raises(ConnectionFailedError, match="ended 1 bytes early"):
        read_all(Backend(content(b"0", status=206, content_range="bytes 2-3/10")), 2, 4)


# -- uploads ---------------------------------------------------------------------------------------


def test_upload_of_known_length_is_one_request():
    digest = md5(b"0123456789").hexdigest()
    backend = Backend(answer(etag=f'"{digest}"', x_amz_version_id="v1", content_type="text/html"))
    spec = ObjectSpec(
        KEY,
        content_type="text/plain",
        meta_data={"Colour": "blue", "city": "Zürich", "edge": " x"},
        acl="public-read",
        headers={"Cache-Control": "no-store", "Content-Type": "text/x"},
        md5=digest,
        options={"ex_storage_class": "STANDARD_IA"},
    )

    stored = run(backend.upload_object(BUCKET, body_of(b"01234", b"56789", length=10), spec))

    assert stored == Object(KEY, 10, digest, {}, dict(spec.meta_data), BUCKET)
    assert stored.extra == {
        "checksums": {"md5": digest},
        "content_type": "text/plain",
        "etag": f'"{digest}"',
        "version_id": "v1",
    }
    assert backend.lines == [f"PUT {PATH}"]
    assert backend.script.bodies == [b"0123456789"]
    assert backend.script.sent[0].headers == {
        "cache-control": "no-store",
        "content-md5": "eB5eJF1ptWaXm4bijSPyxw==",
        "content-type": "text/x",
        "x-amz-acl": "public-read",
        "x-amz-meta-city": "=?UTF-8?B?WsO8cmljaA==?=",
        "x-amz-meta-colour": "blue",
        "x-amz-meta-edge": "=?UTF-8?B?IHg=?=",
        "x-amz-storage-class": "STANDARD_IA",
    }


@pytest.mark.parametrize("name", ["", "é", "a b", "a:b", "a\r\nb"])
def test_metadata_that_no_header_field_can_name(name):
    with pytest.raises(InvalidRequestError, match="metadata cannot be named"):
        upload_headers(ObjectSpec("k", meta_data={name: "x"}))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_metadata_comes_back_as_it_was(value):
    sent = upload_headers(ObjectSpec("k", meta_data={"m": value}))["x-amz-meta-m"]

    assert sent.isascii()
    assert sent.isprintable()
    found = run(Backend(answer(content_length="0", x_amz_meta_m=sent)).get_object("box", "k"))
    assert found.meta_data == {"m": value}


@pytest.mark.parametrize("length", [None, 5 * 1024**3 + 1])
def test_what_one_request_does_not_take_is_not_sent(length):
    with pytest.raises(InvalidRequestError, match="5 GiB"):
        run(Backend().upload_object(BUCKET, body_of(b"0", length=length), ObjectSpec("k")))


def test_etag_that_is_no_digest_is_not_taken_for_one():
    encrypted = answer(etag=f'"{"0" * 32}"', x_amz_server_side_encryption="aws:kms")

    stored = run(Backend(encrypted).upload_object(BUCKET, body_of(length=0), ObjectSpec("k")))

    assert (stored.hash, stored.extra["etag"]) == (None, f'"{"0" * 32}"')


def test_multipart_uploads_are_listed_and_aborted():
    page = """<ListMultipartUploadsResult><IsTruncated>{0}</IsTruncated>
<EncodingType>url</EncodingType><NextKeyMarker>{1}</NextKeyMarker>
<NextUploadIdMarker>{2}</NextUploadIdMarker><Upload><Key>{1}</Key><UploadId>{2}</UploadId>
<Initiated>2026-03-04T05:06:07.000Z</Initiated></Upload></ListMultipartUploadsResult>"""
    backend = Backend(
        answer(body=page.format("true", "a+b%2B", "u1")),
        answer(body=page.format("false", "c", "u2")),
        answer(204),
        answer(204),
        checksums=("crc32", "md5"),
    )

    ended = run(backend.cleanup_all_multipart_uploads(BUCKET, "p"))

    assert ended == 2
    assert backend.lines == [
        "GET /box?uploads=&prefix=p&encoding-type=url",
        "GET /box?uploads=&prefix=p&encoding-type=url&key-marker=a%20b%2B&upload-id-marker=u1",
        "DELETE /box/a%20b%2B?uploadId=u1",
        "DELETE /box/c?uploadId=u2",
    ]


def test_multipart_uploads_that_go_round_in_circles():
    body = """<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a
</NextKeyMarker><Upload><Key>a</Key><UploadId>u</UploadId></Upload></ListMultipartUploadsResult>"""
    backend = Backend(answer(body=body), answer(body=body))

    with pytest.raises(MalformedResponseError, match="next page is this one"):
        run(backend.cleanup_all_multipart_uploads(BUCKET))


def test_multipart_upload_that_is_listed():
    body = """<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>u</UploadId>
<Initiated>2026-03-04T05:06:07Z</Initiated></Upload></ListMultipartUploadsResult>"""

    found = run(Backend(answer(body=body)).list_multipart_uploads(BUCKET, None, None)).items

    begun = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert found == [MultipartUpload(BUCKET, "a", "u", begun)]


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", PermissionDeniedError),
        (403, "InvalidAccessKeyId", AuthenticationError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (400, "ExpiredToken", AuthenticationError),
        (404, "NoSuchBucket", ContainerDoesNotExistError),
        (404, "NoSuchKey", ObjectDoesNotExistError),
        (409, "BucketAlreadyExists", ContainerAlreadyExistsError),
        (409, "BucketNotEmpty", ContainerIsNotEmptyError),
        (409, "OperationAborted", ConflictError),
        (412, "PreconditionFailed", PreconditionFailedError),
        (400, "BadDigest", ObjectHashMismatchError),
        (400, "InvalidBucketName", InvalidContainerNameError),
        (400, "TooManyBuckets", QuotaExceededError),
        (400, "EntityTooLarge", InvalidRequestError),
        (501, "NotImplemented", UnsupportedOperationError),
        (503, "SlowDown", RateLimitedError),
        (503, "ServiceUnavailable", ProviderUnavailableError),
        (500, "SomethingNew", ProviderUnavailableError),
    ],
)
def test_errors_by_code(status, code, kind):
    backend = Backend(error(code, status, x_amz_request_id="R1"))

    with pytest.raises(kind) as caught:
        run(backend.delete_object(thing()))

    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.code) == ("Told so.", code)
    assert (caught.value.status, caught.value.request_id) == (status, "R1")


def test_error_that_says_nothing_names_what_was_asked_for():
    with pytest.raises(PermissionDeniedError, match="refused the request for 'k' in 'box'"):
        run(Backend(answer(403)).delete_object(thing("k")))
    with pytest.raises(ContainerIsNotEmptyError, match="BucketNotEmpty for 'box'"):
        run(Backend(error("BucketNotEmpty", 409, "")).delete_container(BUCKET))


def test_page_in_place_of_an_error():
    with pytest.raises(ProviderUnavailableError):
        run(Backend(answer(502, "<html><h1>Bad Gateway</h1></html>")).delete_object(thing()))


def redirect(status, body="", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return UnsafeResponseError("elsewhere", status=status, headers=named, body=body.encode())


@pytest.mark.parametrize(
    "refusal",
    [
        redirect(301, x_amz_bucket_region="eu-west-1"),
        redirect(
            301,
            "<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>",
        ),
        redirect(
            307, "<Error><Code>TemporaryRedirect</Code></Error>", x_amz_bucket_region="eu-west-1"
        ),
        error("IllegalLocationConstraintException", x_amz_bucket_region="eu-west-1"),
    ],
)
def test_bucket_in_another_region_is_named(refusal):
    with pytest.raises(InvalidRequestError, match=r"in the region 'eu-west-1', .* 'us-east-1'"):
        run(Backend(refusal).get_container("box"))


def test_redirect_to_nowhere_known_is_refused_as_such():
    with pytest.raises(UnsafeResponseError, match="elsewhere"):
        run(Backend(redirect(302, "<html>")).get_container("box"))
