"""EC2's API: one call, pages, filters, tags, errors.

Vendor's reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from anysky.backend.compute import ComputeBackend
from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.ledger import mark_tag
from anysky.model.base import lazy_extra
from anysky.providers.aws.api import (
    DOMAINS,
    ERRORS,
    name_region,
    region_setting,
    regional_endpoint,
    service_endpoint,
)
from anysky.providers.aws.backend import AWSBackend
from anysky.providers.aws.signing import AWSSigner
from anysky.wire import xml
from anysky.wire.aws_query import decode_answer, parse_answer, query_request

if TYPE_CHECKING:
    from anysky.account import Account
    from anysky.backend.base import Connection
    from anysky.model.compute import Filter
    from anysky.providers.aws import AWS
    from anysky.transport.base import Response

R = TypeVar("R", bound=xml.Record)

__all__ = [
    "EC2Backend",
    "Tagged",
    "extra_of",
    "filter_parameter",
    "filters",
    "id_of",
    "tag_specification",
    "tags_of",
]

VERSION = "2016-11-15"
MAX_FILTER_VALUES = 200

_EC2_ERRORS: Mapping[str, type[CloudError]] = {
    **ERRORS,
    "AddressLimitExceeded": QuotaExceededError,
    "CannotDelete": ConflictError,
    "ConcurrentTagAccess": ConflictError,
    "DependencyViolation": ConflictError,
    "EC2ThrottledException": RateLimitedError,
    "IdempotentParameterMismatch": ConflictError,
    "IncorrectInstanceState": ConflictError,
    "IncorrectModificationState": ConflictError,
    "IncorrectSpotRequestState": ConflictError,
    "IncorrectState": ConflictError,
    "InstanceLimitExceeded": QuotaExceededError,
    "InsufficientAddressCapacity": QuotaExceededError,
    "InsufficientCapacity": QuotaExceededError,
    "InsufficientFreeAddressesInSubnet": QuotaExceededError,
    "InsufficientHostCapacity": QuotaExceededError,
    "InsufficientInstanceCapacity": QuotaExceededError,
    "InsufficientReservedInstanceCapacity": QuotaExceededError,
    "InsufficientVolumeCapacity": QuotaExceededError,
    "InvalidAMIID.Unavailable": NotFoundError,
    "InvalidGroup.Duplicate": AlreadyExistsError,
    "InvalidGroup.InUse": ConflictError,
    "InvalidIPAddress.InUse": ConflictError,
    "InvalidInstanceID": ConflictError,
    "InvalidKeyPair.Duplicate": KeyPairAlreadyExistsError,
    "InvalidKeyPair.NotFound": KeyPairDoesNotExistError,
    "InvalidPlacementGroup.Unknown": NotFoundError,
    "InvalidPermission.Duplicate": AlreadyExistsError,
    "InvalidSnapshot.InUse": ConflictError,
    "InvalidState": ConflictError,
    "InvalidSubnet.Conflict": ConflictError,
    "MaxIOPSLimitExceeded": QuotaExceededError,
    "MaxSpotInstanceCountExceeded": QuotaExceededError,
    "OperationNotPermitted": ConflictError,  # mostly a node that is protected
    "Resource.AlreadyAssociated": ConflictError,
    "ResourceCountExceeded": QuotaExceededError,
    "ResourceLimitExceeded": QuotaExceededError,
    "RulesPerSecurityGroupLimitExceeded": QuotaExceededError,
    "SnapshotCopyUnsupported.InterRegion": InvalidRequestError,
    "UnfulfillableCapacity": QuotaExceededError,
    "VolumeInUse": ConflictError,
    "VolumeModificationRateExceeded": QuotaExceededError,
    "VolumeTypeNotAvailableInZone": InvalidRequestError,
}

# Actions that have the effect of one when they are sent twice, and the error with which EC2 then
# answers the second, None if it answers as to the first. An action that is not here, does not
# begin with "Describe" or "Get" and has no ClientToken is sent once.
_REPEATABLE: Mapping[str, type[CloudError] | None] = {
    "AssociateAddress": None,  # documented as idempotent
    # Whether the first has made a rule that the second finds is told by the rule's mark.
    "AuthorizeSecurityGroupEgress": None,
    "AuthorizeSecurityGroupIngress": None,
    "CreateTags": None,
    "DeleteKeyPair": None,
    "DeleteSecurityGroup": NotFoundError,
    "DeleteSnapshot": NotFoundError,
    "DeleteSubnet": NotFoundError,
    "DeleteTags": None,
    "DeleteVolume": NotFoundError,
    "DeleteVpc": NotFoundError,
    "DeregisterImage": NotFoundError,
    "DisassociateAddress": None,  # documented as idempotent
    "ModifyInstanceAttribute": None,  # sets a value
    "ReleaseAddress": NotFoundError,
    "RevokeSecurityGroupEgress": NotFoundError,
    "RevokeSecurityGroupIngress": NotFoundError,
    "StartInstances": None,
    "StopInstances": None,
    "TerminateInstances": None,  # documented as idempotent
}
_READS = ("Describe", "Get")
_WILDCARD = re.compile(r"([*?\\])")


class Tagged(xml.Record):
    """Base of the records that keep their bytes and may have tags."""

    tags: dict[str, str] = xml.pairs("tagSet/item", "key", "value")
    raw: bytes = xml.source()

    @property
    def name(self) -> str:
        """The tag Name, which AWS's own console shows as the name."""
        return self.tags.get("Name", "")


class EC2Backend(AWSBackend, ComputeBackend):
    """What the parts of EC2 share."""

    account: AWS
    hosts = DOMAINS

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the configured endpoint or the region's; empty if only a file names the region."""
        settings = cast("AWS", account)
        configured = service_endpoint("EC2", settings, environ)
        if configured:
            return configured
        region = region_setting(settings, environ)
        return regional_endpoint("ec2", region) if region else ""

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> AWSSigner:
        """Return what signs requests to EC2."""
        return AWSSigner("ec2", cast("AWS", account), connection)

    async def _call(self, action: str, parameters: Mapping[str, Any], document: type[R]) -> R:
        """Send one action and decode its answer.

        Args:
            action: Name of the action.
            parameters: Its parameters; those that are None are left out.
            document: Record of the answer.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return decode_answer(await self._send(action, parameters), document, _EC2_ERRORS)

    async def ask(self, action: str, parameters: Mapping[str, Any]) -> xml.Element:
        """Send any action of EC2 and return its answer, a small one, as a tree.

        Args:
            action: Name of the action.
            parameters: Its parameters; lists, mappings, numbers, booleans and bytes are written
                as EC2 wants them, and those that are None are left out.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return parse_answer(await self._send(action, parameters), action, _EC2_ERRORS)

    async def _act(self, action: str, parameters: Mapping[str, Any]) -> None:
        """Send one action whose answer holds nothing of interest.

        Raises:
            CloudError: As `_call`.
        """
        try:
            await self.ask(action, parameters)
        except CloudError as error:
            done = _REPEATABLE.get(action)
            if done is None or error.attempts == 1 or not isinstance(error, done):
                raise
            # An earlier try, whose answer was lost, has done it.

    async def _page(
        self,
        cursor: str | None,
        action: str,
        parameters: Mapping[str, Any],
        document: type[R],
        size: int = 1000,
    ) -> R:
        """Fetch the page that a cursor names, or the first.

        Args:
            cursor: ``NextToken``.
            action: Name of the action.
            parameters: Its parameters, the same for every page.
            document: Record of the answer.
            size: Items that the action returns at the most.
        """
        paging = {"MaxResults": size, "NextToken": cursor}
        return await self._call(action, {**parameters, **paging}, document)

    async def _send(self, action: str, parameters: Mapping[str, Any]) -> Response:
        request = query_request(
            action,
            VERSION,
            parameters,
            safe=action.startswith(_READS),
            repeatable=action in _REPEATABLE or bool(parameters.get("ClientToken")),
            endpoint="" if self.connection.endpoint else await self._regional_endpoint(),
        )
        try:
            return await self.transport.send(request)
        except ConnectionFailedError as error:
            await self._explain(error)
            raise

    async def _regional_endpoint(self) -> str:
        return regional_endpoint("ec2", await self._region())

    async def _region(self) -> str:
        """Return the region that this driver talks to, also where a profile names it.

        Raises:
            InvalidAccountError: Nothing names one.
        """
        return await cast("AWSSigner", self.connection.signer).region()

    async def _explain(self, error: CloudError) -> None:
        """Say where the address came from, if it was not configured."""
        region = await self._region()
        if self.connection.endpoint in ("", regional_endpoint("ec2", region)):
            name_region(error, region)


def filters(filter: Filter, id_name: str, prefix: str, name: str = "tag:Name") -> dict[str, Any]:
    """Make the parameter ``Filter`` that asks for what a filter wants.

    Args:
        filter: What is wanted; its option ``ex_filters`` maps EC2's names to a value or a list.
        id_name: EC2's name for the id, for example ``"instance-id"``.
        prefix: How ids begin: a thing without a name has its id as name, so that EC2 cannot be
            asked for a name that looks like one.
        name: EC2's name for the name.
    """
    wanted: dict[str, list[str]] = {}
    if 0 < len(filter.ids) <= MAX_FILTER_VALUES:
        wanted[id_name] = [_literal(each) for each in filter.ids]
    if filter.name and not filter.name.startswith(prefix):
        wanted[name] = [_literal(filter.name)]
    for key, value in filter.tags.items():
        if value:
            wanted[f"tag:{key}"] = [_literal(value)]
        else:  # a filter may hold no empty text; the driver looks at the value itself
            wanted.setdefault("tag-key", [key])
    if filter.location is not None:
        wanted["availability-zone"] = [filter.location.id]
    return filter_parameter({**wanted, **filter.options.get("ex_filters", {})})


def filter_parameter(wanted: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """Make the parameter ``Filter`` of names and values."""
    listed = [
        {"Name": name, "Value": [values] if isinstance(values, str) else list(values)}
        for name, values in wanted.items()
    ]
    return {"Filter": listed} if listed else {}


def _literal(value: str) -> str:
    """Escape what would be a wildcard in a filter."""
    return _WILDCARD.sub(r"\\\1", value)


def tags_of(name: str | None, tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Make the parameter ``Tag`` of tags and a name, which is one of them."""
    named = {**tags, "Name": name} if name else tags
    return [{"Key": key, "Value": value} for key, value in named.items()]


def tag_specification(
    name: str | None, tags: Mapping[str, str], *kinds: str, is_marked: bool = True
) -> list[dict[str, Any]] | None:
    """Make the parameter ``TagSpecification``, for things of one or several kinds.

    Args:
        name: Value of the tag Name, if there shall be one.
        tags: Further tags.
        kinds: EC2's names of the kinds.
        is_marked: Whether the mark of the running step is among the tags.
    """
    named = {**tags, "Name": name} if name else tags
    tagged = tags_of(None, {**named, **(mark_tag() if is_marked else {})})
    return [{"ResourceType": kind, "Tag": tagged} for kind in kinds] if tagged else None


def id_of(thing: Any) -> str:
    """Return the id of a model, or the text that is one."""
    return thing if isinstance(thing, str) else str(thing.id)


def extra_of(raw: bytes, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the `extra` of a model, read from its XML when somebody looks.

    Args:
        raw: The element, whose children keep AWS's names.
        names: Further names, those of Apache Libcloud, each with the path of its text.
    """
    return lazy_extra(partial(_decode_extra, raw, names or {}))


def _decode_extra(raw: bytes, names: Mapping[str, str]) -> dict[str, Any]:
    element = xml.parse(raw)
    texts = {name: element.text(path) for name, path in names.items()}
    return {**texts, **element.to_dict()}
