"""The contract of the storage service: containers and objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from anysky.errors import NotFoundError
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream

from .base import Backend, Effect

__all__ = ["StorageBackend"]


class StorageBackend(Backend):
    """What a storage provider implements.

    A list takes the cursor of the page to fetch, None for the first. Options hold only names that
    `options` declares for the operation.
    """

    kind = "storage"
    driver_attributes = ("hash_type", "supports_chunked_encoding")

    hash_type: ClassVar[str] = "md5"
    supports_chunked_encoding: ClassVar[bool] = False
    effects: ClassVar[Mapping[str, Effect]] = {
        "create_container": Effect("delete_container", named="_containers_named"),
        "upload_object": Effect("delete_object", named="_objects_named", replaces=True),
        "copy_object": Effect("delete_object", named="_objects_named", replaces=True),
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

    async def open_object(self, obj: Object, start: int | None, end: int | None) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        The stream fails if it ends early. An `end` beyond the object's is cut; a range that is
        empty may be answered without asking.

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: The range begins beyond the object's end, or ends before it begins.
        """
        raise self._unsupported("open_object")

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object, replacing one of the same name; what fails leaves nothing behind.

        A body without a length is sent as it comes, or in parts held in memory one by one.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        raise self._unsupported("upload_object")

    async def delete_object(self, obj: Object) -> None:
        """Delete an object.

        Raises:
            ObjectDoesNotExistError: There is none of this name, where the provider tells.
        """
        raise self._unsupported("delete_object")

    async def copy_object(self, source: Object, container: Container, name: str) -> Object:
        """Copy an object within the provider, without its bytes coming here."""
        raise self._unsupported("copy_object")

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
