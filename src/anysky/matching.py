"""Check what a list returned against what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .model.compute import Filter, NodeLocation

__all__ = ["EVERYTHING", "is_empty", "make_filter", "matches"]

EVERYTHING = Filter()


def make_filter(
    ids: Sequence[str] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    location: NodeLocation | None = None,
    options: Mapping[str, Any] | None = None,
) -> Filter:
    """Make a filter of the arguments of a list."""
    return Filter(tuple(ids or ()), name, dict(tags or {}), location, dict(options or {}))


def is_empty(filter: Filter) -> bool:
    """Whether a filter asks for everything, as far as `matches` looks."""
    return not filter.ids and filter.name is None and not filter.tags


def matches(item: Any, filter: Filter) -> bool:
    """Whether an item is one of those that were asked for."""
    if filter.ids and item.id not in filter.ids:
        return False
    if filter.name is not None and getattr(item, "name", None) != filter.name:
        return False
    return all(item.tags.get(key) == value for key, value in filter.tags.items())
