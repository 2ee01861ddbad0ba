"""What each provider can do, read from the code."""

from __future__ import annotations

import importlib

from anysky.backend.base import Backend
from anysky.names import DriverType
from anysky.registry import load_backend, providers

__all__ = ["capabilities", "contract_operations"]

_CONTRACTS = {
    DriverType.COMPUTE: "anysky.backend.compute:ComputeBackend",
    DriverType.STORAGE: "anysky.backend.storage:StorageBackend",
    DriverType.DNS: "anysky.backend.dns:DNSBackend",
    DriverType.LOADBALANCER: "anysky.backend.loadbalancer:LoadBalancerBackend",
}


def contract_operations(kind: DriverType) -> list[str]:
    """Return the operations of a service's contract, in the order in which it declares them."""
    module, _, name = _CONTRACTS[kind].partition(":")
    contract: type[Backend] = getattr(importlib.import_module(module), name)
    known = set(contract.operations())
    return [operation for operation in vars(contract) if operation in known]


def capabilities(kind: DriverType) -> dict[str, dict[str, bool]]:
    """Return for each provider of a service which operations of its contract it has.

    Keys are the providers' names in ``get_driver``, in alphabetical order.
    """
    operations = contract_operations(kind)
    table: dict[str, dict[str, bool]] = {}
    for provider in providers():
        if kind in provider.services:
            first = provider.services[kind]
            for service in (first, *first.others):
                backend: type[Backend] = load_backend(provider, kind, service.name)
                table[service.name] = {one: backend.supports(one) for one in operations}
    return dict(sorted(table.items()))
