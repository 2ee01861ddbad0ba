"""Many prices in few bytes: all the prices of one size as one blob.

A blob is a run of parts, one for each offer: its id, its length in bytes, and its prices. A price
is the distance of its region's id from the one before, less one, and the amount: coefficient
times ten plus a power of ten from 0 to 9, in billionths of the currency's unit. Every number is
an unsigned LEB128 varint.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["pack", "price_of", "unpack"]

_MALFORMED = "malformed price blob"
_LARGEST_SHIFT = 63
_LARGEST_POWER = 9


def pack(offers: Mapping[int, Mapping[int, int]]) -> bytes:
    """Make a blob of amounts by the ids of their offer and region.

    Raises:
        ValueError: An amount is not above zero: what is not known is left out.
    """
    blob = bytearray()
    for offer, prices in sorted(offers.items()):
        part, last = bytearray(), -1
        for region, nano in sorted(prices.items()):
            part += _varint(region - last - 1) + _varint(_scaled(nano))
            last = region
        blob += _varint(offer) + _varint(len(part)) + part
    return bytes(blob)


def _scaled(nano: int) -> int:
    if nano <= 0:
        raise ValueError("unknown prices are left out, never zero")
    power = 0
    while power < _LARGEST_POWER and nano % 10 == 0:
        nano //= 10
        power += 1
    return nano * 10 + power


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def unpack(blob: bytes, only: Collection[int] | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield every price of a blob as offer id, region id and amount.

    Args:
        blob: The blob.
        only: Ids of the offers that are wanted; the others are passed over unread.

    Raises:
        ValueError: The blob is damaged.
    """
    for offer, at, end in _parts(blob):
        if only is None or offer in only:
            for region, nano in _prices(blob, at, end):
                yield offer, region, nano


def price_of(blob: bytes, offer: int, region: int) -> int | None:
    """Return the amount for one offer and region, or None if there is none.

    Raises:
        ValueError: The blob is damaged.
    """
    for found, at, end in _parts(blob):
        if found == offer:
            for one, nano in _prices(blob, at, end):
                if one >= region:
                    return nano if one == region else None
            return None
    return None


def _parts(blob: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each offer's id and where its prices begin and end."""
    at, size = 0, len(blob)
    while at < size:
        offer, at = _number(blob, at, size)
        length, at = _number(blob, at, size)
        end = at + length
        if end > size:
            raise ValueError(_MALFORMED)
        yield offer, at, end
        at = end


def _prices(blob: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    region = -1
    while at < end:
        gap, at = _number(blob, at, end)
        scaled, at = _number(blob, at, end)
        region += gap + 1
        nano = scaled // 10 * 10 ** (scaled % 10)
        if not nano:
            raise ValueError(_MALFORMED)
        yield region, nano


def _number(blob: bytes, at: int, end: int) -> tuple[int, int]:
    """Read one varint; return it and where it ends."""
    number = shift = 0
    while at < end and shift <= _LARGEST_SHIFT:
        byte = blob[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the highest bit tells that more follows
            return number, at
        shift += 7
    raise ValueError(_MALFORMED)
