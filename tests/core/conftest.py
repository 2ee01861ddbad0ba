import pytest

from tests.core.echo import APIS
from tests.core.echo_server import echo_server


@pytest.fixture(params=APIS, ids=lambda kind: kind.name)
def api(request):
    if "faults" in request.fixturenames:
        request.getfixturevalue("faults")  # it ends after its clients
    runner = request.param()
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def echo():
    with echo_server() as url:
        yield url
