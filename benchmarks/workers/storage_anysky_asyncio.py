from __future__ import annotations

import asyncio
import os

import storage_common as common

from anysky.aio.storage import Container, get_driver


async def main() -> None:
    cell, endpoint, file = common.arguments()
    verify = os.environ.get("BENCH_CA") or True
    async with get_driver("s3")(
        common.KEY, common.SECRET, region=common.REGION, endpoint=endpoint, verify=verify
    ) as driver:
        bucket = Container(common.BUCKET, {}, driver)
        verified = os.environ.get("BENCH_UNVERIFIED") != "1"
        content = bytes(common.SMALL)
        small = await bucket.get_object(common.SMALL_NAME)

        async def small_up(number: int) -> None:
            await bucket.upload_object_via_stream(content, f"small-{number}")

        async def small_down(_: int) -> None:
            async for _piece in small.as_stream():
                pass

        async def up() -> None:
            await bucket.upload_object(file, "big", verify_hash=verified)

        async def down() -> None:
            obj = await bucket.get_object(common.BIG_NAME)
            await obj.download(file, overwrite_existing=True)

        async def listed() -> None:
            async for _ in bucket.iterate_objects():
                pass

        work = {
            "up": up,
            "down": down,
            "small-up": lambda: common.tasks(small_up),
            "small-down": lambda: common.tasks(small_down),
            "list": listed,
        }[cell]
        await common.measure_async(lambda: small_up(0), work)


asyncio.run(main())
