"""Lay out what commands print."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["plain", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned plain text under a header, control characters made harmless."""
    lines = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    laid_out = [lines[0], rule, *lines[1:]]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in laid_out)


def plain(text: str) -> str:
    """Return a text with its control characters made harmless."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
