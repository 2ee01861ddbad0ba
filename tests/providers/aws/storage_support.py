"""Both APIs of storage behind one face, for tests that hold for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator

from anysky import storage
from anysky.aio import storage as aio_storage


class Blocking:
    """The blocking API; what is called is done."""

    get_driver = staticmethod(storage.get_driver)

    def do(self, result):
        return list(result) if isinstance(result, Iterator) else result

    def source(self, *pieces):
        return iter(pieces)

    def close(self):
        pass


class Asyncio:
    """The asyncio API; what is called is awaited, an iterator to its end."""

    get_driver = staticmethod(aio_storage.get_driver)

    def __init__(self):
        self.loop = asyncio.Runner()

    def do(self, result):
        if isinstance(result, AsyncIterator):
            return self.loop.run(self._collected(result))
        return self.loop.run(self._awaited(result)) if isinstance(result, Awaitable) else result

    async def source(self, *pieces):
        for piece in pieces:
            yield piece

    def close(self):
        self.loop.close()

    async def _awaited(self, result):
        return await result

    async def _collected(self, result):
        return [item async for item in result]


def read(api, stream):
    """What a stream gives, in one piece."""
    return b"".join(api.do(stream))
