"""What the suites over moto, which stands in for AWS, have in common."""

from __future__ import annotations

import botocore.session
import pytest

from anysky.testing import cases

ACCESS_KEY, SECRET_KEY = "AKIACANARY0EXAMPLE01", "canary/secret+key=5f0c8e"
REGION = "eu-west-1"  # in us-east-1 S3 lets an owner make a bucket twice

# What moto does otherwise than AWS. Each entry fails as soon as moto does it right.
HOLES: dict[tuple[str, str], str] = {}


def suite(kind, provider, **options):
    """Return the cases as pytest takes them, those that moto cannot pass marked as such."""
    marks = {
        name: [pytest.mark.xfail(reason=why)] for (of, name), why in HOLES.items() if of == kind
    }
    found = cases(kind, provider, **options)
    return [pytest.param(case, id=case.name, marks=marks.get(case.name, [])) for case in found]


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
