"""The floor: bare urllib3 and bare aiohttp that send the same request and read the body.

Nothing is signed (a constant stands where the signature would be) and nothing decoded. The floor
of a signature is a fixed template with a signing key that was derived beforehand.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import common
import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATTERNS = {
    "ec2": (
        rb"<instanceId>(.*?)<",
        rb"<key>Name</key>\s*<value>(.*?)<",
        rb"<keyName>.*?<privateIpAddress>(.*?)<",
    ),
    "digitalocean": (
        rb'\{"id":(\d+),"name":"[^"]*","memory"',
        rb'\{"id":\d+,"name":"([^"]*)","memory"',
        rb'"v4":\[\{"ip_address":"(.*?)"',
    ),
}


def request(job: common.Job) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Method, URL, body and headers of the small call."""
    if job["service"] == "digitalocean":
        url = f"{job['endpoint']}/v2/droplets?per_page=200"
        return "GET", url, None, {"Authorization": f"Bearer {common.TOKEN}"}
    body = b"Action=DescribeInstances&Version=2016-11-15"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Amz-Date": "20261122T120000Z",
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={common.ACCESS_KEY}/20261122/us-east-1/ec2/aws4_request, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
        ),
    }
    return "POST", f"{job['endpoint']}/", body, headers


def rows(job: common.Job, body: bytes) -> Sequence[common.Row]:
    """What the body holds, to check that it is the one that the others decode."""
    columns = [re.findall(pattern, body, re.DOTALL) for pattern in PATTERNS[job["service"]]]
    return [(a.decode(), b.decode(), c.decode()) for a, b, c in zip(*columns, strict=True)]


def next_page(body: bytes, number: int) -> bytes | None:
    """What to add to the request to get the next page; None after the last."""
    tail = body[-1000:]
    if b'"next":' in tail:
        return b"&page=%d" % number
    token = re.search(rb"<nextToken>(.*?)<", tail)
    return b"&NextToken=" + token[1] if token else None


class Blocking:
    shared = True

    def __init__(self, job: common.Job) -> None:
        self.job = job
        self.request = request(job)
        self.pool = urllib3.PoolManager(maxsize=job.get("concurrency", 1), ca_certs=job.get("ca"))

    def describe(self) -> Any:
        method, url, body, headers = self.request
        answer = self.pool.request(
            method, url, body=body, headers=headers, redirect=False, decode_content=False
        )
        return answer.data

    def list(self) -> Any:
        bodies: list[bytes] = []
        following: bytes | None = b""
        method, url, body, headers = self.request
        while following is not None:
            if body is None:
                target = f"{url}{following.decode()}"
                answer = self.pool.request(method, target, headers=headers, redirect=False)
            else:
                data = body + following
                answer = self.pool.request(method, url, body=data, headers=headers, redirect=False)
            bodies.append(answer.data)
            following = next_page(answer.data, len(bodies) + 1)
        return b"".join(bodies)

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return rows(self.job, answer)

    def close(self) -> None:
        self.pool.clear()


class Asyncio:
    def __init__(self, job: common.Job) -> None:
        self.job = job
        self.request = request(job)

    async def open(self) -> None:
        ca = self.job.get("ca")
        context = ssl.create_default_context(cafile=ca) if ca else True
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def describe(self) -> Any:
        method, url, body, headers = self.request
        async with self.session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return await answer.read()

    async def list(self) -> Any:
        return await self.describe()

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return rows(self.job, answer)

    async def close(self) -> None:
        await self.session.close()


def signer(job: common.Job) -> Callable[[], dict[str, Any]]:
    host, kind, body = job["host"], job["content_type"], job["body"]
    data = body.encode()
    day = time.strftime("%Y%m%d", time.gmtime())
    key = f"AWS4{common.SECRET_KEY}".encode()
    for part in (day, common.REGION, "ec2", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{day}/{common.REGION}/ec2/aws4_request"

    def sign() -> dict[str, Any]:
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        canonical = (
            f"POST\n/\n\ncontent-type:{kind}\nhost:{host}\nx-amz-date:{date}\n\n"
            f"content-type;host;x-amz-date\n{hashlib.sha256(data).hexdigest()}"
        )
        text = (
            f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        )
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={common.ACCESS_KEY}/{scope}, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        )
        headers = {
            "Host": host,
            "Content-Type": kind,
            "X-Amz-Date": date,
            "Authorization": authorization,
        }
        return {"method": "POST", "path": "/", "query": "", "headers": headers, "body": body}

    return sign


if __name__ == "__main__":
    common.main(Blocking, Asyncio, signer)
