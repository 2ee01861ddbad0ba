"""Many objects of Cloud Storage deleted by one request.

Vendor's reference: https://cloud.google.com/storage/docs/batch
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import ClassVar

from anysky.errors import CloudError, MalformedResponseError
from anysky.model.storage import Object
from anysky.transport.base import Request, Response

from .api import BASE, NO_OBJECT, object_path, version_params
from .copying import GoogleCopies

__all__ = ["GoogleDeletions"]

_BATCH = f"/batch{BASE}"
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]+)\"|([^;\s]+))", re.IGNORECASE)
_LINE = re.compile(rb"\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/[\d.]+ (\d{3})")
_TRIES = 3


class GoogleDeletions(GoogleCopies):
    """What deletes many objects."""

    bulk: ClassVar[int] = 100

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 100 objects by one request, which holds a request for each.

        https://cloud.google.com/storage/docs/batch
        """
        found: dict[int, CloudError | None] = {}
        left = list(range(len(objects)))
        for attempt in range(1, _TRIES + 1):
            outcomes = await self._delete_together([objects[number] for number in left])
            found |= zip(left, outcomes, strict=True)
            left = [number for number in left if (error := found[number]) and error.retryable]
            if not left or attempt == _TRIES:
                break
            await self.runtime.sleep(float(attempt))
        return [found[number] for number in range(len(objects))]

    async def _delete_together(self, objects: Sequence[Object]) -> list[CloudError | None]:
        boundary = secrets.token_hex(16)
        lines = [
            f"--{boundary}\r\nContent-Type: application/http\r\n\r\n"
            f"DELETE {Request('DELETE', BASE + object_path(obj), version_params(obj)).target} "
            "HTTP/1.1\r\n\r\n"
            for obj in objects
        ]
        request = Request(
            "POST",
            _BATCH,
            (),
            {"Content-Type": f"multipart/mixed; boundary={boundary}"},
            f"{''.join(lines)}--{boundary}--\r\n".encode(),
            repeatable=True,
            operation="delete objects",
        )
        response = await self._api.exchange(request)
        answers = _parts(response)
        if len(answers) != len(objects):
            raise MalformedResponseError(
                f"{len(objects)} objects were to be deleted, and {len(answers)} answers came",
                status=response.status,
                body=response.body,
            )
        return [self._api.refusal_of(answer, NO_OBJECT) for answer in answers]


def _parts(response: Response) -> list[Response]:
    """Return the answers in an answer, which are in the order of the requests."""
    found = _BOUNDARY.search(response.headers.get("content-type", ""))
    if found is None:
        raise MalformedResponseError("the answer to a batch is not one of several parts")
    boundary = f"--{found[1] or found[2]}".encode()
    pieces = response.body.split(boundary)[1:-1]
    return [_inner(piece, response.attempts) for piece in pieces]


def _inner(piece: bytes, attempts: int) -> Response:
    start = _STATUS.search(piece)
    if start is None:
        raise MalformedResponseError("the answer to a batch has a part without a status")
    head, *rest = _BLANK.split(piece[start.start() :], 1)
    fields = (line.partition(b":") for line in _LINE.split(head)[1:])
    headers = {
        name.decode("ascii", "replace").strip().lower(): value.decode("ascii", "replace").strip()
        for name, _, value in fields
    }
    body = rest[0].strip() if rest else b""
    return Response(int(start[1]), headers, body, attempts=attempts)
