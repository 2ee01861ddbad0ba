"""What S3 answers when it refuses, as errors.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidContainerNameError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.model.storage import Object, ObjectVersion
from anysky.transport.base import Response

from .s3_answers import tree_of
from .status import error_for
from .xml import Element, XMLError, parse

__all__ = [
    "WrongRegionError",
    "deletion_errors",
    "embedded_error",
    "error_of",
    "is_throttling",
    "redirect_error",
]

_ERRORS: Mapping[str, type[CloudError]] = {
    "AccessDenied": PermissionDeniedError,
    "AccountProblem": PermissionDeniedError,
    "AllAccessDisabled": PermissionDeniedError,
    "AuthorizationHeaderMalformed": AuthenticationError,
    "BadDigest": ObjectHashMismatchError,
    "BucketAlreadyExists": ContainerAlreadyExistsError,
    "BucketAlreadyOwnedByYou": ContainerAlreadyExistsError,
    "BucketNotEmpty": ContainerIsNotEmptyError,
    "ConditionalRequestConflict": ConflictError,
    "EntityTooLarge": InvalidRequestError,
    "ExpiredToken": AuthenticationError,
    "InternalError": ProviderUnavailableError,
    "InvalidAccessKeyId": AuthenticationError,
    "InvalidBucketName": InvalidContainerNameError,
    "InvalidObjectState": ConflictError,
    "InvalidSecurity": AuthenticationError,
    "InvalidToken": AuthenticationError,
    "MethodNotAllowed": UnsupportedOperationError,
    "NoSuchBucket": ContainerDoesNotExistError,
    "NoSuchKey": ObjectDoesNotExistError,
    "NoSuchUpload": NotFoundError,
    "NoSuchVersion": ObjectDoesNotExistError,
    "NotImplemented": UnsupportedOperationError,
    "NotSignedUp": PermissionDeniedError,
    "OperationAborted": ConflictError,
    "PreconditionFailed": PreconditionFailedError,
    "QuotaExceeded": QuotaExceededError,
    "RequestTimeTooSkewed": AuthenticationError,
    "RequestTimeout": ProviderUnavailableError,
    "ServiceUnavailable": ProviderUnavailableError,
    "SignatureDoesNotMatch": AuthenticationError,
    "SlowDown": RateLimitedError,
    "TokenRefreshRequired": AuthenticationError,
    "TooManyBuckets": QuotaExceededError,
    "TooManyRequests": RateLimitedError,
    "XAmzContentChecksumMismatch": ObjectHashMismatchError,
    "XAmzContentSHA256Mismatch": ObjectHashMismatchError,
}
# Answers by which S3 says that a bucket is in another region: by code, or without a body by status.
_ELSEWHERE = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)
_ELSEWHERE_STATUS = frozenset({301, 307, 400})
_THROTTLED = re.compile(
    rb"<Code>(?:%s)</Code>"
    % b"|".join(code.encode() for code, kind in _ERRORS.items() if kind is RateLimitedError)
)
_THROTTLING_STATUSES = frozenset({400, 503})
_HEAD = 2048
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


class WrongRegionError(InvalidRequestError):
    """The bucket is in another region than the one it was asked for in.

    Attributes:
        region: The region that it is in.
    """

    region: str = ""


def is_throttling(response: Response) -> bool:
    """Whether an answer says by its code that requests come too fast."""
    is_possible = response.status in _THROTTLING_STATUSES
    return is_possible and _THROTTLED.search(response.body[:_HEAD]) is not None


def error_of(
    response: Response, region: str, missing: type[CloudError] | None, subject: str
) -> CloudError:
    """Return the error that an answer is.

    Args:
        response: The answer; that of HEAD has no body, so that only its status tells.
        region: The driver's region, to say that the bucket is in another.
        missing: What 404 means where the answer has no code of its own.
        subject: What was asked for, for an answer that says nothing.
    """
    error = _read_error(response) or Element("Error", {})
    code = error.text("Code", "")
    elsewhere = _elsewhere(response, code, error.text("Region"), region)
    if elsewhere is not None:
        return elsewhere
    if not code and response.status == 404:  # noqa: PLR2004 - Not Found
        return _error_for(response, error, code, missing, f"there is no {subject}")
    fallback = f"{code or 'the provider refused the request'} for {subject}"
    return _error_for(response, error, code, _ERRORS.get(code), fallback)


def embedded_error(response: Response, tree: Element) -> CloudError | None:
    """Return the error in an answer 200, whose status left before the work was done."""
    if tree.tag != "Error":
        return None
    code = tree.text("Code", "")
    return _error_for(response, tree, code, _ERRORS.get(code, ProviderUnavailableError), code)


def redirect_error(refused: UnsafeResponseError, region: str) -> CloudError:
    """Return the error for a redirect: one that names the bucket's region, if that is known."""
    response = Response(refused.status or 0, refused.headers, refused.body)
    error = _read_error(response)
    code, right = (error.text("Code", ""), error.text("Region")) if error else ("", None)
    return _elsewhere(response, code, right, region) or refused


def _read_error(response: Response) -> Element | None:
    try:
        tree = parse(response.body)
    except XMLError:
        return None
    return tree if tree.tag == "Error" else None


def _elsewhere(
    response: Response, code: str, right: str | None, region: str
) -> WrongRegionError | None:
    right = response.headers.get("x-amz-bucket-region") or right
    known = code in _ELSEWHERE or (not code and response.status in _ELSEWHERE_STATUS)
    if not known or not right or right == region:
        return None
    error = WrongRegionError(
        f"the bucket is in the region {right[:64]!r}, and this request was for {region!r}: "
        f"make another driver with region={right[:64]!r}",
        status=response.status,
        code=code,
        request_id=response.headers.get("x-amz-request-id", ""),
        body=response.body,
        headers=dict(response.headers),
    )
    error.region = right
    error.attempts = response.attempts
    return error


def deletion_errors(response: Response, objects: Sequence[Object]) -> list[CloudError | None]:
    """Return for each object of DeleteObjects why it is still there; None if it is gone.

    Raises:
        MalformedResponseError: The answer is of other objects.
    """
    tree = tree_of(response)
    failed = {_identity(item): item for item in tree.all("Error")}
    found: list[CloudError | None] = []
    for obj in objects:
        version_id = obj.version_id if isinstance(obj, ObjectVersion) else ""
        item = failed.pop((obj.name, version_id), None)
        found.append(None if item is None else _deletion_error(response, item, obj.name))
    if tree.tag != "DeleteResult" or failed:
        raise MalformedResponseError("the answer tells of objects that were not to be deleted")
    return found


def _identity(item: Element) -> tuple[str, str]:
    return item.text("Key", ""), item.text("VersionId", "")


def _deletion_error(response: Response, item: Element, name: str) -> CloudError | None:
    code = item.text("Code", "")
    if code in _GONE:
        return None
    kind = _ERRORS.get(code, InvalidRequestError)
    return _error_for(response, item, code, kind, f"{code} for {name[:200]!r}")


def _error_for(
    response: Response, error: Element, code: str, kind: type[CloudError] | None, fallback: str
) -> CloudError:
    return error_for(
        response,
        error.text("Message", "") or fallback,
        kind=kind,
        code=code,
        request_id=response.headers.get("x-amz-request-id", "") or error.text("RequestId", ""),
    )
