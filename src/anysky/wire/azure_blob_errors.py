"""What Azure Blob Storage answers when it refuses, as errors.

Vendor's references:
https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
"""

from __future__ import annotations

from collections.abc import Mapping

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)
from anysky.transport.base import Response

from .status import error_for
from .xml import Element, XMLError, parse

__all__ = ["BLOB_EXISTS", "code_of", "error_of", "is_throttling"]

BLOB_EXISTS = "BlobAlreadyExists"

_BUSY = 503
_MESSAGE = 1000
_ERRORS: Mapping[str, type[CloudError]] = {
    "AccountIsDisabled": PermissionDeniedError,
    "APINotImplemented": UnsupportedOperationError,
    "AuthenticationFailed": AuthenticationError,
    "AuthorizationFailure": PermissionDeniedError,
    "AuthorizationPermissionMismatch": PermissionDeniedError,
    "AuthorizationProtocolMismatch": PermissionDeniedError,
    "AuthorizationResourceTypeMismatch": PermissionDeniedError,
    "AuthorizationServiceMismatch": PermissionDeniedError,
    "AuthorizationSourceIPMismatch": PermissionDeniedError,
    "BlobArchived": ConflictError,
    "BlobBeingRehydrated": ConflictError,
    "BlobImmutableDueToPolicy": ConflictError,
    "BlobNotFound": ObjectDoesNotExistError,
    "CannotVerifyCopySource": ObjectDoesNotExistError,
    "ConditionNotMet": PreconditionFailedError,
    "ContainerAlreadyExists": ContainerAlreadyExistsError,
    "ContainerBeingDeleted": ConflictError,
    "ContainerNotFound": ContainerDoesNotExistError,
    "Crc64Mismatch": ObjectHashMismatchError,
    "FeatureNotSupportedForAccount": UnsupportedOperationError,
    "InsufficientAccountPermissions": PermissionDeniedError,
    "InternalError": ProviderUnavailableError,
    "InvalidAuthenticationInfo": AuthenticationError,
    "InvalidBlockList": NotFoundError,
    "KeyBasedAuthenticationNotPermitted": PermissionDeniedError,
    "LeaseAlreadyPresent": ConflictError,
    "LeaseIdMismatchWithBlobOperation": ConflictError,
    "LeaseIdMismatchWithContainerOperation": ConflictError,
    "LeaseIdMissing": ConflictError,
    "LeaseLost": ConflictError,
    "LeaseNotPresentWithBlobOperation": ConflictError,
    "Md5Mismatch": ObjectHashMismatchError,
    "NoAuthenticationInformation": AuthenticationError,
    "OperationTimedOut": ProviderUnavailableError,
    "PublicAccessNotPermitted": PermissionDeniedError,
    "ServerBusy": RateLimitedError,
    "SourceConditionNotMet": PreconditionFailedError,
    "TargetConditionNotMet": PreconditionFailedError,
    "UncommittedBlockCountExceedsLimit": QuotaExceededError,
    # Said only where a condition asks that there be none.
    BLOB_EXISTS: PreconditionFailedError,
}


def is_throttling(response: Response) -> bool:
    """Whether an answer says that requests come too fast."""
    return response.status == _BUSY and code_of(response) == "ServerBusy"


def code_of(response: Response) -> str:
    """Return the service's code, which answers to HEAD have in a header field."""
    return response.headers.get("x-ms-error-code", "") or _tree(response).text("Code", "")


def error_of(response: Response, missing: type[CloudError] | None, subject: str) -> CloudError:
    """Return the error that an answer is.

    Args:
        response: The answer.
        missing: What 404 means where the answer has no code that says more.
        subject: What was asked for, for an answer that says nothing.
    """
    code = code_of(response)
    kind = _ERRORS.get(code)
    if kind is None and response.status == 404:  # noqa: PLR2004 - Not Found
        kind = missing or NotFoundError
    if kind is None and response.status == 501:  # noqa: PLR2004 - Not Implemented
        kind = UnsupportedOperationError
    return error_for(
        response,
        _message(_tree(response)) or f"{code or 'the provider refused the request'} for {subject}",
        kind=kind,
        code=code,
        request_id=response.headers.get("x-ms-request-id", ""),
    )


def _tree(response: Response) -> Element:
    try:
        tree = parse(response.body.removeprefix(b"\xef\xbb\xbf"))
    except XMLError:
        return Element("Error", {})
    return tree if tree.tag == "Error" else Element("Error", {})


def _message(tree: Element) -> str:
    """Return what the service says, without the lines that repeat its header fields."""
    said = tree.text("Message", "").splitlines()
    detail = tree.text("AuthenticationErrorDetail", "").splitlines()
    lines = [line for line in said if not line.startswith(("RequestId:", "Time:"))]
    return " ".join([*lines, *detail[:1]])[:_MESSAGE]
