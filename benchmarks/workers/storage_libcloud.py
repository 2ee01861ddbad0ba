from __future__ import annotations

import os
from urllib.parse import urlsplit

import libcloud.security
import storage_common as common
from libcloud.storage.base import Container, Object
from libcloud.storage.drivers.s3 import S3StorageDriver

if os.environ.get("BENCH_CA"):
    libcloud.security.CA_CERTS_PATH = os.environ["BENCH_CA"]


def main() -> None:
    cell, endpoint, file = common.arguments()
    url = urlsplit(endpoint)

    def driver() -> S3StorageDriver:
        return S3StorageDriver(
            common.KEY,
            common.SECRET,
            secure=url.scheme == "https",
            host=url.hostname,
            port=url.port,
        )

    one = driver()
    bucket = Container(common.BUCKET, {}, one)
    content = bytes(common.SMALL)

    def small_up(number: int) -> None:
        one.upload_object_via_stream(iter([content]), bucket, f"small-{number}")

    small = Object(common.SMALL_NAME, common.SMALL, "", {}, {}, bucket, one)
    big = Object(common.BIG_NAME, common.SIZE, "", {}, {}, bucket, one)

    def small_down(_: int) -> None:
        for _piece in one.download_object_as_stream(small):
            pass

    def serially(job: object) -> None:
        for number in range(common.COUNT):
            job(number)  # type: ignore[operator]

    work = {
        "up": lambda: one.upload_object(file, bucket, "big", verify_hash=False),
        "down": lambda: one.download_object(big, file, overwrite_existing=True),
        "small-up": lambda: serially(small_up),
        "small-down": lambda: serially(small_down),
        "list": lambda: sum(1 for _ in one.iterate_container_objects(bucket)),
    }[cell]
    common.measure(lambda: small_down(0), work)


main()
