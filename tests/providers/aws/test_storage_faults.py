"""What becomes of uploads and downloads when the line or the provider fails, in both APIs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
import threading
from datetime import UTC, datetime

import pytest
from tests.providers.aws.storage_support import Asyncio, Blocking, read
from tests.support import faults as f

import anysky
from anysky import storage
from anysky.aio import storage as aio_storage
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    ProviderUnavailableError,
    RateLimitedError,
)
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.providers.aws.storage import S3
from anysky.transport.base import Body
from anysky.transport.retry import RetryPolicy

BOX = Container("box")
BODY = bytes(range(256)) * 4096
OBJECT = Object("folder/file", len(BODY), None, {}, {}, BOX)
TYPE = ("Content-Type", "application/octet-stream")
SLOW_DOWN = f.Answer(503, b"<Error><Code>SlowDown</Code><Message>Slower.</Message></Error>")
STORED = f.Answer(200, b"", (("ETag", '"x"'),))


@pytest.fixture(params=[Blocking, Asyncio])
def api(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def driver(api, faults):
    faults.otherwise = f.Answer(200, BODY, (TYPE,))
    driver = api.get_driver("s3")(
        "key", "secret", endpoint=faults.url, retry=RetryPolicy(base=0.001, throttled_base=0.001)
    )
    yield driver
    api.do(driver.close())


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file"


def names_in(directory):
    return [path.name for path in directory.iterdir()]


# -- downloads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [f.TruncatedBody(BODY), f.ShortChunkedBody(BODY[:-1]), f.ResetInBody(BODY)]
)
def test_download_that_is_cut_short_leaves_the_old_file(api, driver, faults, target, fault):
    target.write_text("old")
    cut = faults.next(fault)

    with pytest.raises(ConnectionFailedError):
        api.do(driver.download_object(OBJECT, target, overwrite_existing=True))

    assert cut.hits == 1
    assert (names_in(target.parent), target.read_text()) == (["file"], "old")


def test_stream_that_is_cut_short_fails(api, driver, faults):
    faults.next(f.TruncatedBody(BODY))

    with pytest.raises(ConnectionFailedError):
        api.do(driver.download_object_as_stream(OBJECT))


def etag(value):
    return ("ETag", f'"{value}"')


RIGHT = hashlib.md5(BODY).hexdigest()
WRONG = "0" * 32


def test_download_with_a_wrong_byte_leaves_the_old_file(api, driver, faults, target):
    target.write_text("old")
    faults.next(f.Answer(200, BODY, (etag(WRONG),)))

    with pytest.raises(ObjectHashMismatchError, match=RIGHT):
        api.do(driver.download_object(OBJECT, target, overwrite_existing=True))

    assert (names_in(target.parent), target.read_text()) == (["file"], "old")


def test_stream_with_a_wrong_byte_fails_at_its_end(api, driver, faults):
    faults.next(f.Answer(200, BODY, (etag(WRONG),)))

    with pytest.raises(ObjectHashMismatchError):
        api.do(driver.download_object_as_stream(OBJECT))


@pytest.mark.parametrize(
    "headers",
    [
        (etag(RIGHT),),
        (etag(RIGHT.upper()),),
        (etag(f"{WRONG}-2"),),
        (etag("0x8D92C7F25CFD3C0"),),
        (etag(WRONG), ("x-amz-server-side-encryption", "aws:kms")),
        (etag(WRONG), ("x-amz-server-side-encryption-customer-algorithm", "AES256")),
    ],
    ids=["MD5", "capitals", "parts", "no MD5", "KMS", "key of the customer"],
)
def test_content_is_compared_only_with_an_etag_that_is_its_md5(api, driver, faults, headers):
    faults.next(f.Answer(200, BODY, headers))

    assert read(api, driver.download_object_as_stream(OBJECT)) == BODY


def test_range_is_not_compared_with_the_digest_of_the_whole(api, driver, faults):
    part = ("Content-Range", f"bytes 0-9/{len(BODY)}")
    faults.next(f.Answer(206, BODY[:10], (etag(RIGHT), part)))

    assert read(api, driver.download_object_range_as_stream(OBJECT, 0, 10)) == BODY[:10]


def test_part_that_came_before_a_failure_is_kept_on_demand(api, driver, faults, target):
    faults.next(f.TruncatedBody(BODY))

    with pytest.raises(ConnectionFailedError):
        api.do(driver.download_object(OBJECT, target, delete_on_failure=False))

    assert [name[:8] + name[-5:] for name in names_in(target.parent)] == [".anysky..part"]


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1])
def test_object_that_has_another_length_by_now(api, driver, target, size):
    listed = Object("folder/file", size, None, {}, {}, BOX)

    with pytest.raises(ObjectHashMismatchError, match=f"in place of {size}"):
        api.do(driver.download_object(listed, target))

    assert not names_in(target.parent)


def test_whole_object_in_place_of_a_range(api, driver, target):
    with pytest.raises(MalformedResponseError, match="range"):
        api.do(driver.download_object_range(OBJECT, target, 5, 10))

    assert not names_in(target.parent)


def test_object_that_is_gone(api, driver, faults, target):
    faults.otherwise = f.Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    with pytest.raises(ObjectDoesNotExistError):
        api.do(driver.download_object(OBJECT, target))

    assert not names_in(target.parent)


def test_download_is_tried_again_until_it_begins(api, driver, faults, target):
    slow, reset = faults.next(SLOW_DOWN), faults.next(f.ResetAfterRequest())

    assert api.do(driver.download_object(OBJECT, target)) is True

    assert (slow.hits, reset.hits, target.read_bytes()) == (1, 1, BODY)


# -- targets of downloads --------------------------------------------------------------------------


def test_file_that_is_there_is_not_replaced_unless_asked(api, driver, faults, target):
    target.write_text("old")

    with pytest.raises(InvalidRequestError, match="overwrite_existing"):
        api.do(driver.download_object(OBJECT, target))
    assert (target.read_text(), faults.requests) == ("old", [])

    api.do(driver.download_object(OBJECT, target, overwrite_existing=True))
    assert target.read_bytes() == BODY


def test_link_to_nowhere_is_a_file_that_is_there(api, driver, target):
    target.symlink_to(target.parent / "elsewhere")

    with pytest.raises(InvalidRequestError, match="exists"):
        api.do(driver.download_object(OBJECT, target))
    api.do(driver.download_object(OBJECT, target, overwrite_existing=True))

    assert (target.is_symlink(), names_in(target.parent)) == (False, ["file"])


def test_file_that_somebody_makes_meanwhile_is_not_replaced(api, driver, target, monkeypatch):
    real = os.link

    def link(source, destination):
        target.write_text("theirs")
        real(source, destination)

    monkeypatch.setattr(os, "link", link)

    with pytest.raises(InvalidRequestError, match="exists"):
        api.do(driver.download_object(OBJECT, target))

    assert (target.read_text(), names_in(target.parent)) == ("theirs", ["file"])


def test_file_system_without_hard_links(api, driver, target, monkeypatch):
    def link(source, destination):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)

    api.do(driver.download_object(OBJECT, target))

    assert (target.read_bytes(), names_in(target.parent)) == (BODY, ["file"])


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_follow_the_umask(api, driver, target, mask, mode):
    before = os.umask(mask)
    try:
        api.do(driver.download_object(OBJECT, target))
    finally:
        os.umask(before)

    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_temporary_file_is_new_and_follows_no_link(api, driver, target, monkeypatch):
    monkeypatch.setattr("anysky.transfer.targets.secrets.token_hex", lambda _: "known")
    victim = target.with_name("victim")
    victim.write_text("untouched")
    target.with_name(".anysky.known.part").symlink_to(victim)

    with pytest.raises(InvalidRequestError, match="cannot write"):
        api.do(driver.download_object(OBJECT, target))

    assert victim.read_text() == "untouched"


def test_directory_gets_a_file_named_as_the_object(api, driver, tmp_path):
    api.do(driver.download_object(OBJECT, tmp_path))

    assert (tmp_path / "file").read_bytes() == BODY


def test_file_with_the_longest_name_there_is(api, driver, tmp_path):
    target = tmp_path / ("é" * 127)

    api.do(driver.download_object(OBJECT, target))

    assert target.read_bytes() == BODY


@pytest.mark.parametrize("name", ["..", "a/..", "a/.", "folder/", "a/b\0c"])
def test_name_that_leads_out_of_the_directory_is_refused(api, driver, faults, tmp_path, name):
    hostile = Object(name, 1, None, {}, {}, BOX)

    with pytest.raises(InvalidRequestError, match="no name for a file"):
        api.do(driver.download_object(hostile, tmp_path))

    assert (names_in(tmp_path), faults.requests) == ([], [])


@pytest.mark.parametrize("name", ["missing/file", "a\0b"])
def test_file_that_cannot_be_written(api, driver, faults, tmp_path, name):
    with pytest.raises(InvalidRequestError, match="cannot write"):
        api.do(driver.download_object(OBJECT, tmp_path / name))

    assert faults.requests == []


# -- uploads ---------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(BODY)
    return path


@pytest.mark.parametrize("fault", [SLOW_DOWN, f.ResetAfterRequest(), f.CloseWithoutAnswer()])
def test_file_is_sent_again(api, driver, faults, file, fault):
    failed = faults.next(fault, method="PUT")
    faults.otherwise = STORED

    stored = api.do(driver.upload_object(file, BOX, "k"))

    assert (failed.hits, stored.size, stored.hash) == (1, len(BODY), "x")
    assert [(one.method, one.body) for one in faults.requests] == [("PUT", BODY)] * 2


def test_iterator_is_not_sent_again(api, driver, faults):
    faults.next(f.ResetAfterRequest())
    once = Body(lambda: iter([BODY]), len(BODY))

    with pytest.raises(OutcomeUnknownError):
        api.do(driver.call(S3.upload_object, BOX, once, ObjectSpec("k")))

    assert len(faults.requests) == 1


def test_provider_that_stays_slow(api, driver, faults, file):
    faults.otherwise = SLOW_DOWN

    with pytest.raises(RateLimitedError, match="Slower") as caught:
        api.do(driver.upload_object(file, BOX, "k"))

    assert (caught.value.attempts, caught.value.retryable) == (4, True)


def test_provider_that_has_other_bytes(api, driver, faults, file):
    faults.otherwise = f.Answer(200, b"", (("ETag", f'"{"0" * 32}"'),))

    with pytest.raises(ObjectHashMismatchError, match="the provider has 0000"):
        api.do(driver.upload_object(file, BOX, "k"))
    stored = api.do(driver.upload_object(file, BOX, "k", verify_hash=False))

    assert stored.hash == "0" * 32


def test_error_in_a_good_answer(api, driver, faults):
    faults.otherwise = f.Answer(
        200, b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    )

    with pytest.raises(Exception, match=r"No\.") as caught:
        api.do(driver.copy_object(OBJECT, BOX, "copy"))

    assert caught.value.code == "AccessDenied"


def test_source_that_fails(api, driver, faults):
    def pieces():
        yield BODY
        raise KeyError("mine")

    with pytest.raises(InvalidRequestError, match="cannot be read: 'mine'") as caught:
        api.do(driver.upload_object_via_stream(pieces(), BOX, "k"))

    assert isinstance(caught.value.__cause__, KeyError)
    assert faults.requests == []


@pytest.mark.parametrize("pieces", [["text"], [1], "text", 5, None])
def test_source_that_gives_no_bytes(api, driver, faults, pieces):
    with pytest.raises(InvalidRequestError, match="bytes"):
        api.do(driver.upload_object_via_stream(pieces, BOX, "k"))

    assert faults.requests == []


class Changing:
    """A file that is not as long as it says."""

    def __init__(self, length, content):
        self.length = length
        self.content = content
        self.left = content

    def tell(self):
        return 0

    def seek(self, place, whence=0):
        self.left = self.content
        return self.length if whence else place

    def read(self, size):
        piece, self.left = self.left[:size], self.left[size:]
        return piece


@pytest.mark.parametrize(("length", "how"), [(9, "more"), (11, "fewer")])
def test_file_that_changes_while_it_is_sent(api, driver, length, how):
    with pytest.raises(InvalidRequestError, match=how):
        api.do(driver.upload_object_via_stream(Changing(length, b"0123456789"), BOX, "k"))


def test_file_that_is_not_there(api, driver, faults, tmp_path):
    with pytest.raises(InvalidRequestError, match="No such file"):
        api.do(driver.upload_object(tmp_path / "none", BOX, "k"))
    with pytest.raises(InvalidRequestError, match="cannot read"):
        api.do(driver.upload_object("a\0b", BOX, "k"))

    assert faults.requests == []


def test_length_of_an_object_too_large_for_memory_is_read(api, driver, faults):
    size = 1 << 40
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nLast-Modified: {{}}\r\n\r\n"
    faults.next(f.Raw(head.format("Wed, 04 Mar 2026 05:06:07 GMT").encode()))

    found = api.do(driver.get_object("box", "k"))

    assert (found.size, found.hash) == (size, None)
    assert found.extra == {"last_modified": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)}


def test_bucket_of_another_region(api, driver, faults):
    moved = (("x-amz-bucket-region", "eu-west-1"), ("Location", "https://elsewhere.example/"))
    faults.otherwise = f.Answer(301, b"", moved)

    with pytest.raises(InvalidRequestError, match="region='eu-west-1'"):
        read(api, driver.download_object_as_stream(OBJECT))


BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


def test_part_that_fails_ends_the_upload(api, driver, faults):
    faults.next(f.Answer(200, BEGUN), method="POST")
    faults.on("/box/k", f.Answer(500, b"<html>"), method="PUT")
    faults.on("/box/k", f.Answer(204, b""), method="DELETE")

    with pytest.raises(ProviderUnavailableError):
        api.do(driver.upload_object_via_stream(iter([bytes(9 * 1024 * 1024)]), BOX, "k"))

    methods = [one.method for one in faults.requests]
    assert (methods[0], set(methods[1:])) == ("POST", {"PUT", "DELETE"})
    assert 4 <= methods.count("PUT") <= 8  # both parts are under way at once
    ended = [one.target for one in faults.requests if one.method == "DELETE"]
    assert ended == ["/box/k?uploadId=u"]


def test_upload_that_runs_out_of_time_is_ended_all_the_same(api, driver, faults):
    faults.next(f.Answer(200, BEGUN), method="POST")
    faults.on("/box/k", f.Answer(200, b"", delay=30.0), method="PUT")
    ended = faults.on("/box/k", f.Answer(204, b""), method="DELETE")

    with anysky.deadline(0.5), pytest.raises(CloudError) as caught:
        api.do(driver.upload_object_via_stream(iter([bytes(9 * 1024 * 1024)]), BOX, "k"))

    assert isinstance(caught.value, DeadlineExceededError | OutcomeUnknownError)
    assert ended.hits == 1


class Stalled(f.Action):
    """Says that a request has arrived, and leaves it without an answer."""

    def __init__(self, arrived):
        self.arrived = arrived

    def play(self, handler):
        self.arrived.set()
        handler.pause(30.0)


def test_upload_that_is_cancelled_is_ended_all_the_same(faults):
    faults.next(f.Answer(200, BEGUN), method="POST")
    arrived = threading.Event()
    faults.on("/box/k", Stalled(arrived), method="PUT")
    ended = faults.on("/box/k", f.Answer(204, b""), method="DELETE")

    async def cancel():
        async with aio_storage.get_driver("s3")("key", "secret", endpoint=faults.url) as driver:
            source = iter([bytes(9 * 1024 * 1024)])
            task = asyncio.ensure_future(driver.upload_object_via_stream(source, BOX, "k"))
            await asyncio.to_thread(arrived.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())

    assert ended.hits == 1


def test_source_for_asyncio_is_refused_in_the_blocking_api(faults):
    async def pieces():
        yield b"content"

    with storage.get_driver("s3")("key", "secret", endpoint=faults.url) as driver:
        source = pieces()
        with pytest.raises(InvalidRequestError, match="cannot upload from a async_generator"):
            driver.upload_object_via_stream(source, BOX, "k")

    assert faults.requests == []
