"""Programs that are killed: each makes a node with a volume, a floating IP and a DNS record.

``python -m tests.journal.programs blocking|asyncio URL JOURNAL POINT`` kills itself at a point:
before or after the journal writes something, before a request leaves, after its answer has come.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import anysky
import anysky.aio
from anysky.journal import JournalFile
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.base import SendClass
from anysky.transport.blocking import BlockingTransport

TRANSPORTS = {"blocking": BlockingTransport, "asyncio": AsyncioTransport}


class Points:
    """Counts the points that the program passes, and kills it at one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.passed = 0

    def reach(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        print(name, flush=True)

    def around(self, owner: type, name: str) -> None:
        """Have a point before and one after each call of a method."""
        inner = getattr(owner, name)

        def call(this, *args):
            self.reach(f"before {name}")
            result = inner(this, *args)
            self.reach(f"after {name}")
            return result

        setattr(owner, name, call)

    def around_sending(self, owner: type) -> None:
        """Have a point before each request that changes something, and after its answer."""
        inner = owner.send

        async def send(this, request):
            if request.send_class is SendClass.SAFE:
                return await inner(this, request)
            self.reach("before send")
            response = await inner(this, request)
            self.reach("after answer")
            return response

        owner.send = send


def blocking(url: str, journal: str) -> None:
    from anysky.compute import get_driver
    from anysky.dns import get_driver as get_dns_driver

    compute = get_driver("memory")(endpoint=url)
    dns = get_dns_driver("memory")(endpoint=url)
    zone = dns.list_zones()[0]
    with anysky.transaction(journal=journal):
        volume = compute.create_volume(10, "data")
        node = compute.create_node("web", compute.list_sizes()[0], compute.list_images()[0])
        compute.attach_volume(node, volume)
        address = compute.create_floating_ip()
        compute.attach_floating_ip(address, node)
        dns.create_record("www", zone, "A", "192.0.2.7")


async def on_asyncio(url: str, journal: str) -> None:
    from anysky.aio.compute import get_driver
    from anysky.aio.dns import get_driver as get_dns_driver

    compute = get_driver("memory")(endpoint=url)
    dns = get_dns_driver("memory")(endpoint=url)
    zone = (await dns.list_zones())[0]
    async with anysky.aio.transaction(journal=journal):
        volume = await compute.create_volume(10, "data")
        size, image = (await compute.list_sizes())[0], (await compute.list_images())[0]
        node = await compute.create_node("web", size, image)
        await compute.attach_volume(node, volume)
        address = await compute.create_floating_ip()
        await compute.attach_floating_ip(address, node)
        await dns.create_record("www", zone, "A", "192.0.2.7")
    await compute.close()
    await dns.close()


def main(api: str, url: str, journal: str, point: str) -> None:
    points = Points(int(point))
    for name in ("intend", "settle", "end", "end_scope"):
        points.around(JournalFile, name)
    points.around_sending(TRANSPORTS[api])
    if api == "blocking":
        blocking(url, journal)
    else:
        asyncio.run(on_asyncio(url, journal))


if __name__ == "__main__":
    main(*sys.argv[1:])
