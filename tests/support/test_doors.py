"""Doors are shut as often as they should be, and then let clients in."""

import contextlib
import socket
import ssl
import urllib.request

import pytest

from tests.support.certificates import Certificates
from tests.support.doors import CertificateDoor, RefusingDoor, SilentDoor, UnknownDoor
from tests.support.faults import FaultServer


def knock(door, **options):
    """What a client finds: the body of the answer, or why it could not connect."""
    door.knock()
    try:
        with contextlib.closing(urllib.request.urlopen(door.url, timeout=0.2, **options)) as answer:
            return answer.read()
    except OSError as error:
        return type(getattr(error, "reason", error))


@pytest.mark.parametrize(
    ("kind", "shut"),
    [
        (UnknownDoor, socket.gaierror),
        (RefusingDoor, ConnectionRefusedError),
        (SilentDoor, TimeoutError),
    ],
)
def test_door_opens_after_some_knocks_or_never(faults, kind, shut):
    with kind(faults.port, times=2) as door:
        assert [knock(door) for _ in range(4)] == [shut, shut, b"{}", b"{}"]
        assert door.hits == 2
    with kind(faults.port, times=None) as door:
        assert [knock(door) for _ in range(3)] == [shut] * 3
        assert door.hits == 3


@pytest.mark.parametrize("kind", ["expired", "wrong name"])
def test_certificate_that_nobody_may_accept(tmp_path, kind):
    certificates = Certificates(tmp_path)
    with CertificateDoor(certificates, kind) as door:
        found = knock(door, context=certificates.client_context())

    assert (found, door.hits) == (ssl.SSLCertVerificationError, 1)


def test_client_that_accepts_a_bad_certificate_fails_the_test(tmp_path):
    careless = ssl._create_unverified_context()
    door = CertificateDoor(Certificates(tmp_path), "expired")

    with pytest.raises(AssertionError, match="no client refused the certificate"), door:
        knock(door, context=careless)


def test_other_names_are_resolved_as_ever():
    with FaultServer() as server, UnknownDoor(server.port, None):
        assert urllib.request.urlopen(f"{server.url}/").read() == b"{}"
