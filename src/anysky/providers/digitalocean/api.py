"""DigitalOcean's API v2: calls, pages, actions, errors.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from anysky.account import Account
from anysky.backend.base import Backend, Connection
from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidAccountError,
    MalformedResponseError,
    ProviderUnavailableError,
    QuotaExceededError,
)
from anysky.model.compute import NodeLocation
from anysky.transport.base import Request, Response
from anysky.transport.safety import local_link
from anysky.transport.signing import BearerSigner
from anysky.waiting import wait_until
from anysky.wire.status import error_for

from . import DigitalOcean

__all__ = ["Action", "DigitalOceanBackend", "Links", "Meta", "extra_of"]

T = TypeVar("T")

_GOOD = range(200, 300)
_PER_PAGE = ("per_page", "200")
_QUOTA_WORDS = ("limit", "quota", "exceed")


class Pages(msgspec.Struct):
    """Links to further pages."""

    next: str | None = None


class Links(msgspec.Struct):
    """The ``links`` of a list."""

    pages: Pages | None = None


class Meta(msgspec.Struct):
    """The ``meta`` of a list."""

    total: int = 0


class Action(msgspec.Struct):
    """Something that DigitalOcean does in the background."""

    id: int
    status: str
    type: str
    resource_id: int | None = None


class _ActionEnvelope(msgspec.Struct):
    action: Action


class _ErrorBody(msgspec.Struct):
    id: str = ""
    message: str = ""
    request_id: str = ""


class DigitalOceanBackend(Backend):
    """What the services of DigitalOcean share."""

    account: DigitalOcean

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> BearerSigner:  # noqa: ARG003 - the token is there
        """Return what sends the token."""
        return BearerSigner(cast("DigitalOcean", account).token.reveal())

    async def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Sequence[tuple[str, str]] = (),
        json: Mapping[str, Any] | None = None,
        not_found: type[CloudError] | None = None,
    ) -> T:
        """Send one request below ``/v2`` and decode its answer.

        Args:
            method: HTTP method.
            path: Path, percent-encoded.
            answer: Type to decode the answer to.
            params: Query parameters.
            json: Body.
            not_found: Error to raise for an answer 404, in place of `NotFoundError`.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        response = await self._send(method, path, params, json, not_found)
        return _decode(response, answer)

    async def call_only(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        json: Mapping[str, Any] | None = None,
        not_found: type[CloudError] | None = None,
    ) -> None:
        """Send one request whose answer holds nothing of interest."""
        await self._send(method, path, params, json, not_found)

    async def page(
        self,
        cursor: str | None,
        path: str,
        answer: type[T],
        params: Sequence[tuple[str, str]] = (),
        not_found: type[CloudError] | None = None,
    ) -> T:
        """Fetch the page that a cursor names, or the first."""
        if cursor is None:
            return await self.call(
                "GET", path, answer, params=(_PER_PAGE, *params), not_found=not_found
            )
        link, query = local_link(cursor, self.connection.endpoint)
        return await self.call(
            "GET", link.removeprefix("/v2"), answer, params=query, not_found=not_found
        )

    async def act(self, path: str, json: Mapping[str, Any], *, wait: bool = False) -> Action:
        """Start an action, and wait for its end if that is asked for.

        Raises:
            ConflictError: The action ended with an error.
        """
        action = (await self.call("POST", path, _ActionEnvelope, json=json)).action
        return await self.finish_action(action) if wait else action

    async def finish_action(self, action: Action) -> Action:
        """Wait until an action has ended.

        Raises:
            ConflictError: It ended with an error.
        """

        async def look() -> Action:
            return (await self.call("GET", f"/actions/{action.id}", _ActionEnvelope)).action

        def done(state: Action) -> bool:
            if state.status == "errored":
                raise ConflictError(f"the action {state.type} ({state.id}) failed")
            return state.status == "completed"

        if done(action):
            return action
        return await wait_until(look, done, self.runtime, what=f"action {action.type}")

    def region_of(self, location: NodeLocation | None) -> str:
        """Return the region for something new.

        Raises:
            InvalidAccountError: Neither the call nor the account names one.
        """
        region = location.id if location else self.account.region
        if region is None:
            raise InvalidAccountError(
                "DigitalOcean needs a region: pass location=, or region= to the driver"
            )
        return region

    async def _send(
        self,
        method: str,
        path: str,
        params: Sequence[tuple[str, str]],
        json: Mapping[str, Any] | None,
        not_found: type[CloudError] | None,
    ) -> Response:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        body = b""
        if json is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(json)
        operation = f"{method} {path.split('/')[1]}"
        response = await self.transport.send(
            Request(method, f"/v2{path}", params, headers, body, operation=operation)
        )
        if response.status not in _GOOD:
            raise _error(response, not_found)
        return response


def extra_of(raw: msgspec.Raw) -> dict[str, Any]:
    """Decode everything that DigitalOcean says of one thing."""
    decoded: dict[str, Any] = msgspec.json.decode(raw)
    return decoded


def _decode(response: Response, answer: type[T]) -> T:
    try:
        return msgspec.json.decode(response.body, type=answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise MalformedResponseError(
            f"DigitalOcean's answer is not as its reference says: {error}",
            status=response.status,
            body=response.body,
        ) from error


def _error(response: Response, not_found: type[CloudError] | None) -> CloudError:
    try:
        body = msgspec.json.decode(response.body, type=_ErrorBody)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return error_for(response)
    return error_for(
        response,
        body.message,
        kind=_kind(response, body, not_found),
        code=body.id,
        request_id=body.request_id,
    )


def _kind(
    response: Response, body: _ErrorBody, not_found: type[CloudError] | None
) -> type[CloudError] | None:
    if response.status == 404:  # noqa: PLR2004 - Not Found
        return not_found
    if response.status >= 500:  # noqa: PLR2004 - server errors
        return ProviderUnavailableError
    message = body.message.lower()
    if response.status in (403, 422) and any(word in message for word in _QUOTA_WORDS):
        return QuotaExceededError
    return None
