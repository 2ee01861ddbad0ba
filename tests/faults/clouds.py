"""The servers that stand in for providers: how to reach them, and things to work with."""

from __future__ import annotations

import base64
import importlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from anysky import RetryPolicy
from anysky.compute import NodeImage, NodeSize
from tests.support.faults import Answer

XML = ("Content-Type", "text/xml")
REQUEST_ID = "request-5f0c8e"
CONTENT = bytes(range(256)) * 8

Errors = Callable[[str, str], bytes]


def _ec2_error(code: str, message: str) -> bytes:
    error = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    return f"<Response>{error}<RequestID>{REQUEST_ID}</RequestID></Response>".encode()


def _s3_error(code: str, message: str) -> bytes:
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    return f"<Error>{inner}<RequestId>{REQUEST_ID}</RequestId></Error>".encode()


def _query_error(code: str, message: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    root = "ErrorResponse"
    return f"<{root}>{error}<RequestId>{REQUEST_ID}</RequestId></{root}>".encode()


def _json_error(code: str, message: str) -> bytes:
    return json.dumps({"id": code, "message": message, "request_id": REQUEST_ID}).encode()


def _public_key(number: int) -> str:
    """A public key that no other number has, in OpenSSH's format."""
    kind, value = b"ssh-ed25519", number.to_bytes(32, "big")
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, value))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


class Cloud:
    """A provider, played by a server at `url`.

    Things are made through drivers of the blocking API that no fault strikes.

    Attributes:
        elsewhere: URL of a server that nobody may be sent to.
        provider: Its name.
        secrets: What no error may show.
        services: Name of the provider's driver for each kind of service.
    """

    provider = ""
    secrets: tuple[str, ...] = ()
    services: ClassVar[Mapping[str, str]] = {}
    codes: ClassVar[Mapping[str, tuple[int, str]]] = {}
    size = NodeSize("", "", 0, 0, None, None, None)
    image = NodeImage("", "", None)

    def __init__(self, url: str, elsewhere: str, reset: Callable[[], object]) -> None:
        self.url = url
        self.elsewhere = elsewhere
        self._reset = reset
        self._drivers: dict[str, Any] = {}
        self._shared: dict[str, Any] = {}
        self._count = 0
        self._folder = tempfile.TemporaryDirectory(prefix="anysky-faults-")

    def clear(self) -> None:
        """Forget everything that was made."""
        self._shared.clear()
        self._reset()

    def close(self) -> None:
        while self._drivers:
            self._drivers.popitem()[1].close()
        self._folder.cleanup()

    def settings(self, url: str) -> dict[str, Any]:
        """Arguments of a driver's class, for a server at a URL."""
        raise NotImplementedError

    def error(self, kind: str, status: int, code: str, message: str) -> Answer:
        """An error as a service of this provider words it."""
        raise NotImplementedError

    def driver(self, kind: str) -> Any:
        """The driver through which things are made and looked at."""
        if kind not in self._drivers:
            make = importlib.import_module(f"anysky.{kind}").get_driver(self.services[kind])
            self._drivers[kind] = make(**self.settings(self.url), retry=RetryPolicy(attempts=1))
        return self._drivers[kind]

    def name(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    def shared(self, what: str) -> Any:
        """Something that operations look at and do not change, made once."""
        if what not in self._shared:
            self._shared[what] = getattr(self, what)()
        return self._shared[what]

    # -- things ----------------------------------------------------------------------------------

    def node(self) -> Any:
        return self.driver("compute").create_node(
            name=self.name("node"), size=self.size, image=self.image
        )

    def stopped_node(self) -> Any:
        node = self.node()
        node.stop_node()
        return node

    def node_image(self) -> Any:
        return self.driver("compute").create_image(self.shared("node"), self.name("image"))

    def volume(self) -> Any:
        return self.driver("compute").create_volume(10, self.name("volume"))

    def attached_volume(self) -> Any:
        volume = self.volume()
        volume.attach(self.node())
        return volume

    def volume_snapshot(self) -> Any:
        return self.volume().snapshot(self.name("snapshot"))

    def key_pair(self) -> Any:
        return self.driver("compute").import_key_pair_from_string(
            self.name("key"), self.public_key()
        )

    def public_key(self) -> str:
        self._count += 1
        return _public_key(self._count)

    def container(self) -> Any:
        return self.driver("storage").create_container(self.name("anysky-container"))

    def object(self) -> Any:
        container = self.shared("container")
        return container.upload_object_via_stream(CONTENT, self.name("object"))

    def zone(self) -> Any:
        return self.driver("dns").create_zone(self.name("zone") + ".example.com")

    def record(self) -> Any:
        zone = self.shared("zone")
        return zone.create_record(self.name("www"), "A", "192.0.2.1", {"ttl": 3600})

    def balancer(self) -> Any:
        name = self.name("balancer")
        return self.driver("loadbalancer").create_balancer(name, 80, "http", None, None)

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder.name))


class AWS(Cloud):
    """AWS, played by moto."""

    provider = "aws"
    secrets = ("canary/secret+key=5f0c8e",)
    services: ClassVar[Mapping[str, str]] = {
        "compute": "ec2",
        "storage": "s3",
        "dns": "route53",
        "loadbalancer": "alb",
    }
    codes: ClassVar[Mapping[str, tuple[int, str]]] = {
        "expired token": (400, "ExpiredToken"),
        "clock skew": (403, "RequestTimeTooSkewed"),
        "busy": (409, "IncorrectState"),
        "throttled": (429, "TooManyRequestsException"),
        "failed": (500, "InternalError"),
        "overloaded": (503, "ServiceUnavailable"),
    }
    size = NodeSize("t3.micro", "t3.micro", 1024, 0, None, None, None)
    image = NodeImage("ami-1e749f67", "Ubuntu", None)
    _ERRORS: ClassVar[Mapping[str, Errors]] = {
        "compute": _ec2_error,
        "storage": _s3_error,
        "dns": _query_error,
        "loadbalancer": _query_error,
        "tokens": _query_error,
    }

    def settings(self, url: str) -> dict[str, Any]:
        keys = {"key": "AKIACANARY0EXAMPLE01", "secret": self.secrets[0]}
        return {**keys, "region": "eu-west-1", "endpoint": url, "rate": 0}

    def error(self, kind: str, status: int, code: str, message: str) -> Answer:
        return Answer(status, self._ERRORS[kind](code, message), (XML,))

    def environ_of_role(self, url: str) -> dict[str, str]:
        """Settings with which AWS's SDKs take a role's credentials from STS at a URL."""
        token = self.folder() / "token"
        token.write_text("a-web-identity-token")
        nothing = str(token.with_name("none"))
        return {
            "AWS_ENDPOINT_URL_STS": url,
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/tests",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
        }


class DigitalOcean(Cloud):
    """DigitalOcean, played by its imitation."""

    provider = "digitalocean"
    secrets = ("dop_v1_canary5f0c8e",)
    services: ClassVar[Mapping[str, str]] = {
        "compute": "digitalocean",
        "dns": "digitalocean",
        "loadbalancer": "digitalocean",
    }
    codes: ClassVar[Mapping[str, tuple[int, str]]] = {
        "expired token": (401, "unauthorized"),
        "clock skew": (403, "forbidden"),
        "busy": (409, "conflict"),
        "throttled": (429, "too_many_requests"),
        "failed": (500, "server_error"),
        "overloaded": (503, "service_unavailable"),
    }
    size = NodeSize("s-1vcpu-1gb", "s-1vcpu-1gb", 1024, 25, None, None, None)
    image = NodeImage("debian-12-x64", "Debian", None)

    def settings(self, url: str) -> dict[str, Any]:
        return {"key": self.secrets[0], "region": "fra1", "endpoint": url, "rate": 0}

    def error(self, kind: str, status: int, code: str, message: str) -> Answer:
        return Answer(status, _json_error(code, message), (("Content-Type", "application/json"),))

    def node(self) -> Any:
        node = super().node()
        return self.driver("compute").get_node(node.id)  # it is ready once it was looked at
