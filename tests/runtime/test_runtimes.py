"""Both runtimes: jobs together, sleep, locks, files, processes."""

import asyncio
import os
import signal
import sys
import threading
import time

import pytest

from anysky.deadlines import deadline
from anysky.errors import DeadlineExceededError
from anysky.run import run
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.runtime.blocking import BlockingRuntime
from anysky.runtime.locks import ForkLock


@pytest.fixture(params=[BlockingRuntime, AsyncioRuntime], ids=["blocking", "asyncio"])
def runtime(request):
    return request.param()


def complete(runtime, coroutine):
    return run(coroutine) if isinstance(runtime, BlockingRuntime) else asyncio.run(coroutine)


def test_gather_keeps_order_and_limit(runtime):
    running, most = 0, 0

    async def job(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await runtime.sleep(0.02)
        running -= 1
        return number

    async def main():
        return await runtime.gather([job(number) for number in range(12)], limit=4)

    assert complete(runtime, main()) == list(range(12))
    assert 2 <= most <= 4


def test_gather_stops_starting_after_a_failure(runtime):
    started = []

    async def job(number):
        started.append(number)
        await runtime.sleep(0.2 if number == 0 else 0.01)
        if number == 1:
            raise KeyError(number)
        return number

    async def main():
        return await runtime.gather([job(number) for number in range(50)], limit=2)

    with pytest.raises(KeyError):
        complete(runtime, main())
    assert len(started) <= 4


def test_hasty_gather_stops_what_runs(runtime):
    stopped = []

    async def job(number):
        if number == 1:
            await runtime.sleep(0.1)
            raise KeyError(number)
        try:
            for _ in range(200):
                await runtime.sleep(0.01)
        finally:
            stopped.append(number)

    async def main():
        return await runtime.gather([job(number) for number in range(3)], hasty=True)

    begin = time.monotonic()
    with pytest.raises(KeyError):
        complete(runtime, main())
    assert time.monotonic() - begin < 1.0
    assert sorted(stopped) == [0, 2]


def test_threads_stop_at_ctrl_c_also_those_that_they_have_started():
    runtime, stopped = BlockingRuntime(), []

    async def job(number):
        try:
            for _ in range(500):
                await runtime.sleep(0.01)
        finally:
            stopped.append(number)

    async def outer(number):
        await runtime.gather([job(number), job(number + 1)])

    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(runtime.gather([outer(0), outer(2)]))
    timer.join()
    assert time.monotonic() - begin < 2.0
    assert sorted(stopped) == [0, 1, 2, 3]


def test_gather_returns_exceptions_that_are_results(runtime):
    async def job():
        return ValueError("a result")

    async def main():
        return await runtime.gather([job(), job()])

    assert [type(one) for one in complete(runtime, main())] == [ValueError, ValueError]


def test_gather_inherits_the_deadline(runtime):
    async def main():
        return await runtime.gather([runtime.sleep(5), runtime.sleep(5)])

    with deadline(1), pytest.raises(DeadlineExceededError):
        complete(runtime, main())


def test_gather_of_nothing(runtime):
    async def main():
        return await runtime.gather([])

    assert complete(runtime, main()) == []


@pytest.mark.parametrize("seconds", [0, -1])
def test_sleep_of_nothing(runtime, seconds):
    start = time.monotonic()
    complete(runtime, runtime.sleep(seconds))

    assert time.monotonic() - start < 0.1


def test_finish_survives_cancellation():
    runtime, done = AsyncioRuntime(), []

    async def job():
        await asyncio.sleep(0.05)
        done.append(True)

    async def main():
        task = asyncio.ensure_future(runtime.finish(job()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done == [True]


def test_lock_excludes(runtime):
    inside = []

    async def job(lock):
        async with lock:
            inside.append(1)
            assert len(inside) == 1
            await runtime.sleep(0.01)
            inside.pop()

    async def main():
        lock = runtime.lock()
        await runtime.gather([job(lock) for _ in range(6)])

    complete(runtime, main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_lock_is_free_in_a_forked_child():
    lock = ForkLock()
    held, release = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    release.set()
    thread.join()


def test_file_and_process(runtime, tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    program = [sys.executable, "-c", "print('said')"]

    assert complete(runtime, runtime.read_file(str(tmp_path / "f"))) == b"content"
    assert complete(runtime, runtime.run_process(program)).strip() == b"said"
    with pytest.raises(OSError, match="ended with status 3"):
        complete(runtime, runtime.run_process([sys.executable, "-c", "exit(3)"]))
    with pytest.raises(OSError, match="did not end within"):
        complete(
            runtime, runtime.run_process([sys.executable, "-c", "import time; time.sleep(9)"], 0.2)
        )


def test_run_refuses_what_suspends():
    class Suspension:
        def __await__(self):
            yield

    async def suspends():
        await Suspension()

    with pytest.raises(RuntimeError, match="suspends suspended in the blocking API"):
        run(suspends())
