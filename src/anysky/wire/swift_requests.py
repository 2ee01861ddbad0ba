"""What is sent to Swift, as data: paths, names, header fields, signatures of URLs.

Vendor's reference: https://docs.openstack.org/api-ref/object-store/
"""

from __future__ import annotations

import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

from anysky.errors import (
    InvalidContainerNameError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from anysky.model.storage import Condition, ObjectSpec, ObjectVersion, Part
from anysky.model.storage import Object as StoredObject
from anysky.transport.base import quote

__all__ = [
    "META",
    "check_container",
    "check_new_container",
    "check_object",
    "check_upload",
    "container_path",
    "deletion",
    "manifest",
    "metadata_headers",
    "object_path",
    "read_condition",
    "temporary_url",
    "upload_headers",
    "version_params",
]

META = "x-object-meta-"
_MAX_CONTAINER_BYTES = 256
_MAX_OBJECT_BYTES = 1024
# No underscore: Swift makes a hyphen of it, so that the name would come back as another.
_META_NAME = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")


def check_container(name: str) -> str:
    """Return the name of a container.

    Raises:
        InvalidContainerNameError: No container can have it.
    """
    size = _bytes_of(name, InvalidContainerNameError)
    if not 0 < size <= _MAX_CONTAINER_BYTES or "/" in name or "\0" in name:
        raise InvalidContainerNameError(
            f"{name[:80]!r} cannot be the name of a container: 1 to {_MAX_CONTAINER_BYTES} bytes "
            "in UTF-8, without a slash"
        )
    return name


def check_new_container(name: str) -> str:
    """Return the name of a container that is to be made; dots would be read as another path.

    Raises:
        InvalidContainerNameError: No container can have it.
    """
    if name in (".", ".."):
        raise InvalidContainerNameError(f"{name!r} cannot be the name of a container")
    return check_container(name)


def check_object(name: str) -> str:
    """Return the name of an object.

    Raises:
        InvalidRequestError: It is empty, longer than 1,024 bytes, no Unicode, or holds a NUL.
    """
    size = _bytes_of(name, InvalidRequestError)
    if not 0 < size <= _MAX_OBJECT_BYTES:
        raise InvalidRequestError(
            f"the name of an object has 1 to {_MAX_OBJECT_BYTES} bytes in UTF-8, not {size}"
        )
    if "\0" in name:
        raise InvalidRequestError("the name of an object cannot hold a NUL character")
    return name


def _bytes_of(name: str, kind: type[InvalidRequestError]) -> int:
    try:
        return len(name.encode())
    except UnicodeEncodeError:
        raise kind(f"{name[:80]!r} is not valid Unicode text") from None


def container_path(name: str) -> str:
    """Return the path of a container below the storage URL."""
    return f"/{quote(check_container(name))}"


def object_path(container: str, name: str) -> str:
    """Return the path of an object below the storage URL, percent-encoded, not normalised."""
    return f"{container_path(container)}/{quote(check_object(name), safe='/')}"


def version_params(obj: StoredObject) -> list[tuple[str, str]]:
    """Return the parameters that mean one version, or none for the object's name."""
    return [("version-id", obj.version_id)] if isinstance(obj, ObjectVersion) else []


def check_upload(spec: ObjectSpec) -> None:
    """See that an upload asks for nothing that Swift does not have.

    Raises:
        UnsupportedOperationError: It does; nothing was sent.
    """
    wanted = {
        "tags of objects": spec.tags,
        "storage classes; a container has a storage policy": spec.storage_class,
        "canned access lists; a container has access lists": spec.acl,
    }
    for what, given in wanted.items():
        if given:
            raise UnsupportedOperationError(f"Swift has no {what}")
    condition = spec.condition
    if condition is not None and (
        condition.if_match is not None or condition.if_none_match not in (None, "*")
    ):
        raise UnsupportedOperationError(
            'Swift stores an object on no other condition than if_none_match="*"'
        )


def upload_headers(spec: ObjectSpec) -> dict[str, str]:
    """Return the header fields that describe a new object, names in lower case.

    Fields that the caller gives come last: they win.

    Raises:
        InvalidRequestError: A name of the metadata can be no header field.
    """
    headers = {"content-type": spec.content_type, **metadata_headers(spec.meta_data)}
    if spec.condition is not None and spec.condition.if_none_match is not None:
        headers["if-none-match"] = "*"
    return headers | {name.lower(): value for name, value in spec.headers.items()}


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as header fields; a value that no field can hold is percent-encoded.

    Raises:
        InvalidRequestError: A name can be no header field, or would come back as another.
    """
    headers: dict[str, str] = {}
    for name, value in metadata.items():
        if not _META_NAME.fullmatch(name):
            raise InvalidRequestError(
                f"metadata cannot be named {name[:80]!r} at Swift: letters, digits and hyphens only"
            )
        headers[META + name.lower()] = _encoded(value)
    return headers


def _encoded(value: str) -> str:
    """Encode what a header field cannot hold, and what would be decoded when it is read."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and "%" not in value
    if plain:
        return value
    try:
        return urllib.parse.quote(value, safe=" !#$&'()*+,/:;=?@[]^`{|}~").replace(" ", "%20")
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{value[:80]!r} is not valid Unicode text") from None


def read_condition(condition: Condition | None) -> dict[str, str]:
    """Return the header fields of a conditional read."""
    headers: dict[str, str] = {}
    if condition is None:
        return headers
    for name, etag in (
        ("if-match", condition.if_match),
        ("if-none-match", condition.if_none_match),
    ):
        if etag is not None:
            headers[name] = etag if etag == "*" else f'"{etag}"'
    return headers


def manifest(container: str, segments: Iterable[tuple[str, Part]]) -> list[dict[str, object]]:
    """Return the manifest of a static large object.

    https://docs.openstack.org/swift/latest/middleware.html#static-large-objects

    Args:
        container: Container of the segments.
        segments: Name and part of each, in their order.
    """
    return [
        {"path": f"/{container}/{name}", "etag": part.etag, "size_bytes": part.size}
        for name, part in segments
    ]


def deletion(container: str, names: Sequence[str]) -> bytes:
    """Return the body of a bulk delete: a path in each line."""
    return "\n".join(object_path(container, name)[1:] for name in names).encode()


def temporary_url(base: str, path: str, key: str, *, method: str, expires: int, digest: str) -> str:
    """Return a URL with which anybody may do one thing with one object.

    https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html

    Args:
        base: The storage URL.
        path: Path of the object below it, percent-encoded.
        key: Secret of the account or the container.
        method: HTTP method.
        expires: When it ends, in Unix time.
        digest: Name of the hash: ``"sha1"``, ``"sha256"`` or ``"sha512"``.
    """
    whole = urllib.parse.unquote(urllib.parse.urlsplit(base).path + path)
    signed = f"{method}\n{expires}\n{whole}".encode()
    signature = hmac.new(key.encode(), signed, getattr(hashlib, digest)).hexdigest()
    return f"{base}{path}?temp_url_sig={signature}&temp_url_expires={expires}"
