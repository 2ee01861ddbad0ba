"""A provider in a package of its own is found by its entry point; a broken one is named."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anysky import UnknownProviderError, compute, registry

PLUGIN = Path(__file__).parents[1] / "plugin"
SOURCES = PLUGIN / "src" / "anysky_acme"


@pytest.fixture
def site(tmp_path):
    """A folder for packages with the plug-in in it, as pip installs it."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    shutil.copytree(SOURCES, tmp_path / "anysky_acme")
    install(tmp_path, project["name"], project["entry-points"]["anysky.providers"])
    return tmp_path


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Plug-ins that do not work, and one that does, in this process."""
    (tmp_path / "anysky_wrong.py").write_text("provider = 'not one'\n")
    (tmp_path / "anysky_failing.py").write_text("raise RuntimeError('out of paint')\n")
    shutil.copytree(SOURCES, tmp_path / "anysky_acme")
    places = {
        "missing": "anysky_missing:provider",
        "failing": "anysky_failing:provider",
        "wrong": "anysky_wrong:provider",
        "nothing": "anysky_wrong:no_such_name",
        "zacme": "anysky_acme:provider",
    }
    install(tmp_path, "anysky-broken", places)
    monkeypatch.syspath_prepend(tmp_path)
    forget_plugins()
    yield
    for name in [name for name in sys.modules if name.startswith("anysky_")]:
        del sys.modules[name]
    forget_plugins()


def install(site, name, entry_points):
    metadata = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[anysky.providers]", *lines]))


def forget_plugins():
    registry._entry_points.cache_clear()
    registry._plugin.cache_clear()


@pytest.mark.slow
def test_the_plug_in_passes_its_own_tests(site):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=PLUGIN,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_a_provider_takes_80_lines_at_the_most():
    lines = [line for path in SOURCES.glob("*.py") for line in path.read_text().splitlines()]

    assert len(lines) <= 80


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "ModuleNotFoundError: No module named 'anysky_missing'"),
        ("failing", "RuntimeError: out of paint"),
        ("wrong", "is a str, not an anysky.registry.Provider"),
        ("nothing", "AttributeError: module 'anysky_wrong' has no attribute 'no_such_name'"),
    ],
)
def test_a_broken_plug_in_is_named_with_the_reason(name, reason):
    with pytest.raises(UnknownProviderError) as caught:
        compute.get_driver(name)

    assert f"the plug-in {name!r} of anysky-broken 0.1.0" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.usefixtures("broken")
def test_a_broken_plug_in_does_not_harm_the_others(caplog):
    assert {"missing", "failing", "zacme", "digitalocean"} <= set(registry.provider_names())
    assert compute.get_driver("zacme").name == "Acme"
    assert compute.get_driver("acme").name == "Acme"

    with caplog.at_level(logging.WARNING, "anysky.registry"):
        names = [provider.name for provider in registry.providers()]

    assert names == sorted(["acme", *registry._folders()])
    named = {name for record in caplog.records for name in record.args[0].message.split("'")[1:2]}
    assert named == {"missing", "failing", "wrong", "nothing"}


@pytest.mark.usefixtures("broken")
def test_an_unknown_name_is_unknown_whatever_plug_ins_there_are():
    with pytest.raises(UnknownProviderError, match="there is no compute provider 'nobody'"):
        compute.get_driver("nobody")
