"""Volumes and their snapshots."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase
from typing import Any

from anysky.errors import ConflictError, InvalidRequestError
from anysky.model.compute import (
    Filter,
    Node,
    NodeState,
    StorageVolume,
    StorageVolumeState,
    VolumeSnapshot,
    VolumeSnapshotState,
    VolumeSpec,
)
from anysky.paging import Page

from .machines import Machines
from .rules import check_name, check_tags, is_wanted, of_filter

__all__ = ["Volumes"]

_LARGEST = 16384
_ATTACHABLE = frozenset({NodeState.RUNNING, NodeState.STOPPED})


class Volumes(Machines):
    """Volumes of one location each, attached to one node at the most."""

    async def list_volumes(self, cursor: str | None, filter: Filter) -> Page[StorageVolume]:
        """Return a page of the volumes that match."""

        def work() -> Page[StorageVolume]:
            return self._state.volumes.page(cursor, lambda one: is_wanted(one, filter))

        return await self._look("list_volumes", {"cursor": cursor, **of_filter(filter)}, work)

    async def get_volume(self, volume_id: str) -> StorageVolume:
        """Return one volume.

        Raises:
            NotFoundError: There is no such volume.
        """
        return await self._look(
            "get_volume", {"volume": volume_id}, lambda: self._state.volumes.look_up(volume_id)
        )

    async def create_volume(self, spec: VolumeSpec) -> StorageVolume:
        """Make a volume of 1 to 16384 GB, from a snapshot if the spec has one."""
        arguments = {
            "name": spec.name,
            "size": spec.size,
            "location": spec.location and spec.location.id,
            "snapshot": spec.snapshot and spec.snapshot.id,
            "tags": dict(spec.tags),
        }
        return await self._do("create_volume", arguments, lambda: self._new_volume(spec))

    async def attach_volume(self, node: Node, volume: StorageVolume, device: str | None) -> None:
        """Attach a volume to a node that runs or is stopped, in the same location.

        Raises:
            ConflictError: The volume is attached, the node is on its way, or the device is taken.
            InvalidRequestError: They are in two locations.
        """
        await self._do(
            "attach_volume",
            {"node": node.id, "volume": volume.id, "device": device},
            lambda: self._attach_volume(node.id, volume.id, device),
        )

    async def detach_volume(self, volume: StorageVolume) -> None:
        """Detach a volume from its node.

        Raises:
            ConflictError: It is attached to none.
        """

        def work() -> None:
            found = self._state.volumes.get(volume.id)
            if found.state is not StorageVolumeState.INUSE:
                raise ConflictError(f"the volume {volume.id!r} is attached to no node")
            self._release_volume(found)

        await self._do("detach_volume", {"volume": volume.id}, work)

    async def destroy_volume(self, volume: StorageVolume) -> None:
        """Destroy a volume; its snapshots stay.

        Raises:
            ConflictError: It is attached to a node.
        """

        def work() -> None:
            found = self._state.volumes.get(volume.id)
            if found.state is StorageVolumeState.INUSE:
                raise ConflictError(
                    f"the volume {volume.id!r} is attached to the node {found.extra['node_id']!r}"
                )
            self._state.volumes.remove(volume.id)

        await self._remove("destroy_volume", {"volume": volume.id}, work)

    async def list_volume_snapshots(
        self, volume: StorageVolume, cursor: str | None
    ) -> Page[VolumeSnapshot]:
        """Return a page of the snapshots of a volume."""

        def work() -> Page[VolumeSnapshot]:
            self._state.volumes.get(volume.id)
            return self._state.snapshots.page(
                cursor, lambda one: one.extra["volume_id"] == volume.id
            )

        return await self._look(
            "list_volume_snapshots", {"volume": volume.id, "cursor": cursor}, work
        )

    async def list_snapshots(self, cursor: str | None, filter: Filter) -> Page[VolumeSnapshot]:
        """Return a page of the snapshots that match."""

        def work() -> Page[VolumeSnapshot]:
            return self._state.snapshots.page(cursor, lambda one: is_wanted(one, filter))

        return await self._look("list_snapshots", {"cursor": cursor, **of_filter(filter)}, work)

    async def create_volume_snapshot(
        self, volume: StorageVolume, name: str | None
    ) -> VolumeSnapshot:
        """Make a snapshot; without a name it is called as its id."""
        return await self._do(
            "create_volume_snapshot",
            {"volume": volume.id, "name": name},
            lambda: self._new_snapshot(volume.id, name),
        )

    async def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> None:
        """Destroy a snapshot; volumes that were made from it stay."""
        await self._remove(
            "destroy_volume_snapshot",
            {"snapshot": snapshot.id},
            lambda: self._state.snapshots.remove(snapshot.id),
        )

    def _new_volume(self, spec: VolumeSpec) -> StorageVolume:
        check_name(spec.name, "volume")
        place = self._place(spec.location)
        extra: dict[str, Any] = {"location": place, "created_at": self._state.date}
        least = 1
        if spec.snapshot is not None:
            source = self._state.snapshots.get(spec.snapshot.id)
            least = source.size or 1
            extra["snapshot_id"] = source.id
        if not least <= spec.size <= _LARGEST:
            raise InvalidRequestError(f"this volume has {least} to {_LARGEST} GB, not {spec.size}")
        id = self._state.new_id("vol-")
        state, tags = StorageVolumeState.AVAILABLE, check_tags(spec.tags)
        volume = StorageVolume(id, spec.name, spec.size, state, extra, tags)
        return self._state.volumes.add(id, volume)

    def _attach_volume(self, node_id: str, volume_id: str, device: str | None) -> None:
        node, volume = self._node(node_id), self._state.volumes.get(volume_id)
        if volume.state is not StorageVolumeState.AVAILABLE:
            raise ConflictError(f"the volume {volume_id!r} is attached already")
        if node.state not in _ATTACHABLE:
            raise ConflictError(f"the node {node_id!r} is {node.state}")
        if node.extra["location"] != volume.extra["location"]:
            raise InvalidRequestError(
                f"the volume is in {volume.extra['location']}, the node in {node.extra['location']}"
            )
        extra = {**volume.extra, "node_id": node_id, "device": self._device(node_id, device)}
        attached = replace(volume, state=StorageVolumeState.INUSE, extra=extra)
        self._state.volumes.put(volume_id, attached)

    def _device(self, node_id: str, device: str | None) -> str:
        """Return where a node sees its next volume."""
        taken = {one.extra["device"] for one in self._volumes_of(node_id)}
        if device is None:
            free = (f"/dev/vd{letter}" for letter in ascii_lowercase[1:])
            device = next((name for name in free if name not in taken), None)
        if device is None or device in taken:
            raise ConflictError(f"the node {node_id!r} has no free device {device or ''}".rstrip())
        return device

    def _volumes_of(self, node_id: str) -> list[StorageVolume]:
        volumes = self._state.volumes.items()
        return [one for one in volumes if one.extra.get("node_id") == node_id]

    def _release_volume(self, volume: StorageVolume) -> None:
        extra = {k: v for k, v in volume.extra.items() if k not in ("node_id", "device")}
        free = replace(volume, state=StorageVolumeState.AVAILABLE, extra=extra)
        self._state.volumes.put(volume.id, free)

    def _new_snapshot(self, volume_id: str, name: str | None) -> VolumeSnapshot:
        volume = self._state.volumes.get(volume_id)
        if name is not None:
            check_name(name, "snapshot")
        id = self._state.new_id("snap-")
        snapshot = VolumeSnapshot(
            id,
            volume.size,
            {"volume_id": volume_id, "location": volume.extra["location"]},
            self._state.date,
            VolumeSnapshotState.AVAILABLE,
            name or id,
            check_tags({}),
        )
        return self._state.snapshots.add(id, snapshot)
