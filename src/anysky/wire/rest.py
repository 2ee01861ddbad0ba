"""Speak with an API that takes and gives JSON: send, decode, turn refusals into errors.

A provider's ``api.py`` makes a subclass of `RestAPI`: it says where the API starts, and reads what
its refusals say. Its backends then declare the parts of an answer that they need as msgspec
structs; whatever else an answer holds is kept undecoded for `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import msgspec

from anysky.errors import CloudError, InvalidRequestError, MalformedResponseError
from anysky.model.base import lazy_extra
from anysky.transport.base import Request, Response, Transport, quote
from anysky.transport.safety import local_link

from .status import error_for, kind_of_status

__all__ = ["Kinds", "Params", "Refusal", "RestAPI", "extra_of", "segment"]

T = TypeVar("T")

Kinds = Mapping[type[CloudError], type[CloudError]]
"""Errors that a call raises in place of more general ones."""

Params = Sequence[tuple[str, str]]
"""Query parameters, not encoded."""

_GOOD = range(200, 300)
_NOT_FOUND = 404
_UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer that is an error says.

    Attributes:
        message: Its text for people.
        kind: The error that it means; None leaves that to the status.
        code: The provider's own code.
        request_id: The provider's id of the request.
    """

    message: str = ""
    kind: type[CloudError] | None = None
    code: str = ""
    request_id: str = ""


class RestAPI:
    """Sends requests with JSON to one API and decodes the answers.

    Attributes:
        title: Name of the provider, for messages.
        base: Path that all calls start with, for example ``"/v2"``.
        headers: Header fields of every request.
    """

    title: ClassVar[str] = "the provider"
    base: ClassVar[str] = ""
    headers: ClassVar[Mapping[str, str]] = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
    }

    def __init__(self, transport: Transport, endpoint: str) -> None:
        self._transport = transport
        self._endpoint = endpoint

    async def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Params = (),
        json: Mapping[str, Any] | None = None,
        kinds: Kinds | None = None,
        repeatable: bool | None = None,
    ) -> T:
        """Send a request and decode its answer.

        Args:
            method: HTTP method.
            path: Path below `base`, percent-encoded.
            answer: Type to decode the answer to.
            params: Query parameters.
            json: Body.
            kinds: Errors to raise in place of more general ones.
            repeatable: Whether it may be sent twice; None decides by the method.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return self.decode(
            await self.send(
                method, path, params=params, json=json, kinds=kinds, repeatable=repeatable
            ),
            answer,
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json: Mapping[str, Any] | None = None,
        kinds: Kinds | None = None,
        repeatable: bool | None = None,
    ) -> Response:
        """Send a request whose answer holds nothing to decode; arguments as for `call`.

        A DELETE that was sent again and then finds nothing has done what it should.

        Raises:
            CloudError: The answer is an error.
        """
        headers, body = self.headers, b""
        if json is not None:
            headers = {**headers, "Content-Type": "application/json"}
            body = msgspec.json.encode(json)
        response = await self._transport.send(
            Request(
                method,
                self.base + path,
                params,
                headers,
                body,
                repeatable=repeatable,
                operation=f"{method} {path}",
            )
        )
        if response.status not in _GOOD and not _is_gone_already(method, response):
            raise self._error(response, kinds or {})
        return response

    async def follow(self, link: str, answer: type[T], *, kinds: Kinds | None = None) -> T:
        """Fetch what a link in an answer names, such as the next page.

        Raises:
            UnsafeResponseError: The link leads away from this API; nothing was sent.
        """
        path, params = local_link(link, self._endpoint)
        return await self.call(
            "GET", path.removeprefix(self.base), answer, params=params, kinds=kinds
        )

    def decode(self, response: Response, answer: type[T]) -> T:
        """Decode an answer.

        Raises:
            MalformedResponseError: It is not what the reference promises.
        """
        try:
            return msgspec.json.decode(response.body, type=answer)
        except _UNREADABLE as error:
            raise MalformedResponseError(
                f"{self.title}'s answer is not as its reference says: {error}",
                status=response.status,
                body=response.body,
                headers=dict(response.headers),
            ) from error

    def refusal(self, response: Response) -> Refusal:  # noqa: ARG002 - for those that override it
        """Read what an answer says that is an error; override for the provider's own form."""
        return Refusal()

    def _error(self, response: Response, kinds: Kinds) -> CloudError:
        try:
            said = self.refusal(response)
        except _UNREADABLE:
            said = Refusal()
        kind = said.kind or kind_of_status(response.status)
        return error_for(
            response,
            said.message,
            kind=kinds.get(kind, kind),
            code=said.code,
            request_id=said.request_id,
        )


def _is_gone_already(method: str, response: Response) -> bool:
    """Whether an earlier try, whose answer was lost, may have deleted what is not found now."""
    return method == "DELETE" and response.status == _NOT_FOUND and response.attempts > 1


class _Extra(msgspec.Struct, gc=False):
    """Decodes what an answer says of one thing; lists hold thousands, so it is kept light."""

    raw: msgspec.Raw

    def __call__(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(self.raw, type=dict[str, Any])
        except _UNREADABLE as error:
            raise MalformedResponseError(
                f"what the provider says of it is not readable: {error}", body=bytes(self.raw)
            ) from error


def segment(id: str, safe: str = "") -> str:
    """Return an id as one segment of a path, percent-encoded.

    Args:
        id: The id.
        safe: Characters to leave as they are, besides letters, digits and ``-._~``.

    Raises:
        InvalidRequestError: The path would then name something else: it is empty, or dots.
    """
    if id in ("", ".", ".."):
        raise InvalidRequestError(f"there is nothing with the id {id!r}")
    return quote(id, safe)


def extra_of(raw: msgspec.Raw) -> dict[str, Any]:
    """Return everything that an answer says of one thing, decoded when somebody reads it."""
    return lazy_extra(_Extra(raw))
