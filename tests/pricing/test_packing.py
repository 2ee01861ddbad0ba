"""Prices in blobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.pricing.packing import pack, price_of, unpack

AMOUNTS = st.dictionaries(st.integers(0, 300), st.integers(1, 10**15), max_size=20)
OFFERS = st.dictionaries(st.integers(0, 300), AMOUNTS.filter(bool), max_size=6)


@given(OFFERS)
def test_what_is_packed_is_unpacked(offers: dict[int, dict[int, int]]) -> None:
    blob = pack(offers)

    found = list(unpack(blob))

    assert found == [
        (offer, region, offers[offer][region])
        for offer in sorted(offers)
        for region in sorted(offers[offer])
    ]
    assert all(price_of(blob, offer, region) == nano for offer, region, nano in found)
    assert price_of(blob, 301, 0) is None


@given(OFFERS.filter(bool), st.data())
def test_damage_is_a_value_error_and_never_a_hang(
    offers: dict[int, dict[int, int]], data: st.DataObject
) -> None:
    blob = bytearray(pack(offers))
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = list(unpack(bytes(blob)))
    except ValueError:
        return
    assert all(nano > 0 for _, _, nano in found)


@pytest.mark.parametrize("nano", [0, -1])
def test_what_is_not_above_zero_is_refused(nano: int) -> None:
    with pytest.raises(ValueError, match="never zero"):
        pack({0: {0: nano}})
