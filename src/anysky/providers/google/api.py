"""Cloud Storage's JSON API: where it is, how it names things, what its refusals mean.

Vendor's references: https://cloud.google.com/storage/docs/json_api/v1,
https://cloud.google.com/storage/docs/json_api/v1/status-codes and
https://cloud.google.com/storage/docs/request-endpoints
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    InvalidContainerNameError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.model.storage import Condition, Object, ObjectVersion
from anysky.transport.base import Request, Response, quote
from anysky.transport.retry import too_many
from anysky.wire.rest import Kinds, Refusal, RestAPI

__all__ = [
    "BASE",
    "DOWNLOAD",
    "NO_BUCKET",
    "NO_OBJECT",
    "UPLOAD",
    "StorageAPI",
    "bucket_path",
    "check_name",
    "condition_params",
    "object_path",
    "throttled",
    "version_params",
]

BASE = "/storage/v1"
UPLOAD = f"/upload{BASE}"
DOWNLOAD = f"/download{BASE}"

NO_BUCKET: Kinds = {NotFoundError: ContainerDoesNotExistError}
NO_OBJECT: Kinds = {NotFoundError: ObjectDoesNotExistError}

_MAX_NAME_BYTES = 1024
_REASONS: Mapping[str, type[CloudError]] = {
    "rateLimitExceeded": RateLimitedError,
    "userRateLimitExceeded": RateLimitedError,
    "quotaExceeded": QuotaExceededError,
    "dailyLimitExceeded": QuotaExceededError,
}
# The API has no codes for these: only its text tells them from other refusals of their status.
_MEANINGS: tuple[tuple[int, re.Pattern[str], type[CloudError]], ...] = (
    (404, re.compile("specified bucket does not exist"), ContainerDoesNotExistError),
    (400, re.compile("doesn't match calculated"), ObjectHashMismatchError),
    (400, re.compile("Invalid bucket name"), InvalidContainerNameError),
)
_THROTTLED = re.compile(rb'"reason": ?"(?:rateLimitExceeded|userRateLimitExceeded)"')
_HEAD = 4096
_GENERATION = re.compile("[0-9]{1,20}")


class _Reason(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    errors: list[_Reason] = msgspec.field(default_factory=list[_Reason])


class _ErrorBody(msgspec.Struct):
    error: _Error | None = None


class StorageAPI(RestAPI):
    """The JSON API."""

    title: ClassVar[str] = "Cloud Storage"
    base: ClassVar[str] = BASE

    def refusal(self, response: Response) -> Refusal:
        """Read an error of the form ``{"error": {"message", "errors": [{"reason"}]}}``."""
        request_id = response.headers.get("x-guploader-uploadid", "")
        try:
            error = msgspec.json.decode(response.body, type=_ErrorBody).error or _Error()
        except (msgspec.MsgspecError, RecursionError, ValueError):
            # Uploads are refused in plain text.
            error = _Error(response.body[:_HEAD].decode("utf-8", "replace").strip())
        code = next((each.reason for each in error.errors if each.reason), "")
        kind = _REASONS.get(code) or _meaning(response.status, error.message)
        return Refusal(error.message[:1000], kind, code, request_id)

    async def exchange(
        self, request: Request, kinds: Kinds | None = None, *, good: tuple[int, ...] = ()
    ) -> Response:
        """Send a request whose path is a whole one.

        Args:
            request: The request.
            kinds: Errors to raise in place of more general ones.
            good: Statuses that are no errors besides 200 to 299.

        Raises:
            CloudError: The answer is an error.
        """
        response = await self._transport.send(request)
        if response.status not in range(200, 300) and response.status not in good:
            raise self._error(response, kinds or {})
        return response

    def refusal_of(self, response: Response, kinds: Kinds) -> CloudError | None:
        """Return the error that an answer to a DELETE means; None if the thing is gone.

        What is not found by a second try was deleted by the first.
        """
        is_gone = response.status == 404 and response.attempts > 1  # noqa: PLR2004
        if response.status in range(200, 300) or is_gone:
            return None
        return self._error(response, kinds)


def throttled(response: Response) -> bool:
    """Whether an answer says that requests come too fast; also with 403, by its reason.

    https://cloud.google.com/storage/docs/request-rate
    """
    if too_many(response):
        return True
    return response.status == 403 and bool(_THROTTLED.search(response.body[:_HEAD]))  # noqa: PLR2004


def _meaning(status: int, message: str) -> type[CloudError] | None:
    found = (kind for its, text, kind in _MEANINGS if its == status and text.search(message))
    return next(found, None)


def bucket_path(name: str) -> str:
    """Return the path of a bucket.

    Raises:
        InvalidContainerNameError: There can be no such bucket.
    """
    if name in ("", ".", ".."):
        raise InvalidContainerNameError(f"{name!r} cannot be the name of a container")
    try:
        return f"/b/{quote(name)}"
    except UnicodeEncodeError:
        raise InvalidContainerNameError(f"{name[:80]!r} is not valid Unicode text") from None


def object_path(obj: Object | tuple[str, str]) -> str:
    """Return the path of an object, given as such or as the names of container and object.

    https://cloud.google.com/storage/docs/objects#naming

    Raises:
        InvalidRequestError: There can be no such object.
    """
    bucket, name = (obj.container.name, obj.name) if isinstance(obj, Object) else obj
    return f"{bucket_path(bucket)}/o/{quote(check_name(name))}"


def check_name(name: str) -> str:
    """Return the name of an object.

    Raises:
        InvalidRequestError: Cloud Storage takes no such name.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{name[:80]!r} is not valid Unicode text") from None
    if not 0 < size <= _MAX_NAME_BYTES:
        raise InvalidRequestError(
            f"the name of an object has 1 to {_MAX_NAME_BYTES} bytes in UTF-8, not {size}"
        )
    if name in (".", "..") or "\r" in name or "\n" in name:
        raise InvalidRequestError(
            f"{name[:80]!r} cannot be the name of an object: '.', '..' and line breaks are refused"
        )
    return name


def version_params(obj: Object, name: str = "generation") -> list[tuple[str, str]]:
    """Return the parameter that means one version of an object, if it is one."""
    return [(name, _generation(obj.version_id))] if isinstance(obj, ObjectVersion) else []


def condition_params(condition: Condition | None) -> list[tuple[str, str]]:
    """Return the parameters of a condition, whose etags are generations.

    https://cloud.google.com/storage/docs/request-preconditions

    Raises:
        InvalidRequestError: It is none that Cloud Storage knows.
    """
    if condition is None:
        return []
    wanted, refused = condition.if_match, condition.if_none_match
    if wanted is not None and refused is not None:
        raise InvalidRequestError("Cloud Storage takes if_match or if_none_match, not both")
    if wanted is not None:
        exists = wanted == "*"
        name = "ifGenerationNotMatch" if exists else "ifGenerationMatch"
        return [(name, "0" if exists else _generation(wanted))]
    if refused is not None:
        is_new = refused == "*"
        name = "ifGenerationMatch" if is_new else "ifGenerationNotMatch"
        return [(name, "0" if is_new else _generation(refused))]
    return []


def _generation(text: str) -> str:
    if not _GENERATION.fullmatch(text):
        raise InvalidRequestError(
            f"{text[:80]!r} is no generation, which versions and etags are at Cloud Storage"
        )
    return text
