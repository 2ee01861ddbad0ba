"""What a test can make a memory cloud do: fail, lag, take time, count, tell."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import anysky
from anysky import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidAccountError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.aio.compute import get_driver as get_asyncio_driver
from anysky.compute import get_driver
from anysky.providers.memory import Call, Cloud
from anysky.transport.base import Response
from anysky.transport.retry import RetryPolicy
from anysky.transport.tracing import Hooks

ONCE = RetryPolicy(attempts=1)


def volumes(cloud):
    return [volume.name for volume in cloud.inventory().get("volumes", {}).values()]


def operations(cloud):
    return [call.operation for call in cloud.calls]


# Faults


def test_a_call_fails_as_it_is_told_and_the_next_works(cloud, compute):
    error = ProviderUnavailableError("out of order", status=503)
    fault = cloud.fail("create_volume", with_=error)

    with pytest.raises(ProviderUnavailableError) as caught:
        compute.create_volume(1, "data")

    assert str(caught.value) == "memory create_volume: out of order (HTTP 503)"
    assert caught.value is not error
    assert volumes(cloud) == []
    compute.create_volume(1, "data")
    assert (volumes(cloud), fault.hits) == (["data"], 1)


def test_faults_skip_count_and_choose(cloud, compute):
    cloud.fail("create_volume", skip=1, times=2, where=lambda call: call.arguments["size"] == 1)

    outcomes = []
    for name, size in (("a", 1), ("b", 2), ("c", 1), ("d", 2), ("e", 1), ("f", 1)):
        try:
            compute.create_volume(size, name)
        except ProviderUnavailableError as error:
            outcomes.append(error.message)

    assert outcomes == ["the memory cloud was told to fail"] * 2
    assert volumes(cloud) == ["a", "b", "d", "f"]


def test_everything_fails_until_the_faults_are_cleared(cloud, compute, dns):
    cloud.fail("*", times=None)
    for call in (compute.list_nodes, compute.list_volumes, dns.list_zones):
        with pytest.raises(ProviderUnavailableError):
            call()

    cloud.clear_faults()

    assert compute.list_nodes() == []


def test_any_exception_can_come_out(cloud, compute):
    cloud.fail("create_volume", with_=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        compute.create_volume(1, "data")

    cloud.fail("create_volume", with_=RateLimitedError("slow down", retry_at=5.0))
    with pytest.raises(RateLimitedError) as caught:
        compute.create_volume(1, "data")
    assert caught.value.retry_at == 5.0


def test_a_lost_answer_leaves_what_was_made(cloud, compute):
    fault = cloud.lose_answer("create_key_pair")

    with pytest.raises(OutcomeUnknownError, match="told to lose the answer"):
        compute.create_key_pair("deploy")

    assert ([*cloud.inventory()["key_pairs"]], fault.hits) == (["deploy"], 1)
    assert operations(cloud) == ["create_key_pair"]


def test_what_carries_a_mark_is_found_after_a_lost_answer(cloud, compute):
    fault = cloud.lose_answer("create_volume")

    volume = compute.create_volume(1, "data", tags={"team": "red"})

    assert (volume.name, volume.tags, fault.hits) == ("data", {"team": "red"}, 1)
    assert operations(cloud) == ["create_volume", "list_volumes"]


def test_what_may_be_repeated_is_sent_again_after_a_lost_answer(cloud, compute):
    volume = compute.create_volume(1, "data")
    for operation in ("list_volumes", "destroy_volume"):
        cloud.lose_answer(operation)

    assert [one.id for one in compute.list_volumes()] == [volume.id]
    assert volume.destroy()

    assert volumes(cloud) == []
    assert operations(cloud) == [
        "create_volume",
        "list_volumes",
        "list_volumes",
        "destroy_volume",
        "destroy_volume",
    ]
    with pytest.raises(NotFoundError):
        volume.destroy()


def test_a_refused_connection_is_tried_again(cloud, compute):
    refused = cloud.fail("create_volume", times=2, with_=ConnectionFailedError("refused"))

    compute.create_volume(1, "data")

    assert (volumes(cloud), refused.hits) == (["data"], 2)


def test_an_answer_of_http_is_waited_for_and_repeated(cloud):
    waits = []

    async def sleep(seconds):
        if seconds:
            waits.append(seconds)

    driver = get_driver("memory")(cloud=cloud)
    driver._runtime.sleep = sleep
    fault = cloud.fail("create_volume", times=2, with_=Response(429, {"retry-after": "3"}))

    driver.create_volume(1, "data")

    assert (volumes(cloud), fault.hits) == (["data"], 2)
    assert {round(seconds) for seconds in waits} == {3}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (409, ConflictError)],
)
def test_an_answer_of_http_becomes_its_error(cloud, compute, status, kind):
    cloud.fail("create_volume", with_=Response(status, {"x-request-id": "r-1"}))

    with pytest.raises(kind) as caught:
        compute.create_volume(1, "data")

    assert (caught.value.status, caught.value.request_id) == (status, "r-1")
    assert volumes(cloud) == []


def test_a_gateway_may_give_up_while_the_work_is_done(cloud, compute):
    for operation in ("create_volume", "destroy_volume"):
        cloud.lose_answer(operation, with_=Response(504, {}))

    volume = compute.create_volume(1, "data")
    assert volume.destroy()

    assert volumes(cloud) == []
    assert operations(cloud)[-2:] == ["destroy_volume", "destroy_volume"]


def test_retries_can_be_switched_off(cloud):
    cloud.fail("list_volumes", with_=ConnectionFailedError("refused"))

    with pytest.raises(ConnectionFailedError) as caught:
        get_driver("memory")(cloud=cloud, retry=ONCE).list_volumes()

    assert caught.value.attempts == 1


def test_names_that_mean_nothing_are_refused(cloud):
    with pytest.raises(InvalidRequestError, match="no operation 'create_nodes'; did you mean"):
        cloud.fail("create_nodes")
    with pytest.raises(InvalidRequestError, match="no operation 'xxx'; there are"):
        cloud.lose_answer("xxx")
    with pytest.raises(InvalidRequestError, match="no kind of things 'node'; did you mean 'nodes'"):
        cloud.quota("node", 1)


def test_a_rule_may_look_into_the_cloud(cloud, compute):
    cloud.fail("create_volume", where=lambda _: len(cloud.inventory().get("volumes", ())) == 1)
    compute.create_volume(1, "a")

    with pytest.raises(ProviderUnavailableError):
        compute.create_volume(1, "b")


# Quotas


def test_a_quota_is_kept_until_it_is_taken_away(cloud, compute):
    cloud.quota("volumes", 2)
    first = compute.create_volume(1, "a")
    compute.create_volume(1, "b")

    with pytest.raises(QuotaExceededError, match="the quota of 2 volumes is reached"):
        compute.create_volume(1, "c")
    first.destroy()
    compute.create_volume(1, "d")
    cloud.quota("volumes", None)
    compute.create_volume(1, "e")

    assert volumes(cloud) == ["b", "d", "e"]


def test_a_replaced_object_costs_no_quota(cloud, storage):
    cloud.quota("objects", 1)
    container = storage.create_container("files")
    for content in (b"one", b"two"):
        container.upload_object_via_stream(content, "name")

    with pytest.raises(QuotaExceededError):
        container.upload_object_via_stream(b"", "other")
    assert [one.size for one in container.list_objects()] == [3]


# Lists that lag


def test_lists_lag_by_time(cloud, compute):
    cloud.list_lag = 30
    volume = compute.create_volume(1, "data")

    assert compute.list_volumes() == []
    assert compute.get_volume(volume.id) == volume
    cloud.advance(30)
    assert compute.list_volumes() == [volume]


def test_lists_lag_by_looks(cloud, compute):
    cloud.list_lag_looks = 2
    compute.create_volume(1, "data")

    assert [len(compute.list_volumes()) for _ in range(4)] == [0, 0, 1, 1]


def test_a_list_of_many_pages_is_one_look(cloud, compute):
    for number in range(5):
        compute.create_volume(1, f"old-{number}")
    compute.list_volumes()
    cloud.list_lag_looks, cloud.page_size = 1, 2
    compute.create_volume(1, "new")

    assert [len(compute.list_volumes()) for _ in range(3)] == [5, 6, 6]


def test_gets_can_lag_too(cloud, compute, make_node, dns, storage):
    cloud.list_lag, cloud.lag_hides_gets = 30, True
    node, volume, zone = make_node(), compute.create_volume(1, "x"), dns.create_zone("example.com")
    storage.create_container("files")
    record = zone.create_record("www", "A", "192.0.2.1")
    looks = [
        lambda: compute.get_node(node.id),
        lambda: compute.get_volume(volume.id),
        lambda: dns.get_zone(zone.id),
        lambda: dns.get_record(zone.id, record.id),
        lambda: storage.get_container("files"),
    ]

    for look in looks:
        with pytest.raises(NotFoundError):
            look()
    cloud.advance(30)

    assert [look().id for look in looks[:4]] == [node.id, volume.id, zone.id, record.id]


def test_lists_come_in_pages(cloud, compute):
    cloud.page_size = 2
    names = [compute.create_volume(1, name).name for name in ("a", "b", "c", "d", "e")]
    before = len(cloud.calls)

    assert [volume.name for volume in compute.list_volumes()] == names

    assert [call.arguments.get("cursor") for call in cloud.calls[before:]] == [
        None,
        "000000000002",
        "000000000004",
    ]


def test_a_page_goes_on_where_the_last_ended_whatever_is_destroyed(cloud, compute):
    cloud.page_size = 1
    first, *_ = [compute.create_volume(1, name) for name in ("a", "b", "c")]
    walk = compute.iterate_volumes()
    names = [next(walk).name]

    first.destroy()

    assert names + [volume.name for volume in walk] == ["a", "b", "c"]


# Time


def test_calls_take_the_time_they_are_told(cloud):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    driver = get_driver("memory")(cloud=cloud)
    driver._runtime.sleep = sleep
    cloud.latency = {"create_volume": 2.5, "*": 0.5}

    driver.create_volume(1, "data")
    driver.list_volumes()

    assert waits == [2.5, 0.5]


def test_a_call_that_takes_longer_than_its_deadline_does_nothing(cloud):
    cloud.latency = 60

    with pytest.raises(DeadlineExceededError):
        get_driver("memory")(cloud=cloud, deadline=1).create_volume(1, "data")

    assert volumes(cloud) == []


def test_a_task_can_be_cancelled_while_a_call_takes_its_time():
    cloud = Cloud(latency=30)

    async def main():
        async with get_asyncio_driver("memory")(cloud=cloud) as driver, asyncio.timeout(0.01):
            await driver.list_volumes()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert operations(cloud) == ["list_volumes"]


# Hooks, calls, inventory


def test_a_hook_sees_each_call_and_may_stop_it(cloud, compute):
    seen = []

    def stop_the_second(call):
        seen.append(call)
        if len(seen) == 2:
            raise KeyboardInterrupt

    cloud.before = stop_the_second
    compute.create_volume(1, "a")
    with pytest.raises(KeyboardInterrupt):
        compute.create_volume(2, "b")

    assert seen == cloud.calls
    assert seen[1] == Call("compute", "create_volume", {"name": "b", "size": 2})
    assert volumes(cloud) == ["a"]


def test_a_hook_afterwards_finds_the_work_done(cloud, compute):
    inventories = []

    def stop(call):
        inventories.append(volumes(cloud))
        raise KeyboardInterrupt

    cloud.after = stop
    with pytest.raises(KeyboardInterrupt):
        compute.create_volume(1, "data")

    assert inventories == [volumes(cloud)] == [["data"]]


@pytest.mark.parametrize(("hook", "left"), [("before", []), ("after", ["data"])])
def test_a_hook_can_be_a_coroutine_function_that_cancels(hook, left):
    cloud = Cloud()

    async def cancel(call):
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    async def main():
        async with get_asyncio_driver("memory")(cloud=cloud) as driver:
            await driver.create_volume(1, "data")

    setattr(cloud, hook, cancel)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())

    assert volumes(cloud) == left


def test_the_inventory_is_as_before_after_everything_is_gone(cloud, compute, make_node, dns):
    compute.create_volume(1, "precious")
    before = cloud.inventory()
    node, zone = make_node(), dns.create_zone("example.com")
    assert list(cloud.inventory()) == ["nodes", "volumes", "zones", "records"]

    node.destroy()
    zone.delete()

    assert cloud.inventory() == before
    assert repr(cloud) == "<Cloud: 1 volumes>"
    assert repr(Cloud()) == "<Cloud: empty>"


def test_nobody_changes_the_cloud_by_changing_what_it_returned(cloud, compute):
    volume = compute.create_volume(1, "data", tags={"a": "b"})
    volume.tags["a"] = "changed"
    volume.extra.clear()
    next(iter(cloud.inventory()["volumes"].values())).tags.clear()

    [found] = compute.list_volumes()

    assert found.tags == {"a": "b"}
    assert found.extra["location"] == "eu-north"


# Sharing


def test_services_and_apis_share_a_cloud(anysky):
    anysky.compute.create_volume(1, "data")

    async def main():
        return [one.name for one in await anysky.aio.compute.list_volumes()]

    assert asyncio.run(main()) == ["data"]
    anysky.storage.create_container("files")
    anysky.dns.create_zone("example.com")
    assert [call.service for call in anysky.cloud.calls] == ["compute", "compute", "storage", "dns"]


def test_a_driver_without_a_cloud_has_one_of_its_own():
    first, second = get_driver("memory")(), get_driver("memory")()
    first.create_volume(1, "data")

    assert second.list_volumes() == []
    assert volumes(first.account.cloud) == ["data"]


def test_threads_share_a_cloud(cloud):
    cloud.quota("volumes", 100)

    def work(number):
        driver = get_driver("memory")(cloud=cloud)
        for one in range(20):
            with suppress(QuotaExceededError):
                driver.create_volume(1, f"data-{number}-{one}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert len(cloud.inventory()["volumes"]) == 100
    assert len(cloud.calls) == 160


# As on any provider


def test_hooks_of_a_driver_and_the_log_see_each_call(cloud, caplog):
    requests, answers = [], []
    hooks = Hooks(requests.append, lambda _request, answer, _seconds: answers.append(answer))
    driver = get_driver("memory")("key", "canary-secret", cloud=cloud, hooks=hooks)

    with caplog.at_level(logging.DEBUG, "anysky.http"):
        driver.create_volume(1, "data", tags={"a": "b"})
        driver.list_volumes(tags={"a": "b"})

    assert [(one.method, one.target, one.body) for one in requests] == [
        ("POST", "/compute/create_volume", b'{"name":"data","size":1,"tags":{"a":"b"}}'),
        ("GET", "/compute/list_volumes?tags=%7B%22a%22%3A%22b%22%7D", b""),
    ]
    assert [answer.status for answer in answers] == [200, 200]
    assert [record.args[2] for record in caplog.records] == [
        "/compute/create_volume",
        "/compute/list_volumes?tags=***",
    ]
    assert "canary" not in caplog.text + repr(driver.account) + repr(cloud.calls)


def test_what_may_be_secret_is_not_in_the_calls(cloud, make_node):
    password = anysky.compute.NodeAuthPassword("canary-password")
    make_node(auth=password, user_data="canary-data")

    [call] = [call for call in cloud.calls if call.operation == "create_node"]

    assert "canary" not in repr(call)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"endpoint": "http://localhost", "cloud": Cloud()},
            "either cloud= or endpoint=, not both",
        ),
        ({"cloud": "sky"}, "wants 'cloud' as a Cloud, not"),
        ({"clout": None}, "did you mean 'cloud'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(InvalidAccountError, match=message):
        get_driver("memory")(**settings)


def test_a_region_that_there_is_not_is_named(cloud):
    driver = get_driver("memory")(cloud=cloud, region="mars")

    with pytest.raises(NotFoundError, match="there is no location 'mars'; there are eu-north, "):
        driver.create_volume(1, "data")


def test_what_is_in_doubt_is_looked_for_as_long_as_lists_lag(cloud, compute):
    cloud.fail("create_volume", with_=OutcomeUnknownError("told so"))
    cloud.list_lag = 0.3
    began = time.monotonic()

    with pytest.raises(OutcomeUnknownError, match="told so"):
        compute.create_volume(1, "data")

    assert 0.3 <= time.monotonic() - began < 5
