"""mypy and pyright, both strict, know every type of both APIs and find mistakes in their use.

A mistake in ``negative_….py`` carries the error that each checker must report there; one that is
not reported fails, since unused ignores are errors.
"""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.types import program_asyncio, program_blocking

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(HERE.glob("[pn]*_*.py"))
IMAGE = "ami-1e749f67"


def make_blocking():
    """The tool that makes the blocking API, imported from its file."""
    spec = importlib.util.spec_from_file_location("make_blocking", ROOT / "tools/make_blocking.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command, cwd=ROOT):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_files_are_what_they_should_be():
    assert [path.stem for path in FILES] == [
        f"{kind}_{api}"
        for kind in ("negative", "positive", "program")
        for api in ("asyncio", "blocking")
    ]


@pytest.mark.slow
def test_mypy_knows_every_type_and_finds_every_mistake(tmp_path):
    settings = tmp_path / "mypy.ini"
    settings.write_text(f"[mypy]\nstrict = true\ncache_dir = {ROOT / '.mypy_cache'}\n")

    run("mypy", "--strict", "--warn-unused-ignores", "--config-file", settings, *FILES)


@pytest.mark.slow
def test_pyright_knows_every_type_and_finds_every_mistake():
    run("pyright", "--project", HERE / "pyrightconfig.json", "--pythonpath", sys.executable)


@pytest.mark.parametrize("kind", ["program", "positive"])
def test_the_blocking_files_are_twins_of_those_for_asyncio(kind):
    tool = make_blocking()
    source = (HERE / f"{kind}_asyncio.py").read_text()

    assert (HERE / f"{kind}_blocking.py").read_text() == tool.formatted(tool.blocking(source))


@pytest.mark.server
def test_the_program_runs_in_the_blocking_api(moto):
    assert program_blocking.program(moto, IMAGE) == ["web", "content", "192.0.2.9", "True"]


@pytest.mark.server
def test_the_program_runs_on_asyncio(moto):
    result = asyncio.run(program_asyncio.program(moto, IMAGE))

    assert result == ["web", "content", "192.0.2.9", "True"]
