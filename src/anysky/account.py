"""A provider's settings as data: where they come from, what they mean, which are secret."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from .errors import InvalidAccountError
from .secret import Secret

__all__ = ["Account", "Setting", "account", "setting"]

A = TypeVar("A", bound="Account")


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
            InvalidAccountError: An argument is unknown, or a required one is missing.
        """
        environ = os.environ if environ is None else environ
        known = cls.settings()
        _refuse_unknown(cls, given, known)
        values = {one.name: _value(cls, one, given, environ) for one in known}
        return cls(**values)

    def secrets(self) -> list[str]:
        """Return the values that must not be shown anywhere."""
        values = [getattr(self, one.name) for one in self.settings() if one.secret]
        return [value.reveal() for value in values if isinstance(value, Secret)]


def _refuse_unknown(cls: type[Account], given: Mapping[str, Any], known: list[Setting]) -> None:
    names = [one.name for one in known]
    for name in given:
        if name not in names:
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
    if one.secret:
        return value if isinstance(value, Secret) else Secret(str(value))
    return value


def _missing(cls: type[Account], one: Setting) -> str:
    ways = [f"the argument {one.name!r}"]
    if one.name in cls.positional:
        place = ("first", "second")[cls.positional.index(one.name)]
        ways = [f"the {place} argument or {one.name}="]
    ways += [f"the environment variable {name}" for name in one.env]
    return f"{cls.__name__} needs {one.name!r} ({one.help}): give it as {' or '.join(ways)}"
