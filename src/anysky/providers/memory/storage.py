"""Containers and objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from anysky import errors
from anysky.errors import (
    CloudError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    NotFoundError,
)
from anysky.model.storage import (
    Condition,
    Container,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
    Prefix,
)
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream
from anysky.wire.s3_content import check_range
from anysky.wire.status import kind_of_status

from .cloud import Call
from .contents import Content, content_of
from .shelf import Shelf, check_condition, check_object_tags, key_of
from .state import cut
from .uploads import MemoryUploads
from .versions import MemoryVersions

__all__ = ["MemoryStorage"]

_TOLD = "the memory cloud was told to answer so"
_CONTAINER_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{1,61})[a-z0-9]")


class MemoryStorage(MemoryVersions, MemoryUploads):
    """Containers of one account; objects of up to 5 GiB, as far as there is memory."""

    supports_chunked_encoding: ClassVar[bool] = True
    bulk: ClassVar[int] = 1000

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
            ContainerIsNotEmptyError: There are objects in it, older versions of some, or multipart
                uploads that were not ended.
        """

        def work() -> None:
            name, state = container.name, self._state
            state.containers.get(name)
            if Shelf(state).has_objects(name):
                raise ContainerIsNotEmptyError(f"there are objects in the container {name!r}")
            if any(one.container.name == name for one in state.uploads.items()):
                raise ContainerIsNotEmptyError(f"there are uploads to the container {name!r}")
            state.containers.remove(name)
            state.versioning.pop(name, None)

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

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep, in the order of names.

        Raises:
            InvalidRequestError: The delimiter is empty.
        """
        if not delimiter:
            raise InvalidRequestError("an empty text parts no names")

        def work() -> Page[Object | Prefix]:
            state, start = self._state, prefix or ""
            there = state.containers.get(container.name)
            listed = state.objects.listed(
                cursor,
                lambda one: one.container.name == there.name and one.name.startswith(start),
                lambda one: one.name,
            )
            entries = (_entry(one, start, delimiter) for _, one in listed)
            return cut({one.name: one for one in entries}.items(), cursor, self.cloud.page_size)

        arguments = {
            "container": container.name,
            "prefix": prefix,
            "delimiter": delimiter,
            "cursor": cursor,
        }
        return await self._look("list_directory", arguments, work)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such container.
        """

        def work() -> Object:
            self._state.containers.get(container_name)
            return self._state.objects.look_up(key_of(container_name, object_name))

        arguments = {"container": container_name, "object": object_name}
        return await self._look("get_object", arguments, work)

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or a range of it, as it is at this moment.

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: The range begins beyond the object's end, or ends before it begins.
            PreconditionFailedError: It is not the object that the condition asks for.
        """
        check_range(start, end)

        def work() -> bytes:
            found, blob = Shelf(self._state).find(obj)
            check_condition(found, condition)
            if start is not None and start >= max(found.size, 1):
                raise InvalidRequestError(
                    f"the object has {found.size} bytes: none from {start} on"
                )
            return blob.content[start:end]

        arguments = {**_named(obj), "start": start, "end": end, **_of_condition(condition)}
        return Content(await self._look("open_object", arguments, work))

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object in one request, with all of its content in memory.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: The name, the tags or the storage class cannot be.
            ObjectHashMismatchError: Other bytes arrived than the spec's digests say.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        content = await content_of(body, self.runtime)
        arguments = {
            "container": container.name,
            "object": spec.name,
            "size": len(content),
            "content_type": spec.content_type,
            "meta_data": dict(spec.meta_data),
            "storage_class": spec.storage_class,
            "tags": dict(spec.tags),
            **_of_condition(spec.condition),
        }

        def work() -> Object:
            return Shelf(self._state).store(container.name, spec, content)

        # Sent again, it would meet itself.
        method = "PUT" if spec.condition is None else "POST"
        return await self._send(method, "upload_object", arguments, work, content=content)

    async def delete_object(self, obj: Object) -> None:
        """Delete an object, or a version of one for good.

        Raises:
            ObjectDoesNotExistError: There is none of this name, or no such version.
        """
        await self._remove("delete_object", _named(obj), lambda: Shelf(self._state).remove(obj))

    async def delete_objects(self, objects: Sequence[Object]) -> list[CloudError | None]:
        """Delete up to 1000 objects of one container; those that are gone already are gone.

        What the cloud was told to fail a `delete_object` with comes for each that it is about.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: They are too many, or of several containers.
        """
        containers = sorted({obj.container.name for obj in objects})
        if len(objects) > self.bulk or len(containers) > 1:
            raise InvalidRequestError(f"up to {self.bulk} objects of one container are deleted")

        refusals = [self._refusal(obj) for obj in objects]

        def work() -> list[dict[str, str] | None]:
            for name in containers:
                self._state.containers.get(name)
            for obj, refusal in zip(objects, refusals, strict=True):
                if refusal is None:
                    self._remove_any(obj)
            return refusals

        arguments = {"container": "".join(containers), "objects": [obj.name for obj in objects]}
        answers = await self._set("delete_objects", arguments, work)
        return [None if answer is None else _error(**answer) for answer in answers]

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object, in place of one of the same name; its storage class is not copied.

        Raises:
            ObjectDoesNotExistError: There is no such object.
            ContainerDoesNotExistError: There is no such container.
        """
        arguments = {**_between(source, container, name), **_of_changes(changes)}
        return await self._set(
            "copy_object",
            arguments,
            lambda: Shelf(self._state).copy(source, container.name, name, changes),
        )

    async def move_object(self, source: Object, container: Container, name: str) -> Object:
        """Give an object another name or container, with all that is known of it.

        Raises:
            ObjectDoesNotExistError: There is no such object.
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: It is there already.
        """
        return await self._do(
            "move_object",
            _between(source, container, name),
            lambda: Shelf(self._state).move(source, container.name, name),
        )

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type, metadata or storage class of an object; its ETag stays as it is.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        return await self._set(
            "update_object",
            {**_named(obj), **_of_changes(changes)},
            lambda: Shelf(self._state).update(obj, changes),
        )

    async def get_object_tags(self, obj: Object) -> dict[str, str]:
        """Return an object's tags.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        return await self._look(
            "get_object_tags", _named(obj), lambda: Shelf(self._state).find(obj)[1].tags
        )

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace all tags of an object: 10 at the most.

        Raises:
            ObjectDoesNotExistError: There is no such object.
            InvalidRequestError: They are too many or too long.
        """

        def work() -> None:
            Shelf(self._state).find(obj)[1].tags = check_object_tags(tags)

        await self._set("set_object_tags", {**_named(obj), "tags": dict(tags)}, work)

    def _refusal(self, obj: Object) -> dict[str, str] | None:
        """Return what the cloud was told to fail the deletion of one object with."""
        if self.account.endpoint:
            return None  # the cloud is asked where it is
        try:
            response = self.cloud.fault(
                Call(self.kind, "delete_object", _named(obj)), is_after=False
            )
        except CloudError as error:
            kind = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
            return {"kind": kind.__name__, "message": error.message}
        if response is None:
            return None
        return {"kind": kind_of_status(response.status).__name__, "message": _TOLD}

    def _remove_any(self, obj: Object) -> None:
        try:
            Shelf(self._state).remove(obj)
        except NotFoundError:
            return


def _error(kind: str, message: str) -> CloudError:
    found: type[CloudError] = getattr(errors, kind)
    return found(message)


def _entry(obj: Object, prefix: str, delimiter: str) -> Object | Prefix:
    """Return an object of a list, or what sums it up with others."""
    end = obj.name.find(delimiter, len(prefix))
    return obj if end < 0 else Prefix(obj.name[: end + len(delimiter)], obj.container)


def _named(obj: Object) -> dict[str, Any]:
    named = {"container": obj.container.name, "object": obj.name}
    return {**named, "version_id": obj.version_id} if isinstance(obj, ObjectVersion) else named


def _between(source: Object, container: Container, name: str) -> dict[str, Any]:
    return {
        "source_container": source.container.name,
        "source": source.name,
        "version_id": source.version_id if isinstance(source, ObjectVersion) else None,
        "container": container.name,
        "object": name,
    }


def _of_condition(condition: Condition | None) -> dict[str, Any]:
    given = condition or Condition()
    return {"if_match": given.if_match, "if_none_match": given.if_none_match}


def _of_changes(changes: ObjectChanges | None) -> dict[str, Any]:
    given = changes or ObjectChanges()
    return {
        "content_type": given.content_type,
        "meta_data": None if given.meta_data is None else dict(given.meta_data),
        "storage_class": given.storage_class,
    }
