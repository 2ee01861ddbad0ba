"""Serves the canned answers on loopback, in a process of its own.

One port per *site*: a list of so many servers, with or without TLS or added latency. Every body
is built before the first request, so that the server is not what is measured. The process
prints one line of JSON, `{"site": "http://127.0.0.1:PORT", ...}`, and ends when its standard
input is closed, so it never outlives the run that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import ssl
import sys
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from benchmarks import canned

MAX_HEAD = 64 * 1024
SEND_BUFFER = 4 * 1024 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def response(body: bytes, kind: str, status: str = "200 OK") -> bytes:
    """Head and body as they go over the line."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Server: benchmark\r\nx-amzn-RequestId: 8f7724cf\r\n\r\n".encode() + body


ADDRESSES = response(canned.ec2_addresses(), "text/xml;charset=UTF-8")
UNKNOWN = response(b"unknown request", "text/plain", "400 Bad Request")


@dataclass
class Site:
    """A list of `count` servers, behind both APIs.

    `page` is EC2's page size where the client names none; None gives the whole list in one
    answer, which apache-libcloud needs because it never asks for a second page.
    """

    count: int
    page: int | None = canned.EC2_PAGE
    latency: float = 0.0
    tls: bool = False
    url: str = ""
    ready: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    instances: list[str] = field(default_factory=list)
    droplets: list[str] = field(default_factory=list)

    def build(self, url: str) -> None:
        """Make the items, and the pages that clients ask for by default."""
        self.url = url
        self.instances = [canned.instance(index) for index in range(self.count)]
        self.droplets = [
            json.dumps(canned.droplet(index), separators=(",", ":")) for index in range(self.count)
        ]
        size = self.page or self.count
        for start in range(0, self.count, size):
            self.ec2(start, size)
        if self.page:
            for page in range(1, -(-self.count // 200) + 1):
                self.droplet_list(page, 200)

    def ec2(self, start: int, size: int) -> bytes:
        """The answer to DescribeInstances from `start` on."""
        key = ("ec2", start, size)
        if key not in self.ready:
            stop = start + size
            body = canned.ec2_page(
                self.instances[start:stop], str(stop) if stop < self.count else None
            )
            self.ready[key] = response(body, "text/xml;charset=UTF-8")
        return self.ready[key]

    def droplet_list(self, page: int, size: int) -> bytes:
        """The answer to `GET /v2/droplets?page=…&per_page=…`."""
        key = ("droplets", page, size)
        if key not in self.ready:
            last = max(1, -(-self.count // size))
            items = self.droplets[(page - 1) * size : page * size]
            links = self._links(page, last, size)
            body = canned.droplet_page(items, links, self.count)
            self.ready[key] = response(body, "application/json; charset=utf-8")
        return self.ready[key]

    def _links(self, page: int, last: int, size: int) -> dict[str, str]:
        def link(number: int) -> str:
            return f"{self.url}/v2/droplets?page={number}&per_page={size}"

        links: dict[str, str] = {}
        if page > 1:
            links |= {"first": link(1), "prev": link(page - 1)}
        if page < last:
            links |= {"next": link(page + 1), "last": link(last)}
        return links

    def answer(self, target: str, body: bytes) -> bytes:
        """The answer to one request."""
        path, _, query = target.partition("?")
        if path == "/v2/droplets":
            wanted = parse_qs(query)
            size = int(wanted.get("per_page", [str(canned.DROPLET_PAGE)])[0])
            return self.droplet_list(int(wanted.get("page", ["1"])[0]), min(size, 200))
        wanted = parse_qs(query) | parse_qs(body.decode())
        action = wanted.get("Action", [""])[0]
        if action == "DescribeInstances":
            size = int(wanted.get("MaxResults", [str(self.page or self.count)])[0])
            return self.ec2(
                int(wanted.get("NextToken", ["0"])[0]),
                min(size, canned.EC2_PAGE) if self.page else size,
            )
        return ADDRESSES if action == "DescribeAddresses" else UNKNOWN


class Connection(asyncio.Protocol):
    """One kept connection: reads requests one after the other and answers each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.buffer, 0, end + 2)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < stop:
                return
            target = self.buffer.split(b" ", 2)[1].decode()
            body = bytes(self.buffer[end + 4 : stop])
            del self.buffer[:stop]
            self._send(self.site.answer(target, body))
        if len(self.buffer) > MAX_HEAD:
            self.transport.close()

    def _send(self, answer: bytes) -> None:
        if self.site.latency:
            asyncio.get_running_loop().call_later(self.site.latency, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def listen(site: Site, context: ssl.SSLContext | None) -> asyncio.Server:
    """Open a free loopback port for a site and build its answers."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(site),
        "127.0.0.1",
        0,
        ssl=context if site.tls else None,
        backlog=1024,
    )
    port = server.sockets[0].getsockname()[1]
    site.build(f"{'https' if site.tls else 'http'}://127.0.0.1:{port}")
    return server


def sites(counts: list[int], latency: float, tls: bool) -> dict[str, Site]:
    """Every site of a run, by name."""
    found = {"one": Site(1), "slow": Site(1, latency=latency)}
    if tls:
        found["one-tls"] = Site(1, tls=True)
    for count in counts:
        found[f"list-{count}"] = Site(count)
        found[f"whole-{count}"] = Site(count, page=None)
    return found


async def serve(arguments: argparse.Namespace) -> None:
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)
    every = sites(arguments.counts, arguments.latency, context is not None)
    servers = [await listen(site, context) for site in every.values()]
    print(json.dumps({name: site.url for name, site in every.items()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for server in servers:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[1000])
    parser.add_argument("--latency", type=float, default=0.05, help="seconds, for the slow site")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
