"""The fault matrix: nodes, images and load balancers of DigitalOcean."""

import pytest

from tests.faults.matrix import failures
from tests.faults.operations import rows
from tests.faults.outcomes import APIS


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("row", rows("digitalocean", "compute", "loadbalancer"), ids=str)
def test_every_fault_has_its_declared_outcome(digitalocean, row, api):
    problems = failures(digitalocean, row, api)

    assert not problems, "\n".join(problems)
