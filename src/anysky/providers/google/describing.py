"""What a new object shall be, as Cloud Storage takes it.

Vendor's reference: https://cloud.google.com/storage/docs/json_api/v1/objects/insert
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, cast

import msgspec

from anysky.errors import InvalidRequestError, UnsupportedOperationError
from anysky.model.storage import ObjectSpec
from anysky.transport.base import Body

from .answers import encoded_digest

__all__ = ["acl_params", "multipart_body", "part_of", "resource_of", "sent_headers"]

_ACLS: Mapping[str, str] = {
    "authenticated-read": "authenticatedRead",
    "bucket-owner-full-control": "bucketOwnerFullControl",
    "bucket-owner-read": "bucketOwnerRead",
    "private": "private",
    "project-private": "projectPrivate",
    "public-read": "publicRead",
}
_FIELDS: Mapping[str, str] = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
}
_DIGESTS: Mapping[str, str] = {"md5": "md5Hash", "crc32c": "crc32c"}


def resource_of(spec: ObjectSpec) -> dict[str, Any]:
    """Return the fields of a new object; header fields of the caller win over its other wishes.

    Raises:
        InvalidRequestError: A digest is none.
        UnsupportedOperationError: It has tags, which Cloud Storage has not for objects.
    """
    if spec.tags:
        raise UnsupportedOperationError("Cloud Storage has no tags of objects: use meta_data")
    headers = {name.lower(): value for name, value in spec.headers.items()}
    resource: dict[str, Any] = {"name": spec.name, "contentType": spec.content_type}
    resource |= {field: headers[name] for name, field in _FIELDS.items() if name in headers}
    if spec.meta_data:
        resource["metadata"] = dict(spec.meta_data)
    if spec.storage_class:
        resource["storageClass"] = spec.storage_class
    for name, digest in {**spec.checksums, **({"md5": spec.md5} if spec.md5 else {})}.items():
        if name in _DIGESTS:
            resource[_DIGESTS[name]] = _digest(name, digest)
    return resource


def _digest(name: str, digest: str) -> str:
    encoded = encoded_digest(name, digest)
    if encoded is None:
        raise InvalidRequestError(f"{digest[:80]!r} is no {name} in hex")
    return encoded


def sent_headers(spec: ObjectSpec) -> dict[str, str]:
    """Return the caller's header fields that are none of the object's own."""
    return {k: v for k, v in spec.headers.items() if k.lower() not in _FIELDS}


def acl_params(spec: ObjectSpec) -> list[tuple[str, str]]:
    """Return the parameter for a canned access list, by Google's name or by that of S3."""
    return [("predefinedAcl", _ACLS.get(spec.acl, spec.acl))] if spec.acl else []


def multipart_body(resource: Mapping[str, Any], body: Body) -> tuple[str, Body]:
    """Put the fields of an object and its content into one body (RFC 2387).

    Returns:
        The type of the body, and the body.
    """
    boundary = secrets.token_hex(24)  # which nobody can have put into the content
    content_type = _header(str(resource.get("contentType", "")))
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode()
        + msgspec.json.encode(resource)
        + f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    )
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = None if body.length is None else len(head) + body.length + len(tail)
    opened = partial(_framed, head, body, tail)
    return f"multipart/related; boundary={boundary}", Body(opened, length, body.replayable)


def _header(value: str) -> str:
    """Return a type as it can stand in the body's head; the object has it as it was given."""
    plain = value.isascii() and value.isprintable()
    return value if plain and value else "application/octet-stream"


def _framed(head: bytes, body: Body, tail: bytes) -> Iterator[bytes] | AsyncIterator[bytes]:
    pieces = body.open()
    if isinstance(pieces, AsyncIterator):
        return _framed_later(head, pieces, body.length, tail)
    return _framed_now(head, pieces, body.length, tail)


def _framed_now(
    head: bytes, pieces: Iterator[bytes], length: int | None, tail: bytes
) -> Iterator[bytes]:
    yield head
    count = 0
    for piece in pieces:
        count += len(piece)
        yield piece
    _check(count, length)
    yield tail


async def _framed_later(
    head: bytes, pieces: AsyncIterator[bytes], length: int | None, tail: bytes
) -> AsyncIterator[bytes]:
    yield head
    count = 0
    async for piece in pieces:
        count += len(piece)
        yield piece
    _check(count, length)
    yield tail


def _check(count: int, length: int | None) -> None:
    """Stop before the end if the content is not as long as it should be."""
    if length is not None and count != length:
        raise InvalidRequestError(
            f"the content has {count} bytes in place of {length}: has it changed meanwhile?"
        )


def part_of(body: Body, start: int, size: int) -> Body:
    """Return some bytes of a body, which can be sent twice."""
    if start == 0 and size == body.length:
        return body
    return Body(partial(_cut, body, start, start + size), size, body.replayable)


def _cut(body: Body, start: int, end: int) -> Iterator[bytes] | AsyncIterator[bytes]:
    pieces = body.open()
    if isinstance(pieces, AsyncIterator):
        return _cut_later(pieces, start, end)
    return _cut_now(pieces, start, end)


def _cut_now(pieces: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    at = 0
    while at < end and (piece := next(pieces, None)) is not None:
        if at + len(piece) > start:
            yield cast("bytes", memoryview(piece)[max(start - at, 0) : end - at])
        at += len(piece)


async def _cut_later(pieces: AsyncIterator[bytes], start: int, end: int) -> AsyncIterator[bytes]:
    at = 0
    while at < end and (piece := await anext(pieces, None)) is not None:
        if at + len(piece) > start:
            yield cast("bytes", memoryview(piece)[max(start - at, 0) : end - at])
        at += len(piece)
