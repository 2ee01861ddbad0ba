"""boto3's worker; EC2 only, and botocore's signer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import common
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def rows(instances: Sequence[Any]) -> list[common.Row]:
    return [(item["InstanceId"], _name(item), item["PrivateIpAddress"]) for item in instances]


def _name(instance: dict[str, Any]) -> str:
    return next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")


def instances(page: dict[str, Any]) -> list[Any]:
    return [item for group in page["Reservations"] for item in group["Instances"]]


class Blocking:
    shared = True

    def __init__(self, job: common.Job) -> None:
        self.client = boto3.client(
            "ec2",
            region_name=common.REGION,
            endpoint_url=job["endpoint"],
            aws_access_key_id=common.ACCESS_KEY,
            aws_secret_access_key=common.SECRET_KEY,
            verify=job.get("ca"),
            config=Config(max_pool_connections=job.get("concurrency", 10)),
        )

    def list(self) -> Any:
        pages = self.client.get_paginator("describe_instances").paginate()
        return [item for page in pages for item in instances(page)]

    def describe(self) -> Any:
        return instances(self.client.describe_instances())

    def rows(self, answer: Any) -> Sequence[common.Row]:
        return rows(answer)

    def close(self) -> None:
        self.client.close()


def signer(job: common.Job) -> Callable[[], dict[str, Any]]:
    made = SigV4Auth(Credentials(common.ACCESS_KEY, common.SECRET_KEY), "ec2", common.REGION)
    url, kind, body = f"https://{job['host']}/", job["content_type"], job["body"]

    def sign() -> dict[str, Any]:
        request = AWSRequest("POST", url, headers={"Content-Type": kind}, data=body)
        made.add_auth(request)
        return {
            "method": "POST",
            "path": "/",
            "query": "",
            "headers": {"Host": job["host"], **dict(request.headers.items())},
            "body": body,
        }

    return sign


if __name__ == "__main__":
    common.main(blocking=Blocking, signer=signer)
