"""What a journal knows is taken back, or kept: in both APIs, once, and nothing else."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

import anysky
from anysky import journal_rows, recovering
from anysky.compute import get_driver
from anysky.errors import (
    ConflictError,
    InvalidAccountError,
    JournalError,
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
)
from anysky.ledger import Ledger
from anysky.processes import Process, this_process
from anysky.providers.memory import Memory
from anysky.providers.memory.serving import serve
from tests.core.both import both

from .clouds import journal_of, names, pair_driver, states

REFUSED = PermissionDeniedError("not you")
DEAD = Process(2**22 + 1, "1", this_process().host)  # no system has so many


@pytest.fixture
def as_if_dead(monkeypatch):
    """Lets what is written down from now on be of a process that is over."""
    monkeypatch.setattr(journal_rows, "this_process", lambda: DEAD)


class KilledError(BaseException):
    """What stops a program as if it were killed: nothing is written down any more."""


async def interrupt(api, cloud, journal, work, *, within=True):
    """Do something in a transaction and stop there, as if the process were killed."""
    driver = pair_driver(api, cloud, journal=journal)
    patch = pytest.MonkeyPatch()
    with pytest.raises(KilledError):  # noqa: PT012 - a block is what is tested
        if within:
            async with api.transaction():
                await work(driver)
                stop(patch, journal)
        else:
            await work(driver)
    patch.undo()
    return driver


def stop(patch, journal):
    """Let the journal and the cloud hear of nothing any more."""
    for name in ("settle", "end", "end_scope"):
        patch.setattr(journal, name, lambda *args: None)
    patch.setattr("anysky.transactions.undo_steps", killed)
    patch.setattr("anysky.aio.transactions.undo_steps", killed)
    raise KilledError


async def killed(*args):
    raise KilledError


@pytest.fixture
def others(cloud):
    """Things of others, called like ours; returns their names."""
    with get_driver("memory")(cloud=cloud) as driver:
        driver.create_volume(1, "a")
        driver.create_volume(1, "data-1")
    return ["a", "data-1"]


# --- Rollback ---


@both
async def test_what_is_known_is_removed_in_reverse_order_and_nothing_else(
    api, cloud, path, others, as_if_dead
):
    journal = journal_of(api, path)

    async def work(driver):
        await api.do(driver.create_volume(1, "a"))
        await api.do(driver.ex_create_pair("data"))

    driver = await interrupt(api, cloud, journal, work)
    (entry,) = journal.entries()
    assert (entry.state, entry.alive, len(entry.open_steps)) == ("interrupted", False, 3)

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert [one.name for one in report.undone] == ["data-2", "data-1", "a"]
    assert all(one.driver is driver for one in report.undone)
    assert (report.left_behind, report.gone, names(cloud)) == ([], [], others)
    assert journal.entries(all=True) == []
    with pytest.raises(NotFoundError, match=f"has no entry '{entry.id}'"):
        await api.do(journal.rollback(entry.id, drivers=[driver]))


@both
async def test_what_is_gone_already_counts_as_removed(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a"))
    )
    for volume in await api.do(driver.list_volumes()):
        await api.do(volume.destroy())
    (entry,) = journal.entries()

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert ([one.name for one in report.gone], report.left_behind) == (["a"], [])
    assert journal.entries(all=True) == []


@both
async def test_a_request_that_was_never_answered_is_found_by_its_mark(
    api, cloud, path, others, as_if_dead
):
    journal = journal_of(api, path)
    cloud.after = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()

    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.after = None
    (entry,) = journal.entries()
    assert (entry.name, states(entry)) == ("create_volume", [("volume a", "intended")])

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert ([one.name for one in report.undone], names(cloud)) == (["a"], others)
    assert journal.entries(all=True) == []


@both
async def test_a_request_that_never_left_is_looked_for_and_not_found(
    api, cloud, path, others, as_if_dead
):
    journal = journal_of(api, path)
    cloud.before = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.before = None

    report = await api.do(journal.rollback(journal.entries()[0].id, drivers=[driver]))

    assert (report.undone, report.left_behind, names(cloud)) == ([], [], others)
    assert journal.entries(all=True) == []


@both
async def test_a_list_that_lags_is_waited_for(api, cloud, path, as_if_dead):
    cloud.list_lag = 0.3
    journal = journal_of(api, path)
    cloud.after = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.after = None

    await api.do(journal.rollback(journal.entries()[0].id, drivers=[driver]))

    assert names(cloud) == []


@both
async def test_what_began_long_ago_is_not_waited_for(api, cloud, path, as_if_dead, monkeypatch):
    journal = journal_of(api, path)
    cloud.before = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.before = None
    cloud.list_lag = 60.0
    monkeypatch.setattr(recovering, "_LONG_AGO", 0.0)
    began = time.monotonic()

    await api.do(journal.rollback(journal.entries()[0].id, drivers=[driver]))

    assert time.monotonic() - began < 30


@both
async def test_what_cannot_be_removed_stays_in_the_journal(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    driver = await interrupt(api, cloud, journal, lambda driver: api.do(driver.ex_create_pair("b")))
    cloud.fail("destroy_volume", with_=REFUSED)
    (entry,) = journal.entries()

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert [one.name for one in report.undone] == ["b-1"]
    assert [one.name for one in report.left_behind] == ["b-2"]
    with pytest.raises(PermissionDeniedError):
        report.raise_if_incomplete()
    (left,) = journal.entries()
    assert (left.id, left.state, states(left)) == (
        entry.id,
        "failed",
        [("volume b-1", "undone"), ("volume b-2", "done")],
    )
    again = await api.do(journal.rollback(entry.id, drivers=[driver]))
    assert ([one.name for one in again.undone], names(cloud)) == (["b-2"], [])
    assert journal.entries(all=True) == []


@both
async def test_what_cannot_be_found_is_left_in_doubt(api, cloud, path, others, as_if_dead):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    driver._backend._find_created = nothing_is_known
    cloud.lose_answer("create_volume")
    with pytest.raises(OutcomeUnknownError) as caught:
        await api.do(driver.create_volume(1, "a"))
    (entry,) = journal.entries(all=True)

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert (report.left_behind, names(cloud)) == (caught.value.in_doubt, [*others, "a"])
    assert [entry.state for entry in journal.entries()] == ["failed"]


@both
async def test_an_attachment_of_things_of_others_is_left_alone(api, cloud, path, as_if_dead):
    """Whether it was begun nobody knows, and the volume may be attached by others by now."""
    journal = journal_of(api, path)
    driver = api.driver("compute", cloud=cloud, journal=journal)
    size, image = (await api.do(driver.list_sizes()))[0], (await api.do(driver.list_images()))[0]
    node = await api.do(driver.create_node("ours", size, image))
    other = await api.do(driver.create_node("of-others", size, image))
    volume = await api.do(driver.create_volume(1, "a"))
    cloud.before = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    with pytest.raises(KilledError):
        await api.do(driver.attach_volume(node, volume))
    patch.undo()
    cloud.before = None
    await api.do(driver.attach_volume(other, volume))
    (entry,) = journal.entries()

    report = await api.do(journal.rollback(entry.id, drivers=[driver]))

    assert [one.what for one in report.left_behind] == [
        f"attachment of volume {volume.id} to node {node.id}"
    ]
    assert (await api.do(driver.get_volume(volume.id))).state == "inuse"
    assert [one.state for one in journal.entries()] == ["failed"]


async def nothing_is_known(operation, mark, named):
    return None


@both
async def test_what_a_failure_kept_is_removed_by_its_id(api, cloud, path, others):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    cloud.fail("create_volume", skip=1, with_=REFUSED)
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("b"))

    await api.do(journal.rollback(caught.value.journal_id, drivers=[driver]))

    assert (names(cloud), journal.entries(all=True)) == (others, [])


# --- Resume ---


@both
async def test_resuming_finds_out_what_is_there_and_keeps_it(api, cloud, path, others, as_if_dead):
    journal = journal_of(api, path)
    patch = pytest.MonkeyPatch()

    async def work(driver):
        await api.do(driver.create_volume(1, "x"))
        cloud.after = lambda call: stop(patch, journal)
        await api.do(driver.create_volume(1, "y"))

    driver = await interrupt(api, cloud, journal, work)
    patch.undo()
    cloud.after = None
    (entry,) = journal.entries()
    assert states(entry) == [("volume x", "done"), ("volume y", "intended")]

    report = await api.do(journal.resume(entry.id, drivers=[driver]))

    assert [one.name for one in report.created] == ["x", "y"]
    assert (report.in_doubt, report.errors, report.raise_if_incomplete()) == ([], [], None)
    assert all(one.driver is driver for one in report.created)
    assert journal.entries() == []
    (kept,) = journal.entries(all=True)
    assert (kept.id, kept.state) == (entry.id, "kept")
    assert states(kept) == [("volume x", "done"), ("volume y", "done")]
    again = await api.do(journal.resume(entry.id, drivers=[driver]))
    assert ([one.name for one in again.created], journal.entries(all=True)) == (["x", "y"], [kept])
    assert names(cloud) == [*others, "x", "y"]
    await api.do(journal.rollback(entry.id, drivers=[driver]))
    assert (names(cloud), journal.entries(all=True)) == (others, [])


@both
async def test_resuming_what_never_began_removes_the_entry(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    cloud.before = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.before = None

    report = await api.do(journal.resume(journal.entries()[0].id, drivers=[driver]))

    assert (report.created, journal.entries(all=True)) == ([], [])


@both
async def test_what_stays_in_doubt_is_told_and_the_entry_stays(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    cloud.after = lambda call: stop(patch, journal)
    patch = pytest.MonkeyPatch()
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")), within=False
    )
    patch.undo()
    cloud.after = None
    cloud.fail("list_volumes", with_=REFUSED)
    (entry,) = journal.entries()

    report = await api.do(journal.resume(entry.id, drivers=[driver]))

    assert [one.what for one in report.in_doubt] == ["volume a"]
    assert [one.message for one in report.errors] == ["not you"]
    with pytest.raises(PermissionDeniedError):
        report.raise_if_incomplete()
    assert [one.state for one in journal.entries()] == ["interrupted"]
    driver._backend._find_created = nothing_is_known
    report = await api.do(journal.resume(entry.id, drivers=[driver]))
    assert (len(report.in_doubt), report.errors) == (1, [])
    with pytest.raises(anysky.CloudError, match="it cannot be told whether these were made: vol"):
        report.raise_if_incomplete()


# --- Who may ---


@both
async def test_what_still_runs_is_left_alone_unless_forced(api, cloud, path):
    journal = journal_of(api, path)
    driver = api.driver("compute", cloud=cloud, journal=journal)

    async with api.transaction():
        await api.do(driver.create_volume(1, "a"))
        (entry,) = journal.entries()
        for job in (journal.rollback, journal.resume):
            with pytest.raises(ConflictError, match=r"transaction .* still runs in process"):
                await api.do(job(entry.id, drivers=[driver]))
        with pytest.raises(ConflictError):
            journal.forget(entry.id)
        assert names(cloud) == ["a"]
        await api.do(journal.rollback(entry.id, drivers=[driver], force=True))
        assert names(cloud) == []


@both
async def test_a_process_of_another_machine_may_still_run(api, cloud, path, monkeypatch):
    elsewhere = replace(DEAD, host="elsewhere")
    monkeypatch.setattr(journal_rows, "this_process", lambda: elsewhere)
    journal = journal_of(api, path)
    driver = await interrupt(
        api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a"))
    )
    (entry,) = journal.entries()
    assert (entry.state, entry.alive, entry.host) == ("running", None, "elsewhere")

    with pytest.raises(ConflictError, match="on elsewhere, which may still run; if it does not"):
        await api.do(journal.rollback(entry.id, drivers=[driver]))
    await api.do(journal.rollback(entry.id, drivers=[driver], force=True))

    assert names(cloud) == []


@both
async def test_forgetting_removes_nothing_but_the_entry(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    await interrupt(api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")))

    journal.forget(journal.entries()[0].id)

    assert (names(cloud), journal.entries(all=True)) == (["a"], [])
    with pytest.raises(NotFoundError):
        journal.forget("000000000000")


# --- With which driver ---


@both
async def test_a_driver_that_cannot_be_made_again_must_be_given(api, cloud, path, as_if_dead):
    journal = journal_of(api, path)
    await interrupt(api, cloud, journal, lambda driver: api.do(driver.create_volume(1, "a")))

    with pytest.raises(JournalError, match="of 'memory' cannot be made again from the journal"):
        await api.do(journal.rollback(journal.entries()[0].id))

    assert names(cloud) == ["a"]


@pytest.fixture
def url(cloud):
    with serve(cloud) as served:
        yield served.url


@both
async def test_drivers_are_made_again_as_they_were(api, cloud, url, path, as_if_dead):
    journal = journal_of(api, path)
    patch = pytest.MonkeyPatch()
    driver = api.driver("compute", endpoint=url, journal=journal, region="us-east")
    dns = api.driver("dns", endpoint=url, journal=journal)
    zone = await api.do(dns.create_zone("example.org"))
    with pytest.raises(KilledError):  # noqa: PT012 - a block is what is tested
        async with api.transaction():
            await api.do(driver.create_volume(1, "a"))
            await api.do(dns.create_record("www", zone, "A", "192.0.2.1"))
            stop(patch, journal)
    patch.undo()
    (entry,) = journal.entries()
    assert (entry.provider, entry.service) == ("memory", "compute, dns")
    assert [step.origin["settings"] for step in entry.steps] == [
        {"region": "us-east", "endpoint": url},
        {"endpoint": url},
    ]

    report = await api.do(journal.rollback(entry.id))

    assert [type(one).__name__ for one in report.undone] == ["Record", "StorageVolume"]
    assert names(cloud) == []
    for one in (driver, dns):
        await api.do(one.close())


@pytest.fixture
def other_account(monkeypatch):
    """Lets drivers be made with credentials of the environment, which are others."""
    monkeypatch.setattr(Memory, "secrets", lambda account: ["x" if account.key else "y"])


@both
async def test_other_credentials_are_refused_unless_forced(
    api, cloud, url, path, as_if_dead, other_account
):
    journal = journal_of(api, path)
    patch = pytest.MonkeyPatch()
    driver = api.driver("compute", key="the first account", endpoint=url, journal=journal)
    with pytest.raises(KilledError):  # noqa: PT012 - a block is what is tested
        async with api.transaction():
            await api.do(driver.create_volume(1, "a"))
            stop(patch, journal)
    patch.undo()
    (entry,) = journal.entries()

    with pytest.raises(InvalidAccountError, match="with other credentials; if these are of the"):
        await api.do(journal.rollback(entry.id))
    assert names(cloud) == ["a"]
    await api.do(journal.rollback(entry.id, force=True))

    assert names(cloud) == []
    await api.do(driver.close())


def test_another_region_in_the_environment_is_refused(path, monkeypatch, as_if_dead):
    """There, nothing would be found, and all would be forgotten."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    journal = anysky.Journal(path)
    driver = get_driver("ec2")("AKIDEXAMPLE", "secret", journal=journal)
    ledger = Ledger(driver._backend, "create_volume", driver._terms, own=True, what="volume a")
    ledger.intend(ledger.own)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    (entry,) = journal.entries()

    with pytest.raises(
        InvalidAccountError,
        match=r"was made by 'ec2' at 'https://ec2\.eu-west-1\..*', but the settings lead to "
        r"'https://ec2\.us-east-1\..*': set the region as it was, or give drivers=",
    ):
        journal.rollback(entry.id)
