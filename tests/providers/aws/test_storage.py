"""S3 over moto in both APIs, and where its requests go."""

from __future__ import annotations

import contextlib
import io
import urllib.request

import pytest
from tests.providers.aws.storage_support import Asyncio, Blocking, read
from tests.support.botocore_models import check_request

from anysky import Provider, storage
from anysky.errors import (
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidAccountError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, ObjectSpec
from anysky.providers.aws.storage import S3
from anysky.transport.tracing import Hooks

KEYS = [
    "a b/é+%20x&=;~",
    "a//b",
    "/begins/with a slash",
    "//two",
    "x/../y",
    "../up",
    "..",
    ".",
    "trail/.",
    "folder/",
    "ünï/☃/𝄞",
    "'\"<>&",
    "q?x=1#y",
    "%2F",
    "plus+plus",
    "back\\slash",
    "*!@$,:()",
    "x" * 1024,
]


@pytest.fixture(params=[Blocking, Asyncio])
def api(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def driver(api, moto):
    driver = api.get_driver("s3")("key", "secret", region="us-east-1", endpoint=moto)
    yield driver
    api.do(driver.close())


@pytest.fixture
def box(api, driver):
    return api.do(driver.create_container("box"))


# -- where requests go -----------------------------------------------------------------------------


def site_of(monkeypatch, **settings):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    environ = settings.pop("environ", {})
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    provider = settings.pop("provider", "s3")
    driver = storage.get_driver(provider)("key", "secret", **settings)
    url = driver.presign(Container("box"), "k").url
    address, _, query = url.partition("?")
    return address, query.split("%2F")[2]


@pytest.mark.parametrize(
    ("settings", "address", "region"),
    [
        ({"region": "eu-west-1"}, "https://box.s3.eu-west-1.amazonaws.com/k", "eu-west-1"),
        (
            {"environ": {"AWS_DEFAULT_REGION": "us-gov-west-1"}},
            "https://box.s3.us-gov-west-1.amazonaws.com/k",
            "us-gov-west-1",
        ),
        (
            {"region": "cn-north-1"},
            "https://box.s3.cn-north-1.amazonaws.com.cn/k",
            "cn-north-1",
        ),
        (
            {"region": "eu-west-1", "addressing": "path"},
            "https://s3.eu-west-1.amazonaws.com/box/k",
            "eu-west-1",
        ),
        (
            {"region": "eu-west-1", "endpoint": "https://s3.dualstack.eu-west-1.amazonaws.com"},
            "https://box.s3.dualstack.eu-west-1.amazonaws.com/k",
            "eu-west-1",
        ),
        (
            {"endpoint": "https://account.r2.cloudflarestorage.com", "region": "auto"},
            "https://account.r2.cloudflarestorage.com/box/k",
            "auto",
        ),
        ({"endpoint": "http://[::1]:9000/"}, "http://[::1]:9000/box/k", "us-east-1"),
        ({"host": "ceph.example", "port": 7480}, "https://ceph.example:7480/box/k", "us-east-1"),
        (
            {"endpoint": "https://fra1.digitaloceanspaces.com", "addressing": "virtual"},
            "https://box.fra1.digitaloceanspaces.com/k",
            "us-east-1",
        ),
        (
            {"environ": {"AWS_ENDPOINT_URL": "https://a.example", "AWS_REGION": "eu-west-1"}},
            "https://a.example/box/k",
            "eu-west-1",
        ),
        (
            {
                "environ": {
                    "AWS_ENDPOINT_URL": "https://a.example",
                    "AWS_ENDPOINT_URL_S3": "https://b.example/base",
                }
            },
            "https://b.example/base/box/k",
            "us-east-1",
        ),
        (
            {"provider": storage.Provider.S3_US_WEST_OREGON},
            "https://box.s3.us-west-2.amazonaws.com/k",
            "us-west-2",
        ),
    ],
)
def test_address_and_region(monkeypatch, settings, address, region):
    assert site_of(monkeypatch, **settings) == (address, region)


def test_region_of_a_profile(monkeypatch, tmp_path):
    file = tmp_path / "config"
    file.write_text("[profile work]\nregion = ap-south-1\n")

    address, _ = site_of(monkeypatch, environ={"AWS_CONFIG_FILE": str(file)}, profile="work")

    assert address == "https://box.s3.ap-south-1.amazonaws.com/k"


def test_aws_needs_a_region(monkeypatch, tmp_path):
    with pytest.raises(InvalidAccountError, match="AWS needs a region"):
        site_of(monkeypatch, environ={"AWS_CONFIG_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("region", ["evil.example/", "eu_west_1", "x" * 50])
def test_region_that_would_be_another_host(region):
    with pytest.raises(InvalidAccountError, match="region"):
        storage.get_driver("s3")("key", "secret", region=region)


def test_addressing_that_there_is_not():
    with pytest.raises(InvalidAccountError, match="auto, path, virtual, not 'dns'"):
        storage.get_driver("s3")("key", "secret", region="eu-west-1", addressing="dns")


@pytest.mark.parametrize(
    ("constant", "name", "region"),
    [
        ("S3_US_WEST", "s3_us_west", "us-west-1"),
        ("S3_US_EAST2", "s3_us_east_2", "us-east-2"),
        ("S3_EU_WEST", "s3_eu_west", "eu-west-1"),
        ("S3_EU_NORTH1", "s3_eu_north_1", "eu-north-1"),
        ("S3_AP_SOUTHEAST2", "s3_ap_southeast2", "ap-southeast-2"),
        ("S3_CN_NORTHWEST", "s3_cn_northwest", "cn-northwest-1"),
        ("S3_US_GOV_WEST", "s3_us_gov_west", "us-gov-west-1"),
    ],
)
def test_names_of_libcloud_stand_for_regions(constant, name, region):
    assert Provider[constant] == storage.Provider[constant] == name
    assert storage.get_driver(name)("key", "secret").account.region == region


# -- moto ------------------------------------------------------------------------------------------


@pytest.mark.server
def test_every_request_fits_the_model(api, moto):
    sent = []
    driver = api.get_driver("s3")("key", "secret", endpoint=moto, hooks=Hooks(request=sent.append))
    other = api.do(driver.create_container("other"))
    big = b"x" * (9 * 1024 * 1024)
    extra = {"meta_data": {"a": "ü"}, "acl": "public-read", "content_type": "text/x"}
    obj = api.do(other.upload_object_via_stream(api.source(big), "big", extra))
    small = api.do(driver.copy_object(obj, other, "copy"))
    api.do(driver.set_object_tags(obj, {"a": "b"}))

    assert api.do(driver.get_object_tags(obj)) == {"a": "b"}
    assert read(api, driver.download_object_range_as_stream(small, 1, 4)) == b"xxx"
    assert [item.name for item in api.do(other.iterate_objects())] == ["big", "copy"]
    api.do(driver.set_object_tags(obj, {}))
    api.do(driver.update_object(small, meta_data={"b": "c"}))
    assert [item.name for item in api.do(other.list_directory("b"))] == ["big"]
    assert api.do(driver.get_versioning(other)) is False
    api.do(driver.set_versioning(other, True))
    api.do(small.delete())
    versions = api.do(driver.list_object_versions(other))
    api.do(driver.get_object_version("other", "big", versions[0].version_id))
    assert api.do(driver.delete_objects(versions)).done == versions
    upload = api.do(driver.call(S3.begin_multipart_upload, other, ObjectSpec("open")))
    assert api.do(driver.call(S3.list_parts, upload)) == []
    api.do(driver.abort_multipart_upload(upload))
    assert api.do(driver.list_multipart_uploads(other)) == []
    api.do(driver.list_containers())
    api.do(driver.get_container("other"))
    api.do(other.delete())
    api.do(driver.close())

    operations = [
        check_request("s3", one.method, one.endpoint + one.target, one.headers, _bytes(one)).name
        for one in sent
    ]
    assert operations == [one.operation for one in sent]
    assert set(operations) == {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateBucket",
        "CreateMultipartUpload",
        "DeleteBucket",
        "DeleteObject",
        "DeleteObjectTagging",
        "DeleteObjects",
        "GetBucketVersioning",
        "GetObject",
        "GetObjectTagging",
        "HeadBucket",
        "HeadObject",
        "ListBuckets",
        "ListMultipartUploads",
        "ListObjectVersions",
        "ListObjectsV2",
        "ListParts",
        "PutBucketVersioning",
        "PutObjectTagging",
        "UploadPart",
    }


def _bytes(request):
    body = request.body
    return body if isinstance(body, bytes) else b"".join(body.open())


@pytest.mark.server
def test_signatures_are_right_for_every_key(api, moto_auth):
    driver = api.get_driver("s3")(
        moto_auth.access_key, moto_auth.secret_key, endpoint=moto_auth.url
    )
    box = api.do(driver.create_container("box"))
    for key in KEYS:
        api.do(box.upload_object_via_stream(key.encode(), key))

    found = api.do(box.list_objects())

    assert sorted(item.name for item in found) == sorted(KEYS)
    assert {item.name: read(api, item.as_stream()) for item in found} == {
        key: key.encode() for key in KEYS
    }
    for key in KEYS:
        assert api.do(driver.get_object("box", key)).size == len(key.encode())
        api.do(driver.copy_object(api.do(box.get_object(key)), box, f"copy/{key[:1000]}"))
    api.do(driver.close())


@pytest.mark.server
def test_object_with_everything(api, driver, box):
    extra = {"content_type": "text/x", "meta_data": {"city": "Zürich", "n": 1}}

    stored = api.do(
        box.upload_object_via_stream(
            b"content", "k", extra, {"Cache-Control": "no-store"}, ex_storage_class="STANDARD_IA"
        )
    )
    found = api.do(driver.get_object("box", "k"))

    assert (stored.size, stored.hash) == (7, "9a0364b9e99bb480dd25e1f0284c8555")
    assert found == stored
    assert found.meta_data == {"city": "Zürich", "n": "1"}
    del found.extra["last_modified"]
    assert found.extra == {
        "cache_control": "no-store",
        "checksums": {"md5": "9a0364b9e99bb480dd25e1f0284c8555"},
        "content_type": "text/x",
        "etag": '"9a0364b9e99bb480dd25e1f0284c8555"',
        "storage_class": "STANDARD_IA",
    }


@pytest.mark.server
def test_errors_of_containers_and_objects(api, driver, box):
    obj = api.do(box.upload_object_via_stream(b"content", "k"))
    nowhere = Container("nowhere-there")

    for kind, call in [
        (ContainerDoesNotExistError, lambda: driver.get_container("nowhere-there")),
        (ContainerDoesNotExistError, lambda: driver.delete_container(nowhere)),
        (ContainerDoesNotExistError, lambda: driver.list_container_objects(nowhere)),
        (ContainerDoesNotExistError, lambda: driver.get_object("nowhere-there", "k")),
        (ContainerDoesNotExistError, lambda: driver.upload_object_via_stream(b"", nowhere, "k")),
        (ObjectDoesNotExistError, lambda: driver.get_object("box", "other")),
        (ObjectDoesNotExistError, lambda: driver.download_object_as_stream(gone(obj))),
        (ContainerIsNotEmptyError, lambda: driver.delete_container(box)),
        (InvalidRequestError, lambda: driver.download_object_range_as_stream(obj, 7)),
        (InvalidRequestError, lambda: driver.download_object_as_stream(obj, 0)),
        (InvalidRequestError, lambda: driver.get_object_cdn_url(obj, ex_expiry=169)),
        (UnsupportedOperationError, lambda: driver.get_object_cdn_url(obj, ex_expires=1)),
        (UnsupportedOperationError, lambda: driver.enable_object_cdn(obj)),
    ]:
        with pytest.raises(kind):
            api.do(call())


def gone(obj):
    return type(obj)("gone", 7, None, {}, {}, obj.container, obj.driver)


@pytest.mark.server
def test_container_of_somebody(api, moto):
    driver = api.get_driver("s3")("key", "secret", region="eu-west-1", endpoint=moto)
    box = api.do(driver.create_container("in-ireland"))

    with pytest.raises(ContainerAlreadyExistsError):
        api.do(driver.create_container("in-ireland"))

    assert box.extra == {"region": "eu-west-1"}
    assert api.do(driver.get_container("in-ireland")).extra == {"region": "eu-west-1"}
    api.do(driver.close())


@pytest.mark.server
@pytest.mark.parametrize(
    ("start", "end", "content"),
    [(0, 4, b"0123"), (3, None, b"3456789"), (9, 99, b"9"), (4, 4, b""), (0, None, b"0123456789")],
)
def test_ranges(api, box, tmp_path, start, end, content):
    obj = api.do(box.upload_object_via_stream(b"0123456789", "k"))
    file = tmp_path / "file"

    assert read(api, obj.range_as_stream(start, end, chunk_size=3)) == content
    assert api.do(obj.download_range(file, start, end)) is True
    assert file.read_bytes() == content


@pytest.mark.server
def test_stream_comes_in_pieces_of_the_size_asked_for(api, box):
    obj = api.do(box.upload_object_via_stream(b"0123456789", "k"))

    pieces = api.do(obj.as_stream(chunk_size=4))

    assert b"".join(pieces) == b"0123456789"
    assert max(len(piece) for piece in pieces) == 4


@pytest.mark.server
def test_sources(api, box, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    opened = io.BytesIO(b"..content")
    opened.seek(2)
    pipe = io.BytesIO(b"content")
    pipe.tell = None

    sources = [
        b"content",
        bytearray(b"content"),
        memoryview(b"content"),
        opened,
        pipe,
        [b"con", b"", memoryview(b"tent")],
        api.source(b"con", b"tent"),
    ]
    stored = [api.do(box.upload_object_via_stream(source, "k")) for source in sources]
    stored.append(api.do(box.upload_object(file, "k")))

    assert {(item.size, item.hash) for item in stored} == {(7, "9a0364b9e99bb480dd25e1f0284c8555")}


@pytest.mark.server
def test_presigned_urls(api, driver, box):
    put = api.do(driver.presign(box, KEYS[0], "PUT", 60)).url
    request = urllib.request.Request(put, b"content", {"Content-Type": "text/x"}, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    obj = api.do(driver.get_object("box", KEYS[0]))

    url = api.do(obj.get_cdn_url(ex_expiry=1.5))

    assert "&X-Amz-Expires=5400&" in url
    assert "&X-Amz-Expires=86400&" in api.do(driver.get_object_cdn_url(obj))
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"content"


@pytest.mark.server
def test_upload_that_stays_open_is_listed_and_ended(api, driver, box, moto):
    import botocore.session

    client = botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=moto,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    begun = client.create_multipart_upload(Bucket="box", Key="a b")["UploadId"]

    uploads = api.do(driver.list_multipart_uploads(box))

    assert [(one.container, one.name, one.upload_id) for one in uploads] == [(box, "a b", begun)]
    assert api.do(driver.ex_cleanup_all_multipart_uploads(box)) == 1
    assert api.do(driver.list_multipart_uploads(box)) == []
