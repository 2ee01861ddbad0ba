"""Lists of Azure Blob Storage: containers, blobs, folders, versions.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

from __future__ import annotations

import json

from anysky.errors import ContainerDoesNotExistError, MalformedResponseError
from anysky.model.storage import Container, Object, ObjectVersion, Prefix
from anysky.paging import Page
from anysky.transport.base import Response

from . import azure_blob_answers as answers
from .azure_blob_sending import BlobRequests

__all__ = ["BlobLists"]

_LIST = (("restype", "container"), ("comp", "list"))
_WRAPPED = b"<EnumerationResults><Blobs>%s</Blobs></EnumerationResults>"


class BlobLists(BlobRequests):
    """Lists page by page; a page has up to 5,000 items."""

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the account's containers.

        https://learn.microsoft.com/rest/api/storageservices/list-containers2
        """
        params = [("comp", "list"), *([("marker", cursor)] if cursor else [])]
        response = await self._send("GET", params=params, operation="ListContainers")
        answer = answers.decoded(response, answers.Containers)
        return Page(answers.containers_of(answer), _next(cursor, answer.marker))

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of a container's blobs in the order of their names.

        https://learn.microsoft.com/rest/api/storageservices/list-blobs
        """
        listing = await self._listing(container, prefix, cursor)
        return Page(answers.objects_of(listing, container), _next(cursor, listing.marker))

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep.

        https://learn.microsoft.com/rest/api/storageservices/enumerating-blob-resources
        """
        listing = await self._listing(container, prefix, cursor, delimiter=delimiter)
        return Page(answers.entries_of(listing, container), _next(cursor, listing.marker))

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first.

        There are none unless the account keeps versions. A blob that was deleted has only older
        ones: Azure keeps no marker in its place.

        https://learn.microsoft.com/azure/storage/blobs/versioning-overview
        """
        # The service lists the oldest first, so that the last name of a page is kept for the next.
        marker, kept = json.loads(cursor) if cursor else ("", "")
        response = await self._list(container, prefix, marker, include="versions")
        listing = answers.version_listing_of(response)
        before = answers.version_listing_of(Response(200, {}, _WRAPPED % kept.encode())).blobs
        found = [*before, *listing.blobs]
        following = _next(marker, listing.marker)
        if following is None:
            return Page(answers.versions_of(found, container), None)
        last = found[-1].name if found else ""
        later = b"".join(item.raw for item in found if item.name == last)
        done = [item for item in found if item.name != last]
        return Page(answers.versions_of(done, container), json.dumps((following, later.decode())))

    async def _listing(
        self,
        container: Container,
        prefix: str | None,
        cursor: str | None,
        *,
        delimiter: str = "",
        include: str = "",
        most: int | None = None,
    ) -> answers.Listing:
        found = await self._list(
            container, prefix, cursor, delimiter=delimiter, include=include, most=most
        )
        return answers.listing_of(found)

    async def _list(
        self,
        container: Container,
        prefix: str | None,
        cursor: str | None,
        *,
        delimiter: str = "",
        include: str = "",
        most: int | None = None,
    ) -> Response:
        given = {
            "prefix": prefix,
            "delimiter": delimiter,
            "include": include,
            "marker": cursor,
            "maxresults": None if most is None else str(most),
        }
        return await self._send(
            "GET",
            container.name,
            params=[*_LIST, *((name, value) for name, value in given.items() if value)],
            operation="ListBlobs",
            missing=ContainerDoesNotExistError,
        )


def _next(cursor: str | None, marker: str) -> str | None:
    """Return the cursor of the next page.

    Raises:
        MalformedResponseError: It is this page's.
    """
    if marker and marker == cursor:
        raise MalformedResponseError("the list goes on but its next page is this one")
    return marker or None
