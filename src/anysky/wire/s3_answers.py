"""What S3 answers, as data: records of its XML, header fields, errors.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.model.base import lazy_extra
from anysky.model.storage import Container, Object
from anysky.transport.base import Response

from .status import error_for
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
    text,
)

__all__ = [
    "Buckets",
    "Listing",
    "Tags",
    "Uploads",
    "container_of",
    "date_of",
    "decoded",
    "digest_of",
    "embedded_error",
    "error_of",
    "extra_of_new",
    "key_of",
    "listed_object",
    "md5_of_whole",
    "object_of_headers",
    "redirect_error",
    "tree_of",
]

R = TypeVar("R", bound=Record)

_ERRORS: Mapping[str, type[CloudError]] = {
    "AccessDenied": PermissionDeniedError,
    "AccountProblem": PermissionDeniedError,
    "AllAccessDisabled": PermissionDeniedError,
    "AuthorizationHeaderMalformed": AuthenticationError,
    "BadDigest": ObjectHashMismatchError,
    "BucketAlreadyExists": ContainerAlreadyExistsError,
    "BucketAlreadyOwnedByYou": ContainerAlreadyExistsError,
    "BucketNotEmpty": ContainerIsNotEmptyError,
    "ConditionalRequestConflict": ConflictError,
    "ExpiredToken": AuthenticationError,
    "InternalError": ProviderUnavailableError,
    "InvalidAccessKeyId": AuthenticationError,
    "InvalidBucketName": InvalidContainerNameError,
    "InvalidObjectState": ConflictError,
    "InvalidSecurity": AuthenticationError,
    "InvalidToken": AuthenticationError,
    "MethodNotAllowed": UnsupportedOperationError,
    "NoSuchBucket": ContainerDoesNotExistError,
    "NoSuchKey": ObjectDoesNotExistError,
    "NoSuchUpload": NotFoundError,
    "NoSuchVersion": ObjectDoesNotExistError,
    "NotImplemented": UnsupportedOperationError,
    "NotSignedUp": PermissionDeniedError,
    "OperationAborted": ConflictError,
    "PreconditionFailed": PreconditionFailedError,
    "QuotaExceeded": QuotaExceededError,
    "RequestTimeTooSkewed": AuthenticationError,
    "RequestTimeout": ProviderUnavailableError,
    "ServiceUnavailable": ProviderUnavailableError,
    "SignatureDoesNotMatch": AuthenticationError,
    "SlowDown": RateLimitedError,
    "TokenRefreshRequired": AuthenticationError,
    "TooManyBuckets": QuotaExceededError,
    "TooManyRequests": RateLimitedError,
    "XAmzContentSHA256Mismatch": ObjectHashMismatchError,
}
# Answers by which S3 says that a bucket is in another region: by code, or without a body by status.
_ELSEWHERE = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)
_ELSEWHERE_STATUS = frozenset({301, 307, 400})

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
}
_META = "x-amz-meta-"
_MD5_DIGITS = 32
_HEX = frozenset("0123456789abcdef")
_KMS = "aws:kms"


class _Bucket(Record):
    name: str = required("Name")
    created: str | None = text("CreationDate")
    region: str | None = text("BucketRegion")


class Buckets(Record, root="ListAllMyBucketsResult"):
    """The answer of ListBuckets."""

    token: str | None = text("ContinuationToken")
    buckets: list[_Bucket] = records("Buckets/Bucket", _Bucket)


class _Contents(Record):
    key: str = required("Key")
    size: int = integer("Size", 0)
    etag: str | None = text("ETag")
    modified: str | None = text("LastModified")
    storage_class: str | None = text("StorageClass")


class Listing(Record, root="ListBucketResult"):
    """The answer of ListObjectsV2."""

    is_truncated: bool = boolean("IsTruncated", False)
    token: str | None = text("NextContinuationToken")
    encoding: str | None = text("EncodingType")
    contents: list[_Contents] = records("Contents", _Contents)


class _Upload(Record):
    key: str = required("Key")
    upload_id: str = required("UploadId")
    initiated: str | None = text("Initiated")
    storage_class: str | None = text("StorageClass")


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


def listed_object(item: _Contents, encoding: str | None, container: Container) -> Object:
    """Make an object of an entry of a list, which has neither type nor metadata."""
    etag = item.etag
    return Object(
        key_of(item.key, encoding),
        item.size,
        etag.strip('"') if etag else None,
        lazy_extra(partial(_listed_extra, item)),
        {},
        container,
    )


def _listed_extra(item: _Contents) -> dict[str, Any]:
    extra: dict[str, Any] = {"last_modified": date_of(item.modified), "etag": item.etag}
    if item.storage_class:
        extra["storage_class"] = item.storage_class
    return extra


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


def md5_of_whole(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 of an object's content, if the ETag is that: not of one stored in parts."""
    digest = (digest_of(headers) or "").lower()
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


# -- errors --------------------------------------------------------------------------------------


def error_of(
    response: Response, region: str, missing: type[CloudError] | None, subject: str
) -> CloudError:
    """Return the error that an answer is.

    Args:
        response: The answer; that of HEAD has no body, so that only its status tells.
        region: The driver's region, to say that the bucket is in another.
        missing: What 404 means where the answer has no code of its own.
        subject: What was asked for, for an answer that says nothing.
    """
    error = _read_error(response) or Element("Error", {})
    code = error.text("Code", "")
    elsewhere = _elsewhere(response, code, error.text("Region"), region)
    if elsewhere is not None:
        return elsewhere
    if not code and response.status == 404:  # noqa: PLR2004 - Not Found
        return _error_for(response, error, code, missing, f"there is no {subject}")
    fallback = f"{code or 'the provider refused the request'} for {subject}"
    return _error_for(response, error, code, _ERRORS.get(code), fallback)


def embedded_error(response: Response, tree: Element) -> CloudError | None:
    """Return the error in an answer 200, whose status left before the work was done."""
    if tree.tag != "Error":
        return None
    code = tree.text("Code", "")
    return _error_for(response, tree, code, _ERRORS.get(code, ProviderUnavailableError), code)


def redirect_error(refused: UnsafeResponseError, region: str) -> CloudError:
    """Return the error for a redirect: one that names the bucket's region, if that is known."""
    response = Response(refused.status or 0, refused.headers, refused.body)
    error = _read_error(response)
    code, right = (error.text("Code", ""), error.text("Region")) if error else ("", None)
    return _elsewhere(response, code, right, region) or refused


def _read_error(response: Response) -> Element | None:
    try:
        tree = parse(response.body)
    except XMLError:
        return None
    return tree if tree.tag == "Error" else None


def _elsewhere(
    response: Response, code: str, right: str | None, region: str
) -> InvalidRequestError | None:
    right = response.headers.get("x-amz-bucket-region") or right
    known = code in _ELSEWHERE or (not code and response.status in _ELSEWHERE_STATUS)
    if not known or not right or right == region:
        return None
    return InvalidRequestError(
        f"the bucket is in the region {right[:64]!r}, and this driver is for {region!r}: "
        f"make another driver with region={right[:64]!r}",
        status=response.status,
        code=code,
        request_id=response.headers.get("x-amz-request-id", ""),
        body=response.body,
        headers=dict(response.headers),
    )


def _error_for(
    response: Response, error: Element, code: str, kind: type[CloudError] | None, fallback: str
) -> CloudError:
    return error_for(
        response,
        error.text("Message", "") or fallback,
        kind=kind,
        code=code,
        request_id=response.headers.get("x-amz-request-id", "") or error.text("RequestId", ""),
    )
