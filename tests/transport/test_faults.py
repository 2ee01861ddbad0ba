"""Every way in which HTTP breaks has one declared outcome, the same in both APIs."""

import contextlib
import gzip
import os
import socket
import time

import pytest

from anysky.deadlines import deadline
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    MalformedResponseError,
    OutcomeUnknownError,
    UnsafeResponseError,
)
from anysky.transport.base import Body, Limits
from anysky.transport.safety import SafetyLayer
from tests.support import faults as f
from tests.support.proxy import RecordingProxy
from tests.transport.runners import get, plain, post

SMALL = Limits(max_response_bytes=1000)


def failure_of(api, transport, request, seconds=None):
    """The error of one request, and how long it took."""
    start = time.monotonic()
    with deadline(seconds), pytest.raises(CloudError) as caught:
        api.run(transport.send(request))
    return caught.value, time.monotonic() - start


def connection_to(port):
    return f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def silent_listener(backlog=0):
    """A port that never accepts; with its backlog full it does not even answer a SYN."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(backlog)
    waiting = []
    for _ in range(backlog + 3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    yield listener.getsockname()[1]
    for one in (*waiting, listener):
        one.close()


def test_answer_comes_whole(api, faults):
    faults.next(f.Answer(201, b"hello", (("X-One", "1"), ("X-One", "2"))))

    response = api.run(api.transport(faults.url).send(post("/a%2Fb?x", b"body")))

    assert (response.status, response.body, response.headers["x-one"]) == (201, b"hello", "1, 2")
    assert [(r.target, r.body) for r in faults.requests] == [("/a%2Fb?x", b"body")]


def test_both_apis_send_the_same_head(faults):
    from tests.transport.runners import RUNNERS

    heads = []
    for kind in RUNNERS:
        runner = kind()
        transport = runner.transport(faults.url)
        for request in (get("/x"), post("/x"), post("/x", b""), get("/x", headers={"accept": "a"})):
            runner.run(transport.send(request))
        runner.close()
        heads.append([dict(r.headers) for r in faults.requests])
        faults.requests.clear()

    assert heads[0] == heads[1]
    assert heads[0][2] == {
        "host": f"127.0.0.1:{faults.port}",
        "user-agent": heads[0][0]["user-agent"],
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": "0",
    }


def test_path_is_sent_as_it_is(api, faults):
    path = "/a//b/../c/./%41%2f/~x;y=1,2:3@!$'()*+"

    api.run(api.transport(faults.url).send(get(path)))

    assert faults.requests[0].target == path


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/ä", "/a#b", "/a\x7f"])
def test_path_that_is_not_encoded_is_refused(api, faults, path):
    error, _ = failure_of(api, api.transport(faults.url), get(path))

    assert type(error) is InvalidRequestError
    assert faults.requests == []


@pytest.mark.parametrize(
    ("name", "value"), [("X", "a\r\nB: c"), ("X", "a\0"), ("X", "ä"), ("X Y", "a"), ("", "a")]
)
def test_header_that_breaks_out_is_refused_without_showing_it(api, faults, name, value):
    error, _ = failure_of(api, api.transport(faults.url), get(headers={name: value}))

    assert type(error) is InvalidRequestError
    assert value not in str(error) or value == "a"
    assert faults.requests == []


def test_dns_failure(api):
    error, _ = failure_of(api, api.transport("http://no-such-host.invalid"), post())

    assert (type(error), error.retryable) == (ConnectionFailedError, True)
    assert str(error).startswith("cannot connect to no-such-host.invalid: ")


def test_refused_connection(api):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    error, _ = failure_of(api, api.transport(connection_to(port)), post())

    assert (type(error), error.retryable) == (ConnectionFailedError, True)
    assert "refused" in str(error).lower()


def test_connect_timeout(api):
    with silent_listener() as port:
        transport = api.transport(connection_to(port), connect_timeout=0.3)
        error, seconds = failure_of(api, transport, post())

    assert (type(error), error.retryable) == (ConnectionFailedError, True)
    assert "took too long" in str(error)
    assert seconds < 2


def test_deadline_while_connecting_is_no_unknown_outcome(api):
    with silent_listener() as port:
        error, seconds = failure_of(api, api.transport(connection_to(port)), post(), 0.3)

    assert type(error) is DeadlineExceededError
    assert seconds < 1


def test_deadline_that_is_over_sends_nothing(api, faults):
    error, _ = failure_of(api, api.transport(faults.url), post(), 0)

    assert type(error) is DeadlineExceededError
    assert faults.requests == []


@pytest.mark.parametrize("kind", ["wrong name", "expired", "self-signed", "unknown CA"])
def test_bad_certificate(api, certificates, kind):
    with api.serving(f.FaultServer(tls=certificates.server_context(kind))) as server:
        transport = api.transport(server.url, verify=certificates.ca_file)
        error, _ = failure_of(api, transport, post())

    assert (type(error), error.retryable) == (ConnectionFailedError, False)
    assert "certificate" in str(error)
    assert server.requests == []


def test_good_certificate(api, certificates):
    with api.serving(f.FaultServer(tls=certificates.server_context())) as server:
        transport = api.transport(server.url, verify=certificates.ca_file)
        response = api.run(transport.send(get()))

    assert plain(response) == (200, b"{}")


def test_tls_with_a_server_that_speaks_plain_http(api, faults):
    error, _ = failure_of(api, api.transport(faults.url.replace("http:", "https:")), post())

    assert (type(error), error.retryable) == (ConnectionFailedError, True)


SENT = [
    f.ResetAfterRequest(),
    f.CloseWithoutAnswer(),
    f.ResetInHeaders(),
    f.ResetInBody(),
    f.TruncatedBody(),
    f.ShortChunkedBody(),
    f.Raw(b"SSH-2.0-nonsense\r\n"),
    f.Raw(b"HTTP/1.1 200 OK\r\nContent-Length: twelve\r\n\r\nx"),
    f.Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    f.Answer(delay=30),
    f.StallInBody(),
]


@pytest.mark.parametrize("fault", SENT, ids=lambda one: type(one).__name__)
def test_what_was_sent_and_lost_is_unknown(api, faults, fault):
    faults.next(fault)
    transport = api.transport(faults.url, read_timeout=0.5)

    error, seconds = failure_of(api, transport, post())
    again = api.run(transport.send(get()))

    assert type(error) is OutcomeUnknownError
    assert seconds < 2
    assert plain(again) == (200, b"{}")
    assert len(faults.requests) == 2


def test_connection_reset_before_anything_is_read(api, faults):
    """Whether a byte left is a race: our system may have sent it before the reset came."""
    faults.next(f.ResetOnConnect())

    error, _ = failure_of(api, api.transport(faults.url), post())

    assert type(error) in (OutcomeUnknownError, ConnectionFailedError)


class DripHead(f.Action):
    """The head of an answer, five bytes a second."""

    def play(self, handler):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
            handler.pause(0.2)
            handler.send(bytes([byte]))


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    "fault", [f.Drip(b"x" * 100, 5), DripHead(), f.StallInBody(), f.Answer(delay=30)]
)
def test_slow_answer_keeps_to_the_deadline(api, certificates, fault, tls):
    with api.serving(f.FaultServer(tls=certificates.server_context() if tls else None)) as server:
        server.next(fault)
        transport = api.transport(server.url, verify=certificates.ca_file)
        error, seconds = failure_of(api, transport, post(), 0.7)

    assert type(error) is OutcomeUnknownError
    assert 0.6 < seconds < 1.5


OVERSIZED = [
    f.Answer(body=b"x" * 1001),
    f.EndlessBody(1 << 24),
    f.Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\nx"),
    f.Raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000),
    f.many_headers(),
    f.many_headers(101),
    f.huge_header(),
    f.huge_header(17 * 1024),
    f.EndlessHeaders(1 << 22),
]


@pytest.mark.parametrize("number", range(len(OVERSIZED)))
def test_oversized_answer_is_refused_and_its_connection_dropped(api, faults, number):
    faults.next(OVERSIZED[number], times=3)
    transport = api.transport(faults.url, SMALL, pool_size=1, pool_timeout=1.0)

    errors = [type(failure_of(api, transport, post())[0]) for _ in range(3)]

    assert errors == [UnsafeResponseError] * 3
    assert plain(api.run(transport.send(get()))) == (200, b"{}")


def test_as_many_headers_as_are_allowed(api, faults):
    faults.next(f.many_headers(90))

    response = api.run(api.transport(faults.url).send(get()))

    assert len(response.headers) == 92


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_gzip_is_unpacked(api, faults, name):
    faults.next(f.Answer(200, gzip.compress(b"hello" * 50), (("Content-Encoding", name),)))

    response = api.run(SafetyLayer(api.transport(faults.url), Limits()).send(get()))

    assert response.body == b"hello" * 50


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (f.GzipBomb(1 << 24), UnsafeResponseError),
        (f.BadGzip(), MalformedResponseError),
        (f.Answer(200, b"no gzip", (("Content-Encoding", "gzip"),)), MalformedResponseError),
        (f.Answer(200, b"x", (("Content-Encoding", "br"),)), MalformedResponseError),
        (
            f.Answer(200, gzip.compress(b"{}") + b"more", (("Content-Encoding", "gzip"),)),
            MalformedResponseError,
        ),
    ],
)
def test_compression_that_harms(api, faults, fault, kind):
    faults.next(fault)
    layer = SafetyLayer(api.transport(faults.url), Limits())

    error, _ = failure_of(api, layer, get())

    assert type(error) is kind


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirects_are_not_followed(api, faults, status):
    with f.FaultServer() as elsewhere:
        faults.next(f.redirect(f"{elsewhere.url}/x", status))
        layer = SafetyLayer(api.transport(faults.url), Limits())

        error, _ = failure_of(api, layer, post(headers={"Authorization": "secret"}))

    assert type(error) is UnsafeResponseError
    assert elsewhere.url.removeprefix("http://") in str(error)
    assert elsewhere.connections == 1  # only that of the end of the block


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 429, 500, 502, 503, 504])
def test_errors_of_the_provider_are_answers(api, faults, status):
    faults.next(f.server_error_page(status))

    response = api.run(SafetyLayer(api.transport(faults.url), Limits()).send(get()))

    assert response.status == status
    assert response.body.startswith(b"<html>")


def test_cookies_are_not_kept(api, faults):
    faults.next(f.Answer(headers=(("Set-Cookie", "a=b"),)))
    transport = api.transport(faults.url)

    api.run(transport.send(get()))
    api.run(transport.send(get()))

    assert ["cookie" in r.headers for r in faults.requests] == [False, False]


class CloseWhenIdle(f.Action):
    """A good answer; then the connection is closed although it said that it is kept."""

    def play(self, handler):
        handler.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        handler.close_connection = True


@pytest.mark.parametrize("idle", [0.1, 1.2])
def test_connection_closed_while_idle_is_not_used(api, faults, idle):
    """Even if the event loop, busy or not running, could not see it being closed."""
    faults.next(CloseWhenIdle())
    transport = api.transport(faults.url)

    api.run(transport.send(post()))
    if idle > 1:
        time.sleep(idle)
    else:
        api.run(api.runtime_class().sleep(idle))
    response = api.run(transport.send(post()))

    assert plain(response) == (200, b"{}")
    assert len(faults.requests) == 2


def test_pool_timeout(api, faults):
    faults.next(f.Answer(delay=1.0))
    transport = api.transport(faults.url, pool_size=1, pool_timeout=0.2, connect_timeout=0.1)

    outcomes = api.together(lambda: transport.send(post()), lambda: transport.send(post()))

    kinds = sorted(type(one).__name__ for one in outcomes)
    assert kinds == ["ConnectionFailedError", "Response"]
    assert len(faults.requests) == 1


def test_waiting_for_a_connection_keeps_to_the_deadline(api, faults):
    faults.next(f.Answer(delay=1.0))
    transport = api.transport(faults.url, pool_size=1)

    async def late():
        with deadline(0.3):
            return await transport.send(post())

    outcomes = api.together(lambda: transport.send(post()), late)

    kinds = sorted(type(one).__name__ for one in outcomes)
    assert kinds == ["DeadlineExceededError", "Response"]
    assert len(faults.requests) == 1


def test_pool_is_shared_and_bounded(api, faults):
    faults.otherwise = f.Answer(delay=0.02)
    transport = api.transport(faults.url, pool_size=4)

    outcomes = api.together(*[lambda: transport.send(get())] * 40)

    assert [plain(one) for one in outcomes] == [(200, b"{}")] * 40
    assert faults.connections <= 4


STREAM_FAULTS = [
    f.ResetInBody(b"x" * 1000),
    f.TruncatedBody(b"x" * 1000),
    f.ShortChunkedBody(b"x" * 1000),
    f.StallInBody(b"x" * 1000),
]


async def read_all(transport, size=100):
    response = await transport.send(get(stream=True))
    pieces = []
    try:
        while piece := await response.stream.read(size):
            assert len(piece) <= size
            pieces.append(piece)
    finally:
        await response.stream.close()
    return b"".join(pieces)


def test_stream_is_read_piece_by_piece_and_its_connection_kept(api, faults):
    body = os.urandom(300_000)
    faults.otherwise = f.Answer(body=body)
    transport = api.transport(faults.url, SMALL, pool_size=1)

    assert [api.run(read_all(transport, 7_000)) for _ in range(3)] == [body] * 3
    assert faults.connections == 1


@pytest.mark.parametrize("fault", STREAM_FAULTS, ids=lambda one: type(one).__name__)
def test_stream_that_breaks(api, faults, fault):
    faults.next(fault, times=3)
    transport = api.transport(faults.url, read_timeout=0.5, pool_size=1, pool_timeout=1.0)

    for _ in range(3):
        with pytest.raises(ConnectionFailedError):
            api.run(read_all(transport))

    assert plain(api.run(transport.send(get()))) == (200, b"{}")


def test_stream_keeps_to_the_deadline_under_which_it_was_opened(api, faults):
    faults.next(f.Drip(b"x" * 100, 5))
    start = time.monotonic()

    with deadline(0.7), pytest.raises(DeadlineExceededError):
        api.run(read_all(api.transport(faults.url)))

    assert time.monotonic() - start < 1.5


def test_stream_given_up_half_way_drops_its_connection(api, faults):
    faults.otherwise = f.Answer(body=b"x" * 1_000_000)
    transport = api.transport(faults.url, pool_size=1, pool_timeout=1.0)

    async def first_piece():
        response = await transport.send(get(stream=True))
        piece = await response.stream.read(10)
        await response.stream.close()
        return piece

    assert [api.run(first_piece()) for _ in range(3)] == [b"x" * 10] * 3


def test_error_of_a_streamed_request_has_its_body(api, faults):
    faults.next(f.server_error_page(503))

    response = api.run(api.transport(faults.url).send(get(stream=True)))

    assert (response.status, response.stream) == (503, None)
    assert response.body.startswith(b"<html>")


def pieces_of(body, size=100_000):
    return Body(
        lambda: iter([body[at : at + size] for at in range(0, len(body), size)]), len(body), True
    )


UPLOAD = os.urandom(1_000_000)


@pytest.mark.parametrize("known", [True, False], ids=["length", "chunked"])
def test_body_in_pieces(api, faults, known):
    body = pieces_of(UPLOAD)
    if not known:
        body = Body(body.open)

    api.run(api.transport(faults.url).send(post(body=body)))

    request = faults.requests[0]
    assert request.body == UPLOAD
    assert request.headers.get("content-length") == (str(len(UPLOAD)) if known else None)
    assert request.headers.get("transfer-encoding") == (None if known else "chunked")


def test_large_bytes(api, faults):
    api.run(api.transport(faults.url).send(post(body=UPLOAD)))

    assert (faults.requests[0].body, faults.requests[0].headers["content-length"]) == (
        UPLOAD,
        str(len(UPLOAD)),
    )


def test_empty_pieces_end_nothing(api, faults):
    body = Body(lambda: iter([b"a", b"", b"b"]))

    api.run(api.transport(faults.url).send(post(body=body)))

    assert faults.requests[0].body == b"ab"


def test_async_iterator_as_body_in_the_asyncio_api(faults):
    from tests.transport.runners import AsyncioRunner

    async def pieces():
        yield b"a"
        yield b"b"

    runner = AsyncioRunner()
    runner.run(runner.transport(faults.url).send(post(body=Body(pieces))))
    runner.close()

    assert faults.requests[0].body == b"ab"


@pytest.mark.parametrize(("length", "how"), [(5, "fewer"), (2, "more")])
def test_body_of_another_length_than_promised(api, faults, length, how):
    faults.otherwise = f.Answer()
    transport = api.transport(faults.url, pool_size=1, pool_timeout=1.0)

    error, _ = failure_of(api, transport, post(body=Body(lambda: iter([b"abc"]), length)))

    assert type(error) is InvalidRequestError
    assert f"{how} than the {length} bytes" in str(error)
    assert plain(api.run(transport.send(get()))) == (200, b"{}")
    assert [r.method for r in faults.requests if r.method != "POST"] == ["GET"]


@pytest.mark.parametrize("raised", [OSError("disk"), KeyError("k"), ConnectionFailedError("line")])
def test_source_of_a_body_that_fails_is_no_broken_line(api, faults, raised):
    def pieces():
        yield b"abc"
        raise raised

    error, _ = failure_of(api, api.transport(faults.url), post(body=Body(pieces, 10)))

    assert type(error) is InvalidRequestError
    assert error.__cause__ is raised


class Deaf(f.Action):
    """Reads nothing of the body for a long time."""

    on_connect = True

    def play(self, handler):
        handler.pause(30)


@pytest.mark.parametrize("body", [b"x" * 50_000_000, pieces_of(b"x" * 50_000_000, 1 << 18)])
@pytest.mark.parametrize("seconds", [None, 0.7])
def test_server_that_does_not_read_the_body(api, faults, body, seconds):
    faults.next(Deaf())
    read_timeout = 0.7 if seconds is None else 5.0

    error, took = failure_of(
        api, api.transport(faults.url, read_timeout=read_timeout), post(body=body), seconds
    )

    assert type(error) is OutcomeUnknownError
    assert 0.6 < took < 3


def test_answer_before_the_end_of_the_body(api, faults):
    """As S3 does for a bucket that does not exist; the answer counts, not the broken pipe."""

    class Early(f.Action):
        on_connect = True

        def play(self, handler):
            handler.rfile.readline()
            handler.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
            handler.pause(0.3)
            raise f.ConnectionOverError("early")

    faults.next(Early())
    response = api.run(api.transport(faults.url).send(post(body=pieces_of(b"x" * 2_000_000))))

    assert plain(response) == (404, b"{}")


def test_closed_transport(api, faults):
    transport = api.transport(faults.url)
    api.run(transport.send(get()))
    api.run(transport.close())

    error, _ = failure_of(api, transport, get())

    assert (type(error), str(error)) == (
        InvalidRequestError,
        "this driver is closed; make a new one",
    )


# Through a proxy


def test_plain_http_through_a_proxy(api, faults, proxy):
    transport = api.transport(faults.url, proxy=proxy.url)

    response = api.run(transport.send(get("/a/../b%2F", params=[("q", "1")])))

    assert plain(response) == (200, b"{}")
    assert proxy.passed[0].target == f"{faults.url}/a/../b%2F?q=1"


def test_https_through_a_tunnel(api, proxy, certificates):
    with api.serving(f.FaultServer(tls=certificates.server_context())) as server:
        transport = api.transport(server.url, proxy=proxy.url, verify=certificates.ca_file)
        response = api.run(transport.send(post("/a")))

    assert plain(response) == (200, b"{}")
    assert [r.method for r in proxy.passed] == ["CONNECT"]


def test_lost_answer_through_a_tunnel_is_unknown(api, proxy, certificates):
    with api.serving(f.FaultServer(tls=certificates.server_context())) as server:
        server.next(f.ResetAfterRequest())
        transport = api.transport(server.url, proxy=proxy.url, verify=certificates.ca_file)
        error, _ = failure_of(api, transport, post("/a"))

    assert type(error) is OutcomeUnknownError


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_proxy_credentials_go_to_the_proxy_only(api, certificates, tls):
    with (
        api.serving(RecordingProxy(credentials=("us:er", "pa@ss"))) as proxy,
        api.serving(f.FaultServer(tls=certificates.server_context() if tls else None)) as server,
    ):
        url = proxy.url.replace("//", "//us%3Aer:pa%40ss@")
        transport = api.transport(server.url, proxy=url, verify=certificates.ca_file)
        response = api.run(transport.send(get()))

    assert plain(response) == (200, b"{}")
    assert proxy.admits(proxy.passed[0])
    assert ["proxy-authorization" in r.headers for r in server.requests] == [False]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_proxy_wants_credentials(api, certificates, tls):
    with (
        api.serving(RecordingProxy(credentials=("user", "right"))) as proxy,
        api.serving(f.FaultServer(tls=certificates.server_context() if tls else None)) as server,
    ):
        url = proxy.url.replace("//", "//user:wrongpassword@")
        transport = api.transport(server.url, proxy=url, verify=certificates.ca_file)
        error, _ = failure_of(api, SafetyLayer(transport, Limits()), post())

    assert type(error) is ConnectionFailedError
    assert "407" in str(error)
    assert "wrongpassword" not in str(error)
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_refused_proxy(api, scheme):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    transport = api.transport(f"{scheme}://api.example.com", proxy=f"http://127.0.0.1:{port}")

    error, _ = failure_of(api, transport, post())

    assert type(error) is ConnectionFailedError


def test_deadline_while_a_proxy_is_silent(api):
    with silent_listener(5) as port:
        transport = api.transport("https://api.example.com", proxy=f"http://127.0.0.1:{port}")
        error, seconds = failure_of(api, transport, post(), 0.5)

    assert type(error) is DeadlineExceededError
    assert seconds < 1.5
