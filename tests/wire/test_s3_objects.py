"""Conditions, versions, folders, deletes of many objects and presigned requests of S3, as data."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import md5, sha256
from zlib import crc32

import pytest
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
    ConflictError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
)
from anysky.model.storage import Condition, Object, ObjectSpec, ObjectVersion, Prefix
from anysky.run import run
from anysky.transfer.sources import memory_body
from anysky.transport.base import Body

CURRENT = ("crc32", "sha256", "md5")
CONTENT = b"0123456789"
MD5 = md5(CONTENT).hexdigest()
CRC32 = f"{crc32(CONTENT):08x}"
CRC32_BASE64 = b64encode(bytes.fromhex(CRC32)).decode()
SHA256 = sha256(CONTENT).hexdigest()
SHA256_BASE64 = b64encode(bytes.fromhex(SHA256)).decode()
FAILED = error("PreconditionFailed", 412)


def lost(*answers):
    """The same answers to a request that was sent twice, because the first answer was lost."""
    for one in answers:
        one.attempts = 2
    return answers


def put(backend, condition=None, body=None, **spec):
    given = ObjectSpec("k", condition=condition, **spec)
    return run(backend.upload_object(BUCKET, body or memory_body([memoryview(CONTENT)]), given))


def version(name=KEY, version_id="v1", *, is_latest=False, is_delete_marker=False, size=10):
    return ObjectVersion(name, size, None, {}, {}, BUCKET, version_id, is_latest, is_delete_marker)


# -- conditions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "headers"),
    [
        (Condition(if_match='"e"'), {"if-match": '"e"'}),
        (Condition(if_none_match="*"), {"if-none-match": "*"}),
        (Condition('"e"', '"f"'), {"if-match": '"e"', "if-none-match": '"f"'}),
        (Condition(), {}),
    ],
)
def test_conditions_are_header_fields(condition, headers):
    backend = Backend(answer(etag='"x"'), answer(etag='"x"', content_length="0"))
    backend.script.answers[1].stream = Stream()

    put(backend, condition)
    run(backend.open_object(thing(), None, None, condition))

    assert backend.lines == ["PUT /box/k", f"GET {PATH}"]
    assert backend.script.sent[0].headers == {
        "content-type": "application/octet-stream",
        **headers,
    }
    assert backend.script.sent[1].headers == headers


def test_a_condition_that_is_not_met():
    with pytest.raises(PreconditionFailedError):
        put(Backend(FAILED), Condition(if_none_match="*"))
    with pytest.raises(PreconditionFailedError):
        run(Backend(answer(304)).open_object(thing(), None, None, Condition(None, '"e"')))


def test_an_etag_is_sent_without_quotes_to_who_wants_it_so():
    head = answer(content_length="1", etag='"e"')
    backend = Backend(FAILED, head, answer(etag='"f"'), answer(etag='"g"'))

    put(backend, Condition(if_match='"e"'))
    put(backend, Condition(if_match='"f"'))

    assert backend.lines == ["PUT /box/k", "HEAD /box/k", "PUT /box/k", "PUT /box/k"]
    sent = [request.headers.get("if-match") for request in backend.script.sent]
    assert sent == ['"e"', None, "e", "f"]


def test_an_etag_that_really_is_another_is_not_tried_without_quotes():
    backend = Backend(FAILED, answer(content_length="1", etag='"other"'))

    with pytest.raises(PreconditionFailedError):
        put(backend, Condition(if_match='"e"'))
    assert backend.lines == ["PUT /box/k", "HEAD /box/k"]


def test_two_who_store_at_the_same_time():
    conflict = error("ConditionalRequestConflict", 409)
    passing = Backend(conflict, answer(etag='"x"'))
    decided = Backend(conflict, FAILED)
    lasting = Backend(*[conflict] * 5)
    once = Backend(conflict)

    assert put(passing, Condition(if_none_match="*")).hash == "x"
    with pytest.raises(PreconditionFailedError):
        put(decided, Condition(if_none_match="*"))
    with pytest.raises(ConflictError):
        put(lasting, Condition(if_none_match="*"))
    with pytest.raises(ConflictError):
        put(once, Condition(if_none_match="*"), body_of(CONTENT, length=10))
    assert [len(one.lines) for one in (passing, decided, lasting, once)] == [2, 2, 5, 1]


@pytest.mark.parametrize(
    ("there", "spec", "kind"),
    [
        (answer(content_length="10", etag=f'"{MD5}"'), {"md5": MD5}, None),
        (answer(content_length="10", etag=f'"{MD5}"'), {"checksums": {"md5": MD5}}, None),
        (answer(content_length="10", etag=f'"{MD5}"'), {}, OutcomeUnknownError),
        (
            answer(content_length="10", etag=f'"{"0" * 32}"'),
            {"md5": MD5},
            PreconditionFailedError,
        ),
        (answer(content_length="9", etag=f'"{MD5}"'), {}, PreconditionFailedError),
    ],
)
def test_what_an_earlier_try_stored_is_not_taken_for_somebody_elses(there, spec, kind):
    refused = error("PreconditionFailed", 412)
    backend = Backend(*lost(refused), there)

    if kind is None:
        assert put(backend, Condition(if_none_match="*"), **spec).hash == MD5
    else:
        with pytest.raises(kind):
            put(backend, Condition(if_none_match="*"), **spec)
    assert backend.lines == ["PUT /box/k", "HEAD /box/k"]


# -- digests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "given", "headers"),
    [
        (CURRENT, {"crc32": CRC32, "md5": MD5}, {"x-amz-checksum-crc32", "content-md5"}),
        (CURRENT, {"sha256": SHA256}, {"x-amz-checksum-sha256"}),
        (CURRENT, {"sha256": SHA256, "crc32": CRC32}, {"x-amz-checksum-crc32"}),
        (("md5",), {"crc32": CRC32, "md5": MD5}, {"content-md5"}),
        (("md5",), {"crc32": CRC32}, set()),
    ],
)
def test_digests_are_sent_as_the_provider_checks_them(known, given, headers):
    backend = Backend(answer(etag='"x"'), checksums=known)

    put(backend, checksums=given)

    assert backend.lines == ["PUT /box/k"]
    assert set(backend.script.sent[0].headers) == {"content-type", *headers}


@pytest.mark.parametrize(
    "told", [{"etag": f'"{"0" * 32}"'}, {"etag": '"x"', "x_amz_checksum_crc32": "AAAAAA=="}]
)
def test_digests_are_compared_where_the_provider_did_not(told):
    with pytest.raises(ObjectHashMismatchError, match=r"sent with the .* arrived"):
        put(Backend(answer(**told)), checksums={"crc32": CRC32, "md5": MD5})


@pytest.mark.parametrize(("name", "digest"), [("crc32", "1"), ("md5", "xx"), ("sha256", CRC32)])
def test_what_is_no_digest_is_not_sent(name, digest):
    backend = Backend(checksums=CURRENT)

    with pytest.raises(InvalidRequestError, match=f"no {name} in hex"):
        put(backend, checksums={name: digest})
    assert backend.lines == []


@pytest.mark.parametrize(
    ("headers", "checksums"),
    [
        ({"etag": f'"{MD5}"'}, {"md5": MD5}),
        (
            {"etag": f'"{MD5}"', "x_amz_checksum_crc32": CRC32_BASE64},
            {"crc32": CRC32, "md5": MD5},
        ),
        (
            {
                "etag": f'"{MD5}-2"',
                "x_amz_checksum_crc32": CRC32_BASE64,
                "x_amz_checksum_type": "FULL_OBJECT",
            },
            {"crc32": CRC32},
        ),
        (
            {
                "etag": f'"{MD5}-2"',
                "x_amz_checksum_sha256": SHA256_BASE64,
                "x_amz_checksum_type": "COMPOSITE",
            },
            None,
        ),
        ({"etag": f'"{MD5}-2"', "x_amz_checksum_sha256": f"{SHA256_BASE64}-2"}, None),
        ({"etag": '"x"', "x_amz_checksum_crc32": "not base64!"}, None),
    ],
)
def test_digests_of_the_whole_content_are_told(headers, checksums):
    backend = Backend(answer(content_length="10", **headers), checksums=CURRENT)

    found = run(backend.get_object("box", "k"))

    assert found.extra.get("checksums") == checksums
    assert backend.lines == ["HEAD /box/k"]
    assert backend.script.sent[0].headers == {"x-amz-checksum-mode": "ENABLED"}


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": f'"{MD5}"'},
        {"etag": '"x"', "x_amz_checksum_crc32": CRC32_BASE64},
        {"etag": '"x"', "x_amz_checksum_sha256": SHA256_BASE64},
        {"etag": f'"{"0" * 32}"', "x_amz_checksum_crc32": CRC32_BASE64},  # the quickest counts
    ],
)
def test_content_is_compared_with_the_quickest_digest(headers):
    good, bad = (
        Backend(answer(content_length="10", **headers), checksums=CURRENT) for _ in range(2)
    )
    good.script.answers[0].stream = Stream(CONTENT)
    bad.script.answers[0].stream = Stream(CONTENT[::-1])

    assert read(good) == CONTENT
    with pytest.raises(ObjectHashMismatchError, match="should have"):
        read(bad)


def read(backend):
    stream = run(backend.open_object(thing(), None, None))
    pieces = []
    while piece := run(stream.read(100)):
        pieces.append(piece)
    return b"".join(pieces)


def test_a_crc_is_that_of_a_body_read_beforehand():
    backend = Backend(answer(etag='"x"'), checksums=CURRENT)

    put(backend, checksums={"crc32": CRC32.upper()})

    assert backend.script.sent[0].headers["x-amz-checksum-crc32"] == CRC32_BASE64


# -- folders ---------------------------------------------------------------------------------------


def test_a_folder_has_objects_and_prefixes_in_the_order_of_names():
    body = """<ListBucketResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
<NextContinuationToken>t</NextContinuationToken>
<Contents><Key>a/b</Key><Size>1</Size></Contents><Contents><Key>a/z</Key><Size>2</Size></Contents>
<CommonPrefixes><Prefix>a/c+d/</Prefix></CommonPrefixes>
<CommonPrefixes><Prefix>a/%F0%9F%8E%88/</Prefix></CommonPrefixes></ListBucketResult>"""
    backend = Backend(answer(body=body))

    page = run(backend.list_directory(BUCKET, "a/", "/", "c"))

    assert page.items == [
        Object("a/b", 1, None, {}, {}, BUCKET),
        Prefix("a/c d/", BUCKET),
        Object("a/z", 2, None, {}, {}, BUCKET),
        Prefix("a/🎈/", BUCKET),
    ]
    assert page.cursor == "t"
    asked = "list-type=2&max-keys=1000&encoding-type=url&prefix=a%2F&delimiter=%2F"
    assert backend.lines == [f"GET /box?{asked}&continuation-token=c"]


# -- versions --------------------------------------------------------------------------------------


VERSIONS = """<ListVersionsResult><IsTruncated>{0}</IsTruncated><EncodingType>url</EncodingType>
<NextKeyMarker>a+b</NextKeyMarker><NextVersionIdMarker>{1}</NextVersionIdMarker>
<Version><Key>a+b</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest><ETag>"e"</ETag>
<Size>3</Size><LastModified>2026-03-04T05:06:09Z</LastModified>
<StorageClass>STANDARD</StorageClass></Version>
<Version><Key>a+b</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><Size>2</Size></Version>
<Version><Key>c</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><Size>1</Size></Version>
<DeleteMarker><Key>a+b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest></DeleteMarker>
</ListVersionsResult>"""


def test_versions_by_pages_the_latest_first():
    backend = Backend(
        answer(body=VERSIONS.format("true", "v1")), answer(body=VERSIONS.format("false", ""))
    )

    first = run(backend.list_object_versions(BUCKET, "a", None))
    second = run(backend.list_object_versions(BUCKET, "a", first.cursor))

    assert first.items == [
        version("a b", "v3", is_latest=True, is_delete_marker=True, size=0),
        ObjectVersion("a b", 3, "e", {}, {}, BUCKET, "v2"),
        version("a b", "v1", size=2),
        version("c", "null", is_latest=True, size=1),
    ]
    assert first.items[1].extra == {
        "etag": '"e"',
        "last_modified": datetime(2026, 3, 4, 5, 6, 9, tzinfo=UTC),
        "storage_class": "STANDARD",
        "version_id": "v2",
    }
    assert second.cursor is None
    assert backend.lines == [
        "GET /box?versions=&encoding-type=url&prefix=a",
        "GET /box?versions=&encoding-type=url&prefix=a&key-marker=a%20b&version-id-marker=v1",
    ]


def test_versions_that_go_round_in_circles():
    body = VERSIONS.format("true", "v1")
    backend = Backend(answer(body=body), answer(body=body))

    first = run(backend.list_object_versions(BUCKET, None, None))
    with pytest.raises(MalformedResponseError, match="next page is this one"):
        run(backend.list_object_versions(BUCKET, None, first.cursor))


def test_versioning_is_asked_for_and_switched():
    on = answer(body="<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    never = answer(body="<VersioningConfiguration/>")
    backend = Backend(on, never, answer(), answer())

    assert run(backend.get_versioning(BUCKET)) is True
    assert run(backend.get_versioning(BUCKET)) is False
    run(backend.set_versioning(BUCKET, True))
    run(backend.set_versioning(BUCKET, False))

    assert backend.lines == ["GET /box?versioning="] * 2 + ["PUT /box?versioning="] * 2
    assert b"<Status>Enabled</Status>" in backend.script.bodies[2]
    assert b"<Status>Suspended</Status>" in backend.script.bodies[3]


def test_what_is_done_with_a_version_is_done_with_it_only():
    content = answer(content_length="0")
    content.stream = Stream()
    tags = answer(body="<Tagging><TagSet/></Tagging>")
    backend = Backend(content, answer(204), tags, answer(), answer(204))
    one = version(version_id="a/b")

    run(backend.open_object(one, None, None))
    run(backend.delete_object(one))
    run(backend.get_object_tags(one))
    run(backend.set_object_tags(one, {"a": "b"}))
    run(backend.set_object_tags(one, {}))

    assert backend.lines == [
        f"GET {PATH}?versionId=a%2Fb",
        f"DELETE {PATH}?versionId=a%2Fb",
        f"GET {PATH}?tagging=&versionId=a%2Fb",
        f"PUT {PATH}?tagging=&versionId=a%2Fb",
        f"DELETE {PATH}?tagging=&versionId=a%2Fb",
    ]


@pytest.mark.parametrize(
    ("latest", "is_latest"),
    [
        (answer(content_length="1", x_amz_version_id="v2"), True),
        (answer(content_length="1", x_amz_version_id="v3"), False),
        (answer(404), False),
    ],
)
def test_a_version_is_looked_at(latest, is_latest):
    head = answer(content_length="3", etag='"e"', x_amz_version_id="v2")
    backend = Backend(head, latest)

    found = run(backend.get_object_version("box", KEY, "v2"))

    assert found == ObjectVersion(KEY, 3, "e", {}, {}, BUCKET, "v2", is_latest)
    assert backend.lines == [f"HEAD {PATH}?versionId=v2", f"HEAD {PATH}"]


@pytest.mark.parametrize("refusal", [answer(405, x_amz_delete_marker="true"), answer(404)])
def test_a_delete_marker_is_looked_for_in_the_list(refusal):
    backend = Backend(refusal, answer(body=VERSIONS.format("false", "")))

    found = run(backend.get_object_version("box", "a b", "v3"))

    assert found == version("a b", "v3", is_latest=True, is_delete_marker=True, size=0)


@pytest.mark.parametrize("status", [400, 404])
def test_a_version_that_there_is_not(status):
    backend = Backend(answer(status), answer(body=VERSIONS.format("true", "v1")))

    with pytest.raises(ObjectDoesNotExistError, match="no version 'nope' of 'a b'"):
        run(backend.get_object_version("box", "a b", "nope"))


# -- deleting many ---------------------------------------------------------------------------------


def test_many_objects_are_deleted_by_one_request():
    body = """<DeleteResult>
<Error><Key>b &amp; c</Key><Code>AccessDenied</Code><Message>No.</Message></Error>
<Error><Key>d</Key><VersionId>v1</VersionId><Code>NoSuchVersion</Code></Error></DeleteResult>"""
    backend = Backend(answer(body=body))
    objects = [thing("a"), thing("b & c"), version("d")]

    first, second, third = run(backend.delete_objects(objects))

    assert (first, third) == (None, None)
    assert isinstance(second, PermissionDeniedError)
    assert (second.message, second.code) == ("No.", "AccessDenied")
    assert backend.lines == ["POST /box?delete="]
    sent = backend.script.bodies[0]
    assert sent.decode() == (
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>'
        "<Object><Key>b &amp; c</Key></Object>"
        "<Object><Key>d</Key><VersionId>v1</VersionId></Object><Quiet>true</Quiet></Delete>"
    )
    assert backend.script.sent[0].headers == {"content-md5": b64encode(md5(sent).digest()).decode()}


ODD = ["a\nb", "a\rb", "\x01", "\ufffe", " a", "a ", "a\tb", "\x7f", "\x85"]


@pytest.mark.parametrize("name", ODD)
def test_keys_that_xml_cannot_hold_are_deleted_one_by_one(name):
    backend = Backend(answer(body="<DeleteResult/>"), error("AccessDenied", 403))

    found = run(backend.delete_objects([thing(name), thing("plain")]))

    assert [line.split()[0] for line in backend.lines] == ["POST", "DELETE"]
    assert isinstance(found[0], PermissionDeniedError)
    assert found[1] is None


def test_what_fails_in_passing_is_asked_for_again():
    busy = "<DeleteResult><Error><Key>a</Key><Code>{}</Code></Error></DeleteResult>"
    passing = Backend(answer(body=busy.format("SlowDown")), answer(body="<DeleteResult/>"))
    lasting = Backend(*[answer(body=busy.format("InternalError"))] * 3)

    assert run(passing.delete_objects([thing("a"), thing("b")])) == [None, None]
    found = run(lasting.delete_objects([thing("a"), thing("b")]))

    assert passing.script.bodies[1].count(b"<Object>") == 1
    assert isinstance(found[0], ProviderUnavailableError)
    assert found[1] is None
    assert lasting.runtime.waits == [1.0, 2.0]


def test_deleting_nothing_asks_for_nothing():
    backend = Backend()

    assert run(backend.delete_objects([])) == []
    assert backend.lines == []


@pytest.mark.parametrize(
    "body",
    [
        "<DeleteResult><Error><Key>z</Key><Code>AccessDenied</Code></Error></DeleteResult>",
        "<Other/>",
    ],
)
def test_an_answer_about_other_objects_is_malformed(body):
    with pytest.raises(MalformedResponseError, match="not to be deleted"):
        run(Backend(answer(body=body)).delete_objects([thing("a")]))


def test_deleting_from_no_bucket():
    with pytest.raises(ContainerDoesNotExistError):
        run(Backend(error("NoSuchBucket", 404)).delete_objects([thing("a")]))


# -- presigned requests ----------------------------------------------------------------------------


def test_a_presigned_request_says_how_and_how_long():
    backend = Backend()
    backend.runtime.time = lambda: 1_700_000_000.0

    made = run(backend.presign(BUCKET, KEY, "PUT", 60))

    assert (made.url, made.method, made.headers) == (
        f"{ENDPOINT}{PATH}?signed-for=PUT&expires=60",
        "PUT",
        {},
    )
    assert made.expires_at == datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)
    assert "signed-for" not in repr(made)


@pytest.mark.parametrize("method", ["POST", "get", "GET /"])
def test_other_methods_are_not_presigned(method):
    with pytest.raises(InvalidRequestError, match="only for GET or PUT"):
        run(Backend().presign(BUCKET, KEY, method))


# -- regions ---------------------------------------------------------------------------------------


ELSEWHERE = "<Region>eu-west-1</Region>"


def elsewhere():
    return error("AuthorizationHeaderMalformed", more=ELSEWHERE)


def test_the_region_that_the_service_names_is_taken_once_and_remembered():
    backend = Backend(elsewhere(), answer(etag='"x"'), answer(204), answer(204))

    put(backend)
    run(backend.delete_object(thing()))
    run(backend.delete_object(Object("k", 1, None, {}, {}, type(BUCKET)("another"))))

    assert backend.lines == ["PUT /box/k", "PUT /box/k", f"DELETE {PATH}", "DELETE /another/k"]
    assert backend.signer.regions == {ENDPOINT: "eu-west-1"}
    assert backend.script.bodies[:2] == [CONTENT, CONTENT]


def test_a_service_that_sends_to_and_fro_is_not_followed():
    third = error("AuthorizationHeaderMalformed", more="<Region>eu-west-2</Region>")
    backend = Backend(elsewhere(), third)

    with pytest.raises(InvalidRequestError, match="'eu-west-2'"):
        run(backend.delete_object(thing()))
    assert len(backend.lines) == 2


def test_content_that_comes_only_once_is_not_sent_again():
    backend = Backend(elsewhere(), answer(etag='"x"'))
    body = Body(lambda: iter([CONTENT]), len(CONTENT))

    with pytest.raises(InvalidRequestError, match="'eu-west-1'"):
        put(backend, body=body)
    put(backend, body=body)  # the region is known by now

    assert backend.lines == ["PUT /box/k"] * 2
