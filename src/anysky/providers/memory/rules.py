"""What names, tags and addresses may be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from anysky.errors import InvalidRequestError
from anysky.ledger import mark_tag
from anysky.matching import matches
from anysky.model.compute import Filter

__all__ = ["check_host_name", "check_name", "check_tags", "is_wanted", "network_of", "of_filter"]

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9_]([\w .:/@+=-]{0,126}[\w.:/@+=-])?", re.ASCII)
_MOST_TAGS = 50
_LONGEST_KEY = 128
_LONGEST_VALUE = 256


def check_host_name(name: str) -> None:
    """Refuse what cannot be the name of a node.

    Raises:
        InvalidRequestError: It is none.
    """
    if not _HOST_NAME.fullmatch(name):
        raise InvalidRequestError(
            f"the name of a node has up to 253 letters, digits, dots and hyphens, not {name!r}"
        )


def check_name(name: str, what: str) -> None:
    """Refuse what cannot be the name of a thing.

    Raises:
        InvalidRequestError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"the name of a {what} has up to 128 letters, digits, spaces and characters of "
            f"_.:/@+=-, and begins with a letter or digit, not {name!r}"
        )


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as a dict of their own, with the mark of the running step.

    Raises:
        InvalidRequestError: They are too many, too long, or no texts.
    """
    if len(tags) > _MOST_TAGS:
        raise InvalidRequestError(f"a thing has {_MOST_TAGS} tags at the most, not {len(tags)}")
    for key, value in tags.items():
        if not 0 < len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise InvalidRequestError(
                f"a tag has a key of 1 to {_LONGEST_KEY} characters and a value of up to "
                f"{_LONGEST_VALUE}, not {key[:80]!r}: {value[:80]!r}"
            )
    return {**tags, **mark_tag()}


def network_of(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read an address range.

    Raises:
        InvalidRequestError: It is none, or has bits beside its prefix.
    """
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise InvalidRequestError(f"{cidr!r} is no address range: {error}") from None


def is_wanted(item: Any, filter: Filter) -> bool:
    """Whether a list that is narrowed holds a thing; one without location is everywhere."""
    place = filter.location
    return matches(item, filter) and (
        place is None or item.extra.get("location", place.id) == place.id
    )


def of_filter(filter: Filter) -> Mapping[str, Any]:
    """Return what a filter asks for, as arguments of a call."""
    place = filter.location and filter.location.id
    tags = dict(filter.tags)
    return {"ids": filter.ids, "name": filter.name, "tags": tags, "location": place}
