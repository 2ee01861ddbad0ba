"""A fixture for pytest: a cloud in memory, with drivers of every service in both APIs.

pytest finds it by itself where anysky is installed::

    def test_backup(anysky):
        backup(anysky.compute)

        assert list(anysky.cloud.inventory()) == ["snapshots"]
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import anysky.aio.compute
    import anysky.aio.dns
    import anysky.aio.loadbalancer
    import anysky.aio.storage
    import anysky.compute
    import anysky.dns
    import anysky.loadbalancer
    import anysky.storage
    from anysky.providers.memory import Cloud

__all__ = ["AsyncioClouds", "Clouds", "clouds"]

_NAME = "memory"


class AsyncioClouds:
    """Drivers of the asyncio API on one cloud; each is made when it is first asked for.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @cached_property
    def compute(self) -> anysky.aio.compute.NodeDriver:
        """Compute."""
        from anysky.aio.compute import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def storage(self) -> anysky.aio.storage.StorageDriver:
        """Storage."""
        from anysky.aio.storage import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def dns(self) -> anysky.aio.dns.DNSDriver:
        """DNS."""
        from anysky.aio.dns import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def loadbalancer(self) -> anysky.aio.loadbalancer.LoadBalancerDriver:
        """Load balancers."""
        from anysky.aio.loadbalancer import get_driver

        return get_driver(_NAME)(cloud=self.cloud)


class Clouds:
    """A new cloud in memory, and drivers of the blocking API on it.

    The drivers are made when they are first asked for. They open no connection, so that nothing
    has to be closed.

    Attributes:
        cloud: The cloud.
        aio: Drivers of the asyncio API on the same cloud.
    """

    def __init__(self) -> None:
        from anysky.providers.memory import Cloud

        self.cloud = Cloud()
        self.aio = AsyncioClouds(self.cloud)

    @cached_property
    def compute(self) -> anysky.compute.NodeDriver:
        """Compute."""
        from anysky.compute import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def storage(self) -> anysky.storage.StorageDriver:
        """Storage."""
        from anysky.storage import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def dns(self) -> anysky.dns.DNSDriver:
        """DNS."""
        from anysky.dns import get_driver

        return get_driver(_NAME)(cloud=self.cloud)

    @cached_property
    def loadbalancer(self) -> anysky.loadbalancer.LoadBalancerDriver:
        """Load balancers."""
        from anysky.loadbalancer import get_driver

        return get_driver(_NAME)(cloud=self.cloud)


@pytest.fixture(name="anysky")
def clouds() -> Clouds:
    """A cloud in memory that is new for each test, and drivers on it."""
    return Clouds()
