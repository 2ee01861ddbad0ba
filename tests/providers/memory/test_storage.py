"""What the storage service of the memory cloud does, and what it refuses."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from anysky import InvalidRequestError
from anysky.errors import (
    ConflictError,
    ContainerDoesNotExistError,
    InvalidContainerNameError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from anysky.model.storage import ObjectSpec
from anysky.providers.memory.storage import MemoryStorage
from anysky.transfer.sources import memory_body
from anysky.transport.base import Response


@pytest.fixture
def container(storage):
    return storage.create_container("files")


@pytest.mark.parametrize("name", ["", "ab", "A-b", "-ab", "ab-", "a..b", "a_b", "x" * 64, "ab\n"])
def test_containers_have_names_as_s3_wants_them(storage, name):
    with pytest.raises(InvalidContainerNameError):
        storage.create_container(name)


@pytest.mark.parametrize("name", ["abc", "a.b-c", "123", "x" * 63])
def test_good_names_of_containers_are_taken(storage, name):
    assert storage.create_container(name).name == name


def test_an_object_says_what_it_is(container):
    given = {"meta_data": {"owner": "me"}, "content_type": "text/csv", "acl": "private"}
    obj = container.upload_object_via_stream([b"a,b", b"\n1,2\n"], "folder/table.csv", given)

    assert (obj.name, obj.size, obj.meta_data) == ("folder/table.csv", 8, {"owner": "me"})
    assert obj.hash == hashlib.md5(b"a,b\n1,2\n").hexdigest()
    assert (obj.extra["content_type"], obj.extra["acl"]) == ("text/csv", "private")
    assert obj.extra["last_modified"].tzinfo is not None


@pytest.mark.parametrize("name", ["", "x" * 1025, "ü" * 513])
def test_objects_have_names_of_a_length(container, name):
    with pytest.raises(InvalidRequestError, match="1 to 1024 bytes"):
        container.upload_object_via_stream(b"", name)


def test_a_source_that_fails_leaves_nothing(cloud, container):
    def pieces():
        yield b"one"
        raise OSError("the disk is gone")

    with pytest.raises(InvalidRequestError, match="the disk is gone"):
        container.upload_object_via_stream(pieces(), "name")

    assert container.list_objects() == []
    assert "upload_object" not in [call.operation for call in cloud.calls]


def test_content_with_another_digest_is_refused(storage, container):
    spec = ObjectSpec("name", md5="0" * 32)

    with pytest.raises(ObjectHashMismatchError, match="is 5d41402abc4b2a76b9719d911017c592, not 0"):
        storage.call(
            MemoryStorage.upload_object, container, memory_body([memoryview(b"hello")]), spec
        )
    assert container.list_objects() == []


@pytest.mark.parametrize(
    ("start", "end", "content"), [(0, 3, b"hel"), (4, 9, b"o"), (2, 2, b""), (1, None, b"ello")]
)
def test_ranges_are_cut(container, start, end, content):
    obj = container.upload_object_via_stream(b"hello", "name")

    assert b"".join(obj.range_as_stream(start, end)) == content


@pytest.mark.parametrize(("start", "end"), [(5, None), (5, 6), (3, 2), (-1, 2)])
def test_ranges_beyond_the_object_are_refused(container, start, end):
    obj = container.upload_object_via_stream(b"hello", "name")

    with pytest.raises(InvalidRequestError):
        list(obj.range_as_stream(start, end))


def test_a_stream_goes_on_with_what_was_there_when_it_began(container):
    obj = container.upload_object_via_stream(b"first", "name")
    stream = obj.as_stream(chunk_size=1)
    pieces = [next(stream)]

    container.upload_object_via_stream(b"second", "name")

    assert b"".join([*pieces, *stream]) == b"first"


def test_a_copy_keeps_type_and_metadata(storage, container):
    other = storage.create_container("other")
    given = {"meta_data": {"owner": "me"}, "content_type": "text/csv"}
    source = container.upload_object_via_stream(b"a,b\n", "table", given)

    copy = storage.copy_object(source, other, "copy")
    source.delete()

    assert (copy.container.name, copy.meta_data) == ("other", {"owner": "me"})
    assert copy.extra["content_type"] == "text/csv"
    assert b"".join(copy.as_stream()) == b"a,b\n"


def test_what_is_gone_has_an_error_of_its_own(storage, container):
    obj = container.upload_object_via_stream(b"", "name")
    obj.delete()
    with pytest.raises(ObjectDoesNotExistError):
        obj.delete()
    with pytest.raises(ObjectDoesNotExistError):
        storage.copy_object(obj, container, "copy")

    container.delete()
    for call in (
        lambda: container.get_object("name"),
        lambda: container.upload_object_via_stream(b"", "name"),
        container.delete,
    ):
        with pytest.raises(ContainerDoesNotExistError):
            call()


def test_async_iterators_are_stored(anysky):
    async def pieces():
        yield b"one"
        yield b"two"

    async def main():
        container = await anysky.aio.storage.create_container("files")
        obj = await container.upload_object_via_stream(pieces(), "name")
        return b"".join([piece async for piece in obj.as_stream()])

    assert asyncio.run(main()) == b"onetwo"


def test_conditions_tell_what_is_there(storage, container):
    obj = container.upload_object_via_stream(b"x", "name", if_none_match="*")
    etag = obj.extra["etag"]

    with pytest.raises(PreconditionFailedError, match=f"is there, with the ETag {etag}"):
        container.upload_object_via_stream(b"y", "name", if_none_match="*")
    with pytest.raises(PreconditionFailedError, match=f"has the ETag {etag}, not other"):
        container.upload_object_via_stream(b"y", "name", if_match="other")
    with pytest.raises(PreconditionFailedError, match="has the ETag None"):
        container.upload_object_via_stream(b"y", "missing", if_match="*")
    assert b"".join(storage.download_object_as_stream(obj, if_match="*")) == b"x"


def test_a_conditional_upload_whose_answer_is_lost_is_not_sent_twice(cloud, container):
    cloud.lose_answer("upload_object")

    with pytest.raises(OutcomeUnknownError):
        container.upload_object_via_stream(b"x", "name", if_none_match="*")

    assert [one.name for one in container.list_objects()] == ["name"]
    assert [call.operation for call in cloud.calls].count("upload_object") == 1


def test_directories_come_in_pages(cloud, storage, container):
    cloud.page_size = 2
    for name in ("a/1", "a/2", "a/3", "b", "c/1", "c/2", "d"):
        container.upload_object_via_stream(b"", name)
    before = len(cloud.calls)

    names = [one.name for one in storage.iterate_directory(container)]

    assert names == ["a/", "b", "c/", "d"]
    assert len(cloud.calls) - before == 2


def test_a_delimiter_is_not_empty(storage, container):
    with pytest.raises(InvalidRequestError, match="parts no names"):
        storage.list_directory(container, delimiter="")


@pytest.mark.parametrize(
    "tags",
    [{str(number): "x" for number in range(11)}, {"": "x"}, {"k" * 129: ""}, {"k": "v" * 257}],
)
def test_tags_of_objects_are_few_and_short(storage, container, tags):
    obj = container.upload_object_via_stream(b"", "name", tags={"is": "it"})

    with pytest.raises(InvalidRequestError):
        obj.set_tags(tags)
    assert obj.get_tags() == {"is": "it"}


def test_an_update_leaves_the_etag(container):
    obj = container.upload_object_via_stream(b"x", "name.csv")

    updated = obj.update(content_type="text/plain", storage_class="COLD")

    assert updated.extra["etag"] == obj.extra["etag"]
    assert (updated.extra["content_type"], updated.extra["storage_class"]) == ("text/plain", "COLD")


def test_a_thousand_objects_are_deleted_by_one_call(cloud, storage, container):
    objects = [container.upload_object_via_stream(b"", f"{number}") for number in range(1001)]
    before = len(cloud.calls)

    outcomes = storage.delete_objects(objects)

    assert (outcomes.done, outcomes.failed) == (objects, [])
    assert [call.operation for call in cloud.calls[before:]] == ["delete_objects", "delete_object"]


def test_objects_of_a_bulk_deletion_fail_as_they_are_told(cloud, storage, container):
    objects = [container.upload_object_via_stream(b"", name) for name in "abcd"]
    cloud.fail("delete_object", with_=ConflictError("locked"), where=is_about("b"))
    cloud.fail("delete_object", with_=Response(403, {}), where=is_about("c"))

    outcomes = storage.delete_objects(objects)

    assert [one.name for one in outcomes.done] == ["a", "d"]
    failed = {one.item.name: (type(one.error), one.error.message) for one in outcomes.failed}
    assert failed == {
        "b": (ConflictError, "locked"),
        "c": (PermissionDeniedError, "the memory cloud was told to answer so"),
    }
    assert [one.name for one in container.list_objects()] == ["b", "c"]


def is_about(name):
    return lambda call: call.arguments["object"] == name


def test_there_are_no_presigned_addresses(storage, container):
    with pytest.raises(UnsupportedOperationError):
        storage.presign(container, "name")
