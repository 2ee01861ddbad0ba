"""Azure Blob Storage, the protocol: containers and blobs.

A provider's backend is `BlobStorage` in front of the contract, and says what signs.

Vendor's reference: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anysky.errors import (
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    UnsupportedOperationError,
)
from anysky.model.storage import (
    Condition,
    Container,
    Object,
    ObjectVersion,
    PresignedURL,
)
from anysky.secret import Secret
from anysky.transport.base import ByteStream, Response, encode_query

from . import azure_blob_answers as answers
from . import azure_blob_requests as requests
from .azure_blob_batches import BlobBatches
from .azure_shared_key import DelegationKey, Grant
from .s3_content import EmptyStream, ExactStream, check_range, expected_length, range_header

__all__ = ["BlobStorage"]

_DEFAULT_EXPIRY_HOURS = 24.0
_PERMISSIONS: Mapping[str, str] = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}
_IN_CONTAINER = [("restype", "container")]
_ACCESS = [*_IN_CONTAINER, ("comp", "acl")]
_OPEN = "blob"


class BlobStorage(BlobBatches):
    """The operations of Blob Storage, to be mixed into a provider's backend before its contract."""

    # -- containers ------------------------------------------------------------------------------

    async def get_container(self, name: str) -> Container:
        """Return a container; `extra` has ``public_access``, ``etag``, ``last_modified``.

        https://learn.microsoft.com/rest/api/storageservices/get-container-properties

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        response = await self._send(
            "HEAD",
            name,
            params=_IN_CONTAINER,
            operation="GetContainerProperties",
            missing=ContainerDoesNotExistError,
        )
        return answers.container_of_headers(name, response.headers)

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a container; it is where its account is.

        https://learn.microsoft.com/rest/api/storageservices/create-container

        Raises:
            ContainerAlreadyExistsError: The name is taken.
            ConflictError: One of this name is still being deleted, which takes half a minute.
            InvalidContainerNameError: The name breaks the rules.
            InvalidRequestError: A location is given.
        """
        requests.check_new_container(name)
        if location is not None:
            raise InvalidRequestError("a container of Azure is in the region of its account")
        began = self.runtime.now()
        try:
            response = await self._send(
                "PUT", name, params=_IN_CONTAINER, operation="CreateContainer"
            )
        except ContainerAlreadyExistsError as error:
            # After a lost answer the container that is there may well be the one just made.
            if error.attempts == 1:
                raise
            return await self._made_since(name, self.runtime.now() - began, error)
        return answers.container_of_headers(name, response.headers)

    async def _made_since(
        self, name: str, seconds: float, error: ContainerAlreadyExistsError
    ) -> Container:
        """Return a container if it was made within the last seconds, by the server's clock."""
        there = await self.get_container(name)
        refused, made = answers.date_of(error.headers.get("date")), there.extra["last_modified"]
        if refused is None or made is None or (refused - made).total_seconds() > seconds + 1:
            raise error
        return there

    async def delete_container(self, container: Container) -> None:
        """Delete an empty container.

        Azure would delete a full one, too: whether it is empty is looked up before, and what is
        stored in that very moment goes with it.

        https://learn.microsoft.com/rest/api/storageservices/delete-container

        Raises:
            ContainerIsNotEmptyError: There are blobs in it, or versions or snapshots of blobs.
        """
        if not await self._is_empty(container):
            raise ContainerIsNotEmptyError(f"the container {container.name!r} is not empty")
        try:
            await self._send(
                "DELETE",
                container.name,
                params=_IN_CONTAINER,
                operation="DeleteContainer",
                missing=ContainerDoesNotExistError,
            )
        except ContainerDoesNotExistError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, deleted it
                raise

    async def _is_empty(self, container: Container) -> bool:
        try:
            listing = await self._listing(
                container, None, None, include="snapshots,versions", most=1
            )
        except (InvalidRequestError, UnsupportedOperationError):
            # An account with a hierarchical namespace has no versions to list.
            listing = await self._listing(container, None, None, include="snapshots", most=1)
        return not listing.blobs and not listing.marker

    # -- blobs -----------------------------------------------------------------------------------

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one blob.

        https://learn.microsoft.com/rest/api/storageservices/get-blob-properties

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such container.
        """
        return await self._blob(Container(container_name), object_name)

    async def get_object_version(
        self, container_name: str, object_name: str, version_id: str
    ) -> ObjectVersion:
        """Return what is known about one version of a blob.

        https://learn.microsoft.com/azure/storage/blobs/versioning-overview

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        container = Container(container_name)
        response = await self._properties(container, object_name, [("versionid", version_id)])
        return answers.version_of_headers(object_name, response.headers, container, version_id)

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open a blob's content, or its bytes from `start` up to but without `end`.

        The whole content is compared with its MD5 at its end, where Azure has one.

        https://learn.microsoft.com/rest/api/storageservices/get-blob

        Raises:
            InvalidRequestError: There is no such range.
            PreconditionFailedError: It is not the blob that the condition asks for.
            MalformedResponseError: What came is not what was asked for.
            ConflictError: It is in the archive, and must be brought to another tier before.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        headers = requests.condition_headers(condition)
        if start is not None:
            headers["range"] = range_header(start, end)
        response = await self._send(
            "GET",
            obj.container.name,
            obj.name,
            params=requests.version_params(obj),
            headers=headers,
            stream=True,
            operation="GetBlob",
            missing=ObjectDoesNotExistError,
        )
        return await _checked_stream(response, start, end)

    async def delete_object(self, obj: Object) -> None:
        """Delete a blob, or one version of it for good.

        Where the account keeps versions, or deleted blobs for a while, it can be brought back.

        https://learn.microsoft.com/rest/api/storageservices/delete-blob

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ConflictError: It has snapshots, which are not deleted by the way: see
                `delete_snapshots`.
        """
        try:
            await self._send(
                "DELETE",
                obj.container.name,
                obj.name,
                params=requests.version_params(obj),
                operation="DeleteBlob",
                missing=ObjectDoesNotExistError,
            )
        except ObjectDoesNotExistError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, deleted it
                raise

    async def delete_snapshots(self, obj: Object) -> None:
        """Delete all snapshots of a blob, and leave the blob as it is.

        https://learn.microsoft.com/azure/storage/blobs/snapshots-overview
        """
        await self._send(
            "DELETE",
            obj.container.name,
            obj.name,
            headers={"x-ms-delete-snapshots": "only"},
            operation="DeleteSnapshots",
            missing=ObjectDoesNotExistError,
        )

    # -- tags ------------------------------------------------------------------------------------

    async def get_object_tags(self, obj: Object) -> dict[str, str]:
        """Return a blob's tags.

        https://learn.microsoft.com/rest/api/storageservices/get-blob-tags
        """
        return await self._tags(obj)

    async def set_object_tags(self, obj: Object, tags: Mapping[str, str]) -> None:
        """Replace a blob's tags; ten at the most.

        https://learn.microsoft.com/rest/api/storageservices/set-blob-tags
        """
        body = requests.tag_set(tags)
        await self._send(
            "PUT",
            obj.container.name,
            obj.name,
            params=[("comp", "tags"), *requests.version_params(obj)],
            headers={"content-type": "application/xml; charset=utf-8"},
            body=body,
            operation="SetBlobTags",
            missing=ObjectDoesNotExistError,
        )

    # -- open to anybody -------------------------------------------------------------------------

    async def presign(
        self, container: Container, object_name: str, method: str = "GET", expires: int = 3600
    ) -> PresignedURL:
        """Return a URL with which anybody may read, write or delete one blob.

        It is signed with the account's key without asking, or, with a sign-in of Entra, with a key
        that the service gives for up to seven days.

        https://learn.microsoft.com/rest/api/storageservices/delegate-access-with-shared-access-signature

        Args:
            container: The container.
            object_name: The blob, which need not be there yet.
            method: ``"GET"``, ``"HEAD"``, ``"PUT"`` or ``"DELETE"``.
            expires: Seconds.

        Raises:
            InvalidRequestError: The time is out of range, or the method another.
            UnsupportedOperationError: There is nothing to sign with, as with a SAS token.
        """
        if method not in _PERMISSIONS:
            raise InvalidRequestError(f"no URL is signed for {method!r}: only for GET or PUT")
        if expires <= 0:
            raise InvalidRequestError(f"a URL cannot be good for {expires} seconds")
        path = requests.blob_path(container.name, object_name)
        protocol = "https" if self._endpoint().startswith("https:") else "https,http"
        grant = Grant("", container.name, object_name, _PERMISSIONS[method], "", protocol)
        params, ends = await self._signer().presign(grant, expires, self._delegation_key)
        headers = {"x-ms-blob-type": "BlockBlob"} if method == "PUT" else {}
        url = f"{self._endpoint()}{path}?{encode_query(params)}"
        return PresignedURL(url, method, headers, datetime.fromtimestamp(int(ends), UTC))

    async def _delegation_key(self, start: float, end: float) -> DelegationKey:
        times = [datetime.fromtimestamp(int(one), UTC) for one in (start, end)]
        first, last = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in times)
        response = await self._send(
            "POST",
            params=[("restype", "service"), ("comp", "userdelegationkey")],
            headers={"content-type": "application/xml; charset=utf-8"},
            body=requests.key_info(first, last),
            repeatable=True,  # a key more does no harm
            operation="GetUserDelegationKey",
        )
        tree = answers.tree_of(response)
        return DelegationKey(
            object_id=tree.text("SignedOid", ""),
            tenant_id=tree.text("SignedTid", ""),
            start=tree.text("SignedStart", ""),
            expiry=tree.text("SignedExpiry", ""),
            service=tree.text("SignedService", ""),
            version=tree.text("SignedVersion", ""),
            value=Secret(tree.text("Value", "")),
        )

    async def get_object_cdn_url(self, obj: Object, options: Mapping[str, Any]) -> str:
        """Return a URL from which anybody may read a blob, for a day or ``ex_expiry`` hours.

        Raises:
            InvalidRequestError: The time is out of range.
            UnsupportedOperationError: There is nothing to sign with, as with a SAS token.
        """
        hours = float(options.get("ex_expiry", _DEFAULT_EXPIRY_HOURS))
        url = await self.presign(obj.container, obj.name, expires=int(hours * 3600))
        return url.url

    async def get_container_cdn_url(self, container: Container) -> str:
        """Return the URL below which a container's blobs are; it must be open to anybody."""
        return f"{self._endpoint()}{requests.container_path(container.name)}"

    async def enable_container_cdn(self, container: Container) -> None:
        """Let anybody read a container's blobs, but not list them.

        https://learn.microsoft.com/rest/api/storageservices/set-container-acl

        Raises:
            PermissionDeniedError: The account forbids it.
        """
        name = container.name
        missing = ContainerDoesNotExistError
        operation = "GetContainerAcl"
        there = await self._send("GET", name, params=_ACCESS, operation=operation, missing=missing)
        if there.headers.get("x-ms-blob-public-access") in (_OPEN, "container"):
            return
        # Policies that are stored with the container would be deleted unless they are sent again.
        await self._send(
            "PUT",
            name,
            params=_ACCESS,
            headers={
                "x-ms-blob-public-access": _OPEN,
                "content-type": "application/xml; charset=utf-8",
            },
            body=there.body.removeprefix(b"\xef\xbb\xbf"),
            operation="SetContainerAcl",
            missing=missing,
        )


async def _checked_stream(response: Response, start: int | None, end: int | None) -> ByteStream:
    """Return the content of an answer; closed again if it is not what was asked for."""
    stream = response.stream or EmptyStream()
    try:
        length = expected_length(response, start, end)
        if start is not None and not length:  # Azurite answers so at the very end
            raise InvalidRequestError(f"the blob ends before byte {start}")
        # Without a length it may be unpacked on its way, and the digest be of the packed.
        whole = start is None and length is not None
        return ExactStream(
            stream, length, answers.md5_of_headers(response.headers) if whole else None
        )
    except CloudError:
        await stream.close()
        raise
