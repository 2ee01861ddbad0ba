"""The rigs: a provider's stand-in with the fault server in front of it."""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.faults.clouds import AWS, DigitalOcean
from tests.faults.matrix import Rig
from tests.imitations.digitalocean import DigitalOceanImitation
from tests.support.faults import FaultServer, Reply
from tests.support.loopback import Received

_ZONE_EXISTS = Reply(
    409,
    (("Content-Type", "text/xml"),),
    b"<ErrorResponse><Error><Type>Sender</Type><Code>HostedZoneAlreadyExists</Code></Error>"
    b"</ErrorResponse>",
)


class Front(FaultServer):
    """Knows a token that it gets twice, as AWS does; moto makes another thing.

    EC2 answers as before, Route 53 that there is such a zone.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream=upstream)
        self._known: dict[bytes, Reply] = {}

    def work(self, request: Received) -> Reply:
        token = re.search(rb"ClientToken=[^&]+|<CallerReference>[^<]+", request.body)
        if token is None:
            return super().work(request)
        if token[0] not in self._known:
            self._known[token[0]] = super().work(request)
        elif token[0].startswith(b"<"):
            return _ZONE_EXISTS
        return self._known[token[0]]


@contextlib.contextmanager
def _rig(make_cloud, url, reset, certificates):
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(FaultServer())
        front = stack.enter_context(Front(upstream=url))
        cloud = stack.enter_context(contextlib.closing(make_cloud(url, elsewhere.url, reset)))
        cloud.clear()
        yield Rig(cloud, front, elsewhere, certificates)
        front.clear()
        assert elsewhere.requests == []


@pytest.fixture
def aws(moto_server, certificates):
    with _rig(AWS, moto_server.url, moto_server.reset, certificates) as rig:
        yield rig


@pytest.fixture
def digitalocean(certificates):
    with (
        DigitalOceanImitation(DigitalOcean.secrets[0], polls=0) as server,
        _rig(DigitalOcean, server.url, server.clear, certificates) as rig,
    ):
        yield rig
