"""Look a catalogue through before it is used: nothing in it is trusted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from .catalogue import Catalogue
from .errors import CatalogueDamagedError
from .opening import damaged
from .packing import unpack
from .schema import COLUMNS, INDEXES

__all__ = ["check_catalogue", "file_sha256"]

_MOST_PRICES = 5_000_000
_TABLE = re.compile(r"create table \w+ \(")
_ACTIVE = re.compile(r"\b(check|generated|virtual|references|default|as)\b")
_COLUMN = re.compile(r"(?:^|, )([a-z_]+) (?:text|integer|real|blob)")


def check_catalogue(
    path: Path, *, version: str | None = None, rows: Mapping[str, int] | None = None
) -> str:
    """See that a file is a sound catalogue; return its version.

    SQLite itself notices few damages, so that every price is unpacked.

    Args:
        path: The file.
        version: The version that it has to have.
        rows: How many prices of each provider it has to have.

    Raises:
        CatalogueDamagedError: It is not sound.
        CatalogueSchemaError: It is of another schema.
        FileNotFoundError: There is no such file.
    """
    with Catalogue(str(path)) as catalogue:
        found = catalogue.rows("pragma quick_check(1)")
        if found != [("ok",)]:
            raise damaged(str(path), found[0][0] if found else "no answer")
        _check_schema(catalogue)
        if version is not None and catalogue.version != version:
            raise damaged(str(path), f"it is version {catalogue.version!r}, not {version!r}")
        counts = _count(catalogue)
        if rows and dict(counts) != dict(rows):
            raise damaged(str(path), "it has another number of prices than the manifest says")
        return catalogue.version


def _check_schema(catalogue: Catalogue) -> None:
    """Refuse anything but our tables: no triggers, no views, nothing that computes."""
    seen: set[str] = set()
    for kind, name, sql in catalogue.rows("select type, name, sql from sqlite_master"):
        text = str(sql or "").lower()
        is_table = kind == "table" and name in COLUMNS and _TABLE.match(text)
        is_index = kind == "index" and (name in INDEXES or not sql)
        if not (is_table or is_index) or _ACTIVE.search(text):
            raise damaged(catalogue.path, f"it has the {kind} {str(name)[:60]!r}")
        seen.add(name)
    missing = sorted(COLUMNS.keys() - seen)
    if missing:
        raise damaged(catalogue.path, f"it has no table {missing[0]!r}")
    for name, columns in COLUMNS.items():
        has = {row[1] for row in catalogue.rows(f"pragma table_info({name})")}
        if not set(_COLUMN.findall(columns)) <= has:
            raise damaged(catalogue.path, f"its table {name!r} lacks columns")


def _count(catalogue: Catalogue) -> Counter[str]:
    """Unpack every price and count those of each provider."""
    offers = {number for (number,) in catalogue.rows("select id from offer")}
    regions = set(catalogue.rows("select provider, id from region"))
    counts: Counter[str] = Counter()
    for provider, blob in catalogue.rows("select provider, prices from size"):
        try:
            for offer, region, _ in unpack(blob):
                if offer not in offers or (provider, region) not in regions:
                    raise ValueError("a price without offer or region")  # noqa: TRY301 - as unpack's
                counts[provider] += 1
        except (ValueError, TypeError) as error:
            raise damaged(catalogue.path, error) from error
        if counts.total() > _MOST_PRICES:
            raise damaged(catalogue.path, f"it has more than {_MOST_PRICES} prices")
    return counts


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CatalogueDamagedError(f"cannot read {path}: {error.strerror}") from error
