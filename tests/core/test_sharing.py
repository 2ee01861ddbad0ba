"""Drivers between threads, processes and event loops; what they leave behind."""

import asyncio
import gc
import os
import threading
import warnings
from pathlib import Path

import pytest

from anysky.errors import InvalidRequestError
from tests.core.echo import AsyncioEcho, BlockingEcho
from tests.support import faults as f

FILES = Path("/proc/self/fd")


def check_answers(driver, name, count):
    """Call and compare; every answer must be the one to this very request."""
    crossed = 0
    for number in range(count):
        word = f"{name}-{number}"
        crossed += driver.ex_echo(word) != f"/{word}?q=1"
    return crossed


def in_threads(driver, threads, count, name="t"):
    results = [None] * threads

    def work(place):
        results[place] = check_answers(driver, f"{name}{place}", count)

    started = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for thread in started:
        thread.start()
    return started, results


def forked(driver, number, count):
    """Start a child that calls with its parent's driver; it ends with 0 if all is well."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        threads, results = in_threads(driver, 2, count // 2, f"c{number}-")
        for thread in threads:
            thread.join()
        driver.close()
        status = 0 if results == [0, 0] else 2
    finally:
        os._exit(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    "calls", [10_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_threads_and_forks_get_their_own_answers(echo, calls):
    share = calls // 24
    with BlockingEcho("token", endpoint=echo, proxy_url="") as driver:
        driver.ex_echo("x")
        threads, results = in_threads(driver, 16, share)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
            children = [forked(driver, number, share) for number in range(8)]
        for thread in threads:
            thread.join()
        statuses = [os.waitpid(child, 0)[1] for child in children]

    assert results == [0] * 16
    assert statuses == [0] * 8


def test_tasks_get_their_own_answers(echo):
    async def main():
        async with AsyncioEcho("token", endpoint=echo, proxy_url="") as driver:
            words = [f"w{number}" for number in range(2000)]
            return words, await asyncio.gather(*[driver.ex_echo(word) for word in words])

    words, answers = asyncio.run(main())

    assert answers == [f"/{word}?q=1" for word in words]


def test_jobs_in_order(api, echo):
    words = [f"w{number}" for number in range(100)]

    assert api.run(api.driver(echo).ex_many, *words) == [f"/{word}?q=1" for word in words]


def test_closed_driver(api, echo):
    driver = api.driver(echo)
    api.run(driver.ex_echo, "x")
    api.run(driver.close)
    api.run(driver.close)

    with pytest.raises(InvalidRequestError, match="closed; make a new one"):
        api.run(driver.ex_echo, "x")


def test_async_driver_on_another_loop(echo):
    async def first():
        driver = AsyncioEcho("token", endpoint=echo, proxy_url="")
        await driver.ex_echo("x")
        return driver

    with asyncio.Runner() as one, asyncio.Runner() as two:
        driver = one.run(first())
        with pytest.raises(InvalidRequestError, match="another event loop; make one driver"):
            two.run(driver.ex_echo("x"))
        with pytest.raises(InvalidRequestError, match="another event loop; close it there"):
            two.run(driver.close())
        assert one.run(driver.ex_echo("x")) == "/x?q=1"
        one.run(driver.close())


def open_files():
    gc.collect()
    return len(list(FILES.iterdir()))


@pytest.mark.skipif(not FILES.is_dir(), reason="needs /proc")
@pytest.mark.parametrize(
    "count", [30, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_sockets_are_given_back(api, echo, count):
    driver = api.driver(echo)
    api.run(driver.ex_echo, "x")
    before = open_files()

    for _ in range(count):
        other = api.driver(echo)
        api.run(other.ex_many, "a", "b", "c")
        api.run(other.close)
        api.drivers.remove(other)
    for _ in range(10 * count):
        api.run(driver.ex_echo, "x")

    assert open_files() - before <= 2


def test_with_closes(echo):
    with BlockingEcho("token", endpoint=echo, proxy_url="") as driver:
        driver.ex_echo("x")

    with pytest.raises(InvalidRequestError):
        driver.ex_echo("x")


@pytest.mark.parametrize("delay", [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05])
def test_cancelled_call_leaves_no_dirty_connection(faults, delay):
    """Whenever it is cancelled, the next answer on the driver is its own."""
    complaints = []
    faults.otherwise = f.Drip(b"0123456789", 200)

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        async with AsyncioEcho("token", endpoint=faults.url, proxy_url="", pool_size=1) as driver:
            await driver.ex_echo("warm")
            task = asyncio.ensure_future(driver.ex_echo("slow"))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await driver.ex_echo("next")

    assert asyncio.run(main()) == "0123456789"
    gc.collect()
    assert complaints == []


def test_driver_names_itself(api, echo):
    assert repr(api.driver(echo)) == f"<{api.driver_class.__name__} {echo}>"
