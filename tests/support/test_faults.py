"""The fault server and the proxy do what their names say."""

import gzip
import http.client
import json
import ssl
import time

import pytest

from tests.support import faults as f
from tests.support.certificates import Certificates
from tests.support.proxy import RecordingProxy


@pytest.fixture
def faults():
    with f.FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def connect(server, timeout=5):
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)


def fetch(server, path="/", method="GET", body=None, timeout=5):
    """Status, headers and body of one request over its own connection."""
    connection = connect(server, timeout)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_answers_what_nobody_scripted(faults):
    connection = connect(faults)
    for number in range(3):
        connection.request("POST", f"/a?n={number}", b"body")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"{}")
    connection.close()

    assert faults.connections == 1
    assert [(r.method, r.target, r.body) for r in faults.requests] == [
        ("POST", "/a?n=0", b"body"),
        ("POST", "/a?n=1", b"body"),
        ("POST", "/a?n=2", b"body"),
    ]


def test_scripts_by_path_and_by_number(faults):
    limited = faults.next(f.json_answer({"id": "slow"}, 429, retry_after="3"), times=2)
    gone = faults.on("/gone", f.Answer(404, b""), method="GET")

    seen = [fetch(faults, "/")[0] for _ in range(3)] + [fetch(faults, "/gone")[0]]

    assert seen == [429, 429, 200, 404]
    assert (limited.hits, gone.hits) == (2, 1)


def test_script_that_was_never_hit_fails():
    with pytest.raises(AssertionError, match="never hit"), f.FaultServer() as server:
        server.next(f.ResetOnConnect())


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (f.ResetOnConnect(), ConnectionResetError),
        (f.ResetAfterRequest(), ConnectionResetError),
        (f.ResetInHeaders(), ConnectionResetError),
        (f.ResetInBody(), ConnectionResetError),
        (f.CloseWithoutAnswer(), http.client.RemoteDisconnected),
        (f.TruncatedBody(), http.client.IncompleteRead),
        (f.ShortChunkedBody(), http.client.IncompleteRead),
        (f.Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), http.client.BadStatusLine),
        (f.many_headers(), http.client.HTTPException),
        (f.huge_header(), http.client.LineTooLong),
        (f.EndlessHeaders(), http.client.HTTPException),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, f.Action) else "",
)
def test_broken_answers(faults, action, error):
    script = faults.next(action)

    with pytest.raises(error):
        fetch(faults)

    assert script.hits == 1
    assert fetch(faults)[0] == 200


@pytest.mark.parametrize(
    "action", [f.Answer(delay=30), f.StallInBody(), f.Drip(bytes_per_second=0.1)]
)
def test_stalls_end_with_the_server(action):
    start = time.monotonic()
    with f.FaultServer() as server:
        server.next(action)
        with pytest.raises(TimeoutError):
            fetch(server, timeout=0.1)

    assert time.monotonic() - start < 5


def test_drip_arrives_in_the_end(faults):
    faults.next(f.Drip(b"12345", bytes_per_second=100))

    assert fetch(faults)[2] == b"12345"


def test_pages_and_redirects(faults):
    faults.next(f.server_error_page())
    faults.next(f.redirect("http://other.example/", 307))
    faults.next(f.wrong_content_type())

    answers = [fetch(faults) for _ in range(3)]

    assert [(a[0], a[1]["Content-Type"], a[1]["Location"]) for a in answers] == [
        (502, "text/html", None),
        (307, None, "http://other.example/"),
        (200, "text/html", None),
    ]


def test_bombs(faults):
    faults.next(f.GzipBomb(size=1 << 24))
    faults.next(f.BadGzip())
    faults.next(f.EndlessBody(limit=1 << 20))

    bomb = fetch(faults)[2]
    cut = fetch(faults)[2]

    assert len(bomb) < 20_000
    assert gzip.decompress(bomb) == bytes(1 << 24)
    with pytest.raises(EOFError):
        gzip.decompress(cut)
    with pytest.raises(http.client.IncompleteRead):
        fetch(faults)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("good", None),
        ("expired", "certificate has expired"),
        ("wrong name", "IP address mismatch"),
        ("self-signed", "self-signed certificate"),
        ("unknown CA", "unable to get local issuer certificate"),
    ],
)
def test_certificates(certificates, kind, message):
    with f.FaultServer(tls=certificates.server_context(kind)) as server:
        context = certificates.client_context()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, context=context, timeout=5
        )
        if message is None:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"{}"
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match=message):
                connection.request("GET", "/")
        connection.close()


def test_proxy_forwards_and_records(faults):
    with RecordingProxy(hosts={"api.example.com": ("127.0.0.1", faults.port)}) as proxy:
        faults.next(f.json_answer({"a": 1}, 201))
        connection = connect(proxy)
        connection.request("POST", "http://api.example.com/v2/x?y=1", b"data", {"X-A": "b"})
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())) == (201, {"a": 1})
        connection.close()

    (received,) = faults.requests
    assert (received.method, received.target, received.body) == ("POST", "/v2/x?y=1", b"data")
    assert received.headers["x-a"] == "b"
    assert [each.target for each in proxy.passed] == ["http://api.example.com/v2/x?y=1"]


def test_proxy_tunnels_tls(certificates):
    tls = certificates.server_context()
    with f.FaultServer(tls=tls) as server, RecordingProxy(credentials=("u", "p")) as proxy:
        context = certificates.client_context()
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context)
        connection.set_tunnel("127.0.0.1", server.port)
        with pytest.raises(OSError, match="407"):
            connection.request("GET", "/a")
        connection.close()
        connection.set_tunnel("127.0.0.1", server.port, {"Proxy-Authorization": "Basic dTpw"})
        connection.request("GET", "/a")
        assert connection.getresponse().read() == b"{}"
        connection.close()

        assert [each.path for each in server.requests] == ["/a"]
        assert [each.method for each in proxy.passed] == ["CONNECT", "CONNECT"]


# In front of another server


@pytest.fixture
def front(faults):
    faults.otherwise = f.Answer(201, b"from behind", (("X-Behind", "yes"),))
    with f.FaultServer(upstream=faults.url) as server:
        yield server


def test_forwards_what_nobody_scripted(front, faults):
    status, headers, body = fetch(front, "/a?b=c", "POST", b"sent")

    assert (status, headers["X-Behind"], body) == (201, "yes", b"from behind")
    assert [(r.method, r.target, r.body) for r in faults.requests] == [("POST", "/a?b=c", b"sent")]
    assert front.worked == front.requests


def test_length_that_the_answer_to_head_announces_is_passed_on(front, faults):
    status, headers, body = fetch(front, "/", "HEAD")

    assert (status, headers["Content-Length"], body) == (201, "11", b"")


@pytest.mark.parametrize(
    ("action", "works"),
    [
        (f.ResetBeforeWork(), False),
        (f.ResetAfterRequest(), True),
        (f.ResetInHeaders(), True),
        (f.ResetInBody(), True),
        (f.ShortChunkedBody(), True),
        (f.TruncatedBody(), True),
        (f.AfterWork(f.CloseWithoutAnswer()), True),
    ],
    ids=lambda one: type(one).__name__,
)
def test_request_is_carried_out_although_its_answer_is_lost(front, faults, action, works):
    front.next(action)

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        fetch(front, "/", "POST", b"sent")

    assert len(faults.requests) == len(front.worked) == works


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        (f.Forward(delay=0.01), (201, b"from behind")),
        (f.StallInBody(seconds=0.01), (201, b"from behind")),
        (f.Drip(bytes_per_second=1000), (201, b"from behind")),
        (f.WrongBytes(), (201, b"grom behind")),
        (
            f.AfterWork(f.server_error_page(504)),
            (504, b"<html><h1>504 Gateway Timeout</h1></html>"),
        ),
    ],
    ids=["Forward", "StallInBody", "Drip", "WrongBytes", "AfterWork"],
)
def test_answer_that_comes_in_another_way(front, faults, action, seen):
    front.next(action)

    status, _, body = fetch(front)

    assert (status, body) == seen
    assert len(faults.requests) == 1


def test_strikes_only_where_it_should(front, faults):
    busy = front.next(f.Answer(409), times=None, where=lambda request: request.path == "/busy")

    assert [fetch(front, path)[0] for path in ("/", "/busy", "/busy")] == [201, 409, 409]
    assert (busy.hits, len(front.worked)) == (2, 1)
