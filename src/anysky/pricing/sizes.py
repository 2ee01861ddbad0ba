"""What a size has, and what its prices are for."""

from __future__ import annotations

from .model import Record

__all__ = ["Offer", "Size"]


class Size(Record):
    """What a size has; what is not known is None.

    Attributes:
        provider: For example ``"aws"``.
        name: For example ``"m5.large"``.
        vcpu: Virtual processors; a fraction for shared ones.
        ram_mb: Memory in MiB.
        disk_gb: Disk that comes with it, in GB.
        gpus: Accelerators; a fraction for shared ones, 0 for none.
        gpu: Name of the accelerator.
        gpu_mem_mb: Memory of the accelerators in MiB.
        arch: ``"x86_64"`` or ``"arm64"``.
        burstable: Whether processors are shared and work at full speed only for a time.
        is_sold: False for a size of which new nodes are no longer sold.
    """

    __slots__ = (
        "arch",
        "burstable",
        "disk_gb",
        "gpu",
        "gpu_mem_mb",
        "gpus",
        "is_sold",
        "name",
        "provider",
        "ram_mb",
        "vcpu",
    )  # fmt: skip
    provider: str
    name: str
    vcpu: float | None
    ram_mb: int | None
    disk_gb: int | None
    gpus: float | None
    gpu: str | None
    gpu_mem_mb: int | None
    arch: str | None
    burstable: bool | None
    is_sold: bool


class Offer(Record):
    """What a price is for, and where it comes from; see `Price` for the fields."""

    __slots__ = (
        "as_of", "currency", "id", "licence", "os", "quality", "source", "tenancy", "term",
        "unit", "upfront",
    )  # fmt: skip
    id: int
    os: str
    licence: str
    term: str
    upfront: str
    tenancy: str
    unit: str
    currency: str
    source: str
    as_of: str
    quality: str
