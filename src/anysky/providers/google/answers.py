"""What Cloud Storage answers, as data.

Vendor's references: https://cloud.google.com/storage/docs/json_api/v1/objects#resource and
https://cloud.google.com/storage/docs/json_api/v1/buckets#resource
"""

from __future__ import annotations

import base64
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from anysky.errors import MalformedResponseError
from anysky.model.base import lazy_extra
from anysky.model.storage import Container, Object, ObjectVersion, Prefix

__all__ = [
    "LISTED",
    "BucketResource",
    "Buckets",
    "Listing",
    "ObjectResource",
    "Rewrite",
    "checksums_of_header",
    "container_of",
    "encoded_digest",
    "entries_of",
    "object_of",
    "version_of",
]

_DIGEST_BYTES = {"md5": 16, "crc32c": 4}


class BucketResource(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A bucket."""

    name: str
    location: str | None = None
    location_type: str | None = None
    storage_class: str | None = None
    time_created: str | None = None
    updated: str | None = None
    project_number: str | None = None
    metageneration: str | None = None
    labels: dict[str, str] | None = None
    versioning: dict[str, bool] | None = None


class Buckets(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of buckets."""

    items: list[BucketResource] = msgspec.field(default_factory=list[BucketResource])
    next_page_token: str | None = None


class ObjectResource(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """An object, or a version of one."""

    name: str
    size: str = "0"
    generation: str = ""
    metageneration: str = ""
    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    custom_time: str | None = None
    storage_class: str | None = None
    time_created: str | None = None
    time_deleted: str | None = None
    updated: str | None = None
    md5_hash: str | None = None
    crc32c: str | None = None
    component_count: int | None = None
    kms_key_name: str | None = None
    media_link: str | None = None
    metadata: dict[str, str] | None = None


LISTED = (
    "nextPageToken,prefixes,items(name,size,generation,metageneration,contentType,contentEncoding,"
    "storageClass,timeCreated,timeDeleted,updated,md5Hash,crc32c,metadata)"
)
"""What a list is asked for of its objects: the rest makes half of the answer."""


class Listing(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of objects and, with a delimiter, of prefixes."""

    items: list[ObjectResource] = msgspec.field(default_factory=list[ObjectResource])
    prefixes: list[str] = msgspec.field(default_factory=list[str])
    next_page_token: str | None = None


class Rewrite(msgspec.Struct, kw_only=True, rename="camel"):
    """What has come of a copy until now."""

    done: bool = False
    rewrite_token: str | None = None
    resource: ObjectResource | None = None


def container_of(item: BucketResource) -> Container:
    """Make a container of a bucket."""
    extra = _named(item)
    for name in ("time_created", "updated"):
        if name in extra:
            extra[name] = _date(extra[name])
    extra["creation_date"] = extra.pop("time_created", None)
    return Container(item.name, extra)


def object_of(item: ObjectResource, container: Container) -> Object:
    """Make an object; its hash is the MD5, which objects have not that were composed of others."""
    return Object(
        item.name,
        _size(item),
        _digest("md5", item.md5_hash),
        lazy_extra(partial(_extra, item)),
        item.metadata or {},
        container,
    )


def version_of(item: ObjectResource, container: Container) -> ObjectVersion:
    """Make a version; the name means it now unless it was deleted or replaced."""
    return ObjectVersion(
        item.name,
        _size(item),
        _digest("md5", item.md5_hash),
        lazy_extra(partial(_extra, item)),
        item.metadata or {},
        container,
        item.generation,
        is_latest=item.time_deleted is None,
    )


def entries_of(answer: Listing, container: Container) -> list[Object | Prefix]:
    """Return objects and prefixes of a page, in the order of their names' UTF-8 bytes."""
    found: list[Object | Prefix] = [object_of(item, container) for item in answer.items]
    found += [Prefix(name, container) for name in answer.prefixes]
    return sorted(found, key=lambda entry: entry.name.encode("utf-8", "surrogatepass"))


def _size(item: ObjectResource) -> int:
    if not item.size.isdecimal():
        raise MalformedResponseError(f"the size of an object is {item.size[:40]!r}")
    return int(item.size)


def _extra(item: ObjectResource) -> dict[str, Any]:
    extra = _named(item)
    for name in ("name", "size", "metadata", "md5_hash", "crc32c"):
        extra.pop(name, None)
    for name in ("time_created", "time_deleted", "updated", "custom_time"):
        if name in extra:
            extra[name] = _date(extra[name])
    extra["last_modified"] = extra.pop("updated", None)
    extra["etag"] = extra["version_id"] = item.generation
    given = {"md5": _digest("md5", item.md5_hash), "crc32c": _digest("crc32c", item.crc32c)}
    extra["checksums"] = {name: digest for name, digest in given.items() if digest}
    return extra


def _named(item: msgspec.Struct) -> dict[str, Any]:
    return {
        name: value for name in item.__struct_fields__ if (value := getattr(item, name)) is not None
    }


def checksums_of_header(value: str) -> dict[str, str]:
    """Return the digests of ``X-Goog-Hash``: ``crc32c=…, md5=…``, in hex, by their names."""
    pairs = (each.strip().partition("=") for each in value.split(","))
    found = {name: _digest(name, text) for name, _, text in pairs if name in _DIGEST_BYTES}
    return {name: digest for name, digest in found.items() if digest}


def encoded_digest(name: str, digest: str) -> str | None:
    """Return a digest as the API takes it; None if it is none of its kind."""
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        return None
    return base64.b64encode(raw).decode() if len(raw) == _DIGEST_BYTES.get(name) else None


def _digest(name: str, text: str | None) -> str | None:
    """Return a digest in hex; None if it is absent or not readable."""
    try:
        raw = base64.b64decode(text or "", validate=True)
    except ValueError:
        return None
    return raw.hex() if len(raw) == _DIGEST_BYTES[name] else None


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
