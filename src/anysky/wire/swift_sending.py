"""Sending to Swift: where to, and what an answer that is an error means."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import ClassVar

from anysky.errors import (
    CloudError,
    ContainerDoesNotExistError,
    NotFoundError,
    UnsupportedOperationError,
)
from anysky.model.storage import Object, ObjectSpec
from anysky.runtime.base import Runtime
from anysky.transport.base import Body, Request, Response, Transport

from . import swift_answers as answers
from . import swift_requests as requests
from .openstack_auth import ServiceSigner

__all__ = ["CountedBody", "SwiftRequests"]

_FIRST_REFUSAL = 300
# Shows a container or account. Swift sends the end of a body after its answer to a HEAD of one,
# which is taken for the beginning of another answer; the shortest list tells the same.
_SHOWN = (("format", "json"), ("limit", "1"))
_ACCOUNT = re.compile(r"/v1(\.0)?(/.*)?$")


class CountedBody:
    """Counts the bytes of a body whose length nobody knew beforehand.

    Args:
        source: The content.

    Attributes:
        size: Bytes that were sent.
        body: What to send in place of the source.
    """

    def __init__(self, source: Body) -> None:
        self._source = source
        self.size = 0
        self.body = Body(self._open, None, source.replayable)

    def _open(self) -> Iterator[bytes] | AsyncIterator[bytes]:
        self.size = 0
        pieces = self._source.open()
        return self._async(pieces) if isinstance(pieces, AsyncIterator) else self._plain(pieces)

    def _plain(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with ExitStack() as stack:
            if (close := getattr(pieces, "close", None)) is not None:
                stack.callback(close)
            for piece in pieces:
                self.size += len(piece)
                yield piece

    async def _async(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with AsyncExitStack() as stack:
            if (close := getattr(pieces, "aclose", None)) is not None:
                stack.push_async_callback(close)
            async for piece in pieces:
                self.size += len(piece)
                yield piece


class SwiftRequests:
    """Sends requests for containers and objects; a provider says how it signs in.

    Attributes:
        page_size: Entries of a list that are asked for at once.
    """

    page_size: ClassVar[int] = 1000

    transport: Transport
    runtime: Runtime
    _info: answers.Info | None = None

    def _signer(self) -> ServiceSigner:
        """Return what signs in."""
        raise NotImplementedError

    def _plain(self) -> Transport:
        """Return what sends without credentials."""
        raise NotImplementedError

    async def _send(
        self,
        method: str,
        container: str,
        name: str | None = None,
        *,
        operation: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        stream: bool = False,
        repeatable: bool | None = None,
        missing: type[CloudError] | None = None,
        conflict: type[CloudError] | None = None,
    ) -> Response:
        """Send one request for a container or, with a name, an object; raise what is an error."""
        if name is None:
            path, subject = requests.container_path(container), f"the container {container!r}"
        else:
            path = requests.object_path(container, name)
            subject = f"the object {name[:200]!r} in {container!r}"
        request = Request(
            method,
            path,
            params,
            headers or {},
            body,
            repeatable=repeatable,
            stream=stream,
            operation=operation,
        )
        response = await self.transport.send(request)
        if response.status >= _FIRST_REFUSAL:
            raise answers.error_of(response, subject, missing, conflict)
        return response

    async def _send_account(
        self,
        method: str,
        *,
        operation: str,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeatable: bool | None = None,
    ) -> Response:
        """Send one request for the account itself; raise what is an error."""
        request = Request(
            method,
            "",
            params,
            headers or {},
            body,
            repeatable=repeatable,
            operation=operation,
        )
        response = await self.transport.send(request)
        if response.status >= _FIRST_REFUSAL:
            raise answers.error_of(response, "the account")
        return response

    async def _show_account(self) -> Response:
        """Ask for the account's header fields."""
        return await self._send_account("GET", params=_SHOWN, operation="show account")

    async def _capabilities(self) -> answers.Info:
        """Return what the cluster says that it can; asked once.

        https://docs.openstack.org/api-ref/object-store/#discoverability
        """
        if self._info is None:
            parts = urllib.parse.urlsplit(await self._signer().url())
            path = _ACCOUNT.sub("", parts.path.rstrip("/"))
            request = Request(
                "GET",
                f"{path}/info",
                endpoint=f"{parts.scheme}://{parts.netloc}",
                operation="info",
            )
            self._info = answers.info_of(await self._plain().send(request))
        return self._info

    async def _show_container(self, container: str) -> Response:
        """Ask for a container's header fields.

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        return await self._send(
            "GET",
            container,
            params=_SHOWN,
            operation="show container",
            missing=ContainerDoesNotExistError,
        )

    async def _check_container(self, name: str, error: CloudError) -> None:
        """See whether what is missing is the container itself.

        Raises:
            ContainerDoesNotExistError: It is.
        """
        try:
            await self._show_container(name)
        except ContainerDoesNotExistError as missing:
            raise missing from error

    async def _entries(
        self,
        container: str,
        prefix: str | None,
        marker: str | None,
        delimiter: str | None = None,
    ) -> tuple[list[answers.Entry], str | None]:
        """Return a page of a container's list, and the marker of the next one.

        https://docs.openstack.org/api-ref/object-store/#show-container-details-and-list-objects

        Raises:
            ContainerDoesNotExistError: There is no such container.
        """
        given = (("prefix", prefix), ("delimiter", delimiter), ("marker", marker))
        params = [("format", "json"), ("limit", str(self.page_size))]
        params += [(name, value) for name, value in given if value]
        response = await self._send(
            "GET",
            container,
            params=params,
            operation="list objects",
            missing=ContainerDoesNotExistError,
        )
        entries = answers.decoded(response, list[answers.Entry])
        return entries, entries[-1].marker if len(entries) >= self.page_size else None

    async def _all_entries(self, container: str, prefix: str) -> list[answers.Entry]:
        """Return all pages of a container's list; none for a container that is not there."""
        found: list[answers.Entry] = []
        marker: str | None = None
        while True:
            try:
                entries, following = await self._entries(container, prefix, marker)
            except ContainerDoesNotExistError:
                return found
            found += entries
            if following is None or following == marker:
                return found
            marker = following

    async def _looked_up(self, items: Sequence[Object]) -> list[Object]:
        """Look again at what a list calls empty: it may be made of segments.

        Swift counts only the bytes of a dynamic large object's own, which has none, and Ceph does
        so with static ones.
        """
        doubtful = [one for one in items if self._is_doubtful(one)]
        if not doubtful:
            return list(items)
        found = await self.runtime.gather([self._looked_up_one(one) for one in doubtful])
        known = {one.name: one for one in found}
        return [known.get(one.name, one) for one in items]

    def _is_doubtful(self, obj: Object) -> bool:
        folder = obj.extra["content_type"] == "application/directory"
        return self._looks_again() and obj.hash == answers.EMPTY_MD5 and not folder

    def _looks_again(self) -> bool:
        """Whether what a list calls empty is looked at again."""
        return True

    async def _looked_up_one(self, obj: Object) -> Object:
        try:
            response = await self._send(
                "HEAD", obj.container.name, obj.name, operation="show object"
            )
        except NotFoundError:  # deleted meanwhile
            return obj
        return answers.object_of_headers(obj.name, response.headers, obj.container)

    async def _check_condition(self, spec: ObjectSpec) -> None:
        """See that the cluster does not pass over a condition.

        Raises:
            UnsupportedOperationError: It does; the object was not stored.
        """
        if spec.condition is None or spec.condition.if_none_match is None:
            return
        if (await self._capabilities()).is_ceph:
            raise UnsupportedOperationError(
                "Ceph's Swift API stores objects on no condition; its S3 API does"
            )
