"""What an account holds, as its lists tell it, so that before and after can be compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from anysky.model.compute import NodeState, StorageVolumeState

from .trial import finished

__all__ = ["Inventory", "key_of", "lists_of", "take_inventory"]

Key = tuple[Hashable, ...]

_MODELS = "anysky.model."
_GONE = frozenset({NodeState.TERMINATED, NodeState.STOPPING})
_IN_USE = frozenset({StorageVolumeState.INUSE, StorageVolumeState.ATTACHING})
_LISTS: Mapping[str, Mapping[str, str]] = {
    "compute": {
        "Node": "list_nodes",
        "StorageVolume": "list_volumes",
        "VolumeSnapshot": "list_snapshots",
        "KeyPair": "list_key_pairs",
        "Network": "list_networks",
        "Subnet": "list_subnets",
        "SecurityGroup": "list_security_groups",
        "FloatingIP": "list_floating_ips",
    },
    "storage": {"Container": "list_containers"},
    "dns": {"Zone": "list_zones"},
    "loadbalancer": {"LoadBalancer": "list_balancers"},
}
_PARTS = {
    "Container": ("list_container_objects", "list_multipart_uploads"),
    "Zone": ("list_records",),
    "LoadBalancer": ("balancer_list_members",),
}
_IDS = ("upload_id", "id", "name")
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

    def difference(self, start: Inventory) -> set[str]:
        """Return the kinds of which something is not as it was at the start."""
        new, old = set(self.facts.items()), set(start.facts.items())
        return {str(key[0]) for key, _ in new ^ old}

    def kinds(self) -> list[str]:
        """Return the kind of each thing."""
        return sorted([str(key[0]) for key in self.things] + [_OTHER] * len(self.others))

    def __str__(self) -> str:
        return ", ".join(map(repr, [*self.things.values(), *self.others])) or "nothing"


def key_of(thing: Any) -> Key:
    """Return what tells a thing from others."""
    kind = next((cls for cls in type(thing).__mro__ if cls.__module__.startswith(_MODELS)), None)
    known = (getattr(thing, name, None) for name in _IDS)
    name = next(filter(None, known), None) or repr(thing)
    places = (getattr(thing, place, None) for place in ("zone", "container", "balancer"))
    place = next(filter(None, places), None)
    own = (kind.__name__ if kind else "", name)
    return own if place is None else (*own, key_of(place))


async def take_inventory(
    driver: Any, lists: Collection[str], others: Collection[Hashable] = ()
) -> Inventory:
    """List what an account holds of a service.

    Args:
        driver: A driver of the service, of either API.
        lists: Names of the lists to ask for.
        others: What else the server holds; what is listed as well counts once.
    """
    things = {key_of(thing): thing async for thing in _listed(driver, lists)}
    facts = {key: _facts(thing) for key, thing in things.items()}
    return Inventory(things, facts, frozenset(others) - {key[1] for key in things})


def lists_of(driver: Any, kinds: Collection[str] | None = None) -> list[str]:
    """Return the names of a driver's lists, or of those in which things of some kinds are."""
    lists = _LISTS[driver._backend_class.kind]
    return [
        name
        for kind, name in lists.items()
        if driver.supports(name) and (kinds is None or kind in kinds or kind in _PARTS)
    ]


async def _listed(driver: Any, lists: Collection[str]) -> AsyncIterator[Any]:
    for name in lists:
        for thing in await finished(getattr(driver, name)()):
            if getattr(thing, "state", None) in _GONE:
                continue
            yield thing
            for parts in filter(driver.supports, _PARTS.get(str(key_of(thing)[0]), ())):
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
