"""Collect what one vendor publishes: fetched page by page, or given as files."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from anysky.errors import CloudError, InvalidRequestError

from .errors import CatalogueStoreError, UpdateVerificationError, VendorDataError
from .fetching import Fetcher, is_local, local_path, origin, shown
from .importers import Document, Importer, Rows

__all__ = ["collect"]

_MOST_DOCUMENTS = 5000
_MISTAKES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


async def collect(fetcher: Fetcher, importer: Importer, source: str | None, folder: Path) -> Rows:
    """Return the rows of all documents of a vendor.

    Args:
        fetcher: Gets them.
        importer: Reads them.
        source: An address, file or folder in place of the vendor's own address.
        folder: Where a document is kept while it is read.

    Raises:
        InvalidRequestError: The vendor asks for a token that is not there.
        UpdateUnavailableError: An address or file is not there.
        UpdateVerificationError: A document is too large or leads to another host.
        VendorDataError: A document is not as documented, or one is missing.
        CatalogueStoreError: The folder cannot be written.
    """
    if source is not None and is_local(source):
        return await fetcher.runtime.in_thread(partial(_read_files, importer, local_path(source)))
    own = importer if source is None else importer.at(source)
    return await _Collection(fetcher, own, _secret(fetcher, importer, source), folder).run()


def _secret(fetcher: Fetcher, importer: Importer, source: str | None) -> dict[str, str]:
    """Return the header with the vendor's token, which only the vendor's own host may see."""
    token = importer.token
    if token is None or (source is not None and origin(source) != origin(importer.urls[0])):
        return {}
    value = fetcher.runtime.environ.get(token.variable, "")
    if not value:
        raise InvalidRequestError(f"{importer.vendor.name} asks for a token: set {token.variable}")
    return {token.header: token.form.format(value)}


def _read_files(importer: Importer, path: Path) -> Rows:
    """Read files that are given; the last one has to be the last page."""
    rows, open_ends = Rows(importer.name), 0
    files = list(_files(path))
    for file in files:
        changed = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
        found = read_document(importer, Document(file, changed.date().isoformat()))
        open_ends += bool(found.more)
        rows.add(found)
    if open_ends == len(files):
        raise VendorDataError(f"{path} is not complete: further pages follow, which are not there")
    return _completed(importer, rows)


def _completed(importer: Importer, rows: Rows) -> Rows:
    """Return the rows of all documents, if that is what they are."""
    if rows.entries < rows.announced:
        raise VendorDataError(
            f"{importer.vendor.name} has {rows.announced} entries, of which {rows.entries} came"
        )
    return importer.complete(rows)


def _files(path: Path) -> Iterator[Path]:
    try:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [one for one in found if one.is_file() and not one.name.startswith(".")]
    except OSError as error:
        raise VendorDataError(f"cannot read {path}: {error.strerror}") from error
    if not files:
        raise VendorDataError(f"there is no file {path}")
    yield from files


def read_document(importer: Importer, document: Document) -> Rows:
    """Read a document.

    Raises:
        VendorDataError: It is not as documented.
    """
    try:
        return importer.read(document)
    except CloudError:
        raise
    except OSError as error:
        raise VendorDataError(f"cannot read {document.name}: {error.strerror}") from error
    except _MISTAKES as error:
        raise VendorDataError(f"{document.name} is not as documented: {error!r}"[:300]) from error


class _Collection:
    """The documents of one vendor, each kept on the disk only while it is read."""

    def __init__(
        self, fetcher: Fetcher, importer: Importer, headers: dict[str, str], folder: Path
    ) -> None:
        self._fetcher = fetcher
        self._importer = importer
        self._headers = headers
        self._path = folder / importer.name
        self._today = dt.datetime.fromtimestamp(fetcher.runtime.time(), dt.UTC).date().isoformat()

    async def run(self) -> Rows:
        """Fetch and read one document after the other."""
        importer = self._importer
        rows, waiting, seen = Rows(importer.name), deque(importer.urls), set(importer.urls)
        while waiting:
            found = await self._read(waiting.popleft())
            rows.add(found)
            new = [url for url in dict.fromkeys(found.more) if url not in seen]
            seen.update(new)
            waiting.extend(new)
            if len(seen) > _MOST_DOCUMENTS:
                raise VendorDataError(f"{importer.vendor.name} has too many pages")
        return _completed(importer, rows)

    async def _read(self, url: str) -> Rows:
        runtime = self._fetcher.runtime
        await self._spool(url)
        document = Document(self._path, self._today, url)
        found = await runtime.in_thread(partial(read_document, self._importer, document))
        for more in found.more:
            if _origin_of(more) != _origin_of(url):
                raise UpdateVerificationError(f"{shown(url)} leads to {shown(more)}")
        return found

    async def _spool(self, url: str) -> None:
        """Write a document to the disk, up to the size that is allowed."""
        left = self._importer.largest
        try:
            with self._path.open("wb") as file:

                def take(piece: bytes) -> None:
                    nonlocal left
                    left -= len(piece)
                    if left < 0:
                        raise UpdateVerificationError(
                            f"{shown(url)} has more than {self._importer.largest} bytes"
                        )
                    file.write(piece)

                await self._fetcher.pour(url, take, self._headers)
        except CloudError:  # a lost connection is an OSError as well
            raise
        except OSError as error:
            raise CatalogueStoreError(f"cannot write {self._path}: {error.strerror}") from error


def _origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address, the port also if it is only meant."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
