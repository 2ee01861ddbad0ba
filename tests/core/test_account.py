"""Settings: arguments, then environment, then defaults; what is wrong is said before sending."""

import pytest

from anysky.calling import endpoint_of
from anysky.errors import InvalidAccountError
from anysky.secret import Secret
from tests.core.echo import BlockingEcho, EchoAccount


def load(environ=None, **given):
    return EchoAccount.load(given, environ or {})


def test_arguments_then_environment_then_defaults():
    environ = {
        "ECHO_TOKEN": "env",
        "ECHO_REGION": "env1",
        "ECHO_STRICT": "yes",
        "ECHO_PROJECT": "7",
    }

    assert load(environ).token == Secret("env")
    assert (load(environ).region, load(environ).strict, load(environ).project) == ("env1", True, 7)
    assert load(environ, token="arg", region="arg1").token == Secret("arg")
    assert load(environ, token=None, region="arg1").region == "arg1"
    assert load(token=Secret("x")).token == Secret("x")
    assert load({"ECHO_REGION": ""}, token="x").region is None
    assert (load(token="x").strict, load(token="x").endpoint) == (False, "https://echo.example.com")


def test_missing_setting_names_argument_and_variable():
    with pytest.raises(InvalidAccountError) as caught:
        load()

    assert str(caught.value) == (
        "EchoAccount needs 'token' (token): give it as the first argument or token= or the "
        "environment variable ECHO_TOKEN"
    )


def test_typo():
    with pytest.raises(InvalidAccountError, match="no setting 'regoin'; did you mean 'region'"):
        load(token="x", regoin="y")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"token": 5}, "wants 'token' (token) as str, not int"),
        ({"token": b"x"}, "wants 'token' (token) as str, not bytes"),
        ({"region": ["x"]}, "wants 'region' (region) as str, not list"),
        ({"strict": "perhaps"}, "wants 'strict' (strict) as bool, not str"),
        ({"project": "first"}, "wants 'project' (project) as int, not str"),
        ({"endpoint": 5}, "wants 'endpoint' (URL) as str, not int"),
    ],
)
def test_wrong_types(given, text):
    with pytest.raises(InvalidAccountError) as caught:
        load(**{"token": "x", **given})

    assert str(caught.value) == f"EchoAccount {text}"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/base/",
        "http://localhost:8080",
        "http://127.0.0.1:1",
        "https://[::1]:8443/x",
        "HTTPS://API.example.com",
    ],
)
def test_good_endpoints(url):
    assert load(token="x", endpoint=url).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "localhost:8080",
        "//api.example.com",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@api.example.com",
        "https://user:pass@api.example.com",
        "https://api example.com",
        "https://api.example.com/a b",
        "https://api.example.com/?a=b",
        "https://api.example.com/#a",
        "https://api.example.com:port",
        "https://api.example.com:0",
        "https://api.example.com:99999",
        "https://äpi.example.com",
        "https://api.example.com\\x",
        "https://[::1",
    ],
)
def test_bad_endpoints(url):
    with pytest.raises(InvalidAccountError, match=r"^EchoAccount: the endpoint ") as caught:
        load(token="x", endpoint=url)

    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None, True), None),
        (("http://x", None, None, True), "http://x"),
        ((None, "h", None, True), "https://h"),
        ((None, "h", None, False), "http://h"),
        ((None, "h", 443, True), "https://h"),
        ((None, "h", 8443, True), "https://h:8443"),
        ((None, "::1", 80, False), "http://[::1]"),
        ((None, "[::1]", 81, False), "http://[::1]:81"),
    ],
)
def test_host_port_secure(given, expected):
    assert endpoint_of(*given) == expected


@pytest.mark.parametrize(
    "given",
    [
        ("http://x", "h", None, True),
        ("http://x", None, 80, True),
        (None, None, 80, True),
        (None, None, None, False),
        (None, "http://h", None, True),
    ],
)
def test_host_port_secure_that_contradict(given):
    with pytest.raises(InvalidAccountError):
        endpoint_of(*given)


def test_positional_settings():
    with pytest.raises(InvalidAccountError, match=r"takes 1 positional settings \(token\)"):
        BlockingEcho("a", "b")


def test_settings_as_data():
    names = [(one.name, one.required, one.secret) for one in EchoAccount.settings()]

    assert names[0] == ("token", True, True)
    assert names[-1] == ("endpoint", False, False)
