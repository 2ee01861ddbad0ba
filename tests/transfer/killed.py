"""A program that moves one large file and is killed on its way.

``python -m tests.transfer.killed up|down blocking|asyncio URL PATH`` says when it begins and when
it is done.
"""

from __future__ import annotations

import asyncio
import sys

import anysky.storage
from anysky.aio import storage as aio_storage
from anysky.transfer.options import TransferOptions

OPTIONS = TransferOptions(resume=True, threshold=1024 * 1024, part_size=8 * 1024 * 1024)
BOX, KEY = "box", "large"


def move(way, url, path, **settings):
    """Move the file in the blocking API."""
    driver = anysky.storage.get_driver("s3")(
        "key", "secret", endpoint=url, transfer=OPTIONS, **settings
    )
    with driver:
        print("begins", flush=True)
        if way == "up":
            driver.upload_object(path, driver.get_container(BOX), KEY)
        else:
            driver.download_object(driver.get_object(BOX, KEY), path)


async def move_later(way, url, path, **settings):
    """Move the file on asyncio."""
    driver = aio_storage.get_driver("s3")(
        "key", "secret", endpoint=url, transfer=OPTIONS, **settings
    )
    async with driver:
        print("begins", flush=True)
        if way == "up":
            await driver.upload_object(path, await driver.get_container(BOX), KEY)
        else:
            await driver.download_object(await driver.get_object(BOX, KEY), path)


def run(way, api, url, path, **settings):
    """Move the file in one of the two APIs."""
    if api == "blocking":
        move(way, url, path, **settings)
    else:
        asyncio.run(move_later(way, url, path, **settings))


if __name__ == "__main__":
    run(*sys.argv[1:])
    print("done", flush=True)
