"""What is sent to S3, as data: addresses, names, header fields, bodies.

Vendor's references: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

from __future__ import annotations

import base64
import html
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anysky.errors import InvalidContainerNameError, InvalidRequestError
from anysky.model.storage import Condition, Object, ObjectSpec, ObjectVersion, Part

from .aws_sigv4 import canonical_query, percent_encode
from .s3_checksums import checksum_tag, encoded
from .s3_content import md5_of

__all__ = [
    "Site",
    "check_key",
    "check_new_bucket",
    "completion",
    "condition_headers",
    "copy_headers",
    "deletion",
    "divided_headers",
    "is_deleted_alone",
    "location_constraint",
    "md5_header",
    "tagging",
    "upload_headers",
    "version_params",
    "versioning",
]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_KEY_BYTES = 1024
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_STORAGE_CLASS = "ex_storage_class"
# What goes with a multipart upload as a whole, with each of its parts, and with its end.
_PER_PART = "x-amz-server-side-encryption-customer-"
_AT_END = frozenset({"if-match", "if-none-match"})
# What XML 1.0 cannot hold, or what its readers change: these keys are deleted one by one.
_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\u2028\ud800-\udfff\ufffe\uffff]|^\\s|\\s$")


@dataclass(frozen=True, slots=True)
class Site:
    """Where buckets are.

    Attributes:
        endpoint: URL of the service.
        region: Region in signatures.
        is_virtual: Whether a bucket is a host below the endpoint's, where its name allows that,
            and not the first part of the path.
    """

    endpoint: str
    region: str
    is_virtual: bool = False

    def address(self, bucket: str, key: str) -> tuple[str, str]:
        """Return endpoint and path of a bucket or object, percent-encoded and not normalised.

        Raises:
            InvalidContainerNameError: There is no name.
            InvalidRequestError: A name is not valid Unicode.
        """
        if not bucket:
            raise InvalidContainerNameError("a container without a name")
        path = f"/{percent_encode(key, safe='/')}" if key else ""
        if self.is_virtual and self._may_be_host(bucket):
            scheme, _, rest = self.endpoint.partition("://")
            return f"{scheme}://{bucket}.{rest}", path or "/"
        return self.endpoint, f"/{percent_encode(bucket)}{path}"

    def _may_be_host(self, bucket: str) -> bool:
        """A certificate for all buckets covers no name with a dot."""
        return bool(_BUCKET.fullmatch(bucket)) and (
            "." not in bucket or self.endpoint.startswith("http:")
        )


def check_new_bucket(name: str) -> None:
    """Check the name of a new bucket.

    Raises:
        InvalidContainerNameError: It breaks the rules.
    """
    if not _BUCKET.fullmatch(name) or ".." in name or _is_address(name):
        raise InvalidContainerNameError(
            f"{name[:80]!r} cannot be the name of a container: 3 to 63 lower-case letters, digits, "
            "dots and hyphens, beginning and ending with a letter or digit, no two dots together "
            "and not an IP address"
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def check_key(key: str) -> str:
    """Return a key.

    Raises:
        InvalidRequestError: It is empty, longer than 1,024 bytes, or not valid Unicode.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{key[:80]!r} is not valid Unicode text") from None
    if not 0 < size <= _MAX_KEY_BYTES:
        raise InvalidRequestError(
            f"the name of an object has 1 to {_MAX_KEY_BYTES} bytes in UTF-8, not {size}"
        )
    return key


def upload_headers(spec: ObjectSpec) -> dict[str, str]:
    """Return the header fields that describe a new object, names in lower case.

    Fields that the caller gives come first: they win over a type that was guessed.

    Raises:
        InvalidRequestError: A name of the metadata can be no header field.
    """
    headers = {"content-type": spec.content_type}
    if spec.acl:
        headers["x-amz-acl"] = spec.acl
    if storage_class := spec.storage_class or spec.options.get(_STORAGE_CLASS):
        headers["x-amz-storage-class"] = str(storage_class)
    if spec.tags:
        headers["x-amz-tagging"] = canonical_query(spec.tags.items())
    headers |= condition_headers(spec.condition)
    for name, value in spec.meta_data.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidRequestError(
                f"metadata cannot be named {name[:80]!r}: letters, digits and hyphens only"
            )
        headers[f"x-amz-meta-{name.lower()}"] = _metadata(value)
    return headers | {name.lower(): value for name, value in spec.headers.items()}


def _metadata(value: str) -> str:
    """Encode (RFC 2047) a value that a header field cannot hold as it is."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and not value.startswith("=?"):
        return value
    try:
        return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{value[:80]!r} is not valid Unicode text") from None


def condition_headers(condition: Condition | None) -> dict[str, str]:
    """Return the header fields of a condition."""
    if condition is None:
        return {}
    wanted = {"if-match": condition.if_match, "if-none-match": condition.if_none_match}
    return {name: etag for name, etag in wanted.items() if etag is not None}


def divided_headers(
    headers: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Divide an upload's header fields: for the start of a multipart upload, its parts, its end."""
    at_end = {name: value for name, value in headers.items() if name in _AT_END}
    start = {name: value for name, value in headers.items() if name not in _AT_END}
    part = {name: value for name, value in headers.items() if name.startswith(_PER_PART)}
    return start, part, at_end | part


def md5_header(body: bytes) -> dict[str, str]:
    """Return the header field by which the provider checks a body."""
    return {"content-md5": base64.b64encode(md5_of(body)).decode()}


def version_params(obj: Object) -> list[tuple[str, str]]:
    """Return the parameter that means one version of an object, if it is one."""
    return [("versionId", obj.version_id)] if isinstance(obj, ObjectVersion) else []


def copy_headers(source: Object) -> dict[str, str]:
    """Return the header field that names the source of a copy."""
    bucket, key = percent_encode(source.container.name), percent_encode(source.name, safe="/")
    query = canonical_query(version_params(source))
    return {"x-amz-copy-source": f"{bucket}/{key}{'?' if query else ''}{query}"}


def location_constraint(region: str) -> bytes:
    """Return the body that names the region of a new bucket."""
    name = html.escape(region)
    return (
        f"<CreateBucketConfiguration {_NAMESPACE}><LocationConstraint>{name}"
        "</LocationConstraint></CreateBucketConfiguration>"
    ).encode()


def completion(parts: Sequence[Part], checksum: str = "") -> bytes:
    """Return the body that puts parts together.

    Args:
        parts: The parts.
        checksum: Name of the digest that was sent with them, if one was.
    """
    items = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{html.escape(part.etag)}</ETag>"
        f"{_checksum(part, checksum)}</Part>"
        for part in sorted(parts, key=lambda part: part.number)
    )
    return (f"<CompleteMultipartUpload {_NAMESPACE}>{items}</CompleteMultipartUpload>").encode()


def _checksum(part: Part, name: str) -> str:
    if name not in part.checksums:
        return ""
    tag = checksum_tag(name)
    return f"<{tag}>{encoded(name, part.checksums[name])}</{tag}>"


def tagging(tags: Mapping[str, str]) -> bytes:
    """Return the body that sets an object's tags."""
    items = "".join(
        f"<Tag><Key>{html.escape(key)}</Key><Value>{html.escape(value)}</Value></Tag>"
        for key, value in tags.items()
    )
    return f"<Tagging {_NAMESPACE}><TagSet>{items}</TagSet></Tagging>".encode()


def versioning(enabled: bool) -> bytes:
    """Return the body that switches versions on or off."""
    status = "Enabled" if enabled else "Suspended"
    return (
        f"<VersioningConfiguration {_NAMESPACE}><Status>{status}</Status></VersioningConfiguration>"
    ).encode()


def is_deleted_alone(key: str) -> bool:
    """Whether a key cannot be told in XML."""
    return _NOT_IN_XML.search(key) is not None


def deletion(objects: Sequence[Object]) -> bytes:
    """Return the body that deletes objects and asks for failures only."""
    items = "".join(f"<Object>{_identity(obj)}</Object>" for obj in objects)
    return f"<Delete {_NAMESPACE}>{items}<Quiet>true</Quiet></Delete>".encode()


def _identity(obj: Object) -> str:
    key = f"<Key>{html.escape(check_key(obj.name))}</Key>"
    if not isinstance(obj, ObjectVersion):
        return key
    return f"{key}<VersionId>{html.escape(obj.version_id)}</VersionId>"
