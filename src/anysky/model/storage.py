"""Models of the storage service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from .base import model

__all__ = ["Container", "MultipartUpload", "Object", "ObjectSpec"]


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
        extra: ``last_modified`` (a `datetime`), ``content_type`` and everything else that the
            provider says; an object from a list has less than one from `get_object`.
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
class MultipartUpload:
    """A multipart upload that was begun and not ended; its parts are stored and paid for.

    Attributes:
        container: Where the object will be.
        name: The object's name.
        upload_id: The provider's id of the upload.
        initiated: When it was begun.
    """

    container: Container
    name: str
    upload_id: str
    initiated: datetime | None = None


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
    """

    name: str
    content_type: str = "application/octet-stream"
    meta_data: Mapping[str, str] = field(default_factory=dict[str, str])
    acl: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    md5: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
