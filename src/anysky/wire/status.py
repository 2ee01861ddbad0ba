"""Turn an HTTP answer that is an error into one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProviderUnavailableError,
    RateLimitedError,
)
from anysky.transport.base import Response
from anysky.transport.retry import retry_at

__all__ = ["error_for", "kind_of_status"]

_KINDS: Mapping[int, type[CloudError]] = {
    304: PreconditionFailedError,
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: InvalidRequestError,
    408: ProviderUnavailableError,
    409: ConflictError,
    410: NotFoundError,
    412: PreconditionFailedError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    423: ConflictError,
    429: RateLimitedError,
}
_SERVER_ERRORS = 500


def kind_of_status(status: int) -> type[CloudError]:
    """Return what a status means where the provider's own code tells nothing more exact."""
    if status >= _SERVER_ERRORS:
        return ProviderUnavailableError
    return _KINDS.get(status, InvalidRequestError)


def error_for(
    response: Response,
    message: str = "",
    *,
    kind: type[CloudError] | None = None,
    code: str = "",
    request_id: str = "",
) -> CloudError:
    """Make the error for an answer.

    Args:
        response: The answer.
        message: What the provider says, if it could be read.
        kind: What its own code means; by default the status decides.
        code: Its own code.
        request_id: Its id of the request.
    """
    kind = kind or kind_of_status(response.status)
    details: dict[str, Any] = {
        "status": response.status,
        "code": code,
        "request_id": request_id or response.headers.get("x-request-id", ""),
        "body": response.body,
        "headers": dict(response.headers),
    }
    if issubclass(kind, RateLimitedError):
        details["retry_at"] = retry_at(response.headers)
    error = kind(message or _fallback(response), **details)
    error.attempts = response.attempts
    return error


def _fallback(response: Response) -> str:
    sort = response.headers.get("content-type", "").partition(";")[0] or "an unnamed type"
    return f"the provider answered with status {response.status} and {sort}"
