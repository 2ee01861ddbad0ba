"""Tokens: when they are fetched, when they are renewed, what refusals mean."""

from __future__ import annotations

import threading

import pytest

from anysky.errors import AuthenticationError, MalformedResponseError, ProviderUnavailableError
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.base import Request, Response
from anysky.wire.oauth2 import OAuthSigner, Token, TokenCache, ask, read_token, token_request

CANARY = "canary-token-7e1f"


class Clock(BlockingRuntime):
    """Clocks that stand still until they are set."""

    def __init__(self):
        self.monotonic, self.wall = 1000.0, 5_000_000.0

    def now(self):
        return self.monotonic

    def time(self):
        return self.wall

    def pass_by(self, seconds):
        self.monotonic += seconds
        self.wall += seconds


class Issuer:
    """Gives numbered tokens that are good for an hour, unless it is told to fail."""

    def __init__(self, lifetime=3600.0):
        self.count = 0
        self.lifetime = lifetime
        self.failure = None

    async def __call__(self):
        if self.failure is not None:
            raise self.failure
        self.count += 1
        return Token(Secret(f"{CANARY}-{self.count}"), self.lifetime)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer():
    return Issuer()


@pytest.fixture
def tokens(clock, issuer):
    return TokenCache(issuer, clock)


def shown(tokens):
    return run(tokens.get()).reveal()


def test_a_token_is_used_until_five_minutes_before_its_end(clock, tokens):
    assert shown(tokens) == f"{CANARY}-1"
    clock.pass_by(3299)
    assert shown(tokens) == f"{CANARY}-1"
    clock.pass_by(2)
    assert shown(tokens) == f"{CANARY}-2"


@pytest.mark.parametrize("which", ["monotonic", "wall"])
def test_either_clock_ends_a_token(clock, tokens, which):
    shown(tokens)
    setattr(clock, which, getattr(clock, which) + 4000)

    assert shown(tokens) == f"{CANARY}-2"


def test_a_failed_renewal_leaves_the_token_in_use_until_its_last_minute(clock, tokens, issuer):
    shown(tokens)
    issuer.failure = ProviderUnavailableError("down")
    clock.pass_by(3400)

    assert shown(tokens) == f"{CANARY}-1"
    clock.pass_by(150)
    with pytest.raises(ProviderUnavailableError, match="down"):
        shown(tokens)


def test_a_refused_token_is_replaced_once(tokens):
    first = shown(tokens)
    tokens.discard(first)
    second = shown(tokens)
    tokens.discard(first)  # by another thread, later

    assert (second, shown(tokens)) == (f"{CANARY}-2", f"{CANARY}-2")


def test_threads_wait_for_one_token(clock):
    gate = threading.Event()

    class Slow(Issuer):
        async def __call__(self):
            gate.wait(5)
            return await super().__call__()

    issuer = Slow()
    tokens, found = TokenCache(issuer, clock), []
    threads = [threading.Thread(target=lambda: found.append(shown(tokens))) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()

    assert (found, issuer.count) == ([f"{CANARY}-1"] * 8, 1)


def test_the_signer_sends_the_token_and_gets_another_after_401(tokens):
    signer = OAuthSigner(tokens)
    request = Request("GET", "/b", headers={"Accept": "*/*"})

    signed = run(signer.sign(request, "https://storage.googleapis.com"))

    assert signed.headers == {"Accept": "*/*", "Authorization": f"Bearer {CANARY}-1"}
    assert request.headers == {"Accept": "*/*"}
    assert run(signer.refused(signed, Response(403, {}))) is False
    assert run(signer.refused(signed, Response(401, {}))) is True
    again = run(signer.sign(request, "https://storage.googleapis.com"))
    assert again.headers["Authorization"] == f"Bearer {CANARY}-2"
    assert signer.secrets() == [f"{CANARY}-2"]
    assert CANARY not in repr((signed, again, signer.tokens.last))


def test_a_request_for_a_token_is_a_form_that_may_be_sent_twice():
    request = token_request("https://login.example.com/a/token?x=1", {"grant_type": "a b&c"})

    assert (request.method, request.endpoint) == ("POST", "https://login.example.com")
    assert (request.target, request.body) == ("/a/token?x=1", b"grant_type=a+b%26c")
    assert request.repeatable is True


class Answering:
    def __init__(self, response):
        self.response = response

    async def send(self, request):
        return self.response

    async def close(self):
        pass


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, b'{"error": "invalid_grant"}', AuthenticationError, "gives no token: invalid_grant"),
        (
            401,
            b'{"error": "invalid_client", "error_description": "Unknown client"}',
            AuthenticationError,
            "gives no token: Unknown client",
        ),
        (403, b"<html>", AuthenticationError, "gives no token: status 403"),
        (503, b"", ProviderUnavailableError, "gives no token: status 503"),
    ],
)
def test_a_refusal_says_why(status, body, kind, text):
    response = Response(status, {"content-type": "application/json"}, body)

    with pytest.raises(kind, match=text):
        run(ask(Answering(response), token_request("https://x.example/t", {}), "the server"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"access_token": 7}',
        b'{"access_token": ""}',
        b'{"access_token": "a\\r\\nb"}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "' + b"[" * 100_000,
    ],
)
def test_an_answer_without_a_good_token_is_not_shown(body):
    with pytest.raises(MalformedResponseError) as caught:
        read_token(Response(200, {}, body), "the server")

    assert str(caught.value) == "the server answers without an access token"
    assert caught.value.body == b""


@pytest.mark.parametrize(
    ("given", "lifetime"), [(b"1800", 1800.0), (b'"1800"', 1800.0), (b"17.5", 17.5)]
)
def test_lifetimes_come_as_numbers_or_text(given, lifetime):
    body = b'{"access_token": "abc", "expires_in": ' + given + b"}"

    token = read_token(Response(200, {}, body), "the server")

    assert (token.value.reveal(), token.lifetime) == ("abc", lifetime)
