"""Put what is read into a real server: one large object, and a small one."""

from __future__ import annotations

import storage_common as common

from anysky.errors import NotFoundError
from anysky.storage import get_driver


def main() -> None:
    _, endpoint, file = common.arguments()
    driver = get_driver("s3")(common.KEY, common.SECRET, region=common.REGION, endpoint=endpoint)
    try:
        bucket = driver.get_container(common.BUCKET)
    except NotFoundError:
        bucket = driver.create_container(common.BUCKET)
    bucket.upload_object_via_stream(bytes(common.SMALL), common.SMALL_NAME)
    bucket.upload_object(file, common.BIG_NAME)
    common.report(0, 0)


main()
