"""A cloud in memory, for the tests of programs: all services, at no cost.

It has no vendor: what it does, and how it refuses, follows the contracts in `anysky.backend`.
"""

from __future__ import annotations

from anysky.account import Account, account, setting
from anysky.errors import InvalidAccountError
from anysky.registry import Provider, Service
from anysky.secret import Secret

from .cloud import Call, Cloud, Fault

__all__ = ["Call", "Cloud", "Fault", "Memory", "provider"]


@account
class Memory(Account):
    """Settings for the memory cloud; all may be left out."""

    positional = ("key", "secret")

    key: Secret | None = setting(
        "taken so that a program gives what it gives elsewhere; anything will do",
        default=None,
        secret=True,
    )
    secret: Secret | None = setting("the same", default=None, secret=True)
    region: str | None = setting(
        "location of what is made without one; the cloud's first if None", default=None
    )
    cloud: Cloud = setting(
        "the `Cloud` that several drivers share; a new one for each driver if None", default=None
    )
    endpoint: str = setting(
        "URL of a cloud in another process, in place of one in this", default=""
    )

    def __post_init__(self) -> None:
        if self.endpoint:
            if self.cloud is not None:  # pyright: ignore[reportUnnecessaryComparison] - the default
                raise InvalidAccountError("give either cloud= or endpoint=, not both")
            return
        if self.cloud is None:  # pyright: ignore[reportUnnecessaryComparison] - the default
            object.__setattr__(self, "cloud", Cloud())
        if not isinstance(self.cloud, Cloud):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidAccountError(
                f"Memory wants 'cloud' as a Cloud, not {type(self.cloud).__name__}"
            )


provider = Provider(
    name="memory",
    title="Memory",
    website="https://pypi.org/project/anysky/",
    account=Memory,
    services={
        "compute": Service("memory", "anysky.providers.memory.compute:MemoryCompute"),
        "storage": Service("memory", "anysky.providers.memory.storage:MemoryStorage"),
        "dns": Service("memory", "anysky.providers.memory.dns:MemoryDNS"),
        "loadbalancer": Service(
            "memory", "anysky.providers.memory.loadbalancer:MemoryLoadBalancer"
        ),
    },
)
