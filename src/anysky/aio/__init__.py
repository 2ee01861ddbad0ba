"""The asyncio API: the same names as the blocking one, with ``await``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drivers import get_driver
    from .recovery import Journal
    from .transactions import Transaction, transaction

__all__ = ["Journal", "Transaction", "get_driver", "transaction"]

_HOMES = {
    "Journal": ".recovery",
    "Transaction": ".transactions",
    "get_driver": ".drivers",
    "transaction": ".transactions",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anysky.aio' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name], __name__), name)
