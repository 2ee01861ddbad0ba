"""Volumes and snapshots of EC2 (Amazon EBS).

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from anysky.errors import ConflictError, NotFoundError
from anysky.ledger import mark
from anysky.model.compute import (
    Filter,
    Node,
    NodeLocation,
    StorageVolume,
    StorageVolumeState,
    VolumeSnapshot,
    VolumeSnapshotState,
    VolumeSpec,
)
from anysky.paging import Page
from anysky.steps import MARK_TAG
from anysky.wire import xml

from .ec2 import (
    EC2Backend,
    Tagged,
    extra_of,
    filter_parameter,
    filters,
    id_of,
    tag_specification,
)

__all__ = ["EC2Volumes"]

_VOLUME_STATES: Mapping[str, StorageVolumeState] = {
    "creating": StorageVolumeState.CREATING,
    "available": StorageVolumeState.AVAILABLE,
    "in-use": StorageVolumeState.INUSE,
    "deleting": StorageVolumeState.DELETING,
    "deleted": StorageVolumeState.DELETED,
    "error": StorageVolumeState.ERROR,
}
_SNAPSHOT_STATES: Mapping[str, VolumeSnapshotState] = {
    "pending": VolumeSnapshotState.CREATING,
    "completed": VolumeSnapshotState.AVAILABLE,
    "error": VolumeSnapshotState.ERROR,
    "recovering": VolumeSnapshotState.RESTORING,
}
_VOLUME_EXTRA = {
    "create_time": "createTime",
    "device": "attachmentSet/item/device",
    "instance_id": "attachmentSet/item/instanceId",
    "iops": "iops",
    "snapshot_id": "snapshotId",
    "state": "status",
    "volume_type": "volumeType",
    "zone": "availabilityZone",
}
_SNAPSHOT_EXTRA = {
    "description": "description",
    "owner_id": "ownerId",
    "progress": "progress",
    "state": "status",
    "volume_id": "volumeId",
}
_GONE = frozenset({"detaching", "detached"})
# What AWS recommends for data volumes; newer instances show them as NVMe devices all the same.
_DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")


class _Volume(Tagged):
    id: str = xml.required("volumeId")
    size: int = xml.integer("size", 0)
    state: str = xml.text("status", "")


class _Volumes(xml.Record, root="DescribeVolumesResponse"):
    volumes: list[_Volume] = xml.records("volumeSet/item", _Volume)
    next_token: str | None = xml.text("nextToken")


class _Snapshot(Tagged):
    id: str = xml.required("snapshotId")
    size: int | None = xml.integer("volumeSize")
    state: str = xml.text("status", "")
    started: datetime | None = xml.value("startTime", datetime.fromisoformat)


class _Snapshots(xml.Record, root="DescribeSnapshotsResponse"):
    snapshots: list[_Snapshot] = xml.records("snapshotSet/item", _Snapshot)
    next_token: str | None = xml.text("nextToken")


class _CreatedVolume(_Volume, root="CreateVolumeResponse"):
    """The answer of CreateVolume, which is a volume."""


class _CreatedSnapshot(_Snapshot, root="CreateSnapshotResponse"):
    """The answer of CreateSnapshot, which is a snapshot."""


class _Zones(xml.Record, root="DescribeAvailabilityZonesResponse"):
    names: list[str] = xml.texts("availabilityZoneInfo/item/zoneName")


class _Attachment(xml.Record):
    node_id: str = xml.text("instanceId", "")
    device: str = xml.text("device", "")
    status: str = xml.text("status", "")
    ends: bool = xml.boolean("deleteOnTermination", False)


class _Attachments(xml.Record, root="DescribeVolumesResponse"):
    attachments: list[_Attachment] = xml.records("volumeSet/item/attachmentSet/item", _Attachment)


class _Devices(xml.Record, root="DescribeInstancesResponse"):
    names: list[str] = xml.texts(
        "reservationSet/item/instancesSet/item/blockDeviceMapping/item/deviceName"
    )


class EC2Volumes(EC2Backend):
    """Volumes and snapshots of EC2."""

    async def list_volumes(self, cursor: str | None, filter: Filter) -> Page[StorageVolume]:
        """List volumes: DescribeVolumes."""
        asked = filters(filter, "volume-id", "vol-")
        answer = await self._page(cursor, "DescribeVolumes", asked, _Volumes)
        return Page([_volume(one) for one in answer.volumes], answer.next_token or None)

    async def get_volume(self, volume_id: str) -> StorageVolume:
        """Fetch a volume: DescribeVolumes."""
        answer = await self._call("DescribeVolumes", {"VolumeId": [volume_id]}, _Volumes)
        if not answer.volumes:
            raise NotFoundError(f"there is no volume {volume_id}")
        return _volume(answer.volumes[0])

    async def create_volume(self, spec: VolumeSpec) -> StorageVolume:
        """Make a volume, without a location in the first zone of the region: CreateVolume."""
        options = spec.options
        parameters = {
            "AvailabilityZone": await self._zone(spec.location),
            "Size": spec.size,
            "SnapshotId": None if spec.snapshot is None else spec.snapshot.id,
            "VolumeType": options.get("ex_volume_type"),
            "Iops": options.get("ex_iops"),
            "Encrypted": options.get("ex_encrypted"),
            "KmsKeyId": options.get("ex_kms_key_id"),
            "Throughput": options.get("ex_throughput"),
            "ClientToken": mark(),
            "TagSpecification": tag_specification(spec.name, spec.tags, "volume"),
        }
        return _volume(await self._call("CreateVolume", parameters, _CreatedVolume))

    async def attach_volume(self, node: Node, volume: StorageVolume, device: str | None) -> None:
        """Attach a volume, by default as the next free of /dev/sdf to /dev/sdp: AttachVolume."""
        free = device or await self._free_device(node)
        parameters = {"VolumeId": volume.id, "InstanceId": node.id, "Device": free}
        async with self.ledger("attach_volume") as ledger:
            await ledger.step(
                f"attachment of volume {volume.id} to node {node.id}",
                self._act("AttachVolume", parameters),
                undo=self._take_off,
                undo_args=(volume.id, node.id),
                find=self._find_attachment,
                find_args=(volume.id, node.id, free),
            )

    async def detach_volume(self, volume: StorageVolume, node: Node | str | None = None) -> None:
        """Detach a volume: DescribeVolumes, DetachVolume.

        Args:
            volume: The volume.
            node: The node, for a volume that is attached to several.

        Raises:
            ConflictError: It is attached to nothing, or to several nodes and none is given.
        """
        instance = await self._user_of(volume) if node is None else id_of(node)
        await self._act("DetachVolume", {"VolumeId": volume.id, "InstanceId": instance})

    async def destroy_volume(self, volume: StorageVolume) -> None:
        """Delete a volume: DeleteVolume."""
        await self._act("DeleteVolume", {"VolumeId": volume.id})

    async def modify_volume(self, volume: StorageVolume | str, parameters: dict[str, Any]) -> None:
        """Change size, type or speed of a volume: ModifyVolume.

        Args:
            volume: The volume, or its id.
            parameters: ``Size``, ``VolumeType``, ``Iops``, ``Throughput``.
        """
        await self._act("ModifyVolume", {"VolumeId": id_of(volume), **parameters})

    async def list_volume_snapshots(
        self, volume: StorageVolume, cursor: str | None
    ) -> Page[VolumeSnapshot]:
        """List the account's snapshots of a volume: DescribeSnapshots."""
        return await self._snapshots(
            cursor, {"Owner": ["self"], **filter_parameter({"volume-id": volume.id})}
        )

    async def list_snapshots(self, cursor: str | None, filter: Filter) -> Page[VolumeSnapshot]:
        """List snapshots, by default the account's own: DescribeSnapshots."""
        owner = filter.options.get("ex_owner", "self")
        return await self._snapshots(
            cursor, {"Owner": [owner], **filters(filter, "snapshot-id", "snap-")}
        )

    async def create_volume_snapshot(
        self, volume: StorageVolume, name: str | None
    ) -> VolumeSnapshot:
        """Make a snapshot of a volume: CreateSnapshot."""
        parameters = {
            "VolumeId": volume.id,
            "Description": name,
            "TagSpecification": tag_specification(name, {}, "snapshot"),
        }
        return _snapshot(await self._call("CreateSnapshot", parameters, _CreatedSnapshot))

    async def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> None:
        """Delete a snapshot: DeleteSnapshot."""
        await self._act("DeleteSnapshot", {"SnapshotId": snapshot.id})

    async def _snapshots(
        self, cursor: str | None, parameters: Mapping[str, Any]
    ) -> Page[VolumeSnapshot]:
        answer = await self._page(cursor, "DescribeSnapshots", parameters, _Snapshots)
        return Page([_snapshot(one) for one in answer.snapshots], answer.next_token or None)

    async def _user_of(self, volume: StorageVolume) -> str:
        """Return the node that a volume is attached to; the attachment may be newer than it."""
        nodes = [one.node_id for one in await self._attachments(volume.id)]
        if len(nodes) != 1:
            told = ", ".join(nodes) or "no node"
            raise ConflictError(f"the volume {volume.id} is attached to {told}")
        return nodes[0]

    async def _attachments(self, volume_id: str) -> list[_Attachment]:
        answer = await self._call("DescribeVolumes", {"VolumeId": [volume_id]}, _Attachments)
        return answer.attachments

    async def _take_off(self, volume_id: str, node_id: str) -> None:
        """Detach a volume from one node.

        Raises:
            NotFoundError: It is not attached to that node, or not for long any more.
        """
        attached = [one for one in await self._attachments(volume_id) if one.node_id == node_id]
        if all(one.status in _GONE for one in attached):
            raise NotFoundError(f"the volume {volume_id} is not attached to {node_id}")
        await self._act("DetachVolume", {"VolumeId": volume_id, "InstanceId": node_id})

    async def _find_attachment(
        self,
        mark: str,  # noqa: ARG002 - an attachment carries none
        volume_id: str,
        node_id: str,
        device: str,
    ) -> list[None]:
        """Look for an attachment, which is known by its three ends."""
        wanted = (node_id, device)
        found = await self._attachments(volume_id)
        return [None for one in found if (one.node_id, one.device) == wanted][:1]

    async def _lasting_devices(self, node_id: str, mark: str) -> list[str]:
        """Return as what a node has the volumes that were made with it and will outlast it."""
        wanted = filter_parameter({f"tag:{MARK_TAG}": mark, "attachment.instance-id": node_id})
        answer = await self._call("DescribeVolumes", wanted, _Attachments)
        return [one.device for one in answer.attachments if not one.ends]

    async def _zone(self, location: NodeLocation | None) -> str:
        if location is not None:
            return location.id
        wanted = filter_parameter({"state": "available", "zone-type": "availability-zone"})
        answer = await self._call("DescribeAvailabilityZones", wanted, _Zones)
        if not answer.names:
            raise NotFoundError("the region has no available zone: pass location=")
        return min(answer.names)

    async def _free_device(self, node: Node) -> str:
        answer = await self._call("DescribeInstances", {"InstanceId": [node.id]}, _Devices)
        free = (device for device in _DEVICES if device not in answer.names)
        found = next(free, None)
        if found is None:
            raise ConflictError(
                f"node {node.id} uses {_DEVICES[0]} to {_DEVICES[-1]} already: pass device="
            )
        return found


def _volume(volume: _Volume) -> StorageVolume:
    return StorageVolume(
        volume.id,
        volume.name or volume.id,
        volume.size,
        _VOLUME_STATES.get(volume.state, StorageVolumeState.UNKNOWN),
        extra_of(volume.raw, _VOLUME_EXTRA),
        volume.tags,
    )


def _snapshot(snapshot: _Snapshot) -> VolumeSnapshot:
    return VolumeSnapshot(
        snapshot.id,
        snapshot.size,
        extra_of(snapshot.raw, _SNAPSHOT_EXTRA),
        snapshot.started,
        _SNAPSHOT_STATES.get(snapshot.state, VolumeSnapshotState.UNKNOWN),
        snapshot.name or None,
        snapshot.tags,
    )
