"""What a driver and a cloud in another process say to each other.

A question is one line of JSON, then what an object holds, if it is about that. An answer is JSON or
what an object holds; the field `ANSWER` tells which, and an answer without it is one of those that
the cloud was told to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, cast

from anysky import errors
from anysky.errors import CloudError, MalformedResponseError, RateLimitedError
from anysky.model.codec import decode, encode
from anysky.paging import Page
from anysky.transport.base import Body, Response

__all__ = ["ANSWER", "MEDIA_TYPE", "Question", "answer", "read_answer", "refusal"]

ANSWER = "anysky-answer"
MEDIA_TYPE = "application/vnd.anysky.memory"

_OK, _FAILED = 200, 500


@dataclass(frozen=True, slots=True)
class Question:
    """One operation to be carried out.

    Attributes:
        arguments: The operation's own; a `Body` among them is sent as `content`.
        content: Bytes of an object.
        region: Region of the account.
        mark: What the thing that it makes will be found by, or empty.
    """

    arguments: Mapping[str, Any] = field(repr=False)
    content: bytes = field(default=b"", repr=False)
    region: str | None = None
    mark: str = ""

    def write(self) -> bytes:
        """Return the body of a request."""
        line = {
            "arguments": {k: v for k, v in self.arguments.items() if not isinstance(v, Body)},
            "bodies": [k for k, v in self.arguments.items() if isinstance(v, Body)],
            "region": self.region,
            "mark": self.mark,
        }
        return b"%s\n%s" % (encode(line, secrets=True).encode(), self.content)

    @classmethod
    def read(cls, body: bytes) -> Question:
        """Read the body of a request.

        Raises:
            MalformedResponseError: It is no question.
        """
        line, _, content = body.partition(b"\n")
        arguments, names, region, mark = _parts(
            _decoded(line), arguments=dict, bodies=list, region=(str, NoneType), mark=str
        )
        if not set(names).isdisjoint(arguments):
            raise MalformedResponseError("an argument of an operation is there twice")
        bodies = {str(name): Body(lambda: iter((content,)), len(content)) for name in names}
        return cls({**arguments, **bodies}, content, region, mark)


def answer(value: Any) -> Response:
    """Make the answer that holds what an operation returned."""
    if isinstance(value, bytes):
        return Response(_OK, {ANSWER: "content"}, value)
    if issubclass(cast("Any", type(value)), Page):
        return _in_json("page", {"items": list(value.items), "cursor": value.cursor})
    return _in_json("value", value)


def refusal(error: CloudError) -> Response:
    """Make the answer for an operation that raised an error."""
    kind = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
    details: dict[str, Any] = {
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
        "body": error.body,
        "headers": error.headers,
    }
    if isinstance(error, RateLimitedError):
        details["retry_at"] = error.retry_at
    content = {"kind": kind.__name__, "message": error.message, "details": details}
    return _in_json("error", content, _FAILED)


def read_answer(response: Response) -> Any:
    """Return what an operation returned, in another process.

    Raises:
        CloudError: It raised that.
        MalformedResponseError: The answer is none of a memory cloud.
    """
    form = response.headers[ANSWER]
    if form == "content":
        return response.body
    content = _decoded(response.body)
    if form == "value":
        return content
    if form == "page":
        return Page(*_parts(content, items=list, cursor=(str, NoneType)))
    if form == "error":
        raise _error(*_parts(content, kind=str, message=str, details=dict))
    raise MalformedResponseError("this is no answer of a memory cloud")


def _in_json(form: str, content: Any, status: int = _OK) -> Response:
    try:
        body = encode(content, secrets=True)
    except (TypeError, ValueError) as error:
        return refusal(MalformedResponseError(f"what the cloud has cannot be sent: {error}"))
    return Response(status, {ANSWER: form}, body.encode())


def _decoded(content: bytes) -> Any:
    try:
        return decode(content.decode("ascii"))
    except UnicodeDecodeError:
        raise MalformedResponseError("this is not JSON of ASCII characters") from None


def _parts(content: Any, **kinds: type | tuple[type, ...]) -> list[Any]:
    """Return the parts of a mapping, each of the type that it must have."""
    is_mapping = issubclass(cast("Any", type(content)), dict) and content.keys() == kinds.keys()
    if not is_mapping or not all(isinstance(content[name], kinds[name]) for name in kinds):
        raise MalformedResponseError(f"this is not a message with {', '.join(kinds)}")
    return [content[name] for name in kinds]


def _error(name: str, message: str, details: dict[str, Any]) -> CloudError:
    """Make an error of its parts."""
    kind = getattr(errors, name, None) if name in errors.__all__ else None
    if not isinstance(kind, type) or not issubclass(kind, CloudError):
        return MalformedResponseError(f"there is no error {name[:80]!r}")
    try:
        return kind(message, **details)
    except TypeError:
        return MalformedResponseError(f"these are no details of a {name}")
