import pytest

from tests.transport.runners import RUNNERS

_SERVERS = {"faults", "proxy", "digitalocean"}


@pytest.fixture(params=RUNNERS, ids=lambda kind: kind.name)
def api(request):
    for name in _SERVERS.intersection(request.fixturenames):
        request.getfixturevalue(name)  # servers end after their clients
    runner = request.param()
    yield runner
    runner.close()
