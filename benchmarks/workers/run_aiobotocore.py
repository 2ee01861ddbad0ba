"""aiobotocore's worker; EC2 only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import common
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asyncio:
    def __init__(self, job: common.Job) -> None:
        self.maker = get_session().create_client(
            "ec2",
            region_name=common.REGION,
            endpoint_url=job["endpoint"],
            aws_access_key_id=common.ACCESS_KEY,
            aws_secret_access_key=common.SECRET_KEY,
            verify=job.get("ca"),
            # Its default of 10 connections would make 200 calls wait for each other.
            config=AioConfig(max_pool_connections=200),
        )

    async def open(self) -> None:
        self.client = await self.maker.__aenter__()

    async def list(self) -> Any:
        pages = self.client.get_paginator("describe_instances").paginate()
        return [item async for page in pages for item in _instances(page)]

    async def describe(self) -> Any:
        return _instances(await self.client.describe_instances())

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return [(item["InstanceId"], _name(item), item["PrivateIpAddress"]) for item in answer]

    async def close(self) -> None:
        await self.maker.__aexit__(None, None, None)


def _instances(page: dict[str, Any]) -> list[Any]:
    return [item for group in page["Reservations"] for item in group["Instances"]]


def _name(instance: dict[str, Any]) -> str:
    return next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")


if __name__ == "__main__":
    common.main(asynchronous=Asyncio)
