"""Move one object, print by how many MiB memory grew at its peak: ``worker API WAY URL FILE``."""

import asyncio
import sys
from pathlib import Path

from anysky.aio.storage import Container as AioContainer
from anysky.aio.storage import get_driver as get_aio_driver
from anysky.storage import Container, get_driver

SIZE = 1024**3
ACCOUNT = ("AKIDEXAMPLE", "secret")


def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def blocking(way, url, file):
    driver = get_driver("s3")(*ACCOUNT, region="us-east-1", endpoint=url)
    bucket = Container("bucket", {}, driver)
    bucket.upload_object_via_stream(b"warm", "warm")
    base = status("VmRSS")
    if way == "up":
        bucket.upload_object(file, "big")
    else:
        bucket.get_object(f"size-{SIZE}").download(file, overwrite_existing=True)
    return base


async def asynchronous(way, url, file):
    async with get_aio_driver("s3")(*ACCOUNT, region="us-east-1", endpoint=url) as driver:
        bucket = AioContainer("bucket", {}, driver)
        await bucket.upload_object_via_stream(b"warm", "warm")
        base = status("VmRSS")
        if way == "up":
            await bucket.upload_object(file, "big")
        else:
            obj = await bucket.get_object(f"size-{SIZE}")
            await obj.download(file, overwrite_existing=True)
        return base


if __name__ == "__main__":
    api, *arguments = sys.argv[1:]
    base = asyncio.run(asynchronous(*arguments)) if api == "asyncio" else blocking(*arguments)
    print(status("VmHWM") - base)
