"""Changes of Route 53's record sets: none is lost, though a set is only changed as a whole.

A set is read, and one batch deletes it exactly as it was read and creates it as it shall be. Route
53 carries out all of a batch or nothing, and deletes a set only if it is what the batch says; so
if another has changed the set meanwhile, the batch is refused, and the set is read anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    MalformedResponseError,
    OutcomeUnknownError,
    ProviderUnavailableError,
    RecordAlreadyExistsError,
    RecordDoesNotExistError,
    UnsafeResponseError,
)
from anysky.model.dns import Zone
from anysky.paging import Page
from anysky.transport.base import encode_query, quote
from anysky.waiting import all_pages, wait_until

from .dns_answers import Changed, ListedSets, OneChange
from .dns_api import Change, Route53API, plain_id
from .dns_sets import FoundSet, RecordSet, SetKey, same_set, values_of, wire_form
from .dns_values import name_below, name_from_route53

__all__ = ["Edited", "Route53Editing", "Sets", "delete_batches", "is_permanent", "zone_path"]

Sets = list[RecordSet | None]

_TRIES = 8
_RECORDS_PER_PAGE = ("maxitems", "300")
_LONGEST_PAUSE = 2.0
_BATCH_VALUES = 1000
_BATCH_CHARACTERS = 32_000
_CHANGE_REQUEST = "ChangeResourceRecordSetsRequest"
# A change after which one of these comes may have been made all the same.
_UNSETTLED = (
    OutcomeUnknownError,
    MalformedResponseError,
    UnsafeResponseError,
    ProviderUnavailableError,
)
_ACTIONS = frozenset({"CREATE", "DELETE", "UPSERT"})


class Edited(NamedTuple):
    """Sets as they are after a change; no change if its answer was lost."""

    sets: Sets
    change: Change | None


class _Doubt(NamedTuple):
    """A change whose answer was lost: the sets before it, those after it, and the error."""

    old: Sets
    new: Sets
    error: CloudError


def zone_path(zone_id: str) -> str:
    """Return the path of a zone."""
    return f"/hostedzone/{quote(plain_id(zone_id))}"


class Route53Editing(Route53API):
    """How record sets are read and changed."""

    async def change_records(
        self,
        zone: Zone,
        changes: Sequence[tuple[str, Mapping[str, Any]]],
        comment: str | None = None,
        wait: bool = False,
    ) -> Change:
        """Make several changes at once, all or none: POST /hostedzone/{id}/rrset/.

        Args:
            zone: The zone.
            changes: Pairs of ``"CREATE"``, ``"DELETE"`` or ``"UPSERT"`` and a record set as in
                Route 53's reference: ``{"Name": "www.example.com.", "Type": "A", "TTL": 300,
                "ResourceRecords": [{"Value": "192.0.2.1"}]}``. 1,000 values at the most, those of
                an UPSERT counted twice.
            comment: What Route 53 is to remember of it.
            wait: Wait until all of Route 53's name servers know of it.

        Raises:
            RecordAlreadyExistsError: What is to be created exists; nothing was changed.
            RecordDoesNotExistError: What is to be deleted does not exist, or not exactly so.
            InvalidRequestError: A change is wrong; nothing was changed.
        """
        for action, _ in changes:
            if action not in _ACTIONS:
                raise InvalidRequestError(f"{action!r} is none of {', '.join(sorted(_ACTIONS))}")
        listed = [
            {"Action": action, "ResourceRecordSet": wire_form(changed)}
            for action, changed in changes
        ]
        content = {"ChangeBatch": {"Comment": comment, "Changes": {"Change": listed}}}
        path = f"{zone_path(zone.id)}/rrset/"
        try:
            # Sent twice it changes nothing more: the second time it is refused.
            answer = await self._post(path, Changed, _CHANGE_REQUEST, content, repeatable=True)
        except (RecordAlreadyExistsError, RecordDoesNotExistError) as error:
            if error.attempts > 1:
                raise _unsettled(error) from error
            raise
        change = answer.change
        return await self.wait_for_change(change.id) if wait else change

    async def list_record_sets(self, zone: Zone) -> list[dict[str, Any]]:
        """Return all record sets of a zone as in Route 53's reference, for `change_records`."""
        found = await all_pages(lambda cursor: self._page(zone, cursor), self.connection.limits)
        return [one.as_set() for one in found]

    async def get_change(self, change_id: str) -> Change:
        """Fetch a change: GET /change/{id}.

        Raises:
            NotFoundError: There is no such change, or it was too long ago.
        """
        answer = await self._fetch(f"/change/{quote(plain_id(change_id))}", OneChange)
        return answer.change

    async def wait_for_change(self, change_id: str, timeout: float = 600.0) -> Change:
        """Wait until all of Route 53's name servers know of a change.

        Args:
            change_id: Its id.
            timeout: Seconds; it takes about one minute.

        Raises:
            DeadlineExceededError: The time was not enough; the change goes on by itself.
        """
        return await wait_until(
            lambda: self.get_change(change_id),
            lambda change: change.status == "INSYNC",
            self.runtime,
            what=f"change {change_id} on all name servers",
            timeout=timeout,
            interval=2.0,
        )

    async def _page(self, zone: Zone, cursor: str | None) -> Page[FoundSet]:
        params = [*parse_qsl(cursor or ""), _RECORDS_PER_PAGE]
        answer = await self._fetch(f"{zone_path(zone.id)}/rrset", ListedSets, params)
        return Page(answer.sets, _cursor(answer))

    async def _find(self, zone: Zone, key: SetKey) -> RecordSet | None:
        """Fetch one record set; None if there is none."""
        params = [("name", key.name), ("type", key.type)]
        if key.identifier is not None:
            params.append(("identifier", key.identifier))
        # Where there are several sets of a name and type, other servers than Route 53's own (moto
        # is one) start at the first of them, whatever the identifier.
        params.append(("maxitems", "1" if key.identifier is None else "100"))
        answer = await self._fetch(f"{zone_path(zone.id)}/rrset", ListedSets, params)
        wanted = (name_from_route53(key.name), key.type, key.identifier)
        for found in answer.sets:
            if (name_from_route53(found.name), found.type, found.identifier) == wanted:
                return found.as_set()
        return None

    async def _edit(
        self, zone: Zone, keys: Sequence[SetKey], edit: Callable[[Sets], Sets]
    ) -> Edited:
        """Change record sets, together, and lose nothing of what others do meanwhile.

        Args:
            zone: The zone.
            keys: Which sets.
            edit: Makes of the sets, as they are, what they shall be; None is no set.

        Raises:
            ConflictError: Others changed them each time.
            OutcomeUnknownError: The answer was lost, and others have changed them since.
        """
        doubt: _Doubt | None = None
        refused: Sets | None = None
        for attempt in range(_TRIES):
            old = await self._read(zone, keys, doubt)
            if doubt is not None and not _same(old, doubt.old):
                if _same(old, doubt.new):
                    return Edited(old, None)
                raise doubt.error
            if doubt is not None and not isinstance(doubt.error, OutcomeUnknownError):
                raise doubt.error  # it was answered, and nothing was done
            new = edit(old)
            # What is created is looked for among all that ever was by moto and what is built on it.
            upsert = refused is not None and _same(old, refused)
            try:
                return await self._exchange(zone, old, new, upsert=upsert)
            except _UNSETTLED as error:
                doubt = _Doubt(old, new, error)
            except RecordAlreadyExistsError:
                refused = old
            except RecordDoesNotExistError:
                refused = None
            pause = min(_LONGEST_PAUSE, 0.05 * 2**attempt)
            await self.runtime.sleep(random.uniform(0, pause))  # noqa: S311 - spreads load
        raise (
            doubt.error
            if doubt
            else ConflictError("others keep changing the same records; try again later")
        )

    async def _read(self, zone: Zone, keys: Sequence[SetKey], doubt: _Doubt | None) -> Sets:
        try:
            return [await self._find(zone, key) for key in keys]
        except CloudError as error:
            if doubt is not None:  # what matters more is that a change may have been made
                raise doubt.error from error
            raise

    async def _exchange(self, zone: Zone, old: Sets, new: Sets, *, upsert: bool) -> Edited:
        """Put sets in place of others if these are still what they were."""
        batch = _changes(zone, old, new, upsert=upsert)
        return Edited(new, await self.change_records(zone, batch) if batch else None)


def delete_batches(sets: Sequence[RecordSet]) -> Iterator[list[RecordSet]]:
    """Yield sets to delete, in batches that are not too large for Route 53."""
    batch: list[RecordSet] = []
    count = characters = 0
    for one in sets:
        values = values_of(one)
        count += len(values) or 1
        characters += sum(map(len, values))
        if batch and (count > _BATCH_VALUES or characters > _BATCH_CHARACTERS):
            yield batch
            batch, count, characters = [], len(values) or 1, sum(map(len, values))
        batch.append(one)
    if batch:
        yield batch


def _cursor(answer: ListedSets) -> str | None:
    """Return where the next page starts; only its name is always there."""
    if not answer.is_truncated or answer.next_name is None:
        return None
    start = [
        ("name", answer.next_name),
        ("type", answer.next_type),
        ("identifier", answer.next_identifier),
    ]
    return encode_query([(key, value) for key, value in start if value])


def is_permanent(zone: Zone, found: RecordSet) -> bool:
    """Whether a set is one that a zone always has: SOA and NS of its own name."""
    return found["Type"] in ("NS", "SOA") and name_below(found["Name"], zone.domain) is None


def _changes(zone: Zone, old: Sets, new: Sets, *, upsert: bool) -> list[tuple[str, RecordSet]]:
    """Return the changes from some sets to others: what goes first, since it may be in the way."""
    deleted: list[tuple[str, RecordSet]] = []
    made: list[tuple[str, RecordSet]] = []
    for before, after in zip(old, new, strict=True):
        if same_set(before, after):
            continue
        permanent = after is not None and is_permanent(zone, after)
        in_place = after is not None and (permanent or upsert)
        if before is not None and not in_place:
            deleted.append(("DELETE", before))
        if after is not None:
            made.append(("UPSERT" if in_place else "CREATE", after))
    return deleted + made


def _unsettled(error: CloudError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"the answer to a change was lost, and when it was sent again it was refused "
        f"({error.message}), perhaps because it had been made: look at the records",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        body=error.body,
        headers=error.headers,
    )


def _same(some: Sets, others: Sets) -> bool:
    return all(same_set(one, other) for one, other in zip(some, others, strict=True))
