"""Models of the storage service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from .base import model

__all__ = [
    "Condition",
    "Container",
    "MultipartUpload",
    "Object",
    "ObjectChanges",
    "ObjectSpec",
    "ObjectVersion",
    "Part",
    "PartLimits",
    "Prefix",
    "PresignedURL",
]


@model
class Container:
    """A bucket."""

    name: str
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Object:
    """An object in a container.

    Attributes:
        name: Its key.
        size: Bytes.
        hash: The provider's digest, for S3 the ETag without its quotes; None if there is none.
        extra: ``last_modified`` (a `datetime`), ``content_type``, ``etag`` (what `Condition`
            takes), ``storage_class``, ``version_id``, ``checksums`` (digests of the whole content
            in hex: ``md5``, ``crc32c``, ``sha256`` …) and everything else that the provider says;
            an object from a list has less than one from `get_object`.
        meta_data: The user's own metadata.
        container: The container it is in.
    """

    name: str
    size: int
    hash: str | None
    extra: dict[str, Any] = field(repr=False, compare=False)
    meta_data: dict[str, str]
    container: Container


@model
class ObjectVersion(Object):
    """One version of an object; what is done with it is done with this version only.

    Attributes:
        version_id: The provider's id of the version.
        is_latest: Whether it is what the object's name means now.
        is_delete_marker: Whether it stands for the object's having been deleted; it has no content.
    """

    version_id: str
    is_latest: bool = False
    is_delete_marker: bool = False


@model
class Prefix:
    """What the names of some objects have in common, up to a delimiter: a folder, as it were.

    Attributes:
        name: The beginning of the names, with the delimiter at its end.
        container: The container they are in.
    """

    name: str
    container: Container


@model
class Condition:
    """On what a request depends; it fails with `PreconditionFailedError` otherwise.

    Attributes:
        if_match: ``extra["etag"]`` that the object must have.
        if_none_match: One that it may not have; ``"*"`` for an object that must not be there.
    """

    if_match: str | None = None
    if_none_match: str | None = None


@model
class PartLimits:
    """How a provider wants an object in parts.

    Attributes:
        whole: Bytes that `StorageBackend.upload_object` takes at the most.
        smallest: Bytes of every part but the last, at the least.
        largest: Bytes of a part at the most.
        count: Parts of an object at the most.
        multiple: Every part but the last has a multiple of so many bytes.
        in_order: Whether a part may be sent only when all before it are there.
    """

    whole: int = 5 * 1024**3
    smallest: int = 5 * 1024**2
    largest: int = 5 * 1024**3
    count: int = 10_000
    multiple: int = 1
    in_order: bool = False


@model
class Part:
    """A part of a multipart upload that is stored.

    Attributes:
        number: Its place, from 1.
        size: Bytes.
        etag: What the provider needs to put the parts together.
        checksums: Digests of it that the provider tells, in hex, by their names.
    """

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class MultipartUpload:
    """A multipart upload that was begun and not ended; its parts are stored and paid for.

    Attributes:
        container: Where the object will be.
        name: The object's name.
        upload_id: The provider's id of the upload.
        initiated: When it was begun.
        extra: Strings that the provider needs besides to go on with it, also in another process.
    """

    container: Container
    name: str
    upload_id: str
    initiated: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class ObjectSpec:
    """What a new object shall be.

    Attributes:
        name: Its key.
        content_type: MIME type.
        meta_data: The user's own metadata.
        acl: A canned access list of the provider, for example ``"public-read"``.
        headers: Further header fields of the request.
        md5: MD5 of the content in hex, if it is known beforehand, for the provider to check.
        options: Options that only this provider has, by their names.
        condition: On what storing it depends; None to store it anyway.
        storage_class: The provider's name of a storage class; None for its default.
        tags: Tags of the object.
        checksums: Digests of the content in hex that are known beforehand, for the provider to
            check, by their names as in `Object.extra`.
    """

    name: str
    content_type: str = "application/octet-stream"
    meta_data: Mapping[str, str] = field(default_factory=dict[str, str])
    acl: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    md5: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    condition: Condition | None = None
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])


@model
class ObjectChanges:
    """What shall be different in a copy, or in an object itself; None leaves it as it is.

    Attributes:
        content_type: MIME type.
        meta_data: All of the user's own metadata.
        storage_class: The provider's name of a storage class.
    """

    content_type: str | None = None
    meta_data: Mapping[str, str] | None = None
    storage_class: str | None = None


@model
class PresignedURL:
    """An address with which anybody may do one thing with one object.

    Attributes:
        url: The address; it is a secret as long as it is good.
        method: HTTP method to use.
        headers: Header fields to send with it.
        expires_at: When it ends.
    """

    url: str = field(repr=False)
    method: str
    headers: Mapping[str, str]
    expires_at: datetime
