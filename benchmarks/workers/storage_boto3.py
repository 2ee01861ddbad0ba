from __future__ import annotations

import os

import boto3
import storage_common as common
from boto3.s3.transfer import TransferConfig
from botocore.config import Config


def main() -> None:
    cell, endpoint, file = common.arguments()
    client = boto3.client(
        "s3",
        region_name=common.REGION,
        endpoint_url=endpoint,
        aws_access_key_id=common.KEY,
        aws_secret_access_key=common.SECRET,
        verify=os.environ.get("BENCH_CA") or True,
        config=Config(max_pool_connections=common.THREADS, s3={"addressing_style": "path"}),
    )
    how = TransferConfig(preferred_transfer_client="classic")
    content = bytes(common.SMALL)

    def small_up(number: int) -> None:
        client.put_object(Bucket=common.BUCKET, Key=f"small-{number}", Body=content)

    def small_down(_: int) -> None:
        client.get_object(Bucket=common.BUCKET, Key=common.SMALL_NAME)["Body"].read()

    def listed() -> None:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=common.BUCKET)
        assert sum(len(one["Contents"]) for one in pages) == common.KEYS

    work = {
        "up": lambda: client.upload_file(file, common.BUCKET, "big", Config=how),
        "down": lambda: client.download_file(common.BUCKET, common.BIG_NAME, file, Config=how),
        "small-up": lambda: common.threads(small_up),
        "small-down": lambda: common.threads(small_down),
        "list": listed,
    }[cell]
    common.measure(lambda: small_up(0), work)


main()
