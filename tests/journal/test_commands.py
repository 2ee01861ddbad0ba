"""``anysky journal``: what it prints, and its exit status."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from anysky.cli import main
from anysky.compute import get_driver
from anysky.errors import (
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
)
from anysky.providers.memory.serving import serve

from .clouds import names

PROGRAM = """
import os, signal, sys, anysky
from anysky.compute import get_driver
driver = get_driver("memory")(endpoint=sys.argv[1], journal=sys.argv[2])
with anysky.transaction():
    driver.create_volume(1, "a")
    driver.create_volume(1, "b")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def interrupted(cloud, path, as_json):
    """A program was killed that had made two volumes; returns the id of its entry."""
    with serve(cloud) as served:
        command = [sys.executable, "-c", PROGRAM, served.url, str(path)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        _, (entry,) = as_json("list")
        yield entry["id"]


def ids(cloud):
    return {volume.name: id for id, volume in cloud.inventory()["volumes"].items()}


# --- list and show ---


def test_a_journal_that_is_not_there_has_nothing(command, as_json, path):
    assert command("list") == (0, f"nothing is unfinished in {path}\n")
    assert as_json("list") == (0, [])
    assert command("rollback") == (0, "nothing to roll back\n")
    assert as_json("rollback") == (0, [])
    assert not path.exists()


def test_list_says_what_is_unfinished(command, interrupted):
    code, text = command("list")

    header, _, row = text.splitlines()
    assert header.split() == ["id", "operation", "state", "provider", "began", "there", "perhaps"]
    assert (code, row.split()[:4]) == (0, [interrupted, "transaction", "interrupted", "memory"])
    assert row.split()[-2:] == ["2", "0"]


def test_show_says_what_was_made(command, interrupted, cloud):
    code, text = command("show", interrupted)

    lines = [re.split(r"  +", line) for line in text.splitlines()[4:]]
    assert code == 0
    assert lines == [
        ["step", "state", "id", "provider", "undone by", "error"],
        lines[1],
        ["volume a", "done", ids(cloud)["a"], "memory", "destroy_volume"],
        ["volume b", "done", ids(cloud)["b"], "memory", "destroy_volume"],
    ]


def test_show_as_json_says_all(as_json, interrupted, cloud):
    code, entry = as_json("show", interrupted)

    assert code == 0
    assert entry.keys() == {
        "id", "name", "state", "provider", "service", "began", "pid", "host", "alive", "error",
        "steps",
    }  # fmt: skip
    assert (entry["alive"], entry["service"], len(entry["steps"])) == (False, "compute", 2)
    step = entry["steps"][0]
    assert (step["what"], step["state"], step["ids"]) == ("volume a", "done", [ids(cloud)["a"]])
    assert step["endpoint"].startswith("http://127.0.0.1:")
    assert (step["undo"], step["error"]) == ("destroy_volume", "")


def test_list_can_hold_what_was_kept(as_json, cloud, compute):
    compute._backend._find_created = nothing_is_known
    cloud.lose_answer("create_volume")
    with pytest.raises(OutcomeUnknownError):
        compute.create_volume(1, "a")

    assert as_json("list") == (0, [])
    code, (entry,) = as_json("list", "--all")
    assert (code, entry["state"], entry["steps"][0]["state"]) == (0, "kept", "in doubt")


async def nothing_is_known(operation, mark, named):
    return None


@pytest.mark.parametrize("name", ["show", "resume", "rollback", "forget"])
def test_an_entry_that_is_not_there(command, compute, name):
    compute.create_volume(1, "a")

    code, text = command(name, "000000000000")

    assert (code, text) == (3, "")


# --- rollback ---


def test_rollback_removes_all_that_was_interrupted(command, interrupted, cloud):
    at_first = ids(cloud)
    code, text = command("rollback")

    assert (code, text.splitlines()) == (
        0,
        [
            f"removed: StorageVolume b {at_first['b']}",
            f"removed: StorageVolume a {at_first['a']}",
            f"rolled back: {interrupted}",
        ],
    )
    assert names(cloud) == []
    assert command("rollback") == (0, "nothing to roll back\n")
    assert command("show", interrupted)[0] == 3


def test_rollback_as_json(as_json, interrupted, cloud):
    volume = ids(cloud)["a"]
    with get_driver("memory")(cloud=cloud) as driver:
        driver.destroy_volume(driver.get_volume(ids(cloud)["b"]))

    code, (outcome,) = as_json("rollback", interrupted)

    assert (code, outcome["id"], outcome["left_behind"]) == (0, interrupted, [])
    assert outcome["undone"] == [
        {"kind": "StorageVolume", "id": volume, "name": f"StorageVolume a {volume}"}
    ]
    assert [one["name"].split()[1] for one in outcome["gone"]] == ["b"]


def test_a_dry_run_changes_nothing(command, as_json, interrupted, cloud):
    made = ids(cloud)
    plan = [f"remove volume b ({made['b']})", f"remove volume a ({made['a']})"]

    assert command("rollback", "--dry-run") == (0, "\n".join(plan) + "\n")
    assert as_json("rollback", "--dry-run") == (0, {"ids": [interrupted], "plan": plan})
    assert command("resume", interrupted, "--dry-run")[1].splitlines()[0] == (
        f"keep volume a ({made['a']})"
    )
    assert ids(cloud) == made
    assert as_json("list")[1][0]["state"] == "interrupted"


def test_what_is_left_behind_is_exit_status_7(command, as_json, interrupted, cloud):
    cloud.fail("destroy_volume", with_=PermissionDeniedError("not \x1b[31myou"))
    volume = ids(cloud)["b"]

    code, text = command("rollback")

    assert code == 7
    assert text.splitlines()[-1] == (
        f"left behind: StorageVolume b {volume}: memory destroy_volume: not \\x1b[31myou"
    )
    assert as_json("list")[1][0]["state"] == "failed"
    assert command("rollback")[0] == 0
    assert names(cloud) == []


def test_rollback_passes_over_what_still_runs(cloud, compute, path):
    import anysky

    with anysky.transaction():
        compute.create_volume(1, "a")
        result = CliRunner().invoke(main, ["journal", "rollback", "--path", str(path)])
        (entry,) = anysky.Journal(path).entries()
        by_id = CliRunner().invoke(main, ["journal", "rollback", entry.id, "--path", str(path)])

    assert (result.exit_code, result.stdout) == (0, "nothing to roll back\n")
    assert result.stderr.startswith(f"passed over: transaction {entry.id} (running, process ")
    assert by_id.exit_code == 1
    assert f"transaction {entry.id} still runs in process" in by_id.stderr
    assert names(cloud) == ["a"]


def test_it_asks_on_a_terminal(interrupted, cloud, path, monkeypatch):
    asked = []

    def confirm(text, **options):
        asked.append(text)
        raise click.Abort

    monkeypatch.setattr(click, "confirm", confirm)
    monkeypatch.setattr("anysky.cli.journal._is_interactive", lambda: True)
    arguments = ["journal", "rollback", "--path", str(path)]

    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, asked, len(names(cloud))) == (1, ["Go on?"], 2)
    assert refused.stderr.splitlines()[0].startswith("remove volume b")
    agreed = CliRunner().invoke(main, [*arguments, "--yes"])
    assert (agreed.exit_code, len(asked), names(cloud)) == (0, 1, [])


# --- resume and forget ---


def test_resume_keeps_what_is_there(command, as_json, interrupted, cloud):
    code, text = command("resume", interrupted)

    assert (code, len(names(cloud))) == (0, 2)
    assert text.splitlines()[0] == f"kept: StorageVolume a {ids(cloud)['a']}"
    assert as_json("list") == (0, [])
    code, again = as_json("resume", interrupted)
    assert (code, len(again["kept"]), again["in_doubt"], again["errors"]) == (0, 2, [], [])


def test_resume_says_what_stays_in_doubt(as_json, cloud, path):
    program = PROGRAM.replace('    driver.create_volume(1, "a")\n', "").replace(
        "with anysky.transaction():\n",
        "from anysky.journal import JournalFile\n"
        "JournalFile.settle = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with anysky.transaction():\n",
    )
    with serve(cloud) as served:
        command = [sys.executable, "-c", program, served.url, str(path)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        (entry,) = as_json("list")[1]
        cloud.fail("list_volumes", with_=PermissionDeniedError("not you"))

        code, report = as_json("resume", entry["id"])

    assert (code, report["kept"]) == (7, [])
    assert [one.split(",")[0] for one in report["in_doubt"]] == ["volume b"]
    assert len(report["errors"]) == 1


def test_forget_leaves_all_where_it_is(command, as_json, interrupted, cloud):
    assert command("forget", interrupted) == (0, f"forgotten: {interrupted}\n")
    assert (as_json("list", "--all"), len(names(cloud))) == ((0, []), 2)


# --- Errors ---


def test_a_broken_journal_is_exit_status_1(path):
    path.parent.mkdir()
    path.write_bytes(b"My dear diary, " * 1000)
    path.chmod(0o600)

    result = CliRunner().invoke(main, ["journal", "list", "--path", str(path)])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"anysky: the journal {path} cannot be read: it is not a journal of anysky: "
        "file is not a database\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (NotFoundError("no"), 3, "anysky: no\n"),
        (OutcomeUnknownError("lost"), 8, "anysky: lost\n"),
        (PartialFailureError("some"), 7, "anysky: some\n"),
        (
            PartialFailureError("some", journal_id="12ab"),
            7,
            "anysky: some\nanysky: see `anysky journal show 12ab`\n",
        ),
    ],
)
def test_exit_status_by_the_kind_of_error(monkeypatch, error, code, text):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("anysky.cli.providers.capabilities", fail)

    result = CliRunner().invoke(main, ["providers"])

    assert (result.exit_code, result.stderr) == (code, text)


def test_the_users_own_journal_is_the_default(monkeypatch, tmp_path):
    result = CliRunner().invoke(main, ["journal", "list"])
    assert result.stdout == f"nothing is unfinished in {tmp_path}/state/anysky/journal.db\n"

    monkeypatch.setenv("ANYSKY_JOURNAL", str(tmp_path / "mine"))
    result = CliRunner().invoke(main, ["journal", "list", "-o", "json"])
    assert json.loads(result.stdout) == []
