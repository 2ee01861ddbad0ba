"""One request and its answer on a connection of urllib3, past `http.client`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .heads import head_of_request
from .timed import TimedResponse

__all__ = ["read_answer", "send_request"]

_JOINED = 64 * 1024  # up to here, copying a body to its head costs less than another write


def send_request(
    connection: Any,
    method: str,
    target: str,
    body: bytes | Iterator[bytes] | None,
    headers: Mapping[str, str],
) -> None:
    """Send a request whose header fields have been checked and are all there.

    Args:
        connection: A connection of urllib3, whose own way is four times as long: it checks and
            writes one field after the other, and a small body by itself.
        method: Method in capitals.
        target: What stands in the request line.
        body: Bytes; or pieces, sent in chunks if the fields say so.
        headers: The fields.
    """
    head = head_of_request(method, target, headers)
    pieces = _framed(body, chunked="Transfer-Encoding" in headers)
    first = next(pieces, b"")
    if len(first) <= _JOINED:
        connection.send(b"".join((head, first)))
    else:
        connection.send(head)
        connection.send(first)
    for piece in pieces:
        connection.send(piece)


def read_answer(connection: Any, method: str) -> TimedResponse:
    """Read the head of the answer to a request of this method."""
    connection.sock.settimeout(connection.timeout)
    answer = TimedResponse(connection.sock, method=method)
    try:
        answer.begin()
    except BaseException:
        answer.close()
        raise
    if answer.will_close:
        connection.close()  # the answer has the socket by now
    return answer


def _framed(body: bytes | Iterator[bytes] | None, *, chunked: bool) -> Iterator[bytes]:
    """Yield what is written after the head."""
    pieces = (body,) if isinstance(body, bytes) else body or ()
    if not chunked:
        yield from pieces
        return
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
