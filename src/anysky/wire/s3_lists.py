"""Lists of S3: buckets, objects, folders, versions.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html
"""

from __future__ import annotations

import json

from anysky.errors import ContainerDoesNotExistError, MalformedResponseError
from anysky.model.storage import Container, Object, ObjectVersion, Prefix
from anysky.paging import Page
from anysky.transport.base import Request

from . import s3_answers as answers
from .s3_listing import Listing
from .s3_sending import S3Requests

__all__ = ["URL_ENCODED", "S3Lists", "next_cursor", "next_markers"]

URL_ENCODED = ("encoding-type", "url")
"""Asks for names that XML can hold, whatever their characters."""


class S3Lists(S3Requests):
    """Lists page by page."""

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the account's buckets, those in other regions included.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
        """
        site = await self._site()
        params = [("max-buckets", "1000")]
        if cursor is not None:
            params.append(("continuation-token", cursor))
        request = Request("GET", "/", params, endpoint=site.endpoint, operation="ListBuckets")
        answer = answers.decoded(await self._exchange(request, site, "the list"), answers.Buckets)
        return Page(
            [answers.container_of(bucket) for bucket in answer.buckets], answer.token or None
        )

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of up to 1,000 objects in the order of their keys' UTF-8 bytes.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        answer = await self._listing(container, prefix, "", cursor)
        encoding = answer.encoding
        items = [answers.listed_object(entry, encoding, container) for entry in answer.entries]
        return Page(items, answer.token if answer.is_truncated else None)

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
        """
        answer = await self._listing(container, prefix, delimiter, cursor)
        items = answers.entries_of(answer, container)
        return Page(items, answer.token if answer.is_truncated else None)

    async def _listing(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Listing:
        params = [("list-type", "2"), ("max-keys", "1000"), URL_ENCODED]
        given = {"prefix": prefix, "delimiter": delimiter, "continuation-token": cursor}
        response = await self._send(
            "GET",
            container.name,
            params=[*params, *((name, value) for name, value in given.items() if value)],
            operation="ListObjectsV2",
            missing=ContainerDoesNotExistError,
        )
        answer = answers.listing_of(response)
        if answer.is_truncated and not answer.token:
            raise MalformedResponseError("the list goes on but names no next page")
        return answer

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first, delete markers too.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
        """
        params = [("versions", ""), URL_ENCODED, *([("prefix", prefix)] if prefix else [])]
        response = await self._send(
            "GET",
            container.name,
            params=[*params, *next_markers(cursor, "key-marker", "version-id-marker")],
            operation="ListObjectVersions",
            missing=ContainerDoesNotExistError,
        )
        tree = answers.tree_of(response)
        found = answers.listed_versions(tree, container)
        if tree.text("IsTruncated") != "true":
            return Page(found, None)
        key = answers.key_of(tree.text("NextKeyMarker", ""), tree.text("EncodingType"))
        return Page(found, next_cursor(cursor, (key, tree.text("NextVersionIdMarker", ""))))


def next_cursor(cursor: str | None, markers: tuple[str, str]) -> str:
    """Return the cursor for the two markers with which a list goes on.

    Raises:
        MalformedResponseError: They lead to the page that they stand on.
    """
    following = json.dumps(markers)
    if following == cursor or not any(markers):
        raise MalformedResponseError("the list goes on but its next page is this one")
    return following


def next_markers(cursor: str | None, *names: str) -> list[tuple[str, str]]:
    """Return as parameters where a list goes on."""
    if cursor is None:
        return []
    markers: list[str] = json.loads(cursor)
    return [(name, marker) for name, marker in zip(names, markers, strict=True) if marker]
