"""Pages: the only way in which a backend lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import MalformedResponseError, UnsafeResponseError
from .transport.base import Limits

__all__ = ["Page", "PageGuard"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some items of a list, and where the next ones are.

    Attributes:
        items: The items, in the provider's order.
        cursor: What to pass to get the next page, or None after the last one. Only the backend
            that made it knows what it means.
    """

    items: Sequence[T_co]
    cursor: str | None = None


class PageGuard:
    """Sees to it that a list ends: no cursor twice, not too many items or pages."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cursors: set[str] = set()
        self._items = 0

    def check(self, page: Page[object]) -> None:
        """Count a page.

        Raises:
            MalformedResponseError: The provider sent a cursor that it had sent before.
            UnsafeResponseError: The list is longer than the limits allow.
        """
        self._items += len(page.items)
        if self._items > self._limits.max_items or len(self._cursors) >= self._limits.max_pages:
            raise UnsafeResponseError(
                f"the list does not end within {self._limits.max_items} items and "
                f"{self._limits.max_pages} pages; raise max_items if that is right"
            )
        if page.cursor is None:
            return
        if page.cursor in self._cursors:
            raise MalformedResponseError("the provider sent the same page link twice")
        self._cursors.add(page.cursor)
