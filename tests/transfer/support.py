"""What the tests of transfers share: contents, options, and streams that break."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

from anysky.errors import ConnectionFailedError, PartialFailureError
from anysky.model.storage import MultipartUpload
from anysky.transfer.options import TransferOptions

PART = 1000
SIZES = (0, 1, PART - 1, PART, PART + 1, 5 * PART)
WHOLE = random.Random(1).randbytes(5 * PART)


def options(**more):
    return TransferOptions(**{"threshold": 1, "part_size": PART, "concurrency": 3, **more})


async def collected(pieces):
    """What a stream of either API gives."""
    if isinstance(pieces, AsyncIterator):
        return b"".join([piece async for piece in pieces])
    return b"".join(pieces)


async def content_of(api, driver, name="k"):
    """What an object holds."""
    obj = await api.do(driver.get_object("box", name))
    return await collected(driver.download_object_as_stream(obj))


async def box_of(api, driver):
    return await api.do(driver.create_container("box"))


async def left_over(api, driver, box):
    """The multipart uploads that were begun and not ended."""
    return [one.upload_id for one in await api.do(driver.list_multipart_uploads(box))]


def reported(error):
    """The multipart uploads that an error, or its cause, says it has left."""
    found = [error, error.__cause__]
    partial = [one for one in found if isinstance(one, PartialFailureError)]
    things = [thing for one in partial for thing in one.created]
    return [thing.upload_id for thing in things if isinstance(thing, MultipartUpload)]


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


class Breaking:
    """Lets an object's streams break: the n-th one after so many bytes.

    Args:
        driver: Whose streams.
        offsets: For each stream in turn after how many bytes it breaks; None for one that does not.
    """

    def __init__(self, driver, offsets):
        self._backend = driver._backend
        self._open = self._backend.open_object
        self._offsets = list(offsets)
        self.opened = []
        self._backend.open_object = self.open_object

    async def open_object(self, obj, start, end, condition=None):
        self.opened.append((start, end, None if condition is None else condition.if_match))
        offset = self._offsets.pop(0) if self._offsets else None
        stream = await self._open(obj, start, end, condition)
        return stream if offset is None else _Broken(stream, offset)


class _Broken:
    def __init__(self, stream, left):
        self._stream = stream
        self._left = left

    async def read(self, size):
        if not self._left:
            raise ConnectionFailedError("the line broke")
        piece = await self._stream.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    async def close(self):
        await self._stream.close()
