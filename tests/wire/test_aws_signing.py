"""Signatures with one fixed key: the region of an endpoint, the server's clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.base import Body, Request, Response
from anysky.wire.aws_signing import KeySigner

NOW = 1_700_000_000.0
PLACE, OTHER = "https://a.example", "https://b.example"


class Clock(BlockingRuntime):
    """A runtime whose wall clock stands still."""

    def time(self):
        return NOW


def signer(**more):
    return KeySigner("AKIAEXAMPLE", Secret("secret"), "here", Clock(), **more)


def signed(one, request=None, endpoint=PLACE):
    return run(one.sign(request or Request("GET", "/k"), endpoint)).headers


def refusal(by=0.0, code=""):
    return Response(403, {"date": formatdate(NOW + by, usegmt=True)}, code.encode())


def test_an_endpoint_has_a_region_of_its_own_once_it_is_known():
    one = signer()
    one.use_region(OTHER, "there")

    assert "/here/s3/aws4_request" in signed(one)["Authorization"]
    assert "/there/s3/aws4_request" in signed(one, endpoint=OTHER)["Authorization"]
    assert "%2Fthere%2Fs3%2F" in run(one.presign("GET", OTHER, "/k", (), 60))


def test_the_token_of_temporary_keys_is_sent():
    assert signed(signer(token=Secret("session")))["X-Amz-Security-Token"] == "session"


@pytest.mark.parametrize(
    ("method", "response", "is_signed_anew"),
    [
        ("GET", refusal(86_400, "RequestTimeTooSkewed"), True),
        ("GET", refusal(60, "RequestTimeTooSkewed"), False),
        ("GET", refusal(86_400, "AccessDenied"), False),
        ("HEAD", refusal(86_400), True),
        ("HEAD", refusal(0), False),
        ("HEAD", Response(403, {}), False),
        ("HEAD", Response(403, {"date": "yesterday"}), False),
    ],
)
def test_a_wrong_clock_is_corrected_by_the_servers(method, response, is_signed_anew):
    one = signer()

    assert run(one.refused(Request(method, "/k"), response)) is is_signed_anew

    date = "20231115T221320Z" if is_signed_anew else "20231114T221320Z"
    assert signed(one)["X-Amz-Date"] == date
    assert run(one.refused(Request(method, "/k"), response)) is False


@pytest.mark.parametrize(
    ("body", "endpoint", "is_hashed"),
    [
        (b"", PLACE, True),
        (b"x" * 100, PLACE, True),
        (b"x" * 100_000, PLACE, False),
        (b"x" * 100_000, "http://a.example", True),
        (Body(lambda: iter([b"x"]), 1), PLACE, False),
        (Body(lambda: iter([b"x"]), 1), "http://a.example", False),
    ],
)
def test_content_is_hashed_unless_it_is_streamed_or_tls_guards_it(body, endpoint, is_hashed):
    headers = signed(signer(), Request("PUT", "/k", body=body), endpoint)

    assert (headers["X-Amz-Content-SHA256"] != "UNSIGNED-PAYLOAD") is is_hashed
