"""Many at once: what became of each."""

import pytest

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
)
from anysky.outcomes import Failure, Outcomes
from anysky.providers.memory import Cloud
from tests.core.both import both


@pytest.fixture
def cloud():
    return Cloud()


async def kinds(api, driver):
    return (await api.do(driver.list_sizes()))[0], (await api.do(driver.list_images()))[0]


def nodes(cloud):
    return sorted(node.name for node in cloud.inventory().get("nodes", {}).values())


@both
async def test_nodes_are_made_and_destroyed(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    made = await api.do(
        driver.create_nodes("web", *await kinds(api, driver), count=20, tags={"team": "red"})
    )

    assert bool(made)
    assert (made.failed, made.not_tried, len(made)) == ([], [], 20)
    assert [node.name for node in made] == [f"web-{number}" for number in range(1, 21)]
    assert {(node.driver, node.tags["team"]) for node in made} == {(driver, "red")}

    gone = await api.do(driver.destroy_nodes(made.done))

    assert (gone.done, bool(gone), nodes(cloud)) == (made.done, True, [])


@both
async def test_one_that_fails_does_not_stop_the_others(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    made = await api.do(driver.create_nodes("web", *await kinds(api, driver), count=4))
    cloud.fail("destroy_node", skip=1, with_=ConflictError("protected"))
    await api.do(made.done[3].destroy())

    gone = await api.do(driver.destroy_nodes(made.done, limit=1))

    assert [node.name for node in gone.done] == ["web-2", "web-3"]
    assert [failure.item.name for failure in gone.failed] == ["web-1", "web-4"]
    assert [type(failure.error) for failure in gone.failed] == [ConflictError, NotFoundError]
    assert (gone.not_tried, bool(gone)) == ([], False)
    with pytest.raises(ConflictError) as caught:
        gone.raise_if_failed()
    assert caught.value.__notes__ == [
        "2 are done, 2 failed, 0 were undone, 0 were not tried",
    ]


@both
@pytest.mark.parametrize("error", [QuotaExceededError("full"), AuthenticationError("who?")])
async def test_what_would_fail_as_well_is_not_tried(api, cloud, error):
    driver = api.driver("compute", cloud=cloud)
    cloud.fail("create_node", skip=2, times=None, with_=error)

    made = await api.do(driver.create_nodes("web", *await kinds(api, driver), count=5, limit=1))

    assert [node.name for node in made.done] == ["web-1", "web-2"]
    assert [(one.item, type(one.error)) for one in made.failed] == [("web-3", type(error))]
    assert made.not_tried == ["web-4", "web-5"]


@both
async def test_all_are_removed_if_that_is_wanted(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    cloud.quota("nodes", 3)

    made = await api.do(
        driver.create_nodes(
            "web", *await kinds(api, driver), count=5, limit=1, on_partial_failure="rollback"
        )
    )

    assert (made.done, len(made.failed), made.not_tried) == ([], 1, ["web-5"])
    assert [node.name for node in made.undone] == ["web-3", "web-2", "web-1"]
    assert nodes(cloud) == []


@both
async def test_bulk_operations_belong_to_transactions(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    start = cloud.inventory()

    with pytest.raises(KeyError):
        async with api.transaction() as tx:
            await api.do(driver.create_nodes("web", *await kinds(api, driver), count=9))
            assert len(tx.created) == 9
            raise KeyError

    assert cloud.inventory() == start


@both
async def test_no_more_than_the_limit_run_at_once(api, cloud):
    driver = api.driver("compute", cloud=cloud)
    running, most = 0, 0

    def enter(_call):
        nonlocal running, most
        running += 1
        most = max(most, running)

    def leave(_call):
        nonlocal running
        running -= 1

    size, image = await kinds(api, driver)
    cloud.latency, cloud.before, cloud.after = 0.01, enter, leave
    await api.do(driver.create_nodes("web", size, image, count=13, limit=3))

    assert most == 3


@both
async def test_objects_are_deleted(api, cloud):
    driver = api.driver("storage", cloud=cloud)
    container = await api.do(driver.create_container("assets"))
    objects = [
        await api.do(container.upload_object_via_stream(iter([b"x"]), name)) for name in "abc"
    ]
    cloud.fail("delete_object", skip=1, with_=ConflictError("locked"))

    gone = await api.do(driver.delete_objects(objects, limit=1))

    assert [obj.name for obj in gone.done] == ["a", "c"]
    assert [(one.item.name, one.error.message) for one in gone.failed] == [("b", "locked")]


@both
async def test_nothing_to_do_is_done(api, cloud):
    driver = api.driver("compute", cloud=cloud)

    assert await api.do(driver.destroy_nodes([])) == Outcomes()


@both
@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 1, "limit": 0}])
async def test_wrong_numbers_are_refused(api, cloud, wrong):
    driver = api.driver("compute", cloud=cloud)
    size, image = await kinds(api, driver)

    with pytest.raises(InvalidRequestError, match="1 or more, not 0"):
        await api.do(driver.create_nodes("web", size, image, **wrong))


def test_outcomes_without_failures_raise_nothing():
    Outcomes(done=[1]).raise_if_failed()
    with pytest.raises(CloudError, match="no"):
        Outcomes(failed=[Failure("one", CloudError("no"))]).raise_if_failed()
