"""Several processes and threads at once; processes that are killed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anysky.aio.storage import get_driver as get_aio_driver
from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    ObjectDoesNotExistError,
    PreconditionFailedError,
)
from anysky.model.storage import ObjectSpec
from anysky.transport.base import Body

MIB = 1024 * 1024

# Tries to be the first to make each of 200 objects; prints the numbers of those that it made.
FIRST = """
import sys
from anysky.errors import PreconditionFailedError
from anysky.storage import get_driver
box = get_driver("local")(sys.argv[1], fsync=False).get_container("box")
sys.stdin.readline()
for number in range(200):
    try:
        box.upload_object_via_stream(sys.argv[2].encode(), f"a/{number}", if_none_match="*")
    except PreconditionFailedError:
        continue
    print(number)
"""

# Counts in one object, with a condition, as often as it is told.
COUNTING = """
import sys
from anysky.errors import PreconditionFailedError
from anysky.storage import get_driver
box = get_driver("local")(sys.argv[1], fsync=False).get_container("box")
sys.stdin.readline()
done = 0
while done < 50:
    obj = box.get_object("counter")
    try:
        old = int(b"".join(box.driver.download_object_as_stream(obj, if_match=obj.extra["etag"])))
        new = str(old + 1).encode()
        box.upload_object_via_stream(new, "counter", if_match=obj.extra["etag"])
    except PreconditionFailedError:
        continue
    done += 1
"""

# Writes objects of 4 MiB of one digit each, again and again, until it is killed.
WRITING = """
import itertools, sys
from anysky.storage import get_driver
box = get_driver("local")(sys.argv[1], fsync=False).get_container("box")
for number in itertools.count():
    digit = str(number % 10).encode()
    meta = {"meta_data": {"digit": digit.decode()}}
    box.upload_object_via_stream(digit * (4 << 20), "deep/folder/object", extra=meta)
    if not number:
        print("begun", flush=True)
"""


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_one_process_of_several_is_the_first(root, box):
    processes = [start(FIRST, root, f"process {number}") for number in range(4)]
    outputs = [process.communicate("go\n")[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    winners = [{int(line) for line in output.split()} for output in outputs]
    assert sorted(number for won in winners for number in won) == list(range(200))
    for process, won in enumerate(winners):
        for number in won:
            content = b"".join(box.get_object(f"a/{number}").as_stream())
            assert content == f"process {process}".encode()


def test_no_count_is_lost(root, box, put):
    put("counter", b"0")
    processes = [start(COUNTING, root) for _ in range(3)]
    for process in processes:
        process.communicate("go\n")

    assert [process.returncode for process in processes] == [0] * 3
    assert b"".join(box.get_object("counter").as_stream()) == b"150"


def test_one_thread_of_several_is_the_first(box, put):
    def attempt(number):
        try:
            return put("a", str(number).encode(), if_none_match="*")
        except PreconditionFailedError:
            return None

    with ThreadPoolExecutor(16) as pool:
        made = [obj for obj in pool.map(attempt, range(64)) if obj is not None]

    assert len(made) == 1
    assert box.get_object("a").extra["etag"] == made[0].extra["etag"]


def test_killed_while_it_writes(root, box, put):
    old = put("deep/folder/object", b"old", extra={"meta_data": {"digit": "none"}})
    for round in range(10):
        process = start(WRITING, root)
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(0.01 * round)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

        found = box.get_object("deep/folder/object")
        content = b"".join(found.as_stream())
        digit = found.meta_data["digit"].encode()
        assert content == digit * (4 * MIB)
        assert found.hash == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert found.extra["etag"] != old.extra["etag"]
        assert [one.name for one in box.list_objects()] == ["deep/folder/object"]
    put("after", b"works as before")


def test_a_killed_upload_in_parts_goes_on(root, box, driver, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(48 * MIB))
    program = (
        "import sys\n"
        "from anysky.storage import get_driver\n"
        "from anysky.transfer import TransferOptions\n"
        "box = get_driver('local')(sys.argv[1]).get_container('box')\n"
        "options = TransferOptions(part_size=1 << 20, resume=True, max_bandwidth=40 << 20)\n"
        "box.upload_object(sys.argv[2], 'large', transfer=options)\n"
    )
    process = start(program, root, source)
    end = time.monotonic() + 30
    while not list((root / "box").glob(".anysky/uploads/*/[1-9]")) and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.communicate()

    (upload,) = driver.list_multipart_uploads(box)
    assert box.list_objects() == []
    driver.abort_multipart_upload(upload)
    assert driver.list_multipart_uploads(box) == []


def test_deleting_a_container_that_is_written_to(driver, root):
    """Objects are in the container or refused; never lost with it."""
    outcomes = []

    def write(number):
        box = driver.get_container("box")
        try:
            box.upload_object_via_stream(b"x", f"a/{number}")
            outcomes.append(("written", number))
        except ContainerDoesNotExistError:
            outcomes.append(("refused", number))

    for round in range(60):
        box = driver.create_container("box")
        outcomes.clear()
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(write, number) for number in range(2)]
            if round % 3:
                time.sleep(0.0005 * (round % 5))
            try:
                box.delete()
                deleted = True
            except ContainerIsNotEmptyError:
                deleted = False
            for job in jobs:
                with_errors(job)
        written = {number for what, number in outcomes if what == "written"}
        if deleted:
            assert written == set()
            assert not (root / "box").exists()
        else:
            listed = {one.name for one in box.list_objects()}
            assert {f"a/{number}" for number in written} <= listed
            for obj in box.list_objects():
                obj.delete()
            box.delete()


def with_errors(job):
    error = job.exception()
    assert error is None or isinstance(error, ContainerDoesNotExistError), error


def test_writing_and_deleting_side_by_side(box, put):
    """Directories come and go under the feet of writers; no write fails or is lost."""

    def work(number):
        name = f"deep/er/and/deeper/{number % 3}/{number % 7}"
        obj = put(name)
        try:
            obj.delete()
        except ObjectDoesNotExistError:  # another one has it deleted
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        deleted = sum(pool.map(work, range(600)))

    assert deleted > 0
    assert box.list_objects() == []
    names = [f"a/{number}" for number in range(20)] + ["a"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, names))
    assert [one.name for one in box.list_objects()] == ["a", *sorted(names[:-1])]


def test_cancelled_writes_leave_nothing(root, files, box):
    async def cancel_at(backend, moments):
        async def pieces():
            for _ in range(100):
                await asyncio.sleep(0)
                yield b"x" * 100_000

        task = asyncio.ensure_future(backend.upload_object(box, Body(pieces), ObjectSpec("a/b")))
        for _ in range(moments):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test():
        async with get_aio_driver("local")(root, fsync=False) as driver:
            for moments in range(1, 100, 3):
                await cancel_at(driver._backend, moments)

    asyncio.run(test())

    assert files() == []
    assert list((root / "box" / ".anysky" / "tmp").iterdir()) == []


def test_no_descriptor_is_left_open(root, box, put, driver):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    def use():
        obj = put("a/b", b"content", tags={"k": "v"})
        next(obj.as_stream(1))
        list(obj.as_stream())
        driver.copy_object(obj, box, "a/c/d")
        driver.move_object(obj, box, "x//y")
        for call in (
            lambda: box.get_object("missing"),
            lambda: put("a/c/d", if_none_match="*"),
            lambda: put("z", iter([b"1", None])),
            lambda: list(obj.range_as_stream(5_000)),
        ):
            with pytest.raises(CloudError):
                call()
        box.list_objects()
        box.list_directory()
        driver.delete_objects(box.list_objects())

    use()
    before = count()
    for _ in range(5):
        use()
    assert count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_is_forked_keeps_nobody_out(root, box, put):
    import fcntl
    import warnings

    from anysky.providers.local.containers import Root, locked

    put("a")
    with Root(str(root)).vessel("box") as vessel, locked(vessel), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:  # it has the lock's descriptor as well, and goes on living
            time.sleep(5)
            os._exit(0)
    try:
        with (root / "box" / ".anysky" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_several_delete_containers_at_once(driver, root):
    boxes = [driver.create_container(f"box-{number}") for number in range(40)]
    for box in boxes[::2]:
        box.upload_object_via_stream(b"", "a").delete()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda box: box.delete(), boxes))

    assert list(root.iterdir()) == []
