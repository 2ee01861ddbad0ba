"""Objects of Cloud Storage for anybody: signed URLs, public objects and buckets.

Vendor's references: https://cloud.google.com/storage/docs/authentication/canonical-requests and
https://cloud.google.com/storage/docs/access-control/making-data-public
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from anysky.backend.base import Option
from anysky.errors import InvalidRequestError
from anysky.model.storage import Container, Object, PresignedURL
from anysky.transport.base import encode_query, quote

from .api import NO_BUCKET, NO_OBJECT, bucket_path, check_name, object_path, version_params
from .deleting import GoogleDeletions

__all__ = ["GooglePublishing"]

_ALGORITHM = "GOOG4-RSA-SHA256"
_LONGEST = 7 * 24 * 3600
_METHODS = ("GET", "HEAD", "PUT", "DELETE")
_DEFAULT_EXPIRY_HOURS = 24.0
_ANYBODY = "allUsers"
_VIEWER = "roles/storage.objectViewer"
_CONDITIONS = 3  # the version of policies that may have them


class _Binding(msgspec.Struct, kw_only=True, omit_defaults=True):
    role: str
    members: list[str] = msgspec.field(default_factory=list[str])
    condition: Any = None


class _Policy(msgspec.Struct, kw_only=True, omit_defaults=True):
    etag: str = ""
    version: int = 1
    bindings: list[_Binding] = msgspec.field(default_factory=list[_Binding])


class GooglePublishing(GoogleDeletions):
    """What lets others read."""

    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "get_object_cdn_url": (
            Option("ex_expiry", "float", "hours for which the URL is good, up to 168; 24 if None"),
        ),
    }

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> PresignedURL:
        """Return a URL with which anybody may read, write or delete one object.

        It needs credentials of a service account. Where its key is not here, but on the machine's
        metadata server or behind an impersonation, Google signs, which takes a request.

        https://cloud.google.com/storage/docs/access-control/signed-urls

        Raises:
            InvalidRequestError: The method or the time is not allowed: 1 second to 7 days.
            UnsupportedOperationError: The credentials cannot sign.
        """
        if method not in _METHODS:
            raise InvalidRequestError(f"method is one of {', '.join(_METHODS)}, not {method!r}")
        if not 0 < expires <= _LONGEST:
            raise InvalidRequestError(f"a URL is good for 1 to {_LONGEST} seconds, not {expires}")
        identity = await self._signing_identity()
        when = datetime.fromtimestamp(int(self.runtime.time()), UTC)
        scope = f"{when:%Y%m%d}/auto/storage/goog4_request"
        path = f"/{quote(container.name)}/{quote(check_name(object_name), safe='/')}"
        query = _query(await identity.email(), scope, when, expires)
        parts = urlsplit(self.connection.endpoint)
        canonical = _canonical(method, parts.netloc, parts.path + path, query)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join((_ALGORITHM, _stamp(when), scope, digest))
        signature = (await identity.sign(text.encode())).hex()
        url = f"{self.connection.endpoint}{path}?{query}&X-Goog-Signature={signature}"
        return PresignedURL(url, method, {}, when + timedelta(seconds=expires))

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:
        """Return a URL from which anybody may read an object, for a day or ``ex_expiry`` hours.

        Raises:
            InvalidRequestError: The time is not within a second and seven days.
            UnsupportedOperationError: The credentials cannot sign.
        """
        hours = float(options.get("ex_expiry", _DEFAULT_EXPIRY_HOURS))
        return (await self.presign(obj.container, obj.name, expires=int(hours * 3600))).url

    async def get_container_cdn_url(self, container: Container) -> str:
        """Return the address below which a public bucket's objects are; nothing is sent."""
        return f"{self.connection.endpoint}/{quote(container.name)}"

    async def enable_container_cdn(self, container: Container) -> None:
        """Let anybody read a bucket's objects, by its IAM policy.

        https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy

        Raises:
            ContainerDoesNotExistError: There is no such bucket.
            ConflictError: Somebody else changed the policy at the same moment.
        """
        path = f"{bucket_path(container.name)}/iam"
        version = [("optionsRequestedPolicyVersion", str(_CONDITIONS))]
        policy = await self._api.call("GET", path, _Policy, params=version, kinds=NO_BUCKET)
        binding = next((b for b in policy.bindings if _is_viewers(b)), None)
        if binding is None:
            binding = _Binding(role=_VIEWER)
            policy.bindings.append(binding)
        if _ANYBODY not in binding.members:
            binding.members.append(_ANYBODY)
            body = msgspec.to_builtins(policy)
            await self._api.send("PUT", path, json=body, kinds=NO_BUCKET)

    async def enable_object_cdn(self, obj: Object) -> None:
        """Let anybody read an object, by its access list; not in a bucket without such lists.

        https://cloud.google.com/storage/docs/json_api/v1/objectAccessControls/insert

        Raises:
            ObjectDoesNotExistError: There is no such object.
            InvalidRequestError: The bucket has uniform access.
        """
        body = {"entity": _ANYBODY, "role": "READER"}
        await self._api.send(
            "POST",
            f"{object_path(obj)}/acl",
            params=version_params(obj),
            json=body,
            kinds=NO_OBJECT,
            repeatable=True,
        )


def _stamp(when: datetime) -> str:
    return f"{when:%Y%m%dT%H%M%SZ}"


def _query(email: str, scope: str, when: datetime, expires: int) -> str:
    """Return what a signed URL says of its signature, in the order that is signed."""
    return encode_query(
        [
            ("X-Goog-Algorithm", _ALGORITHM),
            ("X-Goog-Credential", f"{email}/{scope}"),
            ("X-Goog-Date", _stamp(when)),
            ("X-Goog-Expires", str(expires)),
            ("X-Goog-SignedHeaders", "host"),
        ]
    )


def _canonical(method: str, host: str, path: str, query: str) -> str:
    return "\n".join((method, path, query, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"))


def _is_viewers(binding: _Binding) -> bool:
    return binding.role == _VIEWER and binding.condition is None
