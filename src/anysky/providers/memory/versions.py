"""Versions of objects in the memory cloud."""

from __future__ import annotations

from anysky.backend.storage import StorageBackend
from anysky.model.storage import Container, ObjectVersion
from anysky.paging import Page

from .api import MemoryBackend
from .shelf import Shelf

__all__ = ["MemoryVersions"]


class MemoryVersions(MemoryBackend, StorageBackend):
    """Versions as S3 has them: what was stored before has the id ``null``."""

    async def get_versioning(self, container: Container) -> bool:
        """Return whether a container keeps older versions of its objects."""

        def work() -> bool:
            self._state.containers.get(container.name)
            return self._state.versioning.get(container.name, False)

        return await self._look("get_versioning", {"container": container.name}, work)

    async def set_versioning(self, container: Container, enabled: bool) -> None:
        """Let a container keep older versions from now on, or no longer; those there are stay."""

        def work() -> None:
            self._state.containers.get(container.name)
            if enabled or container.name in self._state.versioning:
                self._state.versioning[container.name] = enabled

        arguments = {"container": container.name, "enabled": enabled}
        await self._set("set_versioning", arguments, work)

    async def list_object_versions(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first, delete markers too."""

        def work() -> Page[ObjectVersion]:
            self._state.containers.get(container.name)
            return Shelf(self._state).versions_page(container.name, prefix or "", cursor)

        arguments = {"container": container.name, "prefix": prefix, "cursor": cursor}
        return await self._look("list_object_versions", arguments, work)

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of an object, which may be a delete marker.

        Raises:
            ObjectDoesNotExistError: There is none.
            ContainerDoesNotExistError: There is no such container.
        """

        def work() -> ObjectVersion:
            self._state.containers.get(container_name)
            return Shelf(self._state).version(container_name, object_name, version_id)

        arguments = {
            "container": container_name, "object": object_name, "version_id": version_id
        }  # fmt: skip
        return await self._look("get_object_version", arguments, work)
