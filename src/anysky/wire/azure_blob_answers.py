"""What Azure Blob Storage answers, as data: records of its XML, header fields.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

from anysky.errors import MalformedResponseError
from anysky.model.base import lazy_extra
from anysky.model.storage import Container, Object, ObjectSpec, ObjectVersion, Prefix
from anysky.transport.base import Response

from .xml import (
    Element,
    Record,
    XMLError,
    boolean,
    decode,
    integer,
    pairs,
    parse,
    records,
    required,
    source,
    text,
)

__all__ = [
    "BlockLists",
    "Containers",
    "Listing",
    "Tags",
    "Versions",
    "container_of_headers",
    "containers_of",
    "date_of",
    "decoded",
    "entries_of",
    "extra_of_new",
    "listing_of",
    "md5_of_headers",
    "new_object",
    "object_of_headers",
    "objects_of",
    "tree_of",
    "version_listing_of",
    "version_of_headers",
    "versions_of",
]

R = TypeVar("R", bound=Record)

_META = "x-ms-meta-"
_ENCODED = b'Encoded="true"'
_BOM = b"\xef\xbb\xbf"
_MD5_BYTES = 16
_EXTRA: Mapping[str, str] = {
    "cache-control": "cache_control",
    "content-disposition": "content_disposition",
    "content-encoding": "content_encoding",
    "content-language": "content_language",
    "content-type": "content_type",
    "x-ms-access-tier": "storage_class",
    "x-ms-archive-status": "archive_status",
    "x-ms-blob-type": "blob_type",
    "x-ms-copy-status": "copy_status",
    "x-ms-lease-state": "lease_state",
    "x-ms-lease-status": "lease_status",
    "x-ms-tag-count": "tag_count",
    "x-ms-version-id": "version_id",
}
_OF_CONTAINER: Mapping[str, str] = {
    "etag": "etag",
    "x-ms-blob-public-access": "public_access",
    "x-ms-lease-state": "lease_state",
    "x-ms-lease-status": "lease_status",
}


class _ContainerItem(Record):
    name: str = required("Name")
    modified: str | None = text("Properties/Last-Modified")
    etag: str | None = text("Properties/Etag")
    access: str | None = text("Properties/PublicAccess")


class Containers(Record, root="EnumerationResults"):
    """The answer of List Containers."""

    marker: str = text("NextMarker", "")
    containers: list[_ContainerItem] = records("Containers/Container", _ContainerItem)


class _Named(Record):
    name: str = required("Name")


class _Blob(_Named):
    size: int = integer("Properties/Content-Length", 0)
    etag: str = text("Properties/Etag", "")
    modified: str | None = text("Properties/Last-Modified")
    content_type: str | None = text("Properties/Content-Type")
    md5: str | None = text("Properties/Content-MD5")
    tier: str | None = text("Properties/AccessTier")
    blob_type: str | None = text("Properties/BlobType")
    version_id: str | None = text("VersionId")


class _Version(_Blob):
    snapshot: str | None = text("Snapshot")
    is_current: bool = boolean("IsCurrentVersion", False)
    raw: bytes = source()


class _BlobPrefix(_Named):
    """What several names begin with."""


class Listing(Record, root="EnumerationResults"):
    """The answer of List Blobs."""

    marker: str = text("NextMarker", "")
    blobs: list[_Blob] = records("Blobs/Blob", _Blob)
    prefixes: list[_BlobPrefix] = records("Blobs/BlobPrefix", _BlobPrefix)


class Versions(Record, root="EnumerationResults"):
    """The same with versions."""

    marker: str = text("NextMarker", "")
    blobs: list[_Version] = records("Blobs/Blob", _Version)


class _Block(Record):
    name: str = required("Name")
    size: int = integer("Size", 0)


class BlockLists(Record, root="BlockList"):
    """The answer of Get Block List."""

    committed: list[_Block] = records("CommittedBlocks/Block", _Block)
    uncommitted: list[_Block] = records("UncommittedBlocks/Block", _Block)


class Tags(Record, root="Tags"):
    """The answer of Get Blob Tags."""

    tags: dict[str, str] = pairs("TagSet/Tag", "Key", "Value")


def decoded(response: Response, document: type[R]) -> R:
    """Return an answer's record.

    Raises:
        MalformedResponseError: It is not the XML that the reference promises.
    """
    try:
        return decode(response.body.removeprefix(_BOM), document)
    except XMLError as error:
        raise _malformed(response, error) from error


def tree_of(response: Response) -> Element:
    """Return the root of a small answer.

    Raises:
        MalformedResponseError: It is not XML.
    """
    try:
        return parse(response.body.removeprefix(_BOM))
    except XMLError as error:
        raise _malformed(response, error) from error


def _malformed(response: Response, error: Exception) -> MalformedResponseError:
    return MalformedResponseError(
        f"the answer is not as the reference of Azure says: {error}",
        status=response.status,
        body=response.body,
        request_id=response.headers.get("x-ms-request-id", ""),
    )


# -- lists ---------------------------------------------------------------------------------------


def listing_of(response: Response) -> Listing:
    """Return a list of blobs, with the names that XML cannot hold decoded.

    Raises:
        MalformedResponseError: It is not the XML that the reference promises.
    """
    listing = decoded(response, Listing)
    if _ENCODED in response.body:
        tree = tree_of(response)
        _rename(listing.blobs, tree.all("Blobs/Blob/Name"))
        _rename(listing.prefixes, tree.all("Blobs/BlobPrefix/Name"))
    return listing


def version_listing_of(response: Response) -> Versions:
    """Return a list of versions of blobs, as `listing_of`.

    Raises:
        MalformedResponseError: It is not the XML that the reference promises.
    """
    listing = decoded(response, Versions)
    if _ENCODED in response.body:
        _rename(listing.blobs, tree_of(response).all("Blobs/Blob/Name"))
    return listing


def _rename(items: Sequence[_Named], names: Sequence[Element]) -> None:
    for item, element in zip(items, names, strict=True):
        item.name = _name_of(element)


def _name_of(element: Element) -> str:
    is_encoded = element.attributes.get("Encoded") == "true"
    return unquote(element.value) if is_encoded else element.value


def containers_of(answer: Containers) -> list[Container]:
    """Make containers of a list."""
    return [Container(item.name, _listed_container(item)) for item in answer.containers]


def _listed_container(item: _ContainerItem) -> dict[str, Any]:
    known = {"etag": _quoted(item.etag or ""), "public_access": item.access}
    extra: dict[str, Any] = {"last_modified": date_of(item.modified)}
    return extra | {name: value for name, value in known.items() if value}


def container_of_headers(name: str, headers: Mapping[str, str]) -> Container:
    """Make a container of the header fields of Get Container Properties."""
    extra: dict[str, Any] = {
        known: headers[field] for field, known in _OF_CONTAINER.items() if field in headers
    }
    extra["last_modified"] = date_of(headers.get("last-modified"))
    if found := _metadata_of(headers):
        extra["meta_data"] = found
    return Container(name, extra)


def objects_of(listing: Listing, container: Container) -> list[Object]:
    """Make objects of a list, which have no metadata."""
    return [
        Object(
            item.name, item.size, _hex(item.md5), lazy_extra(partial(_extra, item)), {}, container
        )
        for item in listing.blobs
    ]


def entries_of(listing: Listing, container: Container) -> list[Object | Prefix]:
    """Return objects and prefixes of a list, in the order of their names."""
    found: list[Object | Prefix] = [*objects_of(listing, container)]
    found += [Prefix(item.name, container) for item in listing.prefixes]
    return sorted(found, key=lambda entry: entry.name.encode("utf-8", "surrogatepass"))


def versions_of(blobs: Sequence[_Version], container: Container) -> list[ObjectVersion]:
    """Make versions of a list, by name, the latest of each first.

    The service lists those of one name from the oldest on; blobs without versions are left out.
    """
    newest_first = sorted(blobs, key=lambda item: item.version_id or "", reverse=True)
    return [
        ObjectVersion(
            item.name,
            item.size,
            _hex(item.md5),
            lazy_extra(partial(_extra, item)),
            {},
            container,
            item.version_id,
            item.is_current,
        )
        for item in sorted(newest_first, key=lambda item: item.name)
        if item.version_id and not item.snapshot
    ]


def _extra(item: _Blob) -> dict[str, Any]:
    extra: dict[str, Any] = {"last_modified": date_of(item.modified), "etag": _quoted(item.etag)}
    known = {
        "content_type": item.content_type,
        "storage_class": item.tier,
        "blob_type": item.blob_type,
        "version_id": item.version_id,
    }
    extra |= {name: value for name, value in known.items() if value}
    md5 = _hex(item.md5)
    return extra | ({"checksums": {"md5": md5}} if md5 else {})


# -- header fields -------------------------------------------------------------------------------


def object_of_headers(name: str, headers: Mapping[str, str], container: Container) -> Object:
    """Make an object of the header fields of Get Blob Properties.

    Raises:
        MalformedResponseError: They don't say how long it is.
    """
    size, extra = _size(headers), _extra_of_headers(headers)
    md5 = md5_of_headers(headers)
    return Object(name, size, md5, extra, _metadata_of(headers), container)


def version_of_headers(
    name: str, headers: Mapping[str, str], container: Container, version_id: str
) -> ObjectVersion:
    """Make a version of the header fields of Get Blob Properties.

    Raises:
        MalformedResponseError: They don't say how long it is.
    """
    is_latest = headers.get("x-ms-is-current-version", "").lower() == "true"
    return ObjectVersion(
        name,
        _size(headers),
        md5_of_headers(headers),
        _extra_of_headers(headers),
        _metadata_of(headers),
        container,
        version_id,
        is_latest,
    )


def new_object(
    container: Container, spec: ObjectSpec, size: int, headers: Mapping[str, str], md5: str | None
) -> Object:
    """Make an object of the answer to its being stored.

    Args:
        container: Where it is.
        spec: What was asked for.
        size: Bytes.
        headers: Header fields of the answer.
        md5: MD5 of all of it in hex, if it is known.
    """
    extra = extra_of_new(headers) | {"content_type": spec.content_type}
    if spec.storage_class:
        extra["storage_class"] = spec.storage_class
    if md5:
        extra["checksums"] = {"md5": md5}
    meta_data = {name.lower(): value for name, value in spec.meta_data.items()}
    return Object(spec.name, size, md5, extra, meta_data, container)


def extra_of_new(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what the answer to storing or copying a blob tells about it."""
    told = ("etag", "last-modified", "x-ms-version-id")
    return _extra_of_headers({name: headers[name] for name in told if name in headers})


def _size(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    if not length.isdecimal():
        raise MalformedResponseError("the answer does not say how long the blob is")
    return int(length)


def _extra_of_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    extra: dict[str, Any] = {
        name: headers[field] for field, name in _EXTRA.items() if field in headers
    }
    if "etag" in headers:
        extra["etag"] = _quoted(headers["etag"])
    if "last-modified" in headers:
        extra["last_modified"] = date_of(headers["last-modified"])
    md5 = md5_of_headers(headers)
    return extra | ({"checksums": {"md5": md5}} if md5 else {})


def md5_of_headers(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 of the whole content in hex, which answers to a range have apart."""
    if "content-range" in headers:
        return _hex(headers.get("x-ms-blob-content-md5"))
    return _hex(headers.get("content-md5"))


def _metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        field.removeprefix(_META): _metadata(value)
        for field, value in headers.items()
        if field.startswith(_META)
    }


def _metadata(value: str) -> str:
    """Decode a value that was encoded (RFC 2047) because no header field could hold it."""
    if not (value.startswith("=?") and value.endswith("?=")):
        return value
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _hex(value: str | None) -> str | None:
    """Return an MD5 in hex; None if there is none."""
    try:
        raw = base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == _MD5_BYTES else None


def _quoted(etag: str) -> str:
    """Return an ETag as header fields have it: lists leave its quotes out."""
    return etag if not etag or etag.endswith('"') else f'"{etag}"'


def date_of(value: str | None) -> datetime | None:
    """Return a time of a header field or a list; None if it is absent or not readable."""
    try:
        found = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
