"""The places that hand out AWS credentials to who is there: programs, containers, instances.

Written from https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and
https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from anysky.deadlines import deadline
from anysky.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidAccountError,
    MalformedResponseError,
    OutcomeUnknownError,
    ProviderUnavailableError,
)
from anysky.secret import Secret
from anysky.transport.base import Request, quote
from anysky.wire.aws_sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anysky.providers.aws.key_json import Keys
    from anysky.runtime.base import Runtime
    from anysky.transport.base import Response, Transport

__all__ = [
    "Fresh",
    "clock_of",
    "from_container",
    "from_instance",
    "from_process",
    "header_text",
    "read_text",
    "unix_time",
    "url_setting",
]

CONTAINER_TIMEOUT = 2.0
CONTAINER_ATTEMPTS = 2
INSTANCE_TOKEN_LIFETIME = 6 * 3600
# While AWS cannot renew keys, the metadata service hands out expired ones, which still work.
OUTAGE_EXTENSION = 10 * 60.0

_CONTAINER_ENDPOINT = "http://169.254.170.2"
_CONTAINER_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
_INSTANCE_ENDPOINTS = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
_ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
_PASSING = (
    ConnectionFailedError,
    DeadlineExceededError,
    OutcomeUnknownError,
    ProviderUnavailableError,
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """Credentials, and the time by the clock of whoever made them, in unix seconds."""

    credentials: Credentials
    clock: float


async def from_process(runtime: Runtime, command: str) -> Fresh:
    """Run a `credential_process` and read what it prints.

    Raises:
        InvalidAccountError: The command cannot be run, or fails.
        MalformedResponseError: It prints something else than credentials.
    """
    failure = ""
    output = b""
    try:
        output = await runtime.run_process(_words(command))
    except (OSError, ValueError) as error:
        failure = str(error)
    if failure:  # raised here, so that what the program printed is not in the error's context
        raise InvalidAccountError(f"the credential_process of the AWS profile failed: {failure}")
    keys = _decode(output, "the credential_process of the AWS profile")
    if keys.version != 1:
        raise MalformedResponseError(
            f"the credential_process of the AWS profile speaks version {keys.version}, not 1"
        )
    return Fresh(_credentials(keys, keys.session_token, "credential_process"), runtime.time())


async def from_container(runtime: Runtime, transport: Transport) -> Fresh:
    """Ask the agent of the container (ECS, EKS Pod Identity, Greengrass) for credentials.

    Raises:
        InvalidAccountError: No address is set, or it is none that may be asked.
        CloudError: The agent cannot be reached, refuses, or answers nonsense.
    """
    endpoint, path = _container_address(runtime.environ)
    headers = {"Accept": "application/json"}
    token = await _container_token(runtime)
    if token:
        headers["Authorization"] = token.reveal()
    place = "the credentials endpoint of the container"
    request = Request("GET", path, headers=headers, endpoint=endpoint, operation="credentials")
    response = await _ask(transport, request, place, CONTAINER_TIMEOUT, CONTAINER_ATTEMPTS)
    keys = _decode(response.body, place)
    return Fresh(_credentials(keys, keys.token, place), clock_of(response, runtime))


async def from_instance(runtime: Runtime, transport: Transport) -> Fresh:
    """Ask the instance metadata service (version 2) for the credentials of the instance's role.

    Raises:
        InvalidAccountError: The service is switched off by `AWS_EC2_METADATA_DISABLED`.
        CloudError: The service cannot be reached, has no role, or answers nonsense.
    """
    environ = runtime.environ
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise InvalidAccountError("AWS_EC2_METADATA_DISABLED forbids asking the metadata service")
    place = "the instance metadata service"
    endpoint = _instance_endpoint(environ)
    timeout = _positive(environ, "AWS_METADATA_SERVICE_TIMEOUT")
    attempts = int(_positive(environ, "AWS_METADATA_SERVICE_NUM_ATTEMPTS"))

    async def ask(method: str, path: str, headers: Mapping[str, str]) -> Response:
        request = Request(method, path, headers=headers, endpoint=endpoint, operation="credentials")
        return await _ask(transport, request, place, timeout, attempts)

    answer = await ask(
        "PUT",
        "/latest/api/token",
        {"X-aws-ec2-metadata-token-ttl-seconds": str(INSTANCE_TOKEN_LIFETIME)},
    )
    token = {"X-aws-ec2-metadata-token": header_text(answer.body, place).reveal()}
    roles = (await ask("GET", _ROLE_PATH, token)).body.decode("utf-8", "replace").split()
    if not roles:
        raise AuthenticationError("the instance has no role attached")
    answer = await ask("GET", _ROLE_PATH + quote(roles[0]), token)
    keys = _decode(answer.body, place)
    credentials = _credentials(keys, keys.token, place)
    return Fresh(credentials, _during_outage(credentials, clock_of(answer, runtime)))


def unix_time(text: str | None) -> float | None:
    """Read a date of ISO 8601 as unix seconds; without a time zone it is UTC.

    Raises:
        MalformedResponseError: It is no such date.
    """
    if not text:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedResponseError(
            f"AWS credentials come with an unreadable expiry date {text[:40]!r}"
        ) from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def header_text(value: bytes, place: str) -> Secret:
    """Return a token that can stand in a header field, without the line break at its end.

    Raises:
        MalformedResponseError: It holds line breaks or other characters that no token has.
    """
    value = value.strip()
    if not value or not value.isascii() or not value.decode("ascii").isprintable():
        raise MalformedResponseError(f"{place} gives a token that no header field can hold")
    return Secret(value.decode("ascii"))


async def read_text(runtime: Runtime, path: str, what: str) -> Secret:
    """Read a file that holds one token.

    Raises:
        InvalidAccountError: It cannot be read, or is not text.
    """
    try:
        return Secret((await runtime.read_file(path)).decode().strip())
    except OSError as error:
        reason = error.strerror or "failed"
    except UnicodeDecodeError:
        reason = "it is not text"
    raise InvalidAccountError(f"cannot read the {what} from {path}: {reason}")


def url_setting(environ: Mapping[str, str], variable: str) -> str:
    """Return the URL in a variable, without the slash at its end; empty if it is not set.

    Raises:
        InvalidAccountError: It is no http or https URL.
    """
    url = environ.get(variable, "").rstrip("/")
    parts = _split(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise InvalidAccountError(f"{variable} is not a URL that starts with https:// or http://")
    return url


def _words(command: str) -> list[str]:
    """Split a command line without a shell, by the quoting of the platform."""
    if sys.platform == "win32":  # where backslashes separate folders
        words = [word.strip('"') for word in shlex.split(command, posix=False)]
    else:
        words = shlex.split(command)
    if not words:
        raise ValueError("it is empty")
    return words


def _container_address(environ: Mapping[str, str]) -> tuple[str, str]:
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if relative:
        return _CONTAINER_ENDPOINT, _path(relative, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    parts = _split(environ.get(variable, ""))
    host = "" if "@" in parts.netloc else parts.hostname or ""
    local = parts.scheme == "http" and _is_container_host(host)
    if not host or not (local or parts.scheme == "https"):
        raise InvalidAccountError(
            f"{variable} must be an https URL, or an http URL of this machine or of the address "
            "of a container agent"
        )
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"{parts.scheme}://{parts.netloc}", _path(path, variable)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _is_container_host(host: str) -> bool:
    if host in _CONTAINER_HOSTS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _path(path: str, variable: str) -> str:
    printable = path.isascii() and path.isprintable() and " " not in path
    if not path.startswith("/") or not printable:
        raise InvalidAccountError(f"{variable} does not hold the path of a URL")
    return path


async def _container_token(runtime: Runtime) -> Secret | None:
    environ = runtime.environ
    path = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if path:
        token = await read_text(runtime, path, "token of the container agent")
    else:
        token = Secret(environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""))
    if not token:
        return None
    return header_text(token.reveal().encode("utf-8", "replace"), "the container's environment")


def _instance_endpoint(environ: Mapping[str, str]) -> str:
    configured = url_setting(environ, "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    if configured:
        return configured
    mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") or "ipv4"
    if mode.lower() not in _INSTANCE_ENDPOINTS:
        raise InvalidAccountError("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6")
    return _INSTANCE_ENDPOINTS[mode.lower()]


def _positive(environ: Mapping[str, str], variable: str) -> float:
    """Read a setting that is 1 unless it is a larger number."""
    try:
        return max(float(environ.get(variable) or 1), 1.0)
    except ValueError:
        raise InvalidAccountError(f"{variable} is not a number") from None


async def _ask(
    transport: Transport, request: Request, place: str, seconds: float, attempts: int
) -> Response:
    for _ in range(attempts - 1):
        with contextlib.suppress(*_PASSING):
            return await _ask_once(transport, request, place, seconds)
    return await _ask_once(transport, request, place, seconds)


async def _ask_once(transport: Transport, request: Request, place: str, seconds: float) -> Response:
    with deadline(seconds):
        response = await transport.send(request)
    if response.status >= 500:  # noqa: PLR2004 - it failed
        raise ProviderUnavailableError(f"{place} failed", status=response.status)
    if response.status != 200:  # noqa: PLR2004 - anything else is a refusal
        raise AuthenticationError(f"{place} gives no AWS credentials", status=response.status)
    return response


def _decode(body: bytes, place: str) -> Keys:
    # Imported here because who gives keys as arguments needs no decoder.
    from anysky.providers.aws.key_json import decode_keys

    return decode_keys(body, place)


def _credentials(keys: Keys, token: Secret | None, place: str) -> Credentials:
    if not keys.access_key_id or not keys.secret_access_key:
        said = f": {keys.code[:80]!r}" if keys.code else ""
        raise MalformedResponseError(f"{place} answers without an AWS access key{said}")
    ends = unix_time(keys.expiration)
    return Credentials(keys.access_key_id, keys.secret_access_key, token or None, ends)


def clock_of(response: Response, runtime: Runtime) -> float:
    """Return the time at which an answer was made, by the clock of its maker if it says so."""
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return runtime.time()
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _during_outage(credentials: Credentials, clock: float) -> float:
    ends = credentials.expires_at
    return clock if ends is None or ends > clock else ends - OUTAGE_EXTENSION
