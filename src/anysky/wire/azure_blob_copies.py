"""Copies within a storage account, of any size, and changes of blobs.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/copy-blob
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    PreconditionFailedError,
    ProviderUnavailableError,
)
from anysky.ledger import unnoted
from anysky.model.storage import Condition, Container, Object, ObjectChanges, ObjectVersion
from anysky.transport.base import Response, encode_query

from . import azure_blob_answers as answers
from . import azure_blob_requests as requests
from .azure_blob_uploads import BlobUploads

__all__ = ["BlobCopies"]

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 10.0
_ABORT_SECONDS = 30.0
_PENDING = "pending"
_DONE = "success"
# What Set Blob Properties deletes unless it is told again: names in `extra`, and header fields.
_SYSTEM: Mapping[str, str] = {
    "cache_control": "x-ms-blob-cache-control",
    "content_disposition": "x-ms-blob-content-disposition",
    "content_encoding": "x-ms-blob-content-encoding",
    "content_language": "x-ms-blob-content-language",
    "content_type": "x-ms-blob-content-type",
}


class BlobCopies(BlobUploads):
    """Copies blobs, and changes what is not their content."""

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy a blob of any size with its type, metadata and tags within one storage account.

        Azure copies it behind the request; this waits until it is done. A type of its own is given
        to the copy when it is there.

        https://learn.microsoft.com/rest/api/storageservices/copy-blob

        Raises:
            ObjectDoesNotExistError: There is no such blob.
            PreconditionFailedError: Somebody replaced it meanwhile.
        """
        changes = changes or ObjectChanges()
        known = await self._known(source)
        tags = await self._tags(source) if known.extra.get("tag_count") else {}
        finishing = changes.content_type is not None or changes.meta_data == {}
        if not finishing:
            return await self._copy(source, known, container, name, changes, tags)
        async with self.ledger("copy_object") as ledger:
            what = f"object {name} in container {container.name}"
            copy = self._copy(source, known, container, name, changes, tags)
            copied = await ledger.step(what, copy, undo=self._delete_copy)
            rest = ObjectChanges(changes.content_type, changes.meta_data)
            return await self._changed(copied, rest)

    async def _copy(
        self,
        source: Object,
        known: Object,
        container: Container,
        name: str,
        changes: ObjectChanges,
        tags: Mapping[str, str],
    ) -> Object:
        headers = {"x-ms-copy-source": self._source(source), **_source_condition(known)}
        headers |= requests.metadata_headers(changes.meta_data or {})
        if changes.storage_class:
            headers["x-ms-access-tier"] = changes.storage_class
        if tags:
            headers["x-ms-tags"] = encode_query(list(tags.items()))
        response = await self._send(
            "PUT",
            container.name,
            name,
            headers=headers,
            operation="CopyBlob",
            missing=ObjectDoesNotExistError,
        )
        if response.headers.get("x-ms-copy-status") == _PENDING:
            await self._wait(container, name, response.headers.get("x-ms-copy-id", ""))
        return _copied(known, container, name, changes, response.headers)

    def _source(self, source: Object) -> str:
        """Return the URL of a source; who may read it may copy it within the account."""
        path = requests.blob_path(source.container.name, source.name)
        query = encode_query(requests.version_params(source))
        return f"{self._endpoint()}{path}{'?' if query else ''}{query}"

    async def _wait(self, container: Container, name: str, copy_id: str) -> None:
        """Wait for the end of a copy; one that is not waited for is ended and deleted."""
        try:
            wait = _FIRST_WAIT
            while await self._is_pending(container, name, copy_id):
                await self.runtime.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
        except BaseException as error:
            await self.runtime.finish(self._end_copy(container, name, copy_id, error))
            raise

    async def _is_pending(self, container: Container, name: str, copy_id: str) -> bool:
        headers = (await self._properties(container, name)).headers
        if headers.get("x-ms-copy-id") != copy_id:
            raise ConflictError(f"somebody else stored {name[:200]!r} while it was copied")
        status = headers.get("x-ms-copy-status", "")
        if status not in (_PENDING, _DONE):
            said = headers.get("x-ms-copy-status-description", "it does not say why")
            raise ProviderUnavailableError(f"Azure ended the copy: {status[:40]}, {said[:400]}")
        return status == _PENDING

    async def _end_copy(
        self, container: Container, name: str, copy_id: str, error: BaseException
    ) -> None:
        """End a copy and delete what is there of it; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS), unnoted():
                headers = (await self._properties(container, name)).headers
                if headers.get("x-ms-copy-id") != copy_id:
                    return
                if headers.get("x-ms-copy-status") == _PENDING:
                    await self._abort_copy(container, name, copy_id)
                await self._delete_copy(Object(name, 0, None, {}, {}, container))
        except CloudError as second:
            error.add_note(
                f"a copy that was begun is still at {name[:200]!r}, because ending it failed: "
                f"{second.message}"
            )

    async def _abort_copy(self, container: Container, name: str, copy_id: str) -> None:
        with suppress(ConflictError):  # it has come to its end meanwhile
            await self._send(
                "PUT",
                container.name,
                name,
                params=[("comp", "copy"), ("copyid", copy_id)],
                headers={"x-ms-copy-action": "abort"},
                operation="AbortCopyBlob",
            )

    async def _delete_copy(self, copy: Object) -> None:
        """Delete what a copy has made."""
        await self._send(
            "DELETE",
            copy.container.name,
            copy.name,
            operation="DeleteBlob",
            missing=ObjectDoesNotExistError,
        )

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type, metadata or tier of a blob, each by a request of its own.

        https://learn.microsoft.com/rest/api/storageservices/set-blob-properties,
        https://learn.microsoft.com/rest/api/storageservices/set-blob-metadata and
        https://learn.microsoft.com/rest/api/storageservices/set-blob-tier

        Raises:
            InvalidRequestError: It is an older version, which cannot be changed but for its tier.
            ObjectDoesNotExistError: There is no such blob.
            PreconditionFailedError: Somebody replaced it meanwhile.
        """
        only_tier = changes.content_type is None and changes.meta_data is None
        if isinstance(obj, ObjectVersion) and not obj.is_latest and not only_tier:
            raise InvalidRequestError("Azure cannot change an older version of a blob")
        known = await self._known(obj)
        if changes == ObjectChanges():
            return known
        return await self._changed(known, changes)

    async def _changed(self, known: Object, changes: ObjectChanges) -> Object:
        if changes.meta_data is not None:
            headers = requests.metadata_headers(changes.meta_data)
            known = await self._replace(known, "metadata", headers, changes)
        if changes.content_type is not None:
            headers = _properties_of(known) | {"x-ms-blob-content-type": changes.content_type}
            known = await self._replace(known, "properties", headers, changes)
        if changes.storage_class is not None:
            headers = {"x-ms-access-tier": changes.storage_class}
            await self._set(known, "tier", headers)
        return await self._known(known)

    async def _replace(
        self, known: Object, what: str, headers: Mapping[str, str], changes: ObjectChanges
    ) -> Object:
        """Change a blob unless it is another by now, and return it with its new ETag."""
        try:
            response = await self._set(known, what, {**headers, **_unchanged(known)})
        except PreconditionFailedError as error:
            there = await self._known(known)
            # An earlier try, whose answer was lost, may have changed it.
            if error.attempts == 1 or not _is_changed(there, known, what, changes):
                raise
            return there
        etag = {"etag": response.headers.get("etag", "*")}
        return dataclasses.replace(known, extra={**known.extra, **etag})

    async def _set(self, obj: Object, what: str, headers: Mapping[str, str]) -> Response:
        return await self._send(
            "PUT",
            obj.container.name,
            obj.name,
            params=[("comp", what), *requests.version_params(obj)],
            headers=headers,
            operation=f"SetBlob{what.capitalize()}",
            missing=ObjectDoesNotExistError,
        )

    async def _known(self, obj: Object) -> Object:
        """Ask for what is known about a blob or a version."""
        response = await self._properties(obj.container, obj.name, requests.version_params(obj))
        if isinstance(obj, ObjectVersion):
            return answers.version_of_headers(
                obj.name, response.headers, obj.container, obj.version_id
            )
        return answers.object_of_headers(obj.name, response.headers, obj.container)

    async def _tags(self, obj: Object) -> dict[str, str]:
        response = await self._send(
            "GET",
            obj.container.name,
            obj.name,
            params=[("comp", "tags"), *requests.version_params(obj)],
            operation="GetBlobTags",
            missing=ObjectDoesNotExistError,
        )
        return answers.decoded(response, answers.Tags).tags


def _copied(
    known: Object,
    container: Container,
    name: str,
    changes: ObjectChanges,
    headers: Mapping[str, str],
) -> Object:
    """Make an object of a source and of the answer to its copy."""
    extra = {one: known.extra[one] for one in (*_SYSTEM, "checksums") if one in known.extra}
    extra |= answers.extra_of_new(headers)
    if changes.storage_class:
        extra["storage_class"] = changes.storage_class
    meta_data = {one.lower(): value for one, value in (changes.meta_data or {}).items()}
    return Object(name, known.size, known.hash, extra, meta_data or known.meta_data, container)


def _is_changed(there: Object, known: Object, what: str, changes: ObjectChanges) -> bool:
    """Whether a blob is what it was, but for the change that was asked for."""
    if (there.size, there.hash) != (known.size, known.hash):
        return False
    if what == "properties":
        return there.extra.get("content_type") == changes.content_type
    wanted = {name.lower(): value for name, value in (changes.meta_data or {}).items()}
    return there.meta_data == wanted


def _unchanged(obj: Object) -> dict[str, str]:
    """Return the header field that refuses a blob which is another by now."""
    etag = obj.extra.get("etag")
    return requests.condition_headers(Condition(if_match=str(etag))) if etag else {}


def _source_condition(source: Object) -> dict[str, str]:
    return {f"x-ms-source-{name}": value for name, value in _unchanged(source).items()}


def _properties_of(obj: Object) -> dict[str, str]:
    """Return the header fields that leave a blob's properties as they are."""
    headers = {field: str(obj.extra[name]) for name, field in _SYSTEM.items() if name in obj.extra}
    if obj.hash:
        headers["x-ms-blob-content-md5"] = requests.digest_headers({"md5": obj.hash})["content-md5"]
    return headers
