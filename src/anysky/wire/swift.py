"""Swift, the protocol: what OpenStack's object storage and Ceph's gateway speak.

A provider's backend is `SwiftStorage` in front of the contract, and says how it signs in::

    class Swift(SwiftStorage, StorageBackend):
        def _signer(self) -> ServiceSigner:
            return self.connection.signer

        def _plain(self) -> Transport:
            return self.connection.plain

Vendor's references: https://docs.openstack.org/api-ref/object-store/ and
https://docs.openstack.org/swift/latest/
"""

from __future__ import annotations

from anysky.errors import (
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidRequestError,
    ObjectDoesNotExistError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from anysky.model.storage import (
    Condition,
    Container,
    Object,
    ObjectSpec,
    Prefix,
)
from anysky.paging import Page
from anysky.transport.base import Body, ByteStream

from . import swift_answers as answers
from . import swift_requests as requests
from .s3_content import EmptyStream, ExactStream, check_range, expected_length, range_header
from .swift_copying import SwiftCopying
from .swift_public import SwiftPublic
from .swift_sending import CountedBody
from .swift_versions import SwiftVersions

__all__ = ["SwiftStorage"]

_RANGE_NOT_SATISFIABLE = 416
_ACCEPTED = 202


class SwiftStorage(SwiftCopying, SwiftVersions, SwiftPublic):
    """The operations of Swift, to be mixed into a provider's backend before its contract."""

    # -- containers ------------------------------------------------------------------------------

    async def list_containers(self, cursor: str | None) -> Page[Container]:
        """Return a page of the account's containers, those with segments of objects included.

        https://docs.openstack.org/api-ref/object-store/#show-account-details-and-list-containers
        """
        params = [("format", "json"), ("limit", str(self.page_size))]
        if cursor is not None:
            params.append(("marker", cursor))
        response = await self._send_account("GET", params=params, operation="list containers")
        found = answers.decoded(response, list[answers.Listed])
        more = found[-1].name if len(found) >= self.page_size else None
        return Page([answers.listed_container(one) for one in found], more)

    async def get_container(self, name: str) -> Container:
        """Return a container; its figures may lag behind some seconds.

        https://docs.openstack.org/api-ref/object-store/#show-container-metadata

        Raises:
            ContainerDoesNotExistError: There is none of this name.
        """
        return answers.container_of_headers(name, (await self._show_container(name)).headers)

    async def create_container(self, name: str, location: str | None) -> Container:
        """Make a container.

        Swift itself makes one twice without a word, so that it is looked for first: two that make
        one of the same name in the same moment may both be told that it is theirs.

        https://docs.openstack.org/api-ref/object-store/#create-container

        Raises:
            ContainerAlreadyExistsError: There is one of this name in the account.
            InvalidContainerNameError: Swift does not allow the name.
            UnsupportedOperationError: `location` names another region than the driver's.
        """
        requests.check_new_container(name)
        self._check_location(location)
        try:
            await self._show_container(name)
        except ContainerDoesNotExistError:
            pass
        else:
            raise ContainerAlreadyExistsError(f"there is a container {name!r} already")
        response = await self._send("PUT", name, operation="create container")
        if response.status == _ACCEPTED and response.attempts == 1:
            raise ContainerAlreadyExistsError(f"there is a container {name!r} already", status=202)
        return Container(name)

    async def delete_container(self, container: Container) -> None:
        """Delete a container, which must be empty.

        https://docs.openstack.org/api-ref/object-store/#delete-container

        Raises:
            ContainerIsNotEmptyError: There are objects, or versions of objects, in it.
        """
        try:
            await self._send(
                "DELETE",
                container.name,
                operation="delete container",
                missing=ContainerDoesNotExistError,
                conflict=ContainerIsNotEmptyError,
            )
        except ContainerDoesNotExistError as error:
            if error.attempts == 1:  # else an earlier try, whose answer was lost, deleted it
                raise

    # -- objects ---------------------------------------------------------------------------------

    async def list_container_objects(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[Object]:
        """Return a page of a container's objects in the order of their names' UTF-8 bytes.

        https://docs.openstack.org/api-ref/object-store/#show-container-details-and-list-objects
        """
        entries, more = await self._entries(container.name, prefix, cursor)
        items = [answers.listed_object(entry, container) for entry in entries]
        return Page(await self._looked_up(items), more)

    async def list_directory(
        self, container: Container, prefix: str | None, delimiter: str, cursor: str | None
    ) -> Page[Object | Prefix]:
        """Return a page of what begins with a prefix, one level deep.

        https://docs.openstack.org/swift/latest/api/pseudo-hierarchical-folders-directories.html
        """
        entries, more = await self._entries(container.name, prefix, cursor, delimiter)
        objects = [answers.listed_object(entry, container) for entry in entries if entry.name]
        known = {one.name: one for one in await self._looked_up(objects)}
        items = [
            Prefix(entry.subdir, container) if entry.subdir else known[entry.name]
            for entry in entries
        ]
        return Page(items, more)

    async def get_object(self, container_name: str, object_name: str) -> Object:
        """Return what is known about one object.

        https://docs.openstack.org/api-ref/object-store/#show-object-metadata

        Raises:
            ObjectDoesNotExistError: There is none of this name.
            ContainerDoesNotExistError: There is no such container.
        """
        try:
            response = await self._send(
                "HEAD",
                container_name,
                object_name,
                operation="show object",
                missing=ObjectDoesNotExistError,
            )
        except ObjectDoesNotExistError as error:
            await self._check_container(container_name, error)
            raise
        return answers.object_of_headers(object_name, response.headers, Container(container_name))

    async def open_object(
        self, obj: Object, start: int | None, end: int | None, condition: Condition | None = None
    ) -> ByteStream:
        """Open an object's content, or its bytes from `start` up to but without `end`.

        The whole content is compared with its MD5, unless it is made of segments.

        https://docs.openstack.org/api-ref/object-store/#get-object-content-and-metadata

        Raises:
            ObjectDoesNotExistError: The object is gone.
            InvalidRequestError: There is no such range.
            PreconditionFailedError: It is not the object that the condition asks for.
            MalformedResponseError: What came is not what was asked for.
        """
        start, end = check_range(start, end)
        if start is not None and start == end:
            return EmptyStream()
        # Ceph compares the ETag of a manifest, which it never shows.
        is_ceph = condition is not None and (await self._capabilities()).is_ceph
        headers = {} if is_ceph else requests.read_condition(condition)
        if start is not None:
            headers["range"] = range_header(start, end)
        try:
            response = await self._send(
                "GET",
                obj.container.name,
                obj.name,
                params=requests.version_params(obj),
                headers=headers,
                stream=True,
                operation="get object",
                missing=ObjectDoesNotExistError,
            )
        except InvalidRequestError as error:
            if error.status == _RANGE_NOT_SATISFIABLE:
                error.message = f"the object {obj.name!r} ends before byte {start}"
            raise
        stream = response.stream or EmptyStream()
        try:
            length = expected_length(response, start, end)
            extra = answers.extra_of_headers(response.headers)
            if is_ceph and condition is not None:
                _check_etag(extra["etag"], condition, obj.name)
            digest = extra["checksums"].get("md5") if start is None else None
            return ExactStream(stream, length, digest)
        except CloudError:
            await stream.close()
            raise

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store an object of up to 5 GiB, whose length need not be known.

        One made of segments that is replaced leaves these behind; delete it before, or see
        `delete_unused_segments`.

        https://docs.openstack.org/api-ref/object-store/#create-or-replace-object

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: The name, the metadata or the length is not allowed.
            ObjectHashMismatchError: Other bytes arrived than were sent.
            PreconditionFailedError: There is such an object, and the condition asks for none.
            UnsupportedOperationError: Swift, or this one, has not what is asked for.
        """
        requests.check_upload(spec)
        await self._check_condition(spec)
        headers = requests.upload_headers(spec)
        digest = spec.md5 or spec.checksums.get("md5")
        if digest:
            headers["etag"] = digest.lower()
        counted = CountedBody(body) if body.length is None else None
        response = await self._send(
            "PUT",
            container.name,
            spec.name,
            headers=headers,
            body=body if counted is None else counted.body,
            operation="put object",
            missing=ContainerDoesNotExistError,
        )
        size = body.length if counted is None else counted.size
        return answers.object_of_new(spec, size or 0, response.headers, container)

    def _check_location(self, location: str | None) -> None:
        """See that a new container is to be in the driver's region.

        Raises:
            UnsupportedOperationError: It is to be in another one.
        """
        if location is not None and location != self._region():
            raise UnsupportedOperationError(
                f"this driver's containers are not in {location!r}: make one with region="
            )

    def _region(self) -> str | None:
        """Return the region that the driver was told."""
        return None


def _check_etag(etag: str, condition: Condition, name: str) -> None:
    """Compare the ETag of what is about to come.

    Raises:
        PreconditionFailedError: It is not the object that the condition asks for.
    """
    wanted, other = condition.if_match, condition.if_none_match
    if wanted not in (None, "*", etag) or other in ("*", etag):
        raise PreconditionFailedError(
            f"the object {name[:200]!r} has the ETag {etag!r}, which the condition excludes"
        )
