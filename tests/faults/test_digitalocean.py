"""The fault matrix of DigitalOcean."""

import pytest

from tests.faults.matrix import APIS, failures
from tests.faults.operations import rows

pytestmark = pytest.mark.server


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("row", rows("digitalocean", "compute", "dns"), ids=str)
def test_every_fault_has_its_declared_outcome(digitalocean, row, api):
    assert failures(digitalocean, row, api) == []
