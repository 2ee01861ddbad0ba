"""Multipart uploads to the memory cloud."""

from __future__ import annotations

import hashlib

import pytest

from anysky.errors import (
    ContainerIsNotEmptyError,
    InvalidRequestError,
    NotFoundError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)
from anysky.model.storage import Condition, ObjectSpec, Part
from anysky.providers.memory.storage import MemoryStorage
from anysky.transfer.options import TransferOptions
from anysky.transfer.sources import memory_body

SPEC = ObjectSpec("table.csv", "text/csv", {"owner": "me"}, tags={"is": "large"})


@pytest.fixture
def container(storage):
    return storage.create_container("files")


@pytest.fixture
def upload(storage, container):
    return storage.call(MemoryStorage.begin_multipart_upload, container, SPEC)


@pytest.fixture
def send(storage, upload):
    def send(number, content, **checksums):
        body = memory_body([memoryview(content)])
        return storage.call(
            MemoryStorage.upload_part, upload, number, 0, body, is_last=False, checksums=checksums
        )

    return send


@pytest.fixture
def complete(storage, upload):
    def complete(parts, spec=SPEC):
        return storage.call(MemoryStorage.complete_multipart_upload, upload, parts, spec)

    return complete


def test_an_object_is_what_the_upload_was_begun_with(storage, send, complete):
    first, second = send(1, b"a,b\n"), send(2, b"1,2\n")

    made = complete([first, second], ObjectSpec("table.csv"))

    content = b"a,b\n1,2\n"
    etags = bytes.fromhex(first.etag) + bytes.fromhex(second.etag)
    assert b"".join(made.as_stream()) == content
    assert made.hash == hashlib.md5(content).hexdigest()
    assert made.extra["etag"] == f"{hashlib.md5(etags).hexdigest()}-2"
    assert (made.extra["content_type"], made.meta_data) == ("text/csv", {"owner": "me"})
    assert storage.get_object_tags(made) == {"is": "large"}


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [(2, b"two"), (1, b"one")],
        [(1, b"one"), (1, b"one")],
        [(1, b"other")],
        [(1, b"one"), (3, b"three")],
    ],
)
def test_parts_must_be_in_order_and_there(send, complete, parts):
    for number, content in ((1, b"one"), (2, b"two")):
        send(number, content)

    with pytest.raises(InvalidRequestError):
        complete([Part(n, len(c), hashlib.md5(c).hexdigest()) for n, c in parts])


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_parts_have_numbers(send, number):
    with pytest.raises(InvalidRequestError, match="from 1 to 10000"):
        send(number, b"x")


def test_digests_are_compared(send, complete):
    with pytest.raises(ObjectHashMismatchError, match="CRC32 of what arrived is 8cdc1683"):
        send(1, b"x", crc32="00000000")
    part = send(1, b"x", crc32="8CDC1683")

    assert part.checksums["crc32"] == "8cdc1683"
    with pytest.raises(ObjectHashMismatchError, match="SHA256 of what arrived"):
        complete([part], ObjectSpec("table.csv", checksums={"sha256": "0" * 64}))
    made = complete([part], ObjectSpec("table.csv", checksums={"crc32": "8cdc1683"}))
    assert made.extra["checksums"]["crc32"] == "8cdc1683"


def test_a_condition_counts_when_the_upload_ends(storage, container, send, complete):
    part = send(1, b"parts")
    container.upload_object_via_stream(b"whole", "table.csv")

    with pytest.raises(PreconditionFailedError):
        complete([part], ObjectSpec("table.csv", condition=Condition(if_none_match="*")))

    assert len(storage.list_multipart_uploads(container)) == 1
    complete([part])
    assert storage.list_multipart_uploads(container) == []


def test_what_is_ended_is_gone(cloud, storage, container, upload, send, complete):
    part = send(1, b"x")
    assert list(cloud.inventory()["multipart_uploads"]) == [upload.upload_id]

    storage.abort_multipart_upload(upload)

    assert list(cloud.inventory()) == ["containers"]
    for call in (
        lambda: send(2, b"y"),
        lambda: complete([part]),
        lambda: storage.call(MemoryStorage.list_parts, upload),
        lambda: storage.abort_multipart_upload(upload),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_container_with_an_upload_is_not_empty(storage, container, upload):
    with pytest.raises(ContainerIsNotEmptyError, match="uploads"):
        container.delete()
    storage.abort_multipart_upload(upload)
    assert container.delete() is True


def test_small_content_goes_in_parts_if_told_so(cloud, container):
    transfer = TransferOptions(threshold=1, part_size=4, concurrency=1)

    obj = container.upload_object_via_stream(b"0123456789", "digits", transfer=transfer)

    assert b"".join(obj.as_stream()) == b"0123456789"
    sizes = [call.arguments["size"] for call in cloud.calls if call.operation == "upload_part"]
    assert sizes == [4, 4, 2]
