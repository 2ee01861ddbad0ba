"""Route 53: hosted zones, and a record for each value of their record sets.

Vendor's reference: https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from anysky.backend.base import Effect, Option
from anysky.errors import (
    InvalidRequestError,
    RecordDoesNotExistError,
    UnsupportedOperationError,
    ZoneDoesNotExistError,
)
from anysky.ledger import mark
from anysky.model.dns import Record, RecordType, Zone
from anysky.paging import Page
from anysky.waiting import all_pages

from .dns_answers import (
    CommentedZone,
    CreatedZone,
    DeletedZone,
    FoundVPC,
    FoundZone,
    ListedZones,
    OneZone,
)
from .dns_api import Change, plain_id
from .dns_editing import Edited, Sets, delete_batches, is_permanent, zone_path
from .dns_sets import (
    RecordSet,
    SetKey,
    Wanted,
    add_values,
    changes_of,
    drop_value,
    record_of,
    records_of,
    replace_value,
    routing_of,
    split_id,
)
from .dns_undoing import Route53Undoing
from .dns_values import full_name, name_from_route53
from .dns_wanted import value_of, wanted_instead, wanted_set

__all__ = ["Change", "Route53"]

_ZONES_PER_PAGE = ("maxitems", "100")
_WAIT = Option("ex_wait", "bool", "wait until all of Route 53's name servers know of the change")


class Route53(Route53Undoing):
    """Amazon's DNS service."""

    RECORD_TYPE_MAP: ClassVar[Mapping[RecordType, str]] = {
        type: type.value
        for type in (
            RecordType.A,
            RecordType.AAAA,
            RecordType.CAA,
            RecordType.CNAME,
            RecordType.DS,
            RecordType.HTTPS,
            RecordType.MX,
            RecordType.NAPTR,
            RecordType.NS,
            RecordType.PTR,
            RecordType.SOA,
            RecordType.SPF,
            RecordType.SRV,
            RecordType.SSHFP,
            RecordType.SVCB,
            RecordType.TLSA,
            RecordType.TXT,
        )
    }
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "create_zone": (
            Option("ex_vpc_id", "str", "make a private zone, for this VPC"),
            Option("ex_vpc_region", "str", "region of the VPC"),
            Option("ex_delegation_set_id", "str", "reusable delegation set for its name servers"),
            _WAIT,
        ),
        "delete_zone": (
            Option("ex_delete_records", "bool", "delete its records first"),
            _WAIT,
        ),
        "create_record": (_WAIT,),
        "update_record": (_WAIT,),
        "delete_record": (_WAIT,),
    }
    rate: ClassVar[float | None] = 5.0
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_record": Effect("delete_record"),
        "create_zone": Effect("delete_zone"),
    }
    marked: ClassVar[frozenset[str]] = frozenset({"create_zone"})
    marked_as: ClassVar[str] = "CallerReference"

    async def list_zones(self, cursor: str | None) -> Page[Zone]:
        """List hosted zones: GET /hostedzone."""
        params = [_ZONES_PER_PAGE, *([("marker", cursor)] if cursor else [])]
        answer = await self._fetch("/hostedzone", ListedZones, params)
        return Page([_zone(found) for found in answer.zones], answer.next or None)

    async def get_zone(self, zone_id: str) -> Zone:
        """Fetch a hosted zone, its name servers and VPCs: GET /hostedzone/{id}."""
        answer = await self._fetch(zone_path(zone_id), OneZone)
        return _zone(answer.zone, answer.servers, answer.vpcs)

    async def create_zone(
        self, domain: str, type: str, ttl: int | None, extra: Mapping[str, Any]
    ) -> Zone:
        """Make a hosted zone: POST /hostedzone.

        Route 53 allows several zones of one name. The comment is ``extra["Comment"]``; a zone with
        ``ex_vpc_id`` and ``ex_vpc_region`` is private.
        """
        _check_zone(type, ttl)
        async with self.ledger("create_zone") as ledger:
            make = self._create_zone(domain, extra)
            zone = await ledger.step(f"zone {domain}", make, undo=self.delete_zone)
            if extra.get("ex_wait") and "change_id" in zone.extra:
                await self.wait_for_change(zone.extra["change_id"])
        return zone

    async def update_zone(
        self, zone: Zone, domain: str, type: str, ttl: int | None, extra: Mapping[str, Any]
    ) -> Zone:
        """Change a zone's comment, which is all that can be changed: POST /hostedzone/{id}."""
        _check_zone(type, ttl)
        if full_name(None, domain) != full_name(None, zone.domain):
            raise UnsupportedOperationError(
                "Route 53 cannot rename a zone: make another one and copy the records"
            )
        if "Comment" not in extra:
            return await self.get_zone(zone.id)
        content = {"Comment": extra["Comment"]}
        root = "UpdateHostedZoneCommentRequest"
        answer = await self._post(zone_path(zone.id), CommentedZone, root, content, repeatable=True)
        return _zone(answer.zone)

    async def delete_zone(
        self, zone: Zone, ex_delete_records: bool = False, ex_wait: bool = False
    ) -> None:
        """Delete a zone: DELETE /hostedzone/{id}.

        Raises:
            ConflictError: It has records besides those that each zone has.
            PartialFailureError: Its records were deleted, and then it was not; the error's
                `rollback` puts them back, and calling this again goes on.
        """
        async with self.ledger("delete_zone"):
            if ex_delete_records:
                await self.delete_all_records(zone)
            try:
                answer = await self._delete(zone_path(zone.id), DeletedZone)
            except ZoneDoesNotExistError as error:
                if error.attempts > 1:  # the first answer was lost: it had been deleted
                    return
                raise
        await self._settle(answer.change, {"ex_wait": ex_wait})

    async def list_records(self, zone: Zone, cursor: str | None) -> Page[Record]:
        """List records, one for each value: GET /hostedzone/{id}/rrset."""
        page = await self._page(zone, cursor)
        return Page([one for found in page.items for one in records_of(zone, found)], page.cursor)

    async def get_record(self, zone_id: str, record_id: str) -> Record:
        """Fetch a record: GET /hostedzone/{id}/rrset, from its name on."""
        type, name, identifier, value = split_id(record_id)
        zone = await self.get_zone(zone_id)
        key = SetKey(full_name(name, zone.domain), type, identifier)
        answer = await self._find(zone, key)
        found = [] if answer is None else _records(zone, answer)
        meant = [one for one in found if value in (None, one.extra.get("value"))]
        if len(meant) == 1:
            return meant[0]
        several = f", which has {len(meant)} values now: list them" if meant else ""
        raise RecordDoesNotExistError(f"there is no record {record_id[:200]!r}{several}")

    async def create_record(
        self, name: str | None, zone: Zone, type: RecordType, data: str, extra: Mapping[str, Any]
    ) -> Record:
        """Make a record beside those of its name and type: POST /hostedzone/{id}/rrset/.

        All values of a set have one ``ttl``: the one given, else that of the set, else 300. See
        `Route53` in the documentation for ``alias_target`` and ``routing`` in `extra`.
        """
        return (await self._create(name, zone, type, [data], extra))[0]

    async def create_multi_value_record(
        self,
        name: str | None,
        zone: Zone,
        type: RecordType | str,
        data: str | Sequence[str],
        extra: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        """Make a record for each of several values, all or none: POST /hostedzone/{id}/rrset/.

        Args:
            name: Name below the zone; None or empty for the zone itself.
            zone: The zone.
            type: The type.
            data: The values, as a sequence or as the lines of a text.
            extra: As for `create_record`.

        Raises:
            RecordAlreadyExistsError: There is one of them already.
            InvalidRequestError: A value is wrong.
        """
        lines = data.splitlines() if isinstance(data, str) else data
        values = [line.strip() for line in lines if line.strip()]
        return await self._create(name, zone, _type(type), values, dict(extra or {}))

    async def update_record(
        self,
        record: Record,
        name: str | None,
        type: RecordType,
        data: str,
        extra: Mapping[str, Any],
    ) -> Record:
        """Change a record, not others of its name and type: POST /hostedzone/{id}/rrset/."""
        wanted = wanted_instead(record, name, type, data, extra)
        old_key, old_value = _key(record), value_of(record)

        def replaced(sets: Sets) -> Sets:
            return [replace_value(sets[0], old_value, wanted)]

        def moved(sets: Sets) -> Sets:
            left = drop_value(sets[0], old_key, old_value)
            return [left, add_values(sets[1], _like(wanted, sets[0]))]

        if wanted.key == old_key:
            edited = await self._edit(record.zone, [old_key], replaced)
        else:
            edited = await self._edit(record.zone, [old_key, wanted.key], moved)
        await self._settle(edited.change, extra)
        return self._edited_records(record.zone, wanted, edited)[0]

    async def delete_record(self, record: Record, ex_wait: bool = False) -> None:
        """Delete a record, not others of its name and type: POST /hostedzone/{id}/rrset/."""
        key, value = _key(record), value_of(record)
        edited = await self._edit(
            record.zone, [key], lambda sets: [drop_value(sets[0], key, value)]
        )
        await self._settle(edited.change, {"ex_wait": ex_wait})

    async def delete_all_records(self, zone: Zone, wait: bool = False) -> None:
        """Delete all records of a zone but the NS and SOA records of its own name.

        Args:
            zone: The zone.
            wait: Wait until all of Route 53's name servers know of it.

        Raises:
            PartialFailureError: Some were deleted, and then others were not; the error's
                `rollback` puts them back, and calling this again goes on.
        """
        found = await self.list_record_sets(zone)
        own = [one for one in found if not is_permanent(zone, one)]
        change: Change | None = None
        async with self.ledger("delete_all_records") as ledger:
            for batch in delete_batches(own):
                change = await self._delete_sets(ledger, zone, batch)
            await self._settle(change, {"ex_wait": wait})

    async def _create_zone(self, domain: str, extra: Mapping[str, Any]) -> Zone:
        content = _zone_request(domain, mark(), extra)
        answer = await self._post(
            "/hostedzone", CreatedZone, "CreateHostedZoneRequest", content, repeatable=True
        )
        return _zone(answer.zone, answer.servers, answer.vpcs, change_id=answer.change.id)

    async def _find_created(
        self, operation: str, mark: str, named: Sequence[Any] | None
    ) -> list[Any] | None:
        if operation != "create_zone":
            return await super()._find_created(operation, mark, named)
        zones = await all_pages(self.list_zones, self.connection.limits)
        made = [zone.id for zone in zones if zone.extra["CallerReference"] == mark]
        return [await self.get_zone(zone_id) for zone_id in made]

    async def _create(
        self,
        name: str | None,
        zone: Zone,
        type: RecordType,
        data: list[str],
        extra: Mapping[str, Any],
    ) -> list[Record]:
        wanted = wanted_set(zone, name, type, data, extra)
        changed: dict[str, Any] = {}
        if wanted.sets_more:  # it changes what the other values of the set have
            changed = changes_of(await self._find(zone, wanted.key), wanted)
        edited = Edited([], None)

        async def add() -> list[Record]:
            nonlocal edited
            edited = await self._edit(
                zone, [wanted.key], lambda sets: [add_values(sets[0], wanted)]
            )
            return self._edited_records(zone, wanted, edited)

        values = list(wanted.values)
        async with self.ledger("create_record") as ledger:
            records = await ledger.step(
                f"record {type} {name or '@'} in zone {zone.domain}",
                add(),
                undo=self._take_values,
                undo_args=(zone, list(wanted.key), values, wanted.target, changed),
                find=self._find_values,
                find_args=(zone, list(wanted.key), values, wanted.target),
            )
            await self._settle(edited.change, extra)
        return records

    def _edited_records(self, zone: Zone, wanted: Wanted, edited: Edited) -> list[Record]:
        """Return the records that were made or changed."""
        more = {} if edited.change is None else {"change_id": edited.change.id}
        changed = edited.sets[-1] or {}
        return [record_of(zone, changed, value, more) for value in wanted.values or (None,)]

    async def _settle(self, change: Change | None, extra: Mapping[str, Any]) -> None:
        if change is not None and extra.get("ex_wait") and change.status != "INSYNC":
            await self.wait_for_change(change.id)


def _zone(
    found: FoundZone,
    servers: Sequence[str] = (),
    vpcs: Sequence[FoundVPC] = (),
    change_id: str | None = None,
) -> Zone:
    known: dict[str, Any] = {
        "Comment": found.comment,
        "PrivateZone": found.is_private,
        "CallerReference": found.reference,
        "ResourceRecordSetCount": found.count,
        "NameServers": list(servers) or None,
        "VPCs": [{"VPCId": vpc.id, "VPCRegion": vpc.region} for vpc in vpcs] or None,
        "change_id": change_id,
    }
    extra = {key: value for key, value in known.items() if value is not None}
    return Zone(plain_id(found.id), name_from_route53(found.name), "master", None, extra)


def _zone_request(domain: str, reference: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    vpc_id, region = extra.get("ex_vpc_id"), extra.get("ex_vpc_region")
    if (vpc_id is None) != (region is None):
        raise InvalidRequestError("a private zone needs both ex_vpc_id and ex_vpc_region")
    private = None if vpc_id is None else True
    config = {"Comment": extra.get("Comment"), "PrivateZone": private}
    return {
        "Name": full_name(None, domain),
        "VPC": private and {"VPCRegion": region, "VPCId": vpc_id},
        "CallerReference": reference,
        "HostedZoneConfig": config if any(config.values()) else None,
        "DelegationSetId": extra.get("ex_delegation_set_id"),
    }


def _check_zone(type: str, ttl: int | None) -> None:
    if type != "master":
        raise UnsupportedOperationError(f"Route 53 has no zones of type {type!r}, only 'master'")
    if ttl is not None:
        raise UnsupportedOperationError("Route 53's zones have no ttl; give it to the records")


def _type(type: RecordType | str) -> RecordType:
    try:
        kind = RecordType(str(type).upper())
    except ValueError as error:
        raise InvalidRequestError(f"there is no type of DNS records {type!r}") from error
    if kind not in Route53.RECORD_TYPE_MAP:
        raise InvalidRequestError(f"Route 53 has no {kind} records")
    return kind


def _key(record: Record) -> SetKey:
    """Return in which set a record is."""
    type, name, identifier, _ = split_id(record.id)
    return SetKey(full_name(name, record.zone.domain), type, identifier)


def _like(wanted: Wanted, old: RecordSet | None) -> Wanted:
    """Return what is wanted, and for what is not given what an old set has."""
    if old is None:
        return wanted
    routing = {**routing_of(old), **wanted.routing}
    ttl = int(old["TTL"]) if wanted.ttl is None and "TTL" in old else wanted.ttl
    return wanted._replace(routing=routing, ttl=ttl)


def _records(zone: Zone, found: RecordSet) -> list[Record]:
    values = [one["Value"] for one in found.get("ResourceRecords", ())]
    return [record_of(zone, found, value, {}) for value in values or (None,)]
