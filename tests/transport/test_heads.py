"""Heads of HTTP messages: what is one, and what is refused."""

import http.client
import io

import pytest

from anysky.errors import OutcomeUnknownError, UnsafeResponseError
from anysky.transport.heads import BadHead, Framing, framing, head_of_request, read_fields
from tests.support import faults as f
from tests.transport.runners import BlockingRunner, get, plain, post


def fields_of(head):
    return read_fields(io.BytesIO(head))


# -- what is sent ----------------------------------------------------------------------------------


def test_head_of_a_request():
    head = head_of_request("PUT", "/a%20b?x=1", {"Host": "h", "Content-Length": "3"})

    assert head == b"PUT /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/a b"),
        ("GET", "/a\r\nX: y"),
        ("GET", "/a\n"),
        ("GET", "/\0"),
        ("GET", "/ä"),
        ("GET /x", "/"),
        ("GET\r\nX:", "/"),
        ("", "/"),
    ],
)
def test_request_line_that_breaks_out_is_refused(method, target):
    with pytest.raises(http.client.InvalidURL):
        head_of_request(method, target, {})


# -- header fields that come -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (b"\r\n", []),
        (b"A: b\r\n\r\n", [("a", "b")]),
        (b"A:b\nC:\t d \t\n\n", [("a", "b"), ("c", "d")]),
        (b'Etag: "a:b"\r\nA:\r\nA: 2\r\n\r\n', [("etag", '"a:b"'), ("a", ""), ("a", "2")]),
        (b"A: one\r\n  two\r\n\tthree\r\nB: 1\r\n\r\n", [("a", "one two three"), ("b", "1")]),
        (b"A:\r\n x\r\n\r\n", [("a", "x")]),
        (b"A: gr\xfc\xdfe\r\n\r\n", [("a", "gr\u00fc\u00dfe")]),
        (b"A: b\r\n\r\nbody", [("a", "b")]),
    ],
)
def test_fields(head, fields):
    assert fields_of(head) == fields


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"A: b\r\n",
        b"A: b",
        b"A\r\n\r\n",
        b": b\r\n\r\n",
        b"A : b\r\n\r\n",
        b"A B: c\r\n\r\n",
        b" A: b\r\n\r\n",
        b"A\xfc: b\r\n\r\n",
        b"A: b\0c\r\n\r\n",
        b"A: b\rc\r\n\r\n",
        b"A: b\x0bc\r\n\r\n",
        b"A: b\x7f\r\n\r\n",
        b"A: b\r\r\n\r\n",
    ],
)
def test_what_is_no_field_is_refused(head):
    with pytest.raises(BadHead):
        fields_of(head)


def test_unicode_line_ends_end_no_line():
    """Byte 0x85 is a line end for `str.splitlines`, and none for HTTP."""
    assert fields_of(b"A: b\x85C: d\r\n\r\n") == [("a", "b\x85C: d")]


@pytest.mark.parametrize("count", [100, 101])
def test_count_of_fields_is_capped(count):
    head = b"A: b\r\n" * count + b"\r\n"

    if count == 100:
        assert len(fields_of(head)) == 100
    else:
        with pytest.raises(http.client.HTTPException, match="more than 100"):
            fields_of(head)


def test_length_of_a_field_is_capped():
    with pytest.raises(http.client.LineTooLong):
        fields_of(b"A: " + b"b" * 65536 + b"\r\n\r\n")


# -- where the body ends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (200, {"content-length": "5"}, Framing(False, 5, False)),
        (200, {"content-length": "5, 5"}, Framing(False, 5, False)),
        (200, {"content-length": "5", "connection": "Close"}, Framing(False, 5, True)),
        (200, {}, Framing(False, None, True)),
        (200, {"transfer-encoding": "Chunked"}, Framing(True, None, False)),
        (200, {"transfer-encoding": "identity", "content-length": "1"}, Framing(False, 1, False)),
        (200, {"transfer-encoding": "chunked", "content-length": "5"}, Framing(True, None, True)),
        (204, {"transfer-encoding": "chunked"}, Framing(False, 0, False)),
        (304, {"content-length": "5"}, Framing(False, 0, False)),
    ],
)
def test_framing(status, fields, expected):
    assert framing("GET", 11, status, list(fields.items())) == expected


def test_answer_to_head_has_no_body():
    assert framing("HEAD", 11, 200, [("content-length", "5")]) == Framing(False, 0, False)


@pytest.mark.parametrize(
    ("connection", "will_close"), [("", True), ("keep-alive", False), ("keep-alive, close", True)]
)
def test_http_1_0_closes_unless_it_says_otherwise(connection, will_close):
    found = framing("GET", 10, 200, [("content-length", "5"), ("connection", connection)])

    assert found == Framing(False, 5, will_close)


@pytest.mark.parametrize(
    "fields",
    [
        [("content-length", "5"), ("content-length", "6")],
        [("content-length", "5, 6")],
        [("content-length", "-5")],
        [("content-length", "+5")],
        [("content-length", "5_0")],
        [("content-length", "0x5")],
        [("content-length", "\u0665")],
        [("content-length", "")],
        [("content-length", "9" * 19)],
        [("transfer-encoding", "gzip, chunked")],
        [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "xchunked")],
    ],
)
def test_framing_that_can_be_read_in_two_ways_is_refused(fields):
    with pytest.raises(BadHead):
        framing("GET", 11, 200, fields)


# -- on a connection -------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def blocking(faults):
    runner = BlockingRunner()
    yield runner
    runner.close()


def answered(blocking, faults, raw, request=None):
    faults.next(f.Raw(raw))
    return blocking.run(blocking.transport(faults.url).send(request or get()))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
    ],
)
def test_answers_that_are_read(blocking, faults, raw):
    assert plain(answered(blocking, faults, raw)) == (200, b"hello")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    ],
)
def test_answers_that_are_refused(blocking, faults, raw):
    with pytest.raises(OutcomeUnknownError):
        answered(blocking, faults, raw, post())


def test_long_status_line_is_refused(blocking, faults):
    with pytest.raises(UnsafeResponseError):
        answered(blocking, faults, b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n", post())


def test_connection_is_kept_after_each_way_to_end_a_body(blocking, faults):
    transport = blocking.transport(faults.url)
    for answer in (f.Answer(200, b"hello"), f.Answer(204), f.Answer(200, b"")):
        faults.next(answer)
        blocking.run(transport.send(get()))
    blocking.run(transport.send(get("/", headers={})))

    assert faults.connections == 1
