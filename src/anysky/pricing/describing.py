"""Say which catalogue is used, and why."""

from __future__ import annotations

import datetime as dt

from .catalogue import Catalogue
from .model import Record
from .opening import damaged

__all__ = ["Info", "info"]


class Info(Record):
    """A catalogue, described.

    Attributes:
        path: Its file.
        reason: Why this one is used.
        version: Its version, for example ``"2026.11.22"``.
        age_days: Days since it was made, or None if it does not say.
        oldest: ISO date of its oldest figure.
        newest: ISO date of its newest figure.
        prices: How many prices it has.
        providers: How many of each provider.
        sources: Where they come from.
        licence: What may be done with them.
        has_overrides: Whether your overrides change them.
    """

    __slots__ = (
        "age_days",
        "has_overrides",
        "licence",
        "newest",
        "oldest",
        "path",
        "prices",
        "providers",
        "reason",
        "sources",
        "version",
    )  # fmt: skip
    path: str
    reason: str
    version: str
    age_days: int | None
    oldest: str
    newest: str
    prices: int
    providers: dict[str, int]
    sources: tuple[str, ...]
    licence: str
    has_overrides: bool

    def __hash__(self) -> int:
        return hash((self.path, self.version))


def info(catalogue: Catalogue) -> Info:
    """Describe a catalogue.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    meta = catalogue.meta()
    try:
        prices = int(meta.get("prices", "0"))
        counts = {
            key.removeprefix("prices."): int(value)
            for key, value in meta.items()
            if key.startswith("prices.")
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(catalogue.path, error) from error
    return Info(
        path=catalogue.path,
        reason=catalogue.reason,
        version=meta.get("version", ""),
        age_days=_age(meta.get("generated", "")),
        oldest=meta.get("oldest", ""),
        newest=meta.get("newest", ""),
        prices=prices,
        providers=counts,
        sources=tuple(meta.get("sources", "").splitlines()),
        licence=meta.get("licence", ""),
        has_overrides=catalogue.has_overrides,
    )


def _age(generated: str) -> int | None:
    try:
        made = dt.date.fromisoformat(generated)
    except ValueError:
        return None
    return (dt.datetime.now(dt.UTC).date() - made).days
