"""Route 53's API: calls, errors, changes on their way to the name servers.

Vendor's reference: https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from anysky.account import Account
from anysky.backend.base import Connection
from anysky.backend.dns import DNSBackend
from anysky.errors import (
    CloudError,
    ConflictError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RecordAlreadyExistsError,
    RecordDoesNotExistError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)
from anysky.providers.aws.backend import AWSBackend
from anysky.transport.base import Request, Response
from anysky.wire import xml
from anysky.wire.aws_rest_xml import ErrorDetails, document, error_details
from anysky.wire.status import error_for

from . import AWS
from .api import ERRORS, domain_of, region_setting, service_endpoint
from .signing import AWSSigner

__all__ = ["Change", "Route53API", "plain_id"]

R = TypeVar("R", bound=xml.Record)

_VERSION = "/2013-04-01"
_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_GOOD = range(200, 300)

# One region signs for a whole partition of AWS; each by how its regions' names begin.
_SIGNING_REGIONS: Mapping[str, str] = {
    "cn-": "cn-northwest-1",
    "eu-isoe-": "eu-isoe-west-1",
    "eusc-": "eusc-de-east-1",
    "us-gov-": "us-gov-west-1",
    "us-iso-": "us-iso-east-1",
    "us-isob-": "us-isob-east-1",
    "us-isof-": "us-isof-south-1",
}

_ERRORS: Mapping[str, type[CloudError]] = {
    **ERRORS,
    "ConflictingDomainExists": ZoneAlreadyExistsError,
    "DelegationSetNotAvailable": QuotaExceededError,
    "HostedZoneAlreadyExists": ZoneAlreadyExistsError,
    "HostedZoneNotEmpty": ConflictError,
    "HostedZoneNotFound": ZoneDoesNotExistError,
    "LimitsExceeded": QuotaExceededError,
    "NoSuchChange": NotFoundError,
    "NoSuchDelegationSet": NotFoundError,
    "NoSuchHealthCheck": NotFoundError,
    "NoSuchHostedZone": ZoneDoesNotExistError,
    "NotAuthorizedException": PermissionDeniedError,
    "TooManyHostedZones": QuotaExceededError,
}
_ABSENT = re.compile("but it was not found|do not match the current values")
_PRESENT = re.compile("but it already exists")


@dataclass(frozen=True, slots=True)
class Change:
    """A change on its way to Route 53's name servers.

    Attributes:
        id: Route 53's id of it, for `Route53.get_change`.
        status: ``"PENDING"``, or ``"INSYNC"`` once all name servers answer by it.
        submitted_at: When it was accepted, as Route 53 writes it (ISO 8601, UTC).
        comment: What its batch said of it.
    """

    id: str
    status: str
    submitted_at: str
    comment: str | None = None


def plain_id(id: str) -> str:
    """Return an id without the path that Route 53 puts before some: ``/hostedzone/Z1`` is Z1."""
    return id.rpartition("/")[2]


class Route53API(AWSBackend, DNSBackend):
    """How Route 53 is called; what it offers is in `Route53`."""

    account: AWS

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the URL that is configured, else that of the region's partition of AWS."""
        settings = cast("AWS", account)
        configured = service_endpoint("ROUTE_53", settings, environ)
        region = region_setting(settings, environ) or ""
        host = "route53.us-gov" if region.startswith("us-gov-") else "route53"
        return configured or f"https://{host}.{domain_of(region)}"

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> AWSSigner:
        """Return what signs, for the one region of the partition that signs."""
        settings = cast("AWS", account)
        region = region_setting(settings, connection.runtime.environ) or ""
        found = (name for start, name in _SIGNING_REGIONS.items() if region.startswith(start))
        return AWSSigner("route53", settings, connection, next(found, "us-east-1"))

    async def _fetch(self, path: str, answer: type[R], params: Sequence[tuple[str, str]] = ()) -> R:
        """Read something: GET below ``/2013-04-01``.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return await self._call(Request("GET", _VERSION + path, params), answer)

    async def _post(
        self,
        path: str,
        answer: type[R],
        root: str,
        content: Mapping[str, Any],
        *,
        repeatable: bool = False,
    ) -> R:
        """Send a document below ``/2013-04-01``.

        Args:
            path: Path, percent-encoded.
            answer: Record to decode the answer to.
            root: Root element of the document.
            content: What is in it; see `document`.
            repeatable: Whether it has the effect of once if it is sent twice.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        headers = {"Content-Type": "application/xml"}
        body = document(root, _NAMESPACE, content)
        request = Request("POST", _VERSION + path, (), headers, body, repeatable=repeatable)
        return await self._call(request, answer)

    async def _delete(self, path: str, answer: type[R]) -> R:
        """Delete something below ``/2013-04-01``.

        Raises:
            CloudError: The answer is an error, or is not what the reference promises.
        """
        return await self._call(Request("DELETE", _VERSION + path), answer)

    async def _call(self, request: Request, answer: type[R]) -> R:
        request.operation = f"{request.method} {request.path.split('/')[2]}"
        response = await self.transport.send(request)
        if response.status not in _GOOD:
            details = error_details(response.body)
            kind = _kind(details)
            raise error_for(
                response,
                details.message,
                kind=kind,
                code=details.code,
                request_id=details.request_id or response.headers.get("x-amzn-requestid", ""),
            )
        return _decode(response, answer)


def _kind(details: ErrorDetails) -> type[CloudError] | None:
    if details.code != "InvalidChangeBatch":
        return _ERRORS.get(details.code)
    if _ABSENT.search(details.message):
        return RecordDoesNotExistError
    return RecordAlreadyExistsError if _PRESENT.search(details.message) else None


def _decode(response: Response, answer: type[R]) -> R:
    try:
        return xml.decode(response.body, answer)
    except xml.XMLError as error:
        raise MalformedResponseError(
            f"Route 53's answer is not as its reference says: {error}",
            status=response.status,
            body=response.body,
        ) from error
