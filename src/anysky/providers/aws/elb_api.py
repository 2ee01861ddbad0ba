"""The API of Elastic Load Balancing: one call, tags, errors; both versions have it in common.

Vendor's references: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/ and
https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ConflictError,
    ConnectionFailedError,
    NotFoundError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.providers.aws.api import (
    DOMAINS,
    ERRORS,
    configured_endpoint,
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
    from anysky.providers.aws import AWS
    from anysky.transport.base import Response

R = TypeVar("R", bound=xml.Record)

__all__ = ["ELBBackend", "batches"]

_MOST_TAGGED = 20  # of which one DescribeTags may ask
_SERVICE = "elasticloadbalancing"
_EC2_VERSION = "2016-11-15"
_EC2_ACTIONS = {"DescribeSubnets": "ec2"}

_ERRORS: Mapping[str, type[CloudError]] = {
    **ERRORS,
    "DependencyThrottle": RateLimitedError,
    "DuplicateListener": AlreadyExistsError,
    "DuplicateLoadBalancerName": AlreadyExistsError,
    "DuplicateTargetGroupName": AlreadyExistsError,
    "HealthUnavailable": ProviderUnavailableError,
    "OperationNotPermitted": ConflictError,  # mostly a balancer that is protected from deletion
    "PriorityInUse": AlreadyExistsError,
    "ResourceInUse": ConflictError,
    "TargetGroupAssociationLimit": QuotaExceededError,
    "TooManyActions": QuotaExceededError,
    "TooManyCertificates": QuotaExceededError,
    "TooManyListeners": QuotaExceededError,
    "TooManyLoadBalancers": QuotaExceededError,
    "TooManyRegistrationsForTargetId": QuotaExceededError,
    "TooManyRules": QuotaExceededError,
    "TooManyTags": QuotaExceededError,
    "TooManyTargetGroups": QuotaExceededError,
    "TooManyTargets": QuotaExceededError,
    "TooManyUniqueTargetGroupsPerLoadBalancer": QuotaExceededError,
}
# Actions that have the effect of one when they are sent twice, and the error with which the
# second may be answered, None if it is answered as the first. AWS takes the creating ones twice as
# well, but not from somebody who changed his mind in between: they are sent once.
_REPEATABLE: Mapping[str, type[CloudError] | None] = {
    "AddTags": None,
    "DeleteListener": NotFoundError,
    "DeleteLoadBalancer": NotFoundError,
    "DeleteRule": NotFoundError,
    "DeleteTargetGroup": NotFoundError,
    "DeregisterTargets": None,
    "ModifyListener": None,  # sets values, like the next one
    "ModifyTargetGroupAttributes": None,
    "RegisterTargets": None,
    "RemoveTags": None,
}


class ELBBackend(AWSBackend, LoadBalancerBackend):
    """What both versions of Elastic Load Balancing have in common.

    Attributes:
        version: Version of the API, a date.
        endpoint_setting: Its name in the environment variable of its endpoint.
    """

    account: AWS
    hosts = DOMAINS
    version: ClassVar[str] = ""
    endpoint_setting: ClassVar[str] = ""

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the configured endpoint or the region's; empty if only a file names the region."""
        settings = cast("AWS", account)
        configured = service_endpoint(cls.endpoint_setting, settings, environ)
        if configured:
            return configured
        region = region_setting(settings, environ)
        return regional_endpoint(_SERVICE, region) if region else ""

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> AWSSigner:
        """Return what signs requests to Elastic Load Balancing, and the few to EC2."""
        return AWSSigner(_SERVICE, cast("AWS", account), connection, others=_EC2_ACTIONS)

    async def ask(self, action: str, parameters: Mapping[str, Any]) -> xml.Element:
        """Send any action of this API and return its answer, a small one, as a tree.

        Args:
            action: Name of the action.
            parameters: Its parameters; lists, mappings, numbers and booleans are written as the
                API wants them, and those that are None are left out.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return parse_answer(await self._send(action, parameters), action, _ERRORS)

    async def _call(self, action: str, parameters: Mapping[str, Any], document: type[R]) -> R:
        """Send one action and decode its answer.

        Args:
            action: Name of the action.
            parameters: Its parameters; those that are None are left out.
            document: Record of the answer.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return decode_answer(await self._send(action, parameters), document, _ERRORS)

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

    async def _send(self, action: str, parameters: Mapping[str, Any]) -> Response:
        own = "" if self.connection.endpoint else regional_endpoint(_SERVICE, await self._region())
        request = query_request(
            action,
            self.version,
            parameters,
            list_part="member",
            safe=action.startswith("Describe"),
            repeatable=action in _REPEATABLE,
            endpoint=own,
        )
        try:
            return await self.transport.send(request)
        except ConnectionFailedError as error:
            await self._explain(error)
            raise

    async def _ask_ec2(self, action: str, parameters: Mapping[str, Any], document: type[R]) -> R:
        """Send one reading action to EC2, in the same region, and decode its answer."""
        request = query_request(
            action,
            _EC2_VERSION,
            parameters,
            safe=True,
            endpoint=await self._ec2_endpoint(),
        )
        return decode_answer(await self.transport.send(request), document, _ERRORS)

    async def _ec2_endpoint(self) -> str:
        """Return where EC2 is: at a server that was given to the driver, which has all services."""
        if self.account.endpoint:
            return ""
        configured = configured_endpoint("EC2", self.runtime.environ)
        return configured or regional_endpoint("ec2", await self._region())

    async def _region(self) -> str:
        """Return the region that this driver talks to, also where a profile names it.

        Raises:
            InvalidAccountError: Nothing names one.
        """
        return await cast("AWSSigner", self.connection.signer).region()

    async def _explain(self, error: CloudError) -> None:
        """Say where the address came from, if it was not configured."""
        region = await self._region()
        if self.connection.endpoint in ("", regional_endpoint(_SERVICE, region)):
            name_region(error, region)


def batches(items: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list of ids or names into pieces that one DescribeTags may ask for."""
    return [items[start : start + _MOST_TAGGED] for start in range(0, len(items), _MOST_TAGGED)]
