"""Cloud Storage: what is sent, what answers mean, who is asked."""

from __future__ import annotations

import asyncio
import gzip
import json
from urllib.parse import urlsplit

import pytest
from tests.providers.google.google_support import driver_of, sent
from tests.servers.gcs_imitation import EMAIL, GoogleImitation

from anysky.aio import storage as aio_storage
from anysky.errors import (
    AuthenticationError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidAccountError,
    InvalidContainerNameError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PartialFailureError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.storage import Container, get_driver
from anysky.transport.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)
B = "/storage/v1/b/anysky-box"


# -- containers ----------------------------------------------------------------------------------


def test_buckets_are_made_and_listed_in_the_project_of_the_key(driver, google):
    made = driver.create_container("anysky-box", location="EUROPE-WEST1")
    listed = driver.list_containers()

    assert made.extra["location"] == "EUROPE-WEST1"
    assert made.extra["creation_date"].tzinfo is not None
    assert [each.name for each in listed] == ["anysky-box"]
    assert sent(google) == [
        ("POST", "/storage/v1/b", {"project": "anysky-test"}),
        ("GET", "/storage/v1/b", {"project": "anysky-test", "maxResults": "1000"}),
    ]
    assert google.requests[1].json == {"name": "anysky-box", "location": "EUROPE-WEST1"}


def test_another_project_may_be_named(google):
    with driver_of(google, project="other") as driver, pytest.raises(InvalidRequestError):
        driver.list_containers()
    assert sent(google) == [("GET", "/storage/v1/b", {"project": "other", "maxResults": "1000"})]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "UPPER",
        "-a-",
        "a..b",
        "x" * 64,
        "192.168.0.1",
        "google-box",
        "goog1",
        "a b",
        "ü" * 5,
    ],
)
def test_names_of_buckets_that_break_the_rules_are_not_sent(driver, google, name):
    with pytest.raises(InvalidContainerNameError):
        driver.create_container(name)
    assert google.requests == []


def test_errors_of_buckets(driver, box):
    box.upload_object_via_stream(b"x", "kept")

    with pytest.raises(ContainerAlreadyExistsError):
        driver.create_container("anysky-box")
    with pytest.raises(ContainerIsNotEmptyError):
        box.delete()
    with pytest.raises(ContainerDoesNotExistError):
        driver.get_container("anysky-none")
    with pytest.raises(ContainerDoesNotExistError):
        driver.get_object("anysky-none", "name")
    with pytest.raises(ObjectDoesNotExistError):
        driver.get_object("anysky-box", "none")


def test_a_bucket_deleted_by_an_earlier_try_is_no_error(box, google):
    google.fail_next(None, method="DELETE", after_work=True)

    assert box.delete() is True


# -- lists ---------------------------------------------------------------------------------------


def test_pages_are_walked(google):
    google.page_size = 2
    with driver_of(google) as driver:
        box = driver.create_container("anysky-box")
        for name in ("b", "a/2", "a/1", "c", "ä"):
            box.upload_object_via_stream(b"", name)

        assert [each.name for each in box.list_objects()] == ["a/1", "a/2", "b", "c", "ä"]
        assert [each.name for each in box.list_objects(prefix="a/")] == ["a/1", "a/2"]
        entries = box.list_directory()
        assert [(type(each).__name__, each.name) for each in entries] == [
            ("Prefix", "a/"),
            ("Object", "b"),
            ("Object", "c"),
            ("Object", "ä"),
        ]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_versions_come_by_name_the_latest_first_across_pages(google, size):
    with driver_of(google) as driver:
        box = driver.create_container("anysky-box")
        driver.set_versioning(box, True)
        for name, content in (("a", b"1"), ("b", b"22"), ("a", b"333"), ("a", b"4444"), ("c", b"")):
            box.upload_object_via_stream(content, name)
        box.get_object("b").delete()
        google.page_size = size

        versions = driver.list_object_versions(box)

    assert [(each.name, each.size, each.is_latest) for each in versions] == [
        ("a", 4, True),
        ("a", 3, False),
        ("a", 1, False),
        ("b", 2, False),
        ("c", 0, True),
    ]


# -- reading -------------------------------------------------------------------------------------


def test_content_is_asked_for_as_it_was_stored(box, google):
    obj = box.upload_object_via_stream(b"content", "a/b c")
    google.requests.clear()

    assert b"".join(obj.range_as_stream(2, 4)) == b"nt"

    request = google.requests[0]
    assert request.target == "/download/storage/v1/b/anysky-box/o/a%2Fb%20c?alt=media"
    assert (request.headers["range"], request.headers["accept-encoding"]) == ("bytes=2-3", "gzip")


def test_a_range_beyond_the_end_is_refused(box):
    obj = box.upload_object_via_stream(b"content", "name")

    with pytest.raises(InvalidRequestError, match="'name' ends before byte 7"):
        list(obj.range_as_stream(7))


def test_wrong_bytes_are_seen(box, google):
    obj = box.upload_object_via_stream(b"content", "name")
    google.contents[obj.extra["generation"]] = b"c0ntent"

    with pytest.raises(ObjectHashMismatchError):
        list(obj.as_stream())


def test_a_condition_that_does_not_hold_reads_nothing(driver, box):
    obj = box.upload_object_via_stream(b"content", "name")
    own = obj.extra["etag"]

    assert b"".join(driver.download_object_as_stream(obj, if_match=own)) == b"content"
    for condition in ({"if_match": "1"}, {"if_none_match": own}):
        with pytest.raises(PreconditionFailedError):
            list(driver.download_object_as_stream(obj, **condition))


# -- copies and changes --------------------------------------------------------------------------


def test_a_large_copy_takes_several_calls(box, google):
    obj = box.upload_object_via_stream(b"content", "from")
    google.rewrite_calls = 3
    google.requests.clear()

    copied = obj.copy(box, "to")

    assert b"".join(copied.as_stream()) == b"content"
    tokens = [query.get("rewriteToken") for method, _, query in sent(google) if method == "POST"]
    assert tokens == [None, "1", "2"]


def test_a_copy_without_end_is_an_error(box, google):
    obj = box.upload_object_via_stream(b"content", "from")
    google.fail_next(200, method="POST", body={"done": False})

    with pytest.raises(MalformedResponseError, match="does not come to an end"):
        obj.copy(box, "to")


def test_changes_keep_what_is_not_named(box):
    extra = {"content_type": "text/csv", "meta_data": {"a": "1", "b": "2"}}
    headers = {"Cache-Control": "no-store"}
    obj = box.upload_object_via_stream(b"content", "name", extra, headers=headers)

    patched = obj.update(meta_data={"b": "3"})
    moved = patched.update(storage_class="NEARLINE")

    assert (patched.meta_data, patched.extra["generation"]) == ({"b": "3"}, obj.extra["generation"])
    assert (moved.meta_data, moved.extra["content_type"]) == ({"b": "3"}, "text/csv")
    assert (moved.extra["cache_control"], moved.extra["storage_class"]) == ("no-store", "NEARLINE")
    assert moved.extra["generation"] != obj.extra["generation"]


def test_a_change_at_the_same_moment_is_tried_again(box, google):
    obj = box.upload_object_via_stream(b"content", "name")
    google.fail_next(412, method="PATCH", times=2)

    assert obj.update(content_type="text/csv").extra["content_type"] == "text/csv"


def test_a_move_whose_answer_was_lost_has_moved_it(box, google):
    obj = box.upload_object_via_stream(b"content", "from")
    google.fail_next(None, path=f"{B}/o/from/moveTo/o/to", after_work=True)

    moved = obj.move(box, "to")

    assert (moved.name, [each.name for each in box.list_objects()]) == ("to", ["to"])


def test_a_move_between_buckets_that_fails_half_way_says_so(driver, box, google):
    other = driver.create_container("anysky-other")
    obj = box.upload_object_via_stream(b"content", "from")
    google.fail_next(403, method="DELETE", path=f"{B}/o/from")

    with pytest.raises(PartialFailureError) as caught:
        obj.move(other, "to")

    assert [(each.container.name, each.name) for each in caught.value.created] == [
        ("anysky-other", "to")
    ]


def test_many_are_deleted_by_one_request(driver, box, google):
    objects = [box.upload_object_via_stream(b"", f"{number} ü/") for number in range(3)]
    objects[1].delete()
    google.requests.clear()

    outcomes = driver.delete_objects(objects)

    assert list(outcomes) == [objects[0], objects[2]]
    assert [type(each.error) for each in outcomes.failed] == [ObjectDoesNotExistError]
    assert sent(google) == [("POST", "/batch/storage/v1", {})]
    assert box.list_objects() == []


# -- for anybody ---------------------------------------------------------------------------------


def test_a_bucket_becomes_public_once(driver, box, google):
    assert box.enable_cdn() is True
    assert box.enable_cdn() is True

    binding = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}
    assert google.policies["anysky-box"]["bindings"] == [binding]
    assert [method for method, *_ in sent(google)] == ["GET", "PUT", "GET"]
    assert box.get_cdn_url() == f"{google.url}/anysky-box"


def test_an_object_becomes_public(box, google):
    obj = box.upload_object_via_stream(b"", "name")

    assert obj.enable_cdn() is True
    assert google.public == [("anysky-box", "name", "allUsers")]


def test_a_signed_url_names_the_account_and_no_secret(driver, box, google):
    obj = box.upload_object_via_stream(b"content", "a b/ü")
    google.requests.clear()

    parts = urlsplit(obj.get_cdn_url(ex_expiry=2))

    assert parts.path == "/anysky-box/a%20b/%C3%BC"
    assert f"X-Goog-Credential={EMAIL.replace('@', '%40')}%2F" in parts.query
    assert "X-Goog-Expires=7200" in parts.query
    assert google.requests == []


@pytest.mark.parametrize("arguments", [("GET", 0), ("GET", 604_801), ("PATCH", 60)])
def test_signed_urls_that_cannot_be(driver, box, google, arguments):
    method, expires = arguments
    with pytest.raises(InvalidRequestError):
        driver.presign(box, "name", method, expires=expires)


# -- refusals ------------------------------------------------------------------------------------


def refusal(status, reason, message="no"):
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return {"error": error}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, refusal(400, "invalid"), InvalidRequestError, "invalid"),
        (403, refusal(403, "forbidden"), PermissionDeniedError, "forbidden"),
        (403, refusal(403, "rateLimitExceeded"), RateLimitedError, "rateLimitExceeded"),
        (403, refusal(403, "userRateLimitExceeded"), RateLimitedError, "userRateLimitExceeded"),
        (403, refusal(403, "quotaExceeded"), QuotaExceededError, "quotaExceeded"),
        (412, refusal(412, "conditionNotMet"), PreconditionFailedError, "conditionNotMet"),
        (429, refusal(429, "rateLimitExceeded"), RateLimitedError, "rateLimitExceeded"),
        (500, refusal(500, "backendError"), ProviderUnavailableError, "backendError"),
        (503, b"<html>", ProviderUnavailableError, ""),
    ],
)
def test_refusals_have_kinds(google, status, body, kind, code):
    google.fail_next(status, body=body, method="GET")
    with driver_of(google, retry=ONCE) as driver, pytest.raises(kind) as caught:
        driver.get_container("anysky-box")

    assert (type(caught.value), caught.value.status, caught.value.code) == (kind, status, code)


def test_403_for_want_of_time_is_tried_again(driver, box, google):
    google.fail_next(403, method="GET", body=refusal(403, "rateLimitExceeded"))

    assert driver.get_container("anysky-box").name == "anysky-box"


def test_an_expired_token_is_replaced(driver, box, google):
    google.tokens.clear()

    assert driver.get_container("anysky-box").name == "anysky-box"
    assert [request.path for request in google.requests] == [B, "/token", B]


def test_a_token_that_is_refused_twice_is_an_error(google):
    with driver_of(google, credentials=None, token="canary-token-123") as driver:
        box = _box(driver)
        with pytest.raises(AuthenticationError) as caught:
            box.list_objects()

    assert "canary" not in repr(vars(caught.value)) + str(caught.value)


# -- accounts ------------------------------------------------------------------------------------


def test_nothing_is_sent_when_a_driver_is_made(google):
    with driver_of(google):
        assert google.requests == []


def test_an_emulator_gets_no_credentials(monkeypatch):
    with GoogleImitation(anonymous=True) as google:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.url.removeprefix("http://"))
        with get_driver("google_storage")(google.key_file) as driver:
            with pytest.raises(ContainerDoesNotExistError):
                driver.get_container("anysky-box")
            with pytest.raises(PermissionDeniedError, match="credentials of a service account"):
                driver.presign(_box(driver), "name")

        assert [request.headers.get("authorization") for request in google.requests] == [None]


def _box(driver):
    return Container("anysky-box", {}, driver)


def test_an_hmac_key_is_for_the_other_api():
    with pytest.raises(InvalidAccountError, match="GOOGLE_STORAGE_HMAC"):
        get_driver("google_storage")("GOOG1EXAMPLE", "canary-secret")


def test_an_hmac_key_signs_as_for_s3(faults):
    with get_driver("google_storage_hmac")("GOOG1EXAMPLE", "canary", endpoint=faults.url) as driver:
        driver.get_container("anysky-box")

        assert not driver.supports("list_object_versions")
        assert driver.supports("presign")
    request = faults.requests[0]
    assert (request.method, request.path) == ("HEAD", "/anysky-box")
    scheme = "AWS4-HMAC-SHA256 Credential=GOOG1EXAMPLE/"
    assert request.headers["authorization"].startswith(scheme)
    assert "/auto/s3/aws4_request" in request.headers["authorization"]


def test_no_secret_is_shown(google):
    pem = json.loads(google.key_file)["private_key"]
    with driver_of(google) as driver:
        driver.create_container("anysky-box")
        shown = repr((driver, driver.account, vars(driver.account), driver._backend.connection))

    assert pem.splitlines()[3] not in shown
    assert not any(token in shown for token in google.tokens)


def test_a_machine_without_credentials_says_where_to_get_them(monkeypatch, tmp_path, google):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with driver_of(google, credentials=None, retry=ONCE) as driver:
        box = _box(driver)
        with pytest.raises(InvalidAccountError, match="gcloud auth"):
            box.list_objects()
    assert google.requests == []


def test_every_request_is_one_of_google_s_own_description(driver, box, google):
    """The imitation compares each request; here is what of the description is used."""
    obj = box.upload_object_via_stream(b"content", "a", {"meta_data": {"b": "c"}, "acl": "private"})
    other = driver.create_container("anysky-other")
    driver.set_versioning(box, True)
    driver.get_versioning(box)
    driver.list_containers()
    obj.copy(other, "b", content_type="text/csv", storage_class="NEARLINE")
    obj.update(meta_data={}).move(box, "c")
    driver.list_object_versions(box)
    box.list_directory()
    found = box.get_object("c")
    version = driver.get_object_version("anysky-box", "c", found.extra["version_id"])
    list(version.as_stream())
    found.enable_cdn()
    box.enable_cdn()
    version.delete()
    driver.get_container("anysky-other").get_object("b").delete()
    other.delete()

    assert google.discovery.called == {
        f"storage.{name}"
        for name in (
            "buckets.delete",
            "buckets.get",
            "buckets.getIamPolicy",
            "buckets.insert",
            "buckets.list",
            "buckets.patch",
            "buckets.setIamPolicy",
            "objectAccessControls.insert",
            "objects.delete",
            "objects.get",
            "objects.insert",
            "objects.list",
            "objects.move",
            "objects.patch",
            "objects.rewrite",
        )
    }


async def _asyncio_content(google):
    given = {"credentials": google.key_file, "endpoint": google.url, "rate": 0}
    async with aio_storage.get_driver("google_storage")(**given) as driver:
        obj = await driver.get_object("anysky-box", "name.gz")
        return b"".join([piece async for piece in obj.as_stream()])


def test_compressed_content_comes_as_it_was_stored(box, google):
    content = gzip.compress(b"content")
    obj = box.upload_object_via_stream(content, "name.gz", headers={"Content-Encoding": "gzip"})

    assert (obj.size, obj.extra["content_encoding"]) == (len(content), "gzip")
    assert b"".join(obj.as_stream()) == content
    assert asyncio.run(_asyncio_content(google)) == content


def test_content_that_was_compressed_on_its_way_is_refused(box, google):
    obj = box.upload_object_via_stream(b"content", "name")
    headers = {"Content-Encoding": "gzip", "X-Goog-Stored-Content-Encoding": "identity"}
    google.fail_next(200, body=b"whatever", headers=headers, path="/download/.*")

    with pytest.raises(MalformedResponseError, match="comes as gzip, and was not stored so"):
        list(obj.as_stream())


async def _names(google):
    given = {"credentials": google.key_file, "endpoint": google.url, "rate": 0}
    async with aio_storage.get_driver("google_storage")(**given) as driver:
        box = await driver.create_container("anysky-box")
        await box.upload_object_via_stream(b"content", "name")
        return [each.name async for each in box.iterate_objects()]


def test_the_asyncio_api_does_the_same(google):
    assert asyncio.run(_names(google)) == ["name"]
