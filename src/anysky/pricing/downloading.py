"""Write a download to a file: hashed, counted and unpacked piece by piece."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from pathlib import Path

from .errors import CatalogueStoreError, UpdateVerificationError
from .manifest import CatalogueFile

__all__ = ["Download"]

_STEP = 1024 * 1024
_GZIP = 31  # a window of 2**15, with gzip's head and tail


class Download:
    """One download.

    Args:
        promised: What the manifest says of it.
        path: Where the catalogue is written.

    Raises:
        CatalogueStoreError: The file cannot be made.
    """

    def __init__(self, promised: CatalogueFile, path: Path) -> None:
        self.path = path
        self.received = 0
        self._promised = promised
        self._written = 0
        self._packed_hash = hashlib.sha256()
        self._hash = hashlib.sha256()
        self._unpacker = zlib.decompressobj(_GZIP) if promised.encoding == "gzip" else None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise self._cannot_write(error) from error

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UpdateVerificationError: It is more than was promised, or damaged.
            CatalogueStoreError: It cannot be written.
        """
        self.received += len(piece)
        if self.received > self._promised.size:
            raise UpdateVerificationError(
                f"more than the promised {self._promised.size} bytes came"
            )
        self._packed_hash.update(piece)
        if self._unpacker is None:
            self._write(piece)
            return
        try:
            while piece and not self._unpacker.eof:
                self._write(self._unpacker.decompress(piece, _STEP))
                piece = self._unpacker.unconsumed_tail
        except zlib.error as error:
            raise UpdateVerificationError(f"the download is damaged: {error}") from error

    def _write(self, content: bytes) -> None:
        self._written += len(content)
        if self._written > self._promised.raw_size:
            raise UpdateVerificationError(
                f"the download unpacks to more than the promised {self._promised.raw_size} bytes"
            )
        self._hash.update(content)
        try:
            self._file.write(content)
        except OSError as error:
            raise self._cannot_write(error) from error

    def finish(self) -> None:
        """See that all came and is what was promised; the file is on the disk then.

        Raises:
            UpdateVerificationError: It is not.
            CatalogueStoreError: It cannot be written.
        """
        promised = self._promised
        while self._unpacker is not None and (rest := self._unpacker.decompress(b"", _STEP)):
            self._write(rest)
        if self._unpacker is not None and (not self._unpacker.eof or self._unpacker.unused_data):
            raise UpdateVerificationError("the download is not whole, or has something after it")
        if (self.received, self._written) != (promised.size, promised.raw_size):
            raise UpdateVerificationError(f"{self.received} bytes came in place of {promised.size}")
        hashes = (self._packed_hash.hexdigest(), self._hash.hexdigest())
        if hashes != (promised.sha256, promised.raw_sha256):
            raise UpdateVerificationError("the download has another SHA-256 than was promised")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._cannot_write(error) from error

    def drop(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _cannot_write(self, error: OSError) -> CatalogueStoreError:
        return CatalogueStoreError(f"cannot write {self.path}: {error.strerror or error}")
