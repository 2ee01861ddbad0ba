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
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

from anysky.backend.storage import StorageBackend
from anysky.bulk import flattened, paired
from anysky.calling import RunningCall, bind, within
from anysky.errors import CloudError
from anysky.model import storage as model
from anysky.names import StorageProvider as Provider
from anysky.object_spec import object_spec
from anysky.outcomes import Outcomes
from anysky.registry import driver_class, register
from anysky.secret import Secret, hide
from anysky.steps import OnPartialFailure
from anysky.transfer.cleaning import cleanup_uploads
from anysky.transfer.deleting import batches, delete_batch
from anysky.transfer.downloads import download_object
from anysky.transfer.moving import move_object
from anysky.transfer.options import TransferOptions
from anysky.transfer.sources import Source, file_source, stream_source
from anysky.transfer.streams import check_chunk_size, open_object
from anysky.transfer.uploads import upload_object
from anysky.transport.base import Limits
from anysky.transport.retry import RetryPolicy
from anysky.transport.settings import Verify
from anysky.transport.tracing import Hooks

from .driver import Driver

if TYPE_CHECKING:
    from anysky.journal import JournalFile

__all__ = [
    "Container",
    "Object",
    "ObjectVersion",
    "Prefix",
    "Provider",
    "StorageDriver",
    "get_driver",
    "set_driver",
]

_Contained = TypeVar("_Contained")
Content = bytes | IO[bytes] | Iterable[bytes] | AsyncIterable[bytes]


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

    async def list_directory(
        self, prefix: str | None = None, delimiter: str = "/"
    ) -> list[Object | Prefix]:
        """Return what begins with `prefix`, one level deep; see `StorageDriver.list_directory`."""
        return await self.driver.list_directory(self, prefix, delimiter)

    async def iterate_directory(
        self, prefix: str | None = None, delimiter: str = "/"
    ) -> AsyncIterator[Object | Prefix]:
        """Yield what `list_directory` returns, page by page."""
        async for item in self.driver.iterate_directory(self, prefix, delimiter):
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
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        transfer: TransferOptions | None = None,
        **options: Any,
    ) -> Object:
        """Store a file as an object of this container; see `StorageDriver.upload_object`."""
        return await self.driver.upload_object(
            file_path,
            self,
            object_name,
            extra,
            verify_hash,
            headers,
            if_match=if_match,
            if_none_match=if_none_match,
            storage_class=storage_class,
            tags=tags,
            transfer=transfer,
            **options,
        )

    async def upload_object_via_stream(
        self,
        iterator: Content,
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        transfer: TransferOptions | None = None,
        **options: Any,
    ) -> Object:
        """Store what an iterator, a file object or bytes give as an object of this container."""
        return await self.driver.upload_object_via_stream(
            iterator,
            self,
            object_name,
            extra,
            headers,
            if_match=if_match,
            if_none_match=if_none_match,
            storage_class=storage_class,
            tags=tags,
            transfer=transfer,
            **options,
        )

    async def download_object(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
        *,
        transfer: TransferOptions | None = None,
    ) -> bool:
        """Save an object as a file; returns True."""
        return await self.driver.download_object(
            obj, destination_path, overwrite_existing, delete_on_failure, transfer=transfer
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
        *,
        transfer: TransferOptions | None = None,
    ) -> bool:
        """Save this object as a file; returns True."""
        return await self.driver.download_object(
            self, destination_path, overwrite_existing, delete_on_failure, transfer=transfer
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

    async def copy(
        self,
        container: model.Container,
        name: str,
        *,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
        storage_class: str | None = None,
    ) -> Object:
        """Copy this object within the provider; see `StorageDriver.copy_object`."""
        return await self.driver.copy_object(
            self,
            container,
            name,
            content_type=content_type,
            meta_data=meta_data,
            storage_class=storage_class,
        )

    async def move(self, container: model.Container, name: str) -> Object:
        """Give this object another name or container; see `StorageDriver.move_object`."""
        return await self.driver.move_object(self, container, name)

    async def update(
        self,
        *,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
        storage_class: str | None = None,
    ) -> Object:
        """Change what this object's content is not; see `StorageDriver.update_object`."""
        return await self.driver.update_object(
            self, content_type=content_type, meta_data=meta_data, storage_class=storage_class
        )

    async def get_tags(self) -> dict[str, str]:
        """Return this object's tags."""
        return await self.driver.get_object_tags(self)

    async def set_tags(self, tags: Mapping[str, str]) -> bool:
        """Replace all tags of this object; returns True."""
        return await self.driver.set_object_tags(self, tags)

    async def delete(self) -> bool:
        """Delete this object; returns True."""
        return await self.driver.delete_object(self)

    async def get_cdn_url(self, **options: Any) -> str:
        """Return an address from which anybody may read this object."""
        return await self.driver.get_object_cdn_url(self, **options)

    async def enable_cdn(self) -> bool:
        """Let anybody read this object; returns True."""
        return await self.driver.enable_object_cdn(self)


class ObjectVersion(model.ObjectVersion):
    """`anysky.model.storage.ObjectVersion` bound to the driver it came from."""

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
        version_id: str,
        is_latest: bool = False,
        is_delete_marker: bool = False,
    ) -> None:
        super().__init__(
            name,
            size,
            hash,
            extra,
            meta_data,
            container,
            version_id,
            is_latest,
            is_delete_marker,
        )
        object.__setattr__(self, "driver", driver)

    async def download(
        self,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
        *,
        transfer: TransferOptions | None = None,
    ) -> bool:
        """Save this version as a file; returns True."""
        return await self.driver.download_object(
            self, destination_path, overwrite_existing, delete_on_failure, transfer=transfer
        )

    async def as_stream(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content of this version piece by piece."""
        async for piece in self.driver.download_object_as_stream(self, chunk_size):
            yield piece

    async def delete(self) -> bool:
        """Delete this version for good; returns True."""
        return await self.driver.delete_object(self)


class Prefix(model.Prefix):
    """`anysky.model.storage.Prefix` bound to the driver it came from."""

    __slots__ = ("driver",)
    driver: StorageDriver
    container: Container

    def __init__(self, name: str, container: Container, driver: StorageDriver) -> None:
        super().__init__(name, container)
        object.__setattr__(self, "driver", driver)

    async def list_directory(self, delimiter: str = "/") -> list[Object | Prefix]:
        """Return what is below this prefix, one level deep."""
        return await self.driver.list_directory(self.container, self.name, delimiter)

    async def list_objects(self) -> list[Object]:
        """Return all objects whose names begin with this prefix."""
        return await self.driver.list_container_objects(self.container, self.name)


class StorageDriver(Driver[StorageBackend]):
    """A provider's object storage; see `Driver` for its arguments.

    Every method raises a `CloudError`. Each ``list_…`` returns all pages; its twin
    ``iterate_…`` fetches them as they are used. Uploads and downloads take as long as they
    need, unless ``anysky.deadline`` sets an end.

    Args:
        transfer: How content is moved, where a call does not say it; the other arguments are those
            of every `Driver`.

    Attributes:
        hash_type: What `Object.hash` is where it is a digest of the content.
        supports_chunked_encoding: Whether content of unknown length is sent as it comes.
    """

    hash_type: ClassVar[str] = "md5"
    supports_chunked_encoding: ClassVar[bool] = False

    def __init__(
        self,
        key: str | Secret | None = None,
        secret: str | Secret | None = None,
        secure: bool = True,
        host: str | None = None,
        port: int | None = None,
        api_version: str | None = None,
        region: str | None = None,
        *,
        endpoint: str | None = None,
        timeout: float | None = None,
        connect_timeout: float = 10.0,
        pool_timeout: float = 60.0,
        pool_size: int = 256,
        deadline: float | None = 600.0,
        proxy_url: str | Secret | None = None,
        verify: Verify = True,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        hooks: Hooks | None = None,
        rate: float | None = None,
        on_partial_failure: OnPartialFailure = "keep",
        journal: JournalFile | str | os.PathLike[str] | bool | None = None,
        transfer: TransferOptions | None = None,
        **settings: Any,
    ) -> None:
        # No traceback that shows variables shows what was given.
        key, secret, proxy_url = hide(key), hide(secret), hide(proxy_url)
        settings = {name: hide(value) for name, value in settings.items()}
        super().__init__(
            key,
            secret,
            secure,
            host,
            port,
            api_version,
            region,
            endpoint=endpoint,
            timeout=timeout,
            connect_timeout=connect_timeout,
            pool_timeout=pool_timeout,
            pool_size=pool_size,
            deadline=deadline,
            proxy_url=proxy_url,
            verify=verify,
            retry=retry,
            limits=limits,
            hooks=hooks,
            rate=rate,
            on_partial_failure=on_partial_failure,
            journal=journal,
            **settings,
        )
        self._transfer_options = transfer or TransferOptions()

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

    async def list_directory(
        self, container: model.Container, prefix: str | None = None, delimiter: str = "/"
    ) -> list[Object | Prefix]:
        """Return what begins with a prefix, one level deep, in the order of names.

        Objects in whose names the delimiter comes again after the prefix are summed up as one
        `Prefix`: a folder, as it were.

        Args:
            container: The container.
            prefix: Beginning of the names, usually with the delimiter at its end.
            delimiter: What parts names.
        """
        return await self._collect(
            lambda cursor: self._backend.list_directory(container, prefix, delimiter, cursor),
            self._entry,
        )

    async def iterate_directory(
        self, container: model.Container, prefix: str | None = None, delimiter: str = "/"
    ) -> AsyncIterator[Object | Prefix]:
        """Yield what `list_directory` returns, page by page."""
        async for item in self._walk(
            lambda cursor: self._backend.list_directory(container, prefix, delimiter, cursor)
        ):
            yield self._entry(item)

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
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        transfer: TransferOptions | None = None,
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
            if_match: ``extra["etag"]`` of the object that may be replaced, and of no other.
            if_none_match: ``"*"`` to replace none.
            storage_class: The provider's name of a storage class.
            tags: Tags of the object.
            transfer: How the content is moved; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            InvalidRequestError: The file cannot be read, or changes while it is read.
            ObjectHashMismatchError: The provider has other bytes.
            PreconditionFailedError: What is there is not what `if_match` or `if_none_match` says.
        """
        given = self._options("upload_object", options)
        with RunningCall(self, self._backend, "upload_object", None):
            source = file_source(file_path)
            spec = replace(
                object_spec(object_name, extra, headers, os.fspath(file_path), given),
                condition=_condition(if_match, if_none_match),
                storage_class=storage_class,
                tags=dict(tags or {}),
            )
        return await self._upload(source, container, spec, verify_hash, transfer)

    async def upload_object_via_stream(
        self,
        iterator: Content,
        container: model.Container,
        object_name: str,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        transfer: TransferOptions | None = None,
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
            if_match: ``extra["etag"]`` of the object that may be replaced, and of no other.
            if_none_match: ``"*"`` to replace none.
            storage_class: The provider's name of a storage class.
            tags: Tags of the object.
            transfer: How the content is moved; None as the driver was told.
            options: Options of this provider, beginning with ``ex_``.

        Raises:
            InvalidRequestError: The source fails, or gives something else than bytes.
            ObjectHashMismatchError: The provider has other bytes.
            PreconditionFailedError: What is there is not what `if_match` or `if_none_match` says.
        """
        given = self._options("upload_object", options)
        with RunningCall(self, self._backend, "upload_object", None):
            source = stream_source(iterator, AsyncIterable)
            spec = replace(
                object_spec(object_name, extra, headers, object_name, given),
                condition=_condition(if_match, if_none_match),
                storage_class=storage_class,
                tags=dict(tags or {}),
            )
        return await self._upload(source, container, spec, True, transfer)

    async def download_object(
        self,
        obj: model.Object,
        destination_path: str | os.PathLike[str],
        overwrite_existing: bool = False,
        delete_on_failure: bool = True,
        *,
        transfer: TransferOptions | None = None,
    ) -> bool:
        """Save an object as a file; returns True.

        It is written under a temporary name beside the target, which is there only when all has
        come. A target that is a directory gets a file with the object's last name in it.

        Args:
            obj: The object.
            destination_path: The file to make, or a directory.
            overwrite_existing: Whether a file that is there already is replaced.
            delete_on_failure: Whether what came before a failure is removed.
            transfer: How the content is moved; None as the driver was told.

        Raises:
            InvalidRequestError: The file exists, or cannot be written.
            ObjectDoesNotExistError: The object is gone.
        """
        return await self._save(
            obj, destination_path, None, None, overwrite_existing, delete_on_failure, transfer
        )

    async def download_object_as_stream(
        self,
        obj: model.Object,
        chunk_size: int | None = None,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield an object's content in pieces of `chunk_size` bytes at the most.

        Args:
            obj: The object.
            chunk_size: Bytes of a piece at the most; None for one that suits.
            if_match: ``extra["etag"]`` that the object must have.
            if_none_match: One that it may not have.

        Raises:
            PreconditionFailedError: The object is not what they say.
        """
        condition = _condition(if_match, if_none_match)
        async for piece in self._pieces(obj, None, None, chunk_size, condition):
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
            obj,
            destination_path,
            start_bytes,
            end_bytes,
            overwrite_existing,
            delete_on_failure,
            None,
        )

    async def download_object_range_as_stream(
        self,
        obj: model.Object,
        start_bytes: int,
        end_bytes: int | None = None,
        chunk_size: int | None = None,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield an object's bytes from `start_bytes` up to but without `end_bytes`.

        Args:
            obj: The object.
            start_bytes: First byte, counted from 0.
            end_bytes: Byte before which to stop; None for the object's end.
            chunk_size: Bytes of a piece at the most; None for one that suits.
            if_match: ``extra["etag"]`` that the object must have.
            if_none_match: One that it may not have.

        Raises:
            PreconditionFailedError: The object is not what they say.
        """
        condition = _condition(if_match, if_none_match)
        async for piece in self._pieces(obj, start_bytes, end_bytes, chunk_size, condition):
            yield piece

    async def delete_object(self, obj: model.Object) -> bool:
        """Delete an object; returns True."""
        await self._call(self._backend.delete_object(obj))
        return True

    async def delete_objects(
        self, objects: Sequence[model.Object], *, limit: int = 8
    ) -> Outcomes[model.Object]:
        """Delete objects and say what became of each; nothing is raised for one that fails.

        One request deletes as many of them as the provider allows.

        Args:
            objects: The objects, of any containers.
            limit: How many requests are under way at once at the most.
        """

        def attempt(
            batch: list[model.Object],
        ) -> Coroutine[Any, Any, list[tuple[model.Object, CloudError | None]]]:
            call = RunningCall(self, self._backend, "delete_objects", self._deadline)
            return within(call, paired(batch, delete_batch(self._backend, batch)))

        divided = batches(self._backend, objects)
        found = await self._each("delete_objects", divided, attempt, limit, "keep")
        return flattened(objects, found)

    async def copy_object(
        self,
        source: model.Object,
        container: model.Container,
        name: str,
        *,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
        storage_class: str | None = None,
    ) -> Object:
        """Copy an object within the provider, without its bytes coming here.

        Args:
            source: The object, of any size.
            container: Where to put the copy.
            name: Its name there; one of the same name is replaced.
            content_type: MIME type; None for the source's.
            meta_data: All metadata; None for the source's.
            storage_class: The provider's name of a storage class; None for its default.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        changes = model.ObjectChanges(content_type, meta_data, storage_class)
        job = self._backend.copy_object(source, container, name, changes)
        what = f"object {name} in container {container.name}"
        return self._object(await self._make(job, what, container, name))

    async def move_object(
        self, source: model.Object, container: model.Container, name: str
    ) -> Object:
        """Give an object another name or container; its bytes do not come here.

        Where the provider cannot rename, the object is copied and the source then deleted; if
        that fails, `PartialFailureError` tells of the copy.

        Args:
            source: The object.
            container: Where to move it.
            name: Its name there; one of the same name is replaced.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        what = f"object {name} in container {container.name}"
        job = move_object(self._backend, source, container, name)
        return self._object(await self._make(job, what, container, name))

    async def update_object(
        self,
        obj: model.Object,
        *,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
        storage_class: str | None = None,
    ) -> Object:
        """Change type, metadata or storage class of an object; its content stays as it is.

        Args:
            obj: The object.
            content_type: New MIME type; None leaves it.
            meta_data: All new metadata; None leaves it.
            storage_class: The provider's name of a storage class; None leaves it.

        Raises:
            ObjectDoesNotExistError: There is no such object.
        """
        changes = model.ObjectChanges(content_type, meta_data, storage_class)
        return self._object(await self._call(self._backend.update_object(obj, changes)))

    async def get_object_tags(self, obj: model.Object) -> dict[str, str]:
        """Return an object's tags."""
        return await self._call(self._backend.get_object_tags(obj))

    async def set_object_tags(self, obj: model.Object, tags: Mapping[str, str]) -> bool:
        """Replace all tags of an object; returns True."""
        await self._call(self._backend.set_object_tags(obj, tags))
        return True

    async def presign(
        self,
        container: model.Container,
        object_name: str,
        method: str = "GET",
        expires: int = 3600,
    ) -> model.PresignedURL:
        """Return an address with which anybody may read (GET) or store (PUT) an object.

        Args:
            container: The container.
            object_name: The object, which need not be there yet.
            method: ``"GET"`` or ``"PUT"``; providers may have others.
            expires: Seconds for which it is good.

        Raises:
            InvalidRequestError: The time is longer than the provider allows.
        """
        return await self._call(self._backend.presign(container, object_name, method, expires))

    async def get_versioning(self, container: model.Container) -> bool:
        """Return whether a container keeps older versions of its objects."""
        return await self._call(self._backend.get_versioning(container))

    async def set_versioning(self, container: model.Container, enabled: bool) -> bool:
        """Let a container keep older versions of its objects, or no longer; returns True."""
        await self._call(self._backend.set_versioning(container, enabled))
        return True

    async def list_object_versions(
        self, container: model.Container, prefix: str | None = None
    ) -> list[ObjectVersion]:
        """Return all versions of a container's objects, by name, the latest of each first.

        Where an object was deleted stands a version with `is_delete_marker`.
        """
        return await self._collect(
            lambda cursor: self._backend.list_object_versions(container, prefix, cursor),
            self._version,
        )

    async def iterate_object_versions(
        self, container: model.Container, prefix: str | None = None
    ) -> AsyncIterator[ObjectVersion]:
        """Yield what `list_object_versions` returns, page by page."""
        async for item in self._walk(
            lambda cursor: self._backend.list_object_versions(container, prefix, cursor)
        ):
            yield self._version(item)

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of an object.

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        job = self._backend.get_object_version(container_name, object_name, version_id)
        return self._version(await self._call(job))

    async def list_multipart_uploads(
        self, container: model.Container, prefix: str | None = None
    ) -> list[model.MultipartUpload]:
        """Return the multipart uploads to a container that were begun and not ended."""
        return await self._collect(
            lambda cursor: self._backend.list_multipart_uploads(container, prefix, cursor),
            lambda upload: upload,
        )

    async def abort_multipart_upload(self, upload: model.MultipartUpload) -> bool:
        """End a multipart upload and delete its parts; returns True.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        await self._call(self._backend.abort_multipart_upload(upload))
        return True

    async def cleanup_uploads(
        self,
        container: model.Container,
        older_than: timedelta | float,
        prefix: str | None = None,
    ) -> list[model.MultipartUpload]:
        """End multipart uploads that nobody goes on with, and delete their parts.

        They are what is left of programs that were killed; their parts are paid for.

        Args:
            container: The container.
            older_than: Age from which on an upload is ended, seconds or a `timedelta`: longer
                than any upload takes that may still go on. One whose beginning the provider does
                not tell is ended only with 0.
            prefix: Beginning of the objects' names.

        Returns:
            Those that were ended.
        """
        return await self._transfer(cleanup_uploads(self._backend, container, older_than, prefix))

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
        if operation == "cleanup_uploads":
            return "abort_multipart_upload"
        if operation == "move_object" and not cls._backend_class.supports(operation):
            return "copy_object"  # and the source is deleted then
        return super()._operation_name(operation.replace("iterate_", "list_", 1))

    async def _upload(
        self,
        source: Source,
        container: model.Container,
        spec: model.ObjectSpec,
        verify: bool,
        transfer: TransferOptions | None,
    ) -> Object:
        how = transfer or self._transfer_options
        job = upload_object(self._backend, container, source, spec, how, verify=verify)
        what = f"object {spec.name} in container {container.name}"
        return self._object(await self._make(job, what, container, spec.name, timed=False))

    async def _save(
        self,
        obj: model.Object,
        destination: str | os.PathLike[str],
        start: int | None,
        end: int | None,
        overwrite: bool,
        delete_on_failure: bool,
        transfer: TransferOptions | None,
    ) -> bool:
        await self._transfer(
            download_object(
                self._backend,
                obj,
                Path(destination).expanduser(),
                transfer or self._transfer_options,
                start=start,
                end=end,
                overwrite=overwrite,
                delete_on_failure=delete_on_failure,
            )
        )
        return True

    async def _pieces(
        self,
        obj: model.Object,
        start: int | None,
        end: int | None,
        size: int | None,
        condition: model.Condition | None,
    ) -> AsyncIterator[bytes]:
        with RunningCall(self, self._backend, "open_object", None):
            wanted = check_chunk_size(size)
        stream = await self._transfer(open_object(self._backend, obj, start, end, condition))
        try:
            while piece := await self._transfer(stream.read(wanted)):
                yield piece
        finally:
            await self._transfer(stream.close())

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        return {
            model.Container: self._container,
            model.Object: self._object,
            model.ObjectVersion: self._version,
            model.Prefix: self._prefix,
        }

    def _container(self, data: model.Container) -> Container:
        return bind(data, Container, self)

    def _object(self, data: model.Object) -> Object:
        return self._contained(bind(data, Object, self), data)

    def _version(self, data: model.ObjectVersion) -> ObjectVersion:
        return self._contained(bind(data, ObjectVersion, self), data)

    def _prefix(self, data: model.Prefix) -> Prefix:
        return self._contained(bind(data, Prefix, self), data)

    def _entry(self, data: model.Object | model.Prefix) -> Object | Prefix:
        return self._prefix(data) if isinstance(data, model.Prefix) else self._object(data)

    def _contained(self, bound: _Contained, data: model.Object | model.Prefix) -> _Contained:
        object.__setattr__(bound, "container", self._container(data.container))
        return bound


def _condition(if_match: str | None, if_none_match: str | None) -> model.Condition | None:
    if if_match is None and if_none_match is None:
        return None
    return model.Condition(if_match, if_none_match)


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
