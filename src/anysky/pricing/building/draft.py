"""What a catalogue is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

__all__ = [
    "Component",
    "Draft",
    "Figure",
    "Rate",
    "Region",
    "Source",
    "Spec",
    "Vendor",
    "exact_nano",
]

_NANO = Decimal(10**9)


def exact_nano(amount: Decimal) -> int:
    """Return an amount in whole billionths.

    Raises:
        ValueError: It does not fit exactly, or is not above zero.
    """
    nano = amount * _NANO
    if nano != nano.to_integral_value() or nano <= 0:
        raise ValueError(f"{amount} is no amount in billionths above zero")
    return int(nano)


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from.

    Attributes:
        url: Its address.
        as_of: ISO date at which it had the figures.
        quality: recorded, composed, derived or manual.
        version: The vendor's own version, or None.
    """

    url: str
    as_of: str
    quality: str = "recorded"
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One price of a size: `nano` billionths of `currency` for an hour."""

    provider: str
    size: str
    region: str
    nano: int
    source: Source
    currency: str = "USD"
    os: str = "linux"
    term: str = "ondemand"

    @property
    def key(self) -> tuple[str, ...]:
        """What only one figure may be for."""
        return (self.provider, self.size, self.region, self.os, self.term)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a size has; see `anysky.pricing.sizes.Size`."""

    vcpu: float | None = None
    ram_mb: int | None = None
    disk_gb: int | None = None
    gpus: float | None = None
    gpu: str | None = None
    gpu_mem_mb: int | None = None
    arch: str | None = None
    burstable: bool | None = None
    is_sold: bool = True


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor, and how it bills."""

    id: str
    name: str
    currency: str
    price_page: str
    monthly_cap: int | None = None
    granularity: int | None = None
    hours_per_month: int = 730


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a vendor."""

    provider: str
    name: str
    geo: str | None = None
    country: str | None = None
    vendor_name: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """One tier of a price of anything but a size: `nano` for `unit_qty` units.

    It holds from `tier_from` units on, up to `tier_to` or without end. A `nano` of 0 is a tier
    that the vendor calls free.
    """

    provider: str
    region: str
    service: str
    sku: str
    unit: str
    nano: int
    source: Source
    currency: str = "USD"
    term: str = "ondemand"
    unit_qty: int = 1
    tier_from: int = 0
    tier_to: int | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """The price of one vCPU or GiB of memory in a size made to measure."""

    provider: str
    region: str
    family: str
    resource: str
    nano: int
    source: Source
    currency: str = "USD"
    term: str = "ondemand"


@dataclass(slots=True)
class Draft:
    """All of one catalogue, before it is written.

    Attributes:
        version: For example ``"2026.11.22"``.
        licence: What may be done with the figures.
        aliases: Kind, provider, old name and new name.
        notes: Further entries of ``meta``.
    """

    version: str
    licence: str = ""
    providers: list[Vendor] = field(default_factory=list[Vendor])
    regions: dict[tuple[str, str], Region] = field(default_factory=dict[tuple[str, str], Region])
    specs: dict[tuple[str, str], Spec] = field(default_factory=dict[tuple[str, str], Spec])
    figures: list[Figure] = field(default_factory=list[Figure])
    rates: list[Rate] = field(default_factory=list[Rate])
    components: list[Component] = field(default_factory=list[Component])
    aliases: list[tuple[str, str, str, str]] = field(
        default_factory=list[tuple[str, str, str, str]]
    )
    notes: dict[str, str] = field(default_factory=dict[str, str])
