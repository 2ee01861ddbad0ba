"""anysky's worker: its blocking API, its asyncio API and its signer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import common

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def settings(job: common.Job) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The arguments of a driver for this job."""
    options: dict[str, Any] = {"endpoint": job["endpoint"]}
    if "ca" in job:
        options["verify"] = job["ca"]
    if "connections" in job:
        options["pool_size"] = job["connections"]
    if job["service"] == "digitalocean":
        return (common.TOKEN,), options
    return (common.ACCESS_KEY, common.SECRET_KEY), options | {"region": common.REGION}


def rows(nodes: Sequence[Any]) -> list[common.Row]:
    return [(str(node.id), node.name, node.private_ips[0]) for node in nodes]


def read_extra(nodes: Sequence[Any]) -> None:
    """Have every `extra` decoded: it may be left undecoded until it is first read."""
    for node in nodes:
        dict(node.extra)


class Blocking:
    shared = True

    def __init__(self, job: common.Job) -> None:
        from anysky.compute import get_driver

        arguments, options = settings(job)
        self.extra = job.get("extra", False)
        self.driver = get_driver(job["service"])(*arguments, **options)

    def list(self) -> Any:
        nodes = self.driver.list_nodes()
        if self.extra:
            read_extra(nodes)
        return nodes

    def describe(self) -> Any:
        return self.driver.list_nodes()

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return rows(answer)

    def close(self) -> None:
        self.driver.close()


class Asyncio:
    def __init__(self, job: common.Job) -> None:
        from anysky.aio.compute import get_driver

        arguments, options = settings(job)
        self.driver = get_driver(job["service"])(*arguments, **options)

    async def open(self) -> None:
        await self.driver.__aenter__()

    async def list(self) -> Any:
        return await self.driver.list_nodes()

    async def describe(self) -> Any:
        return await self.driver.list_nodes()

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return rows(answer)

    async def close(self) -> None:
        await self.driver.__aexit__(None, None, None)


def signer(job: common.Job) -> Callable[[], dict[str, Any]]:
    import hashlib

    from anysky.secret import Secret
    from anysky.wire.aws_sigv4 import Credentials, Signer

    credentials = Credentials(common.ACCESS_KEY, Secret(common.SECRET_KEY))
    made = Signer("ec2", common.REGION)
    host, kind, body = job["host"], job["content_type"], job["body"]
    data = body.encode()

    def sign() -> dict[str, Any]:
        headers = {"Content-Type": kind}
        added = made.sign(
            credentials,
            "POST",
            host,
            "/",
            headers=headers.items(),
            payload_hash=hashlib.sha256(data).hexdigest(),
            when=time.time(),
        )
        return {
            "method": "POST",
            "path": "/",
            "query": "",
            "headers": {"Host": host} | headers | added,
            "body": body,
        }

    return sign


if __name__ == "__main__":
    common.main(Blocking, Asyncio, signer)
