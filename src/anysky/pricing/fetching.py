"""Get manifests and catalogues from ``https://``, ``file://`` and plain paths."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from anysky.errors import InvalidRequestError, UnsafeResponseError
from anysky.runtime.base import Runtime
from anysky.transport.base import ByteStream, Limits, Request, Response, Transport, quote
from anysky.transport.retry import RetryLayer, RetryPolicy
from anysky.transport.safety import SafetyLayer
from anysky.transport.settings import HTTPSettings

from .errors import UpdateUnavailableError, UpdateVerificationError

__all__ = ["Answer", "Fetcher", "is_local", "join", "local_path", "origin", "shown"]

_PIECE = 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_NOT_MODIFIED = 304
_GOOD = 200
_LIMITS = Limits(max_response_bytes=1024 * 1024)


class Answer(NamedTuple):
    """What came from an address; no content if it is what we have already."""

    content: bytes | None
    etag: str = ""


class Fetcher:
    """Gets files over a transport of either API, or from the disk.

    Args:
        make_transport: Makes the transport.
        settings: Time limits, proxy and TLS.
        runtime: Runs what blocks.
        insecure_http: Whether plain HTTP is allowed.
    """

    def __init__(
        self,
        make_transport: Callable[[str, HTTPSettings, Limits], Transport],
        settings: HTTPSettings,
        runtime: Runtime,
        *,
        insecure_http: bool = False,
    ) -> None:
        safe = SafetyLayer(make_transport("", settings, _LIMITS), _LIMITS)
        self._transport = RetryLayer(safe, runtime, RetryPolicy())
        self.runtime = runtime
        self._insecure_http = insecure_http

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def read(self, url: str, limit: int, etag: str = "") -> Answer:
        """Return a small file.

        Args:
            url: Its address.
            limit: Bytes that it may have.
            etag: That of the content which we have already, or nothing.

        Raises:
            UpdateUnavailableError: The address does not answer as it should.
            UpdateVerificationError: It is too large.
        """
        if is_local(url):
            stream: ByteStream = await self._open_file(url)
            return Answer(await _collect(stream, limit, url))
        response = await self._send(url, {"If-None-Match": etag} if etag else {})
        if response.status == _NOT_MODIFIED and etag:
            return Answer(None, etag)
        if response.status != _GOOD or response.stream is None:
            await _drop(response)
            raise _refused(url, response)
        content = await _collect(response.stream, limit, url)
        return Answer(content, response.headers.get("etag", ""))

    async def pour(
        self, url: str, take: Callable[[bytes], None], headers: Mapping[str, str] | None = None
    ) -> None:
        """Hand a file piece by piece to something that takes it, in a thread.

        Args:
            url: Its address.
            take: What takes it.
            headers: Headers, which may be secret: no other host gets them.

        Raises:
            UpdateUnavailableError: The address does not answer as it should.
        """
        stream = await self._open(url, headers or {})
        try:
            while piece := await stream.read(_PIECE):
                await self.runtime.in_thread(partial(take, piece))
        finally:
            await stream.close()

    async def _open(self, url: str, headers: Mapping[str, str]) -> ByteStream:
        if is_local(url):
            return await self._open_file(url)
        response = await self._send(url, headers)
        if response.status != _GOOD or response.stream is None:
            await _drop(response)
            raise _refused(url, response)
        return response.stream

    async def _open_file(self, url: str) -> ByteStream:
        path = local_path(url)
        try:
            file: IO[bytes] = await self.runtime.in_thread(lambda: path.open("rb"))
        except OSError as error:
            raise UpdateUnavailableError(f"cannot read {path}: {error.strerror}") from error
        return _File(file, self.runtime)

    async def _send(self, url: str, headers: Mapping[str, str]) -> Response:
        """Send a GET request and follow a few redirects, from https only to https."""
        first = origin(url)
        for _ in range(_MOST_REDIRECTS + 1):
            request = self._request(url, headers if origin(url) == first else {})
            try:
                return await self._transport.send(request)
            except UnsafeResponseError as error:
                target = error.headers.get("location")
                if error.status not in _REDIRECTS or not target:
                    raise
            target = urllib.parse.urljoin(url, target)
            if url.startswith("https:") and not target.startswith("https:"):
                raise UpdateVerificationError(f"{shown(url)} redirects away from https")
            url = target
        raise UpdateUnavailableError(f"{shown(url)} redirects too often")

    def _request(self, url: str, headers: Mapping[str, str]) -> Request:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._insecure_http):
            raise InvalidRequestError(
                f"{shown(url)} is not https: plain HTTP has to be allowed (--insecure-http)"
            )
        if "@" in parts.netloc or not parts.hostname:
            raise InvalidRequestError(f"{shown(url)} needs a host, and no password in it")
        return Request(
            "GET",
            quote(urllib.parse.unquote(parts.path), safe="/") or "/",
            params=urllib.parse.parse_qsl(parts.query, keep_blank_values=True),
            headers={"Accept-Encoding": "identity", **headers},
            endpoint=f"{parts.scheme}://{parts.netloc}",
            stream=True,
            operation="update_prices",
        )


class _File:
    """A local file as a stream."""

    def __init__(self, file: IO[bytes], runtime: Runtime) -> None:
        self._file = file
        self._runtime = runtime

    async def read(self, size: int) -> bytes:
        return await self._runtime.in_thread(partial(self._file.read, size))

    async def close(self) -> None:
        self._file.close()


async def _collect(stream: ByteStream, limit: int, url: str) -> bytes:
    content = bytearray()
    try:
        while piece := await stream.read(limit + 1 - len(content)):
            content += piece
            if len(content) > limit:
                raise UpdateVerificationError(f"{shown(url)} has more than {limit} bytes")
    finally:
        await stream.close()
    return bytes(content)


async def _drop(response: Response) -> None:
    """Give back the connection of an answer that is not what was asked for."""
    if response.stream is not None:
        await response.stream.close()


def _refused(url: str, response: Response) -> UpdateUnavailableError:
    return UpdateUnavailableError(
        f"{shown(url)} does not give the file", status=response.status, body=response.body
    )


def is_local(url: str) -> bool:
    """Whether an address is a path or ``file://``."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """Return the path that an address on this machine means.

    Raises:
        InvalidRequestError: It names another machine.
    """
    if not url.startswith("file://"):
        return Path(url).expanduser()
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InvalidRequestError(f"{shown(url)} names another machine")
    return Path(urllib.parse.unquote(parts.path))


def origin(url: str) -> tuple[str, str]:
    """Return the scheme and host of an address."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def join(base: str, url: str) -> str:
    """Return the address that a manifest's address and one in it make.

    From the web it may lead to other hosts over https; on this machine only to files beside or
    below the manifest.

    Raises:
        UpdateVerificationError: It leads elsewhere.
    """
    if not is_local(base):
        joined = urllib.parse.urljoin(base, url)
        if urllib.parse.urlsplit(joined).scheme not in {"https", base.partition(":")[0]}:
            raise UpdateVerificationError(f"the manifest leads to {shown(joined)}")
        return joined
    parts = url.split("/")
    if "" in parts or ".." in parts or "\\" in url or ":" in url:
        raise UpdateVerificationError(f"the manifest leads to {url[:100]!r}")
    return str(local_path(base).parent.joinpath(*parts))


def shown(url: str) -> str:
    """Return an address for messages: no password, no query, which may hold a token."""
    if "://" not in url:
        return url[:200]
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
