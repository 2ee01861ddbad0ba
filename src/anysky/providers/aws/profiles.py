"""The shared files of AWS, `~/.aws/config` and `~/.aws/credentials`, as data.

Written from https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html and
https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anysky.errors import InvalidAccountError
from anysky.secret import Secret
from anysky.wire.aws_sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anysky.runtime.base import Runtime

__all__ = ["Profile", "Section", "load_profiles", "static_keys"]

_CONFIG = ("AWS_CONFIG_FILE", "~/.aws/config")
_CREDENTIALS = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


class Section(dict[str, str]):
    """The settings of one profile in one file; `repr` shows their names only."""

    def __repr__(self) -> str:
        return f"Section({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    Attributes:
        name: Its name, without the word `profile`.
        config: Its settings in the config file.
        credentials: Its settings in the credentials file.
    """

    name: str
    config: Section = field(default_factory=Section)
    credentials: Section = field(default_factory=Section)

    def get(self, setting: str) -> str | None:
        """Return a setting, from the credentials file if both files have it."""
        return self.credentials.get(setting) or self.config.get(setting) or None

    @property
    def has_static_keys(self) -> bool:
        """Whether any part of an access key stands in the profile."""
        return bool(self.get("aws_access_key_id") or self.get("aws_secret_access_key"))


async def load_profiles(runtime: Runtime) -> dict[str, Profile]:
    """Read both files; one that does not exist counts as empty.

    Raises:
        InvalidAccountError: A file cannot be read or is not in its format.
    """
    config = await _read(runtime, *_CONFIG)
    profiles: dict[str, Profile] = {}
    for title, section in config.items():
        name = _profile_name(title)
        if name is not None:
            profiles.setdefault(name, Profile(name)).config.update(section)
    for name, section in (await _read(runtime, *_CREDENTIALS)).items():
        profiles.setdefault(name, Profile(name)).credentials.update(section)
    return profiles


def static_keys(profile: str, section: Section) -> Credentials | None:
    """Make credentials of the access key that stands in a section, if there is one.

    Raises:
        InvalidAccountError: The secret is missing.
    """
    access_key = section.get("aws_access_key_id")
    if not access_key:
        return None
    if not section.get("aws_secret_access_key"):
        raise InvalidAccountError(
            f"the AWS profile {profile!r} has aws_access_key_id but no aws_secret_access_key"
        )
    token = section.get("aws_security_token") or section.get("aws_session_token")
    secret = Secret(section["aws_secret_access_key"])
    return Credentials(access_key, secret, Secret(token) if token else None)


def _profile_name(title: str) -> str | None:
    """Return the profile that a section of the config file describes, if it does."""
    if title == "default":
        return title
    import shlex

    try:
        words = shlex.split(title)
    except ValueError:
        return None
    is_profile = len(words) == 2 and words[0] == "profile"  # noqa: PLR2004 - [profile name]
    return words[1] if is_profile else None


async def _read(runtime: Runtime, variable: str, default: str) -> dict[str, Section]:
    path = _path(runtime.environ, variable, default)
    try:
        text = (await runtime.read_file(path)).decode("utf-8-sig") if path else ""
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidAccountError(f"cannot read {path}: {error.strerror or 'failed'}") from error
    except UnicodeDecodeError:
        text = "\0"
    sections, line = _parse(text)
    if line:
        raise InvalidAccountError(f"{path} is not in the format of AWS profiles, see line {line}")
    return sections


def _path(environ: Mapping[str, str], variable: str, default: str) -> str:
    path = environ.get(variable) or default
    if path.startswith(("~/", "~\\")):
        home = environ.get("HOME") or environ.get("USERPROFILE")
        return f"{home}{path[1:]}" if home else ""
    return path


def _parse(text: str) -> tuple[dict[str, Section], int]:
    """Return the sections, or none and the line of a mistake.

    The parser's own errors quote the line, which may hold a secret: they go no further.
    """
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Which of the two an error has differs between its kinds and versions of Python.
        lines: list[tuple[int, str]] = getattr(error, "errors", [])
        return {}, lines[0][0] if lines else getattr(error, "lineno", None) or 1
    return {name: Section(parser.items(name)) for name in parser.sections()}, 0
