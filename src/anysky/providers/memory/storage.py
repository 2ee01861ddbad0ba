"""Containers and objects."""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar

from anysky.backend.storage import StorageBackend
from anysky.errors import (
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    ObjectHashMismatchError,
)
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream
from anysky.wire.s3_content import PartReader, check_range

from .api import MemoryBackend

__all__ = ["MemoryStorage"]

_CONTAINER_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{1,61})[a-z0-9]")
_LONGEST_NAME = 1024
_LARGEST = 5 * 1024**3


class _Content:
    """An object's bytes, read piece by piece."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    async def read(self, size: int) -> bytes:
        """Return up to `size` bytes."""
        piece, self._content = self._content[:size], self._content[size:]
        return bytes(piece)

    async def close(self) -> None:
        """Drop what was not read."""
        self._content = memoryview(b"")


class MemoryStorage(MemoryBackend, StorageBackend):
    """Containers of one account; objects of up to 5 GiB, as far as there is memory."""

    supports_chunked_encoding: ClassVar[bool] = True

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of containers."""
        return await self._look(
            "list_containers", {"cursor": cursor}, lambda: self._state.containers.page(cursor)
        )

    async def get_container(self, name: str) -> Container:
        """Return one container.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        return await self._look(
            "get_container", {"container": name}, lambda: self._state.containers.look_up(name)
        )

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a container; its name follows the rules of S3.

        Raises:
            ContainerAlreadyExistsError: The name is taken.
            InvalidContainerNameError: It is not 3 to 63 small letters, digits, dots and hyphens.
        """

        def work() -> Container:
            if not _CONTAINER_NAME.fullmatch(name) or ".." in name:
                raise InvalidContainerNameError(
                    "a container's name has 3 to 63 small letters, digits, dots and hyphens, "
                    f"not {name!r}"
                )
            extra = {
                "creation_date": self._state.date,
                "location": location or self.account.region or "",
            }
            return self._state.containers.add(name, Container(name, extra))

        arguments = {"container": name, "location": location}
        return await self._do("create_container", arguments, work)

    async def delete_container(self, container: Container) -> None:
        """Delete an empty container.

        Raises:
            ContainerIsNotEmptyError: There are objects in it.
        """

        def work() -> None:
            self._state.containers.get(container.name)
            objects = self._state.objects.items()
            if any(one.container.name == container.name for one in objects):
                raise ContainerIsNotEmptyError(
                    f"there are objects in the container {container.name!r}"
                )
            self._state.containers.remove(container.name)

        await self._remove("delete_container", {"container": container.name}, work)

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of a container's objects in the order of their names."""

        def work() -> Page[Object]:
            self._state.containers.get(container.name)
            return self._state.objects.page(
                cursor,
                lambda one: (
                    one.container.name == container.name and one.name.startswith(prefix or "")
                ),
                lambda one: one.name,
            )

        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_container_objects", arguments, work)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such container.
        """

        def work() -> Object:
            self._state.containers.get(container_name)
            return self._state.objects.look_up(_key(container_name, object_name))

        arguments = {"container": container_name, "object": object_name}
        return await self._look("get_object", arguments, work)

    async def open_object(self, obj: Object, start: int | None, end: int | None) -> ByteStream:
        """Open an object's content, or a range of it, as it is at this moment.

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: The range begins beyond the object's end, or ends before it begins.
        """
        check_range(start, end)

        def work() -> bytes:
            key = _key(obj.container.name, obj.name)
            self._state.objects.get(key)
            content = self._state.contents[key]
            if start is not None and start >= max(len(content), 1):
                raise InvalidRequestError(
                    f"the object has {len(content)} bytes: none from {start} on"
                )
            return content[start:end]

        arguments = {
            "container": obj.container.name, "object": obj.name, "start": start, "end": end
        }  # fmt: skip
        return _Content(await self._look("open_object", arguments, work))

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object in one request, with all of its content in memory.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            ObjectHashMismatchError: Other bytes arrived than `ObjectSpec.md5` says.
        """
        content = await self._read(body)
        arguments = {
            "container": container.name,
            "object": spec.name,
            "size": len(content),
            "content_type": spec.content_type,
            "meta_data": dict(spec.meta_data),
        }
        return await self._set(
            "upload_object", arguments, lambda: self._store(container.name, content, spec), content
        )

    async def delete_object(self, obj: Object) -> None:
        """Delete an object.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """

        def work() -> None:
            key = _key(obj.container.name, obj.name)
            self._state.objects.remove(key)
            del self._state.contents[key]

        arguments = {"container": obj.container.name, "object": obj.name}
        await self._remove("delete_object", arguments, work)

    async def copy_object(self, source: Object, container: Container, name: str) -> Object:
        """Copy an object with its type and metadata, in place of one of the same name."""

        def work() -> Object:
            key = _key(source.container.name, source.name)
            found = self._state.objects.get(key)
            spec = ObjectSpec(name, found.extra["content_type"], found.meta_data)
            return self._store(container.name, self._state.contents[key], spec)

        arguments = {
            "source_container": source.container.name,
            "source": source.name,
            "container": container.name,
            "object": name,
        }
        return await self._set("copy_object", arguments, work)

    async def _read(self, body: Body) -> bytes:
        reader = PartReader(body, _LARGEST, self.runtime)
        try:
            content = await reader.read()
        finally:
            await reader.close()
        if not reader.is_last:
            raise InvalidRequestError(f"an object has {_LARGEST} bytes at the most")
        reader.check_length(len(content))
        return content

    def _store(self, container_name: str, content: bytes, spec: ObjectSpec) -> Object:
        state, key = self._state, _key(container_name, spec.name)
        container = state.containers.get(container_name)
        if not 0 < len(spec.name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME:
            raise InvalidRequestError(f"an object's name has 1 to {_LONGEST_NAME} bytes")
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if spec.md5 not in (None, digest):
            raise ObjectHashMismatchError(f"the MD5 of what arrived is {digest}, not {spec.md5}")
        extra = {"last_modified": state.date, "content_type": spec.content_type, "acl": spec.acl}
        stored = Object(spec.name, len(content), digest, extra, dict(spec.meta_data), container)
        if key in state.objects:
            state.objects.put(key, stored)
        else:
            state.objects.add(key, stored)
        state.contents[key] = content
        return stored


def _key(container_name: str, object_name: str) -> str:
    return f"{container_name}/{object_name}"
