"""What the backends of all services of AWS share: how it throttles, what must not be shown."""

from __future__ import annotations

import pytest
from tests.support.faults import Answer

from anysky import RateLimitedError, RetryPolicy
from anysky.compute import get_driver
from anysky.providers.aws.backend import AWSBackend
from anysky.transport.base import Response

QUICK = RetryPolicy(base=0.001, throttled_base=0.001)
VPC = (
    b"<CreateVpcResponse><vpc><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock>"
    b"</vpc></CreateVpcResponse>"
)


def refusal(code: str) -> bytes:
    errors = f"<Errors><Error><Code>{code}</Code><Message>slow down</Message></Error></Errors>"
    return f"<Response>{errors}<RequestID>r-1</RequestID></Response>".encode()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "RequestLimitExceeded", True),
        (503, "EC2ThrottledException", True),
        (503, "SlowDown", True),
        (400, "Throttling", True),
        (400, "PriorRequestNotComplete", True),
        (429, "anything", True),
        (503, "Unavailable", False),
        (400, "InvalidParameterValue", False),
        (403, "Throttling", False),
    ],
)
def test_throttling_is_told_by_code(status: int, code: str, expected: bool) -> None:
    assert AWSBackend.throttled(Response(status, {}, refusal(code))) is expected


def test_a_creation_without_token_is_sent_again_when_it_was_throttled(faults) -> None:
    faults.next(Answer(503, refusal("RequestLimitExceeded")), times=2)
    faults.next(Answer(200, VPC))

    with get_driver("ec2")(
        "key", "secret", region="eu-west-1", endpoint=faults.url, retry=QUICK
    ) as driver:
        network = driver.create_network("web", "10.0.0.0/16")

    assert network.id == "vpc-1"
    assert len(faults.requests) == 3


def test_throttled_for_too_long_is_rate_limited(faults) -> None:
    script = faults.next(Answer(503, refusal("RequestLimitExceeded")), times=4)

    with (
        get_driver("ec2")(
            "key", "secret", region="eu-west-1", endpoint=faults.url, retry=QUICK
        ) as driver,
        pytest.raises(RateLimitedError) as caught,
    ):
        driver.create_network("web", "10.0.0.0/16")

    assert (caught.value.code, caught.value.attempts, script.hits) == ("RequestLimitExceeded", 4, 4)


def test_fetched_credentials_are_secrets_too(faults, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-the-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-from-the-environment")
    echo = refusal("Odd").replace(
        b"slow down", b"from-the-environment and session-from-the-environment"
    )
    faults.next(Answer(400, echo))

    with (
        get_driver("ec2")(region="eu-west-1", endpoint=faults.url) as driver,
        pytest.raises(Exception, match=r"\*\*\* and \*\*\*") as caught,
    ):
        driver.list_networks()

    assert b"from-the-environment" not in caught.value.body
