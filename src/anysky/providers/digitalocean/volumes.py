"""Block storage: volumes and their snapshots.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Block-Storage
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from anysky.backend.base import Option
from anysky.backend.compute import ComputeBackend
from anysky.errors import ConflictError, NotFoundError, UnsupportedOperationError
from anysky.ledger import mark_tag
from anysky.model.compute import (
    Filter,
    Node,
    StorageVolume,
    StorageVolumeState,
    VolumeSnapshot,
    VolumeSnapshotState,
    VolumeSpec,
)
from anysky.paging import Page
from anysky.wire.rest import extra_of, segment
from anysky.wire.tag_words import tags_of, words_of

from .api import Listing, number_of
from .marks import Marks

__all__ = ["Volumes"]


class _Volume(msgspec.Struct):
    id: str
    name: str
    size_gigabytes: int
    droplet_ids: list[int] | None = None
    tags: list[str] | None = None


class _Volumes(Listing, kw_only=True):
    volumes: list[msgspec.Raw]


class _OneVolume(msgspec.Struct):
    volume: msgspec.Raw


class _Snapshot(msgspec.Struct):
    id: str
    name: str
    created_at: datetime
    min_disk_size: int
    tags: list[str] | None = None


class _Snapshots(Listing, kw_only=True):
    snapshots: list[msgspec.Raw]


class _OneSnapshot(msgspec.Struct):
    snapshot: msgspec.Raw


_volume_data = msgspec.json.Decoder(_Volume).decode
_snapshot_data = msgspec.json.Decoder(_Snapshot).decode


class Volumes(Marks, ComputeBackend):
    """Volumes; each is in one region and attached to one Droplet at the most."""

    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "list_volumes": (Option("ex_region", "str", "only volumes in this region"),),
        "create_volume": (
            Option("ex_description", "str", "text for people"),
            Option("ex_filesystem_type", "str", "format it: 'ext4' or 'xfs'"),
            Option("ex_filesystem_label", "str", "label of that file system"),
        ),
    }

    async def list_volumes(self, cursor: str | None, filter: Filter) -> Page[StorageVolume]:
        """List volumes: GET /v2/volumes."""
        region = filter.location.id if filter.location else filter.options.get("ex_region")
        given = (("name", filter.name), ("region", region))
        params = [(key, value) for key, value in given if value is not None]
        answer = await self.api.page(cursor, "/volumes", _Volumes, params)
        return Page([_volume(raw) for raw in answer.volumes], answer.next)

    async def get_volume(self, volume_id: str) -> StorageVolume:
        """Fetch a volume: GET /v2/volumes/{id}."""
        return _volume(await self._raw_volume(volume_id))

    async def create_volume(self, spec: VolumeSpec) -> StorageVolume:
        """Create a volume, of a snapshot in the same region if one is given: POST /v2/volumes."""
        options = spec.options
        body: dict[str, Any] = {
            "name": spec.name,
            "size_gigabytes": spec.size,
            "region": self.region_of(spec.location),
            "snapshot_id": spec.snapshot.id if spec.snapshot else None,
            "tags": words_of(spec.tags),
            "description": options.get("ex_description"),
            "filesystem_type": options.get("ex_filesystem_type"),
            "filesystem_label": options.get("ex_filesystem_label"),
        }
        async with self.ledger("create_volume") as ledger:
            made = self._post_volume(body)
            volume = await ledger.step(f"volume {spec.name}", made, self.destroy_volume)
            return await self._unmark(volume, ledger)

    async def attach_volume(self, node: Node, volume: StorageVolume, device: str | None) -> None:
        """Attach a volume and wait for it: POST /v2/volumes/{id}/actions.

        The Droplet sees it as ``/dev/disk/by-id/scsi-0DO_Volume_`` and its name.
        """
        if device is not None:
            raise UnsupportedOperationError(
                "DigitalOcean chooses the device: leave device out and look for "
                f"/dev/disk/by-id/scsi-0DO_Volume_{volume.name}"
            )
        action = {"type": "attach", "droplet_id": number_of(node.id, "Droplet")}
        what = f"attachment of volume {volume.id} to node {node.id}"
        ids = (volume.id, node.id)
        async with self.ledger("attach_volume") as ledger:
            await self._attach(
                ledger, what, _actions(volume.id), action, self._take_off, self._volume_on, *ids
            )

    async def detach_volume(self, volume: StorageVolume) -> None:
        """Detach a volume and wait for it: POST /v2/volumes/{id}/actions.

        Raises:
            ConflictError: It is attached to no Droplet.
        """
        now = _volume_data(await self._raw_volume(volume.id))
        if not now.droplet_ids:
            raise ConflictError(f"the volume {volume.name} is attached to no Droplet")
        await self._detach(volume.id, now.droplet_ids[0])

    async def destroy_volume(self, volume: StorageVolume) -> None:
        """Destroy a volume that is attached to no Droplet: DELETE /v2/volumes/{id}."""
        await self._destroy(_path(volume.id), volume)

    async def list_volume_snapshots(
        self, volume: StorageVolume, cursor: str | None
    ) -> Page[VolumeSnapshot]:
        """List the snapshots of a volume: GET /v2/volumes/{id}/snapshots."""
        answer = await self.api.page(cursor, f"{_path(volume.id)}/snapshots", _Snapshots)
        return Page(_snapshots(answer.snapshots), answer.next)

    async def list_snapshots(
        self,
        cursor: str | None,
        filter: Filter,  # noqa: ARG002 - the API cannot filter them
    ) -> Page[VolumeSnapshot]:
        """List the snapshots of all volumes: GET /v2/snapshots."""
        params = [("resource_type", "volume")]
        answer = await self.api.page(cursor, "/snapshots", _Snapshots, params)
        return Page(_snapshots(answer.snapshots), answer.next)

    async def create_volume_snapshot(
        self, volume: StorageVolume, name: str | None
    ) -> VolumeSnapshot:
        """Make a snapshot: POST /v2/volumes/{id}/snapshots.

        Without a name it gets the volume's and the present time, since DigitalOcean wants one.
        """
        given = name or self._dated(volume.name)
        async with self.ledger("create_volume_snapshot") as ledger:
            made = self._post_snapshot(volume.id, given)
            what = f"snapshot {given} of volume {volume.id}"
            snapshot = await ledger.step(what, made, self.destroy_volume_snapshot)
            return await self._unmark(snapshot, ledger)

    async def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> None:
        """Destroy a snapshot: DELETE /v2/volumes/snapshots/{id}."""
        await self._destroy(f"/volumes/snapshots/{segment(snapshot.id)}", snapshot)

    async def _raw_volume(self, volume_id: str) -> msgspec.Raw:
        return (await self.api.call("GET", _path(volume_id), _OneVolume)).volume

    async def _post_volume(self, body: dict[str, Any]) -> StorageVolume:
        tags = [*body["tags"], *words_of(mark_tag())]
        given = {**body, "tags": tags or None}
        answer = await self.api.call("POST", "/volumes", _OneVolume, json=_given(given))
        return _volume(answer.volume)

    async def _post_snapshot(self, volume_id: str, name: str) -> VolumeSnapshot:
        body = _given({"name": name, "tags": words_of(mark_tag()) or None})
        path = f"{_path(volume_id)}/snapshots"
        return _snapshot((await self.api.call("POST", path, _OneSnapshot, json=body)).snapshot)

    async def _detach(self, volume_id: str, droplet: int) -> None:
        await self.api.act(_actions(volume_id), {"type": "detach", "droplet_id": droplet})

    async def _volume_on(self, _: str, volume_id: str, node_id: str) -> list[None]:
        """Tell whether a volume is attached to a node, which is nothing that could be returned."""
        await self.api.settle(_path(volume_id))
        now = _volume_data(await self._raw_volume(volume_id))
        return [None] if int(node_id) in (now.droplet_ids or ()) else []

    async def _take_off(self, volume_id: str, node_id: str) -> None:
        """Detach a volume from this node, unless it is attached to another one since."""
        if not await self._volume_on("", volume_id, node_id):
            raise NotFoundError(f"the volume {volume_id} is not attached to the node {node_id}")
        await self._detach(volume_id, int(node_id))

    def _dated(self, name: str) -> str:
        return f"{name}-{datetime.fromtimestamp(self.runtime.time(), UTC):%Y%m%d-%H%M%S}"


def _path(volume_id: str) -> str:
    return f"/volumes/{segment(volume_id)}"


def _actions(volume_id: str) -> str:
    return f"{_path(volume_id)}/actions"


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _volume(raw: msgspec.Raw) -> StorageVolume:
    data = _volume_data(raw)
    return StorageVolume(
        id=data.id,
        name=data.name,
        size=data.size_gigabytes,
        state=StorageVolumeState.INUSE if data.droplet_ids else StorageVolumeState.AVAILABLE,
        extra=extra_of(raw),
        tags=tags_of(data.tags or ()),
    )


def _snapshots(raws: Sequence[msgspec.Raw]) -> list[VolumeSnapshot]:
    return [_snapshot(raw) for raw in raws]


def _snapshot(raw: msgspec.Raw) -> VolumeSnapshot:
    data = _snapshot_data(raw)
    return VolumeSnapshot(
        id=data.id,
        size=data.min_disk_size,
        extra=extra_of(raw),
        created=data.created_at,
        state=VolumeSnapshotState.AVAILABLE,
        name=data.name,
        tags=tags_of(data.tags or ()),
    )
