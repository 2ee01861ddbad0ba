"""Read what vendors publish of their prices: one importer for each vendor.

They are all here rather than in the folders of their providers: most of these vendors have no
driver, and prices are a layer below providers, which must not be needed to build a catalogue.
Each module is named as its provider is in a catalogue and offers ``importer``, an `Importer`; a
plug-in offers one under the entry point group ``anysky.price_importers``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from anysky.errors import InvalidRequestError

from .base import Document, Importer, Rows, Token

__all__ = ["ENTRY_POINT_GROUP", "Document", "Importer", "Rows", "Token", "importer_names", "load"]

ENTRY_POINT_GROUP = "anysky.price_importers"

_SHARED = frozenset({"base"})


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(__path__)) - _SHARED


def importer_names() -> list[str]:
    """Return the names of all importers, anysky's own and plug-ins."""
    return sorted(_modules() | entry_points(group=ENTRY_POINT_GROUP).names)


def load(name: str) -> Importer:
    """Return an importer by the name of its provider.

    Raises:
        InvalidRequestError: There is none, or a plug-in offers something else.
    """
    if name in _modules():
        found = importlib.import_module(f"{__name__}.{name}").importer
    else:
        points = entry_points(group=ENTRY_POINT_GROUP, name=name)
        if not points:
            names = ", ".join(importer_names())
            raise InvalidRequestError(f"there is no importer {name!r}; there are {names}")
        found = next(iter(points)).load()
    if not isinstance(found, Importer):
        raise InvalidRequestError(f"what {name!r} offers is no importer")
    return found
