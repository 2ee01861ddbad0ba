from __future__ import annotations

import os

import storage_common as common

from anysky.storage import Container, get_driver


def main() -> None:
    cell, endpoint, file = common.arguments()
    verify = os.environ.get("BENCH_CA") or True
    driver = get_driver("s3")(
        common.KEY, common.SECRET, region=common.REGION, endpoint=endpoint, verify=verify
    )
    bucket = Container(common.BUCKET, {}, driver)
    verified = os.environ.get("BENCH_UNVERIFIED") != "1"
    content = bytes(common.SMALL)

    def small_up(number: int) -> None:
        bucket.upload_object_via_stream(content, f"small-{number}")

    def small_down(_: int) -> None:
        for _piece in small.as_stream():
            pass

    small = bucket.get_object(common.SMALL_NAME)
    work = {
        "up": lambda: bucket.upload_object(file, "big", verify_hash=verified),
        "down": lambda: bucket.get_object(common.BIG_NAME).download(file, overwrite_existing=True),
        "small-up": lambda: common.threads(small_up),
        "small-down": lambda: common.threads(small_down),
        "list": lambda: sum(1 for _ in bucket.iterate_objects()),
    }[cell]
    common.measure(lambda: small_up(0), work)


main()
