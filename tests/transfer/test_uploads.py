"""Uploads in one request and in parts, and what can go wrong with them, in both APIs."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import signal
import threading
import time
import tracemalloc
from dataclasses import replace

import pytest

from anysky.aio import storage as aio_storage
from anysky.errors import (
    InvalidRequestError,
    ObjectHashMismatchError,
    PartialFailureError,
    PreconditionFailedError,
    ProviderUnavailableError,
)
from anysky.model.storage import Container, Object, ObjectSpec, Part, PartLimits
from anysky.providers.memory import Cloud
from anysky.storage import get_driver
from anysky.transfer.sizes import part_size, range_size
from anysky.transfer.sources import stream_source
from anysky.transfer.uploads import upload_object
from anysky.transport.base import Response
from anysky.transport.retry import RetryPolicy
from tests.core.both import both
from tests.transfer.support import (
    PART,
    SIZES,
    WHOLE,
    box_of,
    content_of,
    left_over,
    options,
    reported,
)

QUICK = RetryPolicy(base=0.001, throttled_base=0.001)
MIB = 1024 * 1024


def numbers_of(cloud):
    return [one.arguments["number"] for one in cloud.calls if one.operation == "upload_part"]


def sources_of(content, folder):
    """The same content in every form."""
    file = folder / "source"
    file.write_bytes(content)
    opened = io.BytesIO(b".." + content)
    opened.seek(2)
    return {
        "file": str(file),
        "bytes": content,
        "file object": opened,
        "iterator": (content[at : at + 77] for at in range(0, len(content), 77)),
    }


@pytest.mark.parametrize("size", SIZES)
@both
async def test_content_of_every_size_and_kind_arrives(api, size, tmp_path):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options())
    box = await box_of(api, driver)
    content = WHOLE[:size]

    for kind, source in sources_of(content, tmp_path).items():
        seen = []
        how = options(progress=seen.append)
        if kind == "file":
            stored = await api.do(box.upload_object(source, kind, transfer=how))
        else:
            stored = await api.do(box.upload_object_via_stream(source, kind, transfer=how))

        assert (stored.name, stored.size, stored.container.name) == (kind, size, "box")
        assert await content_of(api, driver, kind) == content
        assert [one.done for one in seen] == sorted(one.done for one in seen)
        assert (seen[-1].name, seen[-1].done) == (kind, size)
        assert {one.total for one in seen} == {None if kind == "iterator" else size}
    assert len(numbers_of(cloud)) == 4 * (-(-size // PART) if size > PART else 0)
    assert await left_over(api, driver, box) == []


@both
async def test_async_iterator_arrives(api):
    if api.is_blocking:
        return
    driver = api.driver("storage", transfer=options())
    box = await box_of(api, driver)

    async def pieces():
        for at in range(0, len(WHOLE), 77):
            await asyncio.sleep(0)
            yield WHOLE[at : at + 77]

    await box.upload_object_via_stream(pieces(), "k")

    assert await content_of(api, driver) == WHOLE


@both
async def test_parts_are_sent_at_the_same_time(api):
    cloud = Cloud(latency={"upload_part": 0.1})
    driver = api.driver("storage", cloud=cloud, transfer=options(concurrency=5))
    box = await box_of(api, driver)

    begin = time.monotonic()
    await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert time.monotonic() - begin < 0.4
    assert sorted(numbers_of(cloud)) == [1, 2, 3, 4, 5]


@both
async def test_parts_go_in_order_where_the_provider_wants_that(api):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options())
    driver._backend.parts = PartLimits(smallest=1, in_order=True)
    box = await box_of(api, driver)

    await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert numbers_of(cloud) == [1, 2, 3, 4, 5]


# -- failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["upload_object", "upload_part"])
@both
async def test_provider_that_is_busy_for_a_moment(api, operation):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options(), retry=QUICK)
    box = await box_of(api, driver)
    busy = cloud.fail(operation, times=3, with_=Response(503, {"retry-after": "0"}))
    content = WHOLE if operation == "upload_part" else WHOLE[:10]

    await api.do(box.upload_object_via_stream(content, "k"))

    assert busy.hits == 3
    assert await content_of(api, driver) == content


@both
async def test_part_whose_answer_is_lost_is_sent_again(api):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options(), retry=QUICK)
    box = await box_of(api, driver)
    lost = cloud.lose_answer("upload_part", times=2)

    await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert lost.hits == 2
    assert await content_of(api, driver) == WHOLE
    assert await left_over(api, driver, box) == []


@pytest.mark.parametrize("skip", range(5))
@both
async def test_part_that_fails_leaves_nothing(api, skip):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options())
    box = await box_of(api, driver)
    await api.do(box.upload_object_via_stream(b"old", "k"))
    cloud.fail("upload_part", skip=skip, with_=ProviderUnavailableError("mine"))

    with pytest.raises(ProviderUnavailableError, match="mine"):
        await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert await left_over(api, driver, box) == []
    assert await content_of(api, driver) == b"old"


@both
async def test_first_failure_stops_the_others(api):
    cloud = Cloud(latency={"upload_part": 0.02})
    driver = api.driver("storage", cloud=cloud, transfer=options(part_size=10))
    box = await box_of(api, driver)
    cloud.fail("upload_part", skip=3, with_=ProviderUnavailableError("mine"))

    with pytest.raises(ProviderUnavailableError, match="mine"):
        await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert len(numbers_of(cloud)) <= 9


@both
async def test_parts_that_cannot_be_deleted_are_told(api):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options())
    box = await box_of(api, driver)
    cloud.fail("upload_part", with_=ProviderUnavailableError("mine"))
    cloud.fail("abort_multipart_upload", with_=ProviderUnavailableError("not now"))

    with pytest.raises(PartialFailureError, match="multipart upload of k") as caught:
        await api.do(box.upload_object_via_stream(WHOLE, "k"))

    left = await left_over(api, driver, box)
    assert reported(caught.value) == left
    assert "parts of the upload" in caught.value.__cause__.__notes__[0]
    await api.do(caught.value.rollback())
    assert await left_over(api, driver, box) == []


@both
async def test_condition_that_is_not_met_leaves_nothing(api):
    driver = api.driver("storage", transfer=options())
    box = await box_of(api, driver)
    await api.do(box.upload_object_via_stream(b"old", "k"))

    with pytest.raises(PreconditionFailedError):
        await api.do(box.upload_object_via_stream(WHOLE, "k", if_none_match="*"))

    assert await left_over(api, driver, box) == []
    assert await content_of(api, driver) == b"old"


@both
async def test_part_that_arrives_with_other_bytes_is_refused(api):
    driver = api.driver("storage", transfer=options())
    box = await box_of(api, driver)
    backend = driver._backend
    inner = backend.upload_part

    async def upload_part(*args, **kwargs):
        part = await inner(*args, **kwargs)
        return replace(part, checksums=dict.fromkeys(part.checksums, "0" * 8))

    backend.upload_part = upload_part

    with pytest.raises(ObjectHashMismatchError, match=r"k: part \d: its \w+ is"):
        await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert await left_over(api, driver, box) == []


@both
async def test_object_that_is_stored_with_other_bytes_is_told(api, tmp_path):
    driver = api.driver("storage", transfer=options())
    box = await box_of(api, driver)
    backend = driver._backend
    inner = backend.upload_object

    async def upload_object(*args, **kwargs):
        stored = await inner(*args, **kwargs)
        return replace(stored, hash="0" * 32, extra={**stored.extra, "checksums": {}})

    backend.upload_object = upload_object
    file = tmp_path / "source"
    file.write_bytes(b"content")

    with pytest.raises(ObjectHashMismatchError, match="the provider has 0000"):
        await api.do(box.upload_object(file, "k"))
    await api.do(box.upload_object(file, "k", verify_hash=False))


@pytest.mark.parametrize("size", [10, len(WHOLE)])
@pytest.mark.parametrize("change", ["longer", "shorter", "other bytes", "another file"])
@both
async def test_file_that_changes_while_it_is_read(api, size, change, tmp_path):
    cloud = Cloud()
    driver = api.driver("storage", cloud=cloud, transfer=options())
    box = await box_of(api, driver)
    await api.do(box.upload_object_via_stream(b"old", "k"))
    file = tmp_path / "source"
    file.write_bytes(WHOLE[:size])
    backend = driver._backend
    name = "upload_object" if size == 10 else "upload_part"
    inner = getattr(backend, name)

    async def changed(*args, **kwargs):
        if change == "another file":
            other = tmp_path / "other"
            other.write_bytes(WHOLE[:size])
            other.replace(file)
        else:
            new = {"longer": size + 1, "shorter": size - 1, "other bytes": size}[change]
            file.write_bytes(WHOLE[::-1][:new])
            os.utime(file, ns=(1, 1))
        return await inner(*args, **kwargs)

    setattr(backend, name, changed)

    with pytest.raises(InvalidRequestError, match="has changed"):
        await api.do(box.upload_object(file, "k"))

    assert await left_over(api, driver, box) == []
    assert await content_of(api, driver) == b"old"


@both
async def test_source_that_fails_in_the_middle(api):
    driver = api.driver("storage", transfer=options())
    box = await box_of(api, driver)

    def pieces():
        yield WHOLE[:2500]
        raise KeyError("mine")

    with pytest.raises(InvalidRequestError, match="cannot be read: 'mine'"):
        await api.do(box.upload_object_via_stream(pieces(), "k"))

    assert await left_over(api, driver, box) == []


@both
async def test_more_parts_than_the_provider_takes(api):
    driver = api.driver("storage", transfer=options())
    driver._backend.parts = PartLimits(smallest=1, count=3)
    box = await box_of(api, driver)

    with pytest.raises(InvalidRequestError, match="longer than 3000 bytes"):
        await api.do(box.upload_object_via_stream(iter([WHOLE]), "k"))
    await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert await left_over(api, driver, box) == []
    assert await content_of(api, driver) == WHOLE


@both
async def test_provider_that_must_know_the_length(api):
    driver = api.driver("storage", transfer=options())
    driver._backend.parts = None
    driver._backend.supports_chunked_encoding = False
    box = await box_of(api, driver)

    with pytest.raises(InvalidRequestError, match="how long the content is"):
        await api.do(box.upload_object_via_stream(iter([WHOLE]), "k"))
    await api.do(box.upload_object_via_stream(WHOLE, "k"))

    assert await content_of(api, driver) == WHOLE


# -- cancellation and Ctrl-C -----------------------------------------------------------------------


def calls_of_an_upload():
    cloud = Cloud()
    driver = get_driver("memory")(cloud=cloud, transfer=options())
    box = driver.create_container("box")
    before = len(cloud.calls)
    box.upload_object_via_stream(WHOLE, "k")
    return len(cloud.calls) - before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(calls_of_an_upload()))
def test_cancelled_upload_leaves_nothing_untold(call, after):
    cloud = Cloud()

    async def main():
        async with aio_storage.get_driver("memory")(cloud=cloud, transfer=options()) as driver:
            box = await driver.create_container("box")
            task = asyncio.ensure_future(box.upload_object_via_stream(WHOLE, "k"))
            counter = itertools.count()

            async def hook(_):
                if next(counter) == call:
                    task.cancel()
                    await asyncio.sleep(0)

            setattr(cloud, "after" if after else "before", hook)
            error = None
            try:
                await task
            except asyncio.CancelledError as cancelled:
                error = cancelled
            cloud.before = cloud.after = None
            left = await left_over(_Later(), driver, box)
            if error is None:
                assert (await driver.get_object("box", "k")).size == len(WHOLE)
                assert left == []
            else:
                assert left == reported(error)

    asyncio.run(main())


class _Later:
    """The asyncio API, for helpers."""

    async def do(self, result):
        return await result


@pytest.mark.parametrize("call", range(calls_of_an_upload()))
def test_interrupted_upload_leaves_nothing_untold(call):
    cloud = Cloud(latency={"upload_part": 0.01})
    driver = get_driver("memory")(cloud=cloud, transfer=options())
    box = driver.create_container("box")
    counter, lock = itertools.count(), threading.Lock()

    def hook(_):
        with lock:
            number = next(counter)
        if number == call:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)

    cloud.before = hook
    error = None
    try:
        box.upload_object_via_stream(WHOLE, "k")
    except KeyboardInterrupt as interrupt:
        error = interrupt
    cloud.before = None

    left = [one.upload_id for one in driver.list_multipart_uploads(box)]
    assert error is not None
    assert left == reported(error)


def test_ctrl_c_stops_threads_that_send():
    cloud = Cloud(latency={"upload_part": 0.05})
    driver = get_driver("memory")(cloud=cloud, transfer=options(part_size=10))
    box = driver.create_container("box")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        box.upload_object_via_stream(WHOLE, "k")

    timer.join()
    assert time.monotonic() - begin < 1.5
    assert len(numbers_of(cloud)) < 60
    assert driver.list_multipart_uploads(box) == []


# -- limits ----------------------------------------------------------------------------------------


@both
async def test_bandwidth_is_limited(api, tmp_path):
    driver = api.driver("storage")
    box = await box_of(api, driver)
    how = options(max_bandwidth=len(WHOLE) * 2.0)

    begin = time.monotonic()
    await api.do(box.upload_object_via_stream(WHOLE, "k", transfer=how))
    up = time.monotonic() - begin
    obj = await api.do(box.get_object("k"))
    begin = time.monotonic()
    await api.do(obj.download(tmp_path / "k", transfer=how))
    down = time.monotonic() - begin

    assert 0.15 < up < 1.5
    assert 0.15 < down < 1.5


class _Sink:
    """A backend that takes everything and keeps nothing."""

    parts = PartLimits()
    checksums = ("crc32",)

    def __init__(self):
        driver = get_driver("memory")()
        self._inner = driver._backend
        self.runtime = self._inner.runtime
        self.ledger = self._inner.ledger
        self.effects = self._inner.effects
        self.begin_multipart_upload = self._inner.begin_multipart_upload
        self._inner.cloud.state  # noqa: B018 - it is made on first use
        driver.create_container("box")
        self.sizes = {}

    async def upload_part(self, upload, number, offset, body, *, is_last, checksums):
        self.sizes[number] = sum(len(piece) for piece in body.open())
        return Part(number, self.sizes[number], "x")

    async def complete_multipart_upload(self, upload, parts, spec):
        return Object("k", sum(part.size for part in parts), None, {}, {}, upload.container)


@pytest.mark.parametrize("mib", [64, 192])
def test_memory_is_flat(mib):
    from anysky.run import run

    sink = _Sink()
    piece = bytes(MIB)
    source = stream_source((bytes(bytearray(piece)) for _ in range(mib)), None)
    how = options(part_size=8 * MIB, concurrency=4)

    tracemalloc.start()
    stored = run(upload_object(sink, Container("box"), source, ObjectSpec("k"), how))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert stored.size == mib * MIB
    assert peak < 8 * MIB * 4 + 32 * MIB


@pytest.mark.parametrize(
    ("length", "wanted", "expected"),
    [
        (None, None, 8 * MIB),
        (1, None, 8 * MIB),
        (1024 * MIB, None, 8 * MIB),
        (4096 * MIB, None, 32 * MIB),
        (100_000 * MIB, None, 64 * MIB),
        (5 * 1024 * 1024 * MIB, None, 549755814),
        (100 * MIB, 1, 5 * MIB),
        (100 * MIB, 6 * MIB + 1, 6 * MIB + 1),
        (100 * MIB, 6 * 1024 * MIB, 5 * 1024 * MIB),
    ],
)
def test_size_of_parts(length, wanted, expected):
    assert part_size(length, PartLimits(), wanted) == expected


def test_size_of_parts_is_a_multiple_and_within_what_the_provider_takes():
    limits = PartLimits(smallest=256, largest=1000, count=4, multiple=256)

    assert part_size(3000, limits, 300) == 768
    with pytest.raises(InvalidRequestError, match="4 parts of 768 bytes at the most"):
        part_size(3073, limits, None)
    assert range_size(10, None) == 8 * MIB
