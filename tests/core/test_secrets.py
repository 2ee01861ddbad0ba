"""Nothing that anysky shows holds a secret: a canary in every credential looks for it."""

import base64
import copy
import dataclasses
import json
import logging
import pickle
import socket
import traceback
import urllib.parse

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import anysky
from anysky.errors import CloudError
from anysky.secret import HiddenMapping, Secret, allow_secrets, hide
from tests.core.echo import EchoAccount
from tests.support import faults as f
from tests.support.proxy import RecordingProxy

TOKEN = "canary-tok€n/+=? one".replace("€", "E")
PASSWORD = "canary-passw0rd/&%two"
PROXY_PASSWORD = "canary-proxy-three"
CANARIES = (TOKEN, PASSWORD, PROXY_PASSWORD)


def forms(secret):
    """How a secret may look in text."""
    raw = secret.encode()
    yield from (secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret))
    yield json.dumps(secret)[1:-1]
    for offset in range(3):
        text = base64.b64encode(b" " * offset + raw).decode()
        yield text[4 if offset else 0 : -4]


def hits(text):
    return [form for secret in CANARIES for form in forms(secret) if form in text]


def shown(error):
    """Everything that a program or a crash reporter may show of an error."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    # This module's own frames hold the canaries.
    for one in _chain(error):
        frames = traceback.TracebackException(
            type(one), one, one.__traceback__, capture_locals=True, lookup_lines=False
        )
        for frame in frames.stack:
            if frame.filename != __file__:
                yield f"{frame.filename}:{frame.name} {frame.locals}"
        yield repr(one) + str(one)
    if isinstance(error, CloudError):
        yield pickle.dumps(error).decode("latin-1")
        yield repr(vars(pickle.loads(pickle.dumps(error))))


def _chain(error):
    seen = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return seen


@pytest.fixture
def driver(api, request):
    def make(url, proxy="", **settings):
        driver = api.driver_class(
            TOKEN, endpoint=url, password=PASSWORD, proxy_url=proxy, **settings
        )
        api.drivers.append(driver)
        return driver

    return make


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "aiohttp", "asyncio", "anysky"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


ECHOING = f.Answer(
    403,
    b"no: " + b" ".join(form.encode() for form in [*forms(TOKEN), *forms(PASSWORD)]),
    (("Content-Type", "text/plain"), ("X-Echo", TOKEN)),
)
BROKEN = [
    ECHOING,
    f.Answer(200, b"x", (("Content-Encoding", "br"),)),
    f.Answer(429, b"", (("Retry-After", "99999"),)),
    f.redirect("https://elsewhere.example.com/"),
    f.ResetAfterRequest(),
    f.ResetInHeaders(),
    f.ResetInBody(),
    f.TruncatedBody(),
    f.Raw(b"nonsense\r\n\r\n"),
    f.Answer(delay=5),
    f.huge_header(),
    f.many_headers(),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_no_error_shows_a_secret(api, faults, driver, log, number):
    faults.otherwise = BROKEN[number]
    made = driver(faults.url, timeout=0.2, deadline=5, retry=anysky.RetryPolicy(attempts=1))

    for method in ("GET", "POST"):
        with pytest.raises(CloudError) as caught:
            api.run(made.ex_echo, "x", method)
        assert [hits(text) for text in shown(caught.value) if hits(text)] == []

    assert hits(log.text) == []
    assert "anysky.http" in {record.name for record in log.records}


def test_no_error_of_a_connection_shows_a_secret(api, driver, log):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [
        (f"http://127.0.0.1:{port}", ""),
        (f"https://127.0.0.1:{port}", ""),
        ("http://no-such-host.invalid", ""),
        ("http://api.example.com", f"http://user:{PROXY_PASSWORD}@127.0.0.1:{port}"),
        ("https://api.example.com", f"http://user:{PROXY_PASSWORD}@127.0.0.1:{port}"),
        ("https://api.example.com", f"socks5://user:{PROXY_PASSWORD}@127.0.0.1:{port}"),
    ]

    for url, proxy in places:
        made = driver(url, proxy, retry=anysky.RetryPolicy(attempts=1))
        with pytest.raises(CloudError) as caught:
            api.run(made.ex_echo, "x")
        assert [hits(text) for text in shown(caught.value) if hits(text)] == []
    assert hits(log.text) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_refuses_shows_no_secret(api, driver, log, scheme):
    with RecordingProxy(credentials=("user", "another")) as proxy:
        url = proxy.url.replace("//", f"//user:{PROXY_PASSWORD}@")
        made = driver(f"{scheme}://api.example.com", url, retry=anysky.RetryPolicy(attempts=1))
        with pytest.raises(CloudError) as caught:
            api.run(made.ex_echo, "x")
        while api.drivers:
            api.run(api.drivers.pop().close)
    assert [hits(text) for text in shown(caught.value) if hits(text)] == []
    assert hits(log.text) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"tokn": TOKEN},
        {"strict": "perhaps"},
        {"endpoint": "ftp://api.example.com"},
        {"port": 80},
        {"project": "first"},
    ],
)
def test_wrong_account_shows_no_secret(api, monkeypatch, settings):
    monkeypatch.setenv("ECHO_TOKEN", TOKEN)
    with pytest.raises(anysky.InvalidAccountError) as caught:
        api.driver_class(
            TOKEN, proxy_url=f"http://u:{PROXY_PASSWORD}@h", password=PASSWORD, **settings
        )
    assert [hits(text) for text in shown(caught.value)] == [[]] * len(list(shown(caught.value)))


def test_endpoint_with_a_password_is_refused_without_it(api):
    with pytest.raises(anysky.InvalidAccountError, match="no user, password") as caught:
        api.driver_class(TOKEN, endpoint=f"https://user:{PROXY_PASSWORD}@api.example.com")

    assert hits(str(caught.value)) == []


def test_driver_and_account_show_no_secret(api, driver):
    made = driver("https://api.example.com", f"http://u:{PROXY_PASSWORD}@h")

    texts = [repr(made), str(made), repr(made.account), repr(vars(made)), str(made.account)]
    texts += [
        repr(dataclasses.asdict(made.account)),
        f"{made.account.token}",
        repr(vars(made._backend)),
    ]

    assert [hits(text) for text in texts] == [[]] * len(texts)
    for thing in (made, made.account, made.account.token):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_hooks_see_no_credentials(api, faults, driver):
    seen = []
    hooks = anysky.Hooks(
        request=lambda request: seen.append((request.method, dict(request.headers))),
        response=lambda request, answer, seconds: seen.append((answer.status, seconds >= 0)),
    )
    faults.next(f.server_error_page(503))

    api.run(driver(faults.url, hooks=hooks).ex_echo, "x")

    assert seen == [("GET", {}), (503, True), ("GET", {}), (200, True)]
    assert faults.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def test_spans_of_the_call_and_of_each_try(api, faults, driver, spans):
    spans.clear()
    faults.next(f.server_error_page(503))
    faults.next(f.ResetAfterRequest())

    api.run(driver(faults.url).ex_echo, "x")

    told = [
        (one.name, one.attributes.get("http.response.status_code"))
        for one in spans.get_finished_spans()
    ]
    assert told == [("GET echo", 503), ("GET echo", None), ("GET echo", 200), ("anysky echo", None)]
    whole = spans.get_finished_spans()[-1]
    assert {one.parent.span_id for one in spans.get_finished_spans()[:-1]} == {
        whole.context.span_id
    }


def test_list_is_one_span(api, faults, driver, spans):
    spans.clear()
    api.run(driver(faults.url).list_key_pairs)

    assert [one.name for one in spans.get_finished_spans()][-1] == "anysky list_key_pairs"
    assert len([one for one in spans.get_finished_spans() if one.parent is None]) == 1


def test_spans_show_no_secret(api, faults, driver, spans):
    spans.clear()
    faults.otherwise = ECHOING
    with pytest.raises(CloudError):
        api.run(driver(faults.url).ex_echo, "x")

    text = "".join(one.to_json() for one in spans.get_finished_spans())
    assert "exception.message" in text
    assert hits(text) == []


def test_log_shows_only_what_is_harmless(api, faults, driver, log):
    faults.next(f.Answer(200, b"{}", (("Content-Type", "text/x"), ("X-Thing", "hidden-value"))))

    api.run(driver(faults.url).ex_echo, "x")

    line = next(r.getMessage() for r in log.records if r.name == "anysky.http")
    assert line.startswith(
        f"GET 127.0.0.1:{faults.port}/x?q=*** -> 200 {{'content-type': 'text/x', 'x-thing': '***'"
    )
    assert "hidden-value" not in log.text


# The type itself


def test_secret_is_never_printed():
    secret = Secret(TOKEN)

    assert [str(secret), repr(secret), f"{secret}", format(secret), f"{[secret]}"] == [
        "***", "***", "***", "***", "[***]",
    ]  # fmt: skip
    assert secret.reveal() == TOKEN
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        f"{secret:>20}"


def test_secret_compares_by_value_and_has_no_hash():
    assert Secret("a\udc80") == Secret("a\udc80")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert (bool(Secret("")), bool(Secret("a"))) == (False, True)
    with pytest.raises(TypeError):
        hash(Secret("a"))


def test_secret_is_pickled_only_where_that_is_allowed():
    secret = Secret(TOKEN)
    with pytest.raises(TypeError, match="allow_secrets"):
        pickle.dumps(secret)
    with allow_secrets():
        assert pickle.loads(pickle.dumps(secret)) == secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


@pytest.mark.parametrize("value", [None, 5, b"bytes", Secret("x")])
def test_secret_is_a_string(value):
    with pytest.raises(TypeError, match="a secret is a str, not"):
        Secret(value)


def test_hidden_things():
    assert repr(HiddenMapping({"a": TOKEN})) == "<1 hidden values>"
    assert dict(HiddenMapping({"a": "b"})) == {"a": "b"}
    assert (hide("x"), hide(None), hide(5)) == (Secret("x"), None, 5)
    assert repr(EchoAccount.load({"token": TOKEN, "password": None}, {})) == (
        "EchoAccount(endpoint='https://echo.example.com', region=None, strict=False, project=None)"
    )


def test_accounts_of_all_providers_hide_what_is_secret():
    from anysky.registry import providers

    for provider in providers():
        account = provider.account
        given = {one.name: TOKEN for one in account.settings() if one.secret}
        given |= {one.name: "x1" for one in account.settings() if one.required and not one.secret}
        made = account.load(given, {})
        assert hits(repr(made) + str(vars(made)) + repr(dataclasses.asdict(made))) == []
        assert set(made.secrets()) <= {TOKEN}
