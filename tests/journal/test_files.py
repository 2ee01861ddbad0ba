"""Journals that are not as they should be: nothing new is sent, nothing is lost or overwritten."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

import anysky
from anysky import journal_store
from anysky.compute import get_driver
from anysky.errors import CloudError, JournalError, NotFoundError, PartialFailureError
from anysky.journal import JournalFile
from anysky.providers.memory import Cloud

from .clouds import StopError, names, states


@pytest.fixture
def refused(cloud, path):
    """Checks that a journal refuses a call before anything is sent, and that it is left alone."""

    def check(message):
        files = contents(path)
        with get_driver("memory")(cloud=cloud, journal=JournalFile(path)) as driver:
            with pytest.raises(JournalError, match=message) as caught:
                driver.create_volume(1, "a")
            with pytest.raises(JournalError, match=message), anysky.transaction(journal=str(path)):
                driver.create_volume(1, "a")
        assert isinstance(caught.value, CloudError)
        assert str(path) in caught.value.message
        assert cloud.calls == []
        assert contents(path) == files

    return check


def contents(path):
    """Return what the files of a journal hold, without the index that all connections share."""
    found = path.parent.iterdir() if path.parent.is_dir() else []
    return {
        one.name: str(one.readlink()) if one.is_symlink() else one.is_file() and one.read_bytes()
        for one in found
        if not one.name.endswith("-shm")
        and not (one.name.endswith("-wal") and not one.stat().st_size)
    }


@pytest.fixture
def put(path):
    """Puts bytes into the place of the journal."""

    def write(content):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)

    return write


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


@pytest.fixture
def interrupted(path, tmp_path):
    """Makes a journal of a program that was killed within a transaction; returns its folder."""
    program = (
        "import os, signal, sys, anysky\n"
        "from anysky.compute import get_driver\n"
        "driver = get_driver('memory')(journal=sys.argv[1])\n"
        "with anysky.transaction():\n"
        "    for name in ('a', 'b', 'c'):\n"
        "        driver.create_volume(1, name)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    return path.parent


@pytest.fixture
def whole(interrupted, path):
    """The same journal in one file, without a log."""
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert {one.name for one in interrupted.iterdir()} == {"journal.db"}
    return path


# --- What is no journal ---


def test_not_a_database(put, refused):
    put(b"My dear diary, " * 1000)
    refused("is not a journal of anysky")


def test_the_database_of_something_else(path, put, refused):
    put(b"")
    change(path, "CREATE TABLE cats (name)", "INSERT INTO cats VALUES ('Tom')")
    refused("is not a journal of anysky")


def test_a_folder(path, refused):
    path.mkdir(parents=True)
    refused("is not a plain file")


def test_a_link(path, tmp_path, refused):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    refused("is not a plain file")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_place_of_the_folder(path, refused):
    path.parent.write_text("")
    refused("Not a directory|File exists")


def test_an_empty_file_is_a_new_journal(put, compute, cloud):
    put(b"")
    compute.create_volume(1, "a")
    assert names(cloud) == ["a"]


def test_a_newer_version(whole, refused):
    change(whole, "PRAGMA user_version = 2")
    refused("is of a newer anysky; this one cannot use it")


def test_a_trigger_in_it(whole, refused):
    change(whole, "CREATE TRIGGER bad AFTER INSERT ON entry BEGIN DELETE FROM step; END")
    refused("is damaged: its tables are not as they should be")


# --- Who may use it ---


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write(whole, refused, mode):
    whole.chmod(mode)
    refused("others may write the journal .*: run `chmod 600` on it")


def test_a_file_of_somebody_else(whole, refused, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    refused("belongs to another user")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(path, refused):
    path.parent.mkdir(mode=0o500)
    refused("Permission denied")


def test_a_journal_that_is_read_only(whole, refused, monkeypatch):
    connect = sqlite3.connect

    def read_only(url, **options):
        return connect(url.replace("mode=rw", "mode=ro"), **options)

    monkeypatch.setattr(journal_store.sqlite3, "connect", read_only)
    refused("cannot be written: it is read-only")


def test_a_locked_journal(whole, refused, monkeypatch):
    monkeypatch.setattr(journal_store, "_BUSY", 0.05)
    with contextlib.closing(sqlite3.connect(whole, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        refused("cannot be written: another process holds it")


def test_a_journal_that_is_taken_away_while_it_is_used(compute, cloud, path):
    compute.create_volume(1, "a")
    shutil.rmtree(path.parent)

    with pytest.raises(JournalError, match="was removed or replaced while it was used"):
        compute.create_volume(1, "b")

    compute.create_volume(1, "c")
    assert names(cloud) == ["a", "c"]


# --- No room ---


def test_a_full_disk_refuses_before_anything_is_sent(compute, cloud, journal):
    compute.create_volume(1, "a")
    pages = journal._store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    journal._store._db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalError, match="cannot be written: the disk is full"):
        compute.create_volume(1, "b" * 20000)

    assert names(cloud) == ["a"]


def test_what_was_made_is_told_although_the_disk_is_full(compute, cloud, journal, warnings_of):
    cloud.before = lambda call: breaks.append(broken(journal))
    breaks = []

    with pytest.raises(PartialFailureError) as caught:
        compute.create_volume(1, "a")

    (volume,) = caught.value.created
    assert isinstance(caught.value.__cause__, JournalError)
    assert (volume.name, names(cloud)) == ("a", ["a"])
    assert "cannot be written: the disk is full" in caught.value.message
    cloud.before = None
    breaks[0].undo()
    caught.value.rollback()
    assert (names(cloud), journal.entries(all=True)) == ([], [])
    assert len(warnings_of()) == 2


def broken(journal):
    """Make every write to a journal fail from now on."""
    patch = pytest.MonkeyPatch()

    def write(job, *, full):
        raise JournalError("the journal cannot be written: the disk is full")

    patch.setattr(journal._store, "write", write)
    return patch


def test_an_end_that_cannot_be_written_is_written_later(compute, cloud, journal, warnings_of):
    write, breaks = journal.end, []

    def end(ledger, error):
        breaks.append(broken(journal))
        write(ledger, error)
        breaks.pop().undo()

    journal.end = end
    volume = compute.create_volume(1, "a")
    del journal.end

    (entry,) = journal.entries()
    assert (states(entry), volume.name) == ([("volume a", "done")], "a")
    assert warnings_of() == [
        "to be written with what comes next: the journal cannot be written: the disk is full"
    ]
    compute.create_volume(1, "b")
    assert journal.entries(all=True) == []


def test_an_undo_goes_on_although_the_journal_is_broken(compute, cloud, journal):
    with pytest.raises(StopError), anysky.transaction():  # noqa: PT012 - likewise
        compute.create_volume(1, "a")
        compute.create_volume(1, "b")
        patch = broken(journal)
        raise StopError
    patch.undo()

    assert names(cloud) == []
    compute.create_volume(1, "c")
    assert journal.entries(all=True) == []


def test_a_limit_on_the_size_of_files(path):
    """As with a quota, the program goes on; nothing is made that it does not know."""
    program = (
        "import resource, signal, sys, anysky\n"
        "from anysky.compute import get_driver\n"
        "driver = get_driver('memory')(journal=sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, resource.RLIM_INFINITY))\n"
        "known = 0\n"
        "try:\n"
        "    while True:\n"
        "        driver.create_volume(1, 'a')\n"
        "        known += 1\n"
        "except anysky.PartialFailureError as error:\n"
        "    known += len(error.created)\n"
        "except anysky.JournalError as error:\n"
        "    pass\n"
        "print(known == len(driver.list_volumes()) > 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("True\n", 0)


# --- Warn and go on ---


def test_a_journal_that_only_warns(put, cloud, path, warnings_of):
    put(b"My dear diary, " * 1000)
    files = contents(path)
    journal = anysky.Journal(path, on_error="warn")

    with get_driver("memory")(cloud=cloud, journal=journal) as driver, anysky.transaction():
        driver.create_volume(1, "a")

    assert (names(cloud), contents(path)) == (["a"], files)
    assert warnings_of()[0] == (
        f"going on without a journal: the journal {path} cannot be opened: "
        "it is not a journal of anysky: file is not a database"
    )


def test_what_could_not_be_written_is_made_up_for(cloud, path):
    journal = anysky.Journal(path, on_error="warn")
    driver = get_driver("memory")(cloud=cloud, journal=journal)

    with anysky.transaction():
        patch = broken(journal)
        driver.create_volume(1, "a")
        patch.undo()
        driver.create_volume(1, "b")
        (entry,) = journal.entries()

    assert states(entry) == [("volume a", "done"), ("volume b", "done")]
    assert journal.entries() == []


# --- Cut and changed ---


def test_a_log_that_is_cut_anywhere_is_an_earlier_state(interrupted, path, tmp_path):
    log = (interrupted / "journal.db-wal").read_bytes()
    seen = []
    copy = tmp_path / "copy"
    for length in sorted({*range(0, len(log), 1021), *range(len(log) - 2 * 4120, len(log), 41)}):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(interrupted, copy)
        (copy / "journal.db-shm").unlink()
        os.truncate(copy / "journal.db-wal", length)
        try:
            with anysky.Journal(copy / "journal.db") as journal:
                found = [state for entry in journal.entries() for state in states(entry)]
        except JournalError:
            found = None
        if found not in seen:
            seen.append(found)

    full = [("volume a", "done"), ("volume b", "done"), ("volume c", "done")]
    earlier = [
        [*full[:count], *last]
        for count in range(3)
        for last in ([], [(full[count][0], "intended")])
    ]
    assert [one for one in seen if one not in [None, *earlier]] in ([], [full])
    assert len(seen) >= 6


def test_a_file_that_is_cut_anywhere_is_refused(whole, refused):
    content = whole.read_bytes()
    for length in [1, 99, 100, *range(511, len(content), 1021)]:
        whole.write_bytes(content[:length])
        with pytest.raises(JournalError):
            anysky.Journal(whole).entries()
        assert whole.read_bytes() == content[:length]
    refused("is damaged|is not a journal")


def test_a_file_that_is_cut_to_nothing_beside_its_log(interrupted, path, refused):
    path.write_bytes(b"")
    refused("was cut to nothing, but its log .* was not")


def test_changed_bits_are_never_believed(whole):
    """A bit that is changed is refused or told as damage, or it matters to nobody."""
    content = whole.read_bytes()
    with anysky.Journal(whole) as journal:
        sound = journal.entries()
    chance = random.Random(1)
    places = {content.find(text) + offset for offset in range(60)
              for text in (b"volume a", b"vol-", b'"service"', b"destroy_volume")}  # fmt: skip
    places |= {chance.randrange(len(content)) for _ in range(300)}
    refused = 0
    for place in sorted(places):
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        whole.write_bytes(changed)
        try:
            with anysky.Journal(whole) as journal:
                found = journal.entries()
        except JournalError:
            refused += 1
            continue
        assert any(entry.state == "damaged" for entry in found) or told(found) == told(sound)
    assert refused > 50


def told(entries):
    """Return what recovery goes by."""
    return [
        (entry.id, step.what, step.state, step.thing, step.undo, step.origin)
        for entry in entries
        for step in entry.steps
    ]


def test_a_damaged_entry_is_told_and_not_recovered(whole, cloud):
    change(whole, "UPDATE step SET thing = replace(thing, 'vol-', 'vol_') WHERE what = 'volume b'")
    with anysky.Journal(whole) as journal:
        (entry,) = journal.entries()

        assert entry.state == "damaged"
        assert states(entry) == [("volume a", "done"), ("volume c", "done")]
        with pytest.raises(JournalError, match=r"is damaged: a step of [0-9a-f]{12}: see what it"):
            journal.rollback(entry.id)
        journal.forget(entry.id)
        assert journal.entries() == []


# --- Several processes ---


def test_many_processes_write_one_journal(path):
    program = (
        "import sys\n"
        "from anysky.compute import get_driver\n"
        "driver = get_driver('memory')(journal=sys.argv[1])\n"
        "for number in range(25):\n"
        "    driver.create_volume(1, f'v{number}')\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    assert [(one.communicate()[1], one.returncode) for one in running] == [("", 0)] * 4
    with anysky.Journal(path) as journal:
        assert journal.entries(all=True) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_with_the_journal(compute, cloud, journal):
    with anysky.transaction():
        compute.create_volume(1, "a")
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                made = Cloud()
                get_driver("memory")(cloud=made, journal=journal).create_volume(1, "b")
                code = 0 if names(made) == ["b"] else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        compute.create_volume(1, "c")
        (entry,) = journal.entries()

    assert [step.what for step in entry.steps] == ["volume a", "volume b", "volume c"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_a_write_of_another_thread(compute, journal):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            compute.create_volume(1, "a")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                code = 1
                with contextlib.suppress(BaseException):
                    journal.entries()
                    code = 0
                os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        worker.join()
    assert journal.entries() == []


def test_a_journal_can_be_pickled_and_closed(path):
    with anysky.Journal(path, on_error="warn") as journal:
        copy = pickle.loads(pickle.dumps(journal))

    assert (type(copy), copy.path, copy._warns) == (anysky.Journal, path, True)
    with pytest.raises(NotFoundError, match=f"the journal {path} has no entry '1'"):
        copy.get("1")
    assert (copy.entries(), path.exists()) == ([], False)
