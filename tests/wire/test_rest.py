"""An API of JSON: requests, answers and refusals of any provider."""

from collections import deque

import msgspec
import pytest

from anysky.errors import (
    InvalidRequestError,
    KeyPairDoesNotExistError,
    MalformedResponseError,
    NotFoundError,
    ProviderUnavailableError,
    UnsafeResponseError,
)
from anysky.model.compute import NodeImage
from anysky.run import run
from anysky.transport.base import Request, Response
from anysky.wire.rest import Refusal, RestAPI, extra_of, segment


class Thing(msgspec.Struct):
    name: str


class Why(msgspec.Struct):
    why: str


class Example(RestAPI):
    """An API whose refusals are ``{"why": …}``."""

    title = "Example"
    base = "/v1"

    def refusal(self, response):
        return Refusal(msgspec.json.decode(response.body, type=Why).why, code="E1")


class Script:
    """Records requests and gives answers in order."""

    def __init__(self, *answers: Response) -> None:
        self.answers = deque(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.popleft()

    async def close(self) -> None:
        """Nothing to close."""


def api_for(status: int, body: bytes, attempts: int = 1) -> tuple[Example, Script]:
    script = Script(Response(status, {}, body, attempts=attempts))
    return Example(script, "https://api.example"), script


def test_call_sends_json_and_decodes_the_answer():
    api, script = api_for(200, b'{"name": "a", "more": 1}')

    thing = run(api.call("POST", "/things", Thing, params=[("x", "1")], json={"name": "a"}))

    assert thing == Thing("a")
    (sent,) = script.requests
    assert (sent.method, sent.target, sent.body) == ("POST", "/v1/things?x=1", b'{"name":"a"}')
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.send_class.name == "ONCE"


def test_follow_fetches_a_link_of_the_api():
    api, script = api_for(200, b'{"name": "b"}')

    assert run(api.follow("https://api.example/v1/things?page=2", Thing)) == Thing("b")
    assert [one.target for one in script.requests] == ["/v1/things?page=2"]


def test_follow_refuses_a_link_to_another_host():
    api, script = api_for(200, b"{}")

    with pytest.raises(UnsafeResponseError):
        run(api.follow("https://other.example/v1/things", Thing))

    assert script.requests == []


def test_a_refusal_is_read():
    api, _ = api_for(400, b'{"why": "too large"}')

    with pytest.raises(InvalidRequestError) as caught:
        run(api.send("POST", "/things"))

    assert (caught.value.message, caught.value.code) == ("too large", "E1")


def test_a_call_narrows_a_kind_of_error():
    api, _ = api_for(404, b'{"why": "no such key"}')

    with pytest.raises(KeyPairDoesNotExistError):
        run(api.call("GET", "/keys/1", Thing, kinds={NotFoundError: KeyPairDoesNotExistError}))


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"reason": "x"}', b"\xff", b"[]"])
def test_a_refusal_that_cannot_be_read_means_what_its_status_means(body):
    api, _ = api_for(503, body)

    with pytest.raises(ProviderUnavailableError, match="status 503"):
        run(api.send("GET", "/things"))


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"name": 1}', b'{"name"', b'{"name": "\xff"}'])
def test_an_answer_that_is_not_as_promised(body):
    api, _ = api_for(200, body)

    with pytest.raises(MalformedResponseError, match="Example's answer is not as its reference"):
        run(api.call("GET", "/things", Thing))


def test_deleting_what_an_earlier_try_deleted_is_done():
    api, _ = api_for(404, b'{"why": "gone"}', attempts=2)

    assert run(api.send("DELETE", "/things/1")).status == 404


def test_deleting_what_was_never_there_is_an_error():
    api, _ = api_for(404, b'{"why": "gone"}')

    with pytest.raises(NotFoundError):
        run(api.send("DELETE", "/things/1"))


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_would_name_something_else_is_refused(id):
    with pytest.raises(InvalidRequestError, match="nothing with the id"):
        segment(id)


def test_an_id_stays_within_its_segment():
    assert segment("../a?b=c#d e:f") == "..%2Fa%3Fb%3Dc%23d%20e%3Af"
    assert segment("3b:16", safe=":") == "3b:16"


def test_extra_is_decoded_when_it_is_read():
    image = NodeImage("1", None, extra_of(msgspec.Raw(b'{"a": 1}')))

    assert image.extra == {"a": 1}
    assert image.extra is image.extra
