"""Batches: many deletions in one request.

Each is signed by itself, as if it were sent alone; that is done where requests are signed, so that
nobody sees the credentials who sees the requests.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    MalformedResponseError,
    ObjectDoesNotExistError,
)
from anysky.model.storage import Object
from anysky.transport.base import Request, Response

from . import azure_blob_errors as errors
from . import azure_blob_requests as requests
from .azure_batch_bodies import BATCH, LINE, batch_body
from .azure_blob_copies import BlobCopies

__all__ = ["BlobBatches"]

_TRIES = 3
_BOUNDARY = re.compile(r'multipart/mixed\s*;.*?boundary="?([^";\s]{1,200})"?', re.IGNORECASE)
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")


class BlobBatches(BlobCopies):
    """Deletes many blobs at once."""

    bulk: ClassVar[int] = 256

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 256 blobs of one container by one request.

        https://learn.microsoft.com/rest/api/storageservices/blob-batch
        """
        found: dict[int, CloudError | None] = {}
        left = list(range(len(objects)))
        tries = 0
        while left:
            tries += 1
            chosen = [objects[number] for number in left]
            found |= zip(left, await self._delete_together(chosen), strict=True)
            left = [number for number in left if (error := found[number]) and error.retryable]
            if not left or tries == _TRIES:
                break
            await self.runtime.sleep(float(tries))
        return [found[number] for number in range(len(objects))]

    async def _delete_together(self, objects: Sequence[Object]) -> list[CloudError | None]:
        kind, body = batch_body([_deletion(obj) for obj in objects], self._endpoint())
        response = await self._send(
            "POST",
            objects[0].container.name,
            params=[("restype", "container"), ("comp", "batch")],
            headers={"content-type": kind},
            body=body,
            repeatable=True,  # what is gone already is as it should be
            operation=BATCH,
            missing=ContainerDoesNotExistError,
        )
        answers = _answers(response)
        return [_outcome(answers.get(number), obj) for number, obj in enumerate(objects)]


def _deletion(obj: Object) -> Request:
    path = requests.blob_path(obj.container.name, obj.name)
    return Request("DELETE", path, requests.version_params(obj))


def _outcome(answer: Response | None, obj: Object) -> CloudError | None:
    if answer is None:
        raise MalformedResponseError("the answer does not tell of every blob of a batch")
    if answer.status < 300:  # noqa: PLR2004 - a good answer
        return None
    return errors.error_of(answer, ObjectDoesNotExistError, repr(obj.name[:200]))


def _answers(response: Response) -> dict[int, Response]:
    """Read the answers in an answer, by their numbers.

    Raises:
        MalformedResponseError: It is none of many parts.
        CloudError: The batch as a whole was refused.
    """
    boundary = _BOUNDARY.match(response.headers.get("content-type", ""))
    if boundary is None:
        raise MalformedResponseError("the answer to a batch has no parts")
    found: dict[int, Response] = {}
    for part in response.body.split(f"--{boundary[1]}".encode())[1:]:
        if part.startswith(b"--"):
            break
        number, answer = _answer(part)
        if number is None:
            raise errors.error_of(answer, None, "a batch")
        found[number] = answer
    return found


def _answer(part: bytes) -> tuple[int | None, Response]:
    outer, _, rest = part.partition(b"\r\n\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split(LINE)
    status = _STATUS.match(first)
    if status is None:
        raise MalformedResponseError("a part of the answer to a batch has no status")
    number = _fields(outer.decode("latin-1").split(LINE)).get("content-id", "")
    return (
        int(number) if number.isdecimal() else None,
        Response(int(status[1]), _fields(lines), body.strip()),
    )


def _fields(lines: Sequence[str]) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
