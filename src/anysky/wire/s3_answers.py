"""What S3 answers, as data: records of its XML, header fields.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from anysky.errors import MalformedResponseError
from anysky.model.base import lazy_extra
from anysky.model.storage import Container, MultipartUpload, Object, ObjectVersion, Part, Prefix
from anysky.transport.base import Response

from . import s3_checksums as checksums
from .s3_listing import Entry, Listing, read_listing
from .xml import (
    Element,
    Record,
    XMLError,
    boolean,
    decode,
    pairs,
    parse,
    records,
    required,
    text,
)

__all__ = [
    "Buckets",
    "Tags",
    "Uploads",
    "container_of",
    "date_of",
    "decoded",
    "digest_of",
    "entries_of",
    "extra_of_new",
    "key_of",
    "listed_object",
    "listed_parts",
    "listed_upload",
    "listed_versions",
    "listing_of",
    "md5_of_etag",
    "object_of_headers",
    "part_checksums",
    "tree_of",
    "version_of",
    "whole_digest",
]

R = TypeVar("R", bound=Record)

_EXTRA: Mapping[str, str] = {
    "cache-control": "cache_control",
    "content-disposition": "content_disposition",
    "content-encoding": "content_encoding",
    "content-language": "content_language",
    "content-type": "content_type",
    "expires": "expires",
    "x-amz-archive-status": "archive_status",
    "x-amz-expiration": "expiration",
    "x-amz-mp-parts-count": "parts_count",
    "x-amz-object-lock-mode": "object_lock_mode",
    "x-amz-replication-status": "replication_status",
    "x-amz-restore": "restore",
    "x-amz-server-side-encryption": "server_side_encryption",
    "x-amz-storage-class": "storage_class",
    "x-amz-tagging-count": "tag_count",
    "x-amz-version-id": "version_id",
    "x-amz-website-redirect-location": "website_redirect_location",
}
_META = "x-amz-meta-"
_MD5_DIGITS = 32
_HEX = frozenset("0123456789abcdef")
_KMS = "aws:kms"
_FASTEST = ("crc32", "sha256", "md5")


class _Bucket(Record):
    name: str = required("Name")
    created: str | None = text("CreationDate")
    region: str | None = text("BucketRegion")


class Buckets(Record, root="ListAllMyBucketsResult"):
    """The answer of ListBuckets."""

    token: str | None = text("ContinuationToken")
    buckets: list[_Bucket] = records("Buckets/Bucket", _Bucket)


class _Upload(Record):
    key: str = required("Key")
    upload_id: str = required("UploadId")
    initiated: str | None = text("Initiated")
    storage_class: str | None = text("StorageClass")
    algorithm: str = text("ChecksumAlgorithm", "")


class Uploads(Record, root="ListMultipartUploadsResult"):
    """The answer of ListMultipartUploads."""

    is_truncated: bool = boolean("IsTruncated", False)
    key_marker: str = text("NextKeyMarker", "")
    id_marker: str = text("NextUploadIdMarker", "")
    encoding: str | None = text("EncodingType")
    uploads: list[_Upload] = records("Upload", _Upload)


class Tags(Record, root="Tagging"):
    """The answer of GetObjectTagging."""

    tags: dict[str, str] = pairs("TagSet/Tag", "Key", "Value")


def decoded(response: Response, document: type[R]) -> R:
    """Return an answer's record.

    Raises:
        MalformedResponseError: It is not the XML that the reference promises.
    """
    try:
        return decode(response.body, document)
    except XMLError as error:
        raise _malformed(response, error) from error


def tree_of(response: Response) -> Element:
    """Return the root of a small answer.

    Raises:
        MalformedResponseError: It is not XML.
    """
    try:
        # S3 keeps a long call's connection alive with spaces before the document.
        return parse(response.body.lstrip())
    except XMLError as error:
        raise _malformed(response, error) from error


def _malformed(response: Response, error: Exception) -> MalformedResponseError:
    return MalformedResponseError(
        f"the answer is not as S3's reference says: {error}",
        status=response.status,
        body=response.body,
        request_id=response.headers.get("x-amz-request-id", ""),
    )


def key_of(key: str, encoding: str | None) -> str:
    """Return a key of a list that was asked for with ``encoding-type=url``."""
    if encoding != "url" or ("%" not in key and "+" not in key):
        return key
    return unquote_to_bytes(key.replace("+", " ")).decode()


def container_of(bucket: _Bucket) -> Container:
    """Make a container of a listed bucket."""
    extra: dict[str, Any] = {"creation_date": date_of(bucket.created)}
    if bucket.region:
        extra["region"] = bucket.region
    return Container(bucket.name, extra)


def listing_of(response: Response) -> Listing:
    """Return the page of objects that an answer is.

    Raises:
        MalformedResponseError: It is not the XML that the reference promises.
    """
    try:
        return read_listing(response.body)
    except XMLError as error:
        raise _malformed(response, error) from error


def listed_object(entry: Entry, encoding: str | None, container: Container) -> Object:
    """Make an object of an entry of a list, which has neither type nor metadata."""
    key, size, etag, _, _ = entry
    return Object(
        key_of(key, encoding),
        int(size),
        etag.strip('"') if etag else None,
        lazy_extra(partial(_listed_extra, entry)),
        {},
        container,
    )


def _listed_extra(entry: Entry) -> dict[str, Any]:
    _, _, etag, modified, storage_class = entry
    extra: dict[str, Any] = {"last_modified": date_of(modified), "etag": etag}
    if storage_class:
        extra["storage_class"] = storage_class
    return extra


def entries_of(answer: Listing, container: Container) -> list[Object | Prefix]:
    """Return objects and prefixes of a list, in the order of their names' UTF-8 bytes."""
    encoding = answer.encoding
    found: list[Object | Prefix] = [
        listed_object(entry, encoding, container) for entry in answer.entries
    ]
    found += [Prefix(key_of(name, encoding), container) for name in answer.prefixes]
    return sorted(found, key=lambda entry: entry.name.encode("utf-8", "surrogatepass"))


def listed_versions(tree: Element, container: Container) -> list[ObjectVersion]:
    """Make the versions of ListObjectVersions, delete markers among them, the latest first."""
    encoding = tree.text("EncodingType")
    kinds = {"Version": False, "DeleteMarker": True}
    found = [
        _listed_version(item, encoding, container, is_marker=kinds[item.tag])
        for item in tree.children
        if item.tag in kinds
    ]
    # They come in this order from AWS; from others all markers may come last.
    return sorted(found, key=_version_order)


def _version_order(version: ObjectVersion) -> tuple[bytes, bool, float]:
    modified: datetime | None = version.extra["last_modified"]
    age = -modified.timestamp() if modified else 0.0
    return version.name.encode("utf-8", "surrogatepass"), not version.is_latest, age


def _listed_version(
    item: Element, encoding: str | None, container: Container, *, is_marker: bool
) -> ObjectVersion:
    etag, version_id = item.text("ETag"), item.text("VersionId", "")
    extra = {"last_modified": date_of(item.text("LastModified")), "version_id": version_id}
    kept = {"etag": etag, "storage_class": item.text("StorageClass")}
    return ObjectVersion(
        name=key_of(item.text("Key", ""), encoding),
        size=int(item.text("Size", "0")),
        hash=etag.strip('"') if etag else None,
        extra=extra | {name: value for name, value in kept.items() if value},
        meta_data={},
        container=container,
        version_id=version_id,
        is_latest=item.text("IsLatest") == "true",
        is_delete_marker=is_marker,
    )


def version_of(obj: Object, version_id: str, *, is_latest: bool) -> ObjectVersion:
    """Make a version of what is known about it as an object."""
    return ObjectVersion(
        obj.name,
        obj.size,
        obj.hash,
        obj.extra,
        obj.meta_data,
        obj.container,
        version_id,
        is_latest,
    )


def listed_parts(tree: Element) -> list[Part]:
    """Make the parts of ListParts.

    Raises:
        MalformedResponseError: One has no number or size.
    """
    try:
        return [_listed_part(item) for item in tree.all("Part")]
    except ValueError as error:
        raise MalformedResponseError(f"a part without a number or size: {error}") from error


def _listed_part(item: Element) -> Part:
    etag = item.text("ETag", "")
    md5 = _md5(etag.strip('"'))
    known = part_checksums(item) | ({"md5": md5} if md5 else {})
    return Part(int(item.text("PartNumber", "")), int(item.text("Size", "")), etag, known)


def part_checksums(answer: Element) -> dict[str, str]:
    """Return the digests of a part, in hex."""
    given = {name: answer.text(checksums.checksum_tag(name), "") for name in ("crc32", "crc32c")}
    found = {name: checksums.decoded(name, value) for name, value in given.items()}
    return {name: digest for name, digest in found.items() if digest}


def listed_upload(item: _Upload, encoding: str | None, container: Container) -> MultipartUpload:
    """Make an upload of an entry of ListMultipartUploads."""
    extra = {"checksum": item.algorithm.lower()} if item.algorithm else {}
    name = key_of(item.key, encoding)
    return MultipartUpload(container, name, item.upload_id, date_of(item.initiated), extra)


def object_of_headers(name: str, headers: Mapping[str, str], container: Container) -> Object:
    """Make an object of the header fields of HeadObject.

    Raises:
        MalformedResponseError: They don't say how long it is.
    """
    length = headers.get("content-length", "")
    if not length.isdecimal():
        raise MalformedResponseError("the answer does not say how long the object is")
    meta = {
        field.removeprefix(_META): _metadata(value)
        for field, value in headers.items()
        if field.startswith(_META)
    }
    extra = _extra_of_headers(headers)
    return Object(name, int(length), digest_of(headers), extra, meta, container)


def _extra_of_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    extra: dict[str, Any] = {
        name: headers[field] for field, name in _EXTRA.items() if field in headers
    }
    if "etag" in headers:
        extra["etag"] = headers["etag"]
    if "last-modified" in headers:
        extra["last_modified"] = _http_date(headers["last-modified"])
    known = checksums.whole_checksums(headers, md5_of_etag(headers))
    if known:
        extra["checksums"] = known
    return extra


def extra_of_new(headers: Mapping[str, str], content_type: str | None) -> dict[str, Any]:
    """Return what is known of an object just made; the answer's own type is not the object's."""
    own = {name: value for name, value in headers.items() if name.startswith(("x-amz-", "etag"))}
    return _extra_of_headers(own) | ({"content_type": content_type} if content_type else {})


def digest_of(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without its quotes; None where it looks like an MD5 and is none.

    With keys of KMS or of the customer an ETag has the form of an MD5 but is no digest of the
    content: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html.
    """
    etag = headers.get("etag", "").strip('"')
    encrypted = (
        headers.get("x-amz-server-side-encryption", "").startswith(_KMS)
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )
    return None if not etag or (encrypted and len(etag) == _MD5_DIGITS) else etag


def whole_digest(headers: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the digest of the whole content that is computed fastest, in hex, and its name."""
    known = checksums.whole_checksums(headers, md5_of_etag(headers))
    name = next((name for name in _FASTEST if name in known), "md5")
    return known.get(name), name


def md5_of_etag(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 that the ETag is; None if it is none, as that of an object in parts."""
    return _md5(digest_of(headers))


def _md5(etag: str | None) -> str | None:
    digest = (etag or "").lower()
    return digest if len(digest) == _MD5_DIGITS and _HEX.issuperset(digest) else None


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


def date_of(value: str | None) -> datetime | None:
    """Return the time that an answer's XML gives; None if it is absent or not readable."""
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None


def _http_date(value: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
