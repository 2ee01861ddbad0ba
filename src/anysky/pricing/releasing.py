"""Write a catalogue and its manifest into a folder that can be served as it is."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from anysky.errors import InvalidRequestError

from .building.draft import Draft
from .building.reading import read_draft
from .building.writing import write_catalogue
from .catalogue import Catalogue
from .checking import check_catalogue
from .errors import CatalogueStoreError
from .histories import COLUMNS as HEADER
from .histories import HISTORY, change_lines
from .manifest import MAX_RAW_SIZE, MAX_SIZE, CatalogueFile, Manifest, parse_manifest
from .places import version_key
from .schema import SCHEMA
from .secret_keys import SecretKey

__all__ = ["PART", "Release", "Signing", "next_version", "published", "release"]

PART = ".build-"
"""How the names of files and folders begin that are not ready yet."""

_MANIFEST = "manifest.json"
_SIGNATURE = ".minisig"
_DATE_PARTS = 3


class Release(NamedTuple):
    """What was written: the paths of the manifest and of the packed catalogue."""

    manifest: Path
    catalogue: Path


def published(folder: Path) -> Manifest | None:
    """Return the manifest in a folder, or None if there is none.

    Raises:
        UpdateVerificationError: There is a file of this name which is no manifest.
        CatalogueSchemaError: It is for another version of anysky.
    """
    try:
        return parse_manifest((folder / _MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", folder / _MANIFEST, error) from error


def next_version(wanted: str | None, today: dt.date, before: Iterable[str]) -> str:
    """Return the version of a new catalogue: the day, and a number if that is not newer.

    Args:
        wanted: A version that was asked for, or None.
        today: The day.
        before: Versions that have to be older.

    Raises:
        InvalidRequestError: The version that was asked for is not newer.
    """
    newest = version_key(max(before, key=version_key, default=""))
    version = wanted or f"{today:%Y.%m.%d}"
    if version_key(version) > newest:
        return version
    if wanted:
        shown = ".".join(str(part) for part in newest)
        raise InvalidRequestError(f"version {wanted} is not newer than {shown}")
    count = newest[_DATE_PARTS] if len(newest) > _DATE_PARTS else 0
    return "{:04}.{:02}.{:02}.{}".format(*newest[:_DATE_PARTS], count + 1)


class Signing(NamedTuple):
    """How a manifest is signed.

    Attributes:
        key: The secret key; None for a manifest without signature.
        now: Time of the manifest.
        days: After how many it is no longer believed.
    """

    key: SecretKey | None
    now: dt.datetime
    days: int


def release(draft: Draft, folder: Path, work: Path, signing: Signing) -> Release:
    """Write a catalogue, the manifest that leads to it, its signature, and what changed.

    The catalogue has a name of its own and is there before the manifest names it.

    Args:
        draft: The catalogue.
        folder: Where to; older catalogues in it stay.
        work: A folder for what is not ready yet.
        signing: How the manifest is signed.

    Raises:
        InvalidRequestError: The catalogue would be too large.
        CatalogueStoreError: It cannot be written.
    """
    before = published(folder)
    log = _history(draft, folder, work, before)
    file, packed = _pack(draft, work)
    manifest = Manifest(
        schema=SCHEMA,
        version=draft.version,
        expires=signing.now + dt.timedelta(days=signing.days),
        files=(file,),
        min_reader=SCHEMA,
        generated=signing.now,
        previous=before.version if before else None,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    target = folder / file.url
    _make_folder(target.parent)
    _replace(target, packed)
    _sign(folder, text, signing)
    _replace(folder / _MANIFEST, text)
    _replace(folder / HISTORY, log)
    return Release(folder / _MANIFEST, target)


def _pack(draft: Draft, work: Path) -> tuple[CatalogueFile, bytes]:
    """Write a catalogue, look it through, and return its entry in the manifest and its bytes."""
    path = work / "prices.db"
    try:
        write_catalogue(draft, path)
    except (OSError, sqlite3.Error) as error:
        raise CatalogueStoreError(f"cannot write {path}: {error}") from error
    rows = dict(Counter(one.provider for one in draft.figures))
    check_catalogue(path, version=draft.version, rows=rows)
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0)
    if len(content) > MAX_RAW_SIZE or len(packed) > MAX_SIZE:
        raise InvalidRequestError("the catalogue is larger than an update may be")
    digest = hashlib.sha256(packed).hexdigest()
    file = CatalogueFile(
        name="prices",
        url=f"{draft.version}/prices-{digest[:12]}.db.gz",
        size=len(packed),
        sha256=digest,
        raw_size=len(content),
        raw_sha256=hashlib.sha256(content).hexdigest(),
        rows=rows,
    )
    return file, packed


def _history(draft: Draft, folder: Path, work: Path, before: Manifest | None) -> bytes:
    """Return the history with what differs from the catalogue that was published before."""
    place = folder / HISTORY
    log = place.read_bytes() if place.exists() else f"{','.join(HEADER)}\n".encode()
    if before is None:
        return log
    path = work / "before.db"
    try:
        with gzip.open(folder / before.prices.url) as file:
            path.write_bytes(file.read(before.prices.raw_size))
    except FileNotFoundError:  # nobody can say what changed
        return log
    except OSError as error:
        raise _cannot("read", folder / before.prices.url, error) from error
    with Catalogue(str(path)) as catalogue:
        lines = change_lines(draft.version, read_draft(catalogue).figures, draft.figures)
    return log + lines.encode()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise _cannot("write", path, error) from error


def _sign(folder: Path, manifest: bytes, signing: Signing) -> None:
    """Write the signature of a manifest; without a key, take away that of the one before."""
    place = folder / (_MANIFEST + _SIGNATURE)
    if signing.key is None:
        place.unlink(missing_ok=True)
        return
    comment = f"timestamp:{int(signing.now.timestamp())}\tfile:{_MANIFEST}\thashed"
    _replace(place, signing.key.sign(manifest, comment))


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    temporary = path.with_name(f"{PART}{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot("write", path, error) from error


def _cannot(what: str, path: Path, error: OSError) -> CatalogueStoreError:
    return CatalogueStoreError(f"cannot {what} {path}: {error.strerror or error}")
