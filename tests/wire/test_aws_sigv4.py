"""Signatures against botocore's signers, and against the examples that AWS publishes."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anysky.errors import InvalidRequestError
from anysky.secret import Secret
from anysky.wire.aws_sigv4 import (
    EMPTY_SHA256,
    MAX_PRESIGN_SECONDS,
    STREAMING_UNSIGNED_PAYLOAD_TRAILER,
    UNSIGNED_PAYLOAD,
    Credentials,
    Signer,
    amz_date,
    canonical_query,
    host_header,
    percent_encode,
)

WHEN = 1369353600.75
NOW = datetime(2013, 5, 24, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", Secret(SECRET))
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", Secret(SECRET), Secret("token/+=with=="))

pytestmark = pytest.mark.usefixtures("_frozen_time")


@pytest.fixture
def _frozen_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)


def botocore_credentials(credentials: Credentials) -> BotocoreCredentials:
    token = credentials.token.reveal() if credentials.token else None
    return BotocoreCredentials(credentials.access_key, credentials.secret_key.reveal(), token)


def botocore_headers(service, credentials, method, host, path, query, headers, body):
    """Sign with botocore; give the headers that it adds."""
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    encoded = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in query)
    url = f"http://{host}{path}" + (f"?{encoded}" if query else "")
    request = AWSRequest(method, url, data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    signer(botocore_credentials(credentials), service, "eu-west-1").add_auth(request)
    names = ("X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256", "Authorization")
    return {name: request.headers[name] for name in names if name in request.headers}


def botocore_presigned(service, credentials, method, host, path, query, headers, expires):
    """Presign with botocore; give the query parameters, in order of their names."""
    auth = botocore.auth
    signer = auth.S3SigV4QueryAuth if service == "s3" else auth.SigV4QueryAuth
    request = AWSRequest(method, f"https://{host}{path}", params=dict(query), headers=dict(headers))
    signer(botocore_credentials(credentials), service, "eu-west-1", expires).add_auth(request)
    return sorted(parse_qsl(request.url.partition("?")[2], keep_blank_values=True))


# AWS publishes these examples with their signatures:
# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html


def test_published_example_of_getting_an_object() -> None:
    added = Signer("s3", "us-east-1").sign(
        CREDENTIALS,
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        headers=[("Range", "bytes=0-9")],
        when=WHEN,
    )

    assert added == {
        "X-Amz-Date": "20130524T000000Z",
        "X-Amz-Content-SHA256": EMPTY_SHA256,
        "Authorization": (
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
    }


def test_published_example_of_putting_an_object() -> None:
    added = Signer("s3", "us-east-1").sign(
        CREDENTIALS,
        "PUT",
        "examplebucket.s3.amazonaws.com",
        "/test%24file.text",
        headers=[
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        payload_hash=sha256(b"Welcome to Amazon S3.").hexdigest(),
        when=WHEN,
    )

    assert added["Authorization"].rpartition("=")[2] == (
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


def test_published_example_of_listing_objects() -> None:
    added = Signer("s3", "us-east-1").sign(
        CREDENTIALS,
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/",
        [("max-keys", "2"), ("prefix", "J")],
        when=WHEN,
    )

    assert added["Authorization"].rpartition("=")[2] == (
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_published_example_of_a_presigned_url() -> None:
    query = Signer("s3", "us-east-1").presign(
        CREDENTIALS,
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        when=WHEN,
        expires=86400,
    )

    assert query == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize("credentials", [CREDENTIALS, SESSION], ids=["key", "session"])
@pytest.mark.parametrize(
    ("service", "method", "path", "query", "headers", "body"),
    [
        pytest.param(
            "ec2",
            "POST",
            "/",
            [],
            [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            b"Action=DescribeInstances&Version=2016-11-15",
            id="query-protocol",
        ),
        pytest.param(
            "route53",
            "GET",
            "/2013-04-01/hostedzone/Z1/rrset",
            [("type", "A"), ("name", "*.example.com."), ("name", "")],
            [],
            b"",
            id="rest-xml",
        ),
        pytest.param("lambda", "GET", "/a%20b/%E2%82%AC/x:y", [], [], b"", id="encoded-twice"),
        pytest.param("execute-api", "GET", "//a/./b/../c//", [], [], b"", id="dot-segments"),
        pytest.param("execute-api", "GET", "/../..", [], [], b"", id="above-the-root"),
        pytest.param("s3", "GET", "//a/./b/../c//", [], [], b"", id="s3-key-as-it-is"),
        pytest.param("s3", "PUT", "/b/a%20b%2Bc", [("acl", "")], [], b"body", id="s3-sub-resource"),
        pytest.param(
            "s3",
            "PUT",
            "/key",
            [("partNumber", "10"), ("partNumber", "2"), ("uploadId", "a+b/c=")],
            [
                ("x-amz-meta-note", "  two   spaces\tand a tab "),
                ("X-Amz-Meta-Empty", ""),
                ("x-amz-meta-twice", "one"),
                ("x-amz-meta-twice", "two"),
                ("User-Agent", "anysky"),
                ("Expect", "100-continue"),
            ],
            b"part",
            id="s3-headers",
        ),
    ],
)
def test_the_same_headers_as_botocore(
    credentials, service, method, path, query, headers, body
) -> None:
    host = "service.eu-west-1.amazonaws.com"

    added = Signer(service, "eu-west-1").sign(
        credentials, method, host, path, query, headers, sha256(body).hexdigest(), when=WHEN
    )

    assert added == botocore_headers(service, credentials, method, host, path, query, headers, body)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text("abcXYZ-_09", min_size=1, max_size=12)
values = st.text("abc XYZ\t,;=/+é€09", max_size=20)
hosts = st.sampled_from(["ec2.amazonaws.com", "127.0.0.1:5000", "b.s3.localhost:9000"])
generated = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@generated
@given(
    service=st.sampled_from(["ec2", "s3", "route53", "sts"]),
    credentials=st.sampled_from([CREDENTIALS, SESSION]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    host=hosts,
    segments=st.lists(st.one_of(text, st.sampled_from([".", "..", "", "a:b@c"])), max_size=5),
    query=st.lists(st.tuples(text, text), max_size=6),
    headers=st.lists(st.tuples(names.map("x-amz-meta-{}".format), values), max_size=4),
    body=st.binary(max_size=40),
)
def test_the_same_headers_as_botocore_for_anything(
    service, credentials, method, host, segments, query, headers, body
) -> None:
    path = "/" + percent_encode("/".join(segments), safe="/")
    if path.startswith("//"):
        path = "/x" + path  # a test URL cannot begin its path with two slashes

    added = Signer(service, "eu-west-1").sign(
        credentials, method, host, path, query, headers, sha256(body).hexdigest(), when=WHEN
    )

    assert added == botocore_headers(service, credentials, method, host, path, query, headers, body)


@generated
@given(
    service=st.sampled_from(["s3", "sts"]),
    credentials=st.sampled_from([CREDENTIALS, SESSION]),
    method=st.sampled_from(["GET", "PUT"]),
    host=hosts,
    key=text,
    query=st.dictionaries(text.filter(bool), text, max_size=4),
    headers=st.dictionaries(names.map(lambda n: f"x-amz-meta-{n}".lower()), values, max_size=2),
    expires=st.integers(1, MAX_PRESIGN_SECONDS),
)
def test_the_same_presigned_urls_as_botocore(
    service, credentials, method, host, key, query, headers, expires
) -> None:
    path = "/bucket/" + percent_encode(key, safe="/")

    made = Signer(service, "eu-west-1").presign(
        credentials, method, host, path, query.items(), headers.items(), when=WHEN, expires=expires
    )

    assert sorted(parse_qsl(made, keep_blank_values=True)) == botocore_presigned(
        service, credentials, method, host, path, query, headers, expires
    )


@pytest.mark.parametrize("payload", [UNSIGNED_PAYLOAD, STREAMING_UNSIGNED_PAYLOAD_TRAILER])
@pytest.mark.parametrize("service", ["s3", "ec2"])
def test_a_payload_that_is_not_hashed_is_named_in_a_header(service: str, payload: str) -> None:
    added = Signer(service, "us-east-1").sign(
        CREDENTIALS, "PUT", "host", "/key", payload_hash=payload, when=WHEN
    )

    assert added["X-Amz-Content-SHA256"] == payload
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in added["Authorization"]


def test_an_unsigned_payload_is_signed_as_botocore_does() -> None:
    request = AWSRequest("PUT", "https://host/key", headers={"Content-MD5": "x"}, data=b"body")
    request.context["has_streaming_input"] = True
    botocore.auth.S3SigV4Auth(botocore_credentials(SESSION), "s3", "eu-west-1").add_auth(request)

    added = Signer("s3", "eu-west-1").sign(
        SESSION, "PUT", "host", "/key", (), [("Content-MD5", "x")], UNSIGNED_PAYLOAD, when=WHEN
    )

    assert request.headers["X-Amz-Content-SHA256"] == UNSIGNED_PAYLOAD
    assert added["Authorization"] == request.headers["Authorization"]


def test_headers_that_signing_sets_replace_those_of_the_caller() -> None:
    stale = [
        ("Authorization", "AWS4-HMAC-SHA256 of an earlier try"),
        ("Host", "evil.example"),
        ("X-Amz-Date", "20000101T000000Z"),
        ("x-amz-security-token", "old"),
    ]
    signer = Signer("ec2", "us-east-1")

    assert signer.sign(SESSION, "GET", "host", "/", (), stale, when=WHEN) == signer.sign(
        SESSION, "GET", "host", "/", when=WHEN
    )


BASE = {
    "credentials": CREDENTIALS,
    "method": "PUT",
    "host": "bucket.s3.amazonaws.com",
    "path": "/key",
    "query": (("partNumber", "1"),),
    "headers": (("x-amz-acl", "private"),),
    "payload_hash": EMPTY_SHA256,
    "when": WHEN,
}


@pytest.mark.parametrize(
    "change",
    [
        {"credentials": Credentials(CREDENTIALS.access_key, Secret(SECRET + "x"))},
        {"credentials": Credentials(CREDENTIALS.access_key, Secret(SECRET), Secret("token"))},
        {"method": "GET"},
        {"host": "other.s3.amazonaws.com"},
        {"path": "/Key"},
        {"path": "/key/"},
        {"query": (("partNumber", "2"),)},
        {"query": ()},
        {"headers": (("x-amz-acl", "public-read"),)},
        {"headers": ()},
        {"payload_hash": sha256(b"x").hexdigest()},
        {"payload_hash": UNSIGNED_PAYLOAD},
        {"when": WHEN + 1},
        {"when": WHEN + 86400},
    ],
    ids=str,
)
def test_every_part_of_a_request_changes_its_signature(change: dict[str, object]) -> None:
    signer = Signer("s3", "us-east-1")

    def signature(**parts) -> str:
        return signer.sign(**parts)["Authorization"].rpartition("=")[2]

    assert signature(**BASE) == signature(**BASE)
    assert signature(**BASE) != signature(**(BASE | change))


@pytest.mark.parametrize(("service", "region"), [("s3", "us-east-2"), ("ec2", "us-east-1")])
def test_region_and_service_change_the_signature(service: str, region: str) -> None:
    original = Signer("s3", "us-east-1").presign(
        CREDENTIALS, "GET", "host", "/key", when=WHEN, expires=60
    )

    changed = Signer(service, region).presign(
        CREDENTIALS, "GET", "host", "/key", when=WHEN, expires=60
    )

    assert original[-64:] != changed[-64:]


@pytest.mark.parametrize("expires", [-1, 0, MAX_PRESIGN_SECONDS + 1])
def test_presigned_urls_last_one_second_to_seven_days(expires: int) -> None:
    with pytest.raises(InvalidRequestError, match="must be 1 to 604800 seconds"):
        Signer("s3", "us-east-1").presign(
            CREDENTIALS, "GET", "host", "/key", when=WHEN, expires=expires
        )


def test_one_signer_serves_many_threads_and_credentials() -> None:
    signer = Signer("ec2", "us-east-1")
    keys = [Credentials(f"AKIA{n}", Secret(f"secret-{n}")) for n in range(4)]
    expected = [Signer("ec2", "us-east-1").sign(key, "GET", "host", "/", when=WHEN) for key in keys]

    def sign(n: int) -> dict[str, str]:
        return signer.sign(keys[n % 4], "GET", "host", "/", when=WHEN)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sign, range(2000))) == expected * 500


def test_dates_are_those_of_utc() -> None:
    assert amz_date(0) == "19700101T000000Z"
    assert amz_date(1709251199.999) == "20240229T235959Z"


def test_percent_encoding_is_that_of_rfc_3986() -> None:
    assert percent_encode("aZ09-._~ +/&=é€*'") == "aZ09-._~%20%2B%2F%26%3D%C3%A9%E2%82%AC%2A%27"
    assert percent_encode("a/b c", safe="/") == "a/b%20c"


def test_a_query_is_sorted_after_encoding() -> None:
    assert canonical_query([("é", "1"), ("b", "2"), ("b", "10"), ("B", ""), ("a b", "c&d")]) == (
        "%C3%A9=1&B=&a%20b=c%26d&b=10&b=2"
    )


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://EC2.amazonaws.com/base", "ec2.amazonaws.com"),
        ("https://ec2.amazonaws.com:443", "ec2.amazonaws.com"),
        ("http://localhost:80", "localhost"),
        ("http://localhost:443", "localhost:443"),
        ("http://[::1]:80", "[::1]"),
        ("http://[fd00::80]", "[fd00::80]"),
        ("http://user:pass@localhost:5000/", "localhost:5000"),
    ],
)
def test_the_host_header_is_that_of_http_libraries(endpoint: str, host: str) -> None:
    assert host_header(endpoint) == host


def test_text_that_no_url_can_carry_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="not valid Unicode"):
        Signer("s3", "us-east-1").sign(
            CREDENTIALS, "GET", "host", "/", [("prefix", "a\ud800")], when=WHEN
        )


def test_secrets_that_are_not_text_do_not_surface_in_errors() -> None:
    odd = Credentials("AKIA", Secret("secret\udcff"), Secret("token\udcff"))

    assert set(Signer("ec2", "us-east-1").sign(odd, "GET", "host", "/", when=WHEN)) == {
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "Authorization",
    }


def test_credentials_never_show_their_secrets() -> None:
    credentials = Credentials("AKIA", Secret("hidden-key"), Secret("hidden-token"), 5.0)

    shown = "Credentials(access_key='AKIA', secret_key=***, token=***, expires_at=5.0)"
    assert (repr(credentials), str(credentials), f"{credentials}") == (shown, shown, shown)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(credentials)
