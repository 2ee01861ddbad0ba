"""A transport that plays a script, and a backend of S3 over it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.botocore_models import check_request

from anysky.backend.storage import StorageBackend
from anysky.model.storage import Container, Object
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.base import Body, Request, Response
from anysky.wire.s3 import S3Storage, Site

ENDPOINT = "https://objects.example.com"
BUCKET = Container("box")
KEY = "a b/é+%20x&=;~"
PATH = "/box/a%20b/%C3%A9%2B%2520x%26%3D%3B~"


class Stream:
    """The body of an answer, in the pieces given."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.closed = False

    async def read(self, size):
        return self.pieces.pop(0) if self.pieces else b""

    async def close(self):
        self.closed = True


@dataclass
class Script:
    """A transport that answers in order, and keeps what it was sent."""

    answers: list = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def send(self, request):
        self.sent.append(request)
        body = request.body
        self.bodies.append(body if isinstance(body, bytes) else b"".join(body.open()))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def close(self):
        pass


class Runtime(BlockingRuntime):
    """A runtime whose waits take no time."""

    def __init__(self):
        self.waits = []

    async def sleep(self, seconds):
        self.waits.append(seconds)


class FakeSigner:
    """Signs nothing, and knows the regions of endpoints that it was told."""

    def __init__(self):
        self.regions = {}

    def use_region(self, endpoint, region):
        self.regions[endpoint] = region

    async def presign(self, method, endpoint, path, params, expires):
        return f"{endpoint}{path}?signed-for={method}&expires={expires}"


class Backend(S3Storage, StorageBackend):
    """The protocol at another provider's endpoint: all that one has to write."""

    def __init__(self, *answers, region="us-east-1", virtual=False, checksums=()):
        self.transport = self.script = Script(list(answers))
        self.runtime = Runtime()
        self.site = Site(ENDPOINT, region, virtual)
        self.signer = FakeSigner()
        if checksums:
            self.checksums = checksums

    async def _site(self):
        return self.site

    def _presigner(self):
        return self.signer

    @property
    def lines(self):
        """Method and target of everything sent, each of which fits botocore's model."""
        for request, body in zip(self.script.sent, self.script.bodies, strict=True):
            check_request(
                "s3", request.method, request.endpoint + request.target, request.headers, body
            )
        return [f"{request.method} {request.target}" for request in self.script.sent]


def answer(status=200, body="", **headers):
    """An answer; header fields have underscores in place of hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, body.encode())


def error(code, status=400, message="Told so.", more="", **headers):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return answer(status, body, **headers)


def thing(name=KEY, size=10, **extra):
    return Object(name, size, None, extra, {}, BUCKET)


def body_of(*pieces, length=None):
    return Body(lambda: iter(pieces), length)
