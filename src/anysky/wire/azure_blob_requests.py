"""What is sent to Azure Blob Storage, as data: paths, header fields, bodies.

Vendor's references: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api and
https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence

from anysky.errors import InvalidContainerNameError, InvalidRequestError
from anysky.model.storage import Condition, Object, ObjectSpec, ObjectVersion
from anysky.transport.base import encode_query, quote

__all__ = [
    "API_VERSION",
    "blob_path",
    "block_list",
    "check_name",
    "check_new_container",
    "condition_headers",
    "container_path",
    "digest_headers",
    "key_info",
    "metadata_headers",
    "tag_set",
    "upload_headers",
    "version_params",
]

API_VERSION = "2025-01-05"
"""``x-ms-version``: https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services"""

_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_LONGEST_CONTAINER = 63
_SYSTEM_CONTAINERS = frozenset({"$root", "$web", "$logs"})
_MAX_NAME = 1024
_MAX_PARTS = 254
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f\\\\\ufffe\uffff]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_META = "x-ms-meta-"
# Fields that describe a blob have other names than those that describe a request.
_OF_BLOB = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
    }
)
_DIGEST_BYTES: Mapping[str, int] = {"md5": 16, "crc64nvme": 8}


def container_path(name: str) -> str:
    """Return the path of a container.

    Raises:
        InvalidContainerNameError: There is no name, or it is one that no path can hold.
    """
    if not name or name in (".", "..") or "/" in name:
        raise InvalidContainerNameError(f"{name[:80]!r} cannot be the name of a container")
    return f"/{quote(_unicode(name))}"


def blob_path(container: str, name: str) -> str:
    """Return the path of a blob, percent-encoded and not normalised.

    Raises:
        InvalidRequestError: The name cannot be kept as it is.
    """
    return f"{container_path(container)}/{quote(check_name(name), safe='/')}"


def check_new_container(name: str) -> None:
    """Check the name of a new container.

    Raises:
        InvalidContainerNameError: It breaks the rules.
    """
    fits = _CONTAINER.fullmatch(name) and len(name) <= _LONGEST_CONTAINER
    if not fits and name not in _SYSTEM_CONTAINERS:
        raise InvalidContainerNameError(
            f"{name[:80]!r} cannot be the name of a container: 3 to 63 lower-case letters, digits "
            "and single hyphens, beginning and ending with a letter or digit"
        )


def check_name(name: str) -> str:
    """Return the name of a blob.

    The service takes dots from the end of each part of a name, and reads a backslash as a slash:
    such names would become others.

    Raises:
        InvalidRequestError: It is empty, too long, or would not come back as it is.
    """
    parts = _unicode(name).split("/")
    problem = ""
    if not 0 < len(name) <= _MAX_NAME:
        problem = f"it has {len(name)} characters and must have 1 to {_MAX_NAME}"
    elif len(parts) > _MAX_PARTS:
        problem = f"it has more than {_MAX_PARTS} parts between slashes"
    elif any(part.endswith(".") for part in parts):
        problem = "a part between slashes ends with a dot, which Azure would remove"
    elif _NOT_IN_NAMES.search(name):
        problem = "it has a backslash, a control character or one that XML cannot hold"
    if problem:
        raise InvalidRequestError(f"{name[:80]!r} cannot be the name of a blob: {problem}")
    return name


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{text[:80]!r} is not valid Unicode text") from None
    return text


def upload_headers(spec: ObjectSpec) -> dict[str, str]:
    """Return the header fields that describe a new blob, names in lower case.

    Fields that the caller gives come first: they win over a type that was guessed.

    Raises:
        InvalidRequestError: Metadata or an access list that Azure cannot keep.
    """
    if spec.acl:
        raise InvalidRequestError(
            f"blobs have no access list of their own, such as {spec.acl[:40]!r}: "
            "enable_container_cdn lets anybody read a container"
        )
    headers = {"x-ms-blob-content-type": spec.content_type}
    if spec.storage_class:
        headers["x-ms-access-tier"] = spec.storage_class
    if spec.tags:
        headers["x-ms-tags"] = encode_query(list(spec.tags.items()))
    headers |= condition_headers(spec.condition) | metadata_headers(spec.meta_data)
    for name, value in spec.headers.items():
        field = name.lower()
        headers[f"x-ms-blob-{field}" if field in _OF_BLOB else field] = value
    return headers


def metadata_headers(meta_data: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields of metadata; names come back in lower case.

    Raises:
        InvalidRequestError: A name is no identifier of C#, or there are two that differ in case.
    """
    headers: dict[str, str] = {}
    for name, value in meta_data.items():
        field = f"{_META}{name.lower()}"
        if not _IDENTIFIER.fullmatch(name) or field in headers:
            raise InvalidRequestError(
                f"metadata cannot be named {name[:80]!r}: letters, digits and underscores only, "
                "not beginning with a digit, and no two names that differ in case"
            )
        headers[field] = _metadata(value)
    return headers


def _metadata(value: str) -> str:
    """Encode (RFC 2047) a value that a header field cannot hold as it is."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and value and not value.startswith("=?"):
        return value
    return f"=?UTF-8?B?{base64.b64encode(_unicode(value).encode()).decode()}?="


def condition_headers(condition: Condition | None) -> dict[str, str]:
    """Return the header fields of a condition."""
    if condition is None:
        return {}
    wanted = {"if-match": condition.if_match, "if-none-match": condition.if_none_match}
    return {name: etag for name, etag in wanted.items() if etag is not None}


def digest_headers(checksums: Mapping[str, str]) -> dict[str, str]:
    """Return the header field by which the service checks a body; it takes one digest only.

    Args:
        checksums: Digests of the body in hex, by their names.

    Raises:
        InvalidRequestError: One is no digest of its kind.
    """
    if "md5" in checksums:
        return {"content-md5": _encoded("md5", checksums["md5"])}
    if "crc64nvme" in checksums:
        return {"x-ms-content-crc64": _encoded("crc64nvme", checksums["crc64nvme"])}
    return {}


def _encoded(name: str, digest: str) -> str:
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    if len(raw) != _DIGEST_BYTES[name]:
        raise InvalidRequestError(f"{digest[:80]!r} is no {name} in hex")
    # A CRC is a number here, and its lowest byte comes first.
    return base64.b64encode(raw[::-1] if name == "crc64nvme" else raw).decode()


def version_params(obj: Object) -> list[tuple[str, str]]:
    """Return the parameter that means one version of a blob, if it is one."""
    return [("versionid", obj.version_id)] if isinstance(obj, ObjectVersion) else []


def block_list(ids: Sequence[str]) -> bytes:
    """Return the body that makes a blob of blocks that were put."""
    items = "".join(f"<Uncommitted>{html.escape(block)}</Uncommitted>" for block in ids)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()


def tag_set(tags: Mapping[str, str]) -> bytes:
    """Return the body that sets a blob's tags."""
    items = "".join(
        f"<Tag><Key>{html.escape(name)}</Key><Value>{html.escape(value)}</Value></Tag>"
        for name, value in tags.items()
    )
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{declaration}<Tags><TagSet>{items}</TagSet></Tags>".encode()


def key_info(start: str, expiry: str) -> bytes:
    """Return the body that asks for a key to sign URLs with."""
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    times = f"<Start>{start}</Start><Expiry>{expiry}</Expiry>"
    return f"{declaration}<KeyInfo>{times}</KeyInfo>".encode()
