"""Models as text and back, for a journal on disk and for a cloud in another process.

The text is JSON. What JSON has no form for is an object with a ``$`` that names its type: a model
is ``{"$": "compute.Node", "id": "…", …}``, a date ``{"$": "datetime", "v": "…"}``. Only models
and enums of `anysky.model` are ever made from a text.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from typing import Any, NoReturn, cast

from anysky.errors import InvalidRequestError, MalformedResponseError

__all__ = ["decode", "encode"]

_Reader = Callable[[dict[str, Any], int], Any]

_MODELS = "anysky.model."
_TAG = re.compile(r"([a-z]{1,40})\.([A-Z][A-Za-z]{0,40})", re.ASCII)
_MOST_CHARACTERS = 8 << 20
_DEEPEST = 50
_SHOWN = 200

# Fields that may hold secrets although they are shown; those that are not shown may as well.
_UNSAFE = frozenset({"headers", "options", "user_data"})

# Keys of `extra`, by the tag of the model, that undoing needs and that are no secrets.
_KEPT_EXTRA: Mapping[str, frozenset[str]] = {}


def encode(value: Any, *, secrets: bool = False) -> str:
    """Write a value as text.

    Args:
        value: A model, also one that is bound to a driver, which is left out; an enum of
            `anysky.model`, a date, `Decimal`, bytes, text, number, bool or None; a list, tuple or
            mapping with names of these.
        secrets: Whether to write what is secret or may be: passwords, private keys, `extra`,
            options of one provider, `user_data` and header fields. What is left out has its
            default when it is read, and a model that is nothing without it is None.

    Raises:
        TypeError: It is something else.
        InvalidRequestError: It is nested deeper than 50 levels, or is more than 8 Mi characters.
    """
    text = json.dumps(_Writer(secrets).tree(value, 0), separators=(",", ":"))
    if len(text) > _MOST_CHARACTERS:
        raise InvalidRequestError(f"a value of more than {_MOST_CHARACTERS} characters of JSON")
    return text


def decode(text: str) -> Any:
    """Read a value from text that `encode` wrote, or that is hostile.

    Fields of models are checked by name; what they hold is any value.

    Raises:
        MalformedResponseError: It is something else.
    """
    if len(text) > _MOST_CHARACTERS:
        raise MalformedResponseError(f"a value of more than {_MOST_CHARACTERS} characters of JSON")
    try:
        tree = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise MalformedResponseError("this text is not JSON") from None
    return _value(tree, 0)


class _Writer:
    """Makes what JSON has of a value."""

    __slots__ = ("secrets",)

    def __init__(self, secrets: bool) -> None:
        self.secrets = secrets

    def tree(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            raise InvalidRequestError(f"a value that is nested deeper than {_DEEPEST} levels")
        kind = cast("Any", type(value))
        if value is None or kind in (str, int, bool):
            return value
        tag = _tag_of(kind)
        if tag and not issubclass(kind, Enum):
            return self._model(value, tag, depth)
        if issubclass(kind, (list, tuple)):
            items = [self.tree(item, depth + 1) for item in value]
            return items if issubclass(kind, list) else {"$": "tuple", "v": items}
        if issubclass(kind, Mapping):
            return self._mapping(value, depth)
        return _scalar(value, tag)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a mapping whose names are not all text cannot be written as text")
        tree = {str(name): self.tree(item, depth + 1) for name, item in value.items()}
        return {"$": "dict", "v": list(tree.items())} if "$" in tree else tree

    def _model(self, value: Any, tag: str, depth: int) -> dict[str, Any] | None:
        tree: dict[str, Any] = {"$": tag}
        for name, is_safe, is_needed in _fields(tag):
            if is_safe or self.secrets:
                tree[name] = self.tree(getattr(value, name), depth + 1)
            elif name == "extra":
                self._kept_extra(value, tag, tree, depth)
            elif is_needed:
                return None
        return tree

    def _kept_extra(self, value: Any, tag: str, tree: dict[str, Any], depth: int) -> None:
        names = _KEPT_EXTRA.get(tag)
        if names:
            kept = {name: one for name, one in value.extra.items() if name in names}
            tree["extra"] = self.tree(kept, depth + 1)


def _scalar(value: Any, tag: str) -> Any:
    """Return a single thing as what JSON has."""
    if tag:
        return {"$": tag, "v": value.value}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "v": str(value)}
    if isinstance(value, datetime):
        return {"$": "datetime", "v": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$": "Decimal", "v": str(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"$": "bytes", "v": base64.b64encode(value).decode()}
    if isinstance(value, (str, int)):
        return value
    raise TypeError(f"a {type(value).__qualname__} cannot be written as text")


@cache
def _tag_of(kind: type[Any]) -> str:
    """Return the name of the model or enum that a class is, or is a bound form of; or ``""``."""
    own = next((one for one in kind.__mro__ if one.__module__.startswith(_MODELS)), object)
    tag = f"{own.__module__.removeprefix(_MODELS)}.{own.__qualname__}"
    return tag if _class_of(tag) is own else ""


@lru_cache  # not of any size: the name may be hostile
def _class_of(tag: str) -> Any:
    """Return the model or enum of this name, or None."""
    parts = _TAG.fullmatch(tag)
    if parts is None:
        return None
    try:
        found = getattr(importlib.import_module(_MODELS + parts[1]), parts[2], None)
    except ModuleNotFoundError:
        return None
    if not isinstance(found, type) or found.__module__ != _MODELS + parts[1]:
        return None
    return found if dataclasses.is_dataclass(found) or issubclass(found, Enum) else None


@cache
def _fields(tag: str) -> tuple[tuple[str, bool, bool], ...]:
    """Return a model's fields: name, whether it cannot be secret, whether it has no default."""
    found = dataclasses.fields(_class_of(tag))
    return tuple((one.name, one.repr and one.name not in _UNSAFE, _is_needed(one)) for one in found)


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _value(tree: Any, depth: int) -> Any:
    """Return the value of a tree of JSON."""
    if depth > _DEEPEST:
        raise MalformedResponseError(f"a value that is nested deeper than {_DEEPEST} levels")
    kind = cast("Any", type(tree))
    if kind is list:
        return [_value(item, depth + 1) for item in tree]
    if kind is not dict:
        return tree
    if "$" in tree:
        return _tagged(tree.pop("$"), tree, depth)
    return {name: _value(item, depth + 1) for name, item in tree.items()}


def _tagged(tag: Any, tree: dict[str, Any], depth: int) -> Any:
    """Return the value of an object that names its type."""
    name = tag if isinstance(tag, str) else ""
    read = _READERS.get(name) or _reader_of(_class_of(name))
    if read is None:
        raise MalformedResponseError(f"there is no type {name[:_SHOWN]!r}")
    try:
        return read(tree, depth + 1)
    except MalformedResponseError:
        raise
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise MalformedResponseError(f"this is no {name}: {str(error)[:_SHOWN]}") from None


def _reader_of(kind: type[Any] | None) -> _Reader | None:
    """Return what makes a model or an enum of an object of JSON."""
    if kind is None:
        return None
    if issubclass(kind, Enum):
        return lambda tree, _: kind(_only(tree))
    return lambda tree, depth: _model(kind, tree, depth)


def _model(kind: Any, tree: dict[str, Any], depth: int) -> Any:
    fields = {name: _value(item, depth) for name, item in tree.items()}
    if hasattr(kind, "extra"):  # it was left out, and not every model has a default for it
        fields.setdefault("extra", {})
    return kind(**fields)


def _dict(tree: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a mapping that has a name ``$``, so that it is written as pairs."""
    pairs = [_of(list, pair) for pair in _content(list, tree)]
    return {_of(str, name): _value(item, depth) for name, item in pairs}


def _content(kind: type[object], tree: dict[str, Any]) -> Any:
    return _of(kind, _only(tree))


def _only(tree: dict[str, Any]) -> Any:
    """Return what an object that is no model has besides its type."""
    if tree.keys() != {"v"}:
        raise ValueError("it has other fields")
    return tree["v"]


def _of(kind: type[object], content: Any) -> Any:
    if type(content) is not kind:
        raise ValueError(f"it is not made of a {kind.__name__}")
    return content


_READERS: Mapping[str, _Reader] = {
    "tuple": lambda tree, depth: tuple(_value(item, depth) for item in _content(list, tree)),
    "dict": _dict,
    "float": lambda tree, _: float(_content(str, tree)),
    "datetime": lambda tree, _: datetime.fromisoformat(_content(str, tree)),
    "Decimal": lambda tree, _: Decimal(_content(str, tree)),
    "bytes": lambda tree, _: base64.b64decode(_content(str, tree), validate=True),
}
