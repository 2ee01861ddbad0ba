"""The ledger: what was made is told, found when an answer is lost, and taken back."""

import asyncio
import os
import pickle
import signal

import pytest

from anysky.compute import get_driver
from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
    UnsupportedOperationError,
)
from anysky.ledger import Ledger, mark, mark_tag
from anysky.model.compute import VolumeSpec
from anysky.outcomes import InDoubt
from anysky.providers.memory import Cloud
from anysky.providers.memory.compute import MemoryCompute
from anysky.transport.base import Response
from tests.core.both import both


class TwoVolumes(MemoryCompute):
    """A backend with an operation that makes two things and waits for nothing."""

    async def create_pair(self, name):
        async with self.ledger("create_pair") as ledger:
            return [
                await ledger.step(
                    f"volume {name}-{number}",
                    self.create_volume(VolumeSpec(size=1, name=f"{name}-{number}")),
                    undo=self.destroy_volume,
                )
                for number in (1, 2)
            ]


@pytest.fixture
def cloud():
    return Cloud()


def pair_driver(api, cloud, **settings):
    driver = api.driver("compute", cloud=cloud, **settings)
    driver._backend.__class__ = TwoVolumes
    return driver


def names(cloud):
    return [volume.name for volume in cloud.inventory().get("volumes", {}).values()]


@both
async def test_what_was_made_before_a_step_failed_is_told(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))

    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    error = caught.value
    assert [volume.name for volume in error.created] == ["data-1"]
    assert error.created[0].driver is driver
    assert (error.operation, error.provider, error.driver) == ("create_pair", "memory", driver)
    assert (error.failed_step, error.in_doubt) == ("volume data-2", [])
    assert isinstance(error.__cause__, PermissionDeniedError)
    assert error.message == (
        f"made volume data-1 ({error.created[0].id}); then volume data-2 failed: not you; "
        "`rollback()` of this error removes it again"
    )
    assert names(cloud) == ["data-1"]


@both
async def test_rolling_back_removes_it_once(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))
    error = caught.value

    report = await api.do(error.rollback())
    calls = len(cloud.calls)
    again = await api.do(error.rollback())

    assert ([one.name for one in report.undone], report.left_behind) == (["data-1"], [])
    assert (error.undone, error.left_behind) == (report.undone, [])
    assert (again.undone, again.left_behind, len(cloud.calls)) == ([], [], calls)
    assert names(cloud) == []


@both
async def test_what_was_made_can_be_removed_by_hand_first(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    await api.do(caught.value.created[0].destroy())
    report = await api.do(caught.value.rollback())

    assert report.left_behind == []


@both
async def test_a_failing_undo_is_reported_and_may_be_tried_again(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))
    cloud.fail("destroy_volume", with_=PermissionDeniedError("nor this"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))
    error = caught.value

    report = await api.do(error.rollback())

    assert (report.undone, [one.name for one in report.left_behind]) == ([], ["data-1"])
    assert [one.message for one in report.errors] == ["nor this"]
    assert report.errors[0].provider == "memory"
    assert (error.undone, error.left_behind) == ([], report.left_behind)
    with pytest.raises(PermissionDeniedError):
        report.raise_if_incomplete()

    await api.do(error.rollback())
    assert (error.left_behind, names(cloud)) == ([], [])


@both
async def test_an_undo_waits_until_what_was_removed_lets_go(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("destroy_volume", with_=ConflictError("still attached"))
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))

    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))
    report = await api.do(caught.value.rollback())

    assert (len(report.undone), names(cloud)) == (1, [])


@both
@pytest.mark.parametrize("place", ["driver", "call"])
async def test_what_was_made_is_removed_at_once_if_that_is_wanted(api, cloud, place):
    settings = {"on_partial_failure": "rollback"} if place == "driver" else {}
    driver = api.driver("compute", cloud=cloud, **settings)
    kind = KeyboardInterrupt if api.is_blocking else asyncio.CancelledError
    cloud.after = lambda call: stop(kind) if call.operation == "create_volume" else None
    options = {"on_partial_failure": "rollback"} if place == "call" else {}

    with pytest.raises(kind) as caught:
        await api.do(driver.create_volume(1, "data", **options))

    error = caught.value.__cause__
    assert isinstance(error, PartialFailureError)
    assert ([one.name for one in error.undone], names(cloud)) == (["data"], [])


def stop(kind):
    raise kind


@both
async def test_a_choice_that_is_none_is_refused(api, cloud):
    with pytest.raises(InvalidRequestError, match="'keep' or 'rollback', not 'maybe'"):
        api.driver("compute", cloud=cloud, on_partial_failure="maybe")


@both
async def test_a_plain_error_stays_plain_when_nothing_was_made(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.quota("volumes", 0)

    with pytest.raises(QuotaExceededError) as caught:
        await api.do(driver.ex_create_pair("data"))

    assert not isinstance(caught.value, PartialFailureError)


@both
@pytest.mark.parametrize("status", [None, 500, 502, 504])
async def test_what_was_made_is_found_when_the_answer_is_lost(api, cloud, status):
    driver = pair_driver(api, cloud)
    cloud.lose_answer("create_volume", with_=status and Response(status, {}))

    first, second = await api.do(driver.ex_create_pair("data"))

    assert (first.name, second.name) == ("data-1", "data-2")
    assert names(cloud) == ["data-1", "data-2"]


@both
async def test_lists_that_lag_are_waited_for(api, cloud):
    cloud.list_lag_looks = 2
    driver = api.driver("compute", cloud=cloud)
    cloud.lose_answer("create_volume")

    volume = await api.do(driver.create_volume(1, "data"))

    assert volume.id in cloud.inventory()["volumes"]


@both
async def test_what_was_not_made_is_not_made_again(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.fail("create_volume", with_=OutcomeUnknownError("lost"))

    with pytest.raises(OutcomeUnknownError) as caught:
        await api.do(driver.create_volume(1, "data"))

    assert caught.value.in_doubt == ()
    assert [call.operation for call in cloud.calls] == ["create_volume", "list_volumes"]


@both
async def test_what_cannot_be_looked_for_stays_in_doubt(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.lose_answer("create_volume")
    cloud.fail("list_volumes", times=None, with_=PermissionDeniedError("you may not look"))

    with pytest.raises(OutcomeUnknownError) as caught:
        await api.do(driver.create_volume(1, "data"))

    [doubt] = caught.value.in_doubt
    [volume] = cloud.inventory()["volumes"].values()
    assert doubt == InDoubt(
        "volume data",
        "create_volume",
        volume.tags["anysky-op"],
        f"volume data, tagged anysky-op={doubt.mark}",
    )


@both
async def test_doubts_are_looked_for_when_rolling_back(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.lose_answer("create_volume")
    looks = cloud.fail("list_volumes", times=None, with_=PermissionDeniedError("not now"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))
    error = caught.value
    assert (error.created, [doubt.what for doubt in error.in_doubt]) == ([], ["volume data-1"])
    looks.times = looks.hits
    await api.do(error.rollback())

    assert ([one.name for one in error.undone], names(cloud)) == (["data-1"], [])


@both
async def test_a_key_of_this_name_that_was_there_before_is_not_ours(api, cloud):
    driver = api.driver("compute", cloud=cloud, on_partial_failure="rollback")
    await api.do(driver.create_key_pair("deploy"))
    cloud.fail("create_key_pair", with_=OutcomeUnknownError("lost"))

    with pytest.raises(OutcomeUnknownError):
        await api.do(driver.create_key_pair("deploy"))

    assert [*cloud.inventory()["key_pairs"]] == ["deploy"]


@both
async def test_tags_of_the_user_stay_as_they_are(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    volume = await api.do(driver.create_volume(1, "data", tags={"team": "red"}))
    [listed] = await api.do(driver.list_volumes())

    assert (volume.tags, listed.tags) == ({"team": "red"}, {"team": "red"})
    [kept] = cloud.inventory()["volumes"].values()
    [marked] = await api.do(driver.list_volumes(tags={"anysky-op": kept.tags["anysky-op"]}))
    assert marked.id == volume.id


def test_ctrl_c_waits_for_the_answer(cloud):
    driver = get_driver("memory")(cloud=cloud)
    cloud.before = lambda _call: os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        driver.create_volume(1, "data")

    cloud.before = None
    error = caught.value.__cause__
    assert isinstance(error, PartialFailureError)
    assert [one.name for one in error.created] == ["data"]
    error.rollback()
    assert names(cloud) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_goes_through_at_once(cloud):
    driver = get_driver("memory")(cloud=cloud)

    def twice(_call):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    cloud.before = twice
    with pytest.raises(KeyboardInterrupt) as caught:
        driver.create_volume(1, "data")

    error = caught.value.__cause__
    assert isinstance(error, PartialFailureError)
    assert (error.created, [doubt.what for doubt in error.in_doubt]) == ([], ["volume data"])


def test_ctrl_c_during_a_read_is_not_kept_waiting(cloud):
    driver = get_driver("memory")(cloud=cloud)
    cloud.before = lambda _call: os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        driver.list_volumes()

    assert caught.value.__cause__ is None


def test_a_handler_of_ones_own_is_called(cloud):
    driver = get_driver("memory")(cloud=cloud)
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    cloud.before = lambda _call: os.kill(os.getpid(), signal.SIGINT)
    try:
        volume = driver.create_volume(1, "data")
    finally:
        signal.signal(signal.SIGINT, before)

    assert (volume.name, seen) == ("data", [1])


def test_a_cancelled_task_waits_for_the_answer(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        cloud.latency = 0.1
        task = asyncio.create_task(driver.create_volume(1, "data"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        cloud.latency = 0.0
        error = caught.value.__cause__
        assert [one.name for one in error.created] == ["data"]
        await error.rollback()
        assert names(cloud) == []

    asyncio.run(main())


def test_a_task_that_is_cancelled_twice_does_not_wait(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        cloud.latency = 60.0
        task = asyncio.create_task(driver.create_volume(1, "data"))
        for _ in range(2):
            await asyncio.sleep(0.02)
            task.cancel()
        await asyncio.wait([task], timeout=5)
        with pytest.raises(asyncio.CancelledError) as caught:
            task.result()
        assert [doubt.what for doubt in caught.value.__cause__.in_doubt] == ["volume data"]

    asyncio.run(main())


def test_a_timeout_tells_what_was_made(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        cloud.latency = 0.1
        async with asyncio.timeout(0.02):
            await driver.create_volume(1, "data")

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(main())

    error = caught.value.__cause__.__cause__
    assert [one.name for one in error.created] == ["data"]


@both
async def test_a_backend_alone_has_a_ledger_too(api, cloud):
    backend = pair_driver(api, cloud)._backend
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))

    with pytest.raises(PartialFailureError) as caught:
        await backend.create_pair("data")

    assert [one.name for one in caught.value.created] == ["data-1"]
    await api.do(caught.value.rollback())
    assert names(cloud) == []


@both
async def test_a_step_that_nothing_takes_back_is_left_behind(api, cloud):
    backend = pair_driver(api, cloud)._backend

    async def mount():
        return await backend.create_volume(VolumeSpec(size=1, name="data"))

    with pytest.raises(PartialFailureError) as caught:
        async with Ledger(backend, "mount") as ledger:
            await ledger.step("mount", mount())
            raise ConflictError("busy")
    report = await api.do(caught.value.rollback())

    assert [one.name for one in report.left_behind] == ["data"]
    assert [str(one) for one in report.errors] == ["nothing takes this back: mount"]


@both
async def test_a_bug_in_one_undo_does_not_stop_the_others(api, cloud):
    backend = pair_driver(api, cloud)._backend

    async def broken(_thing):
        raise TypeError("oops")

    backend.broken = broken
    with pytest.raises(PartialFailureError) as caught:
        async with Ledger(backend, "mount") as ledger:
            for name, undo in (("one", backend.destroy_volume), ("two", backend.broken)):
                make = backend.create_volume(VolumeSpec(size=1, name=name))
                await ledger.step(name, make, undo=undo)
            raise ConflictError("busy")
    report = await api.do(caught.value.rollback())

    assert ([one.name for one in report.undone], names(cloud)) == (["one"], ["two"])
    assert [type(one) for one in report.errors] == [CloudError]


@both
async def test_an_error_that_travelled_has_lost_its_driver(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    copy = pickle.loads(pickle.dumps(caught.value))

    assert [one.name for one in copy.created] == ["data-1"]
    assert (str(copy), copy.driver) == (str(caught.value), None)
    with pytest.raises(UnsupportedOperationError, match="lost its driver"):
        copy.rollback()


def test_a_mark_belongs_to_a_step():
    assert (len(mark()), mark() == mark(), mark_tag()) == (32, False, {})


@both
async def test_a_provider_that_is_down_stays_down(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.fail("*", times=None, with_=Response(503, {}))

    with pytest.raises(ProviderUnavailableError):
        await api.do(driver.create_volume(1, "data"))

    assert {call.operation for call in cloud.calls} == {"create_volume"}


@both
async def test_gone_things_are_no_failure_of_a_rollback(api, cloud):
    driver = pair_driver(api, cloud)
    cloud.fail("create_volume", skip=1, with_=PermissionDeniedError("not you"))
    cloud.fail("destroy_volume", with_=NotFoundError("gone"))
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    report = await api.do(caught.value.rollback())

    assert (len(report.undone), report.left_behind) == (1, [])
