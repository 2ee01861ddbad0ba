"""apache-libcloud's worker.

`list_nodes()` of its EC2 driver sends two requests, DescribeInstances and DescribeAddresses, and
reads one page only. Its DigitalOcean driver has no setting for the endpoint, so that of its
connection is changed. A driver is not safe between threads: each thread gets its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import common
import libcloud.security
from libcloud.compute.drivers.digitalocean import DigitalOceanNodeDriver
from libcloud.compute.drivers.ec2 import EC2NodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Blocking:
    shared = False

    def __init__(self, job: common.Job) -> None:
        where = urlsplit(job["endpoint"])
        if job.get("ca"):
            libcloud.security.CA_CERTS_PATH = job["ca"]
        place = {"host": where.hostname, "port": where.port, "secure": where.scheme == "https"}
        if job["service"] == "digitalocean":
            self.driver = DigitalOceanNodeDriver(common.TOKEN)
            for name, value in place.items():
                setattr(self.driver.connection, name, value)
            self.driver.connection.connect()
            return
        self.driver = EC2NodeDriver(
            common.ACCESS_KEY,
            common.SECRET_KEY,
            region=common.REGION,
            signature_version="4",
            **place,
        )

    def list(self) -> Any:
        return self.driver.list_nodes()

    def describe(self) -> Any:
        return self.driver.list_nodes()

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return [(str(node.id), node.name, node.private_ips[0]) for node in answer]

    def close(self) -> None:
        self.driver.connection.connection.session.close()


def signer(job: common.Job) -> Callable[[], dict[str, Any]]:
    from libcloud.common.aws import AWSRequestSignerAlgorithmV4

    driver = EC2NodeDriver(
        common.ACCESS_KEY, common.SECRET_KEY, region=common.REGION, signature_version="4"
    )
    made = AWSRequestSignerAlgorithmV4(
        common.ACCESS_KEY, common.SECRET_KEY, driver.connection.version, driver.connection
    )
    host, kind, body = job["host"], job["content_type"], job["body"]

    def sign() -> dict[str, Any]:
        _, headers = made.get_request_headers(
            params={}, headers={"Host": host, "Content-Type": kind}, method="POST", data=body
        )
        return {"method": "POST", "path": "/", "query": "", "headers": headers, "body": body}

    return sign


if __name__ == "__main__":
    common.main(blocking=Blocking, signer=signer)
