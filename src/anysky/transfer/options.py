"""How content is moved, and how its progress is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anysky.errors import InvalidRequestError

__all__ = ["Progress", "TransferOptions"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the transfer of one object has come.

    Attributes:
        name: The object's name.
        done: Bytes that have arrived and been acknowledged, those of an earlier try included.
        total: Bytes in all; None if nobody knows.
    """

    name: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How content is moved.

    Attributes:
        threshold: Bytes from which on an object is moved in several parts at once.
        part_size: Bytes of a part; None for one that suits the object and its provider.
        concurrency: Parts that are under way at once.
        max_bandwidth: Bytes a second at the most; None for as many as there are.
        progress: Called whenever a part of the content has arrived.
        resume: Whether what was moved before a crash or a failure is kept and gone on with.
    """

    threshold: int = 32 * _MIB
    part_size: int | None = None
    concurrency: int = 4
    max_bandwidth: float | None = None
    progress: Callable[[Progress], None] | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        for name in ("threshold", "part_size", "concurrency", "max_bandwidth"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InvalidRequestError(f"{name} must be more than 0, not {value}")
