"""Object storage: containers and objects of any provider.

Get a driver's class by the provider's name, make a driver, call it::

    driver = get_driver(Provider.S3)("AKIDEXAMPLE", "secret", region="eu-west-1")
    for container in await driver.list_containers():
        print(container.name)
"""

from __future__ import annotations

import os
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import IO, Any, ClassVar

from anysky.backend.storage import StorageBackend
from anysky.calling import RunningCall, bind
from anysky.files import CheckedBody, check_chunk_size, download_object, file_body, stream_body
from anysky.model import storage as model
from anysky.names import StorageProvider as Provider
from anysky.object_spec import object_spec
from anysky.outcomes import Outcomes
from anysky.registry import driver_class, register
from anysky.steps import OnPartialFailure
from anysky.transport.base import Body

from .driver import Driver

__all__ = ["Container", "Object", "Provider", "StorageDriver", "get_driver", "set_driver"]

Source = bytes | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]


class Container(model.Container):
    """`anysky.model.storage.Container` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: StorageDriver

    def __init__(self, name: str, extra: dict[str, Any], driver: StorageDriver) -> None:
        super().__init__(name, extra)
        object.__setattr__(self, "driver", driver)

    async def list_objects(
        self, prefix: str | None = None, ex_prefix: str | None = None
    ) -> list[Object]:
        """Return all objects in this container, or those whose names begin with `prefix`."""
        return await self.driver.list_container_objects(self, prefix, ex_prefix)

    async def iterate_objects(
        self, prefix: str | None = None, ex_prefix: str | None = None
    ) -> AsyncIterator[Object]:
        """Yield the objects in this container, page by page."""
        async for item in self.driver.iterate_container_objects(self, prefix, ex_prefix):
            yield item

    async def get_object(self, object_name: str) -> Object:
        """Return what is known about one object."""
        return await self.driver.get_object(self.name, object_name)

    async def upload_object(
        self,
        file_path: str | os.PathLike[str],
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        verify_hash: bool = True,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Object:
        """Store a file as an object of this container; see `StorageDriver.upload_object`."""
        return await self.driver.upload_object(
            file_path, self, object_name, extra, verify_hash, headers, **options
        )

    async def upload_object_via_stream(
        self,
        iterator: Source,
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Object:
        """Store what an iterator, a file object or bytes give as an object of this container."""
        return await self.driver.upload_object_via_stream(
            iterator, self, object_name, extra, headers, **options
        )

    async def download_object(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save an object as a file; returns True."""
        return await self.driver.download_object(
            obj, destination_path, overwrite_existing, delete_on_failure
        )

    async def download_object_as_stream(
        self, obj: model.Object, chunk_size: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield an object's content piece by piece."""
        async for piece in self.driver.download_object_as_stream(obj, chunk_size):
            yield piece

    async def download_object_range(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        start_bytes: int,
        end_bytes: int | None = None,
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save a part of an object as a file; returns True."""
        return await self.driver.download_object_range(
            obj, destination_path, start_bytes, end_bytes, overwrite_existing, delete_on_failure
        )

    async def download_object_range_as_stream(
        self,
        obj: model.Object,
        start_bytes: int,
        end_bytes: int | None = None,
        chunk_size: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield a part of an object's content piece by piece."""
        async for piece in self.driver.download_object_range_as_stream(
            obj, start_bytes, end_bytes, chunk_size
        ):
            yield piece

    async def delete_object(self, obj: model.Object) -> bool:
        """Delete an object; returns True."""
        return await self.driver.delete_object(obj)

    async def get_cdn_url(self) -> str:
        """Return the address below which anybody may read the objects of this container."""
        return await self.driver.get_container_cdn_url(self)

    async def enable_cdn(self) -> bool:
        """Let anybody read the objects of this container; returns True."""
        return await self.driver.enable_container_cdn(self)

    async def delete(self) -> bool:
        """Delete this container, which must be empty; returns True."""
        return await self.driver.delete_container(self)


class Object(model.Object):
    """`anysky.model.storage.Object` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: StorageDriver
    container: Container

    def __init__(
        self,
        name: str,
        size: int,
        hash: str | None,
        extra: dict[str, Any],
        meta_data: dict[str, str],
        container: Container,
        driver: StorageDriver,
    ) -> None:
        super().__init__(name, size, hash, extra, meta_data, container)
        object.__setattr__(self, "driver", driver)

    async def download(
        self,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save this object as a file; returns True."""
        return await self.driver.download_object(
            self, destination_path, overwrite_existing, delete_on_failure
        )

    async def as_stream(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content piece by piece."""
        async for piece in self.driver.download_object_as_stream(self, chunk_size):
            yield piece

    async def download_range(
        self,
        destination_path: str | os.PathLike[str],
        start_bytes: int,
        end_bytes: int | None = None,
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save a part of this object as a file; returns True."""
        return await self.driver.download_object_range(
            self, destination_path, start_bytes, end_bytes, overwrite_existing, delete_on_failure
        )

    async def range_as_stream(
        self, start_bytes: int, end_bytes: int | None = None, chunk_size: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield a part of the content piece by piece."""
        async for piece in self.driver.download_object_range_as_stream(
            self, start_bytes, end_bytes, chunk_size
        ):
            yield piece

    async def delete(self) -> bool:
        """Delete this object; returns True."""
        return await self.driver.delete_object(self)

    async def get_cdn_url(self, **options: Any) -> str:
        """Return an address from which anybody may read this object."""
        return await self.driver.get_object_cdn_url(self, **options)

    async def enable_cdn(self) -> bool:
        """Let anybody read this object; returns True."""
        return await self.driver.enable_object_cdn(self)


class StorageDriver(Driver[StorageBackend]):
    """A provider's object storage; see `Driver` for its arguments.

    Every method raises a `CloudError`. Each ``list_…`` returns all pages; its twin
    ``iterate_…`` fetches them as they are used. Uploads and downloads take as long as they
    need, unless ``anysky.deadline`` sets an end.

    Attributes:
        hash_type: What `Object.hash` is where it is a digest of the content.
        supports_chunked_encoding: Whether content of unknown length is sent as it comes.
    """

    hash_type: ClassVar[str] = "md5"
    supports_chunked_encoding: ClassVar[bool] = False

    async def list_containers(self) -> list[Container]:
        """Return all containers of the account."""
        return await self._collect(self._backend.list_containers, self._container)

    async def iterate_containers(self) -> AsyncIterator[Container]:
        """Yield what `list_containers` returns, page by page."""
        async for item in self._walk(self._backend.list_containers):
            yield self._container(item)

    async def get_container(self, container_name: str) -> Container:
        """Return one container.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        return self._container(await self._call(self._backend.get_container(container_name)))

    async def create_container(
        self,
        container_name: str,
        location: str | None = None,
        *,
        on_partial_failure: OnPartialFailure | None = None,
    ) -> Container:
        """Make a container.

        Args:
            container_name: Its name.
            location: Region to make it in; None for the driver's own.
            on_partial_failure: ``"keep"`` or ``"rollback"``; None as the driver was told.

        Raises:
            ContainerAlreadyExistsError: The name is taken.
            InvalidContainerNameError: The provider does not allow the name.
        """
        job = self._backend.create_container(container_name, location)
        what = f"container {container_name}"
        return self._container(
            await self._make(job, what, container_name, choice=on_partial_failure)
        )

    async def delete_container(self, container: model.Container) -> bool:
        """Delete a container, which must be empty; returns True.

        Raises:
            ContainerIsNotEmptyError: There are objects in it.
        """
        await self._call(self._backend.delete_container(container))
        return True

    async def list_container_objects(
        self, container: model.Container, prefix: str | None = None, ex_prefix: str | None = None
    ) -> list[Object]:
        """Return all objects of a container, or those whose names begin with `prefix`.

        Args:
            container: The container.
            prefix: Beginning of the names.
            ex_prefix: Libcloud's old name of `prefix`.
        """
        start = prefix or ex_prefix
        return await self._collect(
            lambda cursor: self._backend.list_container_objects(container, start, cursor),
            self._object,
        )

    async def iterate_container_objects(
        self, container: model.Container, prefix: str | None = None, ex_prefix: str | None = None
    ) -> AsyncIterator[Object]:
        """Yield what `list_container_objects` returns, page by page."""
        start = prefix or ex_prefix
        async for item in self._walk(
            lambda cursor: self._backend.list_container_objects(container, start, cursor)
        ):
            yield self._object(item)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        Raises:
            ObjectDoesNotExistError: There is none of this name.
        """
        return self._object(await self._call(self._backend.get_object(container_name, object_name)))

    async def upload_object(
        self,
        file_path: str | os.PathLike[str],
        container: model.Container,
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        verify_hash: bool = True,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Object:
        """Store a file as an object, replacing one of the same name.

        Args:
            file_path: The file.
            container: Where to put it.
            object_name: Its name there.
            extra: ``content_type``, ``meta_data`` (a dict) and ``acl``.
            verify_hash: Whether to compare the provider's MD5 with that of what was sent.
            headers: Further header fields of the request.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            InvalidRequestError: The file cannot be read, or changes while it is read.
            ObjectHashMismatchError: The provider has other bytes.
        """
        given = self._options("upload_object", options)
        with RunningCall(self, self._backend, "upload_object", None):
            source = file_body(file_path)
            spec = object_spec(object_name, extra, headers, os.fspath(file_path), given)
        return await self._upload(source, container, spec, verify_hash)

    async def upload_object_via_stream(
        self,
        iterator: Source,
        container: model.Container,
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Object:
        """Store what an iterator, a file object or bytes give as an object.

        A file object is read from where it stands to its end.

        Args:
            iterator: Pieces of bytes; in the asyncio API an async iterator as well.
            container: Where to put it.
            object_name: Its name there.
            extra: ``content_type``, ``meta_data`` (a dict) and ``acl``.
            headers: Further header fields of the request.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            InvalidRequestError: The source fails, or gives something else than bytes.
            ObjectHashMismatchError: The provider has other bytes.
        """
        given = self._options("upload_object", options)
        with RunningCall(self, self._backend, "upload_object", None):
            source = stream_body(iterator, AsyncIterable)
            spec = object_spec(object_name, extra, headers, object_name, given)
        return await self._upload(source, container, spec, True)

    async def download_object(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save an object as a file; returns True.

        It is written under a temporary name beside the target, which is there only when all has
        come. A target that is a directory gets a file with the object's last name in it.

        Args:
            obj: The object.
            destination_path: The file to make, or a directory.
            overwrite_existing: Whether a file that is there already is replaced.
            delete_on_failure: Whether what came before a failure is removed.

        Raises:
            InvalidRequestError: The file exists, or cannot be written.
            ObjectDoesNotExistError: The object is gone.
        """
        return await self._save(
            obj, destination_path, None, None, overwrite_existing, delete_on_failure
        )

    async def download_object_as_stream(
        self, obj: model.Object, chunk_size: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield an object's content in pieces of `chunk_size` bytes at the most."""
        async for piece in self._pieces(obj, None, None, chunk_size):
            yield piece

    async def download_object_range(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        start_bytes: int,
        end_bytes: int | None = None,
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
    ) -> bool:
        """Save a part of an object as a file; returns True.

        Args:
            obj: The object.
            destination_path: The file to make, or a directory.
            start_bytes: First byte, counted from 0.
            end_bytes: Byte before which to stop; None for the object's end.
            overwrite_existing: Whether a file that is there already is replaced.
            delete_on_failure: Whether what came before a failure is removed.
        """
        return await self._save(
            obj, destination_path, start_bytes, end_bytes, overwrite_existing, delete_on_failure
        )

    async def download_object_range_as_stream(
        self,
        obj: model.Object,
        start_bytes: int,
        end_bytes: int | None = None,
        chunk_size: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield an object's bytes from `start_bytes` up to but without `end_bytes`."""
        async for piece in self._pieces(obj, start_bytes, end_bytes, chunk_size):
            yield piece

    async def delete_object(self, obj: model.Object) -> bool:
        """Delete an object; returns True."""
        await self._call(self._backend.delete_object(obj))
        return True

    async def delete_objects(
        self, objects: Sequence[model.Object], *, limit: int = 8
    ) -> Outcomes[model.Object]:
        """Delete objects and say what became of each; nothing is raised for one that fails.

        Args:
            objects: The objects, of any containers.
            limit: How many requests are under way at once at the most.
        """

        def attempt(obj: model.Object) -> Coroutine[Any, Any, model.Object]:
            return self._doing(self._backend.delete_object(obj), obj)

        return await self._each("delete_objects", objects, attempt, limit, "keep")

    async def copy_object(
        self, source: model.Object, container: model.Container, name: str
    ) -> Object:
        """Copy an object within the provider, without its bytes coming here."""
        job = self._backend.copy_object(source, container, name)
        what = f"object {name} in container {container.name}"
        return self._object(await self._make(job, what, container, name))

    async def get_container_cdn_url(self, container: model.Container) -> str:
        """Return the address below which anybody may read a container's objects."""
        return await self._call(self._backend.get_container_cdn_url(container))

    async def enable_container_cdn(self, container: model.Container) -> bool:
        """Let anybody read a container's objects; returns True."""
        await self._call(self._backend.enable_container_cdn(container))
        return True

    async def get_object_cdn_url(self, obj: model.Object, **options: Any) -> str:
        """Return an address from which anybody may read an object.

        Args:
            obj: The object.
            options: Options of this provider, beginning with ``ex_``.
        """
        given = self._options("get_object_cdn_url", options)
        return await self._call(self._backend.get_object_cdn_url(obj, given))

    async def enable_object_cdn(self, obj: model.Object) -> bool:
        """Let anybody read an object; returns True."""
        await self._call(self._backend.enable_object_cdn(obj))
        return True

    @classmethod
    def _operation_name(cls, operation: str) -> str:
        if operation.startswith("upload_object"):
            return "upload_object"
        if operation.startswith("download_object"):
            return "open_object"
        if operation == "delete_objects":
            return "delete_object"
        return super()._operation_name(operation.replace("iterate_", "list_", 1))

    async def _upload(
        self, source: Body, container: model.Container, spec: model.ObjectSpec, verify: bool
    ) -> Object:
        checked = CheckedBody(source, self._runtime, is_hashed=verify)
        upload = self._backend.upload_object(container, checked.body, spec)
        what = f"object {spec.name} in container {container.name}"
        try:
            job = checked.upload_object(upload)
            return self._object(await self._make(job, what, container, spec.name, timed=False))
        finally:
            upload.close()  # what is done before it may have failed

    async def _save(
        self,
        obj: model.Object,
        destination: str | os.PathLike[str],
        start: int | None,
        end: int | None,
        overwrite: bool,
        delete_on_failure: bool,
    ) -> bool:
        whole = start is None and end is None
        await self._transfer(
            download_object(
                lambda: self._backend.open_object(obj, start, end),
                obj.size if whole else None,
                Path(destination).expanduser(),
                obj.name,
                self._runtime,
                overwrite=overwrite,
                delete_on_failure=delete_on_failure,
            )
        )
        return True

    async def _pieces(
        self, obj: model.Object, start: int | None, end: int | None, size: int | None
    ) -> AsyncIterator[bytes]:
        with RunningCall(self, self._backend, "open_object", None):
            wanted = check_chunk_size(size)
        stream = await self._transfer(self._backend.open_object(obj, start, end))
        try:
            while piece := await self._transfer(stream.read(wanted)):
                yield piece
        finally:
            await self._transfer(stream.close())

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        return {model.Container: self._container, model.Object: self._object}

    def _container(self, data: model.Container) -> Container:
        return bind(data, Container, self)

    def _object(self, data: model.Object) -> Object:
        bound = bind(data, Object, self)
        object.__setattr__(bound, "container", self._container(data.container))
        return bound


def get_driver(provider: Provider | str) -> type[StorageDriver]:
    """Return the class of a provider's driver; making one of it sends nothing.

    Args:
        provider: A constant of `Provider`, or the name of any provider, plug-ins too.

    Raises:
        UnknownProviderError: There is no such provider.
    """
    return driver_class(StorageDriver, "storage", provider)


def set_driver(provider: str, module: str, klass: str) -> type[StorageDriver]:
    """Register a driver class of your own under a name, for `get_driver`.

    Args:
        provider: The new name.
        module: Module to import, with dots.
        klass: Name of a subclass of `StorageDriver` in it.

    Raises:
        UnknownProviderError: The name is taken, or there is no such class.
    """
    return register(StorageDriver, "storage", provider, module, klass)
