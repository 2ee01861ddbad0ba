"""Moving content: uploads and downloads in parallel parts, from one cloud to another, in bulk.

`sync` and `copy` are in the blocking API; their twins on asyncio are in `anysky.aio.transfer`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .blocking import Place, copy, open_driver, sync
    from .options import Progress, TransferOptions
    from .reports import Action, TransferReport

__all__ = [
    "Action",
    "Place",
    "Progress",
    "TransferOptions",
    "TransferReport",
    "copy",
    "open_driver",
    "sync",
]

_PLACES = {
    "Action": "reports",
    "Progress": "options",
    "TransferOptions": "options",
    "TransferReport": "reports",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_PLACES.get(name, 'blocking')}")
    return getattr(module, name)
