"""A thousand look-ups go on, without an error, whatever happens to the installed catalogue."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anysky import pricing
from anysky.aio import pricing as aio_pricing
from anysky.errors import CloudError
from tests.pricing.test_updating import HOSTILE, amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pricing.publisher import Publisher

    Make = Callable[..., Path]

AT_ONCE = 1000
PAUSE = 0.2
OLD, NEW = Decimal("0.5"), Decimal("0.6")


@pytest.fixture
def old(publisher: Publisher, make: Make) -> Path:
    """Install a catalogue, so that there is one all the while."""
    manifest = publisher.publish(make("2030.01.01", str(OLD)), "2030.01.01")
    pricing.update(manifest, key=publisher.key)
    return manifest


@contextmanager
def thousand_threads() -> Iterator[list[object]]:
    """Look up in a thousand threads at once; yield what comes of it."""
    seen: list[object] = []
    stop = threading.Event()
    begun = threading.Barrier(AT_ONCE + 1)

    def look_up() -> None:
        begun.wait()
        while not stop.wait(PAUSE):
            seen.append(outcome())

    threads = [threading.Thread(target=look_up) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    begun.wait()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def outcome() -> object:
    try:
        return amount()
    except CloudError as error:
        return repr(error)


def manifests(publisher: Publisher, make: Make) -> Iterator[tuple[Path, type[CloudError] | None]]:
    """Publish a newer catalogue, and every hostile one; yield each, with what it is refused for."""
    yield publisher.publish(make("2030.02.02", str(NEW)), "2030.02.02"), None
    for publish, error, _ in HOSTILE:
        publish(publisher, make("2030.03.03", "0.7"))
        yield publisher.manifest, error


@pytest.mark.usefixtures("old")
def test_threads_see_sound_catalogues_only(publisher: Publisher, make: Make) -> None:
    with thousand_threads() as seen:
        for manifest, error in manifests(publisher, make):
            if error is None:
                pricing.update(manifest, key=publisher.key)
            else:
                with pytest.raises(error):
                    pricing.update(manifest, key=publisher.key)
        assert pricing.rollback() == "2030.01.01"
        pricing.pin(None)

    assert set(seen) <= {OLD, NEW}
    assert len(seen) >= AT_ONCE
    assert pricing.verify() == "2030.01.01"


@pytest.mark.usefixtures("old")
def test_tasks_see_sound_catalogues_only(publisher: Publisher, make: Make) -> None:
    seen: list[object] = []

    async def look_up(stop: asyncio.Event) -> None:
        while not stop.is_set():
            seen.append(outcome())
            await asyncio.sleep(PAUSE)

    async def change() -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(look_up(stop))
            for manifest, error in manifests(publisher, make):
                if error is None:
                    await aio_pricing.update(manifest, key=publisher.key)
                else:
                    with pytest.raises(error):
                        await aio_pricing.update(manifest, key=publisher.key)
            assert await asyncio.to_thread(pricing.rollback) == "2030.01.01"
            stop.set()

    asyncio.run(change())

    assert set(seen) == {OLD, NEW}
    assert len(seen) >= AT_ONCE
    assert pricing.verify() == "2030.01.01"


@pytest.mark.usefixtures("old")
def test_commands_and_threads_see_sound_catalogues_only(publisher: Publisher, make: Make) -> None:
    new = publisher.publish(make("2030.02.02", str(NEW)), "2030.02.02")
    update = ("update", "--url", str(new), "--key", publisher.key)

    def show(_: int) -> object:
        done = command("show", "acme", "small", "north", "-o", "json")
        return json.loads(done.stdout)["amount"] if not done.returncode else done.stderr

    with thousand_threads() as seen, ThreadPoolExecutor(2) as pool:
        shown = pool.map(show, range(12))
        codes = [
            command(*arguments).returncode
            for arguments in (update, ("rollback",), ("pin", "--off"), update, ("verify",))
        ]
        make_hostile(publisher, make)
        codes.append(command(*update).returncode)
        printed = set(shown)

    assert codes == [0, 0, 0, 0, 0, 3]
    assert set(seen) == {OLD, NEW}
    assert printed <= {str(OLD), str(NEW)}


def make_hostile(publisher: Publisher, make: Make) -> None:
    publisher.publish(make("2030.03.03", "0.7"), "2030.03.03", raw_sha256="0" * 64)


def command(*arguments: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "anysky", "prices", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
