"""AWS's query protocol: a form with ``Action`` and flattened parameters, answered in XML.

EC2 speaks a dialect of its own (lists are ``Name.1``, ``Name.2``); STS, ELB and their like speak
the older one (``Name.member.1``). Both answer errors with a code, a message and a request's id.

Written from https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-requests.html and
https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlencode

from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ConflictError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    QuotaExceededError,
)
from anysky.transport.base import Request
from anysky.wire import xml
from anysky.wire.status import error_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anysky.transport.base import Response

R = TypeVar("R", bound=xml.Record)

__all__ = [
    "Fault",
    "decode_answer",
    "error_of",
    "flatten",
    "parse_answer",
    "query_request",
    "read_fault",
]

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_OK = 200
# What a code means by its end, where a service's own table does not have it.
_ENDINGS: Mapping[str, type[CloudError]] = {
    ".NotFound": NotFoundError,
    "NotFound": NotFoundError,
    ".Duplicate": AlreadyExistsError,
    "AlreadyExists": AlreadyExistsError,
    ".InUse": ConflictError,
    "LimitExceeded": QuotaExceededError,
}
# Answers that quote the whole request, session token included, and what is said in their place.
_MESSAGES = {
    "SignatureDoesNotMatch": "the signature is wrong: check the secret key, and that no proxy "
    "changes requests on the way"
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error's XML says."""

    code: str
    message: str
    request_id: str


def flatten(parameters: Mapping[str, Any], list_part: str = "") -> list[tuple[str, str]]:
    """Write nested parameters as pairs for a form.

    Args:
        parameters: Text, numbers, booleans, bytes (sent as base64), sequences and mappings of them.
            What is None is left out.
        list_part: What stands between a list's name and its numbers: empty for EC2, ``"member"``
            for the older dialect.

    Raises:
        InvalidRequestError: A value is of another type.
    """
    between = f".{list_part}." if list_part else "."
    return [pair for name, value in parameters.items() for pair in _pairs(name, value, between)]


def _pairs(name: str, value: Any, between: str) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    text = _text(value)
    if text is not None:
        yield name, text
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield from _pairs(f"{name}.{key}", each, between)
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(cast("list[Any]", value), 1):
            yield from _pairs(f"{name}{between}{number}", each, between)
    else:
        raise InvalidRequestError(f"{name} cannot be a {type(value).__name__}")


def _text(value: Any) -> str | None:
    """Return a plain value as a form has it, None for what is not plain."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return None


def query_request(
    action: str,
    version: str,
    parameters: Mapping[str, Any],
    *,
    list_part: str = "",
    safe: bool = False,
    repeatable: bool = False,
    endpoint: str = "",
) -> Request:
    """Make the request for an action.

    Args:
        action: Name of the action.
        version: Version of the API, a date.
        parameters: See `flatten`.
        list_part: See `flatten`.
        safe: Whether the action changes nothing.
        repeatable: Whether it has the same effect when it is sent twice.
        endpoint: URL to send it to, in place of the account's own endpoint.

    Raises:
        InvalidRequestError: A parameter cannot be sent.
    """
    form = [("Action", action), ("Version", version), *flatten(parameters, list_part)]
    return Request(
        "POST",
        "/",
        headers=_HEADERS,
        body=_encoded(form),
        endpoint=endpoint,
        repeatable=repeatable,
        safe=safe,
        operation=action,
    )


def _encoded(form: list[tuple[str, str]]) -> bytes:
    try:
        return urlencode(form).encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("a parameter is not valid Unicode text") from None


def decode_answer(
    response: Response, document: type[R], errors: Mapping[str, type[CloudError]]
) -> R:
    """Decode a good answer to a record; raise the error of another.

    Args:
        response: The answer.
        document: Record with the root element of a good answer.
        errors: What the service's error codes mean.

    Raises:
        CloudError: The answer is an error, whatever its status.
        MalformedResponseError: It is no error and not what was promised.
    """
    if response.status != _OK:
        raise error_of(response, errors)
    try:
        return xml.decode(response.body, document)
    except xml.XMLError as error:
        raise _unexpected(response, str(error), errors) from error


def parse_answer(
    response: Response, action: str, errors: Mapping[str, type[CloudError]]
) -> xml.Element:
    """Return a small good answer as a tree; raise the error of another.

    Raises:
        CloudError: As `decode_answer`.
    """
    if response.status != _OK:
        raise error_of(response, errors)
    try:
        answer = xml.parse(response.body)
    except xml.XMLError as error:
        raise _unexpected(response, str(error), errors) from error
    if answer.tag != f"{action}Response":
        raise _unexpected(response, f"its root is {answer.tag[:80]!r}", errors)
    return answer


def _unexpected(
    response: Response, reason: str, errors: Mapping[str, type[CloudError]]
) -> CloudError:
    """Make the error for an answer 200 that is not what was promised: it may be an error's XML."""
    fault = read_fault(response.body)
    if fault is not None:
        return _error(response, fault, errors)
    return MalformedResponseError(
        f"the answer is not the XML that AWS promises: {reason}",
        status=response.status,
        body=response.body,
        headers=dict(response.headers),
    )


def error_of(response: Response, errors: Mapping[str, type[CloudError]]) -> CloudError:
    """Make the error for an answer that is one, by its code or, without XML, by its status."""
    fault = read_fault(response.body)
    return error_for(response) if fault is None else _error(response, fault, errors)


def read_fault(body: bytes) -> Fault | None:
    """Read an error's XML; None if it is something else."""
    try:
        answer = xml.parse(body)
    except xml.XMLError:
        return None
    found = answer.find("Errors/Error") or answer.find("Error")
    if found is None:
        return None
    request_id = answer.text("RequestID") or answer.text("RequestId", "")
    return Fault(found.text("Code", ""), found.text("Message", "").strip(), request_id)


def _error(response: Response, fault: Fault, errors: Mapping[str, type[CloudError]]) -> CloudError:
    error = error_for(
        response,
        _MESSAGES.get(fault.code) or fault.message or fault.code,
        kind=errors.get(fault.code) or _kind_by_ending(fault.code),
        code=fault.code,
        request_id=fault.request_id,
    )
    if fault.code in _MESSAGES:
        error.body = b""
    return error


def _kind_by_ending(code: str) -> type[CloudError] | None:
    return next((kind for end, kind in _ENDINGS.items() if code.endswith(end)), None)
