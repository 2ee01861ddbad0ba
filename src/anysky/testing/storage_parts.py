"""Cases of storage: objects that are uploaded in parts."""

from __future__ import annotations

import hashlib
from typing import Any

from anysky.errors import NotFoundError, ObjectDoesNotExistError, ObjectHashMismatchError
from anysky.model.storage import ObjectSpec
from anysky.transfer.digests import best
from anysky.transfer.options import TransferOptions

from .case import case
from .storage_common import (
    OBJECTS,
    body_of,
    bytes_of,
    content_of,
    new_container,
    new_object,
    operation,
    smallest_part,
)
from .trial import Trial, check, equal

__all__: list[str] = []

_PARTS = (
    *OBJECTS,
    "begin_multipart_upload",
    "upload_part",
    "complete_multipart_upload",
    "abort_multipart_upload",
)
_MOST = 12 * 1024 * 1024
_SPEC = ObjectSpec("ü in +parts.csv", "text/csv", {"owner": "anysky"})


@case(*_PARTS)
async def parts_are_put_together(trial: Trial) -> None:
    """An object of two parts is not there before both are put together, then as it should be."""
    sizes = _sizes(trial)
    if sizes is None:
        return
    container = await new_container(trial, is_emptied=True)
    upload = await _begin(trial, container)
    equal((upload.name, upload.container.name), (_SPEC.name, container.name), "name, container")
    content = bytes_of(sum(sizes))

    parts = await _send(trial, upload, content, sizes[0])
    equal([(part.number, part.size) for part in parts], [*enumerate(sizes, 1)], "the parts")
    await trial.fails(ObjectDoesNotExistError, lambda: container.get_object(_SPEC.name))
    await _check_listed(trial, container, upload, parts)
    made = await trial.do(operation(trial, "complete_multipart_upload")(upload, parts, _SPEC))

    equal((made.name, made.size), (_SPEC.name, sum(sizes)), "name and size of the object")
    got = await trial.do(container.get_object(_SPEC.name))
    facts = (got.size, dict(got.meta_data), got.extra.get("content_type", "text/csv"))
    equal(facts, (sum(sizes), {"owner": "anysky"}, "text/csv"), "size, metadata, type")
    check(await content_of(trial, got) == content, "the object should hold the parts in order")
    await _check_ended(trial, container, upload)
    equal((await trial.do(container.get_object(_SPEC.name))).size, sum(sizes), "size after all")


@case(*_PARTS)
async def uploads_are_aborted(trial: Trial) -> None:
    """Of an upload that is ended before its end nothing stays."""
    container = await new_container(trial, is_emptied=True)
    upload = await _begin(trial, container)
    await _part(trial, upload, 1, 0, b"the only part", is_last=True)

    equal(await trial.do(trial.driver.abort_multipart_upload(upload)), True, "result of ending")

    await _check_ended(trial, container, upload)
    await trial.fails(ObjectDoesNotExistError, lambda: container.get_object(_SPEC.name))
    equal(await trial.do(container.list_objects()), [], "objects after all")


@case(*_PARTS)
async def one_part_is_enough(trial: Trial) -> None:
    """An object of one part is smaller than parts must be, and takes another's place."""
    container = await new_container(trial, is_emptied=True)
    await trial.do(container.upload_object_via_stream(b"what was there", _SPEC.name))
    upload = await _begin(trial, container)
    part = await _part(trial, upload, 1, 0, b"x", is_last=True)

    made = await trial.do(operation(trial, "complete_multipart_upload")(upload, [part], _SPEC))

    equal(await content_of(trial, made), b"x", "content of the object")


@case(*_PARTS)
async def parts_are_replaced(trial: Trial) -> None:
    """A part that is sent again takes the place of the one that was there."""
    if trial.driver._backend.parts.in_order:
        return
    container = await new_container(trial, is_emptied=True)
    upload = await _begin(trial, container)
    await _part(trial, upload, 1, 0, b"first try", is_last=True)
    part = await _part(trial, upload, 1, 0, b"second try", is_last=True)

    made = await trial.do(operation(trial, "complete_multipart_upload")(upload, [part], _SPEC))

    equal(await content_of(trial, made), b"second try", "content of the object")


@case(*OBJECTS)
async def wrong_digests_are_refused(trial: Trial) -> None:
    """Content that is not what its digest says is refused, in whole and in parts."""
    if not trial.setup.checks_digests:
        return
    container = await new_container(trial, is_emptied=True)
    store = operation(trial, "upload_object")
    wrong = hashlib.md5(b"else", usedforsecurity=False).hexdigest()
    if "md5" in trial.driver._backend.checksums:
        spec = ObjectSpec("name", md5=wrong)
        await trial.fails(ObjectHashMismatchError, lambda: store(container, body_of(b"x"), spec))
    name = best(trial.driver._backend.checksums)
    if name is not None:
        spec = ObjectSpec("name", checksums=_wrong(name))
        await trial.fails(ObjectHashMismatchError, lambda: store(container, body_of(b"x"), spec))
        if trial.driver.supports("upload_part"):
            await _refuses_a_wrong_part(trial, container, _wrong(name))
    equal(await trial.do(container.list_objects()), [], "objects after all")


@case(*_PARTS)
async def large_content_goes_in_parts(trial: Trial) -> None:
    """Content of one part, and of a byte more or less, comes back, also if it comes only once."""
    sizes = _sizes(trial)
    if sizes is None:
        return
    container = await new_container(trial, is_emptied=True)
    transfer = TransferOptions(threshold=1, part_size=sizes[0], concurrency=1)
    lengths = [sizes[0], sizes[0] + 1] if sizes[0] > _MOST // 4 else [sizes[0] - 1, *_around(sizes)]
    for length in lengths:
        content = bytes_of(length)
        for name, source in (("known", content), ("once", iter([content]))):
            obj = await new_object(trial, container, name, source, transfer=transfer)  # type: ignore[arg-type]
            equal(obj.size, length, f"size of an object, {name}")
            check(await content_of(trial, obj) == content, f"content of {length} bytes, {name}")
            await trial.drop(obj)
    if trial.driver.supports("list_multipart_uploads"):
        left = await trial.do(trial.driver.list_multipart_uploads(container))
        equal(left, [], "uploads that were not ended")


def _around(sizes: tuple[int, int]) -> list[int]:
    return [sizes[0], sizes[0] + 1, 2 * sizes[0], 2 * sizes[0] + 1]


def _sizes(trial: Trial) -> tuple[int, int] | None:
    """Return the sizes of two parts, as small as may be; None if they are too large to be tried."""
    first = smallest_part(trial.driver._backend.parts)
    return None if first >= _MOST else (first, 1)


def _wrong(name: str) -> dict[str, str]:
    digest = {"crc32": "00000001", "crc32c": "00000001", "crc64nvme": "0" * 15 + "1"}
    known = digest.get(name) or hashlib.new(name, b"else", usedforsecurity=False).hexdigest()
    return {name: known}


async def _begin(trial: Trial, container: Any) -> Any:
    return await trial.do(operation(trial, "begin_multipart_upload")(container, _SPEC))


async def _part(
    trial: Trial, upload: Any, number: int, offset: int, content: bytes, *, is_last: bool
) -> Any:
    md5 = {"md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
    checksums = md5 if "md5" in trial.driver._backend.checksums else {}
    send = operation(trial, "upload_part")
    return await trial.do(
        send(upload, number, offset, body_of(content), is_last=is_last, checksums=checksums)
    )


async def _send(trial: Trial, upload: Any, content: bytes, size: int) -> list[Any]:
    """Send two parts, the second one first where that may be."""
    pieces = [(1, 0, content[:size], False), (2, size, content[size:], True)]
    if not trial.driver._backend.parts.in_order:
        pieces.reverse()
    parts = [
        await _part(trial, upload, number, offset, piece, is_last=is_last)
        for number, offset, piece, is_last in pieces
    ]
    return sorted(parts, key=lambda part: part.number)


async def _refuses_a_wrong_part(trial: Trial, container: Any, wrong: dict[str, str]) -> None:
    upload, send = await _begin(trial, container), operation(trial, "upload_part")
    await trial.fails(
        ObjectHashMismatchError,
        lambda: send(upload, 1, 0, body_of(b"x"), is_last=True, checksums=wrong),
    )
    await trial.do(trial.driver.abort_multipart_upload(upload))


async def _check_listed(trial: Trial, container: Any, upload: Any, parts: list[Any]) -> None:
    """Check that an upload and its parts are listed, where they can be."""
    if trial.driver.supports("list_multipart_uploads"):
        listed = await trial.do(trial.driver.list_multipart_uploads(container))
        found = [(one.name, one.upload_id) for one in listed]
        equal(found, [(upload.name, upload.upload_id)], "uploads that were not ended")
        others = await trial.do(trial.driver.list_multipart_uploads(container, "none"))
        equal(others, [], "uploads to names that begin with none")
    if trial.driver.supports("list_parts"):
        stored = await trial.do(operation(trial, "list_parts")(upload))
        known = [(part.number, part.size) for part in stored]
        equal(known, [(part.number, part.size) for part in parts], "the parts that are stored")


async def _check_ended(trial: Trial, container: Any, upload: Any) -> None:
    """Check that an upload is over, and cannot be ended again."""
    if trial.driver.supports("list_multipart_uploads"):
        listed = await trial.do(trial.driver.list_multipart_uploads(container))
        equal(listed, [], "uploads that were not ended")
    if trial.driver.supports("list_parts"):
        await trial.fails(NotFoundError, lambda: operation(trial, "list_parts")(upload))
    await trial.fails(NotFoundError, lambda: trial.driver.abort_multipart_upload(upload))
