"""Swift: copies within the service, and changes of what is not content."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anysky import deadlines
from anysky.errors import (
    CloudError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.ledger import Ledger, unnoted
from anysky.model.storage import (
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
    Part,
)
from anysky.transport.base import Response

from . import swift_answers as answers
from . import swift_requests as requests
from .swift_large import SwiftLarge, segment_place

__all__ = ["SwiftCopying"]

_MAX_COPY = 5 * 1024**3
_TOO_LARGE = 413
_ABORT_SECONDS = 30.0
# What a POST, or a copy with metadata of its own, drops unless it is sent again.
_KEPT = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-delete-at",
)


@dataclass(frozen=True, slots=True)
class _Source:
    """A segment to copy, or a range of one; `range` is empty for the whole."""

    container: str
    name: str
    size: int
    range: str = ""


class SwiftCopying(SwiftLarge):
    """Copies objects and changes what is known about them."""

    if TYPE_CHECKING:  # the provider's backend has them

        def ledger(self, operation: str) -> AbstractAsyncContextManager[Ledger]:
            """Return the ledger of the running call."""
            ...

        async def get_object(self, container_name: str, object_name: str) -> Object:
            """Return what is known about one object."""
            ...

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object of any size within the account.

        One made of segments becomes a plain object where it is not too large for that; else its
        segments are copied one by one.

        https://docs.openstack.org/api-ref/object-store/#copy-object

        Raises:
            ObjectDoesNotExistError: There is no such object.
            ContainerDoesNotExistError: There is no such container.
            UnsupportedOperationError: Its segments cannot be copied.
        """
        changes = changes or ObjectChanges()
        _check_changes(changes)
        requests.check_object(name)
        is_ceph = (await self._capabilities()).is_ceph
        if is_ceph or source.size > _MAX_COPY or changes.meta_data is not None:
            facts = await self._facts(source)
            # Ceph copies a manifest as it is: deleting one object would empty the other.
            large = is_ceph and answers.is_large(facts.headers)
            if large or source.size > _MAX_COPY:
                return await self._copy_segments(source, facts, container, name, changes)
            headers = _copy_headers(facts.headers, changes)
        else:
            facts = None
            headers = {"content-type": changes.content_type} if changes.content_type else {}
        try:
            await self._copy(source, container, name, headers)
        except ObjectDoesNotExistError as error:  # one of the three, Swift does not say which
            await self._check_container(container.name, error)
            await self._check_container(source.container.name, error)
            raise
        except InvalidRequestError as error:
            if error.status != _TOO_LARGE:
                raise
            facts = facts or await self._facts(source)
            return await self._copy_segments(source, facts, container, name, changes)
        return await self.get_object(container.name, name)

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type or metadata of an object; what else is known about it stays.

        Swift replaces all at once, so that what is there is read before; what another changes
        between the two is lost.

        https://docs.openstack.org/api-ref/object-store/#create-or-update-object-metadata

        Raises:
            ObjectDoesNotExistError: There is no such object.
            UnsupportedOperationError: It is an older version, or the storage class is to change.
        """
        _check_changes(changes)
        if isinstance(obj, ObjectVersion) and not obj.is_latest:
            raise UnsupportedOperationError("Swift changes nothing in older versions")
        facts = (await self._facts(obj)).headers
        headers = {field: facts[field] for field in (*_KEPT, "x-object-manifest") if field in facts}
        upload = requests.META + answers.UPLOAD_META
        if upload in facts:
            headers[upload] = facts[upload]
        kept = answers.meta_data_of(facts)
        headers |= requests.metadata_headers(
            kept if changes.meta_data is None else changes.meta_data
        )
        if changes.content_type is not None:
            headers["content-type"] = changes.content_type
        await self._send(
            "POST",
            obj.container.name,
            obj.name,
            headers=headers,
            repeatable=True,
            operation="update object",
            missing=ObjectDoesNotExistError,
        )
        return await self.get_object(obj.container.name, obj.name)

    async def _facts(self, obj: Object) -> Response:
        return await self._send(
            "HEAD",
            obj.container.name,
            obj.name,
            params=requests.version_params(obj),
            operation="show object",
            missing=ObjectDoesNotExistError,
        )

    async def _copy(
        self, source: Object, container: Container, name: str, headers: Mapping[str, str]
    ) -> None:
        destination = requests.object_path(container.name, name)
        await self._send(
            "COPY",
            source.container.name,
            source.name,
            params=requests.version_params(source),
            headers={**headers, "destination": destination},
            repeatable=True,
            operation="copy object",
            missing=ObjectDoesNotExistError,
        )

    async def _copy_segments(
        self,
        source: Object,
        facts: Response,
        container: Container,
        name: str,
        changes: ObjectChanges,
    ) -> Object:
        segments = await self._sources(source, facts)
        kept = {field: facts.headers[field] for field in _KEPT if field in facts.headers}
        known = answers.meta_data_of(facts.headers)
        spec = ObjectSpec(
            name,
            changes.content_type or facts.headers.get("content-type", ""),
            known if changes.meta_data is None else changes.meta_data,
            headers=kept,
        )
        async with self.ledger("copy_object") as ledger:
            upload = await ledger.step(
                f"multipart upload of {name}",
                self.begin_multipart_upload(container, spec),
                undo=self.abort_multipart_upload,
            )
            try:
                with unnoted():  # nobody sees segments until there is a manifest
                    jobs = [
                        self._copy_segment(upload, number, segment)
                        for number, segment in enumerate(segments, 1)
                    ]
                    parts = await self.runtime.gather(jobs)
                copied = await self.complete_multipart_upload(upload, parts, spec)
            except BaseException as error:
                await self.runtime.finish(self._give_up(ledger, upload, error))
                raise
            ledger.forget(upload)
        return copied

    async def _give_up(self, ledger: Ledger, upload: MultipartUpload, error: BaseException) -> None:
        """Delete what was copied of a copy that failed; the failure is what is raised."""
        try:
            with deadlines.grace(_ABORT_SECONDS), unnoted(), suppress(NotFoundError):
                await self.abort_multipart_upload(upload)
        except CloudError as second:
            error.add_note(
                f"segments of the upload {upload.upload_id} are still stored, because deleting "
                f"them failed: {second.message}"
            )
        else:
            ledger.forget(upload)

    async def _copy_segment(self, upload: MultipartUpload, number: int, source: _Source) -> Part:
        container, name, content_type = segment_place(upload, number)
        headers = {
            "destination": requests.object_path(container, name),
            "content-type": content_type,
        }
        if source.range:
            headers["range"] = f"bytes={source.range}"
        response = await self._send(
            "COPY",
            source.container,
            source.name,
            headers=headers,
            repeatable=True,
            operation="copy segment",
            missing=ObjectDoesNotExistError,
        )
        etag = response.headers.get("etag", "").strip('"')
        return Part(number, source.size, etag, {"md5": etag})

    async def _sources(self, source: Object, facts: Response) -> list[_Source]:
        """Return the segments of a large object, in their order.

        Raises:
            UnsupportedOperationError: Nobody tells which these are.
        """
        headers = facts.headers
        dynamic = headers.get("x-object-manifest")
        if dynamic is not None:
            container, _, prefix = urllib.parse.unquote(dynamic).partition("/")
            return await self._named(container, prefix)
        if not answers.is_large(headers):
            raise UnsupportedOperationError(
                f"the object {source.name[:200]!r} is too large to be copied by the service"
            )
        if (await self._capabilities()).is_ceph:  # it does not show manifests
            place = headers.get(requests.META + answers.UPLOAD_META, "")
            container, _, upload_id = place.partition("/")
            if not upload_id:
                raise UnsupportedOperationError(
                    "Ceph does not tell the segments of an object that another program made: it "
                    "cannot be copied by the service"
                )
            return await self._named(urllib.parse.unquote(container), f"anysky/parts/{upload_id}/")
        response = await self._send(
            "GET",
            source.container.name,
            source.name,
            params=[("multipart-manifest", "get"), *requests.version_params(source)],
            operation="get manifest",
            missing=ObjectDoesNotExistError,
        )
        return [_source(one) for one in answers.decoded(response, list[answers.Segment])]

    async def _named(self, container: str, prefix: str) -> list[_Source]:
        entries = await self._all_entries(container, prefix)
        return [_Source(container, entry.name, entry.bytes) for entry in entries if entry.bytes]


def _source(segment: answers.Segment) -> _Source:
    container, _, name = segment.name.removeprefix("/").partition("/")
    if segment.data or not name:
        raise UnsupportedOperationError(
            "the object holds content in its manifest: it cannot be copied by the service"
        )
    if not segment.range:
        return _Source(container, name, segment.bytes)
    first, _, last = segment.range.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        raise UnsupportedOperationError(f"a segment has the odd range {segment.range[:40]!r}")
    return _Source(container, name, int(last) - int(first) + 1, segment.range)


def _copy_headers(facts: Mapping[str, str], changes: ObjectChanges) -> dict[str, str]:
    """Return the header fields of a copy, for one with metadata of its own all of them."""
    if changes.meta_data is None:
        return {"content-type": changes.content_type} if changes.content_type else {}
    headers = {field: facts[field] for field in _KEPT if field in facts}
    headers |= requests.metadata_headers(changes.meta_data)
    content_type = changes.content_type or facts.get("content-type")
    return headers | {"x-fresh-metadata": "true", "content-type": content_type or ""}


def _check_changes(changes: ObjectChanges) -> None:
    if changes.storage_class is not None:
        raise UnsupportedOperationError(
            "Swift has no storage classes; a container has a storage policy"
        )
