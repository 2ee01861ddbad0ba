"""The two sides of a synchronisation: objects of a container, or files of a directory."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from anysky.backend.storage import StorageBackend
from anysky.errors import CloudError, InvalidRequestError
from anysky.model.storage import Container, Object
from anysky.paging import PageGuard
from anysky.runtime.base import Runtime
from anysky.safe_names import NameMap, object_name

from .deleting import batches, delete_batch
from .entries import Entry, key_of

__all__ = ["CloudSide", "LocalSide", "Side", "entry_of"]

T = TypeVar("T")

_PIECE = 1024 * 1024
_OURS = ".anysky."  # how the names of files begin that are not complete yet


class CloudSide:
    """Objects of a container whose names begin with a prefix.

    Args:
        backend: The provider's backend.
        runtime: What it runs on.
        guard: Makes the context of one call, by the operation's name.
        container: The container.
        prefix: Beginning of the names; a folder's ends with ``/``.
        provider: Name of the provider, as `get_driver` takes it.
        folder: What of it is listed, if not all: the names' beginning after the prefix.
    """

    def __init__(
        self,
        backend: StorageBackend,
        runtime: Runtime,
        guard: Callable[[str], AbstractContextManager[Any]],
        container: Container,
        prefix: str = "",
        *,
        provider: str = "",
        folder: str = "",
    ) -> None:
        self.backend = backend
        self.runtime = runtime
        self.container = container
        self.prefix = prefix
        self.provider = provider
        self._start = prefix + folder
        self._guard = guard

    async def call(self, job: Coroutine[Any, Any, T]) -> T:
        """Run an operation of the backend; its errors name provider and operation."""
        with self._guard(getattr(job, "__name__", "")):
            return await job

    async def entries(self) -> AsyncIterator[Entry]:
        """Yield the objects in the provider's order, page by page."""
        limits = replace(self.backend.connection.limits, max_items=1 << 62, max_pages=1 << 62)
        guard = PageGuard(limits)
        cursor: str | None = None
        while True:
            page = await self.call(
                self.backend.list_container_objects(self.container, self._start or None, cursor)
            )
            guard.check(page)
            for obj in page.items:
                if obj.name != self.prefix:
                    yield entry_of(obj, self.prefix)
            cursor = page.cursor
            if cursor is None:
                return

    async def delete(self, entries: Sequence[Entry]) -> list[CloudError | None]:
        """Delete objects; return for each in order why it is still there, or None."""
        results: dict[str, CloudError | None] = {}
        for batch in batches(self.backend, [entry.item for entry in entries]):
            try:
                errors = await self.call(delete_batch(self.backend, batch))
            except CloudError as error:
                errors = [error] * len(batch)
            results |= {obj.name: error for obj, error in zip(batch, errors, strict=True)}
        return [results[entry.item.name] for entry in entries]

    async def digest(self, entry: Entry, name: str) -> str:
        """Return a digest that the provider tells; an empty text if it does not tell that one."""
        if not entry.checksums:
            full = await self.call(self.backend.get_object(self.container.name, entry.item.name))
            return _checksums(full).get(name, "")
        return entry.checksums.get(name, "")

    def holds(self, other: object) -> bool:
        """Whether another side is of the same service and account, so that it copies by itself."""
        if not isinstance(other, CloudSide):
            return False
        ours, theirs = self.backend, other.backend
        return ours is theirs or (
            type(ours) is type(theirs)
            and ours.account == theirs.account
            and ours.account.secrets() == theirs.account.secrets()
            and ours.connection.endpoint == theirs.connection.endpoint
        )


def entry_of(obj: Object, prefix: str = "") -> Entry:
    """Return an object as an entry, named by what follows a prefix."""
    modified = obj.extra.get("last_modified")
    when = modified if isinstance(modified, datetime) else None
    return Entry(obj.name.removeprefix(prefix), obj.size, when, _checksums(obj), obj)


def _checksums(obj: Object) -> dict[str, str]:
    found: dict[str, str] = dict(obj.extra.get("checksums") or {})
    if obj.hash and len(obj.hash) == 32 and "md5" not in found:  # noqa: PLR2004 - MD5 in hex
        found["md5"] = obj.hash
    return found


class LocalSide:
    """Files of a directory and of those in it; links and special files are passed over.

    Args:
        root: The directory.
        runtime: What it runs on.
        encode: Whether files stand for objects whose names no file can have, under encoded names.
    """

    def __init__(self, root: Path, runtime: Runtime, *, encode: bool = False) -> None:
        self.root = root
        self.runtime = runtime
        self._encode = encode
        self._names = NameMap(root, encode=encode)
        self._claimed: dict[str, Path | InvalidRequestError] = {}

    def claim(self, name: str) -> None:
        """Choose the file for an object, before others of the same list choose theirs."""
        try:
            self._claimed[name] = self._names.local_path(name)
        except InvalidRequestError as error:
            self._claimed[name] = error

    def path_of(self, name: str) -> Path:
        """Return the file for an object.

        Raises:
            InvalidRequestError: None can be called so, or it is another object's.
        """
        if name not in self._claimed:
            self.claim(name)
        found = self._claimed.pop(name)
        if isinstance(found, InvalidRequestError):
            raise found
        return found

    async def entries(self) -> AsyncIterator[Entry]:
        """Yield the files in the order of their names as objects."""
        if not self.root.exists():
            return  # a target is made when the first file comes
        walk = _walk(self.root, "", encode=self._encode)
        if self._encode:  # files come in the order of their encoded names
            decoded = walk
            walk = iter(await self.runtime.in_thread(lambda: sorted(decoded, key=_key)))
        while entries := await self.runtime.in_thread(partial(_some, walk)):
            for entry in entries:
                yield entry

    async def delete(self, entries: Sequence[Entry]) -> list[CloudError | None]:
        """Delete files, and directories that are empty then."""
        return await self.runtime.in_thread(
            lambda: [_delete(self.root, entry.item) for entry in entries]
        )

    async def digest(self, entry: Entry, name: str) -> str:
        """Return a digest of a file; an empty text for one that is not known here."""
        return await self.runtime.in_thread(partial(_digest, entry.item, name))


Side = CloudSide | LocalSide


def _some(walk: Iterator[Entry]) -> list[Entry]:
    return list(islice(walk, 1000))


def _walk(folder: Path, prefix: str, *, encode: bool) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as found:
            items = sorted(found, key=_place)
    except OSError as error:
        raise InvalidRequestError(f"cannot read {folder}: {error.strerror}") from error
    for item in items:
        name = prefix + item.name
        if item.is_dir(follow_symlinks=False):
            yield from _walk(Path(item.path), f"{name}/", encode=encode)
        elif item.is_file(follow_symlinks=False) and not item.name.startswith(_OURS):
            status = item.stat(follow_symlinks=False)
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            meant = object_name("", name, encode=True) if encode else name
            yield Entry(meant, status.st_size, modified, {}, Path(item.path))


def _place(item: os.DirEntry[str]) -> bytes:
    """Return where a file or directory comes among the names of objects."""
    return key_of(f"{item.name}/" if item.is_dir(follow_symlinks=False) else item.name)


def _key(entry: Entry) -> bytes:
    return key_of(entry.name)


def _delete(root: Path, path: Path) -> CloudError | None:
    try:
        path.unlink()
        for folder in path.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()
    except FileNotFoundError:
        return None
    except OSError as error:
        return InvalidRequestError(f"cannot delete {path}: {error.strerror}")
    return None


def _digest(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            if name == "crc32":
                return f"{_crc32(file):08x}"
            known = name in hashlib.algorithms_guaranteed
            return hashlib.file_digest(file, name).hexdigest() if known else ""
    except OSError as error:
        raise InvalidRequestError(f"cannot read {path}: {error.strerror}") from error


def _crc32(file: BinaryIO) -> int:
    total = 0
    while piece := file.read(_PIECE):
        total = zlib.crc32(piece, total)
    return total
