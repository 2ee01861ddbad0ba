"""Conformance suites: what every provider must do, for its author to run with a few lines.

With pytest, for a provider that is called ``acme``::

    from anysky.testing import ComputeSetup, cases

    @pytest.mark.parametrize("case", cases("compute", "acme"), ids=str)
    def test_compute(case, acme_server):
        case.run(ComputeSetup({"key": "t", "endpoint": acme_server}, size="small", image="debian"))

Each case is written once and run in the blocking and in the asyncio API, against a server that is
given by its endpoint: an imitation, or the provider itself. Both APIs must send the same requests,
and no secret may show in what is returned, raised or logged. pytest is not needed.
"""

from .case import Case, cases, failure_cases
from .setup import ComputeSetup, DNSSetup, LoadBalancerSetup, Setup, StorageSetup
from .trial import Trial

__all__ = [
    "Case",
    "ComputeSetup",
    "DNSSetup",
    "LoadBalancerSetup",
    "Setup",
    "StorageSetup",
    "Trial",
    "cases",
    "failure_cases",
]
