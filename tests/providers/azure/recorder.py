"""A server that notes what it is sent and gives every request a fitting answer of Blob Storage."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import LoopbackHandler, LoopbackServer, Received

ACCOUNT = "anyskytest"
KEY = base64.b64encode(bytes(range(64))).decode()
ETAG = '"0x8DCC0FFEE000001"'
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
CONTENT = b"Hello, sky!"
_MD5 = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
_XML = '<?xml version="1.0" encoding="utf-8"?>'
_TIME = "2026-11-22T12:00:00Z"

_ANY = {
    "ETag": ETAG,
    "Last-Modified": DATE,
    "x-ms-request-id": "00000000-0000-0000-0000-000000000000",
    "x-ms-version": "2025-01-05",
}
_BLOB = {
    "Content-Type": "text/plain",
    "Content-MD5": _MD5,
    "Cache-Control": "max-age=60",
    "x-ms-blob-type": "BlockBlob",
    "x-ms-creation-time": DATE,
    "x-ms-server-encrypted": "true",
    "x-ms-lease-status": "unlocked",
    "x-ms-lease-state": "available",
}
_KEY_ANSWER = (
    "<UserDelegationKey><SignedOid>object</SignedOid><SignedTid>tenant</SignedTid>"
    f"<SignedStart>{_TIME}</SignedStart><SignedExpiry>{_TIME}</SignedExpiry>"
    "<SignedService>b</SignedService><SignedVersion>2025-01-05</SignedVersion>"
    f"<Value>{KEY}</Value></UserDelegationKey>"
)
# Answers by the method, the parameter `comp`, and whether a blob was asked for.
_ANSWERS: dict[tuple[str, str, bool], tuple[int, dict[str, str], str]] = {
    ("GET", "list", False): (
        200,
        {},
        "<EnumerationResults><Containers/><Blobs/><NextMarker/></EnumerationResults>",
    ),
    ("GET", "", False): (200, {}, ""),
    ("HEAD", "", False): (200, {}, ""),
    ("PUT", "", False): (201, {}, ""),
    ("DELETE", "", False): (202, {}, ""),
    ("GET", "acl", False): (200, {}, "<SignedIdentifiers/>"),
    ("PUT", "acl", False): (200, {}, ""),
    ("POST", "userdelegationkey", False): (
        200,
        {},
        _KEY_ANSWER,
    ),
    ("HEAD", "", True): (200, _BLOB, ""),
    ("GET", "", True): (200, _BLOB, CONTENT.decode()),
    ("DELETE", "", True): (202, {}, ""),
    ("PUT", "", True): (201, {"Content-MD5": _MD5}, ""),
    ("PUT", "block", True): (201, {"Content-MD5": _MD5}, ""),
    ("PUT", "blocklist", True): (201, {}, ""),
    ("GET", "blocklist", True): (200, {}, "<BlockList/>"),
    ("PUT", "copy", True): (204, {}, ""),
    ("PUT", "metadata", True): (200, {}, ""),
    ("PUT", "properties", True): (200, {}, ""),
    ("PUT", "tier", True): (200, {}, ""),
    ("PUT", "tags", True): (204, {}, ""),
    ("GET", "tags", True): (
        200,
        {},
        "<Tags><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tags>",
    ),
}


@dataclass
class Recorder:
    """What arrived, and further answers: one for each key as in `_ANSWERS`."""

    url: str
    server: LoopbackServer
    seen: list[Received] = field(default_factory=list)
    answers: dict[tuple[str, str, bool], Any] = field(default_factory=dict)

    def take(self) -> list[Received]:
        """Return what arrived since the last time."""
        taken = list(self.seen)
        self.seen.clear()
        return taken


def start() -> Recorder:
    """Start a recorder; end it by `recorder.server.stop()`."""

    class Handler(LoopbackHandler):
        def serve(self) -> None:
            request = self.received()
            recorder.seen.append(request)
            status, headers, body = _answer(recorder, request)
            self.send_response(status)
            for name, value in {**_ANY, **headers}.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if request.method != "HEAD":
                self.wfile.write(body)

    server = LoopbackServer(Handler).start()
    recorder = Recorder(f"{server.url}/{ACCOUNT}", server)
    return recorder


def _answer(recorder: Recorder, request: Received) -> tuple[int, dict[str, str], bytes]:
    place = request.path.removeprefix(f"/{ACCOUNT}").strip("/")
    key = (request.method, request.arg("comp", "") or "", "/" in place)
    found = recorder.answers.get(key)
    if isinstance(found, list):
        found = found.pop(0) if found else None
    if callable(found):
        found = found(request)
    status, headers, text = found or _ANSWERS[key]
    is_copy = "x-ms-copy-source" in request.headers
    if is_copy and not found:
        status, headers = 202, {"x-ms-copy-id": "copy", "x-ms-copy-status": "success"}
    ranged = request.headers.get("range") or request.headers.get("x-ms-range")
    body = text if isinstance(text, bytes) else text.encode()
    if body.startswith(b"<"):
        headers, body = {"Content-Type": "application/xml", **headers}, _XML.encode() + body
    if ranged and key == ("GET", "", True) and not found:
        first, _, last = ranged.removeprefix("bytes=").partition("-")
        body = CONTENT[int(first) : int(last) + 1]
        headers = {
            **{name: value for name, value in headers.items() if name != "Content-MD5"},
            "Content-Range": f"bytes {first}-{int(first) + len(body) - 1}/{len(CONTENT)}",
            "x-ms-blob-content-md5": _MD5,
        }
        status = 206
    if request.method == "HEAD" and key[2] and status == 200:
        body = CONTENT  # whose length the answer tells
    return status, headers, body
