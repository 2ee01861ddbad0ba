"""The Ceph object gateway that the tests start."""

import socket
import urllib.request

import pytest

from tests.servers.ceph import Ceph

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(Ceph.missing()), reason=f"Ceph lacks {', '.join(Ceph.missing())}"),
]


def test_it_answers_as_anonymous_and_is_gone_after_its_end():
    with Ceph() as ceph:
        with urllib.request.urlopen(ceph.url, timeout=10) as answer:
            assert b"<ListAllMyBucketsResult" in answer.read()
        port = ceph.port

    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", port)) != 0
