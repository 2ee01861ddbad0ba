"""Into how many parts, and how large ones, content is divided."""

from __future__ import annotations

from anysky.errors import InvalidRequestError
from anysky.model.storage import PartLimits

__all__ = ["part_size", "range_size"]

_MIB = 1024 * 1024
_SMALLEST, _LARGEST = 8 * _MIB, 64 * _MIB
_AIM = 128  # parts: enough to keep all workers busy until the end


def part_size(length: int | None, limits: PartLimits, wanted: int | None) -> int:
    """Return how many bytes each part of an upload has but the last.

    Args:
        length: Bytes in all; None if nobody knows.
        limits: What the provider takes.
        wanted: What the caller asks for; what comes nearest to it within the limits is taken.

    Raises:
        InvalidRequestError: The provider does not take so much.
    """
    needed = 1 if length is None else -(-length // limits.count)
    size = max(wanted or _suitable(length), needed, limits.smallest)
    size = -(-size // limits.multiple) * limits.multiple
    if size > limits.largest:
        size = limits.largest // limits.multiple * limits.multiple
    if size < needed:
        raise InvalidRequestError(
            f"the content has {length} bytes, and the provider takes {limits.count} parts of "
            f"{size} bytes at the most"
        )
    return size


def range_size(length: int, wanted: int | None) -> int:
    """Return how many bytes each range of a download has but the last."""
    return wanted or _suitable(length)


def _suitable(length: int | None) -> int:
    wanted = -(-(length or 0) // _AIM)
    return min(max(-(-wanted // _MIB) * _MIB, _SMALLEST), _LARGEST)
