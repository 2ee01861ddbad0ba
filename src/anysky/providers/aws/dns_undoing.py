"""How what is done to Route 53's record sets is found again, and taken back.

Vendor's reference:
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anysky.errors import RecordAlreadyExistsError, RecordDoesNotExistError
from anysky.ledger import Ledger
from anysky.model.dns import Record, Zone

from .dns_api import Change
from .dns_editing import Route53Editing
from .dns_sets import RecordSet, SetKey, key_of, record_of, take_values, values_of
from .dns_values import name_from_route53

__all__ = ["Route53Undoing"]

_TOLD = 3


class Route53Undoing(Route53Editing):
    """What undoes changes of record sets; keys are lists here, as a journal has them."""

    async def _find_values(
        self,
        mark: str,  # noqa: ARG002 - a record carries none
        zone: Zone,
        key: Sequence[Any],
        values: Sequence[str],
        target: str | None,
    ) -> list[list[Record]]:
        """Look for values, or an alias, that were not there when they were added."""
        found = await self._find(zone, SetKey(*key))
        if found is None or not _holds(found, values, target):
            return []
        return [[record_of(zone, found, value, {}) for value in values or (None,)]]

    async def _take_values(
        self,
        zone: Zone,
        key: Sequence[Any],
        values: Sequence[str],
        target: str | None,
        changed: Mapping[str, Sequence[Any]],
    ) -> None:
        """Take back values, or an alias, that were added.

        Raises:
            RecordDoesNotExistError: They are gone.
        """

        def taken(sets: list[RecordSet | None]) -> list[RecordSet | None]:
            found = sets[0]
            held = [one for one in values if found is not None and one in values_of(found)]
            if found is None or not (held or (target and _holds(found, (), target))):
                raise RecordDoesNotExistError(f"{key[1]} {key[0]} does not exist any more")
            return [take_values(found, values, changed)]

        await self._edit(zone, [SetKey(*key)], taken)

    async def _delete_sets(
        self, ledger: Ledger, zone: Zone, sets: Sequence[RecordSet]
    ) -> Change | None:
        """Delete sets at once, as a step whose undoing puts them back."""
        change: Change | None = None

        async def delete() -> None:
            nonlocal change
            change = await self.change_records(zone, [("DELETE", one) for one in sets])

        await ledger.step(
            f"deletion of {_named(sets)}",
            delete(),
            undo=self._put_sets_back,
            undo_args=(zone, list(sets)),
            find=self._find_deleted,
            find_args=(zone, list(sets)),
        )
        return change

    async def _find_deleted(
        self,
        mark: str,  # noqa: ARG002 - what is gone carries none
        zone: Zone,
        sets: Sequence[RecordSet],
    ) -> list[None]:
        """Tell by one entry that sets are gone: all of them or none was deleted."""
        return [None] if len(await self._missing(zone, sets)) == len(sets) else []

    async def _put_sets_back(self, zone: Zone, sets: Sequence[RecordSet]) -> None:
        """Make sets again that were deleted, but those that somebody has made meanwhile."""
        # moto and what is built on it refuse to create what ever was.
        for action in ("CREATE", "UPSERT"):
            missing = await self._missing(zone, sets)
            if not missing:
                return
            try:
                await self.change_records(zone, [(action, one) for one in missing])
            except RecordAlreadyExistsError:
                if action == "UPSERT":
                    raise
            else:
                return

    async def _missing(self, zone: Zone, sets: Sequence[RecordSet]) -> list[RecordSet]:
        there = {_comparable(one) for one in await self.list_record_sets(zone)}
        return [one for one in sets if _comparable(one) not in there]


def _holds(found: RecordSet, values: Sequence[str], target: str | None) -> bool:
    if target is None:
        return set(values) <= set(values_of(found))
    alias = found.get("AliasTarget", {}).get("DNSName")
    return alias is not None and name_from_route53(alias) == name_from_route53(target)


def _comparable(found: RecordSet) -> SetKey:
    key = key_of(found)
    return SetKey(name_from_route53(key.name), key.type, key.identifier)


def _named(sets: Sequence[RecordSet]) -> str:
    names = [f"{one['Type']} {name_from_route53(one['Name'])}" for one in sets[:_TOLD]]
    more = len(sets) - len(names)
    return f"{', '.join(names)} and {more} more" if more > 0 else ", ".join(names)
