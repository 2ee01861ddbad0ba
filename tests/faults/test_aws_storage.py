"""The fault matrix of S3."""

import pytest

from tests.faults.matrix import APIS, failures
from tests.faults.operations import rows

pytestmark = pytest.mark.server


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("row", rows("aws", "storage"), ids=str)
def test_every_fault_has_its_declared_outcome(aws, row, api):
    assert failures(aws, row, api) == []
