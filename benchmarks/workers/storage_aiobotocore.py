from __future__ import annotations

import asyncio
import os
from pathlib import Path

import storage_common as common
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

PART = 8 * 1024 * 1024


async def main() -> None:
    cell, endpoint, file = common.arguments()
    async with get_session().create_client(
        "s3",
        region_name=common.REGION,
        endpoint_url=endpoint,
        aws_access_key_id=common.KEY,
        aws_secret_access_key=common.SECRET,
        verify=os.environ.get("BENCH_CA") or True,
        config=AioConfig(max_pool_connections=common.TASKS, s3={"addressing_style": "path"}),
    ) as client:
        content = bytes(common.SMALL)

        async def small_up(number: int) -> None:
            await client.put_object(Bucket=common.BUCKET, Key=f"small-{number}", Body=content)

        async def small_down(_: int) -> None:
            found = await client.get_object(Bucket=common.BUCKET, Key=common.SMALL_NAME)
            async with found["Body"] as body:
                await body.read()

        async def up() -> None:
            with Path(file).open("rb") as source:
                await client.put_object(Bucket=common.BUCKET, Key="big", Body=source)

        async def down() -> None:
            found = await client.get_object(Bucket=common.BUCKET, Key=common.BIG_NAME)
            with Path(file).open("wb") as target:
                async with found["Body"] as body:
                    while piece := await body.read(1024 * 1024):
                        target.write(piece)

        async def listed() -> None:
            count = 0
            async for page in client.get_paginator("list_objects_v2").paginate(
                Bucket=common.BUCKET
            ):
                count += len(page["Contents"])
            assert count == common.KEYS

        work = {
            "up": up,
            "down": down,
            "small-up": lambda: common.tasks(small_up),
            "small-down": lambda: common.tasks(small_down),
            "list": listed,
        }[cell]
        await common.measure_async(lambda: small_up(0), work)


asyncio.run(main())
