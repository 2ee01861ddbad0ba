"""Requests within a request: their form, and how each gets its own signature.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-batch#request-body
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence

from anysky.transport.base import Request

__all__ = ["BATCH", "LINE", "batch_body", "signed_batch"]

BATCH = "BlobBatch"
"""Operation of the request that holds others."""
LINE = "\r\n"

_REQUEST = re.compile(r"(?<=\r\n)([A-Z]+) (/[^ \r\n]*) HTTP/1\.1\r\n")


def batch_body(parts: Sequence[Request], endpoint: str) -> tuple[str, bytes]:
    """Return the type and the bytes of a body that holds requests, not signed yet.

    Args:
        parts: The requests; without bodies.
        endpoint: Where each would be sent.
    """
    base = _base(endpoint)
    lines = [f"{part.method} {base}{part.target} HTTP/1.1" for part in parts]
    # No name can hold a text that is made of all names.
    boundary = f"batch_{hashlib.sha256(LINE.join(lines).encode()).hexdigest()}"
    heads = [
        (
            f"--{boundary}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            line,
            "Content-Length: 0",
            "",
            "",
        )
        for number, line in enumerate(lines)
    ]
    body = "".join(LINE.join(head) for head in heads) + f"--{boundary}--{LINE}"
    return f"multipart/mixed; boundary={boundary}", body.encode()


async def signed_batch(
    request: Request, endpoint: str, sign: Callable[[Request, str], Awaitable[Request]]
) -> Request:
    """Return a request in which every request that it holds is signed; others as they are.

    Args:
        request: What will be sent.
        endpoint: Where to.
        sign: Signs one request.
    """
    if request.operation != BATCH or not isinstance(request.body, bytes):
        return request
    base = _base(endpoint)
    pieces: list[str] = []
    text, end = request.body.decode(), 0
    for found in _REQUEST.finditer(text):
        path, _, query = found[2].removeprefix(base).partition("?")
        params = urllib.parse.parse_qsl(query, keep_blank_values=True)
        part = await sign(Request(found[1], path, params), endpoint)
        fields = "".join(f"{name}: {value}{LINE}" for name, value in part.headers.items())
        pieces += [text[end : found.start()], f"{part.method} {base}{part.target} HTTP/1.1{LINE}"]
        pieces.append(fields)
        end = found.end()
    return dataclasses.replace(request, body="".join([*pieces, text[end:]]).encode())


def _base(endpoint: str) -> str:
    return urllib.parse.urlsplit(endpoint).path.rstrip("/")
