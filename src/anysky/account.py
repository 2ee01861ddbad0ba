"""A provider's settings as data: where they come from, what they mean, which are secret."""

from __future__ import annotations

import dataclasses
import os
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from .errors import InvalidAccountError
from .secret import HiddenMapping, Secret

__all__ = ["Account", "Setting", "account", "setting"]

A = TypeVar("A", bound="Account")

_TYPES: Mapping[str, type] = {"Secret": str, "str": str, "bool": bool, "int": int}
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_HOST = re.compile(r"[A-Za-z0-9_.-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_WORD = re.compile(r"\w+")
_PATH = re.compile(r"[!-~]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One setting of an account, for documentation, command line and error messages.

    Attributes:
        name: Name of the argument.
        help: What it is, in a few words.
        env: Environment variables that give it, the first that is set wins.
        secret: Whether its value must never be shown.
        required: Whether the account cannot do without.
        default: Value if nothing gives one.
    """

    name: str
    help: str
    env: tuple[str, ...]
    secret: bool
    required: bool
    default: Any


def setting(
    help: str,
    *,
    env: tuple[str, ...] = (),
    default: Any = dataclasses.MISSING,
    secret: bool = False,
) -> Any:
    """Declare a field of an account; without a default it is required.

    A secret field holds a `Secret`, or None when it is not given.
    """
    metadata = {"help": help, "env": env, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(setting,))
def account(cls: type[A]) -> type[A]:
    """Make a class with `setting` fields an account."""
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


@account
class Account:
    """Base of every provider's settings.

    Attributes:
        positional: Settings that `key` and `secret` of the standard API stand for.
        endpoint: URL of the API, for a provider that has many, a proxy in front, or a test.
    """

    positional: ClassVar[tuple[str, ...]] = ()
    endpoint: str = setting("URL of the API", default="")

    @classmethod
    def settings(cls) -> list[Setting]:
        """Return the settings, required ones first, `endpoint` last."""
        found = [
            Setting(
                name=field.name,
                help=field.metadata.get("help", ""),
                env=field.metadata.get("env", ()),
                secret=field.metadata.get("secret", False),
                required=field.default is dataclasses.MISSING,
                default=None if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(cls)
        ]
        return sorted(found, key=lambda one: (not one.required, one.name == "endpoint"))

    @classmethod
    def load(cls, given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """Make an account from arguments, then environment variables, then defaults.

        Args:
            given: Arguments by name; None counts as not given.
            environ: Environment; the process's own if None.

        Raises:
            InvalidAccountError: An argument is unknown or of a wrong type, a required one is
                missing, or the endpoint is no URL that requests can be sent to.
        """
        environ = HiddenMapping(os.environ if environ is None else environ)
        known = cls.settings()
        _refuse_unknown(cls, given, known)
        types = {field.name: str(field.type) for field in dataclasses.fields(cls)}
        values = {
            one.name: _typed(cls, one, types[one.name], _value(cls, one, given, environ))
            for one in known
        }
        _check_endpoint(cls, values["endpoint"])
        return cls(**values)

    def secrets(self) -> list[str]:
        """Return the values that must not be shown anywhere."""
        values = [getattr(self, one.name) for one in self.settings() if one.secret]
        return [value.reveal() for value in values if isinstance(value, Secret)]


def _refuse_unknown(cls: type[Account], given: Mapping[str, Any], known: list[Setting]) -> None:
    names = [one.name for one in known]
    for name in given:
        if name not in names:
            import difflib

            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(names)}"
            raise InvalidAccountError(f"{cls.__name__} has no setting {name!r}{hint}")


def _value(
    cls: type[Account], one: Setting, given: Mapping[str, Any], environ: Mapping[str, str]
) -> Any:
    value = given.get(one.name)
    if value is None:
        value = next((environ[name] for name in one.env if environ.get(name)), None)
    if value is None:
        if one.required:
            raise InvalidAccountError(_missing(cls, one))
        return one.default
    return value


def _typed(cls: type[Account], one: Setting, type_name: str, value: Any) -> Any:
    """Make a value, perhaps a hidden or an environment's string, what the setting holds."""
    kinds = set(_WORD.findall(type_name))
    if value is None or value is one.default:
        return value
    plain = value.reveal() if isinstance(value, Secret) else value
    if "bool" in kinds and isinstance(plain, str):
        plain = _BOOLEANS.get(plain.lower(), plain)
    if "int" in kinds and isinstance(plain, str) and plain.isdecimal():
        plain = int(plain)
    wanted = next((kind for name, kind in _TYPES.items() if name in kinds), object)
    if not isinstance(plain, wanted):
        raise InvalidAccountError(
            f"{cls.__name__} wants {one.name!r} ({one.help}) as {wanted.__name__}, "
            f"not {type(plain).__name__}"
        )
    return Secret(str(plain)) if one.secret else plain


def _check_endpoint(cls: type[Account], url: str) -> None:
    """Refuse what is no URL of an API, without showing a password in it."""
    if not url:
        return
    try:
        parts = urllib.parse.urlsplit(url)
        odd = parts.port == 0 or parts.username is not None or parts.query or parts.fragment
    except ValueError:
        raise InvalidAccountError(f"{cls.__name__}: the endpoint is no URL") from None
    problem = ""
    if parts.scheme not in ("http", "https"):
        problem = "must start with https:// or http://"
    elif not _HOST.fullmatch(parts.hostname or "") or not _PATH.fullmatch(parts.path):
        problem = "needs a host, and may not hold spaces or other odd characters"
    elif odd:
        problem = "may hold a host, a port and a path, but no user, password, query or fragment"
    if problem:
        raise InvalidAccountError(f"{cls.__name__}: the endpoint {problem}")


def _missing(cls: type[Account], one: Setting) -> str:
    ways = [f"the argument {one.name!r}"]
    if one.name in cls.positional:
        place = ("first", "second")[cls.positional.index(one.name)]
        ways = [f"the {place} argument or {one.name}="]
    ways += [f"the environment variable {name}" for name in one.env]
    return f"{cls.__name__} needs {one.name!r} ({one.help}): give it as {' or '.join(ways)}"
