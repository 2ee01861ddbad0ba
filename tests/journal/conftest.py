"""What the tests of the journal share."""

from __future__ import annotations

import json
import logging
import sqlite3

import pytest
from click.testing import CliRunner

import anysky
from anysky.cli import main
from anysky.compute import get_driver
from anysky.providers.memory import Cloud


@pytest.fixture(autouse=True)
def of_this_test(monkeypatch, tmp_path):
    """Keep the user's own journal out of it."""
    monkeypatch.delenv("ANYSKY_JOURNAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "private" / "journal.db"


@pytest.fixture
def journal(path):
    with anysky.Journal(path) as made:
        yield made


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def compute(cloud, journal):
    with get_driver("memory")(cloud=cloud, journal=journal) as driver:
        yield driver


@pytest.fixture
def rows(path):
    """Reads a table through a connection of its own, as another process would."""

    def read(table="step", *columns):
        with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as db:
            names = ", ".join(columns) or "*"
            order = "seq" if table == "step" else "began"
            return db.execute(f"SELECT {names} FROM {table} ORDER BY {order}").fetchall()

    return read


@pytest.fixture
def command(path):
    """Runs ``anysky journal``; returns exit status and what was printed."""

    def run(name, *arguments):
        result = CliRunner().invoke(main, ["journal", name, "--path", str(path), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout

    return run


@pytest.fixture
def as_json(command):
    def run(name, *arguments):
        code, text = command(name, *arguments, "-o", "json")
        return code, json.loads(text)

    return run


@pytest.fixture
def warnings_of(caplog):
    """Returns what the journal has warned of."""
    caplog.set_level(logging.WARNING, "anysky.journal")
    return lambda: [one.getMessage() for one in caplog.records if one.name == "anysky.journal"]
