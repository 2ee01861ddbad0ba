"""A type for passwords, tokens and keys that never prints them."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

__all__ = ["Secret", "allow_secrets"]

_pickling_allowed: ContextVar[bool] = ContextVar("anysky_allow_secrets", default=False)


@contextlib.contextmanager
def allow_secrets() -> Generator[None]:
    """Allow `Secret` values to be pickled inside the block, for example to a worker process."""
    token = _pickling_allowed.set(True)
    try:
        yield
    finally:
        _pickling_allowed.reset(token)


class Secret:
    """A value that is shown as ``***`` wherever it is printed, logged or formatted.

    Two secrets compare in constant time. `reveal` gives the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; keep it out of logs and messages."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would leak equality

    def __reduce__(self) -> tuple[Any, ...]:
        if not _pickling_allowed.get():
            raise TypeError("a Secret is not pickled outside `with anysky.allow_secrets():`")
        return (Secret, (self._value,))
