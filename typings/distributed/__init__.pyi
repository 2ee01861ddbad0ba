# What of Dask's distributed is used here; it has no types.

from collections.abc import Iterator, Sequence
from typing import Any

def as_completed(
    futures: Sequence[Any], *, with_results: bool = False, raise_errors: bool = True
) -> Iterator[Any]: ...
