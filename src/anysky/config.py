"""Profiles: a provider and its settings under a name, in files of the user.

``config.toml`` holds them without secrets, ``credentials.toml`` beside it the rest::

    [profiles.backup]            # config.toml
    provider = "s3"
    region = "eu-west-1"

    [backup]                     # credentials.toml, readable by its owner only
    access_key_id = "AKIDEXAMPLE"
    secret_access_key = "secret"

Both are in ``~/.config/anysky``, or where ``ANYSKY_CONFIG_DIR`` says.
"""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from .errors import InvalidAccountError
from .secret import Secret

__all__ = ["Profile", "config_dir", "find_profile", "profile_names"]

VARIABLE = "ANYSKY_CONFIG_DIR"


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider and its settings.

    Attributes:
        name: Its name.
        provider: The provider, as `get_driver` takes it.
        settings: Arguments of the driver, those of credentials.toml as `Secret`.
    """

    name: str
    provider: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


def config_dir(environ: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """Return the directory of the user's profiles."""
    if named := environ.get(VARIABLE):
        return Path(named).expanduser()
    if system == "win32":
        return Path(environ.get("APPDATA") or Path.home() / "AppData/Roaming") / "anysky"
    if system == "darwin":
        return Path.home() / "Library/Application Support/anysky"
    base = environ.get("XDG_CONFIG_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".config") / "anysky"


def find_profile(name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """Return a profile; a name that none has is that of a provider without further settings.

    Raises:
        InvalidAccountError: A file cannot be read, holds something else, or shows credentials to
            others than its owner.
    """
    folder = config_dir(environ)
    profiles = _tables(folder / "config.toml", _read(folder / "config.toml"), "profiles")
    settings = dict(profiles.get(name, {}))
    provider = settings.pop("provider", name)
    if not isinstance(provider, str):
        raise InvalidAccountError(f"the provider of the profile {name!r} must be a string")
    return Profile(name, provider, {**settings, **_credentials(folder, name)})


def profile_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the profiles, sorted."""
    path = config_dir(environ) / "config.toml"
    return sorted(_tables(path, _read(path), "profiles"))


def _credentials(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "credentials.toml"
    found = _tables(path, {"all": _read(path, is_private=True)}, "all").get(name, {})
    return {key: Secret(value) if isinstance(value, str) else value for key, value in found.items()}


def _read(path: Path, *, is_private: bool = False) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if is_private and os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise InvalidAccountError(
                    f"others than its owner can use {path}, which holds credentials: "
                    f"run `chmod 600 {path}`"
                )
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidAccountError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What is wrong is not shown: it may be a line with a secret.
        raise InvalidAccountError(f"{path} is not a TOML file") from None


def _tables(path: Path, content: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    found: object = content.get(key, {})
    if not isinstance(found, dict):
        raise InvalidAccountError(f"{key} in {path} must be a table of tables")
    tables = cast("dict[str, object]", found)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InvalidAccountError(f"{name} in {path} must be a table of settings")
    return cast("dict[str, dict[str, Any]]", tables)
