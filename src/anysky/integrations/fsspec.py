"""Object storage as a file system of fsspec: for pandas, pyarrow, DuckDB, Dask, Ray and others.

::

    import pandas

    frame = pandas.read_parquet(
        "anysky://bucket/table.parquet",
        storage_options={"provider": "s3", "region": "eu-west-1"},
    )

A path is ``anysky://container/key``. `provider` is the name of a provider or, as `profile`, of one
of the user's profiles; everything else in the options goes to the driver. Needs
``pip install 'anysky[fsspec]'``.

Written from https://filesystem-spec.readthedocs.io/en/latest/developer.html
"""

from __future__ import annotations

import asyncio
import errno
import functools
import io
import os
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

from fsspec.asyn import AsyncFileSystem, sync
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.spec import AbstractBufferedFile

from anysky.aio.storage import Container, Object, Prefix, StorageDriver, get_driver
from anysky.config import find_profile
from anysky.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudError,
    ContainerIsNotEmptyError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    QuotaExceededError,
)
from anysky.transfer.options import Progress, TransferOptions

__all__ = ["AnyskyFile", "AnyskyFileSystem"]

P = ParamSpec("P")
T = TypeVar("T")

_BLOCK = 8 * 1024 * 1024
_NO_SUCH_RANGE = 416
_CLOSING_SECONDS = 1.0
_WAITING = 2  # written blocks that may wait to be sent
_ERRNOS: tuple[tuple[type[CloudError], int], ...] = (
    (NotFoundError, errno.ENOENT),
    (AlreadyExistsError, errno.EEXIST),
    (PreconditionFailedError, errno.EEXIST),
    (ContainerIsNotEmptyError, errno.ENOTEMPTY),
    (PermissionDeniedError, errno.EACCES),
    (AuthenticationError, errno.EACCES),
    (QuotaExceededError, errno.ENOSPC),
)


def _as_os_error(error: CloudError) -> OSError:
    """Return the error that programs know from files."""
    number = next((number for kind, number in _ERRNOS if isinstance(error, kind)), errno.EIO)
    return OSError(number, str(error))


def _told(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a method raise what programs know from files."""

    @functools.wraps(method)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except CloudError as error:
            raise _as_os_error(error) from error

    return told


class AnyskyFileSystem(AsyncFileSystem):
    """Containers and objects of any provider as directories and files.

    Directories are what the names of objects have in common up to a ``/``; there are no empty
    ones. Nothing is cached.

    Args:
        provider: Name of a provider, as `get_driver` takes it.
        profile: Name of one of the user's profiles, in place of `provider`; else that of
            ``ANYSKY_PROFILE``.
        transfer: How content is moved.
        options: Arguments of fsspec's own (``asynchronous``, ``loop``, ``batch_size``,
            ``skip_instance_cache`` …); all others go to the driver: credentials, region, endpoint.

    Raises:
        InvalidAccountError: A setting is missing or wrong.
        UnknownProviderError: There is no such provider.
    """

    protocol = ("anysky",)
    root_marker = ""
    cachable = True
    _OURS: ClassVar[frozenset[str]] = frozenset(
        {"asynchronous", "loop", "batch_size", "use_listings_cache", "listings_expiry_time",
         "max_paths", "skip_instance_cache"}
    )  # fmt: skip

    def __init__(
        self,
        provider: str | None = None,
        *,
        profile: str | None = None,
        transfer: TransferOptions | None = None,
        **options: Any,
    ) -> None:
        """Make a file system; nothing is sent."""
        super().__init__(**{key: options[key] for key in options if key in self._OURS})
        name = provider or profile or os.environ.get("ANYSKY_PROFILE", "")
        found = find_profile(name)
        settings = {key: value for key, value in options.items() if key not in self._OURS}
        self._class = get_driver(found.provider)
        self._settings: Mapping[str, Any] = {**found.settings, **settings}
        self._moving = transfer or TransferOptions()
        self._made: StorageDriver | None = None

    # -- looking ---------------------------------------------------------------------------------

    @_told
    async def _info(self, path: str, **_kwargs: Any) -> dict[str, Any]:
        container, key = self._split(path)
        if not container:
            return _directory("")
        driver = self._driver()
        if not key:
            await driver.get_container(container)
            return _directory(container)
        try:
            return _file(await driver.get_object(container, key))
        except NotFoundError:
            if await self._has_children(container, key):
                return _directory(f"{container}/{key}")
            raise

    async def _has_children(self, container: str, key: str) -> bool:
        where = Container(container, {}, self._driver())
        async for _ in where.iterate_directory(f"{key}/"):
            return True
        return False

    @_told
    async def _ls(
        self, path: str, detail: bool = True, **_kwargs: Any
    ) -> list[dict[str, Any]] | list[str]:
        container, key = self._split(path)
        if not container:
            found = [_directory(one.name) for one in await self._driver().list_containers()]
        else:
            found = await self._children(container, key)
        return found if detail else [one["name"] for one in found]

    async def _children(self, container: str, key: str) -> list[dict[str, Any]]:
        where, prefix = Container(container, {}, self._driver()), f"{key}/" if key else ""
        found = [_entry(one) async for one in where.iterate_directory(prefix or None)]
        kept = [one for one in found if one["name"] != f"{container}/{prefix}"]
        if found or not key:
            return kept
        return [_file(await self._driver().get_object(container, key))]

    @_told
    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **kwargs: Any,
    ) -> Any:
        container, key = self._split(path)
        if maxdepth is not None or not container:
            return await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, **kwargs)
        start = f"{key}/" if key else ""
        found: dict[str, dict[str, Any]] = {}
        where = Container(container, {}, self._driver())
        async for obj in where.iterate_objects(start + kwargs.get("prefix", "") or None):
            if withdirs:
                found |= {one["name"]: one for one in _parents(obj, len(start))}
            if not obj.name.endswith("/"):
                found[f"{container}/{obj.name}"] = _file(obj)
        if not found and key and not kwargs.get("prefix"):
            with suppress(NotFoundError):
                found[f"{container}/{key}"] = _file(await self._driver().get_object(container, key))
        names = sorted(found)
        return {name: found[name] for name in names} if kwargs.get("detail") else names

    def modified(self, path: str) -> datetime:
        """Return when an object was changed last."""
        found: datetime = self.info(path)["LastModified"]
        return found

    created = modified

    def checksum(self, path: str) -> int:
        """Return a number that changes when the object does."""
        return int(self.ukey(path), 16)

    def ukey(self, path: str) -> str:
        """Return a text that changes when the object does."""
        from fsspec.utils import tokenize

        found = self.info(path)
        return tokenize(found.get("ETag"), found["size"], found.get("LastModified"))

    def sign(self, path: str, expiration: int = 3600, **kwargs: Any) -> str:
        """Return an address with which anybody may read an object for `expiration` seconds."""
        return sync(self.loop, self._sign, path, expiration, **kwargs)

    @_told
    async def _sign(self, path: str, expiration: int, method: str = "GET") -> str:
        container, key = self._split(path)
        where = Container(container, {}, self._driver())
        made = await self._driver().presign(where, key, method, expiration)
        return made.url

    # -- reading and writing ---------------------------------------------------------------------

    @_told
    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_kwargs: Any
    ) -> bytes:
        container, key = self._split(path)
        obj = await self._driver().get_object(container, key)
        return await _content(obj, start, end)

    @_told
    async def _pipe_file(
        self, path: str, value: bytes, mode: str = "overwrite", **_kwargs: Any
    ) -> None:
        await self.store(path, value, is_new=mode == "create")

    async def store(self, path: str, source: Any, *, is_new: bool) -> None:
        """Store an object; with `is_new` only if there is none."""
        container, key = self._split(path)
        await Container(container, {}, self._driver()).upload_object_via_stream(
            source, key, if_none_match="*" if is_new else None, transfer=self._moving
        )

    @_told
    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        mode: str = "overwrite",
        callback: Any = DEFAULT_CALLBACK,
        **_kwargs: Any,
    ) -> None:
        if Path(lpath).is_dir():
            return
        container, key = self._split(rpath)
        callback.set_size(Path(lpath).stat().st_size)
        await Container(container, {}, self._driver()).upload_object(
            lpath,
            key,
            if_none_match="*" if mode == "create" else None,
            transfer=self._telling(callback),
        )

    @_told
    async def _get_file(
        self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_kwargs: Any
    ) -> None:
        container, key = self._split(rpath)
        if not key or (not hasattr(lpath, "write") and Path(lpath).is_dir()):
            return
        try:
            obj = await self._driver().get_object(container, key)
        except NotFoundError:
            if await self._has_children(container, key):
                return
            raise
        callback.set_size(obj.size)
        if hasattr(lpath, "write"):
            async for piece in obj.as_stream():
                lpath.write(piece)
                callback.relative_update(len(piece))
            return
        Path(lpath).parent.mkdir(parents=True, exist_ok=True)
        await obj.download(lpath, overwrite_existing=True, transfer=self._telling(callback))

    def _telling(self, callback: Any) -> TransferOptions:
        from dataclasses import replace

        def tell(progress: Progress) -> None:
            callback.absolute_update(progress.done)

        return replace(self._moving, progress=tell)

    # -- changing --------------------------------------------------------------------------------

    @_told
    async def _cp_file(self, path1: str, path2: str, **_kwargs: Any) -> None:
        container, key = self._split(path1)
        target, name = self._split(path2)
        if not key or not name:
            return
        driver = self._driver()
        try:
            source = await driver.get_object(container, key)
        except NotFoundError:
            if await self._has_children(container, key):
                return
            raise
        await driver.copy_object(source, Container(target, {}, driver), name)

    @_told
    async def _rm_file(self, path: str, **_kwargs: Any) -> None:
        container, key = self._split(path)
        driver = self._driver()
        await driver.delete_object(await driver.get_object(container, key))

    @_told
    async def _rm(
        self,
        path: str | list[str],
        recursive: bool = False,
        batch_size: int | None = None,  # noqa: ARG002 - fsspec's signature
        maxdepth: int | None = None,
        **_kwargs: Any,
    ) -> None:
        given = [path] if isinstance(path, str) else path
        driver = self._driver()
        found = await self._expand_path(path, recursive=recursive, maxdepth=maxdepth)
        split = [self._split(one) for one in found]
        objects = [_named(driver, container, key) for container, key in split if key]
        outcomes = await driver.delete_objects(objects)
        for failure in outcomes.failed:
            if not isinstance(failure.error, NotFoundError):  # a directory is no object
                raise failure.error
        for container, key in {self._split(one) for one in given}:
            if recursive and container and not key:
                await driver.delete_container(Container(container, {}, driver))

    @_told
    async def _mkdir(self, path: str, create_parents: bool = True, **_kwargs: Any) -> None:
        container, key = self._split(path)
        if not key:
            if not await self._make_container(container):  # some providers make it once more
                raise FileExistsError(errno.EEXIST, path)
        elif create_parents:
            await self._make_container(container)

    @_told
    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        container, key = self._split(path)
        made = await self._make_container(container)
        if not made and not exist_ok and (not key or await self._exists(path)):
            raise FileExistsError(errno.EEXIST, path)

    async def _make_container(self, name: str) -> bool:
        try:
            await self._driver().get_container(name)
        except NotFoundError:
            await self._driver().create_container(name)
            return True
        return False

    def rmdir(self, path: str) -> None:
        """Delete an empty container; other directories are none by themselves."""
        sync(self.loop, self._rmdir, path)

    @_told
    async def _rmdir(self, path: str) -> None:
        container, key = self._split(path)
        if not key:
            await self._driver().delete_container(Container(container, {}, self._driver()))

    # -- files -----------------------------------------------------------------------------------

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> AnyskyFile:
        if "x" in mode and self.exists(path):
            raise FileExistsError(errno.EEXIST, path)
        return AnyskyFile(
            self,
            path,
            mode,
            block_size=block_size or _BLOCK,
            autocommit=autocommit,
            cache_options=cache_options,
            **kwargs,
        )

    def _split(self, path: str) -> tuple[str, str]:
        container, _, key = self._strip_protocol(path).partition("/")
        return container, key

    def _driver(self) -> StorageDriver:
        """Return the driver, which belongs to one event loop and is closed with this object."""
        if self._made is None:
            self._made = self._class(**self._settings)
            loop = None if self.asynchronous else self.loop
            weakref.finalize(self, _close, loop, self._made)
        return self._made

    def named(self, path: str, size: int, etag: str | None) -> Object:
        """Return an object without asking for it."""
        return _named(self._driver(), *self._split(path), size, etag)

    async def close(self) -> None:
        """Close the connections, for one that was made with ``asynchronous=True``."""
        if self._made is not None:
            await self._made.close()


class AnyskyFile(AbstractBufferedFile):
    """An object that is open for reading or writing.

    What is written goes to the provider in blocks while it is written, and appears under its name
    when the file is closed.
    """

    def __init__(self, fs: AnyskyFileSystem, path: str, mode: str, **kwargs: Any) -> None:
        """Open an object; `AnyskyFileSystem.open` does so."""
        super().__init__(fs, path, mode, **kwargs)
        self._files = fs
        self._last = b""
        self._is_new = "x" in mode
        self._blocks: asyncio.Queue[bytes | None] | None = None
        self._task: asyncio.Future[None] | None = None
        if "a" in mode and fs.exists(path):
            self.loc = self.buffer.write(fs.cat_file(path))

    def _fetch_range(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        return sync(self._files.loop, self._fetch, start, end)

    @_told
    async def _fetch(self, start: int, end: int) -> bytes:
        obj = self._files.named(self.path, self.details["size"], self.details.get("ETag"))
        return await _content(obj, start, end)

    def _initiate_upload(self) -> None:
        """Nothing is sent before there is a whole block: a small file is one request."""

    def _upload_chunk(self, final: bool = False) -> bool:
        block = self.buffer.getvalue()
        if final and not self.autocommit:
            self._last = block
            return False
        if final:
            self._finish(block)
        elif block:
            sync(self._files.loop, self._send, block)
        return True

    def commit(self) -> None:
        """Let the object appear under its name, after writing without ``autocommit``."""
        self._finish(self._last)

    def discard(self) -> None:
        """Drop what was written."""
        if self._task is not None:
            sync(self._files.loop, self._cancel)

    def _finish(self, block: bytes) -> None:
        if self._task is None:
            sync(self._files.loop, self._store, block)
        else:
            sync(self._files.loop, self._end, block)

    @_told
    async def _store(self, content: Any) -> None:
        await self._files.store(self.path, content, is_new=self._is_new)

    async def _send(self, block: bytes) -> None:
        if self._blocks is None or self._task is None:
            self._blocks = asyncio.Queue(_WAITING)
            self._task = asyncio.ensure_future(self._store(_drained(self._blocks)))
        put = asyncio.ensure_future(self._blocks.put(block))
        await asyncio.wait([put, self._task], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            put.cancel()
            self._task.result()

    async def _end(self, block: bytes) -> None:
        if block:
            await self._send(block)
        if self._blocks is not None and self._task is not None:
            put = asyncio.ensure_future(self._blocks.put(None))
            await self._task
            await put

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await self._task


async def _drained(blocks: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (block := await blocks.get()) is not None:
        yield block


async def _content(obj: Object, start: int | None, end: int | None) -> bytes:
    """Read an object, or what Python's slices mean by two numbers."""
    first, last, _ = slice(start, end).indices(obj.size)
    if start is None and end is None:
        stream = obj.as_stream()
    elif first >= last:
        return b""
    else:
        stream = obj.range_as_stream(first, last)
    buffer = io.BytesIO()
    async for piece in stream:
        buffer.write(piece)
    return buffer.getvalue()


def _named(
    driver: StorageDriver, container: str, key: str, size: int = 0, etag: str | None = None
) -> Object:
    extra = {} if etag is None else {"etag": etag}
    return Object(key, size, None, extra, {}, Container(container, {}, driver), driver)


def _directory(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _file(obj: Object) -> dict[str, Any]:
    return {
        "name": f"{obj.container.name}/{obj.name}",
        "size": obj.size,
        "type": "file",
        "ETag": obj.extra.get("etag"),
        "LastModified": obj.extra.get("last_modified"),
        "ContentType": obj.extra.get("content_type"),
    }


def _entry(item: Object | Prefix) -> dict[str, Any]:
    if isinstance(item, Prefix):
        return _directory(f"{item.container.name}/{item.name}".rstrip("/"))
    return _file(item)


def _parents(obj: Object, start: int) -> list[dict[str, Any]]:
    """Return the directories above an object, below the first `start` characters of its name."""
    places = [place for place, one in enumerate(obj.name) if one == "/" and place >= start]
    return [_directory(f"{obj.container.name}/{obj.name[:place]}") for place in places]


def _close(loop: asyncio.AbstractEventLoop | None, driver: StorageDriver) -> None:
    """Close a driver whose file system is gone, where its event loop still runs."""
    if loop is None or not loop.is_running():
        return
    closing = asyncio.run_coroutine_threadsafe(driver.close(), loop)
    with suppress(RuntimeError):
        if asyncio.get_running_loop() is loop:  # collected there: it cannot wait for itself
            return
    with suppress(Exception):
        closing.result(_CLOSING_SECONDS)
