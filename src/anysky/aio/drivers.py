"""Get a driver's class by the kind of service and the provider's name."""

from __future__ import annotations

from typing import Literal, overload

from anysky.errors import DriverTypeNotFoundError
from anysky.names import DriverType
from anysky.registry import driver_class

from .compute import NodeDriver
from .dns import DNSDriver
from .loadbalancer import LoadBalancerDriver
from .storage import StorageDriver

__all__ = ["get_driver"]


@overload
def get_driver(type: Literal[DriverType.COMPUTE, "compute"], provider: str) -> type[NodeDriver]: ...
@overload
def get_driver(
    type: Literal[DriverType.STORAGE, "storage"], provider: str
) -> type[StorageDriver]: ...
@overload
def get_driver(type: Literal[DriverType.DNS, "dns"], provider: str) -> type[DNSDriver]: ...
@overload
def get_driver(
    type: Literal[DriverType.LOADBALANCER, "loadbalancer"], provider: str
) -> type[LoadBalancerDriver]: ...


def get_driver(
    type: str, provider: str
) -> type[NodeDriver | StorageDriver | DNSDriver | LoadBalancerDriver]:
    """Return the class of a provider's driver for a kind of service.

    Args:
        type: A constant of `DriverType`, or its string in any case.
        provider: Name of the provider.

    Raises:
        DriverTypeNotFoundError: There is no such kind of service.
        UnknownProviderError: There is no such provider.
    """
    kind = str(type).lower()
    if kind == DriverType.COMPUTE:
        return driver_class(NodeDriver, kind, provider)
    if kind == DriverType.STORAGE:
        return driver_class(StorageDriver, kind, provider)
    if kind == DriverType.DNS:
        return driver_class(DNSDriver, kind, provider)
    if kind == DriverType.LOADBALANCER:
        return driver_class(LoadBalancerDriver, kind, provider)
    raise DriverTypeNotFoundError(
        f"there is no service {type!r}; there are {', '.join(DriverType)}"
    )
