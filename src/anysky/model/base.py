"""How models are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast, dataclass_transform

__all__ = ["State", "field_slots", "lazy", "lazy_extra", "model", "unbound"]

T = TypeVar("T")

_MODELS = "anysky.model."


class State(StrEnum):
    """Base of the states; each is equal to its string."""

    @classmethod
    def tostring(cls, value: State | str) -> str:
        """Return a state's string in capitals."""
        return str(value).upper()

    @classmethod
    def fromstring(cls, value: str) -> State:
        """Return the state of this name, in any case.

        Raises:
            AttributeError: There is no such state.
        """
        return cast("State", getattr(cls, value.upper()))


_LAZY_FIELDS = ("extra", "price")


class _Lazy:
    """What a lazy field holds until it is first read."""

    __slots__ = ("decode",)

    def __init__(self, decode: Callable[[], Any]) -> None:
        self.decode = decode


def lazy(decode: Callable[[], T]) -> T:
    """Return a stand-in for the value of a lazy field that is made when somebody reads it."""
    return cast("T", _Lazy(decode))


def lazy_extra(decode: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a stand-in for a model's `extra` that is decoded when somebody reads it."""
    return lazy(decode)


class _LazyField:
    """Reads a slot, and decodes what is lazy on first use."""

    __slots__ = ("slot",)

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = self.slot.__get__(instance, owner)
        if type(value) is _Lazy:
            value = value.decode()
            self.slot.__set__(instance, value)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        self.slot.__set__(instance, value)


_fields: Callable[[Any], tuple[dataclasses.Field[Any], ...]] = cache(dataclasses.fields)


def _repr(self: Any) -> str:
    shown = [f"{one.name}={getattr(self, one.name)!r}" for one in _fields(type(self)) if one.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equals(self: Any, other: object) -> bool:
    if type(self) is not type(other):
        return cast("bool", NotImplemented)
    names = [one.name for one in _fields(type(self)) if one.compare]
    return all(getattr(self, name) == getattr(other, name) for name in names)


def _hash(self: Any) -> int:
    return hash(getattr(self, _fields(type(self))[0].name))


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def model(cls: type[T]) -> type[T]:
    """Make a class frozen, slotted data; its `extra` and `price`, if it has them, may be lazy.

    Objects are equal if their fields are, but for `extra`, and hash by their first field.
    """
    # One function for all classes: what a dataclass would make for each costs at every start.
    for name, method in (("__repr__", _repr), ("__eq__", _equals), ("__hash__", _hash)):
        setattr(cls, name, method)
    made = dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False)(cls)
    for name in _LAZY_FIELDS:
        slot = made.__dict__.get(name)
        if slot is not None:
            setattr(made, name, _LazyField(slot))
    return made


@cache
def field_slots(
    cls: Any,
) -> tuple[tuple[Callable[[Any], Any], Callable[[Any, Any], None]], ...]:
    """Return for each field of a model how to read it and how to set it, lazy values as such."""
    found = [getattr(cls, field.name) for field in _fields(cls)]
    slots = [one.slot if isinstance(one, _LazyField) else one for one in found]
    return tuple((slot.__get__, slot.__set__) for slot in slots)


def unbound(thing: T) -> T:
    """Return a model without the driver that it is bound to; anything else as it is."""
    if getattr(thing, "driver", None) is None:
        return thing
    plain: Any = next(cls for cls in type(thing).__mro__ if cls.__module__.startswith(_MODELS))
    made: T = object.__new__(plain)
    bound: Any = type(thing)
    for (read, _), (_, write) in zip(field_slots(bound), field_slots(plain), strict=True):
        write(made, unbound(read(thing)))
    return made
