"""Keep lists that seldom change, such as sizes and regions, for a while."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any

__all__ = ["CatalogueCache"]


class CatalogueCache:
    """Lists by key, each for `seconds`; safe between threads because it only swaps whole lists."""

    def __init__(self, seconds: float = 3600.0) -> None:
        self._seconds = seconds
        self._lists: dict[Hashable, tuple[float, tuple[Any, ...]]] = {}

    def get(self, key: Hashable) -> list[Any] | None:
        """Return a copy of a list that is still fresh, or None."""
        kept = self._lists.get(key)
        if kept is None or time.monotonic() - kept[0] > self._seconds:
            return None
        return list(kept[1])

    def put(self, key: Hashable, items: list[Any]) -> None:
        """Keep a copy of a list."""
        self._lists[key] = (time.monotonic(), tuple(items))
