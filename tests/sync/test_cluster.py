"""Synchronise on a Dask cluster, with workers killed in the middle."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import threading
import time

import pytest

from anysky.aio import storage as aio_storage
from anysky.aio import transfer as aio_transfer
from anysky.errors import InvalidRequestError, PermissionDeniedError
from anysky.providers.memory import Cloud
from anysky.storage import get_driver
from anysky.transfer import TransferReport, sync

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # workers that are killed start again
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of workers that die
]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as made:
        yield made


@pytest.fixture
def driver(tmp_path):
    with get_driver("local")(str(tmp_path)) as made:
        yield made


@pytest.fixture
def names() -> dict[str, bytes]:
    folders = [f"{year}/{month:02}" for year in range(2020, 2024) for month in range(1, 4)]
    found = {f"{folder}/{number}.bin": b"x" * number for folder in folders for number in range(30)}
    return found | {"index.html": b"index", "2020/loose": b"loose"}


def fill(container, names) -> None:
    for name, content in names.items():
        container.upload_object_via_stream(content, name)


def look(container) -> dict[str, bytes]:
    return {one.name: b"".join(one.as_stream()) for one in container.list_objects()}


def test_folders_and_loose_objects_are_copied_by_the_workers(client, driver, names) -> None:
    source, target = driver.create_container("source"), driver.create_container("target")
    fill(source, names)
    fill(target, {"index.html": b"index", "old/gone": b"1", "2021/01/gone": b"2"})

    report = sync(source, target, delete=True, scheduler=client)

    assert (report.copied, report.unchanged, report.deleted) == (len(names) - 1, 1, 2)
    assert (report.failed, report.not_tried) == ([], 0)
    assert look(target) == names
    again = sync(source, target, delete=True, scheduler=client)
    assert (again.copied, again.unchanged, again.deleted) == (0, len(names), 0)


def test_workers_that_are_killed_lose_nothing(cluster, client, driver, names) -> None:
    source, target = driver.create_container("source"), driver.create_container("target")
    fill(source, names)
    stop = threading.Event()

    def kill() -> None:
        for _ in range(3):
            if stop.wait(0.3):
                return
            workers = list(cluster.workers.values())
            pid = workers[0].pid
            if pid:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.7)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = sync(source, target, scheduler=client)
    finally:
        stop.set()
        killer.join()

    assert report.failed == []
    assert look(target) == names
    assert sync(source, target).copied == 0


def test_reports_come_back_from_workers_with_their_errors() -> None:
    report = TransferReport(copied=1)
    report.fail("bad", PermissionDeniedError("not this one"))

    found = pickle.loads(pickle.dumps(report))

    assert (found.copied, found.failed[0].item) == (1, "bad")
    assert isinstance(found.failed[0].error, PermissionDeniedError)
    assert found.failed[0].error.message == "not this one"


def test_not_more_is_deleted_than_is_allowed(client, driver, names) -> None:
    source, target = driver.create_container("source"), driver.create_container("target")
    fill(source, {"2020/01/0.bin": b""})
    fill(target, names)

    with pytest.raises(InvalidRequestError, match="raise max_delete"):
        sync(source, target, delete=True, max_delete="30%", scheduler=client)

    assert look(target) == names


async def _on_asyncio(root, client):
    async with aio_storage.get_driver("local")(root) as driver:
        source = await driver.get_container("source")
        target = await driver.get_container("target")
        return await aio_transfer.sync(source, target, scheduler=client)


def test_the_asyncio_api_uses_the_same_cluster(client, driver, names, tmp_path) -> None:
    source, target = driver.create_container("source"), driver.create_container("target")
    fill(source, names)

    report = asyncio.run(_on_asyncio(str(tmp_path), client))

    assert (report.copied, report.failed) == (len(names), [])
    assert look(target) == names


def test_local_files_are_refused(client, driver, tmp_path) -> None:
    container = driver.create_container("source")

    with pytest.raises(InvalidRequestError, match="reaches no local files"):
        sync(tmp_path, container, scheduler=client)


def test_a_cloud_of_this_process_cannot_be_reached_from_another(client) -> None:
    with get_driver("memory")(cloud=Cloud()) as driver:
        source, target = driver.create_container("source"), driver.create_container("target")

        with pytest.raises(InvalidRequestError, match="another machine"):
            sync(source, target, scheduler=client)
