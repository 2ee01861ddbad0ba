"""The conformance suite of compute over moto.

Pages are not among the cases: moto counts launches, not nodes, and takes long to make a thousand.
"""

from __future__ import annotations

import pytest

from anysky.testing import ComputeSetup, cases
from tests.conformance.aws import settings

pytestmark = pytest.mark.server

IMAGE = "ami-1e749f67"  # an Ubuntu that moto brings along


@pytest.mark.parametrize("case", cases("compute", "ec2", failures=False), ids=str)
def test_compute(case, moto, moto_server):
    case.run(
        ComputeSetup(
            settings(moto),
            size="t3.micro",
            image=IMAGE,
            location="eu-west-1a",
            reset=moto_server.reset,
        )
    )
