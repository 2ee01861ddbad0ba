"""Content that comes once, cut into parts."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transfer.sources import PartReader
from anysky.transport.base import Body


@given(st.lists(st.binary(max_size=20)), st.integers(1, 12))
def test_parts_are_the_content_cut_evenly(pieces, size):
    reader = PartReader(Body(partial(iter, pieces)), size, BlockingRuntime())
    parts = [b"".join(run(reader.read()))]
    while not reader.is_last:
        parts.append(b"".join(run(reader.read())))

    whole = b"".join(pieces)
    assert parts == [whole[at : at + size] for at in range(0, len(whole), size)] or [b""]
