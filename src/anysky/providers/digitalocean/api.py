"""DigitalOcean's API v2: where it is, pages, actions, what its refusals mean.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from anysky.backend.base import Connection
from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ConflictError,
    InvalidRequestError,
    QuotaExceededError,
)
from anysky.runtime.base import Runtime
from anysky.transport.base import Response
from anysky.waiting import wait_until
from anysky.wire.rest import Kinds, Params, Refusal, RestAPI

__all__ = ["Action", "DigitalOceanAPI", "Listing", "number_of"]

T = TypeVar("T")

_PER_PAGE = ("per_page", "200")
_COMPLETED, _ERRORED = "completed", "errored"

# The API's own codes only repeat the status: what it means stands in the message alone. These are
# whole phrases, since "limit" and "exceed" are also words of complaints about a wrong argument.
_QUOTA = (
    r"will exceed your [\w/() ]*limit"
    r"|\b(droplet|volume|capacity|snapshot|image|ip|firewall|vpc|domain) limit"
    r"( \(\d+\))? (has been |was |is )?(exceeded|reached)"
    r"|(reached|exceeded) (your|the account's) [\w ]*limit"
)
_TAKEN = (
    r"already (exists|in use|available in this region)\b|^duplicate name|\bname is not unique\b"
)
_BUSY = (
    r"already has a pending event|\balready (attached|assigned)\b|\bis locked\b"
    r"|\bis currently (on|off)\b|\bdelete VPC with members|\bwhile it processes previous actions\b"
)
_MEANINGS: tuple[tuple[re.Pattern[str], type[CloudError]], ...] = (
    (re.compile(_QUOTA, re.IGNORECASE), QuotaExceededError),
    (re.compile(_TAKEN, re.IGNORECASE), AlreadyExistsError),
    (re.compile(_BUSY, re.IGNORECASE), ConflictError),
)
_SAYING = frozenset({403, 409, 422})
_LONGEST_MESSAGE = 500


class _Pages(msgspec.Struct):
    next: str | None = None


class _Links(msgspec.Struct):
    pages: _Pages | None = None


class Listing(msgspec.Struct, kw_only=True):
    """What the answers to all lists have in common; a subclass adds the list itself."""

    links: _Links | None = None

    @property
    def next(self) -> str | None:
        """Link to the next page, the cursor of our own pages."""
        return self.links.pages.next if self.links and self.links.pages else None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that DigitalOcean does in the background.

    Attributes:
        id: Its number.
        type: What it does, for example ``"reboot"``.
        status: ``"in-progress"``, ``"completed"`` or ``"errored"``.
        started_at: When it began.
        completed_at: When it ended, or None.
        resource_id: Number of what it works on, or None where that has no number.
        resource_type: What that is, for example ``"droplet"``.
        region_slug: Region, or None.
    """

    id: int
    type: str
    status: str
    started_at: datetime | None = None
    completed_at: datetime | None = None
    resource_id: int | None = None
    resource_type: str = ""
    region_slug: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is over, well or not."""
        return self.status in (_COMPLETED, _ERRORED)

    def check(self) -> None:
        """Raise what an end with an error means.

        Raises:
            ConflictError: It ended with one.
        """
        if self.status == _ERRORED:
            raise ConflictError(f"the action {self.type} ({self.id}) ended with an error")


class _OneAction(msgspec.Struct):
    action: Action


class _Actions(Listing, kw_only=True):
    actions: list[Action]


class _ErrorBody(msgspec.Struct):
    id: str = ""
    message: str = ""
    request_id: str = ""


class DigitalOceanAPI(RestAPI):
    """The API v2.

    It has no idempotency tokens: what is created by POST is sent once, and a lost answer is an
    `OutcomeUnknownError`.
    """

    title: ClassVar[str] = "DigitalOcean"
    base: ClassVar[str] = "/v2"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.transport, connection.endpoint)
        self._runtime: Runtime = connection.runtime

    async def page(
        self,
        cursor: str | None,
        path: str,
        answer: type[T],
        params: Params = (),
        kinds: Kinds | None = None,
    ) -> T:
        """Fetch the page that a cursor names, or the first."""
        if cursor is not None:
            return await self.follow(cursor, answer, kinds=kinds)
        return await self.call("GET", path, answer, params=(_PER_PAGE, *params), kinds=kinds)

    async def act(self, path: str, json: Mapping[str, Any]) -> Action:
        """Start an action and wait for its end.

        Raises:
            ConflictError: The action ended with an error, or another one is under way.
            DeadlineExceededError: The time was not enough; the action goes on by itself.
        """
        ended = await self.ended(await self.begin(path, json))
        ended.check()
        return ended

    async def begin(self, path: str, json: Mapping[str, Any]) -> Action:
        """Start an action.

        Raises:
            ConflictError: Another one is under way.
        """
        return (await self.call("POST", path, _OneAction, json=json)).action

    async def ended(self, action: Action) -> Action:
        """Wait for the end of an action, well or not.

        Raises:
            DeadlineExceededError: The time was not enough; the action goes on by itself.
        """
        if action.has_ended:
            return action
        return await wait_until(
            lambda: self.get_action(action.id),
            lambda seen: seen.has_ended,
            self._runtime,
            what=f"the end of the action {action.type}",
        )

    async def settle(self, path: str) -> None:
        """Wait until nothing is done with a thing any more: GET …/actions, the newest first."""
        answer = await self.call("GET", f"{path}/actions", _Actions, params=(_PER_PAGE,))
        for action in answer.actions:
            await self.ended(action)

    async def get_action(self, action_id: int) -> Action:
        """Fetch an action: GET /v2/actions/{id}."""
        return (await self.call("GET", f"/actions/{action_id}", _OneAction)).action

    def refusal(self, response: Response) -> Refusal:
        """Read an error of the form ``{"id", "message", "request_id"}``."""
        body = msgspec.json.decode(response.body, type=_ErrorBody)
        return Refusal(body.message, _meaning(response, body.message), body.id, body.request_id)


def number_of(id: str, what: str) -> int:
    """Return an id as the number that bodies of requests want.

    Raises:
        InvalidRequestError: It is not a number.
    """
    if not (id.isascii() and id.isdecimal()):
        raise InvalidRequestError(f"the id of a {what} at DigitalOcean is a number, not {id!r}")
    return int(id)


def _meaning(response: Response, message: str) -> type[CloudError] | None:
    if response.status not in _SAYING:
        return None
    start = message[:_LONGEST_MESSAGE]
    return next((kind for phrases, kind in _MEANINGS if phrases.search(start)), None)
