"""One virtual environment for each peer, made on demand and kept.

They stand under `.servers/bench-peers`, which git ignores. An environment is made anew when what it
should hold changes, or with `--refresh`, which also brings the newest releases. uv makes them if
it is there, else venv and pip. anysky's own environment holds its dependencies and
points to `src/`, so that what is measured is the working tree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".servers" / "bench-peers"

PEERS = {
    "anysky": [],
    "bare": ["aiohttp", "cryptography", "urllib3"],
    "libcloud": ["apache-libcloud"],
    "boto3": ["awscrt", "boto3"],
    "aiobotocore": ["aiobotocore"],
    "obstore": ["obstore"],
}
SHOWN = {"bare": ["urllib3", "aiohttp"]}
"""Whose versions are worth printing, where that is not all that was asked for."""


@dataclass(frozen=True)
class Environment:
    """A peer's environment."""

    name: str
    python: Path
    versions: dict[str, str]


def requirements(name: str) -> list[str]:
    """What pip is told to install for a peer."""
    if name != "anysky":
        return PEERS[name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(project["dependencies"])


def environment(name: str, *, refresh: bool = False) -> Environment:
    """The environment of a peer, made if it is missing or out of date.

    Raises:
        subprocess.CalledProcessError: uv or pip could not make it.
    """
    folder = FOLDER / name
    stamp = folder / "made-from.json"
    wanted = {"python": sys.version, "requirements": requirements(name), "source": str(ROOT)}
    if refresh or not stamp.exists() or json.loads(stamp.read_text()) != wanted:
        _make(name, folder)
        stamp.write_text(json.dumps(wanted))
    python = folder / "bin" / "python"
    return Environment(name, python, _versions(name, python))


def _make(name: str, folder: Path) -> None:
    print(f"making the environment of {name} …", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    base = getattr(sys, "_base_executable", sys.executable)
    python = folder / "bin" / "python"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        _run(uv, "venv", "--quiet", "--python", base, folder)
        _run(uv, "pip", "install", "--quiet", "--python", python, *requirements(name))
    else:
        _run(base, "-m", "venv", folder)
        _run(python, "-m", "pip", "install", "--quiet", *requirements(name))
    if name == "anysky":
        packages = _output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        (Path(packages.strip()) / "anysky.pth").write_text(f"{ROOT / 'src'}\n")


def _versions(name: str, python: Path) -> dict[str, str]:
    shown = SHOWN.get(name, PEERS[name])
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    found = _output(python, "-c", code, *shown).split()
    return dict(zip(shown, found, strict=True))


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _output(*command: object) -> str:
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True
    ).stdout
