"""The fault matrix of Route 53."""

import pytest

from tests.faults.matrix import APIS, failures
from tests.faults.operations import rows

pytestmark = pytest.mark.server


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("row", rows("aws", "dns"), ids=str)
def test_every_fault_has_its_declared_outcome(aws, row, api):
    assert failures(aws, row, api) == []
