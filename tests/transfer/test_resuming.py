"""Transfers that fail and are gone on with, in both APIs; `test_killed` does it with processes."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from anysky.errors import (
    ConflictError,
    InvalidRequestError,
    PartialFailureError,
    PermissionDeniedError,
    ProviderUnavailableError,
)
from anysky.model.storage import ObjectSpec, PartLimits
from anysky.providers.memory import Cloud
from anysky.transfer.records import Record, own_folder
from anysky.transfer.sources import memory_body
from tests.core.both import both
from tests.transfer.support import (
    PART,
    WHOLE,
    box_of,
    content_of,
    left_over,
    names_in,
    options,
    reported,
)

RESUMED = options(resume=True, concurrency=1)
BROKEN = ProviderUnavailableError("mine")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("ANYSKY_TRANSFERS", str(folder))
    return folder


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(WHOLE)
    return path


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "target"


def calls(cloud, operation, what):
    return [one.arguments[what] for one in cloud.calls if one.operation == operation]


async def started(api, cloud=None, **settings):
    cloud = cloud or Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=RESUMED, **settings)
    return cloud, driver, await box_of(api, driver)


# -- uploads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("there", range(5))
@both
async def test_upload_goes_on_with_the_parts_that_are_missing(api, there, in_order, file, state):
    cloud, driver, box = await started(api)
    driver._backend.parts = PartLimits(smallest=1, in_order=in_order)
    cloud.fail("upload_part", skip=there, with_=BROKEN)

    with pytest.raises(PartialFailureError, match="multipart upload of k") as caught:
        await api.do(box.upload_object(file, "k"))
    left = await left_over(api, driver, box)
    seen = []
    how = options(resume=True, concurrency=1, progress=seen.append)
    stored = await api.do(box.upload_object(file, "k", transfer=how))

    assert (len(left), reported(caught.value)) == (1, left)
    numbers = calls(cloud, "upload_part", "number")
    assert numbers == [*range(1, there + 2), *range(there + 1, 6)]
    assert (stored.size, await content_of(api, driver)) == (len(WHOLE), WHOLE)
    assert [one.done for one in seen if one.done][-1] == len(WHOLE)
    assert await left_over(api, driver, box) == []
    assert names_in(state) == []


@both
async def test_upload_that_is_kept_can_be_rolled_back(api, file, state):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=BROKEN)

    with pytest.raises(PartialFailureError) as caught:
        await api.do(box.upload_object(file, "k"))
    await api.do(caught.value.rollback())

    assert await left_over(api, driver, box) == []
    await api.do(box.upload_object(file, "k"))
    assert await content_of(api, driver) == WHOLE
    assert names_in(state) == []


@both
async def test_file_that_has_changed_is_sent_from_the_beginning(api, file):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=BROKEN)
    with pytest.raises(PartialFailureError):
        await api.do(box.upload_object(file, "k"))
    file.write_bytes(WHOLE[::-1])
    os.utime(file, ns=(1, 1))

    await api.do(box.upload_object(file, "k"))

    assert await content_of(api, driver) == WHOLE[::-1]
    assert calls(cloud, "upload_part", "number") == [1, 2, 3, 1, 2, 3, 4, 5]
    assert await left_over(api, driver, box) == []


@both
async def test_part_that_is_not_what_it_should_be_is_sent_again(api, file):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=BROKEN)
    with pytest.raises(PartialFailureError):
        await api.do(box.upload_object(file, "k"))
    upload = (await api.do(driver.list_multipart_uploads(box)))[0]
    await api.do(
        driver.ex_upload_part(
            upload, 2, PART, memory_body([memoryview(bytes(PART))]), is_last=False, checksums={}
        )
    )

    await api.do(box.upload_object(file, "k"))

    assert await content_of(api, driver) == WHOLE
    assert calls(cloud, "upload_part", "number") == [1, 2, 3, 2, 2, 3, 4, 5]


class KilledError(BaseException):
    """Ends a call as nothing else does."""


@both
async def test_upload_that_was_completed_without_its_knowing(api, file, state):
    cloud, _driver, box = await started(api)
    cloud.lose_answer("complete_multipart_upload", with_=KilledError())
    with pytest.raises(KilledError):
        await api.do(box.upload_object(file, "k"))
    assert len(names_in(state)) == 1
    before = len(cloud.calls)

    stored = await api.do(box.upload_object(file, "k"))

    later = {one.operation for one in list(cloud.calls)[before:]}
    assert stored.size == len(WHOLE)
    assert later & {"upload_part", "begin_multipart_upload", "upload_object"} == set()
    assert names_in(state) == []


@both
async def test_upload_that_was_begun_without_its_knowing(api, file, state):
    cloud, driver, box = await started(api)
    await api.do(driver.ex_begin_multipart_upload(box, ObjectSpec("k")))
    others = await left_over(api, driver, box)
    cloud.lose_answer("begin_multipart_upload", with_=KilledError())
    with pytest.raises(KilledError):
        await api.do(box.upload_object(file, "k"))
    assert (len(names_in(state)), len(await left_over(api, driver, box))) == (1, 2)

    await api.do(box.upload_object(file, "k"))

    assert await left_over(api, driver, box) == others
    assert await content_of(api, driver) == WHOLE


@both
async def test_uploads_that_may_not_be_listed(api, file):
    cloud, driver, box = await started(api)
    cloud.fail("list_multipart_uploads", times=None, with_=PermissionDeniedError("no"))

    await api.do(box.upload_object(file, "k"))

    assert await content_of(api, driver) == WHOLE


@both
async def test_answer_to_the_end_of_an_upload_is_lost(api, file, state):
    cloud, driver, box = await started(api)
    cloud.lose_answer("complete_multipart_upload", times=None)

    stored = await api.do(box.upload_object(file, "k"))

    assert (stored.size, await content_of(api, driver)) == (len(WHOLE), WHOLE)
    assert await left_over(api, driver, box) == []
    assert names_in(state) == []


@both
async def test_error_that_would_come_again_leaves_nothing(api, file, state):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=InvalidRequestError("mine"))

    with pytest.raises(InvalidRequestError, match="mine"):
        await api.do(box.upload_object(file, "k"))

    assert await left_over(api, driver, box) == []
    assert names_in(state) == []


@both
async def test_upload_that_somebody_else_is_at(api, file, state):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=BROKEN)
    with pytest.raises(PartialFailureError):
        await api.do(box.upload_object(file, "k"))
    other = Record(state / names_in(state)[0])
    other.open()

    with pytest.raises(ConflictError, match="under way already"):
        await api.do(box.upload_object(file, "k"))

    other.close()
    await api.do(box.upload_object(file, "k"))
    assert await content_of(api, driver) == WHOLE


@both
async def test_record_of_an_upload_is_private_and_has_no_secrets(api, file, state):
    cloud, _driver, box = await started(api, key="id", secret="very-secret")
    cloud.fail("upload_part", skip=2, with_=BROKEN)
    with pytest.raises(PartialFailureError):
        await api.do(box.upload_object(file, "k"))

    record = state / names_in(state)[0]

    assert (record.stat().st_mode & 0o777, state.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"very-secret" not in record.read_bytes()
    subject, _, begun = (json.loads(line) for line in record.read_text().splitlines())
    assert subject["source"]["path"] == str(file)
    assert begun["begun"]["part_size"] == PART


def test_record_that_is_cut_off_anywhere_is_no_obstacle(file, state):
    @both
    async def cut(api, length):
        cloud, driver, box = await started(api)
        cloud.fail("upload_part", skip=2, with_=BROKEN)
        with pytest.raises(PartialFailureError):
            await api.do(box.upload_object(file, "k"))
        record = state / names_in(state)[0]
        with record.open("rb+") as opened:
            opened.truncate(length)

        await api.do(box.upload_object(file, "k"))

        assert await content_of(api, driver) == WHOLE
        assert names_in(state) == []

    for length in range(0, 600, 23):
        cut(api="blocking", length=length)


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"[1]\n",
        b'{"anysky": 2}\n',
        b'{"anysky": 1}\n{"begun": {"id": 1}}\n',
        b"{" * 9999,
    ],
)
@both
async def test_record_of_nonsense_is_no_obstacle(api, content, file, state):
    cloud, driver, box = await started(api)
    cloud.fail("upload_part", skip=2, with_=BROKEN)
    with pytest.raises(PartialFailureError):
        await api.do(box.upload_object(file, "k"))
    (state / names_in(state)[0]).write_bytes(content)

    await api.do(box.upload_object(file, "k"))

    assert await content_of(api, driver) == WHOLE


@both
async def test_folder_for_records_that_cannot_be_made(api, file, monkeypatch):
    monkeypatch.setenv("ANYSKY_TRANSFERS", str(file / "below"))
    _, _, box = await started(api)

    with pytest.raises(InvalidRequestError, match="cannot write"):
        await api.do(box.upload_object(file, "k"))


def test_place_of_records():
    assert str(own_folder({"ANYSKY_TRANSFERS": "/a/b"})) == "/a/b"
    assert str(own_folder({"XDG_STATE_HOME": "/a"}, "linux")) == "/a/anysky/transfers"
    assert str(own_folder({}, "linux")).endswith("/.local/state/anysky/transfers")
    assert str(own_folder({}, "darwin")).endswith("/Library/Application Support/anysky/transfers")
    assert str(own_folder({"LOCALAPPDATA": "/l"}, "win32")) == "/l/anysky/transfers"


# -- downloads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", range(5))
@both
async def test_download_goes_on_with_the_ranges_that_are_missing(api, there, file, target):
    cloud, driver, box = await started(api)
    obj = await api.do(box.upload_object(file, "k"))
    target.write_text("old")
    cloud.fail("open_object", skip=there, with_=BROKEN)

    with pytest.raises(ProviderUnavailableError):
        await api.do(driver.download_object(obj, target, True))
    kept = names_in(target.parent)
    old = target.read_text()
    seen = []
    how = options(resume=True, concurrency=1, progress=seen.append)
    await api.do(driver.download_object(obj, target, True, transfer=how))

    assert (len(kept), old) == (3, "old")
    starts = [at // PART for at in calls(cloud, "open_object", "start")]
    assert starts == [*range(there + 1), *range(there, 5)]
    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)
    assert (seen[0].done, seen[-1].done) == (there * PART, len(WHOLE))


@both
async def test_download_of_an_object_that_has_changed_begins_anew(api, file, target):
    cloud, driver, box = await started(api)
    obj = await api.do(box.upload_object(file, "k"))
    cloud.fail("open_object", skip=3, with_=BROKEN)
    with pytest.raises(ProviderUnavailableError):
        await api.do(driver.download_object(obj, target))
    await api.do(box.upload_object_via_stream(WHOLE[::-1], "k"))

    await api.do(driver.download_object(await api.do(box.get_object("k")), target))

    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE[::-1])


@pytest.mark.parametrize("damage", ["gone", "longer", "link", "two names"])
@both
async def test_file_of_an_earlier_try_that_is_not_what_it_was(api, damage, file, target):
    cloud, driver, box = await started(api)
    obj = await api.do(box.upload_object(file, "k"))
    cloud.fail("open_object", skip=3, with_=BROKEN)
    with pytest.raises(ProviderUnavailableError):
        await api.do(driver.download_object(obj, target))
    part = next(target.parent.glob("*.part"))
    victim = file.with_name("victim")
    victim.write_bytes(WHOLE[::-1])
    if damage == "longer":
        part.write_bytes(bytes(len(WHOLE) + 1))
    else:
        part.unlink()
    if damage == "link":
        part.symlink_to(victim)
    if damage == "two names":
        part.hardlink_to(victim)

    with suppress(InvalidRequestError):
        await api.do(driver.download_object(obj, target))
    if damage != "link":
        assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)
    assert victim.read_bytes() == WHOLE[::-1]


@pytest.mark.parametrize("overwrite", [False, True])
@both
async def test_download_that_was_killed_after_it_was_complete(
    api, overwrite, file, target, monkeypatch
):
    cloud, driver, box = await started(api)
    obj = await api.do(box.upload_object(file, "k"))
    monkeypatch.setattr(Record, "remove", Record.close)  # as if there had been no time for it
    await api.do(driver.download_object(obj, target))
    monkeypatch.undo()
    asked = len(calls(cloud, "open_object", "object"))

    await api.do(driver.download_object(obj, target, overwrite, transfer=RESUMED))

    assert len(calls(cloud, "open_object", "object")) == asked
    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)


def test_record_of_a_download_that_is_cut_off_anywhere_is_no_obstacle(file, target):
    @both
    async def cut(api, length):
        cloud, driver, box = await started(api)
        obj = await api.do(box.upload_object(file, "k"))
        cloud.fail("open_object", skip=4, with_=BROKEN)
        with pytest.raises(ProviderUnavailableError):
            await api.do(driver.download_object(obj, target, True))
        record = next(target.parent.glob("*.state"))
        with record.open("rb+") as opened:
            opened.truncate(length)

        await api.do(driver.download_object(obj, target, True))

        assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)

    for length in range(0, 500, 19):
        cut(api="blocking", length=length)


# -- orphans ---------------------------------------------------------------------------------------


@both
async def test_old_uploads_are_ended(api):
    _, driver, box = await started(api)
    clock = [time.time()]
    driver._runtime.time = lambda: clock[0]
    for name in ("a/old", "b/old"):
        await api.do(driver.ex_begin_multipart_upload(box, ObjectSpec(name)))
    clock[0] += 7200
    await api.do(driver.ex_begin_multipart_upload(box, ObjectSpec("a/new")))

    ended = await api.do(driver.cleanup_uploads(box, timedelta(hours=1), "a/"))
    left = await api.do(driver.list_multipart_uploads(box))
    rest = await api.do(driver.cleanup_uploads(box, 0))

    assert [one.name for one in ended] == ["a/old"]
    assert [one.name for one in left] == ["a/new", "b/old"]
    assert [one.name for one in rest] == ["a/new", "b/old"]
    assert await left_over(api, driver, box) == []
    with pytest.raises(InvalidRequestError, match="0 or more"):
        await api.do(driver.cleanup_uploads(box, -1))


@both
async def test_upload_that_cannot_be_ended_is_told(api):
    cloud, driver, box = await started(api)
    for name in ("a", "b"):
        await api.do(driver.ex_begin_multipart_upload(box, ObjectSpec(name)))
    cloud.fail("abort_multipart_upload", skip=1, with_=BROKEN)

    with pytest.raises(ProviderUnavailableError) as caught:
        await api.do(driver.cleanup_uploads(box, 0))

    assert caught.value.__notes__ == ["1 multipart uploads had been ended before"]
