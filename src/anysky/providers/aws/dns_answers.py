"""What Route 53 answers, document by document.

Vendor's reference: https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

from anysky.wire import xml

from .dns_api import Change, plain_id
from .dns_sets import FoundSet

__all__ = [
    "Changed",
    "CommentedZone",
    "CreatedZone",
    "DeletedZone",
    "FoundVPC",
    "FoundZone",
    "ListedSets",
    "ListedZones",
    "OneChange",
    "OneZone",
]


class _WithChange(xml.Record):
    change_id: str = xml.required("ChangeInfo/Id")
    status: str = xml.required("ChangeInfo/Status")
    submitted_at: str = xml.text("ChangeInfo/SubmittedAt", "")
    comment: str | None = xml.text("ChangeInfo/Comment")

    @property
    def change(self) -> Change:
        """The change."""
        return Change(plain_id(self.change_id), self.status, self.submitted_at, self.comment)


class FoundZone(xml.Record):
    """A hosted zone in an answer."""

    id: str = xml.required("Id")
    name: str = xml.required("Name")
    reference: str = xml.text("CallerReference", "")
    comment: str | None = xml.text("Config/Comment")
    is_private: bool = xml.boolean("Config/PrivateZone", False)
    count: int | None = xml.integer("ResourceRecordSetCount")


class FoundVPC(xml.Record):
    """A VPC to which a private zone belongs."""

    id: str = xml.required("VPCId")
    region: str = xml.text("VPCRegion", "")


class _WithZone(xml.Record):
    hosted_zones: list[FoundZone] = xml.records("HostedZone", FoundZone)
    servers: list[str] = xml.texts("DelegationSet/NameServers/NameServer")

    @property
    def zone(self) -> FoundZone:
        """The zone."""
        return _only(self.hosted_zones)


class ListedZones(xml.Record, root="ListHostedZonesResponse"):
    """A page of hosted zones."""

    zones: list[FoundZone] = xml.records("HostedZones/HostedZone", FoundZone)
    next: str | None = xml.text("NextMarker")


class OneZone(_WithZone, root="GetHostedZoneResponse"):
    """One hosted zone."""

    vpcs: list[FoundVPC] = xml.records("VPCs/VPC", FoundVPC)


class CreatedZone(_WithChange, root="CreateHostedZoneResponse"):
    """A hosted zone that has been made."""

    hosted_zones: list[FoundZone] = xml.records("HostedZone", FoundZone)
    servers: list[str] = xml.texts("DelegationSet/NameServers/NameServer")
    vpcs: list[FoundVPC] = xml.records("VPC", FoundVPC)

    @property
    def zone(self) -> FoundZone:
        """The zone."""
        return _only(self.hosted_zones)


class CommentedZone(_WithZone, root="UpdateHostedZoneCommentResponse"):
    """A hosted zone whose comment has been changed."""


class DeletedZone(_WithChange, root="DeleteHostedZoneResponse"):
    """What is left of a hosted zone."""


class Changed(_WithChange, root="ChangeResourceRecordSetsResponse"):
    """A batch of changes that was accepted."""


class OneChange(_WithChange, root="GetChangeResponse"):
    """One change."""


class ListedSets(xml.Record, root="ListResourceRecordSetsResponse"):
    """A page of record sets."""

    sets: list[FoundSet] = xml.records("ResourceRecordSets/ResourceRecordSet", FoundSet)
    is_truncated: bool = xml.boolean("IsTruncated", False)
    next_name: str | None = xml.text("NextRecordName")
    next_type: str | None = xml.text("NextRecordType")
    next_identifier: str | None = xml.text("NextRecordIdentifier")


def _only(zones: list[FoundZone]) -> FoundZone:
    if not zones:
        raise xml.XMLError("an answer without HostedZone")
    return zones[0]
