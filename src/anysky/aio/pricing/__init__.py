"""Update and build price catalogues on asyncio; all else of `anysky.pricing` asks no network.

``await anysky.aio.pricing.update()`` installs the newest catalogue.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .builds import build
    from .updates import update

__all__ = ["build", "update"]

_HOMES = {"build": "builds", "update": "updates"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: an update needs no importers."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anysky.aio.pricing' has no attribute {name!r}")
    home = __import__(f"anysky.aio.pricing.{_HOMES[name]}", fromlist=["*"])
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
