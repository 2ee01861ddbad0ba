"""Containers and objects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from anysky.account import Account
from anysky.backend.base import Connection
from anysky.backend.storage import StorageBackend
from anysky.errors import (
    CloudError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    Part,
    PartLimits,
    Prefix,
)
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream
from anysky.wire.s3_content import check_range

from . import listing, objects, uploads
from .api import LocalBackend
from .drafts import DIGESTS
from .failures import cloud_error
from .names import parts_of
from .pages import page_of, page_of_objects
from .streams import FileStream
from .writing import Writer

__all__ = ["LocalStorage"]

_LARGEST = 1 << 62
_MOST_FACTS = 64 * 1024


class LocalStorage(LocalBackend, StorageBackend):
    """Directories as containers, files as objects."""

    supports_chunked_encoding: ClassVar[bool] = True
    parts: ClassVar[PartLimits | None] = PartLimits(_LARGEST, 1, _LARGEST, 100_000)
    checksums: ClassVar[tuple[str, ...]] = DIGESTS
    bulk: ClassVar[int] = 1000

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self._scans = listing.Scans()
        self._writer = Writer(self._root, self.runtime, fsync=self.account.fsync)

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return all containers: the directories, but for links to some."""

        def work() -> Page[Container]:
            found = self._root.containers()
            return Page([_container(name, status) for name, status in found.items()])

        return await self._look("list_containers", {"cursor": cursor}, work)

    async def get_container(self, name: str) -> Container:
        """Return one container.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        work = partial(self._container, name)
        return await self._look("get_container", {"container": name}, work)

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a directory.

        Raises:
            ContainerAlreadyExistsError: The name is taken, by a file perhaps.
            InvalidContainerNameError: No directory can have it.
            UnsupportedOperationError: A location is given: there are none.
        """
        if location is not None:
            raise UnsupportedOperationError("local files have no locations")

        def work() -> Container:
            self._root.create(name, fsync=self.account.fsync)
            return self._container(name)

        return await self._do("POST", "create_container", {"container": name}, work)

    async def delete_container(self, container: Container) -> None:
        """Delete a directory in which there are no files.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
            ContainerIsNotEmptyError: There is a file in it, be it no object.
        """
        work = partial(self._root.delete, container.name)
        await self._remove("delete_container", {"container": container.name}, work)

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of the regular files below a container, by their names as objects."""

        def work() -> Page[Object]:
            with self._root.vessel(container.name) as vessel:
                found = listing.walk(vessel, start, after, self._scans.of(id))
                return page_of_objects(vessel, container, found, id)

        start = prefix or ""
        id, after = self._scans.begin(cursor)
        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_container_objects", arguments, work)

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix; with ``/`` no other directories are read.

        Raises:
            InvalidRequestError: The delimiter is empty.
        """
        if not delimiter:
            raise InvalidRequestError("the delimiter is empty; list_container_objects needs none")

        def work() -> Page[Object | Prefix]:
            with self._root.vessel(container.name) as vessel:
                found = listing.level(vessel, start, delimiter, after, self._scans.of(id))
                return page_of(vessel, container, found, id)

        start = prefix or ""
        id, after = self._scans.begin(cursor)
        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_directory", arguments, work)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        Raises:
            ObjectDoesNotExistError: There is no regular file of this name.
            ContainerDoesNotExistError: There is no such container.
            PermissionDeniedError: There is a symbolic link on the way to it.
        """
        parts_of(object_name)

        def work() -> Object:
            with (
                self._root.vessel(container_name) as vessel,
                objects.find(vessel, object_name) as found,
            ):
                return objects.make_object(Container(container_name), object_name, found.known)

        arguments = {"container": container_name, "object": object_name}
        return await self._look("get_object", arguments, work)

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content; what takes its place later does not change what is read.

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: The range begins beyond the object's end, or ends before it begins.
            PreconditionFailedError: It is not the object that the condition asks for.
        """
        check_range(start, end)
        parts_of(obj.name)

        async def work() -> ByteStream:
            stream = FileStream(self._root, obj.container.name, obj.name, self.runtime)
            try:
                await self._run(partial(stream.open, start, end, condition))
            except BaseException:
                await stream.close()
                raise
            return stream

        opened: ByteStream = await self._send("GET", "open_object", _named(obj), work, stream=True)
        return opened

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object: all of it under another name, then at once under its own.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            ObjectHashMismatchError: Other bytes arrived than were announced.
            PreconditionFailedError: What is there is not what the condition asks for.
            QuotaExceededError: The disk is full.
        """
        _check_spec(spec)

        work = partial(self._writer.store, container, body, spec)
        arguments = {"container": container.name, "object": spec.name}
        stored: Object = await self._send("PUT", "upload_object", arguments, work, body=body)
        return stored

    async def delete_object(self, obj: Object) -> None:
        """Delete an object's file, and directories that are empty then.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """
        parts_of(obj.name)
        await self._remove("delete_object", _named(obj), partial(self._delete, obj))

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 1,000 objects of one container.

        Returns:
            For each in order why it is still there; None if it is gone.
        """

        def work() -> list[CloudError | None]:
            return [self._failure_to_delete(obj) for obj in objects]

        container = objects[0].container.name if objects else None
        return await self._do("DELETE", "delete_objects", {"container": container}, work)

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object's file, by the system where it can: on some file systems at once.

        Raises:
            ObjectDoesNotExistError: There is no such object.
            ConflictError: Another program changes the file meanwhile.
        """
        parts_of(source.name)
        parts_of(name)
        given = _given(changes)
        work = partial(self._writer.copy, source, container, name, given)
        arguments = {
            "source_container": source.container.name,
            "source": source.name,
            "container": container.name,
            "object": name,
        }
        copied: Object = await self._send("PUT", "copy_object", arguments, work)
        return copied

    async def move_object(self, source: Object, container: Container, name: str) -> Object:
        """Rename an object's file.

        Raises:
            ObjectDoesNotExistError: There is no such object.
            InvalidRequestError: The containers are on two file systems.
        """
        parts_of(source.name)
        parts_of(name)

        def work() -> Object:
            with (
                self._root.vessel(source.container.name) as before,
                self._root.vessel(container.name) as after,
            ):
                moved = objects.move(before, source.name, after, name, fsync=self.account.fsync)
                return objects.make_object(container, name, moved)

        arguments = {
            "source_container": source.container.name,
            "source": source.name,
            "container": container.name,
            "object": name,
        }
        return await self._do("POST", "move_object", arguments, work)

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type or metadata of an object.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        parts_of(obj.name)
        given = _given(changes)

        def work() -> Object:
            with self._root.vessel(obj.container.name) as vessel:
                changed = objects.change(vessel, obj.name, given)
                return objects.make_object(obj.container, obj.name, changed)

        return await self._do("PUT", "update_object", _named(obj), work)

    async def get_object_tags(self, obj: Object) -> dict[str, str]:
        """Return an object's tags."""
        parts_of(obj.name)

        def work() -> dict[str, str]:
            with (
                self._root.vessel(obj.container.name) as vessel,
                objects.find(vessel, obj.name) as found,
            ):
                return dict(found.known.facts.tags) if found.known.facts else {}

        return await self._look("get_object_tags", _named(obj), work)

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace all tags of an object."""
        parts_of(obj.name)
        _check_size(tags)

        def work() -> None:
            with self._root.vessel(obj.container.name) as vessel:
                objects.change(vessel, obj.name, {"tags": dict(tags)})

        await self._do("PUT", "set_object_tags", _named(obj), work)

    # -- multipart uploads -----------------------------------------------------------------------

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts, which are written into one hidden file.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        _check_spec(spec)
        now = self.runtime.time()
        work = partial(uploads.begin, self._root, container, spec.name, now)
        arguments = {"container": container.name, "object": spec.name}
        return await self._do("POST", "begin_multipart_upload", arguments, work)

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,
        body: Body,
        *,
        is_last: bool,  # noqa: ARG002 - it makes no difference here
        checksums: Mapping[str, str],
    ) -> Part:
        """Write one part to its place.

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Other bytes arrived than were announced.
        """
        work = partial(self._writer.write_part, upload, number, offset, body, checksums)
        arguments = {**_of_upload(upload), "part": str(number)}
        stored: Part = await self._send("PUT", "upload_part", arguments, work, body=body)
        return stored

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        Raises:
            NotFoundError: The upload has been ended.
        """
        work = partial(uploads.list_parts, self._root, upload)
        return await self._look("list_parts", _of_upload(upload), work)

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Give the hidden file its name; if not all parts are taken, a copy of those that are.

        Raises:
            NotFoundError: The upload has been ended.
            InvalidRequestError: A part is not there, or not in its order.
            ObjectHashMismatchError: Its digest is not that in the spec.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        _check_spec(spec)
        work = partial(self._writer.complete, upload, parts, spec)
        arguments = _of_upload(upload)
        made: Object = await self._send("POST", "complete_multipart_upload", arguments, work)
        return made

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload and delete its parts.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        work = partial(uploads.abort, self._root, upload)
        await self._remove("abort_multipart_upload", _of_upload(upload), work)

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return the uploads that were begun and not ended, all on one page."""

        def work() -> Page[MultipartUpload]:
            return Page(uploads.list_uploads(self._root, container, prefix or ""))

        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_multipart_uploads", arguments, work)

    # -- where the files are ---------------------------------------------------------------------

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:  # noqa: ARG002 - there are none
        """Return the path of an object's file: what Libcloud's programs expect here.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        return await self.get_object_path(obj)

    async def get_container_cdn_url(self, container: Container) -> str:
        """Return the path of a container's directory: what Libcloud's programs expect here.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        await self.get_container(container.name)
        return str(Path(self._root.path, container.name))

    async def get_object_path(self, obj: Object) -> str:
        """Return the path of an object's file, which is not its name if no file can have that.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        parts_of(obj.name)

        def work() -> str:
            with self._root.vessel(obj.container.name) as vessel:
                names, _ = objects.locate(vessel, obj.name)
            return str(Path(self._root.path, obj.container.name, *names))

        return await self._look("get_object_path", _named(obj), work)

    # -- work ------------------------------------------------------------------------------------

    def _container(self, name: str) -> Container:
        with self._root.vessel(name) as vessel:
            return _container(name, os.fstat(vessel.fd))

    def _delete(self, obj: Object) -> None:
        with self._root.vessel(obj.container.name) as vessel:
            objects.delete(vessel, obj.name)

    def _failure_to_delete(self, obj: Object) -> CloudError | None:
        try:
            parts_of(obj.name)
            self._delete(obj)
        except ObjectDoesNotExistError:
            return None
        except CloudError as error:
            return error
        except OSError as error:
            return cloud_error(error)
        return None


def _container(name: str, status: os.stat_result) -> Container:
    return Container(name, {"last_modified": datetime.fromtimestamp(status.st_mtime, UTC)})


def _check_spec(spec: ObjectSpec) -> None:
    parts_of(spec.name)
    if spec.storage_class is not None:
        raise UnsupportedOperationError("local files have no storage classes")
    _check_size({**spec.meta_data, **spec.tags})


def _check_size(texts: Mapping[str, str]) -> None:
    """Refuse more metadata or tags than a file should carry."""
    try:
        size = len(msgspec.json.encode(texts))
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidRequestError("metadata and tags must be text") from error
    if size > _MOST_FACTS:
        raise InvalidRequestError(
            f"metadata and tags have {size} bytes; {_MOST_FACTS} are kept at the most"
        )


def _given(changes: ObjectChanges | None) -> dict[str, Any]:
    if changes is None:
        return {}
    if changes.storage_class is not None:
        raise UnsupportedOperationError("local files have no storage classes")
    given: dict[str, Any] = {}
    if changes.content_type is not None:
        given["content_type"] = changes.content_type
    if changes.meta_data is not None:
        _check_size(changes.meta_data)
        given["meta_data"] = dict(changes.meta_data)
    return given


def _named(obj: Object) -> dict[str, str | None]:
    return {"container": obj.container.name, "object": obj.name}


def _of_upload(upload: MultipartUpload) -> dict[str, str | None]:
    return {
        "container": upload.container.name,
        "object": upload.name,
        "upload": upload.upload_id,
    }
