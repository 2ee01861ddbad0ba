"""The command line: what it prints, and what it imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from anysky import __version__
from anysky.capabilities import capabilities, contract_operations
from anysky.cli import main
from anysky.cli.output import table
from anysky.names import DriverType


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_version() -> None:
    assert run("--version") == f"anysky {__version__}\n"


def test_help_imports_no_command_and_no_provider() -> None:
    program = (
        "import sys; from anysky.cli import main; main(['--help'], standalone_mode=False); "
        "print([name for name in sys.modules if name.startswith('anysky.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "['anysky.cli']" in done.stdout


def test_providers_prints_one_table_for_each_service() -> None:
    text = run("providers")

    lines = text.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(tuple(DriverType))] == [
        "compute",
        "storage",
        "dns",
        "loadbalancer",
    ]
    row = next(line for line in lines if line.startswith("create_subnet"))
    assert row.split() == ["create_subnet", "-", "yes", "yes"]


def test_providers_as_json_agrees_with_the_drivers() -> None:
    found = json.loads(run("providers", "--service", "compute", "-o", "json"))

    assert found == {"compute": capabilities(DriverType.COMPUTE)}
    assert list(found["compute"]["ec2"]) == contract_operations(DriverType.COMPUTE)


def test_unknown_service_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["providers", "--service", "coffee"])

    assert result.exit_code == 2
    assert "'coffee' is not one of 'compute', 'storage', 'dns', 'loadbalancer'" in result.output


def test_table_aligns_columns_and_shows_control_characters() -> None:
    assert table(["name", "n"], [["a\x1b[31m", "1"], ["longer name", "22"]]) == (
        "name         n\n-----------  --\na\\x1b[31m    1\nlonger name  22"
    )


@pytest.mark.server
def test_demo_does_everything_in_both_apis() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "anysky", "demo", "--latency", "20"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    blocking, rest = done.stdout.split("\nasyncio: ")
    for program in (blocking, rest):
        assert "create volume, attach it" in program
        assert "the same bytes" in program
        assert "www 192.0.2.10, www 192.0.2.11" in program
        assert "delete records and zone" in program
    assert re.search(r"50 lists, 20 ms away\s+seconds", rest)
