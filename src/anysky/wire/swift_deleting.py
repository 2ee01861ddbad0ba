"""Swift: delete objects, one or many, with the segments of large ones."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import ClassVar

from anysky.errors import (
    CloudError,
    MalformedResponseError,
    ObjectDoesNotExistError,
    ProviderUnavailableError,
)
from anysky.model.storage import Container, Object, ObjectVersion
from anysky.transport.base import Response

from . import swift_answers as answers
from . import swift_requests as requests
from .status import kind_of_status
from .swift_sending import SwiftRequests

__all__ = ["BULK", "SwiftDeleting"]

BULK = 1000
"""Objects that one request deletes at the most; clusters allow 10,000 unless they are told."""

_BAD_REQUEST = "400"
# Swift refuses all of a request with a longer line, and Ceph passes over that line.
_LONGEST_LINE = 1024
_JSON = {"accept": "application/json"}


class SwiftDeleting(SwiftRequests):
    """Deletes objects."""

    bulk: ClassVar[int] = BULK

    async def delete_object(self, obj: Object) -> None:
        """Delete an object, and the segments of one that is made of a static manifest.

        Those of a dynamic large object stay, for its manifest names only how they begin. In a
        container with versions all stay, until the version is deleted; after the latest one the
        name means the version before it.

        https://docs.openstack.org/api-ref/object-store/#delete-object

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """
        if obj.extra.get("is_large") is not False and await self._has_segments(obj):
            await self._delete_with_segments(obj)
        else:
            await self._delete_plain(obj)
        if isinstance(obj, ObjectVersion) and obj.is_latest:
            await self._make_latest(obj)

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 1,000 objects of one container, by one request where the cluster can.

        https://docs.openstack.org/swift/latest/middleware.html#bulk-delete
        """
        bulk = (await self._capabilities()).bulk_delete
        together = [one for one in objects if _is_plain(one)]
        failed: dict[int, CloudError] = {}
        if bulk is not None and len(together) > 1:
            limit = max(1, min(bulk.max_deletes_per_request, BULK))
            for start in range(0, len(together), limit):
                some = together[start : start + limit]
                errors = await self._delete_bulk(some[0].container.name, [one.name for one in some])
                failed |= {id(one): errors[one.name] for one in some if one.name in errors}
        else:
            together = []
        done = {id(one) for one in together}
        singly = [one for one in objects if id(one) not in done]
        outcomes = await self.runtime.gather([self._attempt(one) for one in singly])
        failed |= {id(one): error for one, error in zip(singly, outcomes, strict=True) if error}
        return [failed.get(id(one)) for one in objects]

    async def _attempt(self, obj: Object) -> CloudError | None:
        try:
            await self.delete_object(obj)
        except ObjectDoesNotExistError:
            return None
        except CloudError as error:
            return error
        return None

    async def _delete_names(self, container: str, names: Sequence[str]) -> None:
        """Delete plain objects of one container; those that are gone already do not matter.

        Raises:
            CloudError: One of them could not be deleted.
        """
        extra = {"is_large": False}
        objects = [Object(name, 0, None, extra, {}, Container(container)) for name in names]
        for start in range(0, len(objects), BULK):
            for error in await self.delete_objects(objects[start : start + BULK]):
                if error is not None:
                    raise error

    async def _delete_plain(self, obj: Object) -> None:
        try:
            await self._send(
                "DELETE",
                obj.container.name,
                obj.name,
                params=requests.version_params(obj),
                operation="delete object",
                missing=ObjectDoesNotExistError,
            )
        except ObjectDoesNotExistError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, deleted it
                raise

    async def _has_segments(self, obj: Object) -> bool:
        """Whether an object has segments that nothing else needs once it is deleted."""
        response = await self._send(
            "HEAD",
            obj.container.name,
            obj.name,
            params=requests.version_params(obj),
            operation="show object",
            missing=ObjectDoesNotExistError,
        )
        headers = response.headers
        if "x-object-version-id" in headers and not isinstance(obj, ObjectVersion):
            return False  # the version stays, and needs them
        return answers.is_large(headers) and "x-object-manifest" not in headers

    async def _make_latest(self, gone: ObjectVersion) -> None:
        """Let an object's name mean the version before the one that was deleted.

        https://docs.openstack.org/swift/latest/middleware.html#object-versioning
        """
        response = await self._send(
            "GET",
            gone.container.name,
            params=[
                ("format", "json"),
                ("limit", "1"),
                ("versions", "true"),
                ("prefix", gone.name),
            ],
            operation="list versions",
        )
        entries = answers.decoded(response, list[answers.Entry])
        before = [answers.listed_version(one, gone.container) for one in entries]
        if not before or before[0].name != gone.name or before[0].is_delete_marker:
            return
        if not before[0].is_latest:
            await self._send(
                "PUT",
                gone.container.name,
                gone.name,
                params=requests.version_params(before[0]),
                operation="restore version",
            )

    async def _delete_with_segments(self, obj: Object) -> None:
        response = await self._send(
            "DELETE",
            obj.container.name,
            obj.name,
            params=[("multipart-manifest", "delete"), *requests.version_params(obj)],
            headers=_JSON,
            operation="delete large object",
            missing=ObjectDoesNotExistError,
        )
        result = answers.decoded(response, answers.BulkResult)
        if result.errors and result.status.startswith(_BAD_REQUEST) and not result.deleted:
            await self._delete_plain(obj)  # it was replaced by one without segments
        elif result.errors or not result.status.startswith("2"):
            subject = f"the object {obj.name[:200]!r} in {obj.container.name!r}"
            raise _failure(response, subject, result)

    async def _delete_bulk(self, container: str, names: Sequence[str]) -> dict[str, CloudError]:
        response = await self._send_account(
            "POST",
            params=[("bulk-delete", "true")],
            headers={**_JSON, "content-type": "text/plain"},
            body=requests.deletion(container, names),
            repeatable=True,
            operation="bulk delete",
        )
        result = answers.decoded(response, answers.BulkResult)
        errors: dict[str, CloudError] = {}
        known = set(names)
        for entry in result.errors:
            name = _name_of(entry[0] if entry else "", container, known)
            text = entry[1] if len(entry) > 1 else ""
            errors[name] = _error(response, f"the object {name[:200]!r} in {container!r}", text)
        if not known.issuperset(errors) or not (errors or result.status.startswith("2")):
            raise _failure(response, f"objects in {container!r}", result)
        if result.deleted + result.not_found + len(errors) < len(names):
            raise MalformedResponseError(
                f"{len(names)} objects in {container!r} were to be deleted, and the answer tells "
                f"of {result.deleted + result.not_found + len(errors)} only"
            )
        return errors


def _is_plain(obj: Object) -> bool:
    """Whether an object may be deleted together with others."""
    line = requests.object_path(obj.container.name, obj.name)
    known = obj.extra.get("is_large") is False and not isinstance(obj, ObjectVersion)
    return known and len(line) <= _LONGEST_LINE


def _name_of(path: str, container: str, known: set[str]) -> str:
    """Return the name in a path that an answer names, which may be percent-encoded or not."""
    for text in (path, urllib.parse.unquote(path)):
        name = text.removeprefix("/").removeprefix(f"{container}/")
        if name in known:
            return name
    return path


def _failure(response: Response, subject: str, result: answers.BulkResult) -> CloudError:
    first = result.errors[0][-1] if result.errors and result.errors[0] else ""
    return _error(response, subject, first or result.status or result.body)


def _error(response: Response, subject: str, text: str) -> CloudError:
    """Make the error for a status such as ``"409 Conflict"`` within an answer."""
    number = text[:3]
    status = int(number) if number.isdecimal() else 0
    kind = kind_of_status(status) if status else ProviderUnavailableError
    error = kind(f"{subject} is still there: {text[:200]}", status=status or None)
    error.request_id = response.headers.get("x-trans-id", "")
    return error
