"""Where things are: locations and addresses."""

from __future__ import annotations

from anysky.errors import NotFoundError, QuotaExceededError

from .cloud import Cloud
from .rules import network_of
from .state import State

__all__ = ["find_location", "next_address", "next_public_address"]

_PUBLIC = "198.18.0.0/15"  # for tests between networks (RFC 2544): nobody has these addresses
_RESERVED = 4  # the network's own address, and those that providers keep for themselves


def find_location(cloud: Cloud, location_id: str | None) -> str:
    """Return the id of a location, of the cloud's first one for None.

    Raises:
        NotFoundError: There is none of this id.
    """
    known = [one.id for one in cloud.locations]
    place = location_id or known[0]
    if place not in known:
        raise NotFoundError(f"there is no location {place!r}; there are {', '.join(known)}")
    return place


def next_address(state: State, cidr: str) -> str:
    """Return the next address of a range; none is given twice.

    Raises:
        QuotaExceededError: All have been given.
    """
    whole = network_of(cidr)
    number = state.count(f"address {cidr}") + _RESERVED - 1
    if number >= whole.num_addresses - 1:
        raise QuotaExceededError(f"{cidr} has no free address")
    return str(whole[number])


def next_public_address(state: State) -> str:
    """Return the next address that can be reached from anywhere."""
    return next_address(state, _PUBLIC)
