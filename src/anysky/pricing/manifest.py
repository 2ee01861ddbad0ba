"""What a publisher says of its newest catalogue."""

from __future__ import annotations

import datetime as dt
import re

import msgspec

from .errors import CatalogueSchemaError, UpdateVerificationError
from .schema import SCHEMA

__all__ = [
    "MAX_RAW_SIZE",
    "MAX_SIZE",
    "VERSION",
    "CatalogueFile",
    "Manifest",
    "check_fresh",
    "parse_manifest",
]

MAX_SIZE = 32 * 1024 * 1024
"""Bytes of a download at the most."""
MAX_RAW_SIZE = 256 * 1024 * 1024
"""Bytes of a catalogue at the most."""

VERSION = re.compile(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}(\.[0-9]{1,6})?", re.ASCII)
"""Form of a catalogue's version."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME = "prices"


class CatalogueFile(msgspec.Struct, frozen=True):
    """A catalogue that can be downloaded.

    Attributes:
        name: ``"prices"``.
        url: Its address, relative to that of the manifest.
        size: Bytes of the download.
        sha256: Of the download.
        raw_size: Bytes of the catalogue.
        raw_sha256: Of the catalogue.
        encoding: ``"gzip"``, or ``"identity"``.
        mirrors: Further addresses.
        rows: How many prices of each provider.
    """

    name: str
    url: str
    size: int
    sha256: str
    raw_size: int
    raw_sha256: str
    encoding: str = "gzip"
    mirrors: tuple[str, ...] = ()
    rows: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class Manifest(msgspec.Struct, frozen=True):
    """A publisher's manifest.

    Attributes:
        schema: Schema version of the catalogue.
        version: For example ``"2026.11.22"``.
        expires: When it is too old to be believed, with time zone.
        files: What can be downloaded.
        min_reader: Lowest schema version that a reader has to know.
        generated: When it was made.
        previous: Version that was published before, or None.
    """

    schema: int
    version: str
    expires: dt.datetime
    files: tuple[CatalogueFile, ...]
    min_reader: int = 1
    generated: dt.datetime | None = None
    previous: str | None = None

    @property
    def prices(self) -> CatalogueFile:
        """The catalogue.

        Raises:
            UpdateVerificationError: There is none.
        """
        for file in self.files:
            if file.name == _NAME:
                return file
        raise UpdateVerificationError("the manifest has no catalogue")


class _Head(msgspec.Struct):
    schema: int
    min_reader: int = 1


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest and see that its figures are possible.

    Raises:
        CatalogueSchemaError: It is for another version of anysky.
        UpdateVerificationError: It is no manifest.
    """
    try:
        head = msgspec.json.decode(content, type=_Head)
        if head.schema != SCHEMA or head.min_reader > SCHEMA:
            raise CatalogueSchemaError(
                f"the manifest is for schema {head.schema}, and this version of anysky reads "
                f"schema {SCHEMA}: upgrade anysky"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        if isinstance(error, CatalogueSchemaError):
            raise
        raise UpdateVerificationError(f"this is no manifest: {str(error)[:200]}") from error
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    file = manifest.prices
    problems = {
        "version": not VERSION.fullmatch(manifest.version),
        "expires": manifest.expires.tzinfo is None,
        "encoding": file.encoding not in ("gzip", "identity"),
        "sha256": not _SHA256.fullmatch(file.sha256),
        "raw_sha256": not _SHA256.fullmatch(file.raw_sha256),
        "size": not 0 < file.size <= MAX_SIZE,
        "raw_size": not 0 < file.raw_size <= MAX_RAW_SIZE,
    }
    wrong = [name for name, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise UpdateVerificationError(f"the manifest has an impossible {', '.join(wrong)}")


def check_fresh(expires: dt.datetime, now: float) -> None:
    """See that a manifest has not expired: somebody may hold back newer ones.

    Raises:
        UpdateVerificationError: It has.
    """
    if expires.timestamp() <= now:
        raise UpdateVerificationError(
            f"the manifest has expired on {expires:%Y-%m-%d}: newer ones do not get here, or the "
            "clock is wrong"
        )
