"""The fault matrix: Route 53, load balancers and tokens of AWS."""

import pytest

from tests.faults.matrix import failures
from tests.faults.operations import rows
from tests.faults.outcomes import APIS

pytestmark = pytest.mark.server


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("row", rows("aws", "dns", "loadbalancer", "tokens"), ids=str)
def test_every_fault_has_its_declared_outcome(aws, row, api):
    problems = failures(aws, row, api)

    assert not problems, "\n".join(problems)
