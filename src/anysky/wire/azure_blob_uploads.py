"""Uploads to Azure Blob Storage: in one request, or as blocks that are put together.

An upload in parts is a matter of the names of its blocks: Azure knows no uploads, only the
uncommitted blocks of each name. The name of a block holds when its upload was begun, a random id
and the number of the part; block 0 stands for the upload itself and never becomes part of the blob.

Vendor's reference:
https://learn.microsoft.com/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from anysky.errors import (
    CloudError,
    ConflictError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    NotFoundError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PreconditionFailedError,
)
from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec, Part, PartLimits
from anysky.paging import Page
from anysky.transport.base import Body, Response

from . import azure_blob_answers as answers
from . import azure_blob_requests as requests
from .azure_blob_lists import BlobLists

__all__ = ["FOREIGN", "BlobUploads"]

FOREIGN = "uncommitted"
"""Id of the upload that all blocks of a blob stand for which were not put by anysky."""

_MEBIBYTE = 1024**2
_UPLOAD = re.compile(r"anysky-([0-9a-f]{8})[0-9a-f]{16}")
_BLOCK = re.compile(r"(anysky-[0-9a-f]{24})-([0-9]{5})")
_ITSELF = 0
_ENDED = "anysky_ended"


class BlobUploads(BlobLists):
    """Stores blobs."""

    parts: ClassVar[PartLimits | None] = PartLimits(
        whole=5000 * _MEBIBYTE, smallest=1, largest=4000 * _MEBIBYTE, count=50_000
    )

    async def upload_object(self, container: Container, body: Body, spec: ObjectSpec) -> Object:
        """Store a blob of up to 5,000 MiB in one request, replacing one of the same name.

        https://learn.microsoft.com/rest/api/storageservices/put-blob

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: The name, the metadata or the length is not allowed.
            ObjectHashMismatchError: Other bytes arrived than were sent.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        if body.length is None:
            raise InvalidRequestError("Azure wants to know the length of content beforehand")
        given = dict(spec.checksums) | ({"md5": spec.md5} if spec.md5 else {})
        headers = {"x-ms-blob-type": "BlockBlob", **requests.upload_headers(spec)}
        try:
            response = await self._send(
                "PUT",
                container.name,
                spec.name,
                headers=headers | requests.digest_headers(given),
                body=body,
                operation="PutBlob",
                missing=ContainerDoesNotExistError,
            )
        except PreconditionFailedError as error:
            if error.attempts == 1:
                raise
            return await self._stored_before(container, body.length, given, spec, error)
        except ObjectDoesNotExistError as error:  # of an If-Match, where there is none
            raise _unmet(error) from error
        md5 = answers.md5_of_headers(response.headers)
        return answers.new_object(container, spec, body.length, response.headers, md5)

    async def _stored_before(
        self,
        container: Container,
        size: int,
        given: Mapping[str, str],
        spec: ObjectSpec,
        error: PreconditionFailedError,
    ) -> Object:
        """Return the blob if an earlier try, whose answer was lost, had stored it.

        Raises:
            PreconditionFailedError: It is somebody else's.
            OutcomeUnknownError: It may be ours.
        """
        there = await self._blob(container, spec.name)
        theirs, ours = there.hash, given.get("md5", "").lower()
        if there.size != size or (ours and theirs and ours != theirs):
            raise error
        if not (ours and theirs):
            raise OutcomeUnknownError(
                f"an answer was lost, and {spec.name!r} is there now: nobody can tell whether it "
                "is what was sent, because no MD5 was given"
            ) from error
        return there

    async def _blob(self, container: Container, name: str) -> Object:
        response = await self._properties(container, name)
        return answers.object_of_headers(name, response.headers, container)

    async def _properties(
        self, container: Container, name: str, params: Sequence[tuple[str, str]] = ()
    ) -> Response:
        return await self._send(
            "HEAD",
            container.name,
            name,
            params=params,
            operation="GetBlobProperties",
            missing=ObjectDoesNotExistError,
        )

    # -- in parts --------------------------------------------------------------------------------

    async def begin_multipart_upload(
        self, container: Container, spec: ObjectSpec
    ) -> MultipartUpload:
        """Begin an upload in parts; nobody sees the blob until it is completed.

        What the spec says is sent when it is completed. Azure drops parts a week after the last one
        of a blob, and whenever a blob of that name is stored by anybody.

        https://learn.microsoft.com/rest/api/storageservices/put-block

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: The name or the metadata is not allowed.
        """
        requests.upload_headers(spec)  # what is wrong with it is told before parts are sent
        began = int(self.runtime.time())
        upload_id = f"anysky-{began:08x}{secrets.token_hex(8)}"
        await self._put_block(container, spec.name, _block_id(upload_id, _ITSELF), b"-", {})
        return MultipartUpload(container, spec.name, upload_id, _began(upload_id))

    async def upload_part(
        self,
        upload: MultipartUpload,
        number: int,
        offset: int,  # noqa: ARG002 - blocks are put together in the order that the end names
        body: Body,
        *,
        is_last: bool,  # noqa: ARG002 - all are alike
        checksums: Mapping[str, str],
    ) -> Part:
        """Store one part of up to 4,000 MiB, replacing one of the same number.

        Azure does not tell whether the upload has been ended: the part then stays uncommitted until
        a week has passed.

        https://learn.microsoft.com/rest/api/storageservices/put-block

        Raises:
            ContainerDoesNotExistError: There is no such container any more.
            ObjectHashMismatchError: Other bytes arrived than were sent.
        """
        block = _block_id(upload.upload_id, number)
        digest = requests.digest_headers(checksums)
        response = await self._put_block(upload.container, upload.name, block, body, digest)
        found = answers.md5_of_headers(response.headers)
        md5 = checksums.get("md5", "").lower()
        if md5 and found and md5 != found:
            raise ObjectHashMismatchError(
                f"part {number} was sent with the MD5 {md5}, and {found} arrived"
            )
        known = {**checksums, **({"md5": found} if found else {})}
        return Part(number, body.length or 0, block, known)

    async def _put_block(
        self,
        container: Container,
        name: str,
        block: str,
        body: bytes | Body,
        headers: Mapping[str, str],
    ) -> Response:
        try:
            return await self._send(
                "PUT",
                container.name,
                name,
                params=[("comp", "block"), ("blockid", block)],
                headers=headers,
                body=body,
                operation="PutBlock",
                missing=ContainerDoesNotExistError,
            )
        except InvalidRequestError as error:
            if error.code == "InvalidBlobOrBlock":
                error.message = (
                    f"parts of {name[:200]!r} cannot be stored: another program has put blocks "
                    "with names of another length, or it is no block blob"
                )
            raise

    async def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """Return the parts that are stored, in their order.

        https://learn.microsoft.com/rest/api/storageservices/get-block-list

        Raises:
            NotFoundError: The upload has been ended.
        """
        blocks = await self._uncommitted(upload.container, upload.name)
        ours = [
            (number, size, block)
            for owner, number, size, block in blocks
            if owner == upload.upload_id
        ]
        if not ours:
            raise _not_there(upload)
        return [Part(number, size, block) for number, size, block in sorted(ours) if number]

    async def _uncommitted(
        self, container: Container, name: str
    ) -> list[tuple[str, int, int, str]]:
        """Return the uncommitted blocks of a name: upload, number, size, id of each."""
        try:
            lists = await self._block_lists(container, name, "uncommitted")
        except ObjectDoesNotExistError:
            return []
        return [(*_owner(block.name), block.size, block.name) for block in lists.uncommitted]

    async def _block_lists(self, container: Container, name: str, kind: str) -> answers.BlockLists:
        response = await self._send(
            "GET",
            container.name,
            name,
            params=[("comp", "blocklist"), ("blocklisttype", kind)],
            operation="GetBlockList",
            missing=ObjectDoesNotExistError,
        )
        return answers.decoded(response, answers.BlockLists)

    async def complete_multipart_upload(
        self, upload: MultipartUpload, parts: Sequence[Part], spec: ObjectSpec
    ) -> Object:
        """Make the blob of all parts, replacing one of the same name.

        Blocks of other uploads to the same name are dropped. An MD5 in the spec is kept with the
        blob; Azure does not compare it with the content.

        https://learn.microsoft.com/rest/api/storageservices/put-block-list

        Raises:
            NotFoundError: The upload has been ended.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        ordered = sorted(parts, key=lambda part: part.number)
        ids = [part.etag for part in ordered]
        md5 = spec.md5 or spec.checksums.get("md5")
        headers = requests.upload_headers(spec)
        if md5:
            headers["x-ms-blob-content-md5"] = requests.digest_headers({"md5": md5})["content-md5"]
        size = sum(part.size for part in ordered)
        try:
            response = await self._send(
                "PUT",
                upload.container.name,
                upload.name,
                params=[("comp", "blocklist")],
                headers=headers,
                body=requests.block_list(ids),
                operation="PutBlockList",
                missing=ContainerDoesNotExistError,
            )
        except ObjectDoesNotExistError as error:
            raise _unmet(error) from error
        except (NotFoundError, PreconditionFailedError) as error:
            if error.attempts == 1 or isinstance(error, ContainerDoesNotExistError):
                raise
            return await self._completed_before(upload, ids, error)
        digest = md5.lower() if md5 else None
        return answers.new_object(upload.container, spec, size, response.headers, digest)

    async def _completed_before(
        self, upload: MultipartUpload, ids: Sequence[str], error: Exception
    ) -> Object:
        """Return the blob if an earlier try, whose answer was lost, had made it of these parts."""
        with suppress(ObjectDoesNotExistError):
            lists = await self._block_lists(upload.container, upload.name, "committed")
            if [block.name for block in lists.committed] == list(ids):
                return await self._blob(upload.container, upload.name)
        raise error

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End an upload and delete its parts, where Azure has a way to do so.

        Azure deletes no single blocks. Where there is no blob of the name, and no other upload to
        it, an empty blob is made and deleted at once, which drops all blocks. Otherwise they stay
        until a blob of the name is stored, or a week has passed.

        Raises:
            NotFoundError: There is none, or none any more.
            ConflictError: Its parts stay for the time being.
        """
        blocks = await self._uncommitted(upload.container, upload.name)
        owners = {owner for owner, *_ in blocks}
        if upload.upload_id not in owners:
            # An earlier try may have been stopped between making the empty blob and deleting it.
            await self.runtime.finish(self._delete_empty(upload, _not_there(upload)))
        elif len(owners) > 1:
            raise _stay(upload, "there are other uploads to the same name")
        else:
            await self.runtime.finish(self._drop_blocks(upload))

    async def _drop_blocks(self, upload: MultipartUpload) -> None:
        """Make an empty blob, which drops all blocks, and delete it."""
        headers = requests.metadata_headers({_ENDED: upload.upload_id})
        try:
            response = await self._send(
                "PUT",
                upload.container.name,
                upload.name,
                params=[("comp", "blocklist")],
                headers=headers | {"if-none-match": "*"},
                body=requests.block_list([]),
                operation="PutBlockList",
            )
        except OutcomeUnknownError as error:
            await self._delete_empty(upload, error)
        except PreconditionFailedError as error:
            await self._delete_empty(upload, _stay(upload, "there is a blob of that name"), error)
        else:
            await self._delete_made(upload, response.headers.get("etag", "*"))

    async def _delete_empty(
        self, upload: MultipartUpload, otherwise: CloudError, cause: CloudError | None = None
    ) -> None:
        """Delete the empty blob that an earlier try has made.

        Raises:
            CloudError: What to say if there is another blob, or none.
        """
        try:
            there = await self._blob(upload.container, upload.name)
        except ObjectDoesNotExistError as error:
            raise otherwise from error
        if there.size or there.meta_data.get(_ENDED) != upload.upload_id:
            raise otherwise from cause
        await self._delete_made(upload, str(there.extra.get("etag", "*")))

    async def _delete_made(self, upload: MultipartUpload, etag: str) -> None:
        with suppress(PreconditionFailedError, ObjectDoesNotExistError):  # somebody stored another
            await self._send(
                "DELETE",
                upload.container.name,
                upload.name,
                headers={"if-match": etag},
                operation="DeleteBlob",
                missing=ObjectDoesNotExistError,
            )

    async def list_multipart_uploads(
        self, container: Container, prefix: str | None, cursor: str | None
    ) -> Page[MultipartUpload]:
        """Return a page of the uploads that were begun and not ended.

        Those that would replace a blob are found only if the prefix is its whole name: Azure lists
        names without a blob. Blocks that another program has put stand for one upload, with the id
        ``"uncommitted"``.

        https://learn.microsoft.com/rest/api/storageservices/list-blobs
        """
        listing = await self._listing(container, prefix, cursor, include="uncommittedblobs")
        # An uncommitted blob looks like an empty one: its blocks tell.
        names = [item.name for item in listing.blobs if item.size == 0 or item.name == prefix]
        jobs = [self._uncommitted(container, name) for name in names]
        found = zip(names, await self.runtime.gather(jobs), strict=True)
        uploads = [
            MultipartUpload(container, name, upload_id, _began(upload_id))
            for name, blocks in found
            for upload_id in _in_order(owner for owner, *_ in blocks)
        ]
        return Page(uploads, listing.marker or None)


def _block_id(upload_id: str, number: int) -> str:
    return base64.b64encode(f"{upload_id}-{number:05}".encode()).decode()


def _owner(block: str) -> tuple[str, int]:
    """Return upload and number of a block."""
    try:
        name = base64.b64decode(block, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return FOREIGN, _ITSELF
    found = _BLOCK.fullmatch(name)
    return (found[1], int(found[2])) if found else (FOREIGN, _ITSELF)


def _began(upload_id: str) -> datetime | None:
    found = _UPLOAD.fullmatch(upload_id)
    return datetime.fromtimestamp(int(found[1], 16), UTC) if found else None


def _in_order(owners: Iterable[str]) -> list[str]:
    return sorted(set(owners))


def _not_there(upload: MultipartUpload) -> NotFoundError:
    return NotFoundError(f"there is no upload {upload.upload_id} of {upload.name[:200]!r}")


def _stay(upload: MultipartUpload, why: str) -> ConflictError:
    return ConflictError(
        f"the parts of {upload.name[:200]!r} cannot be deleted now, because {why}: Azure drops "
        "them when a blob of the name is stored, or within a week"
    )


def _unmet(error: ObjectDoesNotExistError) -> PreconditionFailedError:
    """Say of an object that is not there that it is not what a condition asks for."""
    unmet = PreconditionFailedError(
        error.message, status=error.status, code=error.code, request_id=error.request_id
    )
    unmet.attempts = error.attempts
    return unmet
