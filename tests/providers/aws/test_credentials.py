"""The credential chain, against botocore's on the same files, environment and servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import stat
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import botocore.session
import pytest

from anysky.errors import (
    AuthenticationError,
    CloudError,
    InvalidAccountError,
    MalformedResponseError,
    PermissionDeniedError,
    ProviderUnavailableError,
    RateLimitedError,
)
from anysky.providers.aws.credentials import CredentialChain
from anysky.providers.aws.sts import sts_endpoint
from anysky.run import run
from anysky.runtime.asyncio import AsyncioRuntime
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.asyncio import AsyncioTransport
from anysky.transport.base import Limits, Request, Response
from anysky.transport.blocking import BlockingTransport
from anysky.transport.settings import HTTPSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping
    from pathlib import Path

    from anysky.wire.aws_sigv4 import Credentials

HOUR = 3600.0
ROLE = "arn:aws:iam::123456789012:role/"

# -- the servers: STS, container agent, instance metadata ----------------------------------------


@dataclass
class Servers:
    """All services that give credentials, at one loopback address.

    `answers` replaces the answer to a path; `seen` holds what was asked.
    """

    url: str = ""
    lifetime: float = HOUR
    clock: float | None = None
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    gate: threading.Event | None = None

    def time(self) -> float:
        return datetime.now(UTC).timestamp() if self.clock is None else self.clock

    def expiration(self) -> str:
        ends = datetime.fromtimestamp(self.time() + self.lifetime, UTC)
        return ends.strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        form = dict(parse_qsl(body.decode()))
        sent = {name.lower(): value for name, value in headers.items()}
        self.seen.append((method, path, sent, form))
        if self.gate is not None:
            self.gate.wait(10)
        if path in self.answers:
            return self.answers[path]
        if method == "POST":
            return 200, self.assumed(form, sent.get("authorization", ""))
        if method == "PUT":
            return (200, b"imds token") if path == "/latest/api/token" else (404, b"")
        if path.startswith("/latest/"):
            if sent.get("x-aws-ec2-metadata-token") != "imds token":
                return 401, b""
            return 200, b"web-role" if path.endswith("/") else self.keys("INSTANCE")
        return 200, self.keys(f"CONTAINER {sent.get('authorization')}")

    def keys(self, name: str, **more: object) -> bytes:
        return json.dumps(
            {
                "Code": "Success",
                "AccessKeyId": name.replace(" ", "-"),
                "SecretAccessKey": f"{name.replace(' ', '-')}-secret",
                "Token": f"{name.replace(' ', '-')}-token",
                "Expiration": self.expiration(),
                **more,
            }
        ).encode()

    def assumed(self, form: dict[str, str], authorization: str) -> bytes:
        by = authorization.partition("Credential=")[2].partition("/")[0]
        name = f"{form['RoleArn'].rpartition('/')[2]}-by-{by or form.get('WebIdentityToken')}"
        return (
            f'<{form["Action"]}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{form['Action']}Result><Credentials><AccessKeyId>{name}</AccessKeyId>"
            f"<SecretAccessKey>{name}-secret</SecretAccessKey>"
            f"<SessionToken>{name}-token</SessionToken>"
            f"<Expiration>{self.expiration()}</Expiration></Credentials></{form['Action']}Result>"
            f"</{form['Action']}Response>"
        ).encode()


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = servers.answer(self.command, self.path, self.headers, body)
            self.send_response_only(status)
            now = datetime.fromtimestamp(servers.time(), UTC)
            self.send_header("Date", format_datetime(now, usegmt=True))
            self.send_header("Content-Length", str(len(answer)))
            with contextlib.suppress(ConnectionError):  # who asked has gone
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_PUT = do_POST = handle_any  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    servers.url = f"http://127.0.0.1:{server.server_port}"
    yield servers
    server.shutdown()
    server.server_close()
    thread.join()


# -- both APIs, with a settable clock ------------------------------------------------------------


class Clocks:
    """Clocks that a test moves; the wall clock starts at the true time."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._environ = environ
        self.monotonic = 1000.0
        self.wall = float(int(datetime.now(UTC).timestamp()))

    @property
    def environ(self) -> Mapping[str, str]:
        return self._environ

    def now(self) -> float:
        return self.monotonic

    def time(self) -> float:
        return self.wall

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


class TestBlockingRuntime(Clocks, BlockingRuntime):
    __test__ = False


class TestAsyncioRuntime(Clocks, AsyncioRuntime):
    __test__ = False


class API:
    """One of the two APIs: what runs a chain and what it runs on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runner = asyncio.Runner() if name == "asyncio" else None
        self.transports: list[Any] = []

    def transport(self) -> Any:
        kind = AsyncioTransport if self.runner else BlockingTransport
        self.transports.append(kind("http://127.0.0.1:9", HTTPSettings(proxy=""), Limits()))
        return self.transports[-1]

    def runtime(self, environ: Mapping[str, str]) -> Any:
        return (TestAsyncioRuntime if self.runner else TestBlockingRuntime)(environ)

    def chain(self, environ: Mapping[str, str], **arguments: Any) -> CredentialChain:
        return CredentialChain(self.transport(), self.runtime(environ), **arguments)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine) if self.runner else run(coroutine)

    def close(self) -> None:
        for transport in self.transports:
            self.run(transport.close())
        if self.runner:
            self.runner.close()


@pytest.fixture(params=["blocking", "asyncio"])
def api(request: pytest.FixtureRequest) -> Iterator[API]:
    api = API(request.param)
    yield api
    api.close()


@pytest.fixture
def environ(tmp_path: Path, servers: Servers) -> dict[str, str]:
    """An environment whose home is empty and whose services are on loopback."""
    return {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": servers.url,
        "AWS_ENDPOINT_URL_STS": servers.url,
        "PATH": "/usr/bin:/bin",
    }


def write(tmp_path: Path, config: str = "", credentials: str = "") -> None:
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text(credentials)


def plain(credentials: Credentials) -> tuple[str, str, str | None]:
    token = credentials.token.reveal() if credentials.token else None
    return credentials.access_key, credentials.secret_key.reveal(), token


def by_botocore(
    monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], profile: str | None
) -> tuple[str, str, str | None]:
    for name in [name for name in botocore.session.os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session(profile=profile)
    frozen = session.get_credentials().get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token


# -- where credentials come from -----------------------------------------------------------------

KEYS = "aws_access_key_id = {0}\naws_secret_access_key = {0}-secret\n"
PRINT_KEYS = (
    f"{sys.executable} -c 'import sys; print(sys.argv[1])' "
    """'{"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "a b+c"}'"""
).replace("a b+c", "process/secret")


@dataclass
class Case:
    """Settings, and the access key that comes of them."""

    expected: str
    environ: dict[str, str] = field(default_factory=dict)
    config: str = ""
    credentials: str = ""
    profile: str | None = None


CASES = {
    "environment": Case(
        "ENV", {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    ),
    "environment, legacy token": Case(
        "ENV",
        {
            "AWS_ACCESS_KEY_ID": "ENV",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_SECURITY_TOKEN": "legacy",
        },
    ),
    "environment before a profile that it names": Case(
        "ENV",
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "a"},
        credentials="[a]\n" + KEYS.format("FILE"),
    ),
    "an explicit profile before the environment": Case(
        "FILE",
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"},
        credentials="[a]\n" + KEYS.format("FILE"),
        profile="a",
    ),
    "default profile": Case(
        "FILE", credentials="[default]\n" + KEYS.format("FILE") + "aws_session_token = token=\n"
    ),
    "credentials file before config file": Case(
        "FILE",
        config="[default]\n" + KEYS.format("CONFIG"),
        credentials="# comment\n[default]\n" + KEYS.format("FILE"),
    ),
    "config file": Case(
        "CONFIG",
        {"AWS_PROFILE": "with space"},
        config='[profile "with space"]\ns3 =\n  addressing_style = path\n' + KEYS.format("CONFIG"),
    ),
    "process": Case("PROCESS", config=f"[default]\ncredential_process = {PRINT_KEYS}\n"),
    "keys in the credentials file before a process": Case(
        "FILE",
        config=f"[default]\ncredential_process = {PRINT_KEYS}\n",
        credentials="[default]\n" + KEYS.format("FILE"),
    ),
    "a process before keys in the config file": Case(
        "PROCESS",
        config=f"[default]\ncredential_process = {PRINT_KEYS}\n" + KEYS.format("CONFIG"),
    ),
    "role by a source profile": Case(
        "r1-by-BASE",
        {"AWS_PROFILE": "a"},
        config=f"[profile a]\nrole_arn = {ROLE}r1\nsource_profile = base\nexternal_id = x/1+2\n"
        "role_session_name = me@example.com\nduration_seconds = 1800\nregion = eu-west-1\n",
        credentials="[base]\n" + KEYS.format("BASE"),
    ),
    "role by a role by a process": Case(
        "r1-by-r2-by-PROCESS",
        {"AWS_PROFILE": "a"},
        config=f"[profile a]\nrole_arn = {ROLE}r1\nsource_profile = b\n"
        f"[profile b]\nrole_arn = {ROLE}r2\nsource_profile = c\n"
        f"[profile c]\ncredential_process = {PRINT_KEYS}\n",
    ),
    "role by the profile's own keys": Case(
        "r1-by-SELF",
        config=f"[default]\nrole_arn = {ROLE}r1\nsource_profile = default\n" + KEYS.format("SELF"),
    ),
    "a source with keys and a role gives its keys": Case(
        "r1-by-FILE",
        {"AWS_PROFILE": "a"},
        config=f"[profile a]\nrole_arn = {ROLE}r1\nsource_profile = b\n"
        f"[profile b]\nrole_arn = {ROLE}r2\nsource_profile = a\n",
        credentials="[b]\n" + KEYS.format("FILE"),
    ),
    "role by the environment": Case(
        "r1-by-ENV",
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"},
        config=f"[profile a]\nrole_arn = {ROLE}r1\ncredential_source = Environment\n",
        profile="a",
    ),
    "role by the instance": Case(
        "r1-by-INSTANCE",
        {"AWS_EC2_METADATA_DISABLED": "false"},
        config=f"[default]\nrole_arn = {ROLE}r1\ncredential_source = Ec2InstanceMetadata\n",
    ),
    "role by the container": Case(
        "r1-by-CONTAINER-None",
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/creds"},
        config=f"[default]\nrole_arn = {ROLE}r1\ncredential_source = EcsContainer\n",
    ),
    "web identity by the environment": Case(
        "r1-by-web-jwt",
        {
            "AWS_WEB_IDENTITY_TOKEN_FILE": "{tmp}/token",
            "AWS_ROLE_ARN": f"{ROLE}r1",
            "AWS_ROLE_SESSION_NAME": "pod",
        },
        credentials="[default]\n" + KEYS.format("FILE"),
    ),
    "web identity by the profile": Case(
        "r1-by-web-jwt",
        config=f"[default]\nrole_arn = {ROLE}r1\nweb_identity_token_file = {{tmp}}/token\n",
        credentials="[default]\n" + KEYS.format("FILE"),
    ),
    "role by a web identity": Case(
        "r1-by-r2-by-web-jwt",
        {"AWS_PROFILE": "a", "AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"},
        config=f"[profile a]\nrole_arn = {ROLE}r1\nsource_profile = b\n"
        f"[profile b]\nrole_arn = {ROLE}r2\nweb_identity_token_file = {{tmp}}/token\n",
    ),
    "container": Case(
        "CONTAINER-secret-token",
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/v1/credentials?a=b",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret token",
        },
    ),
    "container, token in a file": Case(
        "CONTAINER-web-jwt",
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{tmp}/token",
        },
    ),
    "a profile before the container": Case(
        "FILE",
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/creds"},
        credentials="[default]\n" + KEYS.format("FILE"),
    ),
    "instance": Case("INSTANCE", {"AWS_EC2_METADATA_DISABLED": "false"}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_credentials_as_botocore(
    name: str,
    api: API,
    environ: dict[str, str],
    servers: Servers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[name]
    places = {"{url}": servers.url, "{tmp}": str(tmp_path)}

    def filled(text: str) -> str:
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    (tmp_path / "token").write_text("web-jwt")
    write(tmp_path, filled(case.config), filled(case.credentials))
    environ |= {name: filled(value) for name, value in case.environ.items()}
    if "region" not in case.config:
        environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # botocore insists on one

    found = api.run(api.chain(environ, profile=case.profile).credentials())
    ours, servers.seen = servers.seen, []

    assert found.access_key == case.expected
    assert plain(found) == by_botocore(monkeypatch, environ, case.profile)
    assert [asked(*request) for request in ours] == [asked(*r) for r in servers.seen]


def asked(method: str, path: str, headers: dict[str, str], form: dict[str, str]) -> object:
    """What of a request must be the same for every client."""
    if "botocore-session" in form.get("RoleSessionName", ""):
        form["RoleSessionName"] = "generated"
    if form.get("RoleSessionName", "").startswith("anysky-"):
        form["RoleSessionName"] = "generated"
    scope = headers.get("authorization", "").partition(",")[0].split("/")
    return method, path, form, scope[:1] + scope[2:], headers.get("x-amz-security-token")


def test_arguments_come_first(api: API, environ: dict[str, str]) -> None:
    environ |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"}
    chain = api.chain(environ, access_key="ARG", secret_key=Secret("a"), token=Secret("t"))

    assert plain(api.run(chain.credentials())) == ("ARG", "a", "t")


def test_home_is_where_the_files_are(api: API, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\n" + KEYS.format("HOME"))

    for home in ("HOME", "USERPROFILE"):
        chain = api.chain({home: str(tmp_path)})
        assert plain(api.run(chain.credentials())) == ("HOME", "HOME-secret", None)


# -- what is refused -----------------------------------------------------------------------------

CIRCLE = f"""
[default]
role_arn = {ROLE}a
source_profile = b
[profile b]
role_arn = {ROLE}b
source_profile = default
"""
REFUSED = {
    "half an environment": ({"AWS_ACCESS_KEY_ID": "ENV"}, "", "must both be set"),
    "half a profile": ({}, "[default]\naws_access_key_id = X\n", "but no aws_secret_access_key"),
    "no such profile": ({"AWS_PROFILE": "nope"}, "", "no AWS profile 'nope'"),
    "two sources": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nsource_profile = b\ncredential_source = Environment\n",
        "either source_profile or credential_source",
    ),
    "no source": ({}, f"[default]\nrole_arn = {ROLE}r\n", "either source_profile or"),
    "a source that does not exist": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nsource_profile = b\n",
        "'b', which does not exist",
    ),
    "a source without credentials": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nsource_profile = b\n[profile b]\nregion = x\n",
        "'b' is a source but has no credentials",
    ),
    "a circle": (
        {},
        CIRCLE,
        "go round in a circle: default -> b -> default",
    ),
    "its own source without keys": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nsource_profile = default\n",
        "circle: default -> default",
    ),
    "unknown credential_source": (
        {},
        f"[default]\nrole_arn = {ROLE}r\ncredential_source = Moon\n",
        "'Moon'; it must be one of EcsContainer, Ec2InstanceMetadata, Environment",
    ),
    "one-time code": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nsource_profile = b\nmfa_serial = arn:x\n",
        "aws sts get-session-token",
    ),
    "single sign-on": (
        {},
        "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n",
        "credential_process = aws configure export-credentials --format process --profile default",
    ),
    "console sign-in": ({}, "[default]\nlogin_session = arn:x\n", "aws configure export-credent"),
    "web identity without a role": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"},
        "",
        "set AWS_ROLE_ARN",
    ),
    "web identity without its file": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:x"},
        "",
        "cannot read the web identity token from /nowhere: No such file",
    ),
    "bad duration": (
        {},
        f"[default]\nrole_arn = {ROLE}r\nduration_seconds = 1h\ncredential_source = Environment\n",
        "duration_seconds that is no number",
    ),
    "nothing at all": ({}, "", "no AWS credentials were found.*AWS_EC2_METADATA_DISABLED"),
    "expired keys in the environment": (
        {
            "AWS_ACCESS_KEY_ID": "ENV",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        },
        "",
        "credentials have ended",
    ),
    "a line break in a key": (
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s\r\nX-Evil: 1"},
        "",
        "a line break or another character that none has",
    ),
    "container agent elsewhere": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"},
        "",
        "must be an https URL",
    ),
    "container agent that looks local": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost@example.com/creds"},
        "",
        "must be an https URL",
    ),
    "container agent by another protocol": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "file:///etc/passwd"},
        "",
        "must be an https URL",
    ),
    "container agent in another host's path": (
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@example.com/creds"},
        "",
        "does not hold the path",
    ),
    "container agent with a split header": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/a\x7fb"},
        "",
        "does not hold the path",
    ),
    "wrong endpoint mode": (
        {
            "AWS_EC2_METADATA_DISABLED": "",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5",
        },
        "",
        "must be IPv4 or IPv6",
    ),
    "wrong timeout": (
        {"AWS_EC2_METADATA_DISABLED": "", "AWS_METADATA_SERVICE_TIMEOUT": "soon"},
        "",
        "AWS_METADATA_SERVICE_TIMEOUT is not a number",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_settings_are_refused_in_words(
    name: str, api: API, environ: dict[str, str], servers: Servers, tmp_path: Path
) -> None:
    settings, config, message = REFUSED[name]
    write(tmp_path, config)

    with pytest.raises((InvalidAccountError, AuthenticationError), match=message):
        api.run(api.chain(environ | settings).credentials())

    assert servers.seen == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("aws_secret_access_key = hidden\n", 1),
        ("[default]\nhidden\n", 2),
        ("[default]\naws_secret_access_key = hidden\naws_secret_access_key = hidden\n", 3),
        ("[default]\n[default]\n", 2),
        ("[default]\naws_secret_access_key = \xff\n", 1),
    ],
)
def test_a_damaged_file_is_named_without_its_content(
    text: str, line: int, api: API, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_bytes(text.encode("latin-1"))

    with pytest.raises(InvalidAccountError, match=f"not in the format .* line {line}") as caught:
        api.run(api.chain(environ).credentials())

    assert "hidden" not in shown(caught.value)


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("exit 3", InvalidAccountError, "ended with status 3"),
        ("echo hidden; exit 1", InvalidAccountError, "failed"),
        ("echo hidden >&2; exit 1", InvalidAccountError, "failed"),
        ("echo hidden", MalformedResponseError, "something else than AWS credentials"),
        ("echo '{}'", MalformedResponseError, "speaks version 0, not 1"),
        ("""echo '{"Version": 2}'""", MalformedResponseError, "speaks version 2, not 1"),
        ("""echo '{"Version": 1}'""", MalformedResponseError, "without an AWS access key"),
        (
            """echo '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": ["hidden"]}'""",
            MalformedResponseError,
            "something else",
        ),
        (
            """echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"never"}'""",
            MalformedResponseError,
            "unreadable expiry date 'never'",
        ),
        ("head -c 100000 /dev/zero | tr '\\0' '['", MalformedResponseError, "something else"),
    ],
)
def test_a_failing_process_is_reported_without_its_output(
    script: str,
    kind: type[CloudError],
    message: str,
    api: API,
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)
    write(tmp_path, f"[default]\ncredential_process = {program}\n")

    with pytest.raises(kind, match=message) as caught:
        api.run(api.chain(environ).credentials())

    assert "hidden" not in shown(caught.value)


def test_a_process_is_not_run_by_a_shell(api: API, environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, f"[default]\ncredential_process = true; touch {tmp_path}/proof\n")

    with pytest.raises(InvalidAccountError, match="credential_process"):
        api.run(api.chain(environ).credentials())

    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("command", ["'unclosed", "''", "/nowhere/program"])
def test_a_command_that_cannot_be_run_is_refused(
    command: str, api: API, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, f"[default]\ncredential_process = {command}\n")

    with pytest.raises(InvalidAccountError, match="credential_process of the AWS profile failed"):
        api.run(api.chain(environ).credentials())


def shown(error: BaseException | None) -> str:
    """Everything that a traceback or a report of an error could show."""
    text = ""
    while error is not None:
        text += f"{error!r} {error} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


# -- what services may answer --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", PermissionDeniedError),
        (403, "InvalidClientTokenId", AuthenticationError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (400, "ExpiredToken", AuthenticationError),
        (500, "InternalFailure", ProviderUnavailableError),
        (503, "", ProviderUnavailableError),
        (429, "", RateLimitedError),
        (408, "", ProviderUnavailableError),
    ],
)
def test_refusals_of_sts_keep_kind_and_code_but_no_secret(
    status: int,
    code: str,
    kind: type[CloudError],
    api: API,
    environ: dict[str, str],
    servers: Servers,
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        f"[default]\nrole_arn = {ROLE}r1\nsource_profile = base\n",
        "[base]\n" + KEYS.format("BASE") + "aws_session_token = hidden\n",
    )
    servers.answers["/"] = (
        status,
        f"<ErrorResponse><Error><Code>{code}</Code><Message>sent: hidden BASE-secret</Message>"
        "</Error><RequestId>id-1</RequestId></ErrorResponse>".encode(),
    )

    with pytest.raises(kind) as caught:
        api.run(api.chain(environ).credentials())

    error = caught.value
    assert (error.status, error.code, error.request_id) == (status, code, "id-1")
    assert "hidden" not in shown(error)
    assert "BASE-secret" not in shown(error)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>hello</body></html>", b"<x", b"<AssumeRoleResponse/>", b"\xff\xfe"],
)
def test_sts_may_answer_nonsense(
    body: bytes, api: API, environ: dict[str, str], servers: Servers, tmp_path: Path
) -> None:
    write(
        tmp_path,
        f"[default]\nrole_arn = {ROLE}r1\nsource_profile = base\n",
        "[base]\n" + KEYS.format("BASE"),
    )
    servers.answers["/"] = (200, body)

    with pytest.raises(MalformedResponseError, match="AWS STS answers without credentials"):
        api.run(api.chain(environ).credentials())


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/latest/api/token", (403, b""), r"gives no AWS credentials\)"),
        ("/latest/api/token", (200, b"a\nb"), "no header field can hold"),
        ("/latest/meta-data/iam/security-credentials/", (404, b""), r"gives no AWS credentials\)"),
        ("/latest/meta-data/iam/security-credentials/", (200, b""), "no role attached"),
        (
            "/latest/meta-data/iam/security-credentials/web-role",
            (200, b'{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"}'),
            "'AssumeRoleUnauthorizedAccess'",
        ),
        ("/latest/meta-data/iam/security-credentials/web-role", (200, b"<html>"), "something else"),
    ],
)
def test_an_instance_without_role_ends_the_search(
    path: str,
    answer: tuple[int, bytes],
    message: str,
    api: API,
    environ: dict[str, str],
    servers: Servers,
) -> None:
    environ["AWS_EC2_METADATA_DISABLED"] = "false"
    servers.answers[path] = answer

    with pytest.raises(InvalidAccountError, match=f"no AWS credentials were found.*{message}"):
        api.run(api.chain(environ).credentials())


def test_the_metadata_service_is_asked_by_version_2_only(
    api: API, environ: dict[str, str], servers: Servers
) -> None:
    environ["AWS_EC2_METADATA_DISABLED"] = "false"

    api.run(api.chain(environ).credentials())

    assert [
        (
            method,
            path,
            headers.get("x-aws-ec2-metadata-token-ttl-seconds"),
            headers.get("x-aws-ec2-metadata-token"),
        )
        for method, path, headers, _ in servers.seen
    ] == [
        ("PUT", "/latest/api/token", "21600", None),
        ("GET", "/latest/meta-data/iam/security-credentials/", None, "imds token"),
        ("GET", "/latest/meta-data/iam/security-credentials/web-role", None, "imds token"),
    ]


def test_a_silent_metadata_service_costs_a_second(
    api: API, environ: dict[str, str], servers: Servers
) -> None:
    environ["AWS_EC2_METADATA_DISABLED"] = "false"
    servers.gate = threading.Event()
    started = datetime.now(UTC)

    with pytest.raises(InvalidAccountError, match="no AWS credentials were found"):
        api.run(api.chain(environ).credentials())

    servers.gate.set()
    assert 0.9 < (datetime.now(UTC) - started).total_seconds() < 3
    assert len(servers.seen) == 1


def test_a_container_agent_is_asked_twice(
    api: API, environ: dict[str, str], servers: Servers
) -> None:
    environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{servers.url}/creds"
    servers.answers["/creds"] = (500, b"")

    with pytest.raises(ProviderUnavailableError, match="credentials endpoint of the container"):
        api.run(api.chain(environ).credentials())

    assert [path for _, path, _, _ in servers.seen] == ["/creds", "/creds"]


class Recorder:
    """A transport that gives one answer and keeps what was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(200, {}, self.answer)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("variable", "value", "endpoint", "path"),
    [
        ("RELATIVE", "/v2/creds?id=1", "http://169.254.170.2", "/v2/creds?id=1"),
        ("FULL", "http://169.254.170.2/creds", "http://169.254.170.2", "/creds"),
        ("FULL", "http://169.254.170.23/v1/creds", "http://169.254.170.23", "/v1/creds"),
        ("FULL", "http://[fd00:ec2::23]/creds", "http://[fd00:ec2::23]", "/creds"),
        ("FULL", "http://localhost:8000", "http://localhost:8000", "/"),
        ("FULL", "http://127.9.9.9:1/a", "http://127.9.9.9:1", "/a"),
        ("FULL", "http://[::1]:1/a", "http://[::1]:1", "/a"),
        ("FULL", "https://agent.example.com/a", "https://agent.example.com", "/a"),
    ],
)
def test_these_container_agents_may_be_asked(
    variable: str, value: str, endpoint: str, path: str
) -> None:
    transport = Recorder(b'{"AccessKeyId": "KEY", "SecretAccessKey": "s"}')
    environ = {f"AWS_CONTAINER_CREDENTIALS_{variable}_URI": value}
    chain = CredentialChain(transport, TestBlockingRuntime(environ))

    found = run(chain.credentials())

    assert plain(found) == ("KEY", "s", None)
    assert transport.sent == [
        Request(
            "GET",
            path,
            headers={"Accept": "application/json"},
            endpoint=endpoint,
            operation="credentials",
        )
    ]


# -- keeping fresh -------------------------------------------------------------------------------


class Renewal:
    """A chain on a container agent whose keys carry a number."""

    def __init__(self, api: API, environ: dict[str, str], servers: Servers) -> None:
        self.servers = servers
        environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{servers.url}/creds"
        self.runtime = api.runtime(environ)
        self.chain = CredentialChain(api.transport(), self.runtime)
        self.api = api
        self.give(1)

    def give(self, number: int, lifetime: float = HOUR) -> None:
        self.servers.clock = self.runtime.wall
        self.servers.lifetime = lifetime
        self.servers.answers["/creds"] = (200, self.servers.keys(f"KEY{number}"))

    def fail(self) -> None:
        self.servers.answers["/creds"] = (500, b"")

    def key(self) -> str:
        return self.api.run(self.chain.credentials()).access_key

    @property
    def asked(self) -> int:
        return len(self.servers.seen)


@pytest.fixture
def renewal(api: API, environ: dict[str, str], servers: Servers) -> Renewal:
    return Renewal(api, environ, servers)


def test_credentials_are_kept_until_15_minutes_before_their_end(renewal: Renewal) -> None:
    assert renewal.key() == "KEY1"

    renewal.runtime.pass_time(45 * 60 - 1)
    renewal.give(2)
    assert (renewal.key(), renewal.asked) == ("KEY1", 1)

    renewal.runtime.pass_time(2)
    renewal.give(2)
    assert (renewal.key(), renewal.asked) == ("KEY2", 2)
    assert (renewal.key(), renewal.asked) == ("KEY2", 2)


def test_a_failed_renewal_keeps_the_old_ones_until_10_minutes_before_their_end(
    renewal: Renewal, caplog: pytest.LogCaptureFixture
) -> None:
    renewal.key()
    renewal.runtime.pass_time(46 * 60)
    renewal.fail()

    with caplog.at_level(logging.WARNING):
        assert (renewal.key(), renewal.asked) == ("KEY1", 3)
    (message,) = caplog.messages
    assert message.startswith("AWS credentials could not be renewed (ProviderUnavailableError)")
    assert message.endswith("those at hand last 840 seconds more")

    assert (renewal.key(), renewal.asked) == ("KEY1", 3)  # not again for 30 seconds
    renewal.runtime.pass_time(31)
    assert (renewal.key(), renewal.asked) == ("KEY1", 5)

    renewal.runtime.pass_time(4 * 60)
    with pytest.raises(ProviderUnavailableError):
        renewal.key()

    renewal.give(2)
    assert renewal.key() == "KEY2"


def test_credentials_for_a_short_time_are_not_renewed_at_every_call(renewal: Renewal) -> None:
    renewal.give(1, lifetime=900)
    renewal.key()

    renewal.runtime.pass_time(449)
    assert (renewal.key(), renewal.asked) == ("KEY1", 1)

    renewal.runtime.pass_time(2)
    renewal.give(2, lifetime=900)
    assert (renewal.key(), renewal.asked) == ("KEY2", 2)


@pytest.mark.parametrize("step", [-HOUR, HOUR, 24 * HOUR, -24 * HOUR])
def test_steps_of_the_wall_clock_cost_one_renewal_at_most(renewal: Renewal, step: float) -> None:
    renewal.key()

    renewal.runtime.wall += step
    renewal.give(2)
    renewal.servers.clock -= step  # the agent's clock did not step
    renewal.servers.answers["/creds"] = (200, renewal.servers.keys("KEY2"))
    after_step = renewal.key()
    assert after_step == ("KEY2" if step > 0 else "KEY1")
    assert (renewal.key(), renewal.asked) == (after_step, 2 if step > 0 else 1)

    renewal.runtime.pass_time(46 * 60)
    renewal.give(3)
    assert renewal.key() == "KEY3"


def test_a_machine_that_slept_renews_by_the_wall_clock(renewal: Renewal) -> None:
    renewal.key()

    renewal.runtime.wall += 2 * HOUR  # the monotonic clock stands still meanwhile
    renewal.give(2)

    assert renewal.key() == "KEY2"


def test_expired_answers_are_refused(renewal: Renewal) -> None:
    renewal.give(1, lifetime=-1)

    with pytest.raises(AuthenticationError, match="have ended"):
        renewal.key()


def test_an_instance_uses_expired_keys_on_while_aws_cannot_renew_them(
    api: API, environ: dict[str, str], servers: Servers
) -> None:
    environ["AWS_EC2_METADATA_DISABLED"] = "false"
    servers.lifetime = -60.0
    runtime = api.runtime(environ)
    chain = CredentialChain(api.transport(), runtime)

    assert api.run(chain.credentials()).access_key == "INSTANCE"
    assert (api.run(chain.credentials()).access_key, len(servers.seen)) == ("INSTANCE", 3)
    runtime.pass_time(6 * 60)
    assert (api.run(chain.credentials()).access_key, len(servers.seen)) == ("INSTANCE", 6)


def test_the_place_that_had_credentials_is_kept(renewal: Renewal, tmp_path: Path) -> None:
    renewal.key()
    write(tmp_path, "", "[default]\n" + KEYS.format("FILE"))

    renewal.runtime.pass_time(46 * 60)
    renewal.give(2)

    assert renewal.key() == "KEY2"


def test_credentials_that_aws_refused_are_renewed_at_once(renewal: Renewal) -> None:
    first = renewal.api.run(renewal.chain.credentials())
    renewal.give(2)

    assert renewal.chain.discard(first)
    assert renewal.key() == "KEY2"
    assert renewal.chain.discard(first)  # somebody else renewed them meanwhile
    assert (renewal.key(), renewal.asked) == ("KEY2", 2)


def test_fixed_keys_that_aws_refused_stay(api: API, environ: dict[str, str]) -> None:
    chain = api.chain(environ, access_key="ARG", secret_key=Secret("a"))
    credentials = api.run(chain.credentials())

    assert not chain.discard(credentials)
    assert api.run(chain.credentials()) is credentials


def test_threads_share_one_renewal(environ: dict[str, str], servers: Servers) -> None:
    api = API("blocking")
    renewal = Renewal(api, environ, servers)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: renewal.key(), range(200))) == {"KEY1"}
    assert renewal.asked == 1

    renewal.runtime.pass_time(55 * 60)
    renewal.give(2)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: renewal.key(), range(200))) == {"KEY2"}
    assert renewal.asked == 2
    api.close()


def test_tasks_share_one_renewal(environ: dict[str, str], servers: Servers) -> None:
    api = API("asyncio")
    renewal = Renewal(api, environ, servers)

    async def many() -> set[str]:
        found = await asyncio.gather(*[renewal.chain.credentials() for _ in range(100)])
        return {credentials.access_key for credentials in found}

    assert api.run(many()) == {"KEY1"}
    renewal.runtime.pass_time(55 * 60)
    renewal.give(2)
    assert api.run(many()) == {"KEY2"}
    assert renewal.asked == 2
    api.close()


def test_nobody_waits_for_an_early_renewal(environ: dict[str, str], servers: Servers) -> None:
    api = API("blocking")
    renewal = Renewal(api, environ, servers)
    renewal.key()
    renewal.runtime.pass_time(46 * 60)
    renewal.give(2)
    servers.gate = threading.Event()

    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(renewal.key)
        while renewal.asked < 2:
            threading.Event().wait(0.001)
        assert renewal.key() == "KEY1"
        servers.gate.set()
        assert early.result() == "KEY2"
    api.close()


# -- region --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "argument", "expected"),
    [
        ({"AWS_REGION": "b", "AWS_DEFAULT_REGION": "c"}, "a", "a"),
        ({"AWS_REGION": "b", "AWS_DEFAULT_REGION": "c"}, None, "b"),
        ({"AWS_DEFAULT_REGION": "c"}, None, "c"),
        ({}, None, "eu-west-1"),
        ({"AWS_PROFILE": "p"}, None, "eu-west-2"),
        ({"AWS_PROFILE": "none"}, None, None),
    ],
)
def test_the_region_is_that_of_argument_environment_or_profile(
    settings: dict[str, str],
    argument: str | None,
    expected: str | None,
    api: API,
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    write(tmp_path, "[default]\nregion = eu-west-1\n[profile p]\nregion = eu-west-2\n")

    assert api.run(api.chain(environ | settings, region=argument).region()) == expected


@pytest.mark.parametrize("region", ["a/b", "eu west", "x\r\nHost: y", "evil.com/", "a" * 65])
def test_a_region_that_cannot_be_one_is_refused(
    region: str, api: API, environ: dict[str, str]
) -> None:
    with pytest.raises(InvalidAccountError, match="cannot be the name of a region"):
        api.run(api.chain(environ | {"AWS_REGION": region}).region())


@pytest.mark.parametrize(
    ("environ", "region", "expected"),
    [
        ({}, "eu-west-1", "https://sts.eu-west-1.amazonaws.com"),
        ({}, "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        ({}, "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"),
        ({}, "us-iso-east-1", "https://sts.us-iso-east-1.c2s.ic.gov"),
        ({}, "us-isob-east-1", "https://sts.us-isob-east-1.sc2s.sgov.gov"),
        ({}, "eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu"),
        ({"AWS_ENDPOINT_URL": "http://a/"}, "eu-west-1", "http://a"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_STS": "http://b"}, "x", "http://b"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "eu-west-1",
            "https://sts.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_sts_is_asked_in_the_region(environ: dict[str, str], region: str, expected: str) -> None:
    assert sts_endpoint(environ, region) == expected


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(InvalidAccountError, match="AWS_ENDPOINT_URL_STS is not a URL"):
        sts_endpoint({"AWS_ENDPOINT_URL_STS": "localhost:5000"}, "eu-west-1")


@pytest.mark.parametrize("region", ["evil.com/", "eu_west", "x", "a-b.example.com#"])
def test_sts_is_not_asked_elsewhere(region: str) -> None:
    with pytest.raises(InvalidAccountError, match="not the name of an AWS region"):
        sts_endpoint({}, region)


# -- secrets -------------------------------------------------------------------------------------


def test_nothing_that_is_logged_or_shown_holds_a_secret(
    api: API, environ: dict[str, str], servers: Servers, tmp_path: Path, caplog: Any
) -> None:
    write(
        tmp_path,
        f"[default]\nrole_arn = {ROLE}r1\nsource_profile = base\n",
        "[base]\n" + KEYS.format("BASE") + "aws_session_token = base-token\n",
    )
    chain = api.chain(environ)

    with caplog.at_level(logging.DEBUG):
        credentials = api.run(chain.credentials())

    text = caplog.text + repr(credentials) + repr(vars(chain))
    for secret in ("BASE-secret", "base-token", "r1-by-BASE-secret", "r1-by-BASE-token"):
        assert secret not in text


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{tmp}/token", "AWS_ROLE_ARN": f"{ROLE}r1"},
        {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "hidden hidden"},
    ],
    ids=["role", "web identity", "environment"],
)
def test_a_traceback_with_variables_holds_no_secret(
    settings: dict[str, str], api: API, environ: dict[str, str], servers: Servers, tmp_path: Path
) -> None:
    write(
        tmp_path,
        f"[profile p]\nrole_arn = {ROLE}r1\nsource_profile = base\n",
        "[base]\naws_access_key_id = BASE\naws_secret_access_key = hidden\n"
        "aws_session_token = hidden\n",
    )
    (tmp_path / "token").write_text("hidden")
    servers.answers["/"] = (403, b"<ErrorResponse/>")
    environ |= {name: value.replace("{tmp}", str(tmp_path)) for name, value in settings.items()}
    chain = api.chain(environ, profile=None if settings else "p")

    with pytest.raises(CloudError) as caught:
        api.run(chain.credentials())

    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if "/providers/aws/" in frame.filename]
    shown_values = "".join(str(frame.locals) for frame in ours if "/tests/" not in frame.filename)
    assert "'self'" in shown_values
    assert "hidden" not in shown_values
