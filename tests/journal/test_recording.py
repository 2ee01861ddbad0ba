"""What is in the file, and when: before a request leaves, and before the next one."""

from __future__ import annotations

import asyncio
import os
import stat
import threading

import pytest

import anysky
import anysky.aio
from anysky.aio.compute import get_driver as get_asyncio_driver
from anysky.compute import get_driver
from anysky.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
)
from anysky.journal import JournalFile
from anysky.journaling import find_journal, own_path
from tests.core.both import both

from .clouds import StopError, journal_of, names, pair_driver, states

REFUSED = PermissionDeniedError("not you")


# --- Order ---


@both
async def test_the_intent_is_there_before_the_request_and_the_thing_after_it(
    api, cloud, path, rows
):
    seen = []

    def look(call):
        if call.operation == "create_volume":
            seen.append(rows("step", "what", "state", "undo", "thing is null"))

    cloud.before = cloud.after = look
    driver = api.driver("compute", cloud=cloud, journal=str(path))
    async with api.transaction():
        await api.do(driver.create_volume(10, "a"))
        await api.do(driver.create_volume(10, "b"))
        at_last = rows("step", "what", "state", "undo", "thing is null")

    asked = [("volume a", "intended", "destroy_volume", 1)]
    made = [("volume a", "done", "destroy_volume", 0)]
    assert seen == [
        asked,
        asked,
        [*made, ("volume b", "intended", "destroy_volume", 1)],
        [*made, ("volume b", "intended", "destroy_volume", 1)],
    ]
    assert at_last == [*made, ("volume b", "done", "destroy_volume", 0)]


@both
async def test_what_was_made_is_there_before_the_next_step_of_an_operation(api, cloud, path, rows):
    seen = []
    cloud.before = lambda call: seen.append(rows("step", "what", "state"))

    await api.do(pair_driver(api, cloud, journal=str(path)).ex_create_pair("data"))

    assert seen == [
        [("volume data-1", "intended")],
        [("volume data-1", "done"), ("volume data-2", "intended")],
    ]


@both
async def test_nothing_is_kept_of_what_ended_well(api, cloud, path, rows):
    driver = pair_driver(api, cloud, journal=str(path))

    await api.do(driver.create_volume(10, "a"))
    await api.do(driver.ex_create_pair("b"))
    async with api.transaction():
        await api.do(driver.create_volume(10, "c"))
        async with api.transaction():
            await api.do(driver.create_volume(10, "d"))

    assert (rows("entry"), rows("step")) == ([], [])
    assert names(cloud) == ["a", "b-1", "b-2", "c", "d"]


@both
async def test_what_only_reads_writes_nothing(api, cloud, path):
    driver = api.driver("compute", cloud=cloud, journal=str(path))

    await api.do(driver.list_volumes())

    assert not path.exists()


# --- Transactions ---


@both
async def test_a_transaction_has_the_steps_of_all_its_operations_in_order(api, cloud, path):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)

    async with api.transaction():
        await api.do(driver.create_volume(10, "a"))
        async with api.transaction():
            await api.do(driver.ex_create_pair("b"))
        await api.do(driver.create_volume(10, "c"))
        (entry,) = journal.entries()

    assert (entry.name, entry.state, entry.alive) == ("transaction", "running", True)
    assert (entry.provider, entry.service, entry.pid) == ("memory", "compute", os.getpid())
    assert states(entry) == [
        ("volume a", "done"), ("volume b-1", "done"), ("volume b-2", "done"), ("volume c", "done"),
    ]  # fmt: skip


@both
async def test_a_transaction_that_was_undone_leaves_nothing(api, cloud, path, rows):
    driver = api.driver("compute", cloud=cloud)

    with pytest.raises(StopError):  # noqa: PT012 - a block is what is tested
        async with api.transaction(journal=str(path)):
            await api.do(driver.create_volume(10, "a"))
            async with api.transaction():
                await api.do(driver.create_volume(10, "b"))
            raise StopError

    assert (rows("entry"), rows("step"), names(cloud)) == ([], [], [])


@both
async def test_what_a_transaction_keeps_is_no_more_to_be_undone(api, cloud, path):
    journal = journal_of(api, path)
    driver = api.driver("compute", cloud=cloud)

    async with api.transaction(journal=journal) as tx:
        tx.keep(await api.do(driver.create_volume(10, "a")))
        await api.do(driver.create_volume(10, "b"))
        (entry,) = journal.entries()

    assert [step.what for step in entry.open_steps] == ["volume b"]


@both
async def test_what_a_transaction_could_not_undo_stays_in_the_journal(api, cloud, path):
    journal = journal_of(api, path)
    driver = api.driver("compute", cloud=cloud, journal=journal)
    cloud.fail("destroy_volume", with_=REFUSED)

    with pytest.raises(PartialFailureError) as caught:  # noqa: PT012 - a block is what is tested
        async with api.transaction():
            await api.do(driver.create_volume(10, "a"))
            await api.do(driver.create_volume(10, "b"))
            raise StopError

    (entry,) = journal.entries()
    assert (entry.id, entry.state, entry.error) == (caught.value.journal_id, "failed", "StopError")
    assert [(one.what, one.state, one.error) for one in entry.steps] == [
        ("volume b", "done", "not you")
    ]
    report = await api.do(caught.value.rollback())
    assert ([one.name for one in report.undone], journal.entries(all=True)) == (["b"], [])


# --- Failures ---


@both
async def test_what_a_failure_keeps_is_listed_only_when_asked_for(api, cloud, path):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    cloud.fail("create_volume", skip=1, with_=REFUSED)

    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    assert journal.entries() == []
    (entry,) = journal.entries(all=True)
    assert (entry.id, entry.state) == (caught.value.journal_id, "kept")
    assert (entry.error, states(entry)) == (
        "not you",
        [("volume data-1", "done"), ("volume data-2", "not made")],
    )


@both
async def test_rolling_the_error_back_removes_the_entry(api, cloud, path):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    cloud.fail("create_volume", skip=1, with_=REFUSED)
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    await api.do(caught.value.rollback())

    assert (journal.entries(all=True), names(cloud)) == ([], [])


@both
async def test_a_rollback_that_fails_is_listed(api, cloud, path):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    cloud.fail("create_volume", skip=1, with_=REFUSED)
    cloud.fail("destroy_volume", with_=REFUSED)
    with pytest.raises(PartialFailureError) as caught:
        await api.do(driver.ex_create_pair("data"))

    report = await api.do(caught.value.rollback())

    (entry,) = journal.entries()
    assert (entry.state, [one.name for one in report.left_behind]) == ("failed", ["data-1"])


@both
async def test_a_refused_operation_leaves_nothing(api, cloud, path, rows):
    driver = api.driver("compute", cloud=cloud, journal=str(path))
    cloud.fail("create_volume", with_=REFUSED)

    with pytest.raises(PermissionDeniedError):
        await api.do(driver.create_volume(10, "a"))

    assert rows("entry") == []


@both
async def test_a_lost_answer_is_in_doubt_in_the_journal(api, cloud, path):
    journal = journal_of(api, path)
    driver = pair_driver(api, cloud, journal=journal)
    driver._backend._find_created = nothing_is_known
    cloud.lose_answer("create_volume")

    with pytest.raises(OutcomeUnknownError):
        await api.do(driver.create_volume(10, "a"))

    (entry,) = journal.entries(all=True)
    assert (entry.state, states(entry)) == ("kept", [("volume a", "in doubt")])


async def nothing_is_known(operation, mark, named):
    return None


def test_tasks_and_threads_share_a_journal(cloud, path, rows):
    async def on_asyncio():
        async with get_asyncio_driver("memory")(cloud=cloud, journal=str(path)) as driver:
            await asyncio.gather(*(driver.create_volume(1, f"t{one}") for one in range(20)))

    driver = get_driver("memory")(cloud=cloud, journal=str(path))
    jobs = [threading.Thread(target=driver.create_volume, args=(1, f"n{one}")) for one in range(20)]
    jobs.append(threading.Thread(target=asyncio.run, args=(on_asyncio(),)))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()

    assert len(names(cloud)) == 40
    assert (rows("entry"), rows("step")) == ([], [])


# --- Secrets ---


@both
async def test_no_secret_is_in_the_file(api, cloud, path):
    secrets = ["C4n4ry-in-the-key", "C4n4ry-in-the-secret", "C4n4ry-in-user-data", "C4n4ry-echoed"]
    journal = journal_of(api, path)
    driver = api.driver("compute", key=secrets[0], secret=secrets[1], cloud=cloud, journal=journal)
    size, image = (await api.do(driver.list_sizes()))[0], (await api.do(driver.list_images()))[0]
    with pytest.raises(StopError):  # noqa: PT012 - a block is what is tested
        async with api.transaction():
            await api.do(driver.create_node("web", size, image, user_data=secrets[2]))
            key = await api.do(driver.create_key_pair("mine"))
            secrets.append(key.private_key[40:80])
            assert_absent(path, secrets)
            raise StopError
    cloud.fail("destroy_volume", with_=PermissionDeniedError(f"not with {secrets[0]}"), times=None)
    with pytest.raises(PartialFailureError):  # noqa: PT012 - a block is what is tested
        async with api.transaction():
            await api.do(driver.create_volume(1, "data"))
            raise OutcomeUnknownError("no answer")

    assert "not with ***" in [step.error for entry in journal.entries() for step in entry.steps]
    assert_absent(path, secrets)


def assert_absent(path, secrets):
    files = [one.read_bytes() for one in path.parent.iterdir()]
    assert len(files) == 3
    for secret in secrets:
        assert not any(secret.encode() in content for content in files)


# --- Which journal ---


def test_the_users_own(monkeypatch):
    assert own_path({}, "linux").endswith("/.local/state/anysky/journal.db")
    assert own_path({"XDG_STATE_HOME": "/s"}, "linux") == "/s/anysky/journal.db"
    assert own_path({"XDG_STATE_HOME": "s"}, "linux").endswith("/.local/state/anysky/journal.db")
    assert own_path({}, "darwin").endswith("/Library/Application Support/anysky/journal.db")
    assert own_path({"LOCALAPPDATA": "C:\\l"}, "win32") == "C:\\l/anysky/journal.db"
    assert own_path({"ANYSKY_JOURNAL": "/j"}, "linux") == "/j"
    assert own_path({"ANYSKY_JOURNAL": "on", "XDG_STATE_HOME": "/s"}, "linux") == (
        "/s/anysky/journal.db"
    )


@pytest.mark.parametrize("value", ["", "0", "off"])
def test_off_unless_given_or_configured(monkeypatch, value, tmp_path):
    assert find_journal(None) is None
    monkeypatch.setenv("ANYSKY_JOURNAL", value)
    assert find_journal(None) is None
    assert find_journal(True).path == tmp_path / "state" / "anysky" / "journal.db"


@pytest.mark.parametrize("value", ["1", "on"])
def test_on_by_the_environment(monkeypatch, value, tmp_path):
    monkeypatch.setenv("ANYSKY_JOURNAL", value)

    assert find_journal(None).path == tmp_path / "state" / "anysky" / "journal.db"
    assert find_journal(False) is None


def test_a_path_in_the_environment(monkeypatch, tmp_path, cloud, rows, path):
    monkeypatch.setenv("ANYSKY_JOURNAL", str(path))
    driver = get_driver("memory")(cloud=cloud)

    driver.create_volume(1, "a")

    assert rows("entry") == []
    assert find_journal(True).path == anysky.Journal().path == path


def test_drivers_with_one_path_share_a_journal(path):
    journal = find_journal(path)

    assert find_journal(str(path)) is journal
    assert find_journal(journal) is journal
    assert repr(journal) == f"<JournalFile {path}>"


def test_on_error_is_one_of_two(path):
    with pytest.raises(InvalidRequestError, match="on_error is 'refuse' or 'warn', not 'no'"):
        JournalFile(path, on_error="no")


def test_the_file_is_for_this_user_alone(compute, path):
    compute.create_volume(1, "a")

    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db-shm": 0o600, "journal.db-wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
