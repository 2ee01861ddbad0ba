"""Signing of requests to AWS: fresh credentials, the server's clock, hashes of bodies."""

import email.utils
import hashlib
import re
from typing import ClassVar

import pytest
from tests.providers.aws.ec2_support import answer, driver, fault
from tests.support import faults as f

from anysky.backend.base import Connection
from anysky.compute import get_driver
from anysky.errors import AuthenticationError, InvalidAccountError
from anysky.providers.aws import AWS
from anysky.providers.aws.signing import AWSSigner
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.base import Body, Limits, Request, Response
from anysky.wire.aws_sigv4 import amz_date

NOW = 1_700_000_000.0
NO_INSTANCES = answer("DescribeInstances", "<reservationSet/>")


class Clock(BlockingRuntime):
    """A runtime whose wall clock stands still, and whose environment is empty."""

    environ: ClassVar = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}

    def time(self):
        return NOW


def signer(service="ec2", *, plain=None, region="eu-west-1", **settings):
    given = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret", **settings}
    account = AWS.load({"region": "eu-west-1", **given}, {})
    connection = Connection(plain, plain, plain, Clock(), Limits(), "https://ec2.example")
    return AWSSigner(service, account, connection, region=region)


def signed(one, request, endpoint="https://ec2.example"):
    return run(one.sign(request, endpoint))


def skewed(by, code="RequestExpired"):
    date = email.utils.formatdate(NOW + by, usegmt=True)
    return Response(400, {"date": date}, f"<Code>{code}</Code>".encode())


def test_a_request_gets_date_and_signature():
    request = Request("POST", "/", headers={"Content-Type": "text/plain"}, body=b"Action=A")

    sent = signed(signer(), request)

    assert sent.headers["X-Amz-Date"] == "20231114T221320Z"
    assert re.fullmatch(
        "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20231114/eu-west-1/ec2/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}",
        sent.headers["Authorization"],
    )
    assert "Authorization" not in request.headers
    assert (sent.body, sent.method, sent.path) == (b"Action=A", "POST", "/")


def test_temporary_credentials_send_their_token():
    sent = signed(signer(token="session"), Request("GET", "/"))

    assert sent.headers["X-Amz-Security-Token"] == "session"


def test_the_path_below_an_endpoint_is_signed():
    one = signer()

    below = signed(one, Request("GET", "/a"), "https://ec2.example/base")

    assert below.headers == signed(one, Request("GET", "/base/a")).headers


@pytest.mark.parametrize(
    ("service", "body", "endpoint", "sent"),
    [
        ("s3", b"", "https://h", hashlib.sha256(b"").hexdigest()),
        ("s3", b"abc", "https://h", hashlib.sha256(b"abc").hexdigest()),
        ("s3", b"a" * 100_000, "https://h", "UNSIGNED-PAYLOAD"),
        ("s3", b"a" * 100_000, "http://h", hashlib.sha256(b"a" * 100_000).hexdigest()),
        ("s3", Body(lambda: iter([b"a"])), "https://h", "UNSIGNED-PAYLOAD"),
        ("ec2", b"a" * 100_000, "https://h", None),
    ],
)
def test_hashes_of_bodies(service, body, endpoint, sent):
    request = Request("PUT", "/b/k", body=body)

    headers = signed(signer(service), request, endpoint).headers

    assert headers.get("X-Amz-Content-SHA256") == sent


def test_a_global_service_has_a_region_of_its_own_in_the_signature():
    sent = signed(signer("route53", region="us-east-1"), Request("GET", "/"))

    assert "/us-east-1/route53/aws4_request" in sent.headers["Authorization"]


def test_the_region_is_looked_up_once(tmp_path):
    one = signer(region=None)
    reads = []

    async def region():
        reads.append("region")
        return "ap-south-1"

    one.chain.region = region
    for _ in range(3):
        signed(one, Request("GET", "/"))

    assert reads == ["region"]


def test_without_a_region_nothing_is_signed():
    one = signer(region=None)

    async def region():
        return None

    one.chain.region = region
    with pytest.raises(InvalidAccountError, match="AWS needs a region"):
        signed(one, Request("GET", "/"))


# -- the server's clock --------------------------------------------------------------------------


@pytest.mark.parametrize("by", [86_400, -86_400, 600])
@pytest.mark.parametrize(
    "code", ["RequestExpired", "RequestTimeTooSkewed", "AuthFailure", "SignatureDoesNotMatch"]
)
def test_a_wrong_clock_follows_the_server(by, code):
    one = signer()

    assert run(one.refused(Request("GET", "/"), skewed(by, code))) is True

    date = signed(one, Request("GET", "/")).headers["X-Amz-Date"]
    assert date == amz_date(NOW + by)


def test_a_clock_that_was_corrected_is_corrected_once():
    one = signer()

    assert run(one.refused(Request("GET", "/"), skewed(600))) is True
    assert run(one.refused(Request("GET", "/"), skewed(605))) is False


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 99 Foo 2026", "Tue, 14 Nov 99999 00:00:00"]
)
def test_a_server_without_a_clock_changes_nothing(date):
    response = Response(400, {"date": date}, b"RequestTimeTooSkewed")

    assert run(signer().refused(Request("GET", "/"), response)) is False


@pytest.mark.parametrize("code", ["AuthFailure", "SignatureDoesNotMatch"])
def test_a_wrong_secret_is_not_taken_for_a_wrong_clock(code):
    assert run(signer().refused(Request("GET", "/"), skewed(5, code))) is False


def test_another_refusal_is_final():
    response = Response(403, {}, b"<Code>UnauthorizedOperation</Code>")

    assert run(signer().refused(Request("GET", "/"), response)) is False


def test_a_call_goes_through_although_the_clock_is_a_day_behind():
    tomorrow = Response(
        400,
        {"date": email.utils.formatdate(BlockingRuntime().time() + 86_400, usegmt=True)},
        fault("RequestExpired").body,
    )
    cloud, canned = driver(tomorrow, NO_INSTANCES, NO_INSTANCES)

    assert cloud.list_nodes() == []
    assert cloud.list_nodes() == []

    days = [request.headers["X-Amz-Date"][:8] for request in canned.requests]
    assert days[1] == days[2] > days[0]


# -- credentials that end ------------------------------------------------------------------------


def role_answer(number):
    return f.json_answer(
        {
            "AccessKeyId": f"ASIA{number}",
            "SecretAccessKey": "secret",
            "Token": f"token{number}",
            "Expiration": "2099-01-01T00:00:00Z",
        }
    )


def from_a_container(monkeypatch, server):
    """Let credentials come from a server, as in a container."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role")


@pytest.mark.parametrize("code", ["ExpiredToken", "RequestExpired"])
def test_expired_credentials_are_fetched_anew(monkeypatch, faults, code):
    from_a_container(monkeypatch, faults)
    faults.on("/role", role_answer(1), times=1)
    faults.on("/role", role_answer(2), times=1)
    expired = fault(code, "it has expired")
    faults.on("/", f.Answer(400, expired.body), times=1)
    faults.on("/", f.Answer(200, NO_INSTANCES.body), times=1)

    with get_driver("ec2")(region="eu-west-1", endpoint=faults.url) as cloud:
        assert cloud.list_nodes() == []

    tokens = [r.headers["x-amz-security-token"] for r in faults.requests if r.path == "/"]
    assert tokens == ["token1", "token2"]


def test_expired_credentials_that_are_given_are_an_error():
    cloud, canned = driver(fault("ExpiredToken", "it has expired"), token="old")

    with pytest.raises(AuthenticationError, match="it has expired"):
        cloud.list_nodes()
    assert len(canned.requests) == 1


def test_a_secret_is_shown_nowhere():
    one = signer(secret_access_key=Secret("very-secret"), token=Secret("session-token"))
    sent = signed(one, Request("GET", "/"))

    assert "very-secret" not in repr(vars(one)) + repr(sent) + str(sent.headers)
    assert "session-token" not in repr(vars(one)) + repr(sent)
