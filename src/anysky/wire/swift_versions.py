"""Swift: versions of objects.

Vendor's reference: https://docs.openstack.org/swift/latest/middleware.html#object-versioning
"""

from __future__ import annotations

import msgspec

from anysky.errors import (
    ContainerDoesNotExistError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.model.storage import Container, ObjectVersion
from anysky.paging import Page

from . import swift_answers as answers
from .swift_sending import SwiftRequests

__all__ = ["SwiftVersions"]

_ENABLED = "x-versions-enabled"


class SwiftVersions(SwiftRequests):
    """Versions, where the cluster has the new kind, with ids."""

    async def get_versioning(self, container: Container) -> bool:
        """Return whether a container keeps older versions of its objects.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            UnsupportedOperationError: This cluster has no versions with ids.
        """
        await self._check_versions()
        response = await self._show_container(container.name)
        return response.headers.get(_ENABLED, "").lower() == "true"

    async def set_versioning(self, container: Container, enabled: bool) -> None:
        """Let a container keep older versions of its objects from now on, or no longer.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            UnsupportedOperationError: This cluster has no versions with ids.
        """
        await self._check_versions()
        await self._send(
            "POST",
            container.name,
            headers={_ENABLED: str(enabled).lower()},
            repeatable=True,
            operation="set versioning",
            missing=ContainerDoesNotExistError,
        )

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first, delete markers too.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            UnsupportedOperationError: This cluster has no versions with ids.
        """
        await self._check_versions()
        params = [("format", "json"), ("limit", str(self.page_size)), ("versions", "true")]
        if prefix:
            params.append(("prefix", prefix))
        if cursor is not None:
            marker, version = _read_cursor(cursor)
            params += [("marker", marker), ("version_marker", version)]
        response = await self._send(
            "GET",
            container.name,
            params=params,
            operation="list versions",
            missing=ContainerDoesNotExistError,
        )
        entries = answers.decoded(response, list[answers.Entry])
        items = [answers.listed_version(entry, container) for entry in entries]
        more = None
        if len(entries) >= self.page_size:
            more = msgspec.json.encode((entries[-1].name, entries[-1].version_id)).decode()
        return Page(items, more)

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of an object, which is no delete marker.

        Raises:
            ObjectDoesNotExistError: There is none.
            UnsupportedOperationError: This cluster has no versions with ids.
        """
        await self._check_versions()
        found = await self._send(
            "HEAD",
            container_name,
            object_name,
            params=[("version-id", version_id)],
            operation="show version",
            missing=ObjectDoesNotExistError,
        )
        container = Container(container_name)
        one = answers.object_of_headers(object_name, found.headers, container)
        latest = await self._latest(container_name, object_name)
        return ObjectVersion(
            one.name,
            one.size,
            one.hash,
            {**one.extra, "version_id": version_id},
            one.meta_data,
            container,
            version_id,
            version_id == latest,
        )

    async def _latest(self, container: str, name: str) -> str:
        try:
            response = await self._send(
                "HEAD", container, name, operation="show object", missing=ObjectDoesNotExistError
            )
        except ObjectDoesNotExistError:
            return ""
        return response.headers.get("x-object-version-id", "null")

    async def _check_versions(self) -> None:
        if (await self._capabilities()).object_versioning is None:
            raise UnsupportedOperationError(
                "this cluster keeps no versions: its /info does not announce object_versioning"
            )


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        return msgspec.json.decode(cursor, type=tuple[str, str])
    except msgspec.MsgspecError:
        raise InvalidRequestError("this is no cursor of a list of versions") from None
