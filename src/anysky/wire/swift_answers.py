"""What Swift answers, as models and errors.

Vendor's reference: https://docs.openstack.org/api-ref/object-store/
"""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    MalformedResponseError,
    ObjectHashMismatchError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.model.storage import Container, Object, ObjectSpec, ObjectVersion
from anysky.transport.base import Response

from .status import error_for, kind_of_status
from .swift_requests import META

__all__ = [
    "EMPTY_MD5",
    "UPLOAD_META",
    "BulkResult",
    "Entry",
    "Info",
    "Listed",
    "Segment",
    "container_of_headers",
    "decoded",
    "error_of",
    "extra_of_headers",
    "http_date",
    "info_of",
    "is_large",
    "list_date",
    "listed_container",
    "listed_object",
    "listed_version",
    "meta_data_of",
    "object_of_headers",
    "object_of_new",
]

T = TypeVar("T")

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
UPLOAD_META = "anysky-upload"
"""Metadata of a large object that anysky made: the upload that its segments are from."""

_RATE_LIMITED = 498  # Swift's own, beside 429
_UNPROCESSABLE = 422
_TOO_LARGE = 413
_MD5 = re.compile(r"[0-9a-f]{32}")
_PARAGRAPH = re.compile(r"<p>([^<]{1,500})</p>")
_CODE = re.compile(r"[A-Z][A-Za-z]{2,60}")
_QUOTA = re.compile(r"\bquota\b", re.IGNORECASE)
_HIDDEN_META = frozenset({UPLOAD_META, "static-large-object"})  # the latter is Ceph's own
_DELETED = "application/x-deleted;swift_versions_deleted=1"
# What a container's or object's header fields are called in `extra`, as Libcloud calls some.
_CONTAINER_FACTS = {
    "x-storage-policy": "storage_policy",
    "x-container-read": "read_acl",
    "x-container-write": "write_acl",
}
_OBJECT_FACTS = {
    "content-encoding": "content_encoding",
    "content-disposition": "content_disposition",
    "x-delete-at": "delete_at",
    "x-object-manifest": "object_manifest",
    "x-object-version-id": "version_id",
}


class Listed(msgspec.Struct):
    """A container in the list of them."""

    name: str
    count: int = 0
    bytes: int = 0
    last_modified: str = ""


class Entry(msgspec.Struct):
    """An object, a version of one, or a prefix, in the list of a container."""

    name: str = ""
    subdir: str = ""
    hash: str = ""
    bytes: int = 0
    content_type: str = ""
    last_modified: str = ""
    slo_etag: str = ""
    version_id: str = ""
    is_latest: bool = False

    @property
    def marker(self) -> str:
        """What the next page begins after."""
        return self.name or self.subdir


class Segment(msgspec.Struct):
    """A segment in the manifest of a static large object."""

    name: str = ""
    bytes: int = 0
    hash: str = ""
    range: str = ""
    sub_slo: bool = False
    data: str = ""


class BulkResult(msgspec.Struct):
    """The answer to a bulk delete, whose own status is always 200."""

    status: str = msgspec.field(name="Response Status", default="")
    body: str = msgspec.field(name="Response Body", default="")
    errors: list[list[str]] = msgspec.field(name="Errors", default_factory=list[list[str]])
    deleted: int = msgspec.field(name="Number Deleted", default=0)
    not_found: int = msgspec.field(name="Number Not Found", default=0)


class _Swift(msgspec.Struct):
    max_object_name_size: int | None = None  # Ceph's name of what Swift calls …_length


class _TempURL(msgspec.Struct):
    methods: list[str] = []
    allowed_digests: list[str] = []


class _Bulk(msgspec.Struct):
    max_deletes_per_request: int = 1000


class _SLO(msgspec.Struct):
    max_manifest_segments: int = 1000


class Info(msgspec.Struct):
    """What a cluster says that it can; None for what it has not."""

    swift: _Swift | None = None
    tempurl: _TempURL | None = None
    bulk_delete: _Bulk | None = None
    slo: _SLO | None = None
    object_versioning: dict[str, Any] | None = None

    @property
    def is_ceph(self) -> bool:
        """Whether it is Ceph, which has the API but for some of its finer points."""
        return self.swift is not None and self.swift.max_object_name_size is not None


def info_of(response: Response) -> Info:
    """Read what a cluster says of itself; nothing where it does not tell.

    An operator may have switched it off, or have put something else in its place.
    """
    if response.status == 200:  # noqa: PLR2004 - anything else tells nothing
        with contextlib.suppress(MalformedResponseError):
            return decoded(response, Info)
    return Info()


def decoded(response: Response, kind: type[T]) -> T:
    """Decode an answer in JSON; a list without a body is empty.

    Raises:
        MalformedResponseError: It is not what the reference promises.
    """
    try:
        return msgspec.json.decode(response.body or b"[]", type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedResponseError(
            f"Swift's answer is not as its reference says: {error}",
            status=response.status,
            body=response.body,
            headers=dict(response.headers),
        ) from error


def error_of(
    response: Response,
    subject: str,
    missing: type[CloudError] | None = None,
    conflict: type[CloudError] | None = None,
) -> CloudError:
    """Make the error for an answer.

    Args:
        response: The answer.
        subject: What the request was about.
        missing: What 404 means.
        conflict: What 409 means.
    """
    said, code = _said(response)
    kind = kind_of_status(response.status)
    if response.status == 404:  # noqa: PLR2004 - Not Found
        kind = ContainerDoesNotExistError if code == "NoSuchBucket" else missing or kind
        said = ""
    elif response.status == 409:  # noqa: PLR2004 - Conflict
        kind = conflict or kind
    elif response.status == _RATE_LIMITED:
        kind = RateLimitedError
    elif response.status == _UNPROCESSABLE:
        kind = ObjectHashMismatchError
    elif response.status == _TOO_LARGE and (_QUOTA.search(said) or code == "QuotaExceeded"):
        kind = QuotaExceededError
    request_id = response.headers.get("x-trans-id", "")
    message = f"{subject}: {said or _PLAIN.get(response.status, f'status {response.status}')}"
    return error_for(response, message, kind=kind, code=code, request_id=request_id)


_PLAIN = {
    304: "it is what the condition excludes",
    404: "it does not exist",
    412: "it is not what the condition asks for",
}


def _said(response: Response) -> tuple[str, str]:
    """Return the text for people and the code in an answer that is an error."""
    text = response.body[:2000].decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            code = msgspec.json.decode(response.body, type=dict[str, Any]).get("Code", "")
        except (msgspec.MsgspecError, RecursionError, ValueError):
            code = ""
        return "", code if isinstance(code, str) else ""
    if _CODE.fullmatch(text):
        return text, text
    paragraph = _PARAGRAPH.search(text)
    if paragraph:
        return paragraph[1], ""
    return ("" if text.startswith("<") else text[:300]), ""


def listed_container(item: Listed) -> Container:
    """Make a container of one in a list."""
    extra: dict[str, Any] = {"object_count": item.count, "size": item.bytes}
    if item.last_modified:
        extra["last_modified"] = list_date(item.last_modified)
    return Container(item.name, extra)


def container_of_headers(name: str, headers: Mapping[str, str]) -> Container:
    """Make a container of the header fields of an answer."""
    extra: dict[str, Any] = {
        "object_count": _number(headers, "x-container-object-count"),
        "size": _number(headers, "x-container-bytes-used"),
        "last_modified": http_date(headers.get("last-modified")),
    }
    extra |= {key: headers[field] for field, key in _CONTAINER_FACTS.items() if field in headers}
    return Container(name, extra)


def listed_object(item: Entry, container: Container) -> Object:
    """Make an object of one in a list."""
    large = bool(item.slo_etag)
    etag = item.slo_etag.strip('"') if large else item.hash
    extra: dict[str, Any] = {
        "last_modified": list_date(item.last_modified),
        "content_type": item.content_type,
        "etag": etag,
        "checksums": {} if large else _checksums(item.hash),
        "is_large": large,
    }
    return Object(item.name, item.bytes, None if large else item.hash or None, extra, {}, container)


def listed_version(item: Entry, container: Container) -> ObjectVersion:
    """Make a version of one in a list."""
    deleted = item.content_type == _DELETED
    large = bool(item.slo_etag)
    extra: dict[str, Any] = {
        "last_modified": list_date(item.last_modified),
        "content_type": item.content_type,
        "etag": item.slo_etag.strip('"') if large else item.hash,
        "checksums": {} if large or deleted else _checksums(item.hash),
        "is_large": large,
        "version_id": item.version_id,
    }
    digest = None if large or deleted else item.hash or None
    return ObjectVersion(
        item.name,
        item.bytes,
        digest,
        extra,
        {},
        container,
        item.version_id,
        item.is_latest,
        deleted,
    )


def object_of_headers(name: str, headers: Mapping[str, str], container: Container) -> Object:
    """Make an object of the header fields of an answer."""
    extra = extra_of_headers(headers)
    digest = None if extra["is_large"] else extra["etag"] or None
    size = _number(headers, "content-length")
    return Object(name, size, digest, extra, meta_data_of(headers), container)


def object_of_new(
    spec: ObjectSpec, size: int, headers: Mapping[str, str], container: Container
) -> Object:
    """Make an object of the answer to its being stored."""
    kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
    extra = extra_of_headers({**kept, "content-type": spec.content_type})
    digest = None if extra["is_large"] else extra["etag"] or None
    return Object(spec.name, size, digest, extra, dict(spec.meta_data), container)


def extra_of_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what header fields say of an object besides name, size and metadata."""
    etag = headers.get("etag", "").strip().strip('"')
    large = is_large(headers)
    extra: dict[str, Any] = {
        "last_modified": http_date(headers.get("last-modified")),
        "content_type": headers.get("content-type"),
        "etag": etag,
        "checksums": {} if large else _checksums(etag),
        "is_large": large,
    }
    extra |= {key: headers[field] for field, key in _OBJECT_FACTS.items() if field in headers}
    return extra


def is_large(headers: Mapping[str, str]) -> bool:
    """Whether an object is made of segments, so that its ETag is not an MD5 of its content."""
    static = headers.get("x-static-large-object", "").lower()
    return static == "true" or "x-object-manifest" in headers


def meta_data_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the user's own metadata."""
    found = {
        name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)
    }
    return {name: _decoded(value) for name, value in found.items() if name not in _HIDDEN_META}


def _decoded(value: str) -> str:
    """Undo the percent-encoding, and the reading of raw UTF-8 as Latin-1."""
    with contextlib.suppress(UnicodeError):
        value = value.encode("latin-1").decode()
    try:
        return urllib.parse.unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _checksums(etag: str) -> dict[str, str]:
    return {"md5": etag} if _MD5.fullmatch(etag) else {}


def _number(headers: Mapping[str, str], name: str) -> int:
    value = headers.get(name, "").strip()
    if value and not (value.isdecimal() and len(value) < 20):  # noqa: PLR2004 - digits of 2**64
        raise MalformedResponseError(f"the header field {name} is no number: {value[:40]!r}")
    return int(value or 0)


def http_date(text: str | None) -> datetime | None:
    """Read a date of HTTP; None without one."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedResponseError(f"{text[:40]!r} is no date") from error
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def list_date(text: str) -> datetime | None:
    """Read a date of a list, which is in UTC without saying so."""
    if not text:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedResponseError(f"{text[:40]!r} is no date") from error
    return date if date.tzinfo else date.replace(tzinfo=UTC)
