"""AWS's REST-XML protocol: documents to send, and the errors in answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from xml.sax.saxutils import escape

from anysky.errors import InvalidRequestError
from anysky.wire.xml import XMLError, parse

__all__ = ["ErrorDetails", "document", "error_details"]

_UNSENDABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What an answer says of an error; empty where it says nothing.

    Attributes:
        code: AWS's code, for example ``"NoSuchHostedZone"``.
        message: For people.
        request_id: AWS's id of the request.
    """

    code: str = ""
    message: str = ""
    request_id: str = ""


def document(root: str, namespace: str, content: Mapping[str, Any]) -> bytes:
    """Return an XML document.

    Args:
        root: Name of the root element.
        namespace: Its namespace.
        content: Elements by name, in order: text, numbers, truth values, further mappings, or a
            list of these for an element that is repeated. None leaves an element out.

    Raises:
        InvalidRequestError: A text has a character that XML cannot carry.
    """
    inner = "".join(_elements(content))
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{namespace}">{inner}</{root}>'
    return text.encode()


def error_details(body: bytes) -> ErrorDetails:
    """Read the error in an answer, in each form in which AWS's REST services write it."""
    try:
        root = parse(body)
    except XMLError:
        return ErrorDetails()
    request_id = root.text("RequestId") or root.text("RequestID", "")
    if root.tag == "InvalidChangeBatch":  # Route 53 had no code in it for years
        messages = [one.value for one in root.all("Messages/Message")]
        return ErrorDetails(root.tag, " ".join(messages) or root.text("Message", ""), request_id)
    error = root if root.tag == "Error" else root.find("Error") or root.find("Errors/Error")
    if error is None:
        return ErrorDetails(request_id=request_id)
    return ErrorDetails(error.text("Code", ""), error.text("Message", ""), request_id)


def _elements(content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        several = cast("Iterable[Any]", value) if isinstance(value, list) else (value,)
        for one in several:
            if one is not None:
                yield f"<{name}>{_inner(one)}</{name}>"


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(_elements(cast("Mapping[str, Any]", value)))
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _UNSENDABLE.search(text):
        raise InvalidRequestError(f"XML cannot carry a character of {text[:80]!r}")
    return escape(text, {"\r": "&#13;"})
