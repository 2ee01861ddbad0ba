"""Requests compared with those that Microsoft's own SDK sends for the same thing."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from tests.providers.azure.recorder import ACCOUNT, CONTENT, ETAG, KEY

from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
    Part,
)
from anysky.run import run
from anysky.secret import Secret
from anysky.storage import get_driver
from anysky.transport.base import Body
from anysky.wire.azure_shared_key import Grant, service_sas, signature, string_to_sign

blob = pytest.importorskip("azure.storage.blob", reason="pip install azure-storage-blob")
_IF_NOT_MODIFIED = pytest.importorskip("azure.core").MatchConditions.IfNotModified

# What says nothing about the request, or differs from one request to the next.
_PASSING = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-ms-client-request-id",
        "x-ms-date",
        "x-ms-return-client-request-id",
        "x-ms-version",
    }
)
_NAME = "folder//ü +&%?#.txt"
_SPEC = ObjectSpec(
    _NAME,
    "text/csv",
    {"owner": "sky", "a_b": "1"},
    headers={"Cache-Control": "max-age=60", "Content-Disposition": "inline"},
    storage_class="Cool",
    tags={"a key": "a value", "b": "2"},
)
_SETTINGS = blob.ContentSettings(
    content_type="text/csv", cache_control="max-age=60", content_disposition="inline"
)
_WRITTEN = {"metadata": {"owner": "sky", "a_b": "1"}, "content_settings": _SETTINGS}
_COOL = blob.StandardBlobTier.COOL
_NEW = {**_WRITTEN, "tags": {"a key": "a value", "b": "2"}, "standard_blob_tier": _COOL}
_VERSION = "2026-11-22T12:00:00.0000000Z"
_BOX = Container("box")
_OBJECT = Object(_NAME, len(CONTENT), None, {}, {}, _BOX)
_OLD = ObjectVersion(_NAME, len(CONTENT), None, {}, {}, _BOX, _VERSION)
_UPLOAD = MultipartUpload(_BOX, _NAME, "anysky-6921000000000000deadbeef")
_PARTS = [Part(1, 5, "YmxvY2stMQ=="), Part(2, 6, "YmxvY2stMg==")]


def whole(content):
    return Body(lambda: iter([content]), len(content), replayable=True)


def told(request):
    """What a request says: method, path, parameters, header fields, body."""
    headers = {name: value for name, value in request.headers.items() if name not in _PASSING}
    if "x-ms-range" in headers:
        headers["range"] = headers.pop("x-ms-range")
    body = re.sub(rb"\s*<\?xml[^>]*\?>\s*|\s+(?=/>)", b"", request.body)
    query = sorted((name, value) for name, value in request.query if value)
    return request.method, request.path, query, headers, body.strip()


@pytest.fixture
def driver(recorder):
    with get_driver("azure_blobs")(ACCOUNT, KEY, endpoint=recorder.url) as made:
        yield made


@pytest.fixture
def sdk(recorder):
    credential = {"account_name": ACCOUNT, "account_key": KEY}
    with blob.BlobServiceClient(recorder.url, credential=credential, retry_total=0) as client:
        yield client


def ours(operation, *arguments, **named):
    def call(driver):
        result = run(getattr(driver._backend, operation)(*arguments, **named))
        if operation == "open_object":
            run(result.close())

    return call


def container_client(operation, *arguments, **named):
    return lambda sdk: getattr(sdk.get_container_client("box"), operation)(*arguments, **named)


def blob_client(operation, *arguments, **named):
    return lambda sdk: getattr(sdk.get_blob_client("box", _NAME), operation)(*arguments, **named)


# Name of the case; what we are asked for; what the SDK is asked for.
CASES = {
    "create a container": (
        ours("create_container", "box", None),
        container_client("create_container"),
    ),
    "list containers": (
        ours("list_containers", None),
        lambda sdk: list(sdk.list_containers()),
    ),
    "list blobs": (
        ours("list_container_objects", _BOX, "a b/", None),
        lambda sdk: list(container_client("list_blobs", name_starts_with="a b/")(sdk)),
    ),
    "list a directory": (
        ours("list_directory", _BOX, "a b/", "/", None),
        lambda sdk: list(container_client("walk_blobs", name_starts_with="a b/")(sdk)),
    ),
    "list versions": (
        ours("list_object_versions", _BOX, None, None),
        lambda sdk: list(container_client("list_blobs", include=["versions"])(sdk)),
    ),
    "list uncommitted blobs": (
        ours("list_multipart_uploads", _BOX, None, None),
        lambda sdk: list(container_client("list_blobs", include=["uncommittedblobs"])(sdk)),
    ),
    "get a blob's properties": (
        ours("get_object", "box", _NAME),
        blob_client("get_blob_properties"),
    ),
    "get a version's properties": (
        ours("get_object_version", "box", _NAME, _VERSION),
        blob_client("get_blob_properties", version_id=_VERSION),
    ),
    "read a range": (
        ours("open_object", _OBJECT, 2, 5),
        lambda sdk: blob_client("download_blob", 2, 3)(sdk).readall(),
    ),
    "delete a blob": (ours("delete_object", _OBJECT), blob_client("delete_blob")),
    "delete a version": (
        ours("delete_object", _OLD),
        blob_client("delete_blob", version_id=_VERSION),
    ),
    "store a blob": (
        ours("upload_object", _BOX, whole(CONTENT), _SPEC),
        blob_client("upload_blob", CONTENT, overwrite=True, **_NEW),
    ),
    "store a blob once": (
        ours(
            "upload_object",
            _BOX,
            whole(CONTENT),
            ObjectSpec(_NAME, condition=Condition(if_none_match="*")),
        ),
        blob_client(
            "upload_blob",
            CONTENT,
            overwrite=False,
            content_settings=blob.ContentSettings(content_type="application/octet-stream"),
        ),
    ),
    "put a block": (
        ours("_put_block", _BOX, _NAME, _PARTS[0].etag, whole(CONTENT), {}),
        blob_client("stage_block", "block-1", CONTENT),
    ),
    "list blocks": (
        ours("_block_lists", _BOX, _NAME, "uncommitted"),
        blob_client("get_block_list", "uncommitted"),
    ),
    "set the tier": (
        ours("_set", _OBJECT, "tier", {"x-ms-access-tier": "Cool"}),
        blob_client("set_standard_blob_tier", "Cool"),
    ),
    "set metadata": (
        ours("_set", _OBJECT, "metadata", {"x-ms-meta-owner": "sky"}),
        blob_client("set_blob_metadata", {"owner": "sky"}),
    ),
    "copy a blob": (
        ours("copy_object", _OBJECT, _BOX, "copy", ObjectChanges(storage_class="Cool")),
        lambda sdk: (
            blob_client("get_blob_properties")(sdk),
            sdk.get_blob_client("box", "copy").start_copy_from_url(
                sdk.get_blob_client("box", _NAME).url,
                standard_blob_tier=_COOL,
                source_etag=ETAG,
                source_match_condition=_IF_NOT_MODIFIED,
            ),
        ),
    ),
    "get tags": (ours("get_object_tags", _OBJECT), blob_client("get_blob_tags")),
    "set tags": (
        ours("set_object_tags", _OBJECT, {"a key": "<a&b>"}),
        blob_client("set_blob_tags", {"a key": "<a&b>"}),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_that_of_the_sdk(case, recorder, driver, sdk):
    mine, theirs = CASES[case]

    mine(driver)
    sent = recorder.take()
    theirs(sdk)
    expected = recorder.take()

    assert [told(one) for one in sent] == [told(one) for one in expected]


def test_a_container_is_looked_up_by_head_where_the_sdk_uses_get(recorder, driver, sdk):
    driver.get_container("box")
    (sent,) = recorder.take()
    container_client("get_container_properties")(sdk)
    (expected,) = recorder.take()

    assert told(sent) == ("HEAD", *told(expected)[1:])


def test_blocks_are_named_as_uncommitted_where_the_sdk_takes_the_latest(recorder, driver, sdk):
    ours("complete_multipart_upload", _UPLOAD, _PARTS, _SPEC)(driver)
    (sent,) = recorder.take()
    blocks = [blob.BlobBlock(base64.b64decode(part.etag).decode()) for part in _PARTS]
    blob_client("commit_block_list", blocks, **_NEW)(sdk)
    (expected,) = recorder.take()

    *rest, body = told(expected)
    assert told(sent) == (*rest, body.replace(b"Latest>", b"Uncommitted>"))


def test_a_change_of_type_keeps_the_other_properties(recorder, driver, sdk):
    driver.update_object(_OBJECT, content_type="text/csv")
    _, sent, _ = recorder.take()
    there = blob_client("get_blob_properties")(sdk).content_settings
    there.content_type = "text/csv"
    blob_client("set_http_headers", there, etag=ETAG, match_condition=_IF_NOT_MODIFIED)(sdk)
    _, expected = recorder.take()

    assert told(sent) == told(expected)


def test_a_container_is_opened_as_the_sdk_does_it(recorder, driver, sdk):
    assert driver.enable_container_cdn(_BOX)
    _, sent = recorder.take()
    container_client("set_container_access_policy", {}, public_access="blob")(sdk)
    (expected,) = recorder.take()

    assert told(sent)[:4] == told(expected)[:4]


def test_a_batch_has_the_form_of_the_sdks(recorder, driver, sdk):
    names = ["one", _NAME]
    answer = "--x\r\n" + "--x\r\n".join(
        f"Content-Type: application/http\r\nContent-ID: {number}\r\n\r\nHTTP/1.1 202 Accepted\r\n"
        "x-ms-request-id: 1\r\n\r\n"
        for number in range(2)
    )
    recorder.answers["POST", "batch", False] = (
        202,
        {"Content-Type": "multipart/mixed; boundary=x"},
        f"{answer}--x--\r\n",
    )

    outcomes = driver.delete_objects([replace(_OBJECT, name=name) for name in names])
    (sent,) = recorder.take()
    container_client("delete_blobs", *names)(sdk)
    (expected,) = recorder.take()

    assert outcomes.failed == []
    assert told(sent)[:4] == told(expected)[:4]
    assert parts(sent) == parts(expected)


def parts(request):
    """The requests in a request: request line and names of header fields of each."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    found = []
    for part in request.body.decode().split(f"--{boundary}")[1:-1]:
        outer, inner = part.strip().split("\r\n\r\n", 1)
        line, *fields = inner.strip().splitlines()
        names = {field.partition(":")[0].lower() for field in fields if field}
        found.append(
            (
                sorted(outer.lower().splitlines()),
                line.replace("? HTTP", " HTTP"),
                names - {"x-ms-client-request-id"},
            )
        )
    return found


# -- signatures ----------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_sdk():
    from azure.core.pipeline import PipelineContext, PipelineRequest
    from azure.core.rest import HttpRequest
    from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

    headers = {
        "x-ms-version": "2025-01-05",
        "x-ms-date": "Sun, 22 Nov 2026 12:00:00 GMT",
        **{f"x-ms-meta-{name}": name for name in ("a_b", "ab", "a1", "a", "_a", "z_", "z0")},
        "x-ms-blob-type": "BlockBlob",
        "x-ms-blob-content-type": "text/plain",
        "x-ms-copy-source": "http://127.0.0.1/a/b",
        "x-ms-copy-source-tag-option": "COPY",
        "If-Match": ETAG,
        "Content-Length": "11",
        "Content-MD5": "WsaeKn6NWwrGorvSqLn7PA==",
    }
    params = [("comp", "block"), ("blockid", "a+b/c=="), ("prefix", "ü &?")]
    path = "/anyskytest/box/%C3%BC%20%2B//x"
    query = "comp=block&blockid=a%2Bb%2Fc%3D%3D&prefix=%C3%BC%20%26%3F"
    request = HttpRequest("PUT", f"http://127.0.0.1:10000{path}?{query}", headers=headers)

    SharedKeyCredentialPolicy(ACCOUNT, KEY).on_request(
        PipelineRequest(request, PipelineContext(None))
    )
    text = string_to_sign(ACCOUNT, "PUT", path, params, headers)

    expected = f"SharedKey {ACCOUNT}:{signature(Secret(KEY), text)}"
    assert request.headers["Authorization"] == expected


def test_a_signed_url_is_that_of_the_sdk(monkeypatch):
    module = pytest.importorskip("azure.storage.blob._shared_access_signature")
    monkeypatch.setattr(module, "X_MS_VERSION", "2020-12-06")
    ends = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
    grant = Grant(ACCOUNT, "box", _NAME, "cw", "2026-11-22T13:00:00Z", "https")

    expected = blob.generate_blob_sas(
        ACCOUNT,
        "box",
        _NAME,
        account_key=KEY,
        permission=blob.BlobSasPermissions(create=True, write=True),
        expiry=ends,
        protocol="https",
    )

    assert dict(service_sas(Secret(KEY), grant)) == dict(parse_qsl(expected))
