"""Requests within a request: each is signed by itself, and nobody above sees how."""

from __future__ import annotations

from anysky.run import run
from anysky.transport.base import Request
from anysky.transport.signing import with_headers
from anysky.wire.azure_batch_bodies import BATCH, batch_body, signed_batch

ENDPOINT = "http://127.0.0.1:10000/account"


async def sign(request, endpoint):
    return with_headers(request, {"x-signed": f"{request.method} {endpoint}{request.target}"})


def test_each_request_is_signed_by_itself():
    parts = [
        Request("DELETE", "/box/a%0D%0ADELETE%20/x"),
        Request("DELETE", "/box/b", [("versionid", "1 2&3")]),
    ]
    kind, body = batch_body(parts, ENDPOINT)
    whole = Request("POST", "/box", headers={"content-type": kind}, body=body, operation=BATCH)

    signed = run(signed_batch(whole, ENDPOINT, sign))

    boundary = kind.removeprefix("multipart/mixed; boundary=")
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    assert signed.body.decode() == (
        f"--{boundary}\r\n{head}Content-ID: 0\r\n\r\n"
        "DELETE /account/box/a%0D%0ADELETE%20/x HTTP/1.1\r\n"
        f"x-signed: DELETE {ENDPOINT}/box/a%0D%0ADELETE%20/x\r\nContent-Length: 0\r\n\r\n"
        f"--{boundary}\r\n{head}Content-ID: 1\r\n\r\n"
        "DELETE /account/box/b?versionid=1%202%263 HTTP/1.1\r\n"
        f"x-signed: DELETE {ENDPOINT}/box/b?versionid=1%202%263\r\nContent-Length: 0\r\n\r\n"
        f"--{boundary}--\r\n"
    )
    assert b"x-signed" not in whole.body


def test_the_same_requests_have_the_same_body():
    parts = [Request("DELETE", "/box/a")]

    assert batch_body(parts, ENDPOINT) == batch_body(parts, ENDPOINT)
    assert batch_body(parts, ENDPOINT)[0] != batch_body(parts * 2, ENDPOINT)[0]


def test_other_requests_are_left_alone():
    request = Request("PUT", "/box/a", body=b"\r\nDELETE /box/b HTTP/1.1\r\n")

    assert run(signed_batch(request, ENDPOINT, sign)) is request
