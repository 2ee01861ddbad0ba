"""What the suites over moto, which stands in for AWS, have in common."""

from __future__ import annotations

import botocore.session

ACCESS_KEY, SECRET_KEY = "AKIACANARY0EXAMPLE01", "canary/secret+key=5f0c8e"
REGION = "eu-west-1"  # in us-east-1 S3 lets an owner make a bucket twice


def settings(url):
    keys = {"key": ACCESS_KEY, "secret": SECRET_KEY}
    return {**keys, "region": REGION, "endpoint": url, "rate": 0}


def client(service, url):
    """A client that is not ours, to fill the server quickly."""
    return botocore.session.Session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
