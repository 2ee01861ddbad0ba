"""Heads of HTTP/1.1 messages: the one that is sent, and the one that comes (RFC 9112)."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

__all__ = ["BadHead", "Framing", "framing", "head_of_request", "read_fields"]

_MAX_LINE = 64 * 1024
_MAX_FIELDS = 100
_METHOD = re.compile(r"[A-Z]+")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROLS = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = frozenset({204, 304})
_HTTP_1_1 = 11


class BadHead(http.client.HTTPException):
    """What came is no head of an HTTP answer."""


class _Lines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class Framing(NamedTuple):
    """Where the body of an answer ends, and what becomes of the connection then.

    Attributes:
        chunked: Whether the body comes in chunks that tell their length.
        length: Bytes of the body; None if chunks or the end of the connection tell.
        will_close: Whether the connection ends with the body.
    """

    chunked: bool
    length: int | None
    will_close: bool


def head_of_request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return request line and header fields, as they are sent.

    Args:
        method: Method in capitals.
        target: What stands in the request line.
        headers: All fields; their values have been checked.

    Raises:
        http.client.InvalidURL: Method or target would break out of the request line.
    """
    if not (_METHOD.fullmatch(method) and target.isascii() and target.isprintable()) or (
        " " in target
    ):
        raise http.client.InvalidURL("the request line holds a character that must be encoded")
    fields = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n\r\n".encode("ascii")


def read_fields(lines: _Lines) -> list[tuple[str, str]]:
    """Read the header fields of an answer up to the empty line; names in lower case.

    A value that was folded over several lines is joined with one space.

    Raises:
        http.client.HTTPException: There are more than 100, or one is longer than 64 KiB.
        BadHead: They end early, a line is no field, or a value holds a control character.
    """
    block = _read_block(lines)
    if _CONTROLS.search(block):
        raise BadHead("a header field holds a control character")
    fields: list[tuple[str, str]] = []
    for line in block.split("\n"):
        if line[:1] in (" ", "\t"):
            if not fields:
                raise BadHead("the first header field is folded")
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        if _NAME.fullmatch(name) and colon:
            fields.append((name.lower(), value.strip()))
        elif line:
            raise BadHead("a line among the header fields is none")
    return fields


def _read_block(lines: _Lines) -> str:
    """Return all lines before the empty one."""
    read: list[bytes] = []
    while (line := lines.readline(_MAX_LINE + 1)) not in (b"\r\n", b"\n"):
        if len(line) > _MAX_LINE:
            raise http.client.LineTooLong("header line")
        if not line.endswith(b"\n"):
            raise BadHead("the header fields end early")
        read.append(line)
        if len(read) > _MAX_FIELDS:
            raise http.client.HTTPException("more than 100 header fields")
    return b"".join(read).decode("latin-1")


def framing(method: str, version: int, status: int, fields: list[tuple[str, str]]) -> Framing:
    """Find out where the body of an answer ends.

    Args:
        method: That of the request.
        version: 10 or 11, for HTTP/1.0 and HTTP/1.1.
        status: Status of the answer.
        fields: Header fields with names in lower case.

    Raises:
        BadHead: The fields contradict each other or cannot be understood.
    """
    chunked = _is_chunked(_all(fields, "transfer-encoding"))
    length = _length(_all(fields, "content-length"))
    stays = _stays_open(version, fields)
    if method == "HEAD" or status in _WITHOUT_BODY or status < 200:  # noqa: PLR2004 - no answer yet
        return Framing(False, 0, not stays)
    if chunked:  # a length beside it may have fooled somebody on the way
        return Framing(True, None, not stays or length is not None)
    return Framing(False, length, not stays or length is None)


def _all(fields: list[tuple[str, str]], wanted: str) -> list[str]:
    return [part.strip() for name, value in fields if name == wanted for part in value.split(",")]


def _is_chunked(codings: list[str]) -> bool:
    codings = [one.lower() for one in codings if one.lower() not in ("", "identity")]
    if codings and codings != ["chunked"]:
        raise BadHead("the answer has an unknown Transfer-Encoding")
    return bool(codings)


def _length(lengths: list[str]) -> int | None:
    if not lengths:
        return None
    if len(set(lengths)) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise BadHead("the answer has no usable Content-Length")
    return int(lengths[0])


def _stays_open(version: int, fields: list[tuple[str, str]]) -> bool:
    options = {one.lower() for one in _all(fields, "connection")}
    if version == _HTTP_1_1:
        return "close" not in options
    return "keep-alive" in options and "close" not in options
