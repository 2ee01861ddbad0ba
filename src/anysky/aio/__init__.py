"""The asyncio API: the same names as the blocking one, with ``await``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drivers import get_driver

__all__ = ["get_driver"]


def __getattr__(name: str) -> Any:
    """Import `get_driver` when it is asked for."""
    if name != "get_driver":
        raise AttributeError(f"module 'anysky.aio' has no attribute {name!r}")
    from .drivers import get_driver

    return get_driver
