"""Blob Storage on Azurite: what Azure has and other object storage has not."""

from __future__ import annotations

import hashlib
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from tests.servers.azurite import Azurite, azurite_program

from anysky.errors import (
    AuthenticationError,
    ConflictError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    PermissionDeniedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, ObjectSpec
from anysky.run import run
from anysky.secret import Secret
from anysky.storage import get_driver
from anysky.transport.base import Body
from anysky.wire.azure_shared_key import signature

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(azurite_program() is None, reason="npm install azurite"),
]

# Azurite says AuthorizationFailure where Azure says AuthenticationFailed.
REFUSED = (AuthenticationError, PermissionDeniedError)


@pytest.fixture(scope="module")
def azurite():
    with Azurite() as server:
        yield server


@pytest.fixture
def driver(azurite):
    with get_driver("azure_blobs")(azurite.account, azurite.key, endpoint=azurite.url) as made:
        yield made


@pytest.fixture
def box(driver, request):
    digest = hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    return driver.create_container(f"box-{digest}")


def body(content):
    return Body(lambda: iter([content]), len(content), replayable=True)


def ask(driver, method, /, *arguments, **named):
    return run(getattr(driver._backend, method)(*arguments, **named))


def content(obj):
    return b"".join(obj.as_stream())


def container_sas(azurite, container, permissions="rwdl", hours=1):
    """Return a SAS for one container."""
    ends = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    version, resource = "2020-12-06", f"/blob/{azurite.account}/{container}"
    text = [permissions, "", ends, resource, "", "", "", version, "c", *[""] * 7]
    signed = signature(Secret(azurite.key), "\n".join(text))
    return urlencode({"sv": version, "se": ends, "sr": "c", "sp": permissions, "sig": signed})


# -- signing in ----------------------------------------------------------------------------------


def test_a_wrong_key_is_refused(azurite):
    wrong = "d3Jvbmcga2V5IHdyb25nIGtleQ=="
    made = get_driver("azure_blobs")(azurite.account, wrong, endpoint=azurite.url)
    with made as driver, pytest.raises(REFUSED) as caught:
        driver.list_containers()

    assert wrong not in repr(vars(caught.value))


def test_a_signature_that_has_ended_is_refused(azurite, box):
    ended = container_sas(azurite, box.name, hours=-1)
    made = get_driver("azure_blobs")(sas_token=ended, endpoint=azurite.url)
    with made as driver, pytest.raises(REFUSED):
        driver.list_container_objects(box)


def test_a_signature_for_one_container_is_good_for_no_other(azurite, driver, box):
    box.upload_object_via_stream(b"x", "one")
    other = driver.create_container("not-granted")
    sas = container_sas(azurite, box.name)
    with get_driver("azure_blobs")(sas_token=f"?{sas}", endpoint=azurite.url) as granted:
        names = [obj.name for obj in granted.list_container_objects(box)]
        with pytest.raises(REFUSED):
            granted.list_container_objects(other)
        with pytest.raises(UnsupportedOperationError):
            granted.presign(box, "one")

    assert names == ["one"]


def test_a_signature_for_a_container_deletes_together(azurite, box):
    objects = [box.upload_object_via_stream(b"x", f"n {number}?") for number in range(3)]
    sas = container_sas(azurite, box.name)
    with get_driver("azure_blobs")(sas_token=sas, endpoint=azurite.url) as granted:
        outcomes = granted.delete_objects(objects)

    assert outcomes.failed == []
    assert box.list_objects() == []


@pytest.mark.parametrize("with_endpoint", [True, False], ids=["endpoint", "account in the path"])
def test_a_connection_string_says_all(azurite, box, with_endpoint):
    string = f"AccountName={azurite.account};AccountKey={azurite.key}"
    given = {}
    if with_endpoint:
        string += f";BlobEndpoint={azurite.url}/"
    else:
        given["endpoint"] = azurite.url.rpartition("/")[0]
    with get_driver("azure_blobs")(connection_string=string, **given) as driver:
        assert driver.get_container(box.name).name == box.name


def test_anybody_reads_what_is_open(azurite, driver, box):
    obj = box.upload_object_via_stream(b"for all", "open & free.txt")
    with get_driver("azure_blobs")(
        azurite.account, endpoint=azurite.url, auth="anonymous"
    ) as anybody:
        with pytest.raises((*REFUSED, NotFoundError)):
            anybody.get_object(box.name, obj.name)
        assert driver.enable_container_cdn(box)
        found = content(anybody.get_object(box.name, obj.name))

    assert found == b"for all"
    assert driver.get_container(box.name).extra["public_access"] == "blob"
    url = f"{driver.get_container_cdn_url(box)}/open%20%26%20free.txt"
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"for all"


def test_opening_a_container_keeps_its_policies(driver, box):
    policy = (
        b"<SignedIdentifiers><SignedIdentifier><Id>keep-me</Id><AccessPolicy>"
        b"<Start>2026-01-01T00:00:00.0000000Z</Start><Expiry>2036-01-01T00:00:00.0000000Z</Expiry>"
        b"<Permission>r</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>"
    )
    acl = [("restype", "container"), ("comp", "acl")]
    xml = {"content-type": "application/xml"}
    ask(driver, "_send", "PUT", box.name, params=acl, headers=xml, body=policy, operation="x")

    driver.enable_container_cdn(box)

    there = ask(driver, "_send", "GET", box.name, params=acl, operation="x")
    assert there.headers["x-ms-blob-public-access"] == "blob"
    assert b"<Id>keep-me</Id>" in there.body


# -- URLs ----------------------------------------------------------------------------------------


def test_a_url_stores_and_reads_one_blob(driver, box):
    put = driver.presign(box, "a ü/+?.txt", "PUT", 60)
    request = urllib.request.Request(put.url, b"by url", dict(put.headers), method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201
    url = driver.get_object_cdn_url(box.get_object("a ü/+?.txt"), ex_expiry=0.5)

    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"by url"
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(url.replace("%2B", "%2C", 1))
    assert put.expires_at > datetime.now(UTC)
    assert "sig=" not in repr(put)


# -- containers ----------------------------------------------------------------------------------


def test_a_full_container_is_not_deleted_though_azure_would(driver, box):
    box.upload_object_via_stream(b"x", "kept")

    with pytest.raises(ConflictError):
        box.delete()

    assert [obj.name for obj in box.list_objects()] == ["kept"]


def test_the_location_is_the_accounts(driver):
    with pytest.raises(InvalidRequestError, match="region of its account"):
        driver.create_container("box-elsewhere", "westeurope")


def test_a_container_that_is_there_is_not_made_again(driver, box):
    with pytest.raises(ContainerAlreadyExistsError):
        driver.create_container(box.name)


# -- blobs ---------------------------------------------------------------------------------------


def test_header_fields_of_uploads_describe_the_blob(box):
    headers = {"Cache-Control": "max-age=60", "Content-Language": "de", "Content-Encoding": "x-y"}
    box.upload_object_via_stream(b"x", "name", headers=headers)

    extra = box.get_object("name").extra

    known = {
        name: extra[name] for name in ("cache_control", "content_language", "content_encoding")
    }
    assert known == {
        "cache_control": "max-age=60",
        "content_language": "de",
        "content_encoding": "x-y",
    }


def test_metadata_of_any_text_comes_back(box):
    given = {"owner": "Zoë", "_2": " spaces ", "empty": "", "coded": "=?UTF-8?B?eA==?="}
    box.upload_object_via_stream(b"x", "name", {"meta_data": given})

    assert box.get_object("name").meta_data == given


@pytest.mark.parametrize("name", ["with-hyphen", "1st", "", "ü", "a b"])
def test_names_of_metadata_are_identifiers(box, name):
    with pytest.raises(InvalidRequestError, match="metadata cannot be named"):
        box.upload_object_via_stream(b"x", "name", {"meta_data": {name: "x"}})


def test_a_wrong_digest_is_refused(driver, box):
    wrong = hashlib.md5(b"else", usedforsecurity=False).hexdigest()

    with pytest.raises(InvalidRequestError, match="contentMD5"):
        ask(driver, "upload_object", box, body(b"x"), ObjectSpec("name", md5=wrong))

    assert box.list_objects() == []


def test_a_change_of_type_keeps_what_else_is_known(driver, box):
    headers = {"Cache-Control": "max-age=60", "Content-Disposition": "inline"}
    extra = {"meta_data": {"owner": "sky"}}
    obj = box.upload_object_via_stream(b"x", "name", extra, headers)

    changed = obj.update(content_type="text/csv")

    wanted = ("cache_control", "content_disposition", "content_type")
    known = {name: changed.extra[name] for name in wanted}
    assert known == {
        "cache_control": "max-age=60",
        "content_disposition": "inline",
        "content_type": "text/csv",
    }
    assert (changed.meta_data, changed.hash) == ({"owner": "sky"}, obj.hash)


def test_a_copy_has_the_tags_of_its_source(driver, box):
    tags = {"project": "a b/c", "stage": "test"}
    obj = box.upload_object_via_stream(b"x", "name", tags=tags)

    copy = obj.copy(box, "copy", content_type="text/csv", meta_data={})

    assert copy.get_tags() == tags
    assert (copy.extra["content_type"], copy.meta_data) == ("text/csv", {})


def test_a_leased_blob_is_in_use(driver, box):
    obj = box.upload_object_via_stream(b"x", "name")
    lease = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}
    params = [("comp", "lease")]
    held = ask(
        driver, "_send", "PUT", box.name, "name", params=params, headers=lease, operation="x"
    )

    with pytest.raises(ConflictError) as caught:
        obj.delete()
    assert not isinstance(caught.value, PreconditionFailedError)
    headers = {"x-ms-lease-id": held.headers["x-ms-lease-id"]}
    box.upload_object_via_stream(b"by its holder", "name", headers=headers)

    assert content(box.get_object("name")) == b"by its holder"


def test_a_blob_with_snapshots_is_not_deleted_by_the_way(driver, box):
    obj = box.upload_object_via_stream(b"x", "name")
    ask(driver, "_send", "PUT", box.name, "name", params=[("comp", "snapshot")], operation="x")

    with pytest.raises(ConflictError, match="snapshot"):
        obj.delete()

    assert [one.name for one in box.list_objects()] == ["name"]
    driver.ex_delete_snapshots(obj)
    assert obj.delete()


# -- parts ---------------------------------------------------------------------------------------


def begin(driver, box, name="parts", content=b"one part"):
    upload = ask(driver, "begin_multipart_upload", box, ObjectSpec(name))
    ask(driver, "upload_part", upload, 1, 0, body(content), is_last=True, checksums={})
    return upload


def test_parts_are_ended_where_there_is_no_blob(driver, box):
    upload = begin(driver, box)

    driver.abort_multipart_upload(upload)

    assert box.list_objects() == []
    assert driver.list_multipart_uploads(box) == []
    with pytest.raises(NotFoundError):
        driver.abort_multipart_upload(upload)


def test_parts_stay_where_there_is_a_blob(driver, box):
    obj = box.upload_object_via_stream(b"precious", "parts")
    upload = begin(driver, box)

    with pytest.raises(ConflictError, match="within a week"):
        driver.abort_multipart_upload(upload)

    assert content(obj) == b"precious"
    assert driver.list_multipart_uploads(box, "parts") == [upload]


def test_parts_stay_where_there_are_others(driver, box):
    first, second = begin(driver, box), begin(driver, box)

    with pytest.raises(ConflictError, match="other uploads"):
        driver.abort_multipart_upload(first)

    uploads = {upload.upload_id for upload in driver.list_multipart_uploads(box)}
    assert uploads == {first.upload_id, second.upload_id}


def test_an_upload_knows_when_it_was_begun(driver, box):
    upload = begin(driver, box)

    (found,) = driver.list_multipart_uploads(box)

    assert found == upload
    assert abs(datetime.now(UTC) - found.initiated) < timedelta(minutes=1)


def test_blocks_of_others_are_one_upload(driver, box):
    block = [("comp", "block"), ("blockid", "b3RoZXJz")]
    ask(driver, "_send", "PUT", box.name, "parts", params=block, body=b"x", operation="x")

    (found,) = driver.list_multipart_uploads(box)
    assert (found.name, found.upload_id, found.initiated) == ("parts", "uncommitted", None)
    with pytest.raises(InvalidRequestError, match="names of another length"):
        begin(driver, box)
    driver.abort_multipart_upload(found)

    assert driver.list_multipart_uploads(box) == []


def test_parts_without_a_container(driver):
    with pytest.raises(ContainerDoesNotExistError):
        begin(driver, Container("no-such-container"))


def test_a_version_that_is_not_there(driver, box):
    box.upload_object_via_stream(b"x", "name")

    with pytest.raises((ObjectDoesNotExistError, InvalidRequestError)):
        driver.get_object_version(box.name, "missing", "2026-11-22T12:00:00.0000000Z")
