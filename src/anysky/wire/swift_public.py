"""Swift: what anybody may read or store, by a signed URL or an access list."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anysky.errors import ContainerDoesNotExistError, InvalidRequestError, UnsupportedOperationError
from anysky.model.storage import Container, Object, PresignedURL
from anysky.secret import Secret

from . import swift_requests as requests
from .swift_sending import SwiftRequests

__all__ = ["SwiftPublic"]

_KEY = "meta-temp-url-key"
_DIGESTS = ("sha256", "sha512", "sha1")  # the first that the cluster takes
_ANYBODY = ".r:*"
_MAX_SECONDS = 100 * 365 * 86400


class SwiftPublic(SwiftRequests):
    """Signed URLs, and containers that are open to all."""

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> PresignedURL:
        """Return an address with which anybody may read (GET) or store (PUT) an object.

        It is signed with a key of the container or the account, or with ``temp_url_key`` of the
        driver. `set_temp_url_key` makes one; all URLs die when it is changed twice.

        https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html

        Raises:
            InvalidRequestError: There is no key, or the time is not positive.
            UnsupportedOperationError: The cluster has no such URLs, or not for this method.
        """
        path = requests.object_path(container.name, object_name)
        if not 0 < expires <= _MAX_SECONDS:
            raise InvalidRequestError(f"a URL cannot be good for {expires} seconds")
        digest = await self._digest(method)
        key = await self._key(container)
        ends = int(self.runtime.time()) + expires
        base = await self._signer().url()
        url = requests.temporary_url(
            base, path, key.reveal(), method=method, expires=ends, digest=digest
        )
        return PresignedURL(url, method, {}, datetime.fromtimestamp(ends, UTC))

    async def set_temp_url_key(
        self, key: str | None = None, container: Container | None = None
    ) -> None:
        """Give the account, or one container, a key for `presign`; the one before stays good.

        https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html

        Args:
            key: The key; None for a random one.
            container: The container; None for the whole account.

        Raises:
            UnsupportedOperationError: Ceph has keys of accounts only.
        """
        if container is not None and (await self._capabilities()).is_ceph:
            raise UnsupportedOperationError("Ceph has keys for temporary URLs of accounts only")
        response = await (
            self._show_account() if container is None else self._show_container(container.name)
        )
        name = f"x-account-{_KEY}" if container is None else f"x-container-{_KEY}"
        headers = {name: key or secrets.token_hex(32)}
        former = response.headers.get(name)
        if former:
            headers[f"{name}-2"] = former
        if container is None:
            await self._send_account(
                "POST", headers=headers, repeatable=True, operation="update account"
            )
        else:
            await self._post(container, headers)

    async def get_container_cdn_url(self, container: Container) -> str:
        """Return the address below which a container's objects may be read by anybody.

        Raises:
            InvalidRequestError: They may not; `enable_container_cdn` lets them.
        """
        await self._check_public(container)
        return await self._signer().url() + requests.container_path(container.name)

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:  # noqa: ARG002 - there are none
        """Return the address from which anybody may read an object.

        Raises:
            InvalidRequestError: Nobody may; `enable_container_cdn` lets them, and `presign` makes
                an address for a while.
        """
        await self._check_public(obj.container)
        return await self._signer().url() + requests.object_path(obj.container.name, obj.name)

    async def enable_container_cdn(self, container: Container) -> None:
        """Let anybody read a container's objects, by its read access list.

        https://docs.openstack.org/swift/latest/overview_acl.html
        """
        response = await self._show_container(container.name)
        readers = _entries(response.headers.get("x-container-read", ""))
        if _ANYBODY not in readers:
            await self._post(container, {"x-container-read": ",".join([*readers, _ANYBODY])})

    async def _check_public(self, container: Container) -> None:
        response = await self._show_container(container.name)
        if _ANYBODY not in _entries(response.headers.get("x-container-read", "")):
            raise InvalidRequestError(
                f"the container {container.name!r} is not open to anybody: call "
                "enable_container_cdn, or presign for one object"
            )

    async def _post(self, container: Container, headers: Mapping[str, str]) -> None:
        await self._send(
            "POST",
            container.name,
            headers=headers,
            repeatable=True,
            operation="update container",
            missing=ContainerDoesNotExistError,
        )

    async def _digest(self, method: str) -> str:
        """Return the hash with which the cluster wants URLs signed."""
        can = (await self._capabilities()).tempurl
        if can is None:
            raise UnsupportedOperationError("this cluster has no temporary URLs")
        if method not in (can.methods or ["GET", "HEAD", "PUT"]):
            raise UnsupportedOperationError(f"this cluster has no temporary URLs for {method}")
        offered = can.allowed_digests or ["sha1"]  # what says nothing of it knows no other
        return next((one for one in _DIGESTS if one in offered), "sha1")

    async def _key(self, container: Container) -> Secret:
        """Return the driver's own key, else that of the container, else that of the account."""
        own = self._own_key()
        if own is not None:
            return own
        found: str | None = None
        if not (await self._capabilities()).is_ceph:
            found = (await self._show_container(container.name)).headers.get(f"x-container-{_KEY}")
        if not found:
            found = (await self._show_account()).headers.get(f"x-account-{_KEY}")
        if not found:
            raise InvalidRequestError(
                f"neither the container {container.name!r} nor the account has a key for "
                "temporary URLs: call set_temp_url_key, or pass temp_url_key= to the driver"
            )
        return Secret(found)

    def _own_key(self) -> Secret | None:
        """Return the key that the driver was told."""
        return None


def _entries(access: str) -> list[str]:
    return [entry.strip() for entry in access.split(",") if entry.strip()]
