"""Write a catalogue and its manifest into a folder that can be served as it is."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from anysky.errors import InvalidRequestError

from .building.draft import Draft
from .building.writing import write_catalogue
from .checking import check_catalogue
from .errors import CatalogueStoreError
from .manifest import MAX_RAW_SIZE, MAX_SIZE, CatalogueFile, Manifest, parse_manifest
from .places import version_key
from .schema import SCHEMA
from .secret_keys import SecretKey

__all__ = ["Release", "next_version", "published", "release"]

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


def release(draft: Draft, folder: Path, work: Path, key: SecretKey | None, now: dt.datetime,
            days: int) -> Release:  # fmt: skip
    """Write a catalogue, the manifest that leads to it, and its signature.

    The catalogue has a name of its own and is there before the manifest names it.

    Args:
        draft: The catalogue.
        folder: Where to; older catalogues in it stay.
        work: A folder for what is not ready yet.
        key: What to sign with, or None.
        now: Time of the manifest.
        days: After how many the manifest is no longer believed.

    Raises:
        InvalidRequestError: The catalogue would be too large.
        CatalogueStoreError: It cannot be written.
    """
    path = work / "prices.db"
    write_catalogue(draft, path)
    rows = dict(Counter(one.provider for one in draft.figures))
    check_catalogue(path, version=draft.version, rows=rows)
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0)
    if len(content) > MAX_RAW_SIZE or len(packed) > MAX_SIZE:
        raise InvalidRequestError("the catalogue is larger than an update may be")
    digest = hashlib.sha256(packed).hexdigest()
    before = published(folder)
    file = CatalogueFile(
        name="prices",
        url=f"{draft.version}/prices-{digest[:12]}.db.gz",
        size=len(packed),
        sha256=digest,
        raw_size=len(content),
        raw_sha256=hashlib.sha256(content).hexdigest(),
        rows=rows,
    )
    manifest = Manifest(
        schema=SCHEMA,
        version=draft.version,
        expires=now + dt.timedelta(days=days),
        files=(file,),
        min_reader=SCHEMA,
        generated=now,
        previous=before.version if before else None,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    return _write(folder, file.url, packed, text, key, now)


def _write(
    folder: Path, name: str, packed: bytes, manifest: bytes, key: SecretKey | None,
    now: dt.datetime,
) -> Release:  # fmt: skip
    target = folder / name
    place = folder / _MANIFEST
    signature = place.with_name(_MANIFEST + _SIGNATURE)
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise _cannot("write", target.parent, error) from error
    _replace(target, packed)
    if key is not None:
        comment = f"timestamp:{int(now.timestamp())}\tfile:{_MANIFEST}\thashed"
        _replace(signature, key.sign(manifest, comment))
    else:
        signature.unlink(missing_ok=True)
    _replace(place, manifest)
    return Release(place, target)


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    temporary = path.with_name(f".{secrets.token_hex(8)}")
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
