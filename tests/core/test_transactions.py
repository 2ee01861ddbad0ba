"""Transactions: what a block made is gone when it fails, whichever drivers and clouds made it."""

import asyncio
import threading

import pytest

import anysky
import anysky.aio
from anysky.compute import get_driver
from anysky.errors import (
    InvalidRequestError,
    PartialFailureError,
    PermissionDeniedError,
    QuotaExceededError,
)
from anysky.providers.memory import Cloud
from tests.core.both import both


@pytest.fixture
def cloud():
    return Cloud()


class StopError(Exception):
    pass


async def make_much(api, cloud):
    """Make one of everything that belongs to a web server, in four services."""
    do = api.do
    compute, dns, storage, balancers = (
        api.driver(kind, cloud=cloud) for kind in ("compute", "dns", "storage", "loadbalancer")
    )
    network = await do(compute.create_network("net", "10.1.0.0/16"))
    subnet = await do(compute.create_subnet(network, "part", "10.1.1.0/24"))
    group = await do(compute.create_security_group("web"))
    key = await do(compute.create_key_pair("deploy"))
    volume = await do(compute.create_volume(10, "data"))
    await do(volume.snapshot("first"))
    [size, *_], [image, *_] = await do(compute.list_sizes()), await do(compute.list_images())
    node = await do(
        compute.create_node(
            "web", size, image, network=subnet, key_pair=key, security_groups=[group]
        )
    )
    [node] = await do(compute.list_nodes(ids=[node.id]))
    await do(volume.attach(node))
    address = await do(compute.create_floating_ip())
    await do(address.attach(node))
    await do(node.driver.create_image(node, "golden"))
    zone = await do(dns.create_zone("example.org"))
    await do(zone.create_record("www", "A", address.ip))
    container = await do(storage.create_container("assets"))
    await do(container.upload_object_via_stream(iter([b"x"]), "logo"))
    balancer = await do(balancers.create_balancer("web", 80, "http", None, []))
    await do(balancer.attach_compute_node(node))


@both
async def test_everything_is_undone_in_reverse_order(api, cloud):
    start = cloud.inventory()

    with pytest.raises(StopError) as caught:
        async with api.transaction() as tx:
            await make_much(api, cloud)
            made = [type(thing).__name__ for thing in tx.created]
            plan = [step.operation for step in tx.plan()]
            raise StopError

    assert made == [
        "Network",
        "Subnet",
        "SecurityGroup",
        "KeyPair",
        "StorageVolume",
        "VolumeSnapshot",
        "Node",
        "FloatingIP",
        "NodeImage",
        "Zone",
        "Record",
        "Container",
        "Object",
        "LoadBalancer",
        "Member",
    ]
    undone = [call.operation for call in cloud.calls if call.operation in plan]
    assert undone == [operation for operation in plan if operation != "_detach_made"]
    assert cloud.inventory() == start
    assert caught.value.__notes__ == ["the transaction has undone 15 things"]


@both
async def test_all_stays_when_the_block_ends_well(api, cloud):
    async with api.transaction():
        await make_much(api, cloud)

    kinds = {kind for kind, things in cloud.inventory().items() if things}
    assert {"nodes", "volumes", "objects", "balancers", "records"} <= kinds


@both
async def test_what_was_kept_stays(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    with pytest.raises(StopError):
        async with api.transaction() as tx:
            one, _, three = [
                await api.do(driver.create_volume(1, name)) for name in ("one", "two", "three")
            ]
            tx.keep(one, three)
            with pytest.raises(InvalidRequestError, match="only what this transaction has made"):
                tx.keep(one.driver)
            raise StopError

    assert sorted(names(cloud)) == ["one", "three"]


@both
async def test_everything_so_far_is_kept(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    with pytest.raises(StopError):
        async with api.transaction() as tx:
            await api.do(driver.create_volume(1, "one"))
            tx.keep()
            await api.do(driver.create_volume(1, "two"))
            assert [thing.name for thing in tx.created] == ["one", "two"]
            raise StopError

    assert names(cloud) == ["one"]


def names(cloud):
    return [volume.name for volume in cloud.inventory().get("volumes", {}).values()]


@both
async def test_blocks_may_be_nested(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    with pytest.raises(StopError):
        async with api.transaction() as outer:
            await api.do(driver.create_volume(1, "one"))
            with pytest.raises(KeyError):
                async with api.transaction():
                    await api.do(driver.create_volume(1, "two"))
                    raise KeyError
            assert names(cloud) == ["one"]
            async with api.transaction() as inner:
                await api.do(driver.create_volume(1, "three"))
                assert [thing.name for thing in inner.created] == ["three"]
            assert [thing.name for thing in outer.created] == ["one", "three"]
            raise StopError

    assert names(cloud) == []


@both
async def test_rolling_back_within_the_block(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    async with api.transaction() as tx:
        await api.do(driver.create_volume(1, "one"))
        report = await api.do(tx.rollback())
        await api.do(driver.create_volume(1, "two"))
        created = [thing.name for thing in tx.created]

    assert ([one.name for one in report.undone], created) == (["one"], ["two"])
    assert names(cloud) == ["two"]


@both
async def test_what_cannot_be_undone_is_told(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    fault = cloud.fail(
        "destroy_volume",
        times=None,
        with_=PermissionDeniedError("not you"),
        where=lambda call: call.arguments["volume"] == kept,
    )
    kept = None

    with pytest.raises(PartialFailureError) as caught:
        async with api.transaction():
            await api.do(driver.create_volume(1, "one"))
            kept = (await api.do(driver.create_volume(1, "two"))).id
            await api.do(driver.create_volume(1, "three"))
            raise StopError("first")

    error = caught.value
    assert isinstance(error.__cause__, StopError)
    assert [one.name for one in error.left_behind] == ["two"]
    assert [one.name for one in error.undone] == ["three", "one"]
    assert (error.operation, names(cloud)) == ("transaction", ["two"])
    fault.times = fault.hits
    await api.do(error.rollback())
    assert (error.left_behind, names(cloud)) == ([], [])


@both
async def test_what_a_failed_call_made_is_undone_too(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.lose_answer("create_volume")
    looks = cloud.fail("list_volumes", times=1, with_=PermissionDeniedError("not now"))

    with pytest.raises(anysky.OutcomeUnknownError):
        async with api.transaction() as tx:
            try:
                await api.do(driver.create_volume(1, "one"))
            finally:
                doubts = [doubt.what for doubt in tx.in_doubt]

    assert (doubts, looks.hits, names(cloud)) == (["volume one"], 1, [])


@both
async def test_what_a_program_handles_itself_stays(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.quota("volumes", 1)

    async with api.transaction():
        await api.do(driver.create_volume(1, "one"))
        with pytest.raises(QuotaExceededError):
            await api.do(driver.create_volume(1, "two"))

    assert names(cloud) == ["one"]


@both
async def test_what_was_there_before_stays(api, cloud):
    storage = api.driver("storage", cloud=cloud)
    container = await api.do(storage.create_container("assets"))
    await api.do(container.upload_object_via_stream(iter([b"old"]), "logo"))

    with pytest.raises(StopError):
        async with api.transaction() as tx:
            await api.do(container.upload_object_via_stream(iter([b"new"]), "logo"))
            assert tx.created == []
            raise StopError

    [kept] = await api.do(container.list_objects())
    assert (kept.name, kept.size) == ("logo", 3)


@both
async def test_a_transaction_is_entered_once(api, cloud):
    tx = api.transaction()
    async with tx:
        pass

    with pytest.raises(InvalidRequestError, match="entered once"):
        async with tx:
            pass


def test_a_driver_of_the_other_api_is_refused(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        with (
            anysky.transaction(),
            pytest.raises(InvalidRequestError, match=r"anysky\.aio\.transaction"),
        ):
            await get_asyncio_driver("memory")(cloud=cloud).create_volume(1, "data")
        async with anysky.aio.transaction():
            with pytest.raises(InvalidRequestError, match=r"anysky\.transaction"):
                get_driver("memory")(cloud=cloud).create_volume(1, "data")

    asyncio.run(main())
    assert cloud.calls == []


def test_threads_take_part_when_they_join(cloud):
    driver = get_driver("memory")(cloud=cloud)

    def work(tx, number):
        with tx.joined():
            driver.create_volume(1, f"joined-{number}")

    def stranger():
        driver.create_volume(1, "stranger")

    with pytest.raises(StopError), anysky.transaction() as tx:
        threads = [threading.Thread(target=work, args=(tx, number)) for number in range(8)]
        threads.append(threading.Thread(target=stranger))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tx.created) == 8
        raise StopError

    assert names(cloud) == ["stranger"]


def test_two_tasks_have_transactions_of_their_own(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)

        async def work(name, error):
            async with anysky.aio.transaction():
                await driver.create_volume(1, name)
                await asyncio.sleep(0)
                if error:
                    raise error

        return await asyncio.gather(
            work("one", None), work("two", StopError()), return_exceptions=True
        )

    results = asyncio.run(main())

    assert (results[0], type(results[1]), names(cloud)) == (None, StopError, ["one"])


def test_a_task_that_ends_after_the_block_is_undone(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        cloud.latency = {"create_volume": 0.05}
        with pytest.raises(StopError):
            async with anysky.aio.transaction():
                late = asyncio.create_task(driver.create_volume(1, "late"))
                await asyncio.sleep(0.01)
                raise StopError
        with pytest.raises(PartialFailureError, match="the transaction was over") as caught:
            await late
        return caught.value

    error = asyncio.run(main())

    assert ([one.name for one in error.undone], names(cloud)) == (["late"], [])


def test_a_cancelled_block_is_undone(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        async with asyncio.timeout(0.05), anysky.aio.transaction():
            await driver.create_volume(1, "one")
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert names(cloud) == []


def test_a_sibling_that_fails_takes_the_others_along(cloud):
    from anysky.aio.compute import get_driver as get_asyncio_driver

    async def main():
        driver = get_asyncio_driver("memory")(cloud=cloud)
        cloud.latency = 0.01
        cloud.quota("volumes", 3)
        async with anysky.aio.transaction(), asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(driver.create_volume(1, f"data-{number}"))

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    assert names(cloud) == []
