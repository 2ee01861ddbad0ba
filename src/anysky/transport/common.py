"""What both transports do alike: header fields, bodies, and what a broken line means."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Iterator
from typing import cast

from anysky import __version__, deadlines
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    OutcomeUnknownError,
)

from .base import Body, Request
from .safety import check_headers

__all__ = [
    "PIECE",
    "Source",
    "broken_body",
    "broken_stream",
    "failure",
    "out_of_time",
    "root_of",
    "wire_headers",
]

PIECE = 256 * 1024
"""Bytes that are written or read at once: less costs more CPU for each gigabyte."""

_DEFAULTS = (
    ("user-agent", "User-Agent", f"anysky/{__version__}"),
    ("accept", "Accept", "*/*"),
    ("accept-encoding", "Accept-Encoding", "identity"),
)
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})


def wire_headers(request: Request) -> dict[str, str]:
    """Return the header fields to send: those of the request and what every request has.

    Raises:
        InvalidRequestError: The request line or a field would break out of its line.
    """
    target = request.path
    if not (target.isascii() and target.isprintable()) or " " in target or "#" in target:
        raise InvalidRequestError("the path of a request holds a character that must be encoded")
    headers = dict(request.headers)
    check_headers(headers)
    names = {name.lower() for name in headers}
    headers |= {shown: value for name, shown, value in _DEFAULTS if name not in names}
    length = request.body.length if isinstance(request.body, Body) else len(request.body)
    if (length or (length == 0 and request.method in _WITH_LENGTH)) and (
        "content-length" not in names
    ):
        headers["Content-Length"] = str(length)
    return headers


class Source:
    """The pieces of one body while it is sent; exactly as many bytes as it promises.

    Attributes:
        error: What went wrong with the source itself, so that it is not taken for a broken line.
    """

    def __init__(self, body: bytes | Body) -> None:
        self._body = body
        self._size = 0
        self.error: InvalidRequestError | None = None

    def open(self) -> Iterator[bytes] | AsyncIterator[bytes]:
        """Start from the beginning; large bytes are cut, for time limits hold for one write."""
        if isinstance(self._body, Body):
            return self._body.open()
        view = memoryview(self._body)
        return (cast("bytes", view[at : at + PIECE]) for at in range(0, len(view), PIECE))

    def pieces(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """Pass on the pieces of a plain iterator."""
        try:
            for piece in source:
                if self.count(piece):
                    yield piece
            self.check_end()
        except Exception as error:
            raise self.failed(error) from error

    def count(self, piece: bytes) -> int:
        """Count a piece: bytes beyond the promised length would be read as the next request."""
        self._size += len(piece)
        if self._length is not None and self._size > self._length:
            raise self._mismatch("more")
        return len(piece)

    def check_end(self) -> None:
        """See that nothing is missing."""
        if self._length is not None and self._size < self._length:
            raise self._mismatch("fewer")

    def failed(self, error: Exception) -> InvalidRequestError:
        """Remember and return what went wrong."""
        if isinstance(error, InvalidRequestError):
            self.error = error
        elif self.error is None:
            text = str(error)[:200] or type(error).__name__
            self.error = InvalidRequestError(f"the content to send cannot be read: {text}")
            self.error.__cause__ = error
        return self.error

    @property
    def _length(self) -> int | None:
        return self._body.length if isinstance(self._body, Body) else len(self._body)

    def _mismatch(self, how: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"the content has {how} than the {self._length} bytes that it should have; "
            "has it changed meanwhile?"
        )


def _host(endpoint: str) -> str:
    """Return host and port of a URL, without user and password."""
    return urllib.parse.urlsplit(endpoint).netloc.rpartition("@")[2]


def root_of(error: BaseException) -> BaseException:
    """Return the innermost error, without frames: their variables hold header fields."""
    while isinstance(inner := error.__cause__ or error.__context__, Exception):
        error = inner
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def failure(error: Exception, endpoint: str, *, sent: bool, reason: str = "") -> CloudError:
    """Turn an error of an HTTP library, before the answer's head was there, into ours.

    Args:
        error: What the library raised; only its innermost cause is kept, because the others hold
            requests with their credentials.
        endpoint: Where the request went.
        sent: Whether a byte of it may have left.
        reason: What happened, in place of what the innermost error says.
    """
    root = root_of(error)
    reason = reason or _text(root)
    host = _host(endpoint)
    ours: CloudError
    if sent:
        ours = OutcomeUnknownError(f"sent, but no answer came from {host}: {reason}")
    elif out_of_time():
        ours = DeadlineExceededError(f"no time was left while connecting to {host}: {reason}")
    else:
        ours = ConnectionFailedError(f"cannot connect to {host}: {reason}")
        import ssl

        ours.retryable = not isinstance(root, ssl.SSLCertVerificationError)
    ours.__cause__ = _shown(root)
    return ours


def broken_body(error: Exception) -> OutcomeUnknownError:
    """Turn an error of an HTTP library while the body was read into ours."""
    root = root_of(error)
    ours = OutcomeUnknownError(f"the answer broke off while it was read: {_text(root)}")
    ours.__cause__ = _shown(root)
    return ours


def broken_stream(error: Exception) -> CloudError:
    """The same for a body that is streamed: nothing but the reading of it has failed."""
    broken = broken_body(error)
    kind = DeadlineExceededError if out_of_time() else ConnectionFailedError
    ours = kind(broken.message)
    ours.__cause__ = broken.__cause__
    return ours


def out_of_time() -> bool:
    """Whether the call's time is over; timers may fire a millisecond early."""
    left = deadlines.remaining()
    return left is not None and left <= 0.001  # noqa: PLR2004 - a millisecond


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error)[:300] or type(error).__name__


def _shown(root: BaseException) -> BaseException | None:
    """Errors of the HTTP libraries hold requests; only those of the standard library are kept."""
    library = type(root).__module__.partition(".")[0]
    return None if library in ("aiohttp", "urllib3") else root
