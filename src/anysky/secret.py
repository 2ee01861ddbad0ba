"""A type for passwords, tokens and keys that never prints them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, overload

__all__ = ["HiddenMapping", "Secret", "allow_secrets", "hide"]

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
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a secret is a str, not {type(value).__name__}")
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
        ours, theirs = (one._value.encode("utf-8", "surrogatepass") for one in (self, other))
        import hmac

        return hmac.compare_digest(ours, theirs)

    __hash__ = None  # type: ignore[assignment]  # a hash would leak equality

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if not _pickling_allowed.get():
            raise TypeError("a Secret is not pickled outside `with anysky.allow_secrets():`")
        return (Secret, (self._value,))


@overload
def hide(value: str) -> Secret: ...
@overload
def hide(value: Any) -> Any: ...
def hide(value: Any) -> Any:
    """Make a secret of a string, so that no traceback that shows variables shows it."""
    return Secret(value) if isinstance(value, str) else value


class HiddenMapping(Mapping[str, str]):
    """A mapping, such as the process's environment, that does not print what is in it."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Mapping[str, str]) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return f"<{len(self)} hidden values>"

    def __getitem__(self, key: str) -> str:
        return self._inner[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)
