"""The contract of the storage service: containers and objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from anysky.errors import CloudError, NotFoundError
from anysky.model.storage import (
    Condition,
    Container,
    MultipartUpload,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
    Part,
    PartLimits,
    Prefix,
    PresignedURL,
)
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream

from .base import Backend, Effect

__all__ = ["StorageBackend"]


class StorageBackend(Backend):
    """What a storage provider implements.

    A list takes the cursor of the page to fetch, None for the first. Options hold only names that
    `options` declares for the operation. An operation that is given an `ObjectVersion` means that
    version; given an `Object`, whatever its name means at that moment.

    Attributes:
        parts: How it takes an object in parts; None if it does not. What has the operations of
            multipart uploads says so here.
        checksums: Digests that it checks in `ObjectSpec.checksums` and in parts, best one first.
        bulk: Objects that one `delete_objects` takes; 0 if it has none.
    """

    kind = "storage"
    driver_attributes = ("hash_type", "supports_chunked_encoding")

    parts: ClassVar[PartLimits | None] = None
    checksums: ClassVar[tuple[str, ...]] = ("md5",)
    bulk: ClassVar[int] = 0

    hash_type: ClassVar[str] = "md5"
    supports_chunked_encoding: ClassVar[bool] = False
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_container": Effect("delete_container", named="_containers_named"),
        "upload_object": Effect("delete_object", named="_objects_named", replaces=True),
        "copy_object": Effect("delete_object", named="_objects_named", replaces=True),
        "begin_multipart_upload": Effect("abort_multipart_upload"),
        "complete_multipart_upload": Effect("delete_object", replaces=True),
    }

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the account's containers."""
        raise self._unsupported("list_containers")

    async def get_container(self, name: str) -> Container:
        """Return one container.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        raise self._unsupported("get_container")

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a container, in a region if one is given.

        Raises:
            ContainerAlreadyExistsError: The name is taken.
            InvalidContainerNameError: The provider does not allow the name.
        """
        raise self._unsupported("create_container")

    async def delete_container(self, container: Container) -> None:
        """Delete an empty container.

        Raises:
            ContainerIsNotEmptyError: There are objects in it.
        """
        raise self._unsupported("delete_container")

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of a container's objects in the order of their names."""
        raise self._unsupported("list_container_objects")

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """
        raise self._unsupported("get_object")

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep, in the order of names.

        Objects in whose names the delimiter comes again after the prefix are summed up as one
        `Prefix`.
        """
        raise self._unsupported("list_directory")

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        The stream fails if it ends early, and if the whole content is not what the provider's
        digest says. An `end` beyond the object's is cut; a range that is empty may be answered
        without asking.

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: The range begins beyond the object's end, or ends before it begins.
            PreconditionFailedError: It is not the object that the condition asks for.
        """
        raise self._unsupported("open_object")

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object in one request, replacing one of the same name.

        The body has a length of at most `PartLimits.whole`, unless `supports_chunked_encoding`.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            ObjectHashMismatchError: Other bytes arrived than were sent.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        raise self._unsupported("upload_object")

    async def delete_object(self, obj: Object) -> None:
        """Delete an object.

        Raises:
            ObjectDoesNotExistError: There is none of this name, where the provider tells.
        """
        raise self._unsupported("delete_object")

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to `bulk` objects of one container by one request.

        Returns:
            For each in order why it is still there; None if it is gone.
        """
        raise self._unsupported("delete_objects")

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object of any size within the provider, without its bytes coming here.

        Type, metadata and tags are copied, but for what shall be different.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        raise self._unsupported("copy_object")

    async def move_object(self, source: Object, container: Container, name: str) -> Object:
        """Give an object another name or container in one step.

        Only where the provider has such an operation: others copy it and delete the source.
        """
        raise self._unsupported("move_object")

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type, metadata or storage class of an object and leave its content as it is.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        raise self._unsupported("update_object")

    async def get_object_tags(self, obj: Object) -> dict[str, str]:
        """Return an object's tags."""
        raise self._unsupported("get_object_tags")

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace all tags of an object."""
        raise self._unsupported("set_object_tags")

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> PresignedURL:
        """Return an address with which anybody may read (GET) or store (PUT) an object.

        Args:
            container: The container.
            object_name: The object, which need not be there yet.
            method: ``"GET"`` or ``"PUT"``; providers may have others.
            expires: Seconds for which it is good.

        Raises:
            InvalidRequestError: The time is longer than the provider allows.
        """
        raise self._unsupported("presign")

    # -- versions --------------------------------------------------------------------------------

    async def get_versioning(self, container: Container) -> bool:
        """Return whether a container keeps older versions of its objects."""
        raise self._unsupported("get_versioning")

    async def set_versioning(self, container: Container, enabled: bool) -> None:
        """Let a container keep older versions of its objects from now on, or no longer."""
        raise self._unsupported("set_versioning")

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first, delete markers too."""
        raise self._unsupported("list_object_versions")

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of an object.

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        raise self._unsupported("get_object_version")

    # -- multipart uploads -----------------------------------------------------------------------

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts; nobody sees the object until it is completed.

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        raise self._unsupported("begin_multipart_upload")

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,
        body: Body,
        *,
        is_last: bool,
        checksums: Mapping[str, str],
    ) -> Part:
        """Store one part, replacing one of the same number.

        Args:
            upload: What it belongs to.
            number: Its place, from 1.
            offset: Where in the object it begins.
            body: The content, whose length is known; it can be sent twice.
            is_last: Whether the object ends with it.
            checksums: Digests of the content in hex, by their names; those that the provider
                checks are in `checksums`.

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        raise self._unsupported("upload_part")

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        Raises:
            NotFoundError: The upload has been ended.
        """
        raise self._unsupported("list_parts")

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the object of all parts, replacing one of the same name.

        Raises:
            NotFoundError: The upload has been ended.
            ObjectHashMismatchError: Its digest is not that in the spec.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        raise self._unsupported("complete_multipart_upload")

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload and delete its parts.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        raise self._unsupported("abort_multipart_upload")

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the uploads that were begun and not ended."""
        raise self._unsupported("list_multipart_uploads")

    # -- open to anybody -------------------------------------------------------------------------

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:
        """Return an address from which anybody may read an object."""
        raise self._unsupported("get_object_cdn_url")

    async def get_container_cdn_url(self, container: Container) -> str:
        """Return the address below which a container's objects may be read by anybody."""
        raise self._unsupported("get_container_cdn_url")

    async def enable_container_cdn(self, container: Container) -> None:
        """Let anybody read a container's objects."""
        raise self._unsupported("enable_container_cdn")

    async def enable_object_cdn(self, obj: Object) -> None:
        """Let anybody read an object."""
        raise self._unsupported("enable_object_cdn")

    async def _containers_named(self, name: str) -> list[Container]:
        try:
            return [await self.get_container(name)]
        except NotFoundError:
            return []

    async def _objects_named(self, container: Container, name: str) -> list[Object]:
        try:
            return [await self.get_object(container.name, name)]
        except NotFoundError:
            return []
