"""fsspec's own tests, for a file system on a Ceph object gateway."""

from __future__ import annotations

import pytest

from tests.integrations.suite import EveryTest, Fixtures
from tests.servers.ceph import Ceph

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(Ceph.missing()), reason=f"Ceph lacks {', '.join(Ceph.missing())}"),
]


@pytest.fixture(scope="module")
def ceph():
    with Ceph() as gateway:
        yield gateway


class TestCeph(Fixtures, EveryTest):
    @pytest.fixture
    def options(self, ceph):
        keys = {"key": ceph.access_key, "secret": ceph.secret_key}
        return {"provider": "ceph", "endpoint": ceph.url, "rate": 0, **keys}
