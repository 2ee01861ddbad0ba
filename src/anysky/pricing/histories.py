"""What changed from one published catalogue to the next: a CSV file that only grows.

Its columns are version, provider, size, region, os, term, currency, old and new. An empty old
price is one that was not there, an empty new price one that is gone.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .building.draft import Figure
from .errors import CatalogueMissingError, VendorDataError
from .model import Record, amount_of

__all__ = ["COLUMNS", "HISTORY", "PastChange", "change_lines", "history"]

HISTORY = "history.csv"
"""Name of the file, beside the manifest."""
COLUMNS = (
    "version", "provider", "size", "region", "os", "term", "currency", "old", "new",
)  # fmt: skip


class PastChange(Record):
    """A price that changed.

    Attributes:
        version: Catalogue from which on it has the new amount.
        provider: For example ``"aws"``.
        size: For example ``"m5.large"``.
        region: For example ``"eu-west-1"``.
        os: Operating system.
        term: Kind of price.
        currency: ISO 4217 code.
        old: Amount before, or None if it was not there.
        new: Amount since, or None if it is gone.
    """

    __slots__ = COLUMNS
    version: str
    provider: str
    size: str
    region: str
    os: str
    term: str
    currency: str
    old: Decimal | None
    new: Decimal | None


def change_lines(version: str, before: Iterable[Figure], after: Iterable[Figure]) -> str:
    """Return the lines for what differs between two catalogues."""
    old, new = (
        {(*one.key, one.currency): one.nano for one in figures} for figures in (before, after)
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            writer.writerow([version, *key, _text(old.get(key)), _text(new.get(key))])
    return text.getvalue()


def _text(nano: int | None) -> str:
    return "" if nano is None else f"{amount_of(nano):f}"


def history(
    path: str | os.PathLike[str], provider: str, size: str, region: str = ""
) -> list[PastChange]:
    """Return the changes of a size, in one region or all, the oldest first.

    Args:
        path: The file, or the folder of a manifest.
        provider: For example ``"aws"``.
        size: For example ``"m5.large"``.
        region: For example ``"eu-west-1"``.

    Raises:
        CatalogueMissingError: The file is not there.
        VendorDataError: It is no such file.
    """
    file_path = Path(path) / HISTORY if Path(path).is_dir() else Path(path)
    try:
        with file_path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            if tuple(next(reader, ())) != COLUMNS:
                raise VendorDataError(f"{file_path} is no history of prices")
            wanted = (row for row in reader if row[1:3] == [provider, size])
            return [_change(row) for row in wanted if region in ("", row[3])]
    except OSError as error:
        raise CatalogueMissingError(f"cannot read {file_path}: {error.strerror}") from error
    except (LookupError, ValueError, InvalidOperation, csv.Error) as error:
        raise VendorDataError(f"{file_path} is damaged: {error}") from error


def _change(row: list[str]) -> PastChange:
    *texts, old, new = row
    amounts = [Decimal(one) if one else None for one in (old, new)]
    names = dict(zip(COLUMNS, [*texts, *amounts], strict=True))
    return PastChange(**names)
