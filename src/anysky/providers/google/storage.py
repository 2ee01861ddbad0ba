"""Buckets of Cloud Storage, lists and versions.

Vendor's reference: https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import ipaddress
import re

from anysky.errors import (
    ConflictError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    NotFoundError,
)
from anysky.model.storage import Container, Object, ObjectVersion, Prefix
from anysky.paging import Page
from anysky.wire.rest import Kinds

from .answers import (
    LISTED,
    BucketResource,
    Buckets,
    Listing,
    ObjectResource,
    container_of,
    entries_of,
    object_of,
    version_of,
)
from .api import NO_BUCKET, bucket_path
from .publishing import GooglePublishing

__all__ = ["GoogleStorage"]

_PER_PAGE = ("maxResults", "1000")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST_LABEL = 63


class GoogleStorage(GooglePublishing):
    """Cloud Storage by its JSON API.

    https://cloud.google.com/storage/docs/json_api/v1
    """

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the project's buckets.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/list

        Raises:
            InvalidAccountError: Nobody knows the project.
        """
        params = [*await self._project_params(), _PER_PAGE, *_cursor(cursor)]
        answer = await self._api.call("GET", "/b", Buckets, params=params)
        return Page([container_of(item) for item in answer.items], answer.next_page_token)

    async def get_container(self, name: str) -> Container:
        """Return a bucket; `extra` has its ``location`` and ``storage_class``.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/get

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        path = bucket_path(name)
        return container_of(await self._api.call("GET", path, BucketResource, kinds=NO_BUCKET))

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a bucket, in the multi-region US unless a location is given.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/insert

        Raises:
            ContainerAlreadyExistsError: The name is taken, by this or any other project.
            InvalidContainerNameError: The name breaks the rules.
            InvalidAccountError: Nobody knows the project.
        """
        _check_new_bucket(name)
        body = {"name": name} | ({"location": location} if location else {})
        kinds: Kinds = {ConflictError: ContainerAlreadyExistsError}
        params = await self._project_params()
        item = await self._api.call(
            "POST", "/b", BucketResource, params=params, json=body, kinds=kinds
        )
        return container_of(item)

    async def delete_container(self, container: Container) -> None:
        """Delete a bucket, which must be empty, older versions included.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/delete

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            ContainerIsNotEmptyError: There are objects in it.
        """
        kinds: Kinds = {
            NotFoundError: ContainerDoesNotExistError,
            ConflictError: ContainerIsNotEmptyError,
        }
        await self._api.send("DELETE", bucket_path(container.name), kinds=kinds)

    # -- lists of objects ------------------------------------------------------------------------

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of up to 1,000 objects in the order of their names' UTF-8 bytes.

        https://cloud.google.com/storage/docs/json_api/v1/objects/list

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
        """
        params = [*_prefix(prefix), *_cursor(cursor)]
        answer = await self._list(container, params)
        return Page([object_of(item, container) for item in answer.items], answer.next_page_token)

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep, in the order of names.

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
        """
        params = [*_prefix(prefix), ("delimiter", delimiter), *_cursor(cursor)]
        answer = await self._list(container, params)
        return Page(entries_of(answer, container), answer.next_page_token)

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first.

        A name that was deleted has older versions only: there are no delete markers.

        https://cloud.google.com/storage/docs/object-versioning

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
        """
        # The oldest of a name come first: a page ends where a name does, to turn that round.
        params = [("versions", "true"), *_prefix(prefix)]
        start = [("startOffset", cursor)] if cursor else []
        answer = await self._list(container, [*params, *start])
        items, token = answer.items, answer.next_page_token
        while token and items and items[0].name == items[-1].name:
            answer = await self._list(container, [*params, *start, ("pageToken", token)])
            items += answer.items
            token = answer.next_page_token
        rest = items[-1].name if token and items else None
        whole = [item for item in items if item.name != rest]
        return Page([version_of(item, container) for item in _newest_first(whole)], rest)

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version, which is a generation of the object.

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        item = await self._resource(container_name, object_name, version_id)
        return version_of(item, Container(container_name))

    async def get_versioning(self, container: Container) -> bool:
        """Return whether a bucket keeps older versions of its objects."""
        path = bucket_path(container.name)
        item = await self._api.call("GET", path, BucketResource, kinds=NO_BUCKET)
        return bool(item.versioning and item.versioning.get("enabled"))

    async def set_versioning(self, container: Container, enabled: bool) -> None:
        """Let a bucket keep older versions of its objects from now on, or no longer.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/patch
        """
        body = {"versioning": {"enabled": enabled}}
        await self._api.send(
            "PATCH", bucket_path(container.name), json=body, kinds=NO_BUCKET, repeatable=True
        )

    async def _list(self, container: Container, params: list[tuple[str, str]]) -> Listing:
        path = f"{bucket_path(container.name)}/o"
        given = [_PER_PAGE, ("fields", LISTED), *params]
        return await self._api.call("GET", path, Listing, params=given, kinds=NO_BUCKET)


def _cursor(cursor: str | None) -> list[tuple[str, str]]:
    return [] if cursor is None else [("pageToken", cursor)]


def _prefix(prefix: str | None) -> list[tuple[str, str]]:
    return [("prefix", prefix)] if prefix else []


def _newest_first(items: list[ObjectResource]) -> list[ObjectResource]:
    """Turn the versions of each name round; names stay in their order."""
    places = {item.name: place for place, item in reversed(list(enumerate(items)))}
    return sorted(items, key=lambda item: (places[item.name], -int(item.generation or 0)))


def _check_new_bucket(name: str) -> None:
    """Check the name of a new bucket: https://cloud.google.com/storage/docs/buckets#naming.

    Raises:
        InvalidContainerNameError: It breaks the rules.
    """
    labels = name.split(".")
    good = (
        _BUCKET.fullmatch(name)
        and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
        and not name.startswith("goog")
        and not _is_address(name)
    )
    if not good:
        raise InvalidContainerNameError(
            f"{name[:80]!r} cannot be the name of a container: 3 to 63 lower-case letters, digits, "
            "dots, hyphens and underscores, beginning and ending with a letter or digit, not "
            "beginning with goog, no two dots together and not an IP address"
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
