"""What an account holds, as its lists tell it, so that before and after can be compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Hashable
from dataclasses import dataclass
from typing import Any

from anysky.model.compute import NodeState, StorageVolumeState

from .trial import finished

__all__ = ["Inventory", "key_of", "take_inventory"]

Key = tuple[Hashable, ...]

_MODELS = "anysky.model."
_GONE = frozenset({NodeState.TERMINATED, NodeState.STOPPING})
_IN_USE = frozenset({StorageVolumeState.INUSE, StorageVolumeState.ATTACHING})
_LISTS = {
    "compute": (
        "list_nodes",
        "list_volumes",
        "list_snapshots",
        "list_key_pairs",
        "list_networks",
        "list_subnets",
        "list_security_groups",
        "list_floating_ips",
    ),
    "storage": ("list_containers",),
    "dns": ("list_zones",),
    "loadbalancer": ("list_balancers",),
}
_PARTS = {
    "Container": "list_container_objects",
    "Zone": "list_records",
    "LoadBalancer": "balancer_list_members",
}
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an account holds.

    Attributes:
        things: The models, by what tells each from the others.
        facts: What each of them is attached to, or has in it.
        others: What the server holds besides, by `Setup.others`.
    """

    things: dict[Key, Any]
    facts: dict[Key, Hashable]
    others: frozenset[Hashable]

    def __eq__(self, other: object) -> bool:
        """Whether the same things are there, attached to the same."""
        if not isinstance(other, Inventory):
            return NotImplemented
        return (self.facts, self.others) == (other.facts, other.others)

    __hash__ = None  # type: ignore[assignment]

    def beyond(self, start: Inventory) -> Inventory:
        """Return what is here and was not there at the start."""
        added = [key for key in self.things if key not in start.things]
        return Inventory(
            {key: self.things[key] for key in added},
            {key: self.facts[key] for key in added},
            self.others - start.others,
        )

    def changes(self, start: Inventory) -> list[Any]:
        """Return what was there at the start and is attached to something else now."""
        both = [key for key in self.things if key in start.things]
        return [self.things[key] for key in both if self.facts[key] != start.facts[key]]

    def without(self, keys: Collection[Key]) -> list[Any]:
        """Return what none of these keys names; the others count by their id alone."""
        ids = {key[1] for key in keys}
        left = [thing for key, thing in self.things.items() if key not in keys]
        return [*left, *(other for other in self.others if other not in ids)]

    def kinds(self) -> list[str]:
        """Return the kind of each thing."""
        return sorted([str(key[0]) for key in self.things] + [_OTHER] * len(self.others))

    def __str__(self) -> str:
        return ", ".join(map(repr, [*self.things.values(), *self.others])) or "nothing"


def key_of(thing: Any) -> Key:
    """Return what tells a thing from others."""
    kind = next((cls for cls in type(thing).__mro__ if cls.__module__.startswith(_MODELS)), None)
    name = getattr(thing, "id", None) or getattr(thing, "name", None) or repr(thing)
    places = (getattr(thing, place, None) for place in ("zone", "container", "balancer"))
    place = next(filter(None, places), None)
    own = (kind.__name__ if kind else "", name)
    return own if place is None else (*own, key_of(place))


async def take_inventory(
    driver: Any, more: Collection[str] = (), others: Collection[Hashable] = ()
) -> Inventory:
    """List all that an account holds of a service.

    Args:
        driver: A driver of the service, of either API.
        more: Further lists to ask for.
        others: What else the server holds.
    """
    things = {key_of(thing): thing async for thing in _listed(driver, more)}
    facts = {key: _facts(thing) for key, thing in things.items()}
    return Inventory(things, facts, frozenset(others))


async def _listed(driver: Any, more: Collection[str]) -> AsyncIterator[Any]:
    kind = driver._backend_class.kind
    for name in (*_LISTS[kind], *more):
        if not driver.supports(name):
            continue
        for thing in await finished(getattr(driver, name)()):
            if getattr(thing, "state", None) in _GONE:
                continue
            yield thing
            parts = _PARTS.get(str(key_of(thing)[0]), "")
            if parts and driver.supports(parts):
                for part in await finished(getattr(driver, parts)(thing)):
                    yield part


def _facts(thing: Any) -> Hashable:
    """Return what a thing is attached to, as far as every provider tells it."""
    rules = getattr(thing, "rules", None)
    if rules is not None:
        return frozenset(
            (one.direction, one.protocol, one.from_port, one.to_port, tuple(one.cidrs))
            for one in rules
        )
    is_used = getattr(thing, "state", None) in _IN_USE
    return is_used, getattr(thing, "node_id", None)
