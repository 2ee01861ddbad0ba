"""Copies within S3, and changes of objects, as data."""

from __future__ import annotations

import pytest
from tests.wire.s3_support import BUCKET, KEY, PATH, Backend, answer, error, thing

from anysky.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    PreconditionFailedError,
)
from anysky.model.storage import Container, Object, ObjectChanges, ObjectVersion
from anysky.run import run
from anysky.wire import s3_copies

OTHER = Container("other")
SOURCE = PATH[1:]
COPIED = answer(body='<CopyObjectResult><ETag>"0123"</ETag></CopyObjectResult>')
BEGUN = answer(
    body="<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
)
COMPLETED = answer(
    body='<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>'
)


def head(size=10, **more):
    given = {
        "content_length": str(size),
        "etag": '"e"',
        "content_type": "text/x",
        "cache_control": "no-store",
        "x_amz_meta_m": "1",
        "x_amz_storage_class": "STANDARD_IA",
        **more,
    }
    return answer(**given)


def copied_part(etag):
    return answer(body=f'<CopyPartResult><ETag>"{etag}"</ETag></CopyPartResult>')


def headers(backend):
    return [dict(request.headers) for request in backend.script.sent]


def version(size=10, *, is_latest=False):
    return ObjectVersion(KEY, size, None, {}, {}, BUCKET, "v/1", is_latest)


def test_a_copy_takes_type_metadata_and_tags_along():
    backend = Backend(COPIED)

    copy = run(backend.copy_object(thing(), OTHER, "c", ObjectChanges(storage_class="STANDARD_IA")))

    assert (copy.name, copy.container, copy.hash) == ("c", OTHER, "0123")
    assert copy.extra["storage_class"] == "STANDARD_IA"
    assert backend.lines == ["PUT /other/c"]
    assert headers(backend) == [{"x-amz-copy-source": SOURCE, "x-amz-storage-class": "STANDARD_IA"}]


@pytest.mark.parametrize(
    ("changes", "described"),
    [
        (
            ObjectChanges(content_type="text/y"),
            {"content-type": "text/y", "x-amz-meta-m": "1"},
        ),
        (
            ObjectChanges(meta_data={"n": "ü"}),
            {"content-type": "text/x", "x-amz-meta-n": "=?UTF-8?B?w7w=?="},
        ),
        (ObjectChanges(meta_data={}), {"content-type": "text/x"}),
    ],
)
def test_a_copy_with_changes_is_told_everything_anew(changes, described):
    backend = Backend(head(), COPIED)

    copy = run(backend.copy_object(thing(), OTHER, "c", changes))

    assert backend.lines == [f"HEAD {PATH}", "PUT /other/c"]
    assert headers(backend)[1] == {
        "x-amz-copy-source": SOURCE,
        "x-amz-copy-source-if-match": '"e"',
        "x-amz-metadata-directive": "REPLACE",
        "cache-control": "no-store",
        **described,
    }
    assert copy.extra["content_type"] == described["content-type"]


def test_an_object_is_changed_by_copying_it_onto_itself():
    backend = Backend(head(), COPIED)

    changed = run(backend.update_object(thing(), ObjectChanges(meta_data={"n": "2"})))

    assert (changed.name, changed.container, changed.meta_data) == (KEY, BUCKET, {"n": "2"})
    assert backend.lines == [f"HEAD {PATH}", f"PUT {PATH}"]
    assert headers(backend)[1] == {
        "x-amz-copy-source": SOURCE,
        "x-amz-copy-source-if-match": '"e"',
        "x-amz-metadata-directive": "REPLACE",
        "x-amz-storage-class": "STANDARD_IA",
        "cache-control": "no-store",
        "content-type": "text/x",
        "x-amz-meta-n": "2",
    }


def test_an_object_that_is_not_to_be_changed_is_only_looked_at():
    backend = Backend(head())

    assert run(backend.update_object(thing(), ObjectChanges())).meta_data == {"m": "1"}
    assert backend.lines == [f"HEAD {PATH}"]


def test_an_object_that_somebody_replaces_meanwhile_is_not_changed():
    with pytest.raises(PreconditionFailedError):
        run(
            Backend(head(), error("PreconditionFailed", 412)).update_object(
                thing(), ObjectChanges(content_type="text/y")
            )
        )


def test_an_older_version_is_not_changed():
    backend = Backend()

    with pytest.raises(InvalidRequestError, match="older version"):
        run(backend.update_object(version(), ObjectChanges(content_type="text/y")))
    assert backend.lines == []


def test_a_version_is_copied():
    backend = Backend(COPIED)

    run(backend.copy_object(version(), OTHER, "c"))

    assert headers(backend) == [{"x-amz-copy-source": f"{SOURCE}?versionId=v%2F1"}]


def test_a_copy_of_nothing():
    with pytest.raises(ObjectDoesNotExistError):
        run(Backend(error("NoSuchKey", 404)).copy_object(thing(), OTHER, "c"))


# -- larger ones -----------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(s3_copies, "MAX_COPY", 9)
    monkeypatch.setattr(s3_copies, "COPY_PART", 4)
    monkeypatch.setattr(s3_copies, "_AT_ONCE", 1)  # in order, for the script


@pytest.mark.usefixtures("small")
def test_a_large_object_is_copied_in_parts_with_all_that_belongs_to_it():
    tags = answer(
        body="<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    )
    parts = [copied_part(one) for one in "xyz"]
    backend = Backend(
        head(x_amz_tagging_count="1"), tags, BEGUN, *parts, COMPLETED, checksums=("crc32", "md5")
    )

    copy = run(backend.copy_object(thing(), OTHER, "c"))

    assert copy == Object("c", 10, "all", {}, {"m": "1"}, OTHER)
    assert backend.lines == [
        f"HEAD {PATH}",
        f"GET {PATH}?tagging=",
        "POST /other/c?uploads=",
        "PUT /other/c?partNumber=1&uploadId=u",
        "PUT /other/c?partNumber=2&uploadId=u",
        "PUT /other/c?partNumber=3&uploadId=u",
        "POST /other/c?uploadId=u",
    ]
    assert headers(backend)[2] == {
        "cache-control": "no-store",
        "content-type": "text/x",
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-meta-m": "1",
        "x-amz-tagging": "a=b",
    }
    source = {"x-amz-copy-source": SOURCE, "x-amz-copy-source-if-match": '"e"'}
    assert headers(backend)[3:6] == [
        {**source, "x-amz-copy-source-range": span}
        for span in ("bytes=0-3", "bytes=4-7", "bytes=8-9")
    ]


@pytest.mark.usefixtures("small")
def test_a_large_object_is_changed_in_parts():
    parts = [copied_part(one) for one in "xyz"]
    backend = Backend(head(), BEGUN, *parts, COMPLETED)

    changed = run(backend.update_object(thing(), ObjectChanges(content_type="text/y")))

    assert changed.extra["content_type"] == "text/y"
    assert backend.lines[1] == f"POST {PATH}?uploads="
    assert headers(backend)[1]["x-amz-storage-class"] == "STANDARD_IA"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (error("PreconditionFailed", 412), PreconditionFailedError),
        (answer(body="<CopyPartResult/>"), MalformedResponseError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_large_copy_that_fails_leaves_no_parts(part, kind):
    backend = Backend(head(), BEGUN, copied_part("x"), part, answer(204))

    with pytest.raises(kind):
        run(backend.copy_object(thing(), OTHER, "c"))

    assert backend.lines[-1] == "DELETE /other/c?uploadId=u"


def test_no_part_is_larger_than_needed_and_there_are_not_too_many():
    backend = Backend()

    ranges = backend._ranges(5 * 1024**4)

    assert len(ranges) == 10_000
    assert ranges[0] == (0, 549_755_814)
    assert ranges[-1][1] == 5 * 1024**4
    assert len(backend._ranges(6 * 1024**3)) == 24
