"""Downloads in one stream and in ranges, and what can go wrong with them, in both APIs."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import signal
import threading
import time
import zlib

import pytest

from anysky.aio import storage as aio_storage
from anysky.errors import (
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    ObjectHashMismatchError,
    PreconditionFailedError,
    ProviderUnavailableError,
)
from anysky.model.storage import Object
from anysky.providers.memory import Cloud
from anysky.storage import get_driver
from anysky.transfer.digests import combined
from anysky.transport.base import Response
from anysky.transport.retry import RetryPolicy
from tests.core.both import both
from tests.transfer.support import (
    PART,
    SIZES,
    WHOLE,
    Breaking,
    box_of,
    collected,
    names_in,
    options,
)

QUICK = RetryPolicy(base=0.001, throttled_base=0.001)
RESUME = (False, True)


async def stored(api, content=WHOLE, cloud=None, **settings):
    """A driver, and an object with some content."""
    driver = api.driver("storage", cloud=cloud or Cloud(), retry=QUICK, **settings)
    box = await box_of(api, driver)
    await api.do(box.upload_object_via_stream(content, "k"))
    return driver, await api.do(box.get_object("k"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Broken lines are not waited for."""
    monkeypatch.setattr("anysky.transfer.streams._FIRST_WAIT", 0.0)


def plain(obj, extra):
    """An object of which something else is known."""
    return Object(obj.name, obj.size, obj.hash, extra, obj.meta_data, obj.container)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("size", SIZES)
@both
async def test_content_of_every_size_is_saved(api, size, resume, target):
    _driver, obj = await stored(api, WHOLE[:size])
    seen = []

    how = options(progress=seen.append, resume=resume)
    assert await api.do(obj.download(target, transfer=how)) is True

    assert target.read_bytes() == WHOLE[:size]
    assert names_in(target.parent) == ["target"]
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert (seen[-1].name, seen[-1].done, seen[-1].total) == ("k", size, size)


@both
async def test_ranges_come_at_the_same_time_and_of_one_object(api, target):
    cloud = Cloud()
    driver, obj = await stored(api, cloud=cloud)
    cloud.latency = {"open_object": 0.1}
    watched = Breaking(driver, [])

    begin = time.monotonic()
    await api.do(obj.download(target, transfer=options(concurrency=5)))

    assert time.monotonic() - begin < 0.4
    etag = obj.extra["etag"]
    assert sorted(watched.opened) == [(at, at + PART, etag) for at in range(0, 5 * PART, PART)]


@both
async def test_object_from_a_list_is_looked_at_first(api, target):
    driver, obj = await stored(api)
    listed = plain(obj, {})

    await api.do(driver.download_object(listed, target, transfer=options()))

    assert target.read_bytes() == WHOLE


# -- broken lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("offset", range(0, PART, 31))
@both
async def test_range_goes_on_where_the_line_broke(api, offset, resume, target):
    driver, obj = await stored(api)
    broken = Breaking(driver, [None, offset])

    await api.do(obj.download(target, transfer=options(concurrency=1, resume=resume)))

    assert target.read_bytes() == WHOLE
    etag = obj.extra["etag"]
    assert broken.opened[1:3] == [(PART, 2 * PART, etag), (PART + offset, 2 * PART, etag)]


@pytest.mark.parametrize("offset", range(0, 5 * PART, 79))
@both
async def test_stream_goes_on_where_the_line_broke(api, offset, target):
    driver, obj = await stored(api)
    broken = Breaking(driver, [offset])

    await api.do(obj.download(target))

    assert target.read_bytes() == WHOLE
    assert broken.opened == [(None, None, None), (offset, None, obj.extra["etag"])]


@both
async def test_pieces_go_on_where_the_line_broke(api):
    driver, obj = await stored(api)
    Breaking(driver, [100, 0, 900])

    whole = await collected(obj.as_stream(chunk_size=64))
    Breaking(driver, [10])
    part = await collected(obj.range_as_stream(5, 3000))

    assert (whole, part) == (WHOLE, WHOLE[5:3000])


@pytest.mark.parametrize("ranges", [False, True])
@both
async def test_line_that_breaks_again_and_again(api, ranges, target):
    driver, obj = await stored(api)
    target.write_text("old")
    broken = Breaking(driver, itertools.repeat(10, 1000))
    how = options(threshold=1 if ranges else 10**6, concurrency=1)

    with pytest.raises(ConnectionFailedError):
        await api.do(obj.download(target, True, transfer=how))

    assert len(broken.opened) == 6
    assert (names_in(target.parent), target.read_text()) == (["target"], "old")


@both
async def test_stream_without_an_etag_does_not_go_on(api):
    driver, obj = await stored(api)
    Breaking(driver, [100])

    with pytest.raises(ConnectionFailedError):
        await collected(driver.download_object_as_stream(plain(obj, {})))


# -- objects that change ---------------------------------------------------------------------------


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("skip", range(5))
@both
async def test_object_that_changes_between_ranges_is_read_anew(api, skip, resume, target):
    cloud = Cloud()
    _driver, obj = await stored(api, cloud=cloud)
    counter = itertools.count()
    other = get_driver("memory")(cloud=cloud)

    def change(call):
        if call.operation == "open_object" and next(counter) == skip:
            other.upload_object_via_stream(WHOLE[::-1], other.get_container("box"), "k")

    cloud.before = change

    await api.do(obj.download(target, transfer=options(resume=resume, concurrency=2)))

    assert target.read_bytes() == WHOLE[::-1]
    assert names_in(target.parent) == ["target"]


@pytest.mark.parametrize("resume", RESUME)
@both
async def test_object_that_changes_all_the_time(api, resume, target):
    cloud = Cloud()
    _driver, obj = await stored(api, cloud=cloud)
    counter = itertools.count()
    other = get_driver("memory")(cloud=cloud)

    def change(call):
        if call.operation == "open_object":
            content = next(counter).to_bytes(8, "big") + WHOLE[8:]
            other.upload_object_via_stream(content, other.get_container("box"), "k")

    cloud.before = change

    with pytest.raises(ConflictError, match="again and again"):
        await api.do(obj.download(target, transfer=options(resume=resume)))

    assert names_in(target.parent) == []


@both
async def test_object_that_changes_while_a_stream_goes_on(api):
    cloud = Cloud()
    driver, obj = await stored(api, cloud=cloud)
    Breaking(driver, [100])
    await api.do(obj.container.upload_object_via_stream(WHOLE[::-1], "k"))

    with pytest.raises(PreconditionFailedError, match="has changed while it was read"):
        await collected(obj.as_stream())


@both
async def test_object_that_has_another_size_by_now(api, target):
    _driver, obj = await stored(api)
    await api.do(obj.container.upload_object_via_stream(WHOLE[1:], "k"))

    with pytest.raises(ObjectHashMismatchError, match="4999 bytes in place of 5000"):
        await api.do(obj.download(target, transfer=options()))

    assert names_in(target.parent) == []


# -- wrong bytes -----------------------------------------------------------------------------------


class _Wrong:
    """A stream with one other byte."""

    def __init__(self, inner):
        self._inner = inner

    async def read(self, size):
        piece = await self._inner.read(size)
        return piece and bytes([piece[0] ^ 1]) + piece[1:]

    async def close(self):
        await self._inner.close()


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("name", ["crc32", "sha256", "md5"])
@both
async def test_wrong_byte_in_a_range(api, name, resume, target):
    driver, obj = await stored(api)
    target.write_text("old")
    digests = obj.extra["checksums"]
    known = plain(obj, {**obj.extra, "checksums": {name: _digest(name, digests)}})
    backend = driver._backend
    inner = backend.open_object

    async def open_object(obj, start, end, condition=None):
        stream = await inner(obj, start, end, condition)
        return _Wrong(stream) if start == PART else stream

    backend.open_object = open_object
    how = options(resume=resume)

    with pytest.raises(ObjectHashMismatchError, match=f"its {name} is"):
        await api.do(driver.download_object(known, target, True, transfer=how))

    assert (names_in(target.parent), target.read_text()) == (["target"], "old")


def _digest(name, digests):
    import hashlib

    if name == "crc32":
        return f"{zlib.crc32(WHOLE):08x}"
    return digests.get(name) or hashlib.new(name, WHOLE).hexdigest()


def test_digests_of_parts_make_that_of_all():
    parts = [WHOLE[:1], WHOLE[1:3000], b"", WHOLE[3000:]]

    found = combined("crc32", [(f"{zlib.crc32(part):08x}", len(part)) for part in parts])

    assert found == f"{zlib.crc32(WHOLE):08x}"
    assert combined("crc32c", [("58e3fa20", 4), ("0d1d8e6b", 0)]) is not None
    assert combined("md5", []) is None


# -- files that cannot be written ------------------------------------------------------------------


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize(
    ("function", "number", "reason"),
    [
        ("posix_fallocate", errno.ENOSPC, "No space left"),
        ("pwritev", errno.ENOSPC, "No space left"),
        ("pwritev", errno.EIO, "Input/output error"),
        ("fdatasync", errno.EIO, "Input/output error"),
    ],
)
@both
async def test_disk_that_fails(api, function, number, reason, ranges, resume, target, monkeypatch):
    _driver, obj = await stored(api)
    target.write_text("old")

    def fail(*args):
        raise OSError(number, os.strerror(number))

    if function == "posix_fallocate" and not ranges:
        return
    monkeypatch.setattr(os, function, fail)
    how = options(threshold=1 if ranges else 10**6, resume=resume)

    with pytest.raises(InvalidRequestError, match=reason):
        await api.do(obj.download(target, True, transfer=how))

    assert target.read_text() == "old"
    if not (resume and ranges):
        assert names_in(target.parent) == ["target"]
    monkeypatch.undo()
    monkeypatch.setattr("anysky.transfer.streams._FIRST_WAIT", 0.0)
    await api.do(obj.download(target, True, transfer=how))
    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("ranges", [False, True])
@both
async def test_directory_that_cannot_be_written(api, ranges, resume, target, monkeypatch):
    _driver, obj = await stored(api)
    target.write_text("old")
    inner = os.open

    def fail(path, flags, *args, **kwargs):
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return inner(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", fail)
    how = options(threshold=1 if ranges else 10**6, resume=resume)

    with pytest.raises(InvalidRequestError, match="Read-only file system"):
        await api.do(obj.download(target, True, transfer=how))

    assert (names_in(target.parent), target.read_text()) == (["target"], "old")


@pytest.mark.parametrize("resume", RESUME)
@both
async def test_file_that_is_there(api, resume, target):
    _driver, obj = await stored(api)
    target.write_text("old")

    with pytest.raises(InvalidRequestError, match="overwrite_existing"):
        await api.do(obj.download(target, transfer=options(resume=resume)))

    assert (names_in(target.parent), target.read_text()) == (["target"], "old")


@both
async def test_system_that_cannot_write_at_a_place(api, target, monkeypatch):
    _driver, obj = await stored(api)
    monkeypatch.delattr(os, "pwritev")
    monkeypatch.delattr(os, "posix_fallocate")

    await api.do(obj.download(target, transfer=options()))

    assert target.read_bytes() == WHOLE


@both
async def test_writes_that_are_cut_short(api, target, monkeypatch):
    _driver, obj = await stored(api)
    inner = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, pieces, at: inner(fd, [pieces[0][:7]], at))

    await api.do(obj.download(target, transfer=options()))

    assert target.read_bytes() == WHOLE


# -- failures, cancellation, Ctrl-C ----------------------------------------------------------------


@both
async def test_provider_that_is_busy_for_a_moment(api, target):
    cloud = Cloud()
    _driver, obj = await stored(api, cloud=cloud)
    busy = cloud.fail("open_object", times=3, with_=Response(503, {"retry-after": "0"}))

    await api.do(obj.download(target, transfer=options()))

    assert (busy.hits, target.read_bytes()) == (3, WHOLE)


@pytest.mark.parametrize("skip", range(5))
@both
async def test_range_that_fails_leaves_the_old_file(api, skip, target):
    cloud = Cloud()
    _driver, obj = await stored(api, cloud=cloud)
    target.write_text("old")
    cloud.fail("open_object", skip=skip, with_=ProviderUnavailableError("mine"))

    with pytest.raises(ProviderUnavailableError, match="mine"):
        await api.do(obj.download(target, True, transfer=options()))

    assert (names_in(target.parent), target.read_text()) == (["target"], "old")


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("call", range(5))
def test_cancelled_download_leaves_the_old_file(call, resume, target):
    cloud = Cloud()
    target.write_text("old")

    async def main():
        async with aio_storage.get_driver("memory")(cloud=cloud) as driver:
            box = await driver.create_container("box")
            await box.upload_object_via_stream(WHOLE, "k")
            obj = await box.get_object("k")
            how = options(resume=resume)
            task = asyncio.ensure_future(obj.download(target, True, transfer=how))
            counter = itertools.count()

            async def hook(_):
                if next(counter) == call:
                    task.cancel()
                    await asyncio.sleep(0)

            cloud.before = hook
            with pytest.raises(asyncio.CancelledError):
                await task
            cloud.before = None
            assert target.read_text() == "old"
            if not resume:
                assert names_in(target.parent) == ["target"]
            await obj.download(target, True, transfer=how)

    asyncio.run(main())
    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)


@pytest.mark.parametrize("resume", RESUME)
@pytest.mark.parametrize("call", range(5))
def test_interrupted_download_leaves_the_old_file(call, resume, target):
    cloud = Cloud()
    target.write_text("old")
    driver = get_driver("memory")(cloud=cloud)
    box = driver.create_container("box")
    box.upload_object_via_stream(WHOLE, "k")
    obj = box.get_object("k")
    counter, lock = itertools.count(), threading.Lock()

    def hook(_):
        with lock:
            number = next(counter)
        if number == call:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)

    cloud.before = hook
    how = options(resume=resume)
    with pytest.raises(KeyboardInterrupt):
        obj.download(target, True, transfer=how)
    cloud.before = None

    assert target.read_text() == "old"
    if not resume:
        assert names_in(target.parent) == ["target"]
    obj.download(target, True, transfer=how)
    assert (names_in(target.parent), target.read_bytes()) == (["target"], WHOLE)
