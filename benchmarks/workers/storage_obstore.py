from __future__ import annotations

import asyncio
import os
from pathlib import Path

import obstore
import storage_common as common
from obstore.store import S3Store

PIECE = 8 * 1024 * 1024


def store(endpoint: str) -> S3Store:
    return S3Store(
        common.BUCKET,
        endpoint=endpoint,
        region=common.REGION,
        access_key_id=common.KEY,
        secret_access_key=common.SECRET,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "allow_invalid_certificates": True},
    )


def blocking(cell: str, found: S3Store, file: str) -> None:
    content = bytes(common.SMALL)

    def small_up(number: int) -> None:
        obstore.put(found, f"small-{number}", content)

    def small_down(_: int) -> None:
        obstore.get(found, common.SMALL_NAME).bytes()

    def down() -> None:
        with Path(file).open("wb") as target:
            target.writelines(obstore.get(found, common.BIG_NAME).stream(min_chunk_size=PIECE))

    work = {
        "up": lambda: obstore.put(found, "big", Path(file)),
        "down": down,
        "small-up": lambda: common.threads(small_up),
        "small-down": lambda: common.threads(small_down),
        "list": lambda: sum(len(batch) for batch in obstore.list(found)),
    }[cell]
    common.measure(lambda: small_up(0), work)


async def asynchronous(cell: str, found: S3Store, file: str) -> None:
    content = bytes(common.SMALL)

    async def small_up(number: int) -> None:
        await obstore.put_async(found, f"small-{number}", content)

    async def small_down(_: int) -> None:
        await (await obstore.get_async(found, common.SMALL_NAME)).bytes_async()

    async def up() -> None:
        await obstore.put_async(found, "big", Path(file))

    async def down() -> None:
        result = await obstore.get_async(found, common.BIG_NAME)
        with Path(file).open("wb") as target:
            async for piece in result.stream(min_chunk_size=PIECE):
                target.write(piece)

    async def listed() -> None:
        async for _ in obstore.list(found, chunk_size=1000):
            pass

    work = {
        "up": up,
        "down": down,
        "small-up": lambda: common.tasks(small_up),
        "small-down": lambda: common.tasks(small_down),
        "list": listed,
    }[cell]
    await common.measure_async(lambda: small_up(0), work)


if __name__ == "__main__":
    cell, endpoint, file = common.arguments()
    if os.environ.get("BENCH_ASYNC") == "1":
        asyncio.run(asynchronous(cell, store(endpoint), file))
    else:
        blocking(cell, store(endpoint), file)
